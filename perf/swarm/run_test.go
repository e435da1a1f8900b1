package swarm

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// run runs, checks that the figures agree with each other, and returns what was found.
func run(t *testing.T, cfg Config) *Result {
	t.Helper()
	r, err := Run(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Troubles) > 0 {
		t.Logf("troubles: %v", r.Troubles)
	}
	conns := 0
	for i := range r.Loads {
		l := &r.Loads[i]
		conns += l.Conns
		checkLoad(t, l, int64(float64(l.Rate)*cfg.Duration.Seconds()))
	}
	if s := r.Subscribed.Load(); r.Connect.Count != s || s+r.Failed.Load() != int64(conns) {
		t.Errorf("%d subscribed, %d failed, %d timed of %d", s, r.Failed.Load(), r.Connect.Count, conns)
	}
	return r
}

// checkLoad holds a load's figures against each other: every push is accounted for exactly once.
func checkLoad(t *testing.T, l *LoadResult, planned int64) {
	t.Helper()
	answered := int64(0)
	for _, n := range l.Status {
		answered += n
	}
	if l.Rate > 0 && l.Sent+l.Unsent != planned {
		t.Errorf("%d sent and %d unsent of %d", l.Sent, l.Unsent, planned)
	}
	if answered+l.Unanswered != l.Sent || l.Lateness.Count != l.Sent {
		t.Errorf("%d answered, %d unanswered, %d timed of %d", answered, l.Unanswered, l.Lateness.Count, l.Sent)
	}
	if l.Answer.Count != l.Sent+l.Unsent || l.Answer.Unfinished != l.Unanswered+l.Unsent {
		t.Errorf("latencies of answers: %d, unfinished %d; %+v", l.Answer.Count, l.Answer.Unfinished, l.Books)
	}
	if l.Arrival.Count != l.Arrived+l.Lost || l.Arrival.Unfinished != l.Lost {
		t.Errorf("latencies of arrivals: %d, unfinished %d; %+v", l.Arrival.Count, l.Arrival.Unfinished, l.Books)
	}
	if l.Arrived+l.Lost != l.Promised+l.Surplus && l.Unanswered == 0 {
		t.Errorf("promises and arrivals do not add up: %+v", l.Books)
	}
}

// clean reports everything in the books that an honest server leaves at zero.
func clean(t *testing.T, b Books) {
	t.Helper()
	if b.Broken() || b.Unsent+b.Unanswered+b.Surplus+b.Passed+b.Unchecked > 0 || b.Arrived != b.Promised {
		t.Errorf("%+v", b)
	}
}

func TestEveryFormDeliversEverything(t *testing.T) {
	for i := range forms {
		for name, f := range map[string]*fake{"h1, whole": {}, "h1, byte by byte": {pieces: true}, "h2, whole": {}, "h2, byte by byte": {pieces: true}} {
			if Form(i) == WebSocket && strings.HasPrefix(name, "h2") {
				continue
			}
			t.Run(fmt.Sprintf("%v/%s", Form(i), name), func(t *testing.T) {
				t.Parallel()
				cfg := f.start(t)
				cfg.Form = Form(i)
				if strings.HasPrefix(name, "h2") {
					cfg.Protocol, cfg.Streams = HTTP2, 7 // clients are not a multiple of it
				}
				if cfg.Form == Poll {
					cfg.Loads[0].Rate = 100 // what is pushed between two polls of a client meets nobody
				}
				r := run(t, cfg)
				b := r.Totals()
				clean(t, b)
				if want := int64(cfg.Loads[0].Rate) * 3 / 10; b.Sent != want || cfg.Form != Poll && b.Arrived != want || b.Arrived == 0 {
					t.Errorf("%d sent, %d arrived of %d", b.Sent, b.Arrived, want)
				}
				if joined := f.seen().joined; r.Lost.Load() != 0 || joined < 40 {
					t.Errorf("lost %d, joined %d", r.Lost.Load(), joined)
				}
			})
		}
	}
}

func TestGroupsAreReachedWhole(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	cfg.Loads = []Load{{Conns: 60, Keys: 3, Publishers: 4, Rate: 200}}
	b := run(t, cfg).Totals()
	clean(t, b)
	if b.Sent != 60 || b.Arrived != 60*20 {
		t.Errorf("%+v", b)
	}
}

func TestLoadsSideBySide(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	cfg.Loads = []Load{{Name: "one", Conns: 30, Publishers: 4, Rate: 200}, {Name: "all", Conns: 20, Keys: 1, Publishers: 1}}
	r := run(t, cfg)
	one, all := r.Loads[0].Books, r.Loads[1].Books
	clean(t, one)
	clean(t, all)
	if p := f.seen(); one.Arrived != 60 || all.Sent == 0 || all.Arrived != 20*all.Sent || len(p.peers) != 1 || p.joined != 50 {
		t.Errorf("one key %+v, all %+v, %d joined", one, all, p.joined)
	}
}

// Flat out, each publisher has its next push under way as soon as the last one is answered.
func TestFlatOut(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	cfg.Loads[0].Rate = 0
	b := run(t, cfg).Totals()
	clean(t, b)
	if b.Sent < 100 || b.Sent != b.Arrived || b.Unsent != 0 {
		t.Errorf("%+v", b)
	}
}

// A server that ends each connection after its answer costs the tool connections, not messages.
func TestConnectionsThatCloseInGoodOrder(t *testing.T) {
	for _, form := range []Form{SSE, Poll} {
		f := &fake{closing: true}
		cfg := f.start(t)
		cfg.Form, cfg.Loads[0].Rate = form, 100
		r := run(t, cfg)
		clean(t, r.Totals())
		if joined := f.seen().joined; len(r.Troubles) != 0 || form == Poll && joined <= 40 {
			t.Errorf("%v: joined %d, troubles %v", form, joined, r.Troubles)
		}
	}
}

func TestPollsThatTimeOutAskAgain(t *testing.T) {
	f := &fake{life: 50 * time.Millisecond}
	cfg := f.start(t)
	cfg.Form, cfg.Loads[0].Publishers, cfg.Loads[0].Rate = Poll, 0, 0
	r := run(t, cfg)
	if joined := f.seen().joined; joined < 120 || len(r.Troubles) != 0 || r.Lost.Load() != 0 {
		t.Errorf("joined %d, troubles %v", joined, r.Troubles)
	}
}

// Messages far larger than one read come whole in every form.
func TestLargeMessages(t *testing.T) {
	for i := range forms {
		f := new(fake)
		cfg := f.start(t)
		cfg.Form, cfg.Size = Form(i), 300_000
		cfg.Loads = []Load{{Conns: 3, Publishers: 1, Rate: 20}}
		b := run(t, cfg).Totals()
		clean(t, b)
		if b.Arrived == 0 || cfg.Form != Poll && b.Arrived != 6 {
			t.Errorf("%v: %+v", cfg.Form, b)
		}
	}
}

func TestWordsOfTheRequest(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	cfg.SubscribeFields = []string{"X-Tenant: blue", "accept: application/x-ndjson"}
	cfg.Form = NDJSON
	run(t, cfg)
	if p := f.seen(); p.fields.Get("X-Tenant") != "blue" || len(p.fields.Values("Accept")) != 1 || len(p.key) != 16 {
		t.Errorf("key %q, %v", p.key, p.fields)
	}
}

func TestHoldSendsNothing(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	cfg.Loads[0].Publishers, cfg.Loads[0].Rate = 0, 0
	cfg.Duration = 100 * time.Millisecond
	begun := time.Now()
	r := run(t, cfg)
	if d := time.Since(begun); d < 100*time.Millisecond || f.seen().pushes != 0 || r.Lost.Load() != 0 || r.Took > d || r.EstablishRate() < 40 {
		t.Errorf("%v, %d pushes, %d lost, took %v", d, f.seen().pushes, r.Lost.Load(), r.Took)
	}
}

func TestClientsKeepToTheirRate(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	cfg.ConnectRate, cfg.Duration = 200, time.Millisecond
	cfg.Loads[0].Publishers, cfg.Loads[0].Rate = 0, 0
	if r := run(t, cfg); r.Took < 190*time.Millisecond {
		t.Errorf("40 clients at 200 per second in %v", r.Took)
	}
}

func TestSourcesTakeTurns(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	cfg.Sources = []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")}
	cfg.Duration, cfg.Loops = time.Millisecond, 1
	cfg.Loads[0].Publishers, cfg.Loads[0].Rate = 0, 0
	run(t, cfg)
	if peers := f.seen().peers; len(peers) != 2 || !peers["127.0.0.2"] || !peers["127.0.0.3"] {
		t.Errorf("clients came from %v", peers)
	}
}

// The moments come in order, while all clients are there.
func TestMoments(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	var seen []string
	cfg.Moment = func(m Moment) {
		f.mu.Lock()
		defer f.mu.Unlock()
		seen = append(seen, fmt.Sprint(m, len(f.all), f.pushes))
	}
	run(t, cfg)
	if fmt.Sprint(seen) != "[0 40 0 1 40 60]" {
		t.Errorf("%v", seen)
	}
}

func TestContextEndsARunEarly(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	cfg.Duration = time.Minute
	for _, after := range []time.Duration{0, 10 * time.Millisecond, 300 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		begun := time.Now()
		counts := new(Counts)
		r, err := Run(ctx, cfg, counts)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begun); d > after+cfg.Grace+2*time.Second {
			t.Errorf("stopped after %v, it took %v", after, d)
		}
		if b := r.Totals(); b.Broken() || b.Unanswered > 0 || b.Sent > 100 || r.Counts != counts || after > 100*time.Millisecond && b.Arrived == 0 {
			t.Errorf("after %v: %+v", after, b)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	addr := netip.MustParseAddrPort("127.0.0.1:1")
	one := []Load{{Conns: 1}}
	push := []Load{{Conns: 1, Publishers: 1}}
	f := func(cfg Config, want string) {
		t.Helper()
		if _, err := Run(t.Context(), cfg, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(Config{Loads: one}, "no address to subscribe at")
	f(Config{Subscribe: addr}, "0 loads")
	f(Config{Subscribe: addr, Loads: make([]Load, MaxLoads+1)}, "5 loads")
	f(Config{Subscribe: addr, Loads: push}, "no address to publish at")
	f(Config{Subscribe: addr, Loads: one, Size: MinSize - 1}, "stamp needs")
	f(Config{Subscribe: addr, Loads: one, Size: MaxSize + 1}, "is the most")
	f(Config{Subscribe: addr, Loads: one, Form: WebSocket + 1}, "no such form")
	f(Config{Subscribe: addr, Loads: one, SubscribePath: "/sub/"}, "{key}")
	f(Config{Subscribe: addr, Loads: one, PublishPath: "/push/{key}/{key}"}, "{key}")
	f(Config{Subscribe: addr, Loads: one, PublishPath: "/{key} HTTP/1.1\r\nX: "}, "{key}")
	f(Config{Subscribe: addr, Loads: one, SubscribeFields: []string{"no line"}}, "header line")
	f(Config{Subscribe: addr, Loads: one, PublishFields: []string{"A: b\r\nC: d"}}, "header line")
	f(Config{Subscribe: addr, Loads: []Load{{}}}, "without connections")
	f(Config{Subscribe: addr, Loads: []Load{{Conns: 2, Keys: 3}}}, "would have nobody")
	f(Config{Subscribe: addr, Loads: []Load{{Conns: 2, Rate: 1}}}, "without publishers")
	f(Config{Subscribe: addr, Loads: []Load{{Conns: 2, Publishers: 1, Rate: -1}}}, "negative")
	f(Config{Subscribe: addr, Loads: []Load{{Conns: 2, Publishers: MaxPublishers + 1}}}, "publishers")
	f(Config{Subscribe: addr, Publish: addr, Loads: []Load{{Conns: 1 << 20, Publishers: 16}}}, "8 publishers would do")
	f(Config{Subscribe: addr, Loads: []Load{{Conns: 1 << 40}}}, "open files")
}

func TestFormNames(t *testing.T) {
	for i := range forms {
		if f, err := ParseForm(Form(i).String()); err != nil || f != Form(i) || !strings.Contains(FormNames(), f.String()) {
			t.Errorf("%v: %v %v", Form(i), f, err)
		}
	}
	if _, err := ParseForm("telegraph"); err == nil || !strings.Contains(err.Error(), "multipart") {
		t.Error(err)
	}
}

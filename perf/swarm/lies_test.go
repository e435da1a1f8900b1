package swarm

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/perf/origin"
)

// tenth is true for every tenth push.
func tenth(n int) bool { return n%10 == 0 }

func say(status int, verdict string) func(int, int) (int, string) {
	return func(int, int) (int, string) { return status, verdict }
}

// afterwards answers when the message has arrived in all likelihood: nobody waits for what was not promised.
func afterwards(status int, verdict string) func(int, int) (int, string) {
	return func(int, int) (int, string) {
		time.Sleep(20 * time.Millisecond)
		return status, verdict
	}
}

// Each kind of lie shows in the books under its own name, as often as it was told.
func TestLiesOfTheServerAreFound(t *testing.T) {
	f := func(name string, f *fake, want Books, broken bool) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := f.start(t)
			cfg.Loops = 1
			if want.Lost > 0 {
				cfg.Grace = time.Second // it waits for what never comes
			}
			r := run(t, cfg)
			got := r.Totals()
			if want.Sent == 0 {
				want.Sent = 60
			}
			if got != want || got.Broken() != broken {
				t.Errorf("%+v\nwant %+v", got, want)
			}
		})
	}
	f("honest", new(fake), Books{Promised: 60, Arrived: 60}, false)
	f("delivers to nobody and says so", &fake{deliver: func(n int, _ string, to []*sub) []*sub {
		if tenth(n) {
			return nil
		}
		return to
	}}, Books{Promised: 54, Arrived: 54, Passed: 6}, false)
	f("loses", &fake{deliver: func(n int, _ string, to []*sub) []*sub {
		if tenth(n) {
			return nil
		}
		return to
	}, answer: say(200, `{"delivered":1,"pending":0}`)}, Books{Promised: 60, Arrived: 54, Lost: 6}, true)
	f("loses what was pending", &fake{deliver: func(n int, _ string, to []*sub) []*sub {
		if tenth(n) {
			return nil
		}
		return to
	}, answer: say(202, `{"delivered":0,"pending":1}`)}, Books{Promised: 60, Arrived: 54, Lost: 6}, true)
	f("repeats itself", &fake{deliver: func(n int, _ string, to []*sub) []*sub {
		if tenth(n) {
			return append(to[:1:1], to...)
		}
		return to
	}, answer: say(200, `{"delivered":1,"pending":0}`)}, Books{Promised: 60, Arrived: 60, Doubled: 6}, true)
	f("leads astray", &fake{deliver: nil, garble: func(n int, m string) string {
		if tenth(n) {
			s, _ := stamped([]byte(m))
			s.key ^= 1
			m = string(s.appendTo(nil)) + m[MinSize:]
		}
		return m
	}}, Books{Promised: 60, Arrived: 54, Lost: 6, Stray: 6}, true)
	f("changes", &fake{garble: func(n int, m string) string {
		if tenth(n) {
			m = m[:len(m)-1] + "!"
		}
		return m
	}}, Books{Promised: 60, Arrived: 54, Lost: 6, Garbled: 6}, true)
	f("cuts short", &fake{garble: func(n int, m string) string {
		if tenth(n) {
			m = m[:len(m)-1]
		}
		return m
	}}, Books{Promised: 60, Arrived: 54, Lost: 6, Garbled: 6}, true)
	f("invents", &fake{garble: func(n int, m string) string {
		if tenth(n) {
			s, _ := stamped([]byte(m))
			s.seq += 1000
			m = string(s.appendTo(nil)) + m[MinSize:]
		}
		return m
	}}, Books{Promised: 60, Arrived: 54, Lost: 6, Garbled: 6}, true)
	f("delivers and says no", &fake{answer: afterwards(503, "{}")}, Books{Arrived: 60, Surplus: 60, Passed: 60}, false)
	f("delivers and says nobody", &fake{answer: afterwards(200, `{"delivered":0,"pending":0}`)}, Books{Arrived: 60, Surplus: 60, Passed: 60}, false)
	f("says no number", &fake{answer: say(204, "")}, Books{Promised: 60, Arrived: 60}, false)
}

// Two messages of one publisher to one key change places.
func TestDisorderIsFound(t *testing.T) {
	var kept string
	f := &fake{deliver: func(n int, _ string, to []*sub) []*sub {
		if n == 10 {
			return nil
		}
		return to
	}, garble: func(n int, m string) string {
		if n == 10 {
			kept = m
		}
		return m
	}, answer: say(200, `{"delivered":1}`)}
	cfg := f.start(t)
	cfg.Loads = []Load{{Conns: 1, Publishers: 1, Rate: 100}}
	go func() {
		for {
			f.mu.Lock()
			if f.pushes > 12 {
				f.all[0].messages <- kept
				f.mu.Unlock()
				return
			}
			f.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
	}()
	if b := run(t, cfg).Totals(); b.Disordered != 1 || b.Lost != 0 || b.Doubled != 0 || b.Arrived != 30 || !b.Broken() {
		t.Errorf("%+v", b)
	}
}

// Messages that none of this run's publishers sent are no fault, and no delivery either.
func TestForeignMessages(t *testing.T) {
	f := &fake{garble: func(n int, m string) string {
		s, _ := stamped([]byte(m))
		s.run++
		return string(s.appendTo(nil)) + m[MinSize:]
	}}
	cfg := f.start(t)
	cfg.Grace = 500 * time.Millisecond
	r := run(t, cfg)
	if b := r.Totals(); r.Foreign.Load() != 100 || b.Arrived != 0 || b.Lost != 60 { // 40 of them welcome clients
		t.Errorf("%d foreign, %+v", r.Foreign.Load(), b)
	}
}

// The server stands still for 200 ms in the middle. All that was due meanwhile waited, and that is what must be seen,
// though no more than Publishers pushes were on their way.
func TestStallOfTheServerIsSeen(t *testing.T) {
	gate := make(chan struct{})
	f := &fake{before: func(n int) {
		if n == 100 {
			time.AfterFunc(200*time.Millisecond, func() { close(gate) })
		}
		if n >= 100 {
			<-gate
		}
	}}
	cfg := f.start(t)
	cfg.Duration, cfg.Loads[0].Rate = 500*time.Millisecond, 1000
	l := run(t, cfg).Loads[0]
	if p90, _ := l.Arrival.Quantile(0.9); p90 < 60*time.Millisecond {
		t.Errorf("p90 = %v, but two pushes in five met a stall of 200 ms", p90)
	}
	if l.Lateness.Max < 100*time.Millisecond {
		t.Errorf("the tool sent at most %v late with all publishers waiting", l.Lateness.Max)
	}
}

// Publishers that never come free leave pushes unsent; they count as waiting, not as absent.
func TestDeadServerLeavesPushesUnsent(t *testing.T) {
	hold := make(chan struct{})
	f := &fake{before: func(int) { <-hold }}
	cfg := f.start(t)
	cfg.Grace = 300 * time.Millisecond
	r := run(t, cfg)
	close(hold)
	l := r.Loads[0]
	if l.Sent != 8 || l.Unsent != 52 || l.Unanswered != 8 || l.Answer.Unfinished != 60 || l.Answer.Max < 290*time.Millisecond {
		t.Errorf("%+v, unfinished %d, max %v", l.Books, l.Answer.Unfinished, l.Answer.Max)
	}
}

func TestUnansweredPushes(t *testing.T) {
	f := &fake{answer: func(n, to int) (int, string) {
		if n < 5 {
			return 0, ""
		}
		return 200, `{"delivered":1}`
	}}
	r := run(t, f.start(t))
	if b := r.Totals(); b.Unanswered != 5 || b.Arrived != 60 || b.Promised != 55 || r.Troubles["a publisher was closed by the server"] != 5 {
		t.Errorf("%+v, troubles %v", b, r.Troubles)
	}
}

func TestClientsThatAreNotAdmitted(t *testing.T) {
	f := &fake{admit: func(key string) int {
		if strings.HasSuffix(key, "0") { // key numbers stand above two bits: every fourth
			return 403
		}
		return 200
	}}
	r := run(t, f.start(t))
	b := r.Totals()
	if r.Failed.Load() != 10 || r.Troubles["status 403 for a subscriber"] != 10 || b.Passed != 0 || b.Arrived != b.Promised || r.Loads[0].Status[404] == 0 {
		t.Errorf("failed %d, troubles %v, %+v", r.Failed.Load(), r.Troubles, b)
	}
}

func TestLostClientsAreCounted(t *testing.T) {
	f := &fake{life: 150 * time.Millisecond}
	r := run(t, f.start(t))
	if r.Lost.Load() != 40 || r.Subscribed.Load() != 40 || r.Troubles["a stream was ended by the server"] != 40 {
		t.Errorf("lost %d, troubles %v", r.Lost.Load(), r.Troubles)
	}
}

func TestNobodyIsThere(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(ln.Addr().String())
	ln.Close()
	r := run(t, Config{Subscribe: addr, Publish: addr, Loads: []Load{{Conns: 5, Publishers: 1}}, Duration: 20 * time.Millisecond})
	if r.Failed.Load() != 5 || r.Troubles["a client was reset before it was subscribed"] != 5 {
		t.Errorf("failed %d, troubles %v", r.Failed.Load(), r.Troubles)
	}
}

// broken runs a few clients against a backend that misbehaves, and gives the result.
func broken(t *testing.T, cfg Config) *Result {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- origin.New(origin.Config{}).Serve(ctx, ln) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	cfg.Subscribe = netip.MustParseAddrPort(ln.Addr().String())
	cfg.Publish = cfg.Subscribe
	cfg.ConnectWait, cfg.Settle, cfg.Duration, cfg.Grace = time.Second, time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	return run(t, cfg)
}

// trouble is the kinds of trouble of a run in one string.
func trouble(r *Result) (all string) {
	for kind := range r.Troubles {
		all += kind + "\n"
	}
	return all
}

func TestClientsOfABrokenServer(t *testing.T) {
	f := func(path, want string, failed, lost int64) {
		t.Helper()
		r := broken(t, Config{SubscribePath: path + "k={key}", Loads: []Load{{Conns: 4}}})
		if r.Failed.Load() != failed || r.Lost.Load() != lost || !strings.Contains(trouble(r), want) || want == "" && trouble(r) != "" {
			t.Errorf("%s: failed %d, lost %d, trouble %q", path, r.Failed.Load(), r.Lost.Load(), trouble(r))
		}
	}
	f("/sse?", "", 0, 0)
	f("/page?", "a stream was ended", 0, 4)
	f("/fault/refuse?", "closed by the server before", 4, 0)
	f("/fault/garbage?", "protocol: ", 4, 0)
	f("/fault/reset-headers?", "reset before", 4, 0)
	f("/fault/reset-body?", "reset while", 0, 4)
	f("/fault/stall?", "left without answer", 4, 0)
	f("/fault/until-close?", "closed by the server while", 0, 4)
	f("/fault/chunked?", "a stream was ended", 0, 4)
	f("/nothing?", "status 404", 4, 0)
}

func TestPublishersOfABrokenServer(t *testing.T) {
	f := func(path string, status int, want string) {
		t.Helper()
		r := broken(t, Config{SubscribePath: "/sse?k={key}", PublishPath: path + "k={key}", Loads: []Load{{Conns: 4, Publishers: 1, Rate: 50}}})
		l := r.Loads[0]
		if (status > 0) != (l.Status[status] > 0) || status == 0 && l.Unanswered == 0 || !strings.Contains(trouble(r), want) {
			t.Errorf("%s: %v, unanswered %d, trouble %q", path, l.Status, l.Unanswered, trouble(r))
		}
	}
	f("/echo?", 200, "")
	f("/fault/100?", 200, "")
	f("/fault/until-close?", 200, "")
	f("/fault/early?", 413, "")
	f("/fault/refuse?", 0, "a publisher was ")
	f("/fault/garbage?", 0, "protocol: ")
	f("/fault/reset-body?", 0, "a publisher was reset")
}

// A server may not make a client keep a message without end, in any form.
func TestMessageWithoutEnd(t *testing.T) {
	for i := range forms[:WebSocket] {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			defer nc.Close()
			_, err = io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ndata: ")
			for err == nil {
				_, err = io.WriteString(nc, strings.Repeat("x", 10_000))
			}
		}()
		r := run(t, Config{Subscribe: netip.MustParseAddrPort(ln.Addr().String()), Form: Form(i), Loads: []Load{{Conns: 1}}, Duration: 200 * time.Millisecond})
		ln.Close()
		// Raw bytes are messages whatever they are.
		if want := int64(1); Form(i) != Raw && (r.Lost.Load() != want || !strings.Contains(trouble(r), "protocol: ")) {
			t.Errorf("%v: lost %d, trouble %q", Form(i), r.Lost.Load(), trouble(r))
		}
	}
}

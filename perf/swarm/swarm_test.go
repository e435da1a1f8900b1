package swarm

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// run runs, checks that every push is accounted for exactly once, and returns what was found.
func run(t *testing.T, cfg Config) *Result {
	t.Helper()
	r, err := Run(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("trouble: %q", r.Trouble)
	total := int64(0)
	if cfg.Rate > 0 && r.Subscribed.Load() > 0 {
		total = int64(float64(cfg.Rate) * cfg.Duration.Seconds())
	}
	if r.Sent.Load()+r.Unsent != total {
		t.Errorf("%d sent and %d unsent of %d", r.Sent.Load(), r.Unsent, total)
	}
	if r.Answer.Count != total || r.Late.Count != r.Sent.Load() {
		t.Errorf("answers: %d of %d; sendings: %d of %d", r.Answer.Count, total, r.Late.Count, r.Sent.Load())
	}
	if r.Accepted.Load()+r.Refused.Load()+r.Unanswered.Load() > r.Sent.Load() {
		t.Errorf("%d accepted, %d refused, %d unanswered of %d", r.Accepted.Load(), r.Refused.Load(), r.Unanswered.Load(), r.Sent.Load())
	}
	if got := r.Deliver.Count - r.Deliver.Unfinished; got != r.Received.Load() {
		t.Errorf("%d latencies of %d messages", got, r.Received.Load())
	}
	if r.Connect.Count != r.Subscribed.Load() || r.Subscribed.Load()+r.Failed.Load() != int64(cfg.Conns) {
		t.Errorf("%d subscribed, %d failed, %d timed of %d", r.Subscribed.Load(), r.Failed.Load(), r.Connect.Count, cfg.Conns)
	}
	return r
}

// want compares the counts that a fault shows in.
func want(t *testing.T, r *Result, received, missing, refused, duplicates int64) {
	t.Helper()
	if r.Received.Load() != received || r.Missing != missing || r.Refused.Load() != refused || r.Duplicates.Load() != duplicates {
		t.Errorf("received %d missing %d refused %d duplicates %d, want %d %d %d %d",
			r.Received.Load(), r.Missing, r.Refused.Load(), r.Duplicates.Load(), received, missing, refused, duplicates)
	}
}

func TestEveryPushIsDelivered(t *testing.T) {
	for name, f := range map[string]*fake{"whole": {}, "large": {}, "byte by byte": {bytes: true}, "close after each push": {closing: true}} {
		t.Run(name, func(t *testing.T) {
			cfg := f.start(t)
			if name == "large" { // longer than one read, so lines are cut
				cfg.Size, cfg.Rate = 100_000, 100
			}
			r := run(t, cfg)
			total := int64(cfg.Rate) * 3 / 10
			want(t, r, total, 0, 0, 0)
			f.mu.Lock()
			defer f.mu.Unlock()
			if r.Status[200] != int(total) || r.Lost.Load() != 0 || f.joined != 40 || f.subs["load-0"] == nil || f.subs["load-39"] == nil {
				t.Errorf("status %v, lost %d, joined %d", r.Status, r.Lost.Load(), f.joined)
			}
		})
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
	cfg.Duration, cfg.Grace = 500*time.Millisecond, 2*time.Second
	r := run(t, cfg)
	want(t, r, 500, 0, 0, 0)
	if p90, _ := r.Deliver.Quantile(0.9); p90 < 60*time.Millisecond {
		t.Errorf("p90 = %v, but two pushes in five met a stall of 200 ms", p90)
	}
	if r.Late.Max < 100*time.Millisecond {
		t.Errorf("the tool sent at most %v late with all publishers waiting", r.Late.Max)
	}
}

// Publishers that never come free leave pushes unsent; they count as waiting, not as absent.
func TestDeadServerLeavesPushesUnsent(t *testing.T) {
	hold := make(chan struct{})
	f := &fake{before: func(int) { <-hold }}
	cfg := f.start(t)
	cfg.Grace = 100 * time.Millisecond
	r := run(t, cfg)
	close(hold)
	want(t, r, 0, 0, 0, 0)
	if r.Sent.Load() != 8 || r.Unsent != 292 || r.Deliver.Unfinished != 300 || r.Answer.Unfinished != 300 {
		t.Errorf("sent %d unsent %d, unfinished deliveries %d answers %d", r.Sent.Load(), r.Unsent, r.Deliver.Unfinished, r.Answer.Unfinished)
	}
}

func TestFaultsOfTheServerAreCounted(t *testing.T) {
	f := func(name string, f *fake, received, missing, refused, duplicates int64) {
		t.Run(name, func(t *testing.T) {
			cfg := f.start(t)
			cfg.Grace = 500 * time.Millisecond // what is missing is waited for
			want(t, run(t, cfg), received, missing, refused, duplicates)
		})
	}
	tenth := func(n int, yes, no []string) []string {
		if n%10 == 0 {
			return yes
		}
		return no
	}
	f("lies", &fake{
		deliver: func(n int, key string) []string { return tenth(n, nil, []string{key}) },
		answer:  func(int) int { return 202 },
	}, 270, 30, 0, 0)
	f("repeats itself", &fake{
		deliver: func(n int, key string) []string { return tenth(n, []string{key, key}, []string{key}) },
	}, 300, 0, 0, 30)
	f("delivers to another", &fake{
		deliver: func(n int, key string) []string { return tenth(n, []string{other(key)}, []string{key}) },
	}, 270, 30, 0, 30)
	f("refuses", &fake{
		deliver: func(n int, key string) []string { return tenth(n, nil, []string{key}) },
	}, 270, 0, 30, 0)
	f("delivers and says no", &fake{answer: func(int) int { return 503 }}, 300, 0, 300, 0)
}

// other is a key whose client is another one: of the same loop, for they take turns.
func other(key string) string {
	if key == "load-2" {
		return "load-4"
	}
	return "load-2"
}

func TestUnansweredPushes(t *testing.T) {
	f := &fake{answer: func(n int) int {
		if n < 5 {
			return 0
		}
		return 200
	}}
	cfg := f.start(t)
	r := run(t, cfg)
	if r.Unanswered.Load() != 5 || r.Answer.Unfinished != 5 || r.Received.Load() != 300 || !strings.Contains(r.Trouble, "a push got no answer") {
		t.Errorf("unanswered %d, received %d, trouble %q", r.Unanswered.Load(), r.Received.Load(), r.Trouble)
	}
}

func TestClientsThatAreNotAdmitted(t *testing.T) {
	f := &fake{admit: func(key string) int {
		if strings.HasSuffix(key, "7") {
			return 403
		}
		return 200
	}}
	r := run(t, f.start(t))
	want(t, r, 300, 0, 0, 0) // pushes go to those who are there
	if r.Failed.Load() != 4 || !strings.Contains(r.Trouble, "403") {
		t.Errorf("failed %d, trouble %q", r.Failed.Load(), r.Trouble)
	}
}

func TestNobodyIsThere(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(ln.Addr().String())
	ln.Close()
	r := run(t, Config{Subscribe: addr, Publish: addr, Conns: 5, Rate: 10, Duration: 20 * time.Millisecond})
	if r.Failed.Load() != 5 || r.Trouble == "" || r.Deliver.Count != 0 {
		t.Errorf("failed %d, trouble %q", r.Failed.Load(), r.Trouble)
	}
}

func TestSilentServerFailsItsClients(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r := run(t, Config{Subscribe: netip.MustParseAddrPort(ln.Addr().String()), Conns: 3, ConnectWait: 50 * time.Millisecond, Duration: time.Millisecond})
	if r.Failed.Load() != 3 || !strings.Contains(r.Trouble, "timeout") {
		t.Errorf("failed %d, trouble %q", r.Failed.Load(), r.Trouble)
	}
}

func TestLostClientsAreCounted(t *testing.T) {
	f := &fake{life: 50 * time.Millisecond}
	cfg := f.start(t)
	cfg.Rate = 0
	r := run(t, cfg)
	if r.Lost.Load() != 40 || r.Subscribed.Load() != 40 {
		t.Errorf("lost %d of %d", r.Lost.Load(), r.Subscribed.Load())
	}
}

func TestHoldSendsNothing(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	cfg.Rate, cfg.Duration = 0, 100*time.Millisecond
	begun := time.Now()
	r := run(t, cfg)
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := time.Since(begun); d < 100*time.Millisecond || f.pushes != 0 || r.Lost.Load() != 0 {
		t.Errorf("%v, %d pushes, %d lost", d, f.pushes, r.Lost.Load())
	}
}

func TestClientsKeepToTheirRate(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	cfg.ConnectRate, cfg.Rate, cfg.Duration = 200, 0, time.Millisecond
	begun := time.Now()
	run(t, cfg)
	if d := time.Since(begun); d < 190*time.Millisecond {
		t.Errorf("40 clients at 200 per second in %v", d)
	}
}

func TestSourcesTakeTurns(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	cfg.Sources = []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")}
	cfg.Rate, cfg.Duration, cfg.Loops = 0, time.Millisecond, 1
	run(t, cfg)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.peers) != 2 || !f.peers["127.0.0.2"] || !f.peers["127.0.0.3"] {
		t.Errorf("clients came from %v", f.peers)
	}
}

// An exact worker is late by less than the loop's wait could make it; how much less is the machine's affair.
func TestExactSendsOnTime(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	cfg.Exact, cfg.Loops, cfg.Rate = true, 1, 500
	var p50 time.Duration
	for range 3 { // on a busy machine the worker may not get its CPU
		r := run(t, cfg)
		want(t, r, 150, 0, 0, 0)
		if p50, _ = r.Late.Quantile(0.5); p50 < 300*time.Microsecond {
			return
		}
	}
	t.Errorf("half of the pushes were more than %v late", p50)
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
		if d := time.Since(begun); d > after+2*time.Second {
			t.Errorf("stopped after %v, it took %v", after, d)
		}
		if r.Deliver.Count > 600 || r.Counts != counts {
			t.Errorf("%d pushes counted in %v", r.Deliver.Count, after)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	addr := netip.MustParseAddrPort("127.0.0.1:1")
	f := func(cfg Config, want string) {
		t.Helper()
		if _, err := Run(t.Context(), cfg, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(Config{}, "no address to subscribe at")
	f(Config{Subscribe: addr, Rate: 1}, "no address to publish at")
	f(Config{Subscribe: addr, Publish: addr, Rate: -1}, "negative")
	f(Config{Subscribe: addr, Publish: addr, Rate: 1 << 30, Duration: time.Hour}, "pushes in one run")
	f(Config{Subscribe: addr, Size: 1 << 20}, "messages of more than")
	f(Config{Subscribe: addr, Conns: 1 << 40}, "open files")
}

func TestStamps(t *testing.T) {
	for _, n := range []uint64{0, 1, 255, 1 << 40, 1<<64 - 1} {
		line := "data: " + string(appendStamp(nil, n)) + string(padding(30))
		if got, ok := stamped([]byte(line)); !ok || got != n || len(line) != 6+30 {
			t.Errorf("%d came back as %d, %v from %q", n, got, ok, line)
		}
	}
	for _, line := range []string{"", "data: ", "data: load-1", "data: hf:123", "data: hf:zzzzzzzzzzzzzzzz", "event: hf:0000000000000000", ": hf:0000000000000000...."} {
		if n, ok := stamped([]byte(line)); ok {
			t.Errorf("%q is read as stamp %d", line, n)
		}
	}
}

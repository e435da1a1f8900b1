package compare

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/perf/hist"
)

// relay is a fake that holds one subscriber and gives it each push. It may stall once.
type relay struct {
	held    atomic.Pointer[net.Conn]
	pushes  atomic.Int64
	stallAt int64
	stall   time.Duration
}

func (f *relay) answer(c net.Conn, r *http.Request) {
	if r.Method == "GET" {
		io.WriteString(c, streamHead)
		f.held.Store(&c)
		return
	}
	if f.pushes.Add(1) == f.stallAt {
		time.Sleep(f.stall)
	}
	io.WriteString(*f.held.Load(), "data: ~\n\n")
	io.WriteString(c, accepted)
}

// linked is a side with one subscriber and some callers.
func (f *relay) linked(t *testing.T, callers int) side {
	t.Helper()
	s := (&fake{answer: f.answer}).start(t)
	crowd, err := joined(t.Context(), s, 1, ownKey)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(crowd.leave)
	calls, err := call(s, callers, 30)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(calls.hangUp)
	if !eventually(func() bool { return f.held.Load() != nil }) {
		t.Fatal("the subscriber is not held")
	}
	return side{crowd, calls}
}

// Every push of the closed loop is answered, read and counted, across its pauses for reading.
func TestClosedLoop(t *testing.T) {
	f := new(relay)
	for _, sleeps := range []bool{false, true} {
		d := f.linked(t, 3).closedLoop(1, sleeps)
		if err := d.drive(t.Context(), 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if d.sent <= unread || d.answered != d.sent || d.latency.Count() != int64(d.sent) || d.took < 50*time.Millisecond {
			t.Errorf("%d sent, %d answered, %d counted in %v", d.sent, d.answered, d.latency.Count(), d.took)
		}
	}
}

// A stall makes those late that were due meanwhile, not only the one that met it: they count from when they were due.
func TestOpenLoopCountsFromWhenDue(t *testing.T) {
	const stall = 200 * time.Millisecond
	f := &relay{stallAt: 20, stall: stall}
	s := f.linked(t, 2) // one line is the fan-outs'
	p := &openLoop{callers: s.callers, holders: 1, latency: hist.New(0)}
	if err := p.drive(t.Context(), 0, 500*time.Millisecond, 200); err != nil {
		t.Fatal(err)
	}
	if p.sent < 90 || p.sent > 101 || p.latency.Count() != int64(p.sent) {
		t.Errorf("%d sent in half a second at 200 per second, %d counted", p.sent, p.latency.Count())
	}
	sum := p.latency.Summary()
	// 40 of 100 were due during the stall, evenly spread over it.
	if p90, ok := sum.Quantile(0.9); !ok || p90 < stall/2 || sum.Max < stall {
		t.Errorf("p90 %v, max %v", p90, sum.Max)
	}
	if err := s.crowd.readAll(p.sent); err != nil {
		t.Error(err)
	}
}

// Fan-outs follow one another while probes go on, and the loop ends with the last answer to either.
func TestOpenLoopBesideFanouts(t *testing.T) {
	f := new(relay)
	s := f.linked(t, 3)
	p := &openLoop{callers: s.callers, holders: 1, sleeps: true, latency: hist.New(0)}
	if err := p.drive(t.Context(), 300, 0, 1000); err != nil {
		t.Fatal(err)
	}
	if got := f.pushes.Load(); got != int64(300+p.sent) || p.elapsed <= 0 || len(p.free) != 2 {
		t.Errorf("%d pushes, %d probes, last fan-out after %v, %d lines free", got, p.sent, p.elapsed, len(p.free))
	}
	if err := s.crowd.readAll(300 + p.sent); err != nil {
		t.Error(err)
	}
}

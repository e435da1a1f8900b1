package compare

import (
	"io"
	"strings"
	"testing"
	"time"

	"holdfast/perf/hist"
)

// pacer pushes to the one key of a relay.
func (f *relay) pacer(t *testing.T) *pacer {
	s := f.linked(t, 3)
	return &pacer{callers: s.callers, crowd: s.crowd, key: ownKey, keys: 1, due: make([]int64, 1), answer: hist.New(0), arrival: hist.New(0)}
}

// Each push is timed twice, to its verdict and to its arrival.
func TestPacerTimesVerdictsAndArrivals(t *testing.T) {
	for _, sleeps := range []bool{false, true} {
		p := new(relay).pacer(t)
		p.sleeps = sleeps
		if err := p.drive(t.Context(), 200*time.Millisecond, 100); err != nil {
			t.Fatal(err)
		}
		if p.sent != 20 || p.pushed != 20 || p.answer.Count() != 20 || p.arrival.Count() != 20 || p.missing != 0 {
			t.Errorf("%d sent of 20, %d answered, %d arrived", p.sent, p.answer.Count(), p.arrival.Count())
		}
	}
}

// Without a crowd to watch, arrivals are left for later.
func TestPacerThatWatchesNobody(t *testing.T) {
	p := new(relay).pacer(t)
	crowd := p.crowd
	p.crowd = nil
	if err := p.drive(t.Context(), 100*time.Millisecond, 100); err != nil {
		t.Fatal(err)
	}
	if p.answer.Count() != 10 || p.arrival.Count() != 0 {
		t.Errorf("%d answered, %d arrived", p.answer.Count(), p.arrival.Count())
	}
	if err := crowd.readAll(10); err != nil {
		t.Error(err)
	}
}

// A stall makes those late too that were due meanwhile: to their verdict and to their arrival.
func TestPacerCountsFromWhenDue(t *testing.T) {
	const stall = 200 * time.Millisecond
	f := &relay{stallAt: 10, stall: stall}
	p := f.pacer(t)
	if err := p.drive(t.Context(), 400*time.Millisecond, 100); err != nil {
		t.Fatal(err)
	}
	for _, of := range []*hist.Recorder{p.answer, p.arrival} {
		sum := of.Summary() // half of all were due during the stall
		if p90, ok := sum.Quantile(0.9); !ok || p90 < stall/2 || of.Count() != 40 {
			t.Errorf("p90 %v of %d", p90, of.Count())
		}
	}
}

// Messages beyond those that were pushed are an error: a server that sends twice must not look fast.
func TestPacerRefusesWhatNobodyPushed(t *testing.T) {
	f := new(relay)
	p := f.pacer(t)
	io.WriteString(*f.held.Load(), "data: ~\n\n")
	time.Sleep(20 * time.Millisecond)
	if err := p.drive(t.Context(), 100*time.Millisecond, 1); err == nil || !strings.Contains(err.Error(), "no push") {
		t.Error(err)
	}
	(*f.held.Load()).Close()
	before := f.held.Load()
	lost := f.pacer(t)
	for f.held.Load() == before { // its subscriber's connection, not the one before
		time.Sleep(time.Millisecond)
	}
	(*f.held.Load()).Close()
	time.Sleep(20 * time.Millisecond)
	if err := lost.drive(t.Context(), 100*time.Millisecond, 100); err == nil {
		t.Error("nobody noticed that the subscriber is gone")
	}
}

// Scattered keys come each once before any comes again, and neighbours in time are none in the table.
func TestScattered(t *testing.T) {
	for _, n := range []int{1, 2, 60, 18_000, 36_000, stride, 2 * stride} {
		seen := make([]bool, n)
		for i := range n {
			at := scattered(i, n)
			if seen[at] || at != scattered(i+n, n) {
				t.Fatalf("%d of %d: %d comes again too early, or not in time", i, n, at)
			}
			seen[at] = true
		}
	}
	if near := scattered(1, 18_000) - scattered(0, 18_000); near < 1000 {
		t.Errorf("the next key is only %d away", near)
	}
}

func TestAddedLatency(t *testing.T) {
	of := func(ms ...int64) *hist.Recorder {
		h := hist.New(0)
		for _, v := range ms {
			h.Record(0, v*int64(time.Millisecond))
		}
		return h
	}
	r := &clusterRun{run: new(run)}
	r.putAdded(addedAnswer50, of(5, 5, 9), of(2, 2, 2), 0.5)
	r.putAdded(addedAnswer50, of(5, 5, 9), of(6, 6, 6), 0.5)
	r.putAdded(addedAnswer99, of(5, 5, 9), of(2, 2, 2), 0.99) // too few to tell
	got := find(r.figures, addedAnswer50, remoteWay)
	if got == nil || len(got.Rounds) != 2 || got.Rounds[0] < 2.9 || got.Rounds[0] > 3.1 || got.Rounds[1] > -0.9 || len(r.figures) != 1 {
		t.Errorf("%+v", r.figures)
	}
}

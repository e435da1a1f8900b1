package hist

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const (
	ms  = int64(time.Millisecond)
	sec = int64(time.Second)
)

// A server that answers in 1 ms, but for a stall of 1 s in a run of 10 s, at 100 requests per second from a sender that
// has one outstanding request. Measured from the actual sending, one request in 900 looks slow; in truth a tenth of all
// users waited up to a second.
func TestStallIsNotHidden(t *testing.T) {
	plan := Every(0, 100, time.Second)
	honest, naive := New(0), New(0)
	free := int64(0)
	for i := range int64(1000) {
		sent := max(plan.At(i), free)
		done := sent + ms
		if sent < 5*sec && done >= 5*sec-10*ms {
			done = 6 * sec
		}
		free = done
		honest.Record(plan.At(i), done)
		naive.Record(sent, done)
	}
	h, n := honest.Summary(), naive.Summary()
	p99 := func(s Summary) time.Duration { v, _ := s.Quantile(0.99); return v }
	if got := p99(n); got > 2*time.Millisecond {
		t.Fatalf("naive p99 = %v: the model does not hide the stall as it should", got)
	}
	if got := p99(h); got < 850*time.Millisecond || got > 1010*time.Millisecond {
		t.Errorf("p99 = %v, want about 0.9 s", got)
	}
	if got, _ := h.Quantile(0.9); got < 5*time.Millisecond || got > 200*time.Millisecond {
		t.Errorf("p90 = %v: about a tenth of the requests met the stall", got)
	}
}

func TestRecordBounds(t *testing.T) {
	f := func(name string, intended, done int64, wantMin, wantMax time.Duration, clamped int64) {
		t.Helper()
		r := New(0)
		r.Record(intended, done)
		s := r.Summary()
		if s.Count != 1 || s.Min != wantMin || s.Max != wantMax || s.Clamped != clamped {
			t.Errorf("%s: %+v", name, s)
		}
	}
	f("exact", 5*sec, 5*sec+1_234_567, 1_234_567, 1_234_567, 0)
	f("early", 5*sec, 5*sec-1, 0, 0, 0)
	f("none", 7, 7, 0, 0, 0)
	f("largest", 0, int64(Highest), Highest, Highest, 0)
	f("too large", 0, int64(Highest)+1, Highest, Highest, 1)
}

func TestAbandonCountsAsWaited(t *testing.T) {
	r := New(0)
	for i := range int64(99) {
		r.Record(i*ms, i*ms+ms)
	}
	r.Abandon(0, 30*sec)
	s := r.Summary()
	if s.Count != 100 || s.Unfinished != 1 || s.Max != 30*time.Second {
		t.Errorf("count %d unfinished %d max %v", s.Count, s.Unfinished, s.Max)
	}
	if len(s.Points) != 1 || s.Points[0].Count != 99 || s.Points[0].Max != time.Millisecond {
		t.Errorf("an unfinished request is on the time axis: %+v", s.Points)
	}
}

func TestSummaryOfNothing(t *testing.T) {
	s := New(5).Summary()
	if s.Count != 0 || s.Quantiles != nil || s.Curve != nil || s.Points != nil || s.Max != 0 {
		t.Errorf("%+v", s)
	}
	if _, ok := s.Quantile(0.5); ok {
		t.Error("nothing has a median")
	}
}

// Quantiles agree with a sorted list to the histogram's 0.1 %.
func TestQuantilesAgreeWithSorting(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	r, all := New(0), make([]int64, 20_000)
	for i := range all {
		all[i] = int64(float64(ms) * (1 + rnd.ExpFloat64()*rnd.ExpFloat64()*20))
		r.Record(0, all[i])
	}
	slices.Sort(all)
	s := r.Summary()
	for _, q := range append(s.Quantiles, s.Curve...) {
		want := float64(all[max(0, min(len(all)-1, int(q.Q*float64(len(all))+0.5)-1))])
		if got := float64(q.Value); got < want*0.998 || got > want*1.002 {
			t.Errorf("q %.5f = %v, want %v", q.Q, q.Value, time.Duration(want))
		}
	}
	if len(s.Quantiles) != len(Marks) {
		t.Errorf("%d quantiles of 20,000 latencies", len(s.Quantiles))
	}
	if last := s.Curve[len(s.Curve)-1]; last.Q != 1 || last.Value != s.Max || int64(s.Max) != all[len(all)-1] {
		t.Errorf("the curve ends in %+v, max %v", last, s.Max)
	}
}

func TestRateCountsAnswersOnly(t *testing.T) {
	r := New(sec)
	for i := range int64(100) {
		r.Record(sec, sec+(i+1)*20*ms)
	}
	r.Abandon(sec, 60*sec)
	if s := r.Summary(); s.Elapsed != 2*time.Second || s.Rate() != 50 {
		t.Errorf("%v/s over %v, want 50/s over 2 s", s.Rate(), s.Elapsed)
	}
	if s := New(0).Summary(); s.Rate() != 0 {
		t.Errorf("nothing at %v/s", s.Rate())
	}
}

func TestSupported(t *testing.T) {
	f := func(q float64, count int64, want bool) {
		t.Helper()
		if got := Supported(q, count); got != want {
			t.Errorf("Supported(%v, %d) = %v", q, count, got)
		}
	}
	f(0.5, 1, false)
	f(0.5, 2, true)
	f(0.99, 99, false)
	f(0.99, 100, true)
	f(0.9999, 9999, false)
	f(0.9999, 10_000, true)
	f(1, 1<<60, false)
}

// Many recorders merged, in any order and with different lengths of run, are one recorder that saw everything.
func TestMergeEqualsOneRecorder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for round := range 6 {
		whole := New(9)
		parts := []*Recorder{New(9), New(9), New(9), New(9)}
		spans := []int64{3, 50, maxIntervals * 3, 0}
		type event struct{ done, ns int64 }
		var events []event
		for range 500 {
			part := rnd.IntN(3)
			e := event{9 + rnd.Int64N(spans[part]*sec), rnd.Int64N(40 * ms)}
			events = append(events, e)
		}
		slices.SortFunc(events, func(a, b event) int { return int(a.done - b.done) })
		for i, e := range events {
			whole.Record(e.done-e.ns, e.done)
			parts[(i*7+round)%3].Record(e.done-e.ns, e.done)
		}
		rnd.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		sum := New(9)
		for _, p := range parts {
			if err := sum.Merge(p); err != nil {
				t.Fatal(err)
			}
		}
		a, b := whole.Summary(), sum.Summary()
		if a.Count != b.Count || a.Min != b.Min || a.Max != b.Max || a.Mean != b.Mean || a.Elapsed != b.Elapsed || a.Interval != b.Interval ||
			!slices.Equal(a.Quantiles, b.Quantiles) || !slices.Equal(a.Curve, b.Curve) || !slices.Equal(a.Points, b.Points) {
			t.Fatalf("round %d: merged differs:\n%+v\n%+v", round, a, b)
		}
	}
}

func TestMergeRefusesAnotherTimeAxis(t *testing.T) {
	a, b := New(1), New(2)
	b.Record(2, 3)
	if err := a.Merge(b); err == nil || a.Count() != 0 {
		t.Errorf("merged: %v, count %d", err, a.Count())
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	r, i := New(0), int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		i++
		r.Record(i, i+i*1000)
		r.Abandon(i, i+5)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	r, i := New(0), int64(0)
	b.ReportAllocs()
	for b.Loop() {
		i += 1000
		r.Record(i-i%ms, i)
	}
}

package hist

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestPointsOverTime(t *testing.T) {
	r := New(100 * sec)
	for i := range int64(100) {
		r.Record(100*sec+i*ms, 100*sec+i*ms+2*ms)
	}
	r.Record(100*sec, 103*sec+500*ms) // nothing was done in seconds 1 and 2
	want := []Point{
		{At: 0, Count: 100, P50: 2 * time.Millisecond, P99: 2 * time.Millisecond, Max: 2 * time.Millisecond},
		{At: 1 * time.Second},
		{At: 2 * time.Second},
		{At: 3 * time.Second, Count: 1, P50: 3500 * time.Millisecond, P99: 3500 * time.Millisecond, Max: 3500 * time.Millisecond},
	}
	s := r.Summary()
	if !slices.Equal(s.Points, want) || s.Interval != time.Second {
		t.Errorf("every %v: %+v", s.Interval, s.Points)
	}
}

// What is reported late belongs to the interval in progress: time does not go back, and nothing is lost.
func TestLateRecordStaysInProgress(t *testing.T) {
	r := New(0)
	r.Record(0, 5*sec)
	r.Record(0, 2*sec)
	r.Record(0, -1)
	s := r.Summary()
	if len(s.Points) != 6 || s.Points[5].Count != 3 {
		t.Errorf("%+v", s.Points)
	}
}

// However long the run, the series is bounded, wide enough, and no latency gets lost or misplaced.
func TestLongRunGetsWiderIntervals(t *testing.T) {
	r := New(0)
	const seconds = maxIntervals*4 + 5
	for i := range int64(seconds) {
		r.Record(i*sec, i*sec+ms)
	}
	s := r.Summary()
	if s.Interval != 8*time.Second || len(s.Points) != maxIntervals/2+1 {
		t.Fatalf("%d intervals of %v", len(s.Points), s.Interval)
	}
	for i, p := range s.Points[:len(s.Points)-1] {
		if p.Count != 8 || p.At != time.Duration(i)*8*time.Second {
			t.Fatalf("interval %d: %+v", i, p)
		}
	}
	if last := s.Points[len(s.Points)-1]; last.Count != 5 {
		t.Errorf("last: %+v", last)
	}
}

// A clock that leaps must not cost unbounded work or memory.
func TestLeapOfTheClock(t *testing.T) {
	r := New(0)
	r.Record(0, int64(100*365*24)*3600*sec/4)
	if n := len(r.Summary().Points); n > maxIntervals+1 {
		t.Errorf("%d intervals", n)
	}
}

// A sparse interval answers like a sorted list, within its 1 %, and adding is the same as recording together.
func TestIntervalQuantiles(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		a, b := newSeries(), newSeries()
		all := make([]int64, 1+rnd.IntN(300))
		for i := range all {
			all[i] = 1000 + rnd.Int64N(int64(time.Minute))>>rnd.IntN(30)
			s := &a
			if rnd.IntN(2) == 0 {
				s = &b
			}
			s.record(0, all[i])
		}
		slices.Sort(all)
		sum := a.progress().plus(b.progress())
		if sum.count() != int64(len(all)) || sum.max != all[len(all)-1] {
			t.Fatalf("count %d max %d, want %d %d", sum.count(), sum.max, len(all), all[len(all)-1])
		}
		if !slices.IsSortedFunc(sum.bars, func(x, y bar) int { return int(x.value - y.value) }) {
			t.Fatal("bars are not in order")
		}
		for _, q := range []float64{0.01, 0.5, 0.99, 1} {
			want := float64(all[max(0, int(q*float64(len(all))+0.5)-1)])
			if got := float64(sum.quantile(q)); got < want*0.98-1000 || got > want*1.02+1000 {
				t.Fatalf("q %v = %v, want %v", q, got, want)
			}
		}
	}
}

package model

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestBinomialHasItsMeanAndVariance(t *testing.T) {
	f := func(n int64, p float64) {
		t.Helper()
		r, sum, squares := newChance(7), 0.0, 0.0
		const draws = 20_000
		for range draws {
			k := r.binomial(n, p)
			if k < 0 || k > n {
				t.Fatalf("%d of %d", k, n)
			}
			sum, squares = sum+float64(k), squares+float64(k)*float64(k)
		}
		mean, variance := sum/draws, squares/draws-sum/draws*sum/draws
		wantMean, want := float64(n)*p, float64(n)*p*(1-p)
		if math.Abs(mean-wantMean) > 5*math.Sqrt(want/draws)+1e-9 || math.Abs(variance-want) > 0.06*want+1e-9 {
			t.Errorf("%d × %g: mean %.3f variance %.3f, want %.3f and %.3f", n, p, mean, variance, wantMean, want)
		}
	}
	f(1, 0.3)
	f(10, 0.5)
	f(10, 0.97)
	f(100_000, 0.00005)
	f(100_000_000, 1e-7) // counted one by one
	f(1000, 0.4)         // by the normal law
	f(100_000_000, 0.1)
	f(5, 0)
	f(5, 1)
	f(0, 0.5)
}

// Whatever is scattered arrives, and every place is as likely.
func TestScatterLosesNothing(t *testing.T) {
	f := func(n int64, places int) {
		t.Helper()
		got := make([]int64, places)
		newChance(3).scatter(n, places, func(i int, n int64) { got[i] += n })
		var sum int64
		for _, k := range got {
			sum += k
		}
		if sum != n {
			t.Errorf("%d into %d places: %d arrived", n, places, sum)
		}
		mean := float64(n) / float64(places)
		if most := slices.Max(got); float64(most) > mean+6*math.Sqrt(mean)+3 {
			t.Errorf("%d into %d places: %d in one", n, places, most)
		}
	}
	f(0, 10)
	f(1, 1)
	f(3, 1000)
	f(1000, 1000)
	f(1_000_000, 7)
	f(99_999_999, 1000)
}

func TestTakeKeepsProportions(t *testing.T) {
	f := func(from []int64, limit int64, want ...int64) {
		t.Helper()
		left, got := slices.Clone(from), make([]int64, len(from))
		take(left, limit, got)
		if !slices.Equal(got, want) {
			t.Errorf("%v of %v: %v, want %v", limit, from, got, want)
		}
		for i := range from {
			if left[i]+got[i] != from[i] || left[i] < 0 {
				t.Errorf("%v of %v: %v taken and %v left", limit, from, got, left)
			}
		}
	}
	f([]int64{10, 30}, 4, 1, 3)
	f([]int64{10, 30}, 100, 10, 30)
	f([]int64{10, 30}, 0, 0, 0)
	f([]int64{10, 30}, -5, 0, 0)
	f([]int64{0, 0}, 5, 0, 0)
	f([]int64{1, 1, 1}, 2, 1, 1, 0)
	f([]int64{0, 7, 0}, 3, 0, 3, 0)
	f([]int64{1, 1_000_000_000_000}, 1_000_000_000_000, 1, 999_999_999_999)
}

func FuzzTakeTakesTheLimit(f *testing.F) {
	f.Add(int64(1), int64(2), int64(3), int64(4))
	f.Add(int64(0), int64(0), int64(9), int64(9))
	f.Fuzz(func(t *testing.T, a, b, c, limit int64) {
		const most = 1 << 40
		from := []int64{max(a, 0) % most, max(b, 0) % most, max(c, 0) % most}
		sum, got := from[0]+from[1]+from[2], make([]int64, 3)
		limit %= most
		take(from, limit, got)
		if taken := got[0] + got[1] + got[2]; taken != max(0, min(limit, sum)) || slices.Min(got) < 0 || slices.Min(from) < 0 {
			t.Errorf("limit %d of %d: %v taken, %v left", limit, sum, got, from)
		}
	})
}

func TestCalendarKeepsOrder(t *testing.T) {
	r, c := newChance(5), calendar{}
	for range 2000 {
		c.add(time.Duration(r.IntN(50)), 0, nil)
	}
	last := event{at: -1}
	for range 2000 {
		e := c.next()
		if !last.before(&e) {
			t.Fatalf("%v/%d after %v/%d", e.at, e.seq, last.at, last.seq)
		}
		last = e
	}
	if len(c.heap) != 0 {
		t.Error("something is left")
	}
}

package report

import (
	"math"
	"slices"
	"testing"
	"time"
)

func names(a axis) (out []string) {
	for _, t := range a.ticks {
		if t.name != "" {
			out = append(out, t.name)
		}
	}
	return out
}

func TestAxisNames(t *testing.T) {
	f := func(a axis, want ...string) {
		t.Helper()
		if got := names(a); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	us, ms := float64(time.Microsecond), float64(time.Millisecond)
	f(latencyAxis(1.2*ms, 1.4*ms), "1 ms", "2 ms")
	f(latencyAxis(ms, ms), "1 ms", "2 ms")
	f(latencyAxis(210*us, 9*ms), "200 µs", "500 µs", "1 ms", "2 ms", "5 ms", "10 ms")
	f(latencyAxis(3*us, 3000*ms), "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s")
	f(latencyAxis(0, 0), "1 µs", "2 µs")
	f(percentileAxis(0), "0 %", "50 %", "90 %")
	f(percentileAxis(1000), "0 %", "50 %", "90 %", "99 %", "99.9 %")
	f(percentileAxis(1_500_000), "0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %")
	f(timeAxis(0), names(timeAxis(time.Second))...)
	f(timeAxis(time.Second), "0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1")
	f(timeAxis(60*time.Second), "0", "10", "20", "30", "40", "50", "60")
	f(timeAxis(25*time.Minute), "0", "5", "10", "15", "20", "25")
	f(timeAxis(24*time.Hour), "0", "5", "10", "15", "20")
	f(linearAxis(11000, 1, 5, ""), "0", "5,000", "10,000")
}

// Every tick lies on its axis, in order, and places grow with values.
func TestAxesAreMonotonic(t *testing.T) {
	var axes []axis
	for v := 1.0; v < 1e12; v *= 3.7 {
		axes = append(axes, latencyAxis(v, v*2), latencyAxis(v, v*1e4), linearAxis(v, 1, 5, ""),
			percentileAxis(int64(v)), timeAxis(time.Duration(v)))
	}
	for i, a := range axes {
		last := math.Inf(-1)
		for _, tk := range a.ticks {
			at := a.place(tk.at)
			if !(at > last) || at < 0 || at > 1.001 {
				t.Errorf("axis %d: tick %v at %v after %v", i, tk, at, last)
			}
			last = at
		}
		if len(a.ticks) < 1 || len(a.ticks) > 40 {
			t.Errorf("axis %d has %d ticks", i, len(a.ticks))
		}
	}
}

func TestRoundValues(t *testing.T) {
	f := func(v, down, up float64) {
		t.Helper()
		if d, u := roundDown(v), roundUp(v); math.Abs(d/down-1) > 1e-9 || math.Abs(u/up-1) > 1e-9 {
			t.Errorf("%v lies between %v and %v, want %v and %v", v, d, u, down, up)
		}
	}
	f(1, 1, 1)
	f(1.1, 1, 2)
	f(5, 5, 5)
	f(7, 5, 10)
	f(1000, 1000, 1000)
	f(999.9, 500, 1000)
	f(0.03, 0.02, 0.05)
}

func TestShortDurations(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := short(d); got != want {
			t.Errorf("%d ns = %q, want %q", d, got, want)
		}
	}
	f(0, "0 µs")
	f(1500*time.Nanosecond, "1.5 µs")
	f(99_949*time.Nanosecond, "99.9 µs")
	f(99_950*time.Nanosecond, "100 µs")
	f(999_499*time.Nanosecond, "999 µs")
	f(999_500*time.Nanosecond, "1 ms")
	f(12_340*time.Microsecond, "12.3 ms")
	f(999_499*time.Microsecond, "999 ms")
	f(999_500*time.Microsecond, "1 s")
	f(10*time.Minute, "600 s")
}

func TestThousands(t *testing.T) {
	f := func(n int64, want string) {
		t.Helper()
		if got := thousands(n); got != want {
			t.Errorf("%d = %q, want %q", n, got, want)
		}
	}
	f(0, "0")
	f(999, "999")
	f(1000, "1,000")
	f(1234567, "1,234,567")
	f(-1, "-1")
	f(-100, "-100")
	f(-123456, "-123,456")
	f(math.MaxInt64, "9,223,372,036,854,775,807")
}

func TestFigures(t *testing.T) {
	f := func(v float64, want string) {
		t.Helper()
		if got := figure(v); got != want {
			t.Errorf("%v = %q, want %q", v, got, want)
		}
	}
	f(0, "0")
	f(0.0123456, "0.0123")
	f(5.314, "5.31")
	f(163, "163")
	f(999.4, "999")
	f(11264.4, "11,264")
	f(-2.5, "-2.5")
	f(-12345, "-12,345")
}

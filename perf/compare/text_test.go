package compare

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func result() *Result {
	figures := []Figure{
		{"fan-out: CPU per delivery", "µs", "bare send", []float64{5, 6, 4}},
		{"fan-out: CPU per delivery", "µs", "holdfast", []float64{5.5, 6, 8}},
		{"one key: CPU per push", "µs", "holdfast", []float64{12, 12.5, 11}},
		{"one key: CPU per push", "µs", "nchan", []float64{24, 25, 22}},
		{"one key: pushes", "1/s", "holdfast", []float64{40_123}},
	}
	return &Result{Machine: "a machine", Setting: []string{"a load"}, Figures: figures, Ratios: ratios(figures), Notes: []string{"it was late"}}
}

const text = `a machine
a load

figure                     of           min  median    max
fan-out: CPU per delivery  bare send   4.00    5.00   6.00  µs
fan-out: CPU per delivery  holdfast    5.50    6.00   8.00  µs
one key: CPU per push      holdfast    11.0    12.0   12.5  µs
one key: CPU per push      nchan       22.0    24.0   25.0  µs
one key: pushes            holdfast   40123   40123  40123  1/s

ratio, round by round      of                      min  median    max
fan-out: CPU per delivery  holdfast / bare send   1.00    1.10   2.00  over the goal of 1.05
one key: CPU per push      holdfast / nchan      0.500   0.500  0.500  within the goal of 0.7

Note: it was late.
`

func TestText(t *testing.T) {
	var b strings.Builder
	if err := result().WriteText(&b); err != nil || b.String() != text {
		t.Errorf("%v\n%s", err, b.String())
	}
	if err := (&Result{}).WriteText(full{}); err == nil {
		t.Error("a failed write went unnoticed")
	}
}

// full refuses to take more.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestRatiosPairRounds(t *testing.T) {
	r := result().Ratios
	if len(r) != 2 || !slices.Equal(r[0].Rounds, []float64{1.1, 1, 2}) || r[0].Goal != 1.05 {
		t.Errorf("%+v", r)
	}
	if got := ratios(result().Figures[2:3]); got != nil {
		t.Errorf("a ratio of one server: %+v", got)
	}
}

func TestSpread(t *testing.T) {
	f := func(least, middle, greatest float64, values ...float64) {
		t.Helper()
		if a, b, c := spread(values); a != least || b != middle || c != greatest {
			t.Errorf("%v: %v %v %v", values, a, b, c)
		}
	}
	f(0, 0, 0)
	f(3, 3, 3, 3)
	f(1, 2, 3, 3, 1)
	f(1, 2, 9, 9, 1, 2)
	f(1, 3, 9, 9, 1, 2, 4)
}

func TestDigits(t *testing.T) {
	f := func(v float64, want string) {
		t.Helper()
		if got := digits(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	f(0, "0.00")
	f(0.01234, "0.0123")
	f(0.5, "0.500")
	f(0.9994, "0.999")
	f(0.9996, "1.00")
	f(1.234, "1.23")
	f(12.34, "12.3")
	f(99.94, "99.9")
	f(99.96, "100")
	f(123456.7, "123457")
}

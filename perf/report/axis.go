package report

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// axis maps values to 0..1 along itself and says where its grid lines are.
type axis struct {
	place func(v float64) float64
	ticks []tick
	label string // with its unit
}

// tick is a grid line; one without a name is a minor one.
type tick struct {
	at   float64 // value
	name string
}

// latencyAxis is logarithmic from at most low to at least high, in ns, ending on round values (1, 2, 5).
func latencyAxis(low, high float64) axis {
	low = max(low, 1000) // a microsecond: nothing below it is measured
	high = max(high, low)
	from, to := roundDown(low), roundUp(high)
	if from == to {
		to = roundUp(to * 1.5)
	}
	a := axis{label: "latency (log scale)", place: logarithmic(from, to)}
	sparse := math.Log10(to/from) > 2.5 // then only the decades get names
	for v := from; v <= to*1.001; v = roundUp(v * 1.5) {
		t := tick{at: v, name: short(time.Duration(math.Round(v)))}
		if sparse && leading(v) != 1 {
			t.name = ""
		}
		a.ticks = append(a.ticks, t)
	}
	return a
}

// percentileAxis gives each further nine the same room, up to what count samples can tell.
func percentileAxis(count int64) axis {
	end := math.Log10(float64(max(count, 10)))
	a := axis{
		label: "percentile (log scale: each step has ten times fewer requests above it)",
		place: func(q float64) float64 { return min(nines(q)/end, 1) },
		ticks: []tick{{0, "0 %"}, {0.5, "50 %"}},
	}
	for n := 1; float64(n) <= end+1e-9; n++ {
		q := 1 - math.Pow10(-n)
		a.ticks = append(a.ticks, tick{q, percent(q, "") + " %"})
	}
	return a
}

// nines is how far out a quantile lies: 1 for 90 %, 2 for 99 %; 0 to infinity.
func nines(q float64) float64 { return -math.Log10(1 - q) }

// timeAxis runs from 0 to end.
func timeAxis(end time.Duration) axis {
	unit, label := time.Second, "time since start (s)"
	switch {
	case end >= 5*time.Hour:
		unit, label = time.Hour, "time since start (h)"
	case end >= 10*time.Minute:
		unit, label = time.Minute, "time since start (min)"
	}
	return linearAxis(float64(end), float64(unit), 10, label)
}

// linearAxis runs from 0 to high, but at least to one unit, with about n steps that are round in that unit.
func linearAxis(high, unit float64, n int, label string) axis {
	high = max(high, unit)
	step := roundUp(high/unit/float64(n)*0.999) * unit
	a := axis{label: label, place: func(v float64) float64 { return v / high }}
	for i := 0; float64(i)*step <= high*1.0001; i++ {
		v := float64(i) * step
		a.ticks = append(a.ticks, tick{v, grouped(v / unit)})
	}
	return a
}

// grouped writes an axis value: whole numbers with grouped digits, others as they are.
func grouped(v float64) string {
	if v == math.Trunc(v) {
		return thousands(int64(v))
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

func logarithmic(from, to float64) func(float64) float64 {
	return func(v float64) float64 {
		return math.Log(min(max(v, from), to)/from) / math.Log(to/from)
	}
}

// leading is the first digit of a round value: 1, 2 or 5.
func leading(v float64) int {
	return int(math.Round(v / math.Pow10(int(math.Floor(math.Log10(v)+1e-9)))))
}

// roundUp is the least of ..., 1, 2, 5, 10, ... that is not below v, which is above 0.
func roundUp(v float64) float64 {
	decade := math.Pow10(int(math.Floor(math.Log10(v) + 1e-9)))
	steps := []float64{1, 2, 5, 10}
	i := slices.IndexFunc(steps, func(s float64) bool { return s*decade >= v*(1-1e-9) })
	return steps[i] * decade
}

// roundDown is the greatest of ..., 1, 2, 5, 10, ... that is not above v, which is above 0.
func roundDown(v float64) float64 {
	decade := math.Pow10(int(math.Floor(math.Log10(v) + 1e-9)))
	for _, s := range []float64{5, 2} {
		if s*decade <= v*(1+1e-9) {
			return s * decade
		}
	}
	return decade
}

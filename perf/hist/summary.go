package hist

import (
	"math"
	"time"
)

// Quantile is a point of the distribution: a share Q of the latencies is Value or less.
type Quantile struct {
	Q     float64       `json:"q"`
	Value time.Duration `json:"value_ns"`
}

// Point is one step of the time axis: what was done from At on, for one interval.
type Point struct {
	At    time.Duration `json:"at_ns"` // since the start
	Count int64         `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P99   time.Duration `json:"p99_ns"`
	Max   time.Duration `json:"max_ns"`
}

// Summary is what a report needs to know of a Recorder, as plain data.
type Summary struct {
	Count      int64         `json:"count"`      // latencies, unfinished ones included
	Unfinished int64         `json:"unfinished"` // of these, had no answer at the end: their latency is a lower bound
	Clamped    int64         `json:"clamped"`    // of these, exceeded Highest and are counted as that
	Elapsed    time.Duration `json:"elapsed_ns"` // from the start to the last answer
	Min        time.Duration `json:"min_ns"`
	Mean       time.Duration `json:"mean_ns"`
	Max        time.Duration `json:"max_ns"`
	Quantiles  []Quantile    `json:"quantiles"` // of Marks; see Supported
	Curve      []Quantile    `json:"curve"`     // the whole distribution, ever finer towards 1, ending in the maximum
	Interval   time.Duration `json:"interval_ns"`
	Points     []Point       `json:"points"`
}

// Marks are the quantiles that every report names.
var Marks = [...]float64{0.5, 0.9, 0.99, 0.999, 0.9999}

// Supported reports whether count latencies can tell quantile q from the maximum: p99.99 of a hundred is no figure.
func Supported(q float64, count int64) bool { return float64(count)*(1-q) >= 1-1e-9 }

// curveSteps is how many points the curve has per halving of the distance to 1, as HdrHistogram's own listings do.
const curveSteps = 5

// Summary computes the figures. The recorder stays usable.
func (r *Recorder) Summary() Summary {
	s := Summary{
		Count: r.Count(), Unfinished: r.unfinished, Clamped: r.clamped,
		Min: time.Duration(r.min), Max: time.Duration(r.max), Mean: time.Duration(r.total.Mean()),
		Interval: time.Duration(r.series.width), Elapsed: time.Duration(r.last),
	}
	if s.Count == 0 {
		return s
	}
	for _, q := range Marks {
		if Supported(q, s.Count) {
			s.Quantiles = append(s.Quantiles, r.quantile(q))
		}
	}
	s.Curve = r.curve()
	for i, iv := range r.series.all() {
		s.Points = append(s.Points, Point{
			At:    time.Duration(int64(i) * r.series.width),
			Count: iv.count(),
			P50:   time.Duration(iv.quantile(0.5)),
			P99:   time.Duration(iv.quantile(0.99)),
			Max:   time.Duration(iv.max),
		})
	}
	return s
}

// Rate is answers per second over the whole run, 0 if it took no time.
func (s *Summary) Rate() float64 {
	if s.Elapsed <= 0 {
		return 0
	}
	return float64(s.Count-s.Unfinished) / s.Elapsed.Seconds()
}

// Quantile finds a quantile of a Summary among its Marks; false if the count does not support it.
func (s *Summary) Quantile(q float64) (time.Duration, bool) {
	for _, have := range s.Quantiles {
		if have.Q == q {
			return have.Value, true
		}
	}
	return 0, false
}

// quantile never exceeds the exact maximum, which its bucket may.
func (r *Recorder) quantile(q float64) Quantile {
	return Quantile{q, time.Duration(min(r.total.ValueAtPercentile(100*q), r.max))}
}

func (r *Recorder) curve() []Quantile {
	out := []Quantile{{0, time.Duration(r.min)}}
	for step := 1; ; step++ {
		q := 1 - math.Exp2(-float64(step)/curveSteps)
		if !Supported(q, r.Count()) {
			break
		}
		out = append(out, r.quantile(q))
	}
	return append(out, Quantile{1, time.Duration(r.max)})
}

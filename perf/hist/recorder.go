// Package hist records latencies so that a stalled server cannot hide: each is measured from the time at which the
// schedule meant to send, not from when a late sender got round to it (coordinated omission). It must never read a
// clock: callers pass monotonic nanoseconds. A Recorder belongs to one goroutine; recorders are merged at the end.
//
// Read schedule.go (when to send), recorder.go (what is kept), series.go (the same, over time), then summary.go.
package hist

import (
	"errors"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range and precision of the whole run's histogram: about 170 KiB each.
const (
	Lowest  = time.Microsecond
	Highest = 10 * time.Minute
	digits  = 3
)

// Recorder holds the latencies of one run, whole and over time.
type Recorder struct {
	start      int64 // monotonic ns: the time axis begins here
	total      *hdrhistogram.Histogram
	series     series
	min, max   int64 // exact, ns
	last       int64 // latest answer, ns since start
	unfinished int64
	clamped    int64
}

// New makes a recorder whose time axis begins at start, in monotonic ns. Recorders to be merged share their start.
func New(start int64) *Recorder {
	return &Recorder{start: start, total: newTotal(), series: newSeries()}
}

func newTotal() *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(Lowest), int64(Highest), digits)
}

// Record takes one answer: meant to be asked at intended, complete at done, both monotonic ns. On the time axis it
// stands where it was done. It allocates only when an interval of the time axis ends.
func (r *Recorder) Record(intended, done int64) {
	ns := r.count(done - intended)
	r.series.record(done-r.start, ns)
	r.last = max(r.last, done-r.start)
}

// Abandon takes one request that had no answer when the run ended at now: its latency is at least now - intended, and
// leaving it out would hide just the worst. It is in the distribution, not on the time axis.
func (r *Recorder) Abandon(intended, now int64) {
	r.unfinished++
	r.count(now - intended)
}

// count puts a latency into the whole run's histogram and returns it as it was counted.
func (r *Recorder) count(ns int64) int64 {
	ns = max(ns, 0) // done before it was due: a sender ahead of its schedule has not waited
	if ns > int64(Highest) {
		ns = int64(Highest)
		r.clamped++
	}
	if r.total.TotalCount() == 0 {
		r.min = ns
	}
	r.min, r.max = min(r.min, ns), max(r.max, ns)
	_ = r.total.RecordValue(ns) // in range by the lines above
	return ns
}

// Count is the number of latencies so far, unfinished ones included.
func (r *Recorder) Count() int64 { return r.total.TotalCount() }

// Merge adds what other holds, which stays as it is. Afterwards r takes further merges, but no more latencies.
func (r *Recorder) Merge(other *Recorder) error {
	if r.start != other.start {
		return errors.New("hist: recorders with different starts have no common time axis")
	}
	if other.Count() == 0 {
		return nil
	}
	if r.Count() == 0 {
		r.min = other.min
	}
	r.min, r.max = min(r.min, other.min), max(r.max, other.max)
	r.last = max(r.last, other.last)
	r.total.Merge(other.total)
	r.unfinished += other.unfinished
	r.clamped += other.clamped
	r.series.merge(&other.series)
	return nil
}

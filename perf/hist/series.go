package hist

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	seriesDigits = 2 // 1 % is enough for a plot, and keeps an interval at a few KiB
	firstWidth   = int64(time.Second)
	// maxIntervals bounds the memory of an endless run: beyond it neighbours are merged and the width doubles. Even,
	// so that the interval in progress begins a pair.
	maxIntervals = 1200
)

// bar is one occupied bucket of a histogram: count latencies of up to value ns.
type bar struct{ value, count int64 }

// interval is what was done in one step of the time axis, its bars in ascending order.
type interval struct {
	bars []bar
	max  int64 // exact, ns
}

// series is a run over time: closed intervals, each kept sparse, and a histogram of the one in progress.
type series struct {
	width   int64 // ns of one interval
	closed  []interval
	current *hdrhistogram.Histogram // covers interval number len(closed)
	max     int64                   // of current
}

func newSeries() series {
	return series{
		width:   firstWidth,
		current: hdrhistogram.New(int64(Lowest), int64(Highest), seriesDigits),
	}
}

// record takes a latency that was complete at this offset from the start. Time never goes back: what comes late is
// counted in the interval in progress.
func (s *series) record(offset, ns int64) {
	for offset/s.width > int64(len(s.closed)) {
		s.close()
	}
	s.max = max(s.max, ns)
	_ = s.current.RecordValue(ns) // the recorder has brought it in range
}

// close ends the interval in progress, or when there are too many, makes all of them twice as wide: then it goes on.
func (s *series) close() {
	if len(s.closed) == maxIntervals {
		s.closed = coarsen(s.closed)
		s.width *= 2
		return
	}
	s.closed = append(s.closed, s.progress())
	s.clear()
}

// clear empties the interval in progress. Most of a long silence is empty already.
func (s *series) clear() {
	if s.current.TotalCount() > 0 {
		s.current.Reset()
	}
	s.max = 0
}

// progress is the interval in progress, as it would be closed.
func (s *series) progress() interval {
	iv := interval{max: s.max}
	if s.current.TotalCount() == 0 {
		return iv
	}
	for _, b := range s.current.Distribution() {
		if b.Count > 0 {
			iv.bars = append(iv.bars, bar{b.To, b.Count})
		}
	}
	return iv
}

// all lists the intervals, that in progress included unless it is empty.
func (s *series) all() []interval {
	if s.current.TotalCount() == 0 {
		return s.closed
	}
	return append(s.closed[:len(s.closed):len(s.closed)], s.progress())
}

// merge adds another series with the same start. Afterwards every interval is closed.
func (s *series) merge(other *series) {
	mine, theirs, width := s.all(), other.all(), other.width
	for ; s.width < width; s.width *= 2 {
		mine = coarsen(mine)
	}
	for ; width < s.width; width *= 2 {
		theirs = coarsen(theirs)
	}
	s.closed = make([]interval, max(len(mine), len(theirs)))
	copy(s.closed, mine)
	for i, iv := range theirs {
		s.closed[i] = s.closed[i].plus(iv)
	}
	s.clear()
}

// coarsen joins intervals two by two.
func coarsen(in []interval) []interval {
	out := make([]interval, 0, (len(in)+1)/2)
	for i := 0; i < len(in); i += 2 {
		iv := in[i]
		if i+1 < len(in) {
			iv = iv.plus(in[i+1])
		}
		out = append(out, iv)
	}
	return out
}

// plus is the sum of two intervals, sharing no bars with either.
func (iv interval) plus(other interval) interval {
	sum := interval{max: max(iv.max, other.max), bars: make([]bar, 0, len(iv.bars)+len(other.bars))}
	a, b := iv.bars, other.bars
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].value < b[0].value:
			sum.bars, a = append(sum.bars, a[0]), a[1:]
		case a[0].value > b[0].value:
			sum.bars, b = append(sum.bars, b[0]), b[1:]
		default:
			sum.bars = append(sum.bars, bar{a[0].value, a[0].count + b[0].count})
			a, b = a[1:], b[1:]
		}
	}
	sum.bars = append(append(sum.bars, a...), b...)
	return sum
}

func (iv interval) count() (n int64) {
	for _, b := range iv.bars {
		n += b.count
	}
	return n
}

// quantile is the smallest bucket that at least a share q of the latencies does not exceed, 0 if there are none.
func (iv interval) quantile(q float64) int64 {
	rank := max(1, int64(q*float64(iv.count())+0.5))
	for _, b := range iv.bars {
		if rank -= b.count; rank <= 0 {
			return min(b.value, iv.max)
		}
	}
	return 0
}

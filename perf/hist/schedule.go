package hist

import (
	"math/bits"
	"time"
)

// Schedule says when each request of an open-loop run is meant to be sent: at a fixed rate, whatever the server does.
// Every makes one; the zero value is none.
type Schedule struct {
	start int64 // monotonic ns, the first request
	count int64
	per   int64 // ns
}

// Every is a schedule of count requests per period, evenly spread, the first at start (monotonic ns).
// Less than one of either counts as one.
func Every(start, count int64, per time.Duration) Schedule {
	return Schedule{start: start, count: max(count, 1), per: max(int64(per), 1)}
}

// At is the intended time of request i, from 0. It is computed from i, never by adding steps, so it does not drift.
func (s Schedule) At(i int64) int64 {
	return s.start + i/s.count*s.per + scale(i%s.count, s.per, s.count)
}

// Due is how many requests should have been sent by now: 0 to Due-1.
func (s Schedule) Due(now int64) int64 {
	if now < s.start {
		return 0
	}
	elapsed := now - s.start
	n := elapsed/s.per*s.count + scale(elapsed%s.per, s.count, s.per)
	for s.At(n) <= now { // At rounds down, so a few more may be due
		n++
	}
	return n
}

// scale is a*b/c for non-negative values whose product may need 128 bits; a < c keeps the result in range.
func scale(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(q)
}

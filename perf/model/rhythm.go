package model

import (
	"math"
	"time"
)

// rhythm is how fast a node makes claims again: steadily faster while writes are quick, half as fast after a slow one.
type rhythm struct {
	rate  float64       // claims a second
	least time.Duration // that a write took in this walk
	heard time.Duration // when the last write ended
	fell  time.Duration
}

// begin is called with each walk.
func (r *rhythm) begin(c *Config) {
	r.rate, r.least = float64(c.ReclaimRate), math.MaxInt64/2
	if c.Paced {
		r.rate /= 10
	}
}

// heed takes a write that ended at a time.
func (r *rhythm) heed(c *Config, at, took time.Duration, failed bool) {
	if !c.Paced {
		return
	}
	most := float64(c.ReclaimRate)
	since := at - r.heard
	r.heard = at
	if !failed {
		r.least = min(r.least, took)
	}
	switch slow := took > 25*time.Millisecond+min(2*r.least, 200*time.Millisecond); {
	case !slow && !failed:
		r.rate = min(r.rate+most*min(since, 100*time.Millisecond).Seconds(), most)
	case at-took >= r.fell: // one that began before has not seen what the last fall has helped
		r.rate, r.fell = max(r.rate/2, most/20), at
	}
}

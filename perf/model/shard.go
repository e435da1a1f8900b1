package model

import (
	"math"
	"time"
)

// shard is one server of the store: a single worker with one queue, which takes what comes in turn.
type shard struct {
	busy  time.Duration // it has work until then
	up    time.Duration // it serves nobody before
	spent time.Duration // working, so far
}

// serve takes work that arrives now and says when it will be done; false: nobody is there.
func (h *shard) serve(now, work time.Duration) (done time.Duration, ok bool) {
	if now < h.up {
		return now, false
	}
	h.busy = max(h.busy, now) + work
	h.spent += work
	return h.busy, true
}

// wait is how long work that arrives now lies in the queue.
func (h *shard) wait(now time.Duration) time.Duration { return max(0, h.busy-now) }

// requests is how many requests the store sees, all shards together, for n claims of one node that fall evenly into so
// many flushes. A flush of a cluster's client is one request to each shard that has a key in it.
func requests(n int64, flushes float64, batch, shards int) float64 {
	if n <= 0 {
		return 0
	}
	filled := 1.0 // flushes that have something in them
	if flushes > 1 {
		filled = -flushes * math.Expm1(float64(n)*math.Log1p(-1/flushes))
	}
	filled = max(filled, float64(n)/float64(batch))
	return filled * touched(float64(n)/filled, shards)
}

// touched is how many of the shards a batch has keys of.
func touched(keys float64, shards int) float64 {
	if shards == 1 {
		return 1
	}
	return -float64(shards) * math.Expm1(keys*math.Log1p(-1/float64(shards)))
}

// writeWork is what the shards together spend on the claims of one node's step: those that came one by one, and those
// that a walk over its table makes, in full batches.
func (c *Config) writeWork(single, walked int64) (work time.Duration, asked float64) {
	asked = requests(single, float64(c.Step)/float64(c.Flush), c.Batch, c.Shards)
	asked += float64(walked) / float64(c.Batch) * touched(float64(c.Batch), c.Shards)
	return time.Duration(single+walked)*c.claimCost() + time.Duration(asked*float64(c.RequestCost)), asked
}

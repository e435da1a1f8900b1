package gateway

import (
	"math"
	"time"

	"holdfast/engine/exchange"
	"holdfast/engine/record"
)

const (
	drainTick  = 20 * time.Millisecond
	drainSweep = 4096 // records looked at per tick
)

// drain is the paced end of all holds.
type drain struct {
	began int64
	pace  time.Duration
	total int64 // holds when it began
	ended int64
	after uint32 // the record looked at last
	on    bool
}

// Drain begins to end every hold of this loop, spread evenly over pace.
func (g *Gateway) Drain(pace time.Duration) {
	g.drain = drain{began: g.space.Now(), pace: max(pace, 1), total: g.Stats.Held, on: true}
}

// goOnDraining ends as many holds as are due by now.
func (g *Gateway) goOnDraining() {
	d := &g.drain
	if !d.on {
		return
	}
	share := min(float64(g.now-d.began)/float64(d.pace), 1)
	due := int64(math.Ceil(share*float64(d.total))) - d.ended // the first one at once: a single hold waits for nobody
	if share == 1 {
		due = max(due, g.Stats.Held) // and whoever came after the start
	}
	if due <= 0 {
		return
	}
	d.after = g.space.Each(d.after, drainSweep, func(slot uint32, r *record.Record) {
		if due > 0 && r.Form != uint8(exchange.NoForm) {
			due--
			d.ended++
			g.space.View(slot).Goaway()
		}
	})
}

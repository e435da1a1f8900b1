package directory

import (
	"sync"
	"time"
)

// pace is how fast a round makes claims again: as fast as the store bears. When a new store gets the claims of all nodes
// at once, each of them finds the bearable by itself: it goes faster steadily while writes are quick, and halves its rate
// when one is slow.
type pace struct {
	most, floor float64 // keys a second

	mu    sync.Mutex
	rate  float64       // keys a second now
	least time.Duration // that a write took in this round
	heard time.Duration // when the last write ended
	fell  time.Duration // when the rate was lowered
}

const (
	paceFloor = 20          // part of the full rate below which it does not fall: a store that is far away is slow for ever
	paceStart = 10          // part of the full rate at which a round begins
	paceRise  = time.Second // from nothing to the full rate
	paceSlack = 25 * time.Millisecond
	paceFar   = 200 * time.Millisecond // no distance explains more
)

func newPace(most int) *pace {
	p := &pace{most: float64(most), floor: float64(most) / paceFloor}
	p.begin()
	return p
}

// begin is called with each round: it may be on another store, and everybody else begins now, too.
func (p *pace) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate, p.least = p.most/paceStart, never
}

// heed takes a write that has ended now.
func (p *pace) heed(now, took time.Duration, failed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := now - p.heard
	p.heard = now
	if !failed {
		p.least = min(p.least, took)
	}
	switch slow := took > paceSlack+min(2*p.least, paceFar); {
	case !slow && !failed:
		p.rate = min(p.rate+p.most*float64(min(since, paceRise/10))/float64(paceRise), p.most)
	case now-took >= p.fell: // it began after the last fall, and so has seen what that has helped
		p.rate, p.fell = max(p.rate/2, p.floor), now
	}
}

// now is the rate in keys a second.
func (p *pace) now() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rate
}

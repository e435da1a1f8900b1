package model

import "time"

// Tally is what became of pushes: expected numbers, so not whole.
type Tally struct {
	Delivered float64 // 200
	Nobody    float64 // 404
	Doubt     float64 // 503
	Unknown   float64 // 504
}

// Sum is all pushes of a tally.
func (t *Tally) Sum() float64 { return t.Delivered + t.Nobody + t.Doubt + t.Unknown }

func (t *Tally) add(share float64, o Tally) {
	t.Delivered += share * o.Delivered
	t.Nobody += share * o.Nobody
	t.Doubt += share * o.Doubt
	t.Unknown += share * o.Unknown
}

// census is where all keys are at a moment.
type census struct {
	held, lingering int64
	pending         [classes]int64 // connected, and the claim not acknowledged
	pendingBehind   [classes]int64 // of these, on nodes that say that they are behind
	queued          [classes]int64
	away            crowd
	behind, current int // nodes
	toRemake        int64
	inFlight        int64
}

// sum is all keys: no more and no fewer than there were at the start.
func (c *census) sum() int64 {
	n := c.held + c.away.sum()
	for class := range classes {
		n += c.pending[class] + c.queued[class]
	}
	return n
}

func (s *scene) count() (c census) {
	c.away = s.away
	c.away[churned] += s.returning
	for _, i := range s.alive {
		n := &s.nodes[i]
		c.held += n.held
		c.lingering += n.lingering
		c.toRemake += n.walk + n.pending(reclaim)
		c.inFlight += n.flying.sum()
		for class := range classes {
			c.pending[class] += n.pending(class)
			c.queued[class] += n.queue[class]
			if n.behind {
				c.pendingBehind[class] += n.pending(class)
			}
		}
		if n.behind {
			c.behind++
		}
		if s.current(n) {
			c.current++
		}
	}
	return c
}

// judge adds up what becomes of the pushes of one step.
func (s *scene) judge(c *census) {
	pushes := float64(s.Pushes) * s.Step.Seconds()
	found, nobody := s.found(c), s.nobody(c)
	gone := s.unclaimed(nobody)
	keys := float64(s.Keys)
	away := float64(c.away[churned]+c.queued[churned]) / keys
	missed := float64(c.away[lost]+c.queued[lost]) / keys
	late, lateLost := s.late(c, churned, nobody), s.late(c, lost, gone)
	s.pushes.add(pushes*float64(c.held)/keys, found)
	s.pushes.add(pushes*away, nobody)
	s.pushes.add(pushes*missed, gone)
	s.pushes.add(pushes*float64(c.pending[churned])/keys, late)
	s.pushes.add(pushes*float64(c.pending[lost])/keys, lateLost)

	s.lostPushes.add(pushes*float64(s.backSum)/keys, found) // once back, a key is like any other
	s.lostPushes.add(pushes*missed, gone)
	s.lostPushes.add(pushes*float64(c.pending[lost])/keys, lateLost)

	asks := 1.0
	if c.behind <= s.MaxBehind {
		asks += float64(c.behind)
	}
	s.seen.asks = max(s.seen.asks, asks)
	s.seen.behind = max(s.seen.behind, c.behind)
}

// found is what becomes of a push to a key whose claim stands.
func (s *scene) found(c *census) Tally {
	sure := s.cache.Hit + (1-s.cache.Hit)/float64(len(s.alive)) // without the store: known, or held where the push came in
	asksBehind := c.behind > 0 && c.behind <= s.MaxBehind
	delivered := 0.0
	for i := range s.shards {
		h, share := &s.shards[i], 1.0
		switch {
		case s.now < h.up:
			if share = sure; asksBehind {
				share = max(share, float64(c.behind)/float64(len(s.alive)))
			}
		case h.wait(s.now)+s.RoundTrip > s.StoreTimeout:
			share = sure
		case i == 0 && s.empty && s.incarnation > 0:
			share = 1 - s.unmade(c)*(1-1/float64(len(s.alive)))
		}
		delivered += share / float64(s.Shards)
	}
	return Tally{Delivered: delivered, Doubt: 1 - delivered}
}

// unmade is the share of claims that were to be made again and are not yet.
func (s *scene) unmade(c *census) float64 {
	unseen := int64(0) // by nodes that do not know of the change yet
	for _, i := range s.alive {
		if n := &s.nodes[i]; n.incarnation != s.incarnation {
			unseen += n.held
		}
	}
	all := s.toRemake + unseen
	if all == 0 {
		return 0
	}
	return float64(c.toRemake+unseen) / float64(all)
}

// nobody is what becomes of a push to a key that has no claim at all: certain or in doubt.
func (s *scene) nobody(c *census) Tally {
	certain := float64(c.current) / float64(len(s.alive))
	if s.marked != s.incarnation || c.behind > s.MaxBehind {
		certain = 0
	}
	up := 0
	for i := range s.shards {
		if h := &s.shards[i]; s.now >= h.up && h.wait(s.now)+s.RoundTrip <= s.StoreTimeout {
			up++
		}
	}
	certain *= float64(up) / float64(s.Shards)
	return Tally{Nobody: certain, Doubt: 1 - certain}
}

// unclaimed is what becomes of a push to a key that only a lost node claims.
func (s *scene) unclaimed(nobody Tally) Tally {
	switch {
	case s.killed: // its host refuses the connection: the claims are void
		return nobody
	case s.lostNodes > 0 && s.now < s.lostAt+s.Dead: // asked, and no report will come
		return Tally{Unknown: 1}
	}
	return Tally{Doubt: 1}
}

// late is what becomes of a push to a key that is connected and waits for its claim: found only by asking those behind,
// or where the push came in.
func (s *scene) late(c *census, class int, otherwise Tally) (t Tally) {
	found := 1 / float64(len(s.alive))
	if n := c.pending[class]; n > 0 && c.behind <= s.MaxBehind {
		found = max(found, float64(c.pendingBehind[class])/float64(n))
	}
	t.Delivered = found
	t.add(1-found, otherwise)
	return t
}

// lookUp is what pushes that come in at one node in one step ask of the store: who is not kept; twice who is not there,
// because only a fresh answer is certain; and once more whose hint was stale, as while a claim lingers.
func (s *scene) lookUp() {
	pushes := float64(s.Pushes) * s.Step.Seconds() / float64(len(s.alive))
	n := pushes * ((1-s.absent)*(1-s.cache.Hit) + 2*s.absent + s.stale)
	s.seen.lookups += n
	s.seen.notMine += pushes * s.stale
	work := time.Duration(n * float64(s.RequestCost+s.LookupCost) / float64(s.Shards))
	for i := range s.shards {
		s.shards[i].serve(s.now, work)
	}
}

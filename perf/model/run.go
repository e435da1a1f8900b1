package model

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// world is the node of events that are no node's.
const world = -1

// sample is a time that so many took.
type sample struct {
	time.Duration
	n int64
}

// sights is what a scene counts.
type sights struct {
	connects, turnedAway, wasted int64
	writes                       ops
	requests, lookups, notMine   float64
	beats, beatsFailed, rows     int64
	beatWait                     time.Duration
	asks                         float64 // of one push, at most
	behind                       int     // nodes, at most
	acks                         []sample
}

func (v *sights) wrote(w *write, now time.Duration) {
	if n := w.ops[claimChurned] + w.ops[claimLost]; n > 0 && !w.late && w.refused.sum() == 0 {
		v.acks = append(v.acks, sample{w.done - now, n})
	}
}

// scene is one course of events, from a cluster in balance.
type scene struct {
	Config
	chance
	clients
	cache     Kept
	plans     calendar
	now       time.Duration
	step      int
	shards    []shard
	nodes     []node
	alive     []int
	departing float64 // probability that a connection ends within one step
	returning int64   // clients that left since the world's last step

	version, rows       int // of the node table
	incarnation, marked int
	reports             int // nodes that are complete in this incarnation
	failedAt, changedAt time.Duration
	markedAt            time.Duration
	empty               bool // the replica has no data
	completed           []sample
	toRemake            int64
	lostAt              time.Duration
	lostNodes           int
	lostKeys, backSum   int64
	killed              bool // the lost nodes' hosts live and refuse connections
	back                []sample
	absent, stale       float64 // shares of keys, as last counted
	seen                sights
	pushes, lostPushes  Tally
	spent               []time.Duration // of each shard, at the start of the second
	peak                float64         // share of its time that a shard worked in the worst second
	peakWait            time.Duration
	leastHeld           int64
	last                census
	watch               func(*scene, *census) // sees every step: for tests
}

// begin makes a cluster in balance: of each client's cycle, so much is spent away.
func (c *Config) begin() *scene {
	s := &scene{
		Config: *c, chance: newChance(c.Seed), cache: c.kept(), shards: make([]shard, c.Shards), nodes: make([]node, c.Nodes),
		rows: c.Nodes, leastHeld: c.Keys,
	}
	s.departing = s.Step.Seconds() / s.Life.Seconds()
	cycle := float64(s.Life + s.Away)
	away := s.binomial(s.Keys, float64(s.Away)/cycle)
	s.spread(away)
	s.scatter(s.Keys-away, s.Nodes, func(i int, n int64) { s.nodes[i].held = n })
	for i := range s.nodes {
		s.nodes[i].leaving = make([]int64, s.steps(s.Linger))
		s.alive = append(s.alive, i)
		s.plans.add(time.Duration(s.Int64N(int64(s.Step))), i, (*scene).act)
		s.plans.add(time.Duration(s.Int64N(int64(s.Beat))), i, (*scene).beat)
	}
	s.plans.add(0, world, (*scene).turn)
	return s
}

// spread puts those who are away at the start where they would be: who returns after a time drawn evenly from twice the
// mean is seen, at any moment, with a rest of it that is short more often than long.
func (s *scene) spread(away int64) {
	steps := s.steps(2 * s.Away)
	s.away[churned] = away
	for i := range steps {
		left, all := float64(steps-i), float64(steps-i)*float64(steps-i+1)/2
		n := away
		if i < steps-1 {
			n = s.binomial(away, left/all)
		}
		s.tries = reach(s.tries, i+1)
		s.tries[i+1][0][churned] += n
		away -= n
	}
}

// turn is the world's step: clients come, pushes are judged.
func (s *scene) turn(int) {
	s.arrive()
	s.last = s.count()
	c := &s.last
	s.leastHeld = min(s.leastHeld, c.held)
	s.absent = 1 - float64(c.held)/float64(s.Keys)
	s.stale = float64(c.lingering) / float64(s.Keys)
	s.judge(c)
	if s.step%max(1, int(time.Second/s.Step)) == 0 {
		s.measure()
	}
	if s.watch != nil {
		s.watch(s, c)
	}
	s.plans.add(s.now+s.Step, world, (*scene).turn)
}

// measure reads the shards once a second.
func (s *scene) measure() {
	if s.spent == nil {
		s.spent = make([]time.Duration, s.Shards)
	}
	for i := range s.shards {
		h := &s.shards[i]
		// What lies in the queue is booked already, and not done yet.
		done := h.spent - h.wait(s.now)
		s.peak = max(s.peak, (done-s.spent[i]).Seconds()/max(s.Step, time.Second).Seconds())
		s.spent[i] = done
		s.peakWait = max(s.peakWait, h.wait(s.now))
	}
}

// play lets events happen until a time, or until it is enough.
func (s *scene) play(ctx context.Context, until time.Duration, enough func() bool) error {
	for {
		if s.plans.heap[0].at >= until || enough != nil && enough() {
			return ctx.Err()
		}
		e := s.plans.next()
		if e.node == world && ctx.Err() != nil {
			return ctx.Err()
		}
		s.now, s.step = e.at, int(e.at/s.Step)
		e.do(s, e.node)
	}
}

// warm is how long a scene runs before anything is measured.
const warm = 10 * time.Second

// settleDown plays the warm-up and forgets what was counted.
func (s *scene) settleDown(ctx context.Context) error {
	err := s.play(ctx, warm, nil)
	s.forget()
	return err
}

func (s *scene) forget() {
	s.seen, s.pushes, s.lostPushes = sights{}, Tally{}, Tally{}
	s.peak, s.peakWait, s.leastHeld = 0, 0, s.Keys
	s.spent = nil
	for i := range s.shards {
		s.spent = append(s.spent, s.shards[i].spent-s.shards[i].wait(s.now))
	}
}

// quantile is the time within which a share of all who were counted were done; 0 of nobody.
func quantile(all []sample, q float64) time.Duration {
	var sum int64
	for _, a := range all {
		sum += a.n
	}
	slices.SortFunc(all, func(a, b sample) int { return cmp.Compare(a.Duration, b.Duration) })
	rank := int64(q * float64(sum))
	if float64(rank) < q*float64(sum) {
		rank++
	}
	for _, a := range all {
		if rank -= a.n; rank <= 0 {
			return a.Duration
		}
	}
	return 0
}

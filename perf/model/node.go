package model

import "time"

// What a node writes to the store. The first two are connections that wait for their claims.
const (
	claimChurned = iota // of a client that left and came back
	claimLost           // of a client whose node was lost
	removal
	refresh
	reclaim
	kinds
)

// ops counts writes by kind.
type ops [kinds]int64

func (o *ops) sum() (n int64) {
	for _, k := range o {
		n += k
	}
	return n
}

func (o *ops) add(other *ops) {
	for i, k := range other {
		o[i] += k
	}
}

// write is one step's writes of a node, on their way.
type write struct {
	ops
	refused    ops // of these: their shard is away
	sent, done time.Duration
	late       bool // the node gave up at done; the store works on it all the same
}

// node is one node, its clients and claims as counts.
type node struct {
	lost      bool
	held      int64 // connected, and its claim acknowledged
	queue     crowd // clients waiting to be accepted
	credit    float64
	dirty     ops // to be written
	stuck     ops // their shard is away
	flying    ops // the sum of flight
	flight    []write
	pipe      []sample // writes by when the store has done them: a node that gave up on one still has it in its way
	piped     int64    // the sum of pipe
	leaving   []int64  // removals that linger, by step, as a ring
	lingering int64    // its sum
	due       float64  // of a claim's refresh
	walk      int64    // claims that are still to be made again
	remade    int64    // of these, acknowledged
	pace      float64  // claims of it that may be made now
	rhythm
	behind bool
	beats
}

// pending is how many connections wait for their claim.
func (n *node) pending(kind int) int64 { return n.dirty[kind] + n.flying[kind] + n.stuck[kind] }

// whole says whether all that a walk began has been acknowledged.
func (n *node) whole() bool { return n.walk == 0 && n.pending(reclaim) == 0 }

// act is one step of a node.
func (s *scene) act(i int) {
	n := &s.nodes[i]
	if n.lost {
		return
	}
	s.acknowledge(n)
	s.depart(n)
	s.accept(n)
	s.plan(n)
	s.write(n)
	s.lookUp()
	s.plans.add(s.now+s.Step, i, (*scene).act)
}

// depart ends connections; their claims linger.
func (s *scene) depart(n *node) {
	gone := s.binomial(n.held, s.departing)
	n.held -= gone
	s.returning += gone
	if slots := len(n.leaving); slots > 0 {
		n.dirty[removal] += n.leaving[s.step%slots]
		n.lingering += gone - n.leaving[s.step%slots]
		n.leaving[s.step%slots] = gone
	} else {
		n.dirty[removal] += gone
	}
}

// accept takes clients from the queue at the node's pace.
func (s *scene) accept(n *node) {
	n.credit = min(n.credit, 1) + float64(s.AcceptRate)*s.Step.Seconds()
	var in crowd
	take(n.queue[:], int64(n.credit), in[:])
	n.credit -= float64(in.sum())
	n.dirty[claimChurned] += in[churned]
	n.dirty[claimLost] += in[lost]
	s.seen.connects += in.sum()
}

// plan adds what the walk over the node's table brings in this step: claims to be made again go before refreshes.
func (s *scene) plan(n *node) {
	if s.now >= s.shards[0].up && n.stuck.sum() > 0 {
		n.dirty.add(&n.stuck)
		n.stuck = ops{}
	}
	if n.walk > 0 {
		n.pace = min(n.pace+n.rate*s.Step.Seconds(), float64(max(s.window(), int64(s.ReclaimRate))))
		k := min(n.walk, max(0, int64(n.pace)-n.dirty[reclaim]))
		n.walk -= k
		n.dirty[reclaim] += k
		return
	}
	n.due += float64(n.held) * s.Step.Seconds() / s.Refresh.Seconds()
	n.dirty[refresh] += int64(n.due)
	n.due -= float64(int64(n.due))
}

// write sends what may be in flight: connections and removals first, then the walk.
func (s *scene) write(n *node) {
	wait := s.RoundTrip
	for i := range s.shards {
		wait = max(wait, s.RoundTrip+s.shards[i].wait(s.now))
	}
	rounds := max(1, float64(s.Step)/float64(max(wait, s.Flush)))
	limit := int64(float64(s.window())*rounds) - n.piped
	w := write{sent: s.now}
	take(n.dirty[:refresh], limit, w.ops[:refresh])
	single := w.sum()
	take(n.dirty[refresh:], limit-single, w.ops[refresh:])
	walked := w.sum() - single
	n.pace -= float64(w.ops[reclaim])
	if single+walked > 0 {
		s.send(n, &w, single, walked)
	}
	// Behind: some claim is not acknowledged within 100 ms, or not in this incarnation, or beats fail.
	n.behind = n.dirty.sum() > 0 || n.stuck.sum() > 0 || !n.whole() || s.distrusts(n) || !s.current(n) ||
		len(n.flight) > 0 && n.flight[len(n.flight)-1].done-n.flight[len(n.flight)-1].sent > pendingAfter
}

// pendingAfter is when a hold's head is sent without its claim.
const pendingAfter = 100 * time.Millisecond

// send spreads a write over the shards and books when its answer comes: with the last of its parts, as a batch does.
func (s *scene) send(n *node, w *write, single, walked int64) {
	work, asked := s.writeWork(single, walked)
	w.done = s.now
	for i := range s.shards {
		done, ok := s.shards[i].serve(s.now, work/time.Duration(s.Shards))
		if !ok {
			for k := range w.ops {
				w.refused[k] += s.binomial(w.ops[k], 1/float64(s.Shards))
			}
			done = s.now + s.StoreTimeout
		}
		w.done = max(w.done, done)
	}
	w.done += s.RoundTrip
	n.pipe = append(n.pipe, sample{w.done, w.sum()})
	n.piped += w.sum()
	if limit := s.now + s.StoreTimeout; w.done > limit {
		w.done, w.late = limit, w.refused.sum() == 0
	}
	n.flying.add(&w.ops)
	n.flight = append(n.flight, *w)
	s.seen.writes.add(&w.ops)
	s.seen.requests += asked
	s.seen.wrote(w, s.now)
}

// acknowledge takes the answers that have come.
func (s *scene) acknowledge(n *node) {
	for len(n.pipe) > 0 && n.pipe[0].Duration <= s.now {
		n.piped -= n.pipe[0].n
		n.pipe = n.pipe[1:]
	}
	for len(n.flight) > 0 && n.flight[0].done <= s.now {
		w := n.flight[0]
		n.flight = n.flight[1:]
		n.heed(&s.Config, w.done, w.done-w.sent, w.late || w.refused.sum() > 0)
		for k := range w.ops {
			n.flying[k] -= w.ops[k]
			switch {
			case w.late:
				n.dirty[k] += w.ops[k]
				s.seen.wasted += w.ops[k]
				continue
			case w.refused[k] > 0:
				n.stuck[k] += w.refused[k]
				w.ops[k] -= w.refused[k]
			}
		}
		if !w.late {
			s.settle(n, &w)
		}
	}
}

func (s *scene) settle(n *node, w *write) {
	n.held += w.ops[claimChurned] + w.ops[claimLost]
	n.remade += w.ops[reclaim]
	if w.ops[claimLost] > 0 {
		s.returned(w.done, w.ops[claimLost])
	}
}

package model

import (
	"slices"
	"time"
)

// Why a client is not connected.
const (
	churned = iota // it left by itself
	lost           // with its node
	classes
)

// crowd counts clients by why they are there.
type crowd [classes]int64

func (c *crowd) sum() int64 { return c[churned] + c[lost] }

// maxTries bounds the doubling of the backoff that is told apart; further tries wait as long as the last.
const maxTries = 6

// waiting is the clients whose next try falls into one step, by how many they have made.
type waiting [maxTries]crowd

// clients is everybody who is not at a node, by the step of the next try.
type clients struct {
	tries   []waiting // by step
	notices []int64   // clients of a lost node that learn of it, by step
	away    crowd     // the sum of both
}

// later puts clients evenly into the steps from now to a time from now.
func (s *scene) later(n int64, within time.Duration, put func(step int, n int64)) {
	s.scatter(n, max(1, s.steps(within)), func(i int, n int64) { put(s.step+1+i, n) })
}

// try plans the next attempt of clients.
func (s *scene) try(n int64, class, made int, within time.Duration) {
	s.later(n, within, func(step int, n int64) {
		s.tries = reach(s.tries, step)
		s.tries[step][made][class] += n
	})
	s.away[class] += n
}

// notice plans when clients of lost nodes learn that their connections are gone.
func (s *scene) notice(n int64, within time.Duration) {
	s.later(n, within, func(step int, n int64) {
		s.notices = reach(s.notices, step)
		s.notices[step] += n
	})
	s.away[lost] += n
}

// reach makes a slice long enough for an index.
func reach[T any](all []T, index int) []T {
	if missing := index + 1 - len(all); missing > 0 {
		return append(slices.Grow(all, missing), make([]T, missing)...)
	}
	return all
}

// arrive lets those try whose time has come.
func (s *scene) arrive() {
	s.try(s.returning, churned, 0, 2*s.Away)
	s.returning = 0
	if s.step < len(s.notices) {
		n := s.notices[s.step]
		s.away[lost] -= n
		s.try(n, lost, 0, s.Dither)
	}
	if s.step >= len(s.tries) {
		return
	}
	for made, all := range s.tries[s.step] {
		for class, n := range all {
			s.away[class] -= n
			s.route(n, class, made)
		}
	}
	s.tries[s.step] = waiting{}
}

// route sends clients to the nodes that the balancer believes in. Who meets a lost one, or a queue in which they would
// wait too long, comes back later.
func (s *scene) route(n int64, class, made int) {
	if blind := s.lostNodes > 0 && s.now < s.lostAt+s.Balancer; blind {
		missed := s.binomial(n, float64(s.lostNodes)/float64(s.Nodes))
		n -= missed
		s.again(missed, class, made)
	}
	room := int64(float64(s.AcceptRate) * s.ConnectWait.Seconds())
	s.scatter(n, len(s.alive), func(place int, n int64) {
		to := &s.nodes[s.alive[place]]
		in := min(n, max(0, room-to.queue.sum()))
		to.queue[class] += in
		s.seen.turnedAway += n - in
		s.again(n-in, class, made)
	})
}

// again is a further try after a backoff.
func (s *scene) again(n int64, class, made int) {
	s.try(n, class, min(made+1, maxTries-1), min(s.MaxBackoff, s.Backoff<<made))
}

// lose ends some nodes. Their clients learn of it within a time, 0: at once.
func (s *scene) lose(count int, within time.Duration) {
	s.lostAt, s.lostNodes = s.now, count
	for i := range count {
		n := &s.nodes[i]
		n.lost = true
		gone := n.held + n.queue.sum() + n.pending(claimChurned) + n.pending(claimLost)
		s.lostKeys += gone
		s.notice(gone, within)
		*n = node{lost: true}
	}
	s.alive = s.alive[count:]
}

// returned books clients of lost nodes whose claims stand again.
func (s *scene) returned(at time.Duration, n int64) {
	s.back = append(s.back, sample{max(0, at-s.lostAt), n})
	s.backSum += n
}

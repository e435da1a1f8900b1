package model

import "time"

// beats is what a node has of the store's view.
type beats struct {
	known       int           // version of the node table
	incarnation int           // of the store, as last seen
	viewed      time.Duration // when the last good beat was sent
	changed     time.Duration // when it saw the incarnation change
	reported    int           // incarnation that its row calls complete
	sawAll      bool          // every row is complete: its next beat sets the mark
	answer      beatAnswer    // on its way
}

// beatAnswer is the view that a beat brings back.
type beatAnswer struct {
	sent     time.Duration
	version  int
	complete bool
}

// current says whether a node's view may still make an answer certain.
func (s *scene) current(n *node) bool { return s.now-n.viewed < s.Lease/2 }

// distrusts says whether a node takes acknowledgements as not given: others may still look at the old server.
func (s *scene) distrusts(n *node) bool {
	return n.incarnation != s.incarnation || n.incarnation > 0 && s.now < n.changed+s.Lease
}

// beat renews a node's lease; the next one follows a beat later, or when this one is answered, if that is later.
func (s *scene) beat(i int) {
	n := &s.nodes[i]
	if n.lost {
		return
	}
	s.seen.beats++
	first := &s.shards[0]
	limit := s.now + s.StoreTimeout
	if s.now < first.up {
		s.seen.beatsFailed++
		s.plans.add(max(limit, s.now+s.Beat), i, (*scene).beat)
		return
	}
	s.speak(n)
	cost := s.RequestCost + s.BeatCost
	if n.known != s.version {
		rows := s.rows
		if s.Delta && n.incarnation == s.incarnation { // a version is a change of one row, of one server's table
			rows = min(rows, s.version-n.known)
		}
		cost += time.Duration(rows) * s.RowCost
		s.seen.rows += int64(rows)
	}
	done, _ := first.serve(s.now, cost)
	if done += s.RoundTrip; done > limit { // the next one is not sent into a queue that has not moved
		s.seen.beatsFailed++
		s.plans.add(max(done, s.now+s.Beat), i, (*scene).beat)
		return
	}
	sent, version := s.now, s.version
	s.seen.beatWait = max(s.seen.beatWait, done-sent)
	n.answer = beatAnswer{sent, version, s.reports == len(s.alive)}
	s.plans.add(done, i, (*scene).hear)
	s.plans.add(max(done, s.now+s.Beat), i, (*scene).beat)
}

// speak is what a beat says besides: that the node's claims stand, that all do, that some nodes have ended.
func (s *scene) speak(n *node) {
	if n.sawAll && s.marked != s.incarnation {
		s.marked, s.markedAt = s.incarnation, s.now
		n.sawAll = false
	}
	if n.reported != s.incarnation && n.incarnation == s.incarnation && n.whole() && !s.distrusts(n) {
		n.reported = s.incarnation
		s.reports++
		s.version++
		s.completed = append(s.completed, sample{s.now - s.changedAt, 1})
	}
	if s.killed && s.rows > len(s.alive) && s.now >= s.lostAt+s.Lease { // their hosts refuse connections
		s.rows = len(s.alive)
		s.version++
	}
}

// hear takes a beat's answer.
func (s *scene) hear(i int) {
	n := &s.nodes[i]
	if n.lost {
		return
	}
	n.viewed, n.known = n.answer.sent, n.answer.version
	n.sawAll = n.answer.complete && s.marked != s.incarnation
	if n.incarnation != s.incarnation {
		n.incarnation, n.changed = s.incarnation, s.now
		n.begin(&s.Config)
		n.walk += n.held
		s.toRemake += n.held
	}
}

// fail takes the first shard away. Its replica serves after a time, with the data, or empty.
func (s *scene) fail(empty bool) {
	s.shards[0].up = s.now + s.Down
	s.failedAt, s.empty = s.now, empty
	s.plans.add(s.shards[0].up, world, func(s *scene, _ int) {
		s.incarnation++
		s.reports = 0
		s.changedAt = s.now
		s.version++
	})
}

package http2

import (
	"time"

	"holdfast/codec/h2"
	"holdfast/engine/record"
)

const (
	chunkBytes = 64          // what a queued piece costs beside its own bytes: tiny ones must not escape the bounds
	sweepEvery = time.Second // how often a connection with waiting output is looked after
)

// fits reports whether so much more may wait on a stream. An empty queue takes a message of any size.
func (w *work) fits(size, bound int) bool {
	return w.bytes == 0 || w.bytes+size+chunkBytes*(len(w.queue)-w.first) <= bound
}

// makeRoom is called for a message that has to wait; record.Staged means that it may.
func (s *Sessions) makeRoom(slot uint32, r *record.Record, size int) record.Fate {
	c, e := s.linkOf(s.l.At(r.Owner)), s.streamOf(r)
	b, w := s.busies.at(c.busy), s.works.at(e.work)
	p := s.l.SlowPolicy(slot)
	if w.fits(size, p.QueueBytes) && (b.bytes == 0 || b.bytes+size <= s.cfg.ConnQueueBytes) {
		return record.Staged
	}
	if p.Action == record.SlowClose {
		s.l.Stats.Evicted++
		s.reset(slot, r, record.ReasonSlow, h2.Cancel)
		return record.DroppedSlow
	}
	if e.work == 0 {
		s.l.Stats.Dropped++
		return record.DroppedSlow
	}
	room := 0
	if p.Action == record.SlowOldest {
		room = p.QueueBytes - size
	}
	before := w.bytes
	s.dropOldest(e.work, w, room)
	b.bytes -= before - w.bytes
	if !w.fits(size, p.QueueBytes) || b.bytes > 0 && b.bytes+size > s.cfg.ConnQueueBytes {
		s.l.Stats.Dropped++
		return record.DroppedSlow // nobody else's place would be enough
	}
	return record.Staged
}

// dropOldest removes messages that have not begun to leave, oldest first, until at most room is taken up.
func (s *Sessions) dropOldest(i uint32, w *work, room int) {
	kept := w.queue[:w.first]
	left := len(w.queue) - w.first
	for at := w.first; at < len(w.queue); at++ {
		ch := &w.queue[at]
		if ch.stays || ch.begun || w.bytes+chunkBytes*left <= room {
			kept = append(kept, *ch)
			continue
		}
		left--
		w.bytes -= ch.end - ch.from
		s.l.Stats.Dropped++
		s.settle(ch, record.DroppedSlow)
		ch.payload.Release()
	}
	clear(w.queue[len(kept):])
	w.queue = kept
	if w.bytes == 0 {
		w.ready = false
	}
	s.awake(i)
}

// evict ends the streams of a connection whose output has not moved for too long, because the client opens no window.
// One that does so to many of them is ended itself. It reports whether it was.
func (s *Sessions) evict(conn uint32, cr *record.Record) (gone bool) {
	c := s.linkOf(cr)
	for slot := c.first; slot != 0; {
		r := s.l.At(slot)
		e := s.streamOf(r)
		next := e.next
		w := s.works.at(e.work)
		shut := min(e.window, c.window) <= 0 // else it only waits for its turn
		if w.bytes > 0 && shut && s.l.Now()-w.moved >= int64(s.l.SlowPolicy(slot).Stall) {
			s.l.Stats.Evicted++
			s.reset(slot, r, record.ReasonSlow, h2.Cancel)
			if s.charge(conn, cr, resets, AbuseStall, stallCost) {
				return true // or its last stream was all that it waited for
			}
		}
		slot = next
	}
	return false
}

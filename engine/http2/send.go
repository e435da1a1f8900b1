package http2

import (
	"holdfast/codec/h2"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

// maxPiece is the most data in one frame: what every client takes, RFC 9113 §4.2, and what one stream sends before the
// next has its turn.
const maxPiece = h2.MinFrame

// roomy reports whether little enough waits for the socket that more may be queued. A socket that takes it at once is
// asked before anybody has to wait.
func (s *Sessions) roomy(conn uint32) bool {
	for s.l.Queued(conn) >= s.cfg.OutputBytes {
		if !s.l.Press(conn) {
			return false
		}
	}
	return true
}

// clear reports whether so much data may leave at once, as one frame.
func (s *Sessions) clear(conn uint32, c *link, e *stream, n int) bool {
	return s.works.at(e.work).bytes == 0 && n <= maxPiece && int32(n) <= min(c.window, e.window) && s.roomy(conn)
}

func (c *link) spend(e *stream, n int) {
	c.window -= int32(n)
	e.window -= int32(n)
}

// sendBytes sends or queues bytes of an answer, which are copied.
func (s *Sessions) sendBytes(slot uint32, r *record.Record, data []byte, end bool) {
	conn := r.Owner
	c, e := s.linkOf(s.l.At(conn)), s.streamOf(r)
	if w := s.works.at(e.work); len(data) == 0 && w.bytes > 0 {
		w.fin = end // behind what waits
		return
	}
	if len(data) == 0 || s.clear(conn, c, e, len(data)) { // nothing needs no window
		b := h2.AppendDataHeader(s.l.Compose(), e.id, len(data), end)
		s.l.Write(conn, append(b, data...))
		c.spend(e, len(data))
		return
	}
	buf := mem.Get(len(data))
	buf.B = append(buf.B[:0], data...)
	s.enqueue(slot, r, chunk{buf: buf, end: len(data), stays: true}, end)
}

// sendMessage sends or queues a message's frame from an offset on. Whole answers are dropped for no other message.
func (s *Sessions) sendMessage(slot uint32, r *record.Record, p *mem.Payload, f *mem.Frame, from int, ticket uint32, end bool) record.Fate {
	conn := r.Owner
	c, e := s.linkOf(s.l.At(conn)), s.streamOf(r)
	size := f.Size(p) - from
	if s.clear(conn, c, e, size) {
		c.spend(e, size)
		if !s.l.PushPiece(conn, h2.AppendDataHeader(s.l.Compose(), e.id, size, end), p, f, from, size, ticket, true) {
			return record.DroppedGone
		}
		s.earn(c, controls, controlsPerMessage)
		return record.Staged
	}
	if !end {
		if fate := s.makeRoom(slot, r, size); fate != record.Staged {
			return fate
		}
	}
	p.Retain()
	s.enqueue(slot, r, chunk{payload: p, frame: f, from: from, end: from + size, ticket: ticket, waiting: true, stays: end}, end)
	if e.work != 0 {
		s.awake(e.work)
	}
	return record.Staged
}

// enqueue puts output behind what waits on its stream, and sends what it can.
func (s *Sessions) enqueue(slot uint32, r *record.Record, ch chunk, end bool) {
	c, e := s.linkOf(s.l.At(r.Owner)), s.streamOf(r)
	b, w := s.busyOf(c), s.workOf(slot, r, e)
	if w.bytes == 0 {
		w.moved = s.l.Now()
	}
	first := b.bytes == 0
	n := ch.end - ch.from
	w.queue = append(w.queue, ch)
	w.bytes += n
	b.bytes += n
	w.fin = w.fin || end
	s.enter(b, r, e)
	s.pump(r.Owner)
	if first && s.busies.at(c.busy).bytes > 0 {
		s.rearm(r.Owner, s.l.At(r.Owner)) // the client may never open the window
	}
}

// enter gives a stream that may send its place among its connection's turns.
func (s *Sessions) enter(b *busy, r *record.Record, e *stream) {
	w := s.works.at(e.work)
	if e.work == 0 || w.ready || w.bytes == 0 || e.window <= 0 {
		return
	}
	w.ready = true
	b.turns[r.Flags>>urgencyShift&(urgencies-1)].push(e.work)
}

// next is whose turn it is: the most urgent first, and among equals one after the other (RFC 9218 §10).
func (s *Sessions) next(b *busy, conn uint32) uint32 {
	for i := range b.turns {
		t := &b.turns[i]
		for t.head < len(t.works) {
			at := t.pop()
			if w := s.works.at(at); w.ready && w.conn == conn {
				return at
			}
		}
	}
	return 0
}

// pump sends what waits on a connection's streams as far as windows and the socket allow.
func (s *Sessions) pump(conn uint32) {
	cr := s.l.At(conn)
	if cr.Closing || cr.State == connLinger {
		return
	}
	c := s.linkOf(cr)
	b := s.busies.at(c.busy)
	if b.bytes > 0 {
		for c.window > 0 && !cr.Closing {
			if !s.roomy(conn) {
				s.l.WantDrained(conn)
				break
			}
			i := s.next(b, conn)
			if i == 0 {
				break
			}
			s.turn(conn, c, b, i)
		}
	}
	s.rest(cr, c)
}

// turn sends one frame of a stream.
func (s *Sessions) turn(conn uint32, c *link, b *busy, i uint32) {
	w := s.works.at(i)
	slot := w.slot
	r := s.l.At(slot)
	e := s.streamOf(r)
	w.ready = false
	n := min(int(min(c.window, e.window)), maxPiece, w.bytes)
	if n <= 0 {
		return
	}
	last := w.fin && n == w.bytes
	head := h2.AppendDataHeader(s.frameHead[:0], e.id, n, last)
	c.spend(e, n)
	w.moved = s.l.Now()
	w.bytes -= n
	b.bytes -= n
	for n > 0 {
		ch := &w.queue[w.first]
		part := min(n, ch.end-ch.from)
		n -= part
		s.sendPart(conn, c, head, ch, part)
		head = nil
		if ch.from == ch.end {
			ch.release()
			w.first++
		}
	}
	if w.bytes > 0 {
		w.compact()
		s.enter(b, r, e)
		return
	}
	w.queue, w.first = w.queue[:0], 0
	switch {
	case last && active(r.State): // the exchange is about to end, and with it the stream
		w.fin = false
	case last:
		w.fin = false
		s.over(slot, r)
	case w.drain:
		b.drains = append(b.drains, i)
		s.l.WantDrained(conn)
	default:
		s.idleWork(e)
	}
}

// sendPart hands a part of a chunk to the loop, behind a frame's header if it is the first of that; with the last part
// goes the fate.
func (s *Sessions) sendPart(conn uint32, c *link, head []byte, ch *chunk, n int) {
	ch.begun = true
	if ch.buf != nil {
		s.l.Write(conn, append(append(s.l.Compose(), head...), ch.buf.B[ch.from:ch.from+n]...))
		ch.from += n
		return
	}
	last := ch.from+n == ch.end
	s.l.PushPiece(conn, head, ch.payload, ch.frame, ch.from, n, ch.ticket, last && ch.waiting)
	ch.from += n
	if last {
		ch.waiting = false
		s.earn(c, controls, controlsPerMessage)
	}
}

// compact gives back the room of what was sent, so that a queue that never empties does not grow for ever.
func (w *work) compact() {
	if w.first <= queueKeep {
		return
	}
	rest := copy(w.queue, w.queue[w.first:])
	clear(w.queue[rest:])
	w.queue, w.first = w.queue[:rest], 0
}

// unqueue takes a stream's output out of its connection.
func (s *Sessions) unqueue(c *link, w *work) {
	if w.conn == 0 {
		return
	}
	if c.busy != 0 {
		s.busies.at(c.busy).bytes -= w.bytes
	}
	w.conn, w.ready, w.drain, w.takes = 0, false, false, false
}

// Queued is how many bytes of output wait on a stream for a window or its turn.
func (s *Sessions) Queued(slot uint32) int {
	r := s.l.At(slot)
	if r.Kind != record.Stream || r.Extra == 0 {
		return s.l.Queued(slot)
	}
	return s.works.at(s.streamOf(r).work).bytes
}

// WantDrained asks to hear when everything written is sent.
func (s *Sessions) WantDrained(slot uint32) {
	r := s.l.At(slot)
	if r.State == stateSocket {
		s.sockets.WantDrained(slot)
		return
	}
	if !r.Closing && active(r.State) {
		s.wantDrained(slot, r)
	}
}

func (s *Sessions) wantDrained(slot uint32, r *record.Record) {
	e := s.streamOf(r)
	w := s.workOf(slot, r, e)
	if w.drain {
		return
	}
	w.drain = true
	if w.bytes == 0 {
		b := s.busyOf(s.linkOf(s.l.At(r.Owner)))
		b.drains = append(b.drains, e.work)
		s.l.WantDrained(r.Owner)
	}
}

// tellDrained: the connection's output is sent, and so is that of the streams whose queues are empty.
func (s *Sessions) tellDrained(conn uint32, cr *record.Record) {
	if cr.Closing || cr.State == connLinger {
		return
	}
	c := s.linkOf(cr)
	if c.busy == 0 {
		return
	}
	b := s.busies.at(c.busy)
	now := b.drains
	b.drains = nil
	for _, i := range now {
		w := s.works.at(i)
		if !w.drain || w.conn != conn || w.bytes > 0 {
			continue // with output again, it comes back when that is sent
		}
		w.drain = false
		slot := w.slot
		r := s.l.At(slot)
		switch {
		case r.Closing:
			continue
		case r.State == stateSocket:
			s.sockets.Drained(slot)
		case active(r.State):
			s.handler.Happened(s.view(slot), exchange.Drained)
		default:
			continue
		}
		if r := s.l.At(slot); !r.Closing && r.Kind == record.Stream {
			s.idleWork(s.streamOf(r))
		}
		if cr.Closing || cr.State == connLinger {
			return
		}
	}
	if b.drains == nil && s.busies.at(c.busy) == b {
		b.drains = now[:0]
	}
	s.rest(cr, c)
}

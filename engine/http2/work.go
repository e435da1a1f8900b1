package http2

import (
	"time"

	"holdfast/codec/h2"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

// busy is what a connection needs only while something is under way on it: a frame or header block that has not come
// whole, HPACK's table before the client knows that there is none, and output that waits.
type busy struct {
	reader  h2.Reader
	decoder *h2.Decoder // with a table, until our SETTINGS are acknowledged
	block   *mem.Buffer // a header block that goes on in CONTINUATION
	blockOf blockHead
	data    uint32 // bytes of the current DATA frame that were not data, or not yet
	partial bool   // a frame or block has begun and is not whole
	reading bool   // in Received: not to be dropped
	opened  int64  // ns, when our SETTINGS were sent
	since   int64  // ns, when what is partial began
	warned  int64  // ns, when the first GOAWAY of a drain was sent
	bytes   int    // that wait in its streams' queues
	turns   [urgencies]turn
	drains  []uint32 // works whose exchange wants to hear Drained and has nothing queued
}

// blockHead is the HEADERS frame that began a block.
type blockHead struct {
	id  uint32
	end bool  // of the stream
	bad error // what its payload is refused for
}

// turn is a queue of works that may send.
type turn struct {
	works []uint32
	head  int
}

const urgencies = 8

func (t *turn) push(i uint32) {
	if t.head > 0 && t.head == len(t.works) {
		t.works, t.head = t.works[:0], 0
	}
	t.works = append(t.works, i)
}

func (t *turn) pop() uint32 {
	i := t.works[t.head]
	t.head++
	if t.head > 64 && t.head*2 > len(t.works) {
		t.works = t.works[:copy(t.works, t.works[t.head:])]
		t.head = 0
	}
	return i
}

// busies are those of a loop, reused. Index 0 is none, and reads as nothing under way.
type busies struct {
	all  []*busy
	free []uint32
}

func (p *busies) init() { p.all = []*busy{{reader: h2.Rested()}} }

func (p *busies) at(i uint32) *busy { return p.all[i] }

// busyOf gives a connection a busy if it has none.
func (s *Sessions) busyOf(c *link) *busy {
	p := &s.busies
	if c.busy == 0 {
		if n := len(p.free); n > 0 {
			c.busy = p.free[n-1]
			p.free = p.free[:n-1]
			if p.all[c.busy] == nil {
				p.all[c.busy] = &busy{reader: h2.Rested()}
			}
		} else {
			p.all = append(p.all, &busy{reader: h2.Rested()})
			c.busy = uint32(len(p.all) - 1)
		}
	}
	return p.all[c.busy]
}

// bigTurn is the longest queue of turns that is kept for the next connection.
const bigTurn = 256

// spareBusies is how many are kept for the next connections: many that come at once need one each, for a moment.
const spareBusies = 256

func (p *busies) drop(c *link) {
	if c.busy == 0 {
		return
	}
	b := p.all[c.busy]
	if b.block != nil {
		b.block.Release()
	}
	if len(p.free) >= spareBusies {
		p.all[c.busy] = nil
		p.free = append(p.free, c.busy)
		c.busy = 0
		return
	}
	next := busy{reader: h2.Rested()}
	for i := range b.turns {
		if t := b.turns[i].works; cap(t) <= bigTurn {
			next.turns[i].works = t[:0]
		}
	}
	if cap(b.drains) <= bigTurn {
		next.drains = b.drains[:0]
	}
	*b = next
	p.free = append(p.free, c.busy)
	c.busy = 0
}

// rest drops what a connection no longer needs.
func (s *Sessions) rest(conn *record.Record, c *link) {
	if c.busy == 0 {
		return
	}
	b := s.busies.at(c.busy)
	if b.reading || b.partial || b.decoder != nil || b.block != nil || b.bytes > 0 || len(b.drains) > 0 ||
		conn.Flags&(flagUnsettled|flagWarned) != 0 || !b.reader.Resting() {
		return
	}
	s.busies.drop(c)
}

// work is what a stream needs only while its body is coming or its output waits.
type work struct {
	slot uint32
	conn uint32 // 0 when it was taken out of its connection

	body     h2.Body
	window   int32 // that the client may still send
	owed     int32 // that was used up, and is not given back yet
	patience time.Duration
	kept     *mem.Buffer // came while the exchange was paused
	takes    bool        // a body is coming

	extensions string // of a WebSocket, to be answered

	queue []chunk // output that waits, in order
	first int
	bytes int   // in queue
	moved int64 // ns, when some last left
	fin   bool  // the stream ends with the queue
	ready bool  // in its connection's turns
	drain bool  // its exchange wants to hear Drained
	due   bool  // in Sessions.due
}

// chunk is one piece of output: a message, or bytes of an answer.
type chunk struct {
	payload *mem.Payload // with frame: a reference of its own
	frame   *mem.Frame
	buf     *mem.Buffer
	from    int // what is left of it
	end     int
	begun   bool
	ticket  uint32
	waiting bool // its fate is not known yet
	stays   bool // no policy drops it
}

// works are those of a loop, reused. Index 0 is none, and reads as nothing under way.
type works struct {
	all  []*work
	free []uint32
}

func (p *works) init() { p.all = []*work{{}} }

func (p *works) at(i uint32) *work { return p.all[i] }

// workOf gives a stream a work if it has none.
func (s *Sessions) workOf(slot uint32, r *record.Record, e *stream) *work {
	p := &s.works
	if e.work != 0 {
		return p.all[e.work]
	}
	if n := len(p.free); n > 0 {
		e.work = p.free[n-1]
		p.free = p.free[:n-1]
	} else {
		p.all = append(p.all, new(work))
		e.work = uint32(len(p.all) - 1)
	}
	w := p.all[e.work]
	w.slot, w.conn = slot, r.Owner
	return w
}

// idleWork drops a stream's work when nothing is under way any more.
func (s *Sessions) idleWork(e *stream) {
	if w := s.works.at(e.work); e.work != 0 && !w.takes && w.kept == nil && w.bytes == 0 && !w.fin && !w.drain && !w.due {
		s.dropWork(e, record.ReasonDone)
	}
}

const queueKeep = 32 // chunks: a queue that grew beyond is not kept for the next stream

// dropWork gives a stream's work back and tells what became of messages that did not leave.
func (s *Sessions) dropWork(e *stream, why record.Reason) {
	w := s.works.at(e.work)
	f := record.DroppedGone
	if why == record.ReasonSlow {
		f = record.DroppedSlow
	}
	for i := w.first; i < len(w.queue); i++ {
		s.settle(&w.queue[i], f)
		w.queue[i].release()
	}
	if w.kept != nil {
		w.kept.Release()
	}
	clear(w.queue)
	queue := w.queue[:0]
	if cap(queue) > queueKeep {
		queue = nil
	}
	*w = work{queue: queue}
	s.works.free = append(s.works.free, e.work)
	e.work = 0
}

func (c *chunk) release() {
	if c.payload != nil {
		c.payload.Release()
	} else if c.buf != nil {
		c.buf.Release()
	}
	*c = chunk{}
}

// settle says a message's fate; it has one only.
func (s *Sessions) settle(c *chunk, f record.Fate) {
	if c.waiting {
		c.waiting = false
		s.l.Tell(c.ticket, f)
	}
}

// awake puts a work on the list of those to look at in the flush.
func (s *Sessions) awake(i uint32) {
	w := s.works.at(i)
	if w.due {
		return
	}
	w.due = true
	s.due = append(s.due, i)
	if !s.later {
		s.later = true
		s.l.Defer(s.lookDue)
	}
}

// doDue gives exchanges what was kept of their bodies, and tells the publishers of what could not leave that it is
// pending.
func (s *Sessions) doDue() {
	s.later = false
	now := s.due
	s.due = nil
	for _, i := range now {
		w := s.works.at(i)
		if !w.due {
			continue // another stream's by now, or none's
		}
		w.due = false
		r := s.l.At(w.slot)
		if r.Closing || s.l.At(w.conn).Closing {
			continue // its end tells
		}
		for at := w.first; at < len(w.queue); at++ {
			s.settle(&w.queue[at], record.Pending)
		}
		if r.State == stateSocket {
			s.openTunnel(w.slot, r, w)
			continue
		}
		e := s.streamOf(r)
		if w.kept != nil && !r.Paused {
			s.giveKept(w.slot, r, w)
			continue
		}
		s.idleWork(e)
	}
	if s.due == nil {
		s.due = now[:0]
	}
}

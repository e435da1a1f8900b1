package http2

import (
	"math/bits"
	"math/rand/v2"

	"holdfast/codec/h2"
	"holdfast/engine/record"
	"holdfast/registry"
)

// link is what a connection costs beside its record. It is addressed by record.Record.Extra.
type link struct {
	first   uint32 // of its streams, the newest: a slot
	count   uint32 // of its streams
	last    uint32 // highest stream that the client has opened
	quiet   uint32 // highest stream that we have reset: what was on its way then may still come, RFC 9113 §5.4.2
	window  int32  // that we may send
	initial int32  // that a new stream may be sent
	recv    int32  // that the client may send
	busy    uint32 // index of what is under way, 0 none
	idle    uint32 // loop seconds when its last stream ended
	stamp   uint32 // loop seconds when the levels were last lowered
	levels  [budgets]int16
}

// stream is what an exchange costs beside its record. It is addressed by the record's Extra.
type stream struct {
	id     uint32
	window int32  // that it may be sent, below 0 when SETTINGS took it back
	next   uint32 // of its connection's streams: slots
	prev   uint32
	chain  uint32 // next slot in the index
	work   uint32 // index of what is under way, 0 none
}

func (s *Sessions) linkOf(conn *record.Record) *link { return s.links.At(conn.Extra) }

func (s *Sessions) streamOf(r *record.Record) *stream { return s.streams.At(r.Extra) }

// open takes a slot for a stream of the connection. It reports false when there is none left.
func (s *Sessions) open(conn uint32, cr *record.Record, id uint32) (slot uint32, ok bool) {
	slot, ok = s.l.Spawn(conn, record.Stream)
	if !ok {
		return 0, false
	}
	r := s.l.At(slot)
	if r.Extra, ok = s.streams.Alloc(); !ok {
		r.State = stateOver
		s.Stats.Streams[stateOver]++
		s.l.Close(slot, record.ReasonInternal)
		return 0, false
	}
	r.Listener = cr.Listener
	c, e := s.linkOf(cr), s.streamOf(r)
	e.id, e.window = id, c.initial
	e.next = c.first
	if c.first != 0 {
		s.streamOf(s.l.At(c.first)).prev = slot
	}
	c.first = slot
	c.count++
	s.index.add(s, conn, slot, e)
	s.Stats.Streams[stateWait]++
	r.State = stateWait
	return slot, true
}

// unlink takes a stream out of its connection: its frames will not find it any more.
func (s *Sessions) unlink(slot uint32, r *record.Record) {
	conn := s.l.At(r.Owner)
	c, e := s.linkOf(conn), s.streamOf(r)
	if e.work != 0 {
		s.unqueue(c, s.works.at(e.work))
	}
	if e.prev != 0 {
		s.streamOf(s.l.At(e.prev)).next = e.next
	} else {
		c.first = e.next
	}
	if e.next != 0 {
		s.streamOf(s.l.At(e.next)).prev = e.prev
	}
	s.index.remove(s, r.Owner, slot, e)
	e.next, e.prev = 0, 0
	c.count--
	c.idle = s.l.Seconds()
}

// endStreams lets go of all streams of a connection that ends; each hears it when the loop buries it.
func (s *Sessions) endStreams(conn *record.Record, why record.Reason) {
	c := s.linkOf(conn)
	for slot := c.first; slot != 0; slot = c.first {
		s.unlink(slot, s.l.At(slot))
		s.l.Close(slot, why)
	}
}

func (s *Sessions) dropLink(conn *record.Record) {
	c := s.linkOf(conn)
	s.busies.drop(c)
	s.links.Free(conn.Extra)
	conn.Extra = 0
	s.Stats.Conns--
}

// closedStream gives back what a stream cost. Its connection may be gone already.
func (s *Sessions) closedStream(slot uint32, r *record.Record, why record.Reason) {
	switch {
	case active(r.State):
		s.handler.Ended(s.view(slot), why)
	case r.State == stateSocket:
		s.sockets.Closed(slot, why)
	}
	s.Stats.Streams[r.State]--
	if r.Extra == 0 {
		return
	}
	if e := s.streamOf(r); e.work != 0 {
		s.dropWork(e, why)
	}
	s.streams.Free(r.Extra)
	r.Extra = 0
}

// index finds streams by connection and number: linear hashing over slots that the streams chain, so that it grows by one
// bucket at a time. Numbers are the clients' choice, so the hash is seeded.
type index struct {
	heads []uint32
	count uint32
	seed  uint64
}

const minBuckets = 64

func (x *index) init() {
	x.heads = make([]uint32, minBuckets)
	x.seed = rand.Uint64() | 1
}

func (x *index) hash(conn, id uint32) uint32 {
	hi, lo := bits.Mul64((uint64(conn)<<32|uint64(id))^x.seed, 0x9e3779b97f4a7c15^x.seed<<1)
	hi, lo = bits.Mul64(hi^lo^x.seed, 0xd6e8feb86659fd93)
	return uint32(hi ^ lo)
}

// bucket is where a hash belongs while the table has its length: buckets split in order.
func (x *index) bucket(hash uint32) uint32 {
	n := uint32(len(x.heads))
	mask := uint32(1)<<bits.Len32(n-1) - 1
	if at := hash & mask; at < n {
		return at
	}
	return hash & (mask >> 1)
}

func (x *index) add(s *Sessions, conn, slot uint32, e *stream) {
	x.count++
	if x.count > uint32(len(x.heads)) {
		x.split(s)
	}
	at := x.bucket(x.hash(conn, e.id))
	e.chain = x.heads[at]
	x.heads[at] = slot
}

// split adds a bucket and moves what belongs there out of the one that it is split from.
func (x *index) split(s *Sessions) {
	n := uint32(len(x.heads))
	x.heads = append(x.heads, 0)
	from := n & (uint32(1)<<(bits.Len32(n)-1) - 1)
	slot := x.heads[from]
	x.heads[from] = 0
	for slot != 0 {
		r := s.l.At(slot)
		e := s.streamOf(r)
		next := e.chain
		at := x.bucket(x.hash(r.Owner, e.id))
		e.chain = x.heads[at]
		x.heads[at] = slot
		slot = next
	}
}

func (x *index) remove(s *Sessions, conn, slot uint32, e *stream) {
	p := &x.heads[x.bucket(x.hash(conn, e.id))]
	for *p != slot {
		p = &s.streamOf(s.l.At(*p)).chain
	}
	*p = e.chain
	e.chain = 0
	x.count--
}

// find returns the slot of a stream, 0 when there is none.
func (s *Sessions) find(conn, id uint32) uint32 {
	slot := s.index.heads[s.index.bucket(s.index.hash(conn, id))]
	for slot != 0 {
		r := s.l.At(slot)
		e := s.streamOf(r)
		if e.id == id && r.Owner == conn {
			return slot
		}
		slot = e.chain
	}
	return 0
}

// ending is how a stream came to its end, as far as that decides what later frames of it mean, RFC 9113 §5.1.
type ending uint8

const (
	unknown  ending = iota
	ended           // both sides have said so
	resetIn         // the client did
	resetOut        // we did
)

// past remembers how the latest streams of all connections ended, in as much memory however many there are.
type past struct {
	seen []pastStream
}

type pastStream struct {
	conn registry.Handle
	id   uint32
	how  ending
}

const pastStreams = 1024

func (p *past) init() { p.seen = make([]pastStream, pastStreams) }

func (s *Sessions) pastOf(conn, id uint32) *pastStream {
	return &s.past.seen[s.index.hash(conn, id)%pastStreams]
}

func (s *Sessions) remember(conn, id uint32, how ending) {
	*s.pastOf(conn, id) = pastStream{s.l.Handle(conn), id, how}
}

// howEnded says how a stream below the highest came to its end.
func (s *Sessions) howEnded(conn uint32, c *link, id uint32) ending {
	if p := s.pastOf(conn, id); p.id == id && p.conn == s.l.Handle(conn) {
		return p.how
	}
	if id <= c.quiet {
		return resetOut
	}
	return unknown
}

const maxWindow = h2.MaxWindow

package http1

import (
	"time"

	"holdfast/codec/h1"
	"holdfast/engine/record"
)

// sparesKept bounds the parsers that wait for the next head that comes in pieces.
const sparesKept = 64

// extra is what a connection needs only while a request is on its way in.
type extra struct {
	head     *h1.Request // of a head that has not come whole
	body     h1.Body
	patience time.Duration // for the next piece of the body

	handshake handshake // of a WebSocket that waits to be answered
}

// extras are those of a loop, reused. Index 0 is none.
type extras struct {
	all    []extra
	free   []uint32
	spares []*h1.Request
}

func (e *extras) init() { e.all = make([]extra, 1, 64) }

func (e *extras) at(i uint32) *extra { return &e.all[i] }

// extraOf gives the connection an extra if it has none.
func (s *Sessions) extraOf(r *record.Record) *extra {
	if r.Extra != 0 {
		return s.extras.at(r.Extra)
	}
	e := &s.extras
	if n := len(e.free); n > 0 {
		r.Extra = e.free[n-1]
		e.free = e.free[:n-1]
		e.all[r.Extra] = extra{}
	} else {
		e.all = append(e.all, extra{})
		r.Extra = uint32(len(e.all) - 1)
	}
	return e.at(r.Extra)
}

func (s *Sessions) dropExtra(r *record.Record) {
	if r.Extra == 0 {
		return
	}
	s.extras.recycle(s.extras.at(r.Extra))
	s.extras.free = append(s.extras.free, r.Extra)
	r.Extra = 0
}

// parser is the one that a head begins with: a spare, or a new one.
func (e *extras) parser() *h1.Request {
	if n := len(e.spares); n > 0 {
		p := e.spares[n-1]
		e.spares = e.spares[:n-1]
		p.Reset()
		return p
	}
	return new(h1.Request)
}

func (e *extras) recycle(x *extra) {
	if x.head != nil && len(e.spares) < sparesKept {
		e.spares = append(e.spares, x.head)
	}
	x.head = nil
}

package websocket

import (
	"time"

	"holdfast/engine/exchange"
	"holdfast/engine/loop"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

// Sessions serves a loop's WebSockets that have a connection of their own: the loop.Protocol of record.WebSocket.
type Sessions struct {
	*Machine
	conns conns
}

// New makes the sessions of a loop.
func New(l *loop.Loop, h exchange.Handler, cfg Config) *Sessions {
	s := &Sessions{conns: conns{l: l}}
	s.Machine = &Machine{house: newHouse(l, h, cfg), c: &s.conns}
	s.conns.session = s.Machine
	return s
}

// Adopt makes a connection a WebSocket, see http1.Sockets.
func (s *Sessions) Adopt(slot uint32, deflate bool, after time.Duration) bool {
	s.l.At(slot).Kind = record.WebSocket
	deflate = s.Begin(slot, deflate, after)
	s.l.Resume(slot) // it may have waited for its answer
	return deflate
}

// conns carries WebSockets over connections of their own: State is Record.Extra and Record.Flags.
type conns struct {
	l       *loop.Loop
	session exchange.Session
}

// flagDone: the peer has ended its side and all was read.
const flagDone uint16 = 1 << 12

func (c *conns) State(slot uint32) State {
	r := c.l.At(slot)
	return State{Extra: r.Extra, Bits: r.Flags}
}

func (c *conns) Keep(slot uint32, st State) {
	r := c.l.At(slot)
	r.Extra, r.Flags = st.Extra, st.Bits
}

func (c *conns) View(slot uint32) exchange.Exchange {
	return exchange.Exchange{Slot: slot, Session: c.session}
}

func (c *conns) Write(slot uint32, b []byte) { c.l.Write(slot, b) }

func (c *conns) Push(slot uint32, p *mem.Payload, f *mem.Frame, ticket uint32) record.Fate {
	return c.l.Push(slot, p, f, ticket)
}

func (c *conns) Queued(slot uint32) int               { return c.l.Queued(slot) }
func (c *conns) WantDrained(slot uint32)              { c.l.WantDrained(slot) }
func (c *conns) Pause(slot uint32)                    { c.l.Pause(slot) }
func (c *conns) Resume(slot uint32)                   { c.l.Resume(slot) }
func (c *conns) Abort(slot uint32, why record.Reason) { c.l.Close(slot, why) }

// End closes our side once everything queued is sent; Record.State says from then on why. What the client still sends is
// read and thrown away, because closing with input unread would reset what is on its way to it.
func (c *conns) End(slot uint32, why record.Reason) {
	c.l.At(slot).State = ending(why)
	c.l.SetDeadline(slot, 0)
	c.l.Resume(slot)
	c.l.CloseAfterWrite(slot)
}

// ending is Record.State of a connection that ends: 0 is one that does not.
func ending(why record.Reason) uint8 { return 1 + uint8(why) }

// finish is the end of the connection.
func (c *conns) finish(slot uint32, r *record.Record) { c.l.Close(slot, record.Reason(r.State-1)) }

// Happened is the loop telling of a connection.
func (s *Sessions) Happened(slot uint32, e loop.Event) {
	r := s.l.At(slot)
	switch e {
	case loop.Opened: // by Adopt only
	case loop.HungUp:
		s.HungUp(slot)
	case loop.Ended:
		r.Flags |= flagDone
		s.Gone(slot)
		if s.l.Queued(slot) == 0 {
			s.conns.finish(slot, r)
		}
	case loop.Drained:
		switch {
		case r.State == 0:
			s.Drained(slot)
		case r.Flags&flagDone != 0:
			s.conns.finish(slot, r)
		default:
			s.l.SetDeadline(slot, s.l.Now()+int64(s.cfg.LingerTimeout))
		}
	case loop.Expired:
		if r.State != 0 {
			s.conns.finish(slot, r)
			return
		}
		s.Expired(slot)
	}
}

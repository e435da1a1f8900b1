// Package http1 is the HTTP/1.x session: it turns a connection's bytes into exchanges for the gateway, and the
// gateway's answers and messages into bytes (RFC 9112). One Sessions value serves all HTTP/1 connections of a loop;
// what a connection costs while nothing happens is its record.Record. It must never know what a route or a key is.
//
// Read session.go (states and events), request.go (input), respond.go (answers), hold.go (parked exchanges and the
// wire forms of messages), upgrade.go (who goes on as something else).
package http1

import (
	"math"
	"time"

	"holdfast/codec/h1"
	"holdfast/engine/exchange"
	"holdfast/engine/loop"
	"holdfast/engine/record"
)

// The states of a connection: where its current request is. Kept in record.Record.State.
const (
	stateIdle    uint8 = iota // between requests; deadline HeadTimeout at first, then KeepAliveTimeout
	stateHead                 // a head has begun and is not whole; deadline HeadTimeout
	stateBody                 // an exchange is active and its body is coming; deadline by Patience
	stateWait                 // the request is whole, the answer is not; input is paused
	stateHold                 // parked as a stream; input is paused
	statePoll                 // parked until one message; input is paused
	stateDiscard              // answered before the body ended; the rest is thrown away, then stateIdle
	stateLinger               // we will send no more; input is thrown away until the peer closes or LingerTimeout

	States // how many there are
)

var stateNames = [States]string{"idle", "head", "body", "waiting", "held", "poll", "discarding", "lingering"}

// StateName is how metrics call a state, an index of Stats.States.
func StateName(state uint8) string { return stateNames[state] }

// The flags of a connection. Kept in record.Record.Flags; the first group lasts for one exchange.
const (
	flagKeep     uint16 = 1 << iota // the connection outlives this exchange
	flagOld                         // the client speaks HTTP/1.0
	flagHead                        // HEAD: the answer has no body
	flagOpen                        // the answer's head is written
	flagChunked                     // the answer's body is chunked
	flagContinue                    // 100 Continue is owed before the body will come
	flagLeft                        // the client has left a hold
	flagHungUp                      // the peer has ended its side; what it sent before may still be unread
	flagPeerDone                    // … and all of it was read
	flagUsed                        // at least one request was answered on this connection

	exchangeFlags = flagKeep | flagOld | flagHead | flagOpen | flagChunked | flagContinue | record.FlagBulk
)

// Config bounds what one connection can make us spend. Zero means the default.
type Config struct {
	Limits           h1.Limits     // sizes of heads, chunks and trailers
	HeadTimeout      time.Duration // from connect, or from a head's first byte, to its end: 10 s; stops slow headers (408)
	BodyTimeout      time.Duration // between two pieces of a body: 10 s; stops slow bodies (408)
	KeepAliveTimeout time.Duration // between two requests: 75 s
	LingerTimeout    time.Duration // reading on after our last byte: 2 s (RFC 9112 §9.6)
	PipelineBytes    int           // input kept behind a hold: 4 KiB; beyond, the connection ends with that hold
	OutputBytes      int           // answers queued before no further pipelined request is read: 64 KiB
	DiscardBytes     int64         // unread body thrown away to keep a connection: 64 KiB; beyond, it ends
}

func (c *Config) fill() {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.HeadTimeout, 10*time.Second)
	def(&c.BodyTimeout, 10*time.Second)
	def(&c.KeepAliveTimeout, 75*time.Second)
	def(&c.LingerTimeout, 2*time.Second)
	if c.PipelineBytes <= 0 {
		c.PipelineBytes = 4 << 10
	}
	if c.OutputBytes <= 0 {
		c.OutputBytes = 64 << 10
	}
	if c.DiscardBytes <= 0 {
		c.DiscardBytes = 64 << 10
	}
	if c.Limits == (h1.Limits{}) {
		c.Limits = h1.DefaultLimits
	}
}

// lastRequest is how long a connection without a request may still send one once the node drains: what is on its way
// now is answered.
const lastRequest = 200 * time.Millisecond

// Sessions serves a loop's HTTP/1 connections.
type Sessions struct {
	l       *loop.Loop
	handler exchange.Handler
	cfg     Config
	framers framers
	extras  extras
	sockets Sockets     // nil: no WebSockets
	streams Streams     // nil: no HTTP/2
	request *h1.Request // parses heads; one that comes in pieces takes it along
	head    exchange.Head
	date    date
	closing bool // Drain was called: every answer is its connection's last
	Stats   Stats
}

// Stats are the sessions' own counts. Read them on the loop.
type Stats struct {
	Requests  uint64
	BadHeads  uint64 // refused by the parser
	Timeouts  uint64 // 408
	Pipelined uint64 // input thrown away for PipelineBytes
	Upgrades  uint64 // connections that went on in HTTP/2 by Upgrade: h2c
	Sockets   uint64 // connections that became WebSockets

	States [States]int64 // connections now, by state
}

// New makes the sessions of a loop; boundary separates the parts of multipart answers and must be unguessable.
func New(l *loop.Loop, h exchange.Handler, cfg Config, boundary string) *Sessions {
	cfg.fill()
	s := &Sessions{l: l, handler: h, cfg: cfg, request: new(h1.Request)}
	s.framers.init(s, boundary)
	s.extras.init()
	return s
}

func (s *Sessions) view(slot uint32) exchange.Exchange {
	return exchange.Exchange{Slot: slot, Session: s}
}

// active reports whether an exchange is under way.
func active(state uint8) bool { return state >= stateBody && state <= statePoll }

// parked reports whether the exchange waits for messages.
func parked(state uint8) bool { return state == stateHold || state == statePoll }

// Happened is the loop telling of a connection.
func (s *Sessions) Happened(slot uint32, e loop.Event) {
	r := s.l.At(slot)
	switch e {
	case loop.Opened:
		patience := s.cfg.HeadTimeout
		if s.closing {
			patience = lastRequest
		}
		s.Stats.States[stateIdle]++
		s.l.SetDeadline(slot, s.l.Now()+int64(patience))
	case loop.HungUp:
		s.hungUp(slot, r)
	case loop.Ended:
		s.ended(slot, r)
	case loop.Drained:
		s.drained(slot, r)
	case loop.Expired:
		s.expired(slot, r)
	}
}

// hungUp: whoever waits for messages and ends its side has left; whoever waits for an answer may still want it.
func (s *Sessions) hungUp(slot uint32, r *record.Record) {
	r.Flags |= flagHungUp
	if parked(r.State) {
		s.leave(slot, r)
	}
}

// leave ends a hold whose client has left. What it had sent behind is read to its end and not heard: closing with input
// unread would reset answers that are still on their way (RFC 9112 §9.6).
func (s *Sessions) leave(slot uint32, r *record.Record) {
	s.abandon(slot, r, record.ReasonGone)
	r.Flags |= flagLeft
	s.last(slot, r)
}

// ended: there will be no more input and all of it was read. The answers to what came whole are still sent.
func (s *Sessions) ended(slot uint32, r *record.Record) {
	r.Flags |= flagPeerDone
	why := record.ReasonDone
	switch r.State {
	case stateIdle, stateDiscard, stateLinger:
		if r.Flags&flagLeft != 0 {
			why = record.ReasonGone
		}
	default:
		why = record.ReasonGone // from what it waits for, or in a head or body that will never be whole
	}
	if s.l.Queued(slot) == 0 || half(r) {
		s.l.Close(slot, why)
		return
	}
	s.abandon(slot, r, why)
	s.last(slot, r)
}

func (s *Sessions) drained(slot uint32, r *record.Record) {
	switch {
	case r.State == stateLinger:
		if r.Flags&flagPeerDone != 0 {
			s.l.Close(slot, record.ReasonDone)
			return
		}
		s.l.SetDeadline(slot, s.l.Now()+int64(s.cfg.LingerTimeout))
	case r.State == stateIdle: // the client reads its answers after all
		s.l.SetDeadline(slot, s.l.Now()+int64(s.cfg.KeepAliveTimeout))
		s.l.Resume(slot)
	case active(r.State):
		s.handler.Happened(s.view(slot), exchange.Drained)
	}
}

func (s *Sessions) expired(slot uint32, r *record.Record) {
	switch r.State {
	case stateHead, stateBody:
		s.Stats.Timeouts++
		s.refuse(slot, r, record.ReasonTimeout, 408, "the request took too long to arrive")
	case stateHold, statePoll:
		s.handler.Happened(s.view(slot), exchange.TimedOut)
	case stateWait:
	case stateIdle:
		if s.l.Queued(slot) > 0 { // the answer is not read; the loop's stall timeout decides
			s.l.SetDeadline(slot, s.l.Now()+int64(s.cfg.KeepAliveTimeout))
			return
		}
		s.l.Close(slot, record.ReasonDone)
	case stateDiscard: // it has its answer, or will
		s.dropExtra(r)
		s.last(slot, r)
	case stateLinger: // a reset here could still destroy an answer on its way to a slow reader
		s.l.Close(slot, record.ReasonDone)
	}
}

// Closed is the loop's last word on a connection.
func (s *Sessions) Closed(slot uint32, why record.Reason) {
	r := s.l.At(slot)
	s.dropExtra(r)
	if active(r.State) {
		s.handler.Ended(s.view(slot), why)
	}
	s.Stats.States[r.State]--
}

// move is the only way from one state to another, so that the counts stay true.
func (s *Sessions) move(r *record.Record, state uint8) {
	s.Stats.States[r.State]--
	s.Stats.States[state]++
	r.State = state
}

// finish ends an exchange whose answer is queued whole, and readies the connection for the next one, or its end.
func (s *Sessions) finish(slot uint32, r *record.Record) {
	rest, kept := s.unread(r)
	s.move(r, stateLinger) // the exchange is over for whoever asks from inside Ended
	s.handler.Ended(s.view(slot), record.ReasonDone)
	s.l.Turn(slot)
	keep := r.Flags&flagKeep != 0 && !r.Closing && !s.closing
	r.Flags = r.Flags&^exchangeFlags | flagUsed
	switch {
	case !keep || rest && !kept:
		s.dropExtra(r)
		s.last(slot, r)
	case rest:
		s.move(r, stateDiscard) // all of it within one BodyTimeout
		s.l.SetDeadline(slot, s.l.Now()+int64(s.cfg.BodyTimeout))
		s.l.Resume(slot)
	default:
		s.dropExtra(r)
		s.move(r, stateIdle)
		s.l.SetDeadline(slot, s.l.Now()+int64(s.cfg.KeepAliveTimeout))
		s.l.Resume(slot)
	}
}

// Drain makes every answer the last one of its connection, and soon closes those that wait for a request.
func (s *Sessions) Drain() {
	s.closing = true
	s.l.Each(0, math.MaxInt, func(slot uint32, r *record.Record) {
		switch {
		case r.Kind != record.HTTP1 || r.State != stateIdle:
		case s.l.Queued(slot) == 0:
			s.l.SetDeadline(slot, s.l.Now()+int64(lastRequest))
		default:
			s.last(slot, r)
		}
	})
}

// unread reports whether a part of the request's body has not come yet, and whether it is worth reading to keep the
// connection: a body of unknown or great length is not, nor one that waits for 100 Continue.
func (s *Sessions) unread(r *record.Record) (rest, worth bool) {
	if r.State != stateBody {
		return false, false
	}
	left := s.extras.at(r.Extra).body.Remaining()
	return left != 0, left >= 0 && left <= s.cfg.DiscardBytes && r.Flags&flagContinue == 0
}

// abandon ends an exchange whose request will not come whole.
func (s *Sessions) abandon(slot uint32, r *record.Record, why record.Reason) {
	if active(r.State) {
		s.move(r, stateLinger)
		s.handler.Ended(s.view(slot), why)
		s.l.Turn(slot)
	}
	s.dropExtra(r)
}

// last closes the connection once everything queued is sent.
func (s *Sessions) last(slot uint32, r *record.Record) {
	s.move(r, stateLinger)
	s.l.SetDeadline(slot, 0)
	s.l.Resume(slot)
	s.l.CloseAfterWrite(slot)
}

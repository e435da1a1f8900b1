// Package exchange is the one face that every protocol shows the gateway: one request and its response, whatever
// carries them. An Exchange is a view made anew for each event; nobody keeps one across ticks: what is kept is its
// Handle, and View makes a view of it again if it is still alive. It must never show a socket or a wire format.
package exchange

import (
	"time"

	"holdfast/codec/field"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/registry"
)

// Head is what a request asks for. Its bytes are the session's and are good until the callback returns.
type Head struct {
	Method    []byte
	Path      []byte // origin-form path, still percent-encoded
	Query     []byte // after '?', still encoded
	Authority []byte
	Fields    []field.Field
	Protocol  []byte // that the client wants to go on with, "websocket" (RFC 6455 §4.1, RFC 8441 §4); empty for none
	HasBody   bool
	Length    int64 // of the body, -1 when it is not known yet
	Listener  int   // where the request came in
}

// Response is what an answer's head says, and for Respond its whole body. Fields are added to those that the session
// writes itself (Date, Content-Length, Transfer-Encoding, Connection).
type Response struct {
	Status int
	Type   string // Content-Type, "" for none
	Fields []field.Field
	Body   []byte

	Subprotocol []byte // of a WebSocket: one of those that the client offered; empty for none
}

// Exchange is one request and its response.
type Exchange struct {
	Slot    uint32
	Session Session
}

// Session is what a protocol does for the gateway.
type Session interface {
	Responder
	Holder
	Reader
}

// Responder is how the gateway answers a request.
type Responder interface {
	Respond(slot uint32, r *Response) // all at once; the exchange ends
	Open(slot uint32, r *Response)    // the head of a body that Write sends and End ends
	Write(slot uint32, b []byte)      // copied
	WantDrained(slot uint32)          // hear Drained once all that was written is sent
	End(slot uint32)                  // of a streamed body
}

// Holder parks an exchange and sends it messages.
type Holder interface {
	// Hold sends the form's head, if it has one, and keeps the exchange open without any input being wanted.
	// The gateway hears TimedOut after the given time.
	Hold(slot uint32, f Form, r *Response, after time.Duration)
	// Deliver sends one message in the hold's form; a poll ends with it. See loop.Loop.Push for the answer.
	Deliver(slot uint32, p *mem.Payload, ticket uint32) record.Fate
	// Beat breaks the silence of a stream, in forms that can, and asks for TimedOut again; 0 is never.
	Beat(slot uint32, after time.Duration)
	// Goaway ends a hold in its form's own words.
	Goaway(slot uint32)
}

// Reader is how the gateway steers a request's body.
type Reader interface {
	Pause(slot uint32)
	Resume(slot uint32)
	// Patience is how long the next piece of the body may take; each piece starts it anew.
	Patience(slot uint32, d time.Duration)
}

// Event is what happens to an exchange besides its body.
type Event uint8

// The events.
const (
	Complete Event = iota // the request's body has come whole; follows Begin at once where there is none
	TimedOut              // the time given to Hold or Beat has passed
	Drained               // all that Write queued is sent, after WantDrained
)

// Handler is the gateway as sessions see it.
type Handler interface {
	// Begin starts an exchange. It may answer at once, even before the body.
	Begin(x Exchange, h *Head)
	// Body is the next piece of the request's body.
	Body(x Exchange, b []byte)
	Happened(x Exchange, e Event)
	// Message is a whole message from the client of a WebSocket; data is good until the callback returns.
	Message(x Exchange, text bool, data []byte)
	// Ended is the last call for an exchange, however it ended. Why is ReasonDone when it was answered whole.
	Ended(x Exchange, why record.Reason)
}

// Host is the loop as the gateway sees it: records, handles and time, but no socket.
type Host interface {
	At(slot uint32) *record.Record
	Handle(slot uint32) registry.Handle
	Live(h registry.Handle) bool
	Chain(owner uint32) (slot uint32, ok bool)
	Unchain(slot uint32)
	Member(slot uint32) *registry.Member
	Each(after uint32, limit int, visit func(slot uint32, r *record.Record)) uint32
	Queued(slot uint32) int
	ID() int
	Now() int64   // of this tick
	Clock() int64 // read now: to measure, not to decide
	Seconds() uint32
}

// Space rebuilds views of one loop's exchanges.
type Space struct {
	Host
	sessions [8]Session // by record.Kind
}

// NewSpace makes the space of a loop. Speak adds its sessions.
func NewSpace(h Host) *Space { return &Space{Host: h} }

// Speak says which session serves connections of a kind. Before the loop runs only.
func (s *Space) Speak(k record.Kind, session Session) { s.sessions[k] = session }

// View is the exchange that a hold's slot belongs to: its own, or for a further key the one that it is chained to.
func (s *Space) View(slot uint32) Exchange {
	r := s.At(slot)
	if r.Kind == record.Chain {
		slot = r.Owner
		r = s.At(slot)
	}
	return Exchange{Slot: slot, Session: s.sessions[r.Kind]}
}

// Queued is how many bytes of output wait for an exchange. A stream's are its session's to count: it has no socket.
func (s *Space) Queued(slot uint32) int {
	if r := s.At(slot); r.Kind == record.Stream {
		if q, ok := s.sessions[r.Kind].(interface{ Queued(slot uint32) int }); ok {
			return q.Queued(slot)
		}
	}
	return s.Host.Queued(slot)
}

// Respond answers all at once and ends the exchange.
func (x Exchange) Respond(r *Response) { x.Session.Respond(x.Slot, r) }

// Open sends the head of a streamed answer.
func (x Exchange) Open(r *Response) { x.Session.Open(x.Slot, r) }

// Write sends a piece of a streamed answer.
func (x Exchange) Write(b []byte) { x.Session.Write(x.Slot, b) }

// End ends a streamed answer.
func (x Exchange) End() { x.Session.End(x.Slot) }

// WantDrained asks to hear Drained.
func (x Exchange) WantDrained() { x.Session.WantDrained(x.Slot) }

// Hold parks the exchange.
func (x Exchange) Hold(f Form, r *Response, after time.Duration) {
	x.Session.Hold(x.Slot, f, r, after)
}

// Beat breaks the silence of a parked exchange.
func (x Exchange) Beat(after time.Duration) { x.Session.Beat(x.Slot, after) }

// Deliver sends one message to a parked exchange.
func (x Exchange) Deliver(p *mem.Payload, ticket uint32) record.Fate {
	return x.Session.Deliver(x.Slot, p, ticket)
}

// Goaway ends a parked exchange in its form's own words.
func (x Exchange) Goaway() { x.Session.Goaway(x.Slot) }

// Pause stops the request's body.
func (x Exchange) Pause() { x.Session.Pause(x.Slot) }

// Resume takes Pause back.
func (x Exchange) Resume() { x.Session.Resume(x.Slot) }

// Patience says how long the next piece of the request's body may take.
func (x Exchange) Patience(d time.Duration) { x.Session.Patience(x.Slot, d) }

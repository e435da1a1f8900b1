package http1

import (
	"time"

	"holdfast/codec/h1"
	"holdfast/engine/exchange"
	"holdfast/engine/form"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

// Wire forms of messages: a push is framed at most once in each. A stream's form comes chunked or, for HTTP/1.0, bare;
// a poll's comes with each way to say whether the connection stays.
const (
	wireChunked = 0 // + exchange.Form
	wireBare    = int(exchange.Forms)
	wirePoll    = 2 * int(exchange.Forms) // + pollKeep, pollOld
	pollKeep    = 1
	pollOld     = 2
	wires       = wirePoll + 4
)

// framers make a payload's frame in each wire form; made once, so that no delivery allocates a closure.
type framers struct {
	wire  [wires]mem.Framer
	words *[exchange.Forms]form.Words
}

func (f *framers) init(s *Sessions, boundary string) {
	book := form.New(boundary)
	f.words = &book.Words
	for as, framer := range book.Framers {
		if framer != nil {
			f.wire[wireBare+as] = framer
			f.wire[wireChunked+as] = chunked(framer)
		}
	}
	for variant := range 4 {
		var flags uint16
		if variant&pollKeep != 0 {
			flags |= flagKeep
		}
		if variant&pollOld != 0 {
			flags |= flagOld
		}
		f.wire[wirePoll+variant] = func(dst []byte, p *mem.Payload) ([]byte, int) {
			return s.framePoll(dst, p, flags)
		}
	}
}

// chunked wraps a form's frame in one chunk (RFC 9112 §7.1).
func chunked(inner mem.Framer) mem.Framer {
	const room = 18 // the longest chunk-size line
	return func(dst []byte, p *mem.Payload) ([]byte, int) {
		start := len(dst)
		var pad [room]byte
		out, split := inner(append(dst, pad[:]...), p)
		if out == nil {
			return nil, -1
		}
		size := len(out) - start - room
		if split >= 0 {
			size += len(p.Data)
		}
		line := h1.AppendChunkSize(pad[:0], size)
		moved := copy(out[start:], line)
		shift := room - moved
		copy(out[start+moved:], out[start+room:])
		out = append(out[:len(out)-shift], h1.CRLF...)
		if split >= 0 {
			split -= shift
		}
		return out, split
	}
}

// framePoll is a whole answer.
func (s *Sessions) framePoll(dst []byte, p *mem.Payload, flags uint16) ([]byte, int) {
	dst = s.appendHead(dst, &exchange.Response{Status: 200})
	dst = append(dst, "Cache-Control: no-store\r\n"...)
	dst = appendIf(dst, "Content-Type: ", p.Type)
	dst = appendIf(dst, "Push-Id: ", p.ID)
	dst = appendIf(dst, "Push-Event: ", p.Event)
	dst = appendConnection(dst, flags)
	dst = h1.AppendContentLength(dst, int64(len(p.Data)))
	dst = append(dst, h1.CRLF...)
	return dst, len(dst)
}

func appendIf(dst []byte, name string, value []byte) []byte {
	if len(value) == 0 {
		return dst
	}
	dst = append(dst, name...)
	dst = append(dst, value...)
	return append(dst, h1.CRLF...)
}

// Hold parks the exchange. A client that has ended its side already has left: it is read on to the end.
func (s *Sessions) Hold(slot uint32, f exchange.Form, resp *exchange.Response, after time.Duration) {
	r := s.l.At(slot)
	if f == exchange.WebSocket {
		s.becomeSocket(slot, r, resp, after)
		return
	}
	if rest, _ := s.unread(r); rest {
		r.Flags &^= flagKeep // no body is read while messages are sent
	}
	s.dropExtra(r)
	r.Form = uint8(f)
	if r.Flags&flagHungUp == 0 && !r.Paused {
		s.l.Pause(slot)
	} else { // parked later than at its head: what came meanwhile is looked at once more
		s.l.Resume(slot)
	}
	s.wake(slot, after)
	if f == exchange.Poll {
		s.move(r, statePoll)
	} else {
		s.move(r, stateHold)
		words := &s.framers.words[f]
		resp.Type = words.Kind
		s.Open(slot, resp)
		s.Write(slot, words.Open)
	}
}

func (s *Sessions) wake(slot uint32, after time.Duration) {
	if after <= 0 {
		s.l.SetDeadline(slot, 0)
		return
	}
	s.l.SetDeadline(slot, s.l.Now()+int64(after))
}

// Deliver sends one message to a parked exchange.
func (s *Sessions) Deliver(slot uint32, p *mem.Payload, ticket uint32) record.Fate {
	r := s.l.At(slot)
	if r.State == statePoll {
		s.willClose(r)
	}
	wire := wireOf(r)
	f := p.Frame(wire, s.framers.wire[wire])
	if f.Unsupported() {
		return record.DroppedForm
	}
	if r.State != statePoll {
		return s.l.Push(slot, p, f, ticket)
	}
	fate := s.l.PushAnswer(slot, p, f, ticket)
	if fate == record.Staged {
		r.Flags |= flagOpen
		s.finish(slot, r)
	}
	return fate
}

func wireOf(r *record.Record) int {
	switch {
	case r.State == statePoll:
		wire := wirePoll
		if r.Flags&flagKeep != 0 {
			wire += pollKeep
		}
		if r.Flags&flagOld != 0 {
			wire += pollOld
		}
		return wire
	case r.Flags&flagChunked != 0:
		return wireChunked + int(r.Form)
	default:
		return wireBare + int(r.Form)
	}
}

// Beat breaks a stream's silence, in forms that have words for it. With output waiting there is no silence.
func (s *Sessions) Beat(slot uint32, after time.Duration) {
	r := s.l.At(slot)
	s.wake(slot, after)
	if r.State != stateHold || s.l.Queued(slot) > 0 {
		return
	}
	s.Write(slot, s.framers.words[r.Form].Beat)
}

// Goaway ends a hold in its form's own words: the client may come back.
func (s *Sessions) Goaway(slot uint32) {
	r := s.l.At(slot)
	if r.Closing {
		return
	}
	if r.State == statePoll {
		s.Respond(slot, &exchange.Response{Status: 204})
		return
	}
	s.Write(slot, s.framers.words[r.Form].Goaway)
	s.End(slot)
}

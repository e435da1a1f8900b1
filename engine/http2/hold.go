package http2

import (
	"time"

	"holdfast/codec/h2"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

// Wire forms of messages: a push is framed at most once in each. The headers of DATA frames are not in them, as they
// name the stream; a poll's has the block of the answer's head, then the message.
const wires = exchange.HTTP2Wires

// framePoll is the header block of an answer and its body.
func (s *Sessions) framePoll(dst []byte, p *mem.Payload) ([]byte, int) {
	dst = h2.AppendStatus(dst, 200)
	dst = h2.AppendField(dst, "date", s.dateNow())
	dst = h2.AppendField(dst, "cache-control", "no-store")
	dst = appendIf(dst, "content-type", p.Type)
	dst = appendIf(dst, "push-id", p.ID)
	dst = appendIf(dst, "push-event", p.Event)
	dst = h2.AppendContentLength(dst, int64(len(p.Data)))
	return dst, len(dst)
}

func appendIf(dst []byte, name string, value []byte) []byte {
	if len(value) == 0 {
		return dst
	}
	return h2.AppendField(dst, name, value)
}

// Hold parks the exchange. What still comes of its request is thrown away.
func (s *Sessions) Hold(slot uint32, f exchange.Form, resp *exchange.Response, after time.Duration) {
	r := s.l.At(slot)
	if r.Closing || !active(r.State) {
		return
	}
	if f == exchange.WebSocket {
		s.becomeSocket(slot, r, resp, after)
		return
	}
	r.Form = uint8(f)
	s.wake(slot, after)
	if f == exchange.Poll {
		s.park(r, statePoll)
		s.shrink(r.Owner, s.l.At(r.Owner))
		return
	}
	s.park(r, stateHold)
	words := &s.book.Words[f]
	resp.Type = words.Kind
	s.Open(slot, resp)
	s.Write(slot, words.Open)
	s.shrink(r.Owner, s.l.At(r.Owner))
}

func (s *Sessions) park(r *record.Record, state uint8) {
	s.stopBody(r, s.streamOf(r))
	s.move(r, state)
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
	if r.State == stateSocket {
		return s.sockets.Deliver(slot, p, ticket)
	}
	if r.Closing || !parked(r.State) || s.l.At(r.Owner).Closing {
		return record.DroppedGone
	}
	if r.State == statePoll {
		return s.answerPoll(slot, r, p, ticket)
	}
	framer := s.book.Framers[r.Form]
	if framer == nil {
		return record.DroppedForm
	}
	f := p.Frame(wires+int(r.Form), framer)
	if f.Unsupported() {
		return record.DroppedForm
	}
	return s.sendMessage(slot, r, p, f, 0, ticket, false)
}

// answerPoll ends a poll with a message. Its head leaves at once, its body when the windows allow.
func (s *Sessions) answerPoll(slot uint32, r *record.Record, p *mem.Payload, ticket uint32) record.Fate {
	conn := r.Owner
	e := s.streamOf(r)
	f := p.Frame(wires+int(exchange.Poll), s.poll)
	empty := len(p.Data) == 0
	block := f.Size(p) - len(p.Data)
	first := s.beginBlock(s.l.Compose(), s.l.At(conn)) // stands before what all polls share
	head := h2.AppendHeader(s.frameHead[:0], h2.Header{
		Length: uint32(len(first) + block), Type: h2.TypeHeaders, Flags: pollFlags(empty), Stream: e.id,
	})
	if len(first) > 0 {
		s.l.Write(conn, append(head, first...))
		head = nil
	}
	if !s.l.PushPiece(conn, head, p, f, 0, block, ticket, empty) {
		return record.DroppedGone
	}
	r.Flags |= flagOpen
	fate := record.Staged
	if !empty {
		fate = s.sendMessage(slot, r, p, f, block, ticket, true)
	}
	s.finish(slot, r)
	return fate
}

func pollFlags(empty bool) h2.Flags {
	if empty {
		return h2.EndHeaders | h2.EndStream
	}
	return h2.EndHeaders
}

// Beat breaks a stream's silence, in forms that have words for it. With output waiting there is no silence, and with a
// closed window nothing to break it with.
func (s *Sessions) Beat(slot uint32, after time.Duration) {
	r := s.l.At(slot)
	if r.State == stateSocket {
		s.sockets.Beat(slot, after)
		return
	}
	s.wake(slot, after)
	if r.Closing || r.State != stateHold || s.l.Queued(r.Owner) > 0 {
		return
	}
	beat := s.book.Words[r.Form].Beat
	if len(beat) > 0 && s.clear(r.Owner, s.linkOf(s.l.At(r.Owner)), s.streamOf(r), len(beat)) {
		s.Write(slot, beat)
	}
}

// Goaway ends a hold in its form's own words: the client may come back.
func (s *Sessions) Goaway(slot uint32) {
	r := s.l.At(slot)
	if r.State == stateSocket {
		s.sockets.Goaway(slot)
		return
	}
	if r.Closing || !active(r.State) {
		return
	}
	if r.State == statePoll {
		s.Respond(slot, &exchange.Response{Status: 204})
		return
	}
	s.Write(slot, s.book.Words[r.Form].Goaway)
	s.End(slot)
}

package http2

import (
	"holdfast/codec/field"
	"holdfast/codec/h2"
	"holdfast/engine/exchange"
	"holdfast/engine/record"
)

// date is the Date field's value, made anew once a second.
type date struct {
	second int64
	value  []byte
}

func (s *Sessions) dateNow() []byte {
	if now := s.l.Wall(); now != s.date.second || s.date.value == nil {
		s.date.second = now
		s.date.value = field.AppendDate(s.date.value[:0], now)
	}
	return s.date.value
}

// beginBlock begins a header block; the first on a connection says that we use no table, RFC 7541 §4.2.
func (s *Sessions) beginBlock(b []byte, cr *record.Record) []byte {
	if cr.Flags&flagSpoken == 0 {
		cr.Flags |= flagSpoken
		b = h2.AppendTableZero(b)
	}
	return b
}

// openHead begins an answer; h2.CloseHeaders ends it.
func (s *Sessions) openHead(b []byte, cr *record.Record, id uint32, status int, end bool) []byte {
	b = s.beginBlock(h2.OpenHeaders(b, id, end), cr)
	b = h2.AppendStatus(b, status)
	return h2.AppendField(b, "date", s.dateNow())
}

func appendFields(b []byte, resp *exchange.Response) []byte {
	if resp.Type != "" {
		b = h2.AppendField(b, "content-type", resp.Type)
	}
	for i := range resp.Fields {
		b = h2.AppendField(b, resp.Fields[i].Name, resp.Fields[i].Value)
	}
	return b
}

// bodiless reports whether an answer with this status never has a body (RFC 9110 §6.4.1).
func bodiless(status int) bool { return status < 200 || status == 204 || status == 304 }

// Respond answers all at once.
func (s *Sessions) Respond(slot uint32, resp *exchange.Response) {
	r := s.l.At(slot)
	if r.State == stateSocket {
		s.sockets.Respond(slot, resp)
		return
	}
	if r.Closing || !active(r.State) {
		return
	}
	s.answer(slot, r, resp)
	s.finish(slot, r)
}

// answer sends or queues a whole answer. Head and body leave in one piece where the windows allow.
func (s *Sessions) answer(slot uint32, r *record.Record, resp *exchange.Response) {
	conn := r.Owner
	cr := s.l.At(conn)
	c, e := s.linkOf(cr), s.streamOf(r)
	data := resp.Body
	if r.Flags&flagHead != 0 || bodiless(resp.Status) {
		data = nil
	}
	r.Flags |= flagOpen
	b := s.openHead(s.l.Compose(), cr, e.id, resp.Status, len(data) == 0)
	b = appendFields(b, resp)
	if !bodiless(resp.Status) {
		b = h2.AppendContentLength(b, int64(len(resp.Body)))
	}
	b = h2.CloseHeaders(b, 0, h2.MinFrame)
	whole := len(data) > 0 && s.clear(conn, c, e, len(data))
	if whole {
		c.spend(e, len(data))
		b = append(h2.AppendDataHeader(b, e.id, len(data), true), data...)
	}
	s.l.Write(conn, b)
	if len(data) > 0 && !whole {
		s.sendBytes(slot, r, data, true)
	}
}

// Open sends the head of a streamed answer. That the request is wanted whole before it says nothing else.
func (s *Sessions) Open(slot uint32, resp *exchange.Response) {
	r := s.l.At(slot)
	if r.Closing || !active(r.State) {
		return
	}
	s.goAhead(r)
	r.Flags |= flagOpen
	cr := s.l.At(r.Owner)
	b := s.openHead(s.l.Compose(), cr, s.streamOf(r).id, resp.Status, false)
	s.l.Write(r.Owner, h2.CloseHeaders(appendFields(b, resp), 0, h2.MinFrame))
}

// Write sends a piece of a streamed answer.
func (s *Sessions) Write(slot uint32, piece []byte) {
	r := s.l.At(slot)
	if r.State == stateSocket {
		s.sockets.Write(slot, piece)
		return
	}
	if len(piece) == 0 || r.Flags&flagHead != 0 || r.Closing || !active(r.State) {
		return
	}
	s.sendBytes(slot, r, piece, false)
}

// End ends a streamed answer.
func (s *Sessions) End(slot uint32) {
	r := s.l.At(slot)
	if r.State == stateSocket {
		s.sockets.End(slot)
		return
	}
	if r.Closing || !active(r.State) {
		return
	}
	s.sendBytes(slot, r, nil, true)
	s.finish(slot, r)
}

package http1

import (
	"time"

	"holdfast/codec/field"
	"holdfast/codec/h1"
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

// appendHead begins an answer: everything but the fields that say how its body is framed.
func (s *Sessions) appendHead(b []byte, r *exchange.Response) []byte {
	b = h1.AppendStatusLine(b, 1, r.Status)
	b = append(b, "Date: "...)
	b = append(b, s.dateNow()...)
	b = append(b, h1.CRLF...)
	if r.Type != "" {
		b = append(b, "Content-Type: "...)
		b = append(b, r.Type...)
		b = append(b, h1.CRLF...)
	}
	for i := range r.Fields {
		b = h1.AppendField(b, r.Fields[i].Name, r.Fields[i].Value)
	}
	return b
}

// appendConnection says whether the connection stays, where the client's version does not make it plain
// (RFC 9112 §9.3).
func appendConnection(b []byte, flags uint16) []byte {
	switch {
	case flags&flagKeep == 0:
		return append(b, "Connection: close\r\n"...)
	case flags&flagOld != 0:
		return append(b, "Connection: keep-alive\r\n"...)
	}
	return b
}

// bodiless reports whether an answer with this status never has a body (RFC 9110 §6.4.1).
func bodiless(status int) bool { return status < 200 || status == 204 || status == 304 }

// Respond answers all at once.
func (s *Sessions) Respond(slot uint32, resp *exchange.Response) {
	r := s.l.At(slot)
	s.willClose(r)
	b := s.appendHead(s.l.Compose(), resp)
	b = appendConnection(b, r.Flags)
	if !bodiless(resp.Status) {
		b = h1.AppendContentLength(b, int64(len(resp.Body)))
	}
	b = append(b, h1.CRLF...)
	if r.Flags&flagHead == 0 && !bodiless(resp.Status) {
		b = append(b, resp.Body...)
	}
	s.l.Write(slot, b)
	r.Flags |= flagOpen
	s.finish(slot, r)
}

// willClose settles whether the connection can outlive the exchange before the answer's head says so.
func (s *Sessions) willClose(r *record.Record) {
	if rest, worth := s.unread(r); rest && !worth || s.closing {
		r.Flags &^= flagKeep
	}
}

// Open sends the head of a streamed answer: chunked, or for HTTP/1.0 ended by closing (RFC 9112 §6.3). Whether the
// request will have been read by the answer's end is not known yet; if not, the connection ends without being told so.
func (s *Sessions) Open(slot uint32, resp *exchange.Response) {
	r := s.l.At(slot)
	s.goAhead(slot, r) // behind the answer's head it would be taken for content
	if s.closing {
		r.Flags &^= flagKeep
	}
	switch {
	case r.Flags&flagOld == 0:
		r.Flags |= flagChunked
	case r.Flags&flagHead == 0:
		r.Flags &^= flagKeep
	}
	b := s.appendHead(s.l.Compose(), resp)
	b = appendConnection(b, r.Flags)
	if r.Flags&flagChunked != 0 {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	b = append(b, h1.CRLF...)
	s.l.Write(slot, b)
	r.Flags |= flagOpen
}

// Write sends a piece of a streamed answer.
func (s *Sessions) Write(slot uint32, piece []byte) {
	r := s.l.At(slot)
	if len(piece) == 0 || r.Flags&flagHead != 0 {
		return
	}
	if r.Flags&flagChunked == 0 {
		s.l.Write(slot, piece)
		return
	}
	b := h1.AppendChunkSize(s.l.Compose(), len(piece))
	b = append(b, piece...)
	s.l.Write(slot, append(b, h1.CRLF...))
}

// WantDrained asks to hear when everything written is sent.
func (s *Sessions) WantDrained(slot uint32) { s.l.WantDrained(slot) }

// End ends a streamed answer.
func (s *Sessions) End(slot uint32) {
	r := s.l.At(slot)
	if r.Closing {
		return
	}
	if r.Flags&flagChunked != 0 && r.Flags&flagHead == 0 {
		s.l.Write(slot, []byte(h1.LastChunk))
	}
	s.finish(slot, r)
}

// writeError answers a request that never became an exchange, or not a whole one. Of a bad head the method is not known.
func (s *Sessions) writeError(slot uint32, flags uint16, status int, reason string) {
	s.writeRefusal(slot, flags, &exchange.Response{Status: status}, reason)
}

func (s *Sessions) writeRefusal(slot uint32, flags uint16, resp *exchange.Response, reason string) {
	body := append([]byte(`{"error":"`), reason...)
	body = append(body, "\"}\n"...)
	resp.Type = "application/json"
	b := s.appendHead(s.l.Compose(), resp)
	b = append(b, "Connection: close\r\n"...)
	b = h1.AppendContentLength(b, int64(len(body)))
	b = append(b, h1.CRLF...)
	if flags&flagHead == 0 {
		b = append(b, body...)
	}
	s.l.Write(slot, b)
}

// Pause stops the request's body. The client is not to blame for the time that it then takes.
func (s *Sessions) Pause(slot uint32) {
	if s.l.At(slot).State == stateBody {
		s.l.Pause(slot)
		s.l.SetDeadline(slot, 0)
	}
}

// Resume takes Pause back while there is body to come.
func (s *Sessions) Resume(slot uint32) {
	if r := s.l.At(slot); r.State == stateBody {
		s.l.Resume(slot)
		s.l.SetDeadline(slot, s.l.Now()+int64(s.extras.at(r.Extra).patience))
	}
}

// Patience says how long the next piece of the body may take, from now on.
func (s *Sessions) Patience(slot uint32, d time.Duration) {
	if r := s.l.At(slot); r.State == stateBody {
		s.extras.at(r.Extra).patience = d
		if !r.Paused {
			s.l.SetDeadline(slot, s.l.Now()+int64(d))
		}
	}
}

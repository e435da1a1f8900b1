package http1

import (
	"bytes"
	"encoding/base64"

	"holdfast/codec/field"
	"holdfast/codec/h1"
	"holdfast/codec/h2"
	"holdfast/engine/exchange"
	"holdfast/engine/record"
)

// Streams is the protocol of connections whose clients speak HTTP/2. What such a connection goes on with is its to
// receive. It reports false when it has no room for one more.
type Streams interface {
	// Adopt takes a connection that began with HTTP/2's preface.
	Adopt(slot uint32) bool
	// Upgrade takes one whose request asked for it and was answered by 101: that request, and the payload of the
	// client's SETTINGS frame (RFC 7540 §3.2).
	Upgrade(slot uint32, settings []byte, head *exchange.Head) bool
}

// Multiplex gives connections to next whose clients speak HTTP/2. Before the loop runs only.
func (s *Sessions) Multiplex(next Streams) { s.streams = next }

// notPreface is as much of the preface as no HTTP/1 request has.
const notPreface = "PRI * HTTP/2.0"

// preface looks at a connection's very first bytes. It reports whether they are HTTP/2's, or may become that: then the
// connection is somebody else's, is closed, or waits for more, and not an HTTP/1 request.
func (s *Sessions) preface(slot uint32, r *record.Record, b []byte) bool {
	if s.streams == nil || r.Flags&flagUsed != 0 {
		return false
	}
	may, whole := h2.MatchPreface(b)
	switch {
	case whole:
		s.handOver(slot, r, func() bool { return s.streams.Adopt(slot) })
	case may: // the deadline of a first head stands
	case len(b) >= len(notPreface) && string(b[:len(notPreface)]) == notPreface:
		s.l.Close(slot, record.ReasonProtocol) // no HTTP/1 answer would be understood
	default:
		return false
	}
	return true
}

// otherProtocol reports whether a connection's first line, which is no request, is that of another protocol, as a broken
// preface of HTTP/2 is: words of which the last is no version of HTTP. An answer would not be understood (RFC 9113 §3.4).
func otherProtocol(b []byte) bool {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	words := bytes.Fields(line)
	if len(words) < 3 || bytes.HasPrefix(words[len(words)-1], []byte("HTTP")) {
		return false
	}
	for _, c := range line {
		if c != ' ' && c != '\r' && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// handOver takes a connection out of these sessions' counts and gives it away.
func (s *Sessions) handOver(slot uint32, r *record.Record, take func() bool) {
	state, flags := r.State, r.Flags
	s.dropExtra(r)
	s.Stats.States[state]--
	r.Flags, r.State = 0, 0
	if !take() {
		r.State, r.Flags = state, flags
		s.Stats.States[state]++
		s.l.Close(slot, record.ReasonInternal)
	}
}

// upgradeH2C goes on in HTTP/2 when the request asks for it as RFC 7540 §3.2 says: without a body, with one HTTP2-Settings,
// and both named in Connection. Whoever asks otherwise is answered in HTTP/1.
func (s *Sessions) upgradeH2C(slot uint32, r *record.Record, req *h1.Request) bool {
	if s.streams == nil || !req.Upgrade || s.head.HasBody || s.closing || !upgradesTo(req.Fields, "h2c") ||
		!connectionNames(req.Fields, "http2-settings") || field.Count(req.Fields, "http2-settings") != 1 {
		return false
	}
	token, _ := field.Get(req.Fields, "http2-settings")
	settings, err := base64.RawURLEncoding.AppendDecode(nil, token)
	if err != nil || len(settings)%6 != 0 {
		return false
	}
	s.l.Write(slot, []byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"))
	s.Stats.Upgrades++
	s.Stats.Requests-- // it is the next protocol's
	s.handOver(slot, r, func() bool { return s.streams.Upgrade(slot, settings, &s.head) })
	return true
}

func connectionNames(fields []field.Field, option string) bool {
	for i := range fields {
		if field.EqualFold(fields[i].Name, "connection") && field.HasToken(fields[i].Value, option) {
			return true
		}
	}
	return false
}

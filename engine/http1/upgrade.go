package http1

import (
	"errors"
	"time"

	"holdfast/codec/field"
	"holdfast/codec/h1"
	"holdfast/codec/ws"
	"holdfast/engine/exchange"
	"holdfast/engine/record"
)

// Sockets is the protocol of connections that have become WebSockets.
type Sockets interface {
	// Adopt takes over a connection whose request is held as a WebSocket. Deflate says that its client can take
	// compressed messages; the answer, whether it may be sent any. The head of that is written after this.
	Adopt(slot uint32, deflate bool, after time.Duration) bool
}

// Upgrade makes requests for a WebSocket be understood as such, and gives connections on which one is held to next.
// Before the loop runs only.
func (s *Sessions) Upgrade(next Sockets) { s.sockets = next }

var protocolWebSocket = []byte("websocket")

// handshake is what the answer to a client's opening handshake needs. It may be long in coming, when keys are claimed.
type handshake struct {
	key        [24]byte
	extensions string // that accept what the client offers; empty for none
}

// shakeHands reports whether a request asks for a WebSocket, and notes what its answer needs. An Upgrade is ignored in
// HTTP/1.0 (RFC 9110 §7.8) and where a body would have to be read first. An error is a *ws.HandshakeError.
func (s *Sessions) shakeHands(r *record.Record, req *h1.Request, hasBody bool) (asked bool, err error) {
	if s.sockets == nil || hasBody || req.Minor == 0 || string(req.Method) != "GET" || !upgradesTo(req.Fields, "websocket") {
		return false, nil
	}
	key, err := ws.CheckUpgrade(req.Method, req.Fields)
	if err != nil {
		return false, err
	}
	extensions, err := ws.NegotiateDeflate(req.Fields)
	if err != nil {
		return false, err
	}
	x := s.extraOf(r)
	x.handshake.extensions = extensions
	copy(x.handshake.key[:], key)
	return true, nil
}

func upgradesTo(fields []field.Field, protocol string) bool {
	for i := range fields {
		if field.EqualFold(fields[i].Name, "upgrade") && field.HasToken(fields[i].Value, protocol) {
			return true
		}
	}
	return false
}

// what goes with a 426 (RFC 6455 §4.4, RFC 9110 §15.5.22).
var versionFields = []field.Field{
	{Name: []byte("Upgrade"), Value: protocolWebSocket},
	{Name: []byte("Connection"), Value: []byte("upgrade")},
	{Name: []byte("Sec-WebSocket-Version"), Value: []byte(ws.Version)},
}

// refuseHandshake answers a handshake that is none, before any key is joined.
func (s *Sessions) refuseHandshake(slot uint32, r *record.Record, err error) {
	s.Stats.BadHeads++
	bad := &ws.HandshakeError{Status: 400, Reason: "the WebSocket handshake is malformed"}
	errors.As(err, &bad)
	resp := exchange.Response{Status: bad.Status}
	if bad.Status == 426 {
		resp.Fields = versionFields
	}
	s.dropExtra(r)
	s.writeRefusal(slot, 0, &resp, bad.Reason)
	s.last(slot, r)
}

// becomeSocket answers a handshake and gives the connection away. What came behind the request is the next protocol's.
func (s *Sessions) becomeSocket(slot uint32, r *record.Record, resp *exchange.Response, after time.Duration) {
	shake := s.extras.at(r.Extra).handshake
	s.dropExtra(r)
	s.Stats.States[r.State]--
	s.Stats.Sockets++
	r.Form = uint8(exchange.WebSocket)
	r.State, r.Flags = 0, 0
	if !s.sockets.Adopt(slot, shake.extensions != "", after) {
		shake.extensions = ""
	}
	resp.Status, resp.Type = 101, ""
	b := s.appendHead(s.l.Compose(), resp)
	b = ws.AppendAnswer(b, shake.key[:], string(resp.Subprotocol), shake.extensions)
	s.l.Write(slot, append(b, h1.CRLF...))
}

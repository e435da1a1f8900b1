package websocket

import (
	"bytes"
	"unicode/utf8"

	"holdfast/codec/field"
	"holdfast/codec/ws"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

// Wire forms of messages: a push is framed at most once in each, and compressed at most once per loop.
const (
	wirePlain    = exchange.WebSocketWires
	wireDeflated = exchange.WebSocketWires + 1
)

// opcodeOf is how a payload is sent: as text if its type says so, or it has none, and its bytes do too. All of a text
// "MUST be valid UTF-8" (RFC 6455 §8.1), whatever a publisher calls it.
func opcodeOf(p *mem.Payload) ws.Opcode {
	if textual(p.Type) && utf8.Valid(p.Data) {
		return ws.Text
	}
	return ws.Binary
}

// textual reports whether a media type is one of texts.
func textual(mediaType []byte) bool {
	kind, _, _ := bytes.Cut(mediaType, []byte(";"))
	kind = field.TrimOWS(kind)
	_, sub, _ := bytes.Cut(kind, []byte("/"))
	return len(kind) == 0 || len(kind) > 5 && field.EqualFold(kind[:5], "text/") || field.EqualFold(kind, "application/json") ||
		len(sub) > 5 && field.EqualFold(sub[len(sub)-5:], "+json")
}

func framePlain(dst []byte, p *mem.Payload) ([]byte, int) {
	dst = ws.AppendHead(dst, opcodeOf(p), ws.Fin, len(p.Data))
	return dst, len(dst)
}

// frameDeflated is for all who negotiated compression. What does not shrink is sent as it is.
func (o *house) frameDeflated(dst []byte, p *mem.Payload) ([]byte, int) {
	packed := mem.Get(len(p.Data))
	defer packed.Release()
	var ok bool
	if packed.B, ok = o.deflater.Append(packed.B, p.Data); !ok {
		return framePlain(dst, p)
	}
	o.Stats.Deflated++
	return ws.AppendFrame(dst, opcodeOf(p), ws.Fin|ws.Compressed, packed.B), -1
}

// Deliver sends one message.
func (m *Machine) Deliver(slot uint32, p *mem.Payload, ticket uint32) record.Fate {
	st := m.c.State(slot)
	if !st.open() {
		return record.DroppedGone
	}
	wire := wirePlain
	if st.Bits&bitDeflate != 0 && len(p.Data) >= ws.MinDeflate && len(p.Data) <= m.cfg.DeflateBytes {
		wire = wireDeflated
	}
	return m.c.Push(slot, p, p.Frame(wire, m.wire[wire-wirePlain]), ticket)
}

// Package form says how held streams are worded in each form: what stands before the first message, what a message
// looks like, and how silence is broken and a goaway told. It is the same bytes whatever protocol carries them; framing
// them further is the session's. It must never know of a connection.
package form

import (
	"holdfast/codec/multipart"
	"holdfast/codec/ndjson"
	"holdfast/codec/sse"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
)

// Words are what a form's streams say by themselves. What is empty cannot be said in it.
type Words struct {
	Kind   string // Content-Type
	Open   []byte // before the first message
	Beat   []byte
	Goaway []byte
}

// Book has every form's words and framers. Made once, so that no delivery allocates a closure.
type Book struct {
	Words   [exchange.Forms]Words
	Framers [exchange.Forms]mem.Framer // nil for forms that are not a stream of such messages
}

// New makes the book; boundary separates the parts of multipart answers and must be unguessable.
func New(boundary string) *Book {
	at := []byte(boundary)
	part := partFramer(at)
	return &Book{
		Words: [exchange.Forms]Words{
			exchange.SSE: {
				Kind: "text/event-stream", Beat: []byte(":\n\n"),
				Goaway: sse.Append(nil, nil, []byte("goaway"), []byte("{}")),
			},
			exchange.NDJSON: {Kind: "application/x-ndjson", Beat: []byte("\n"), Goaway: []byte("{\"event\":\"goaway\"}\n")},
			exchange.Mixed: {
				Kind: "multipart/mixed; boundary=" + boundary, Open: multipart.AppendOpen(nil, at),
				Beat: multipart.AppendHeartbeat(nil, at), Goaway: multipart.AppendGoaway(nil, at),
			},
			exchange.Replace: { // a beat would replace what is shown
				Kind: "multipart/x-mixed-replace; boundary=" + boundary, Open: multipart.AppendOpen(nil, at),
				Goaway: multipart.AppendGoaway(nil, at),
			},
			exchange.Raw: {Kind: "application/octet-stream"},
		},
		Framers: [exchange.Forms]mem.Framer{
			exchange.SSE: frameSSE, exchange.NDJSON: frameNDJSON, exchange.Raw: frameRaw,
			exchange.Mixed: part, exchange.Replace: part,
		},
	}
}

func frameSSE(dst []byte, p *mem.Payload) ([]byte, int) {
	if !sse.Carries(p.Data) {
		return nil, -1
	}
	return sse.Append(dst, p.ID, p.Event, p.Data), -1
}

func frameNDJSON(dst []byte, p *mem.Payload) ([]byte, int) {
	out, ok := ndjson.AppendMessage(dst, p.ID, p.Event, p.Type, p.Data)
	if !ok {
		return nil, -1
	}
	return out, -1
}

func frameRaw(dst []byte, p *mem.Payload) ([]byte, int) {
	if len(p.Data) == 0 {
		return nil, -1 // nothing to send, and an empty chunk would end the stream
	}
	return dst, len(dst)
}

// partFramer makes one part of a multipart answer. A payload that contains the boundary is not carried: its publisher
// may have learnt the boundary as a subscriber and try to forge parts.
func partFramer(boundary []byte) mem.Framer {
	return func(dst []byte, p *mem.Payload) ([]byte, int) {
		if !multipart.Carries(p.Data, boundary) {
			return nil, -1
		}
		dst = multipart.AppendPartHead(dst, p.ID, p.Event, p.Type, len(p.Data))
		split := len(dst)
		return multipart.AppendPartTail(dst, boundary), split
	}
}

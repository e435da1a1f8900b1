package gateway

import (
	"bytes"

	"holdfast/codec/field"
	"holdfast/engine/exchange"
	"holdfast/engine/route"
)

// The echo action serves conformance tools: /echo answers any method with the request's own body, /echo/page with a
// fixed KiB, /echo/stream without end, and a WebSocket on any of them with the client's own messages.
const (
	pageBytes   = 1 << 10
	streamBytes = 16 << 10 // written whenever the last piece is sent
	echoQueued  = 64 << 10 // an echo that is not read stops being fed
)

var (
	page        = bytes.Repeat([]byte("0123456789abcde\n"), pageBytes/16)
	streamPiece = bytes.Repeat([]byte("0123456789abcde\n"), streamBytes/16)
)

func (g *Gateway) beginEcho(x exchange.Exchange, h *exchange.Head, rt *route.Route, rest []byte) {
	if string(h.Protocol) == "websocket" {
		g.space.At(x.Slot).Policy = rt.Policy
		g.park(x, exchange.WebSocket, g.shared.Snapshot.Load().Policy(rt), parking{})
		return
	}
	switch string(rest) {
	case "page":
		if h.HasBody { // tools want to be heard out
			g.newTask(x, taskPage, nil)
			return
		}
		g.answer(x, 200, "text/plain", page)
	case "stream":
		g.newTask(x, taskStream, nil)
		g.scratch.response = exchange.Response{Status: 200, Type: "text/plain"}
		x.Open(&g.scratch.response)
		if string(h.Method) == "HEAD" {
			x.End()
			return
		}
		g.streamMore(x)
	default:
		kind, _ := field.Get(h.Fields, "content-type")
		if !h.HasBody {
			g.answer(x, 200, string(kind), nil)
			return
		}
		g.newTask(x, taskEcho, nil)
		g.scratch.response = exchange.Response{Status: 200, Type: string(kind)}
		x.Open(&g.scratch.response)
	}
}

func (g *Gateway) streamMore(x exchange.Exchange) {
	x.Write(streamPiece)
	x.WantDrained()
}

func (g *Gateway) echoBody(x exchange.Exchange, t *task, b []byte) {
	x.Write(b)
	if g.space.Queued(t.slot) > echoQueued {
		x.Pause()
		x.WantDrained()
	}
}

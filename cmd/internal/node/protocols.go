package node

import (
	"holdfast/cmd/internal/metrics"
	"holdfast/engine"
	"holdfast/engine/http2"
)

// multiplexed tells of HTTP/2: its connections, and what clients did to be told to calm down.
func (e *exposition) multiplexed() {
	e.perLoop("holdfast_h2_conns", metrics.Gauge, "Open connections that speak HTTP/2.",
		func(l *engine.LoopStats) float64 { return float64(l.HTTP2.Conns) })
	e.perLoop("holdfast_h2_streams", metrics.Gauge, "Open streams of HTTP/2 connections.", func(l *engine.LoopStats) float64 {
		n := int64(0)
		for _, streams := range l.HTTP2.Streams {
			n += streams
		}
		return float64(n)
	})
	e.Family("holdfast_h2_resets_total", metrics.Counter, "Streams that were reset, by who did it.")
	e.parts("by",
		part{"client", func(l *engine.LoopStats) uint64 { return l.HTTP2.ResetsIn }},
		part{"us", func(l *engine.LoopStats) uint64 { return l.HTTP2.ResetsOut }})
	e.Family("holdfast_h2_goaways_total", metrics.Counter, "HTTP/2 connections that were ended by GOAWAY, by who did it.")
	e.parts("by",
		part{"client", func(l *engine.LoopStats) uint64 { return l.HTTP2.GoawaysIn }},
		part{"us", func(l *engine.LoopStats) uint64 {
			n := uint64(0)
			for _, sent := range l.HTTP2.Goaways {
				n += sent
			}
			return n
		}})
	e.Family("holdfast_h2_abuse_total", metrics.Counter, "HTTP/2 connections ended for flooding, by what with.")
	for kind := range http2.Abuses {
		e.Count(e.sum(func(l *engine.LoopStats) uint64 { return l.HTTP2.Abuse[kind] }), "kind", kind.String())
	}
}

// sockets tells of WebSockets.
func (e *exposition) sockets() {
	e.perLoop("holdfast_ws_open", metrics.Gauge, "Open WebSockets.",
		func(l *engine.LoopStats) float64 { return float64(l.Sockets.Open) })
	e.Family("holdfast_ws_opened_total", metrics.Counter, "WebSockets opened, by whether messages may be compressed.")
	e.parts("deflate",
		part{"no", func(l *engine.LoopStats) uint64 { return l.Sockets.Opened - l.Sockets.Deflating }},
		part{"yes", func(l *engine.LoopStats) uint64 { return l.Sockets.Deflating }})
	e.Family("holdfast_ws_received_total", metrics.Counter, "What WebSockets' clients sent, by kind: messages, those of them that were passed on, pings and pongs.")
	e.parts("kind",
		part{"message", func(l *engine.LoopStats) uint64 { return l.Sockets.Messages }},
		part{"passed", func(l *engine.LoopStats) uint64 { return l.Sockets.Passed }},
		part{"ping", func(l *engine.LoopStats) uint64 { return l.Sockets.Pings }},
		part{"pong", func(l *engine.LoopStats) uint64 { return l.Sockets.Pongs }})
	e.Family("holdfast_ws_ended_total", metrics.Counter, "WebSockets that we ended, by reason.")
	e.parts("reason",
		part{"refused", func(l *engine.LoopStats) uint64 { return l.Sockets.Refused }},
		part{"flood", func(l *engine.LoopStats) uint64 { return l.Sockets.Floods }},
		part{"timeout", func(l *engine.LoopStats) uint64 { return l.Sockets.Timeouts }})
	e.Family("holdfast_inbound_total", metrics.Counter, "Messages of WebSockets' clients to --ws-inbound-key, by whether they were pushed or found too many under way.")
	e.parts("result",
		part{"pushed", func(l *engine.LoopStats) uint64 { return l.Gateway.Inbound }},
		part{"lost", func(l *engine.LoopStats) uint64 { return l.Gateway.InboundLost }})
}

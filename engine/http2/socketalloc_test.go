//go:build !race && !slabdebug

package http2

import (
	"testing"
	"time"

	"holdfast/codec/h2"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/websocket"
)

// A WebSocket's messages are heard and sent without allocating, a heartbeat too, and between them it has nothing but its
// record and entry.
func TestSocketsAllocateNothing(t *testing.T) {
	k, l, s := terseRig(t, exchange.WebSocket)
	s.cfg.Connect = true
	all := websocket.New(l, s.handler, websocket.Config{})
	all.SetPolicies([]route.Socket{route.Policy{Socket: route.Socket{Inbound: route.Published, Rate: 1e6, Burst: 1e6}}.Filled().Socket})
	s.Sockets(all)
	b := h2.OpenHeaders(nil, 1, false)
	b = h2.AppendRequest(b, "CONNECT", "http", "a.example", "/hold")
	b = h2.AppendProtocol(b, "websocket")
	b = h2.AppendField(b, "sec-websocket-version", "13")
	k.input = h2.CloseHeaders(b, 0, h2.MinFrame)
	l.Tick()
	slot := s.find(s.ownerOf(t), 1)
	in := says("hello")
	frame := append(h2.AppendDataHeader(nil, 1, len(in), false), in...)
	data := []byte("hello")
	f := func(what string, once func()) {
		t.Helper()
		for range 10 {
			once()
		}
		before := k.taken
		if n := testing.AllocsPerRun(500, once); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
		if k.taken == before {
			t.Errorf("%s: nothing is sent", what)
		}
		if l.At(slot).State != stateSocket || s.streamOf(l.At(slot)).work != 0 {
			t.Fatalf("%s: in state %s, with work %d", what, StateName(l.At(slot).State), s.streamOf(l.At(slot)).work)
		}
	}
	f("a client's message", func() { k.input = frame; l.Tick() })
	f("a push", func() {
		p := mem.NewPayload(len(data))
		p.Append(data)
		if f := s.Deliver(slot, p, 1); f != record.Staged {
			t.Fatal(f)
		}
		p.Release()
		l.Tick()
	})
	f("a heartbeat", func() { s.Beat(slot, time.Minute); l.Tick() })
	if passed := all.Stats.Passed; passed < 500 {
		t.Errorf("%d messages are heard", passed)
	}
}

// ownerOf is the only connection.
func (s *Sessions) ownerOf(t *testing.T) (conn uint32) {
	t.Helper()
	s.l.Each(0, 100, func(slot uint32, r *record.Record) {
		if r.Kind == record.HTTP2 {
			conn = slot
		}
	})
	return conn
}

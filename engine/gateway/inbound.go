package gateway

import (
	"bytes"

	"holdfast/codec/field"
	"holdfast/codec/ndjson"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/route"
	"holdfast/registry/peer"
)

var errOrigin = &refusal{403, "pages of this origin may not open a WebSocket here"}

// openSocket checks what a WebSocket's route asks of a client and chooses the subprotocol. A browser tells the page's
// origin in every handshake (RFC 6455 §10.2); who has no page sends none.
func openSocket(h *exchange.Head, s *route.Socket) (subprotocol []byte, err error) {
	if origin, ok := field.Get(h.Fields, "origin"); ok && len(s.Origins) > 0 {
		allowed := false
		for _, o := range s.Origins {
			allowed = allowed || field.EqualFold(origin, o)
		}
		if !allowed {
			return nil, errOrigin
		}
	}
	for _, want := range s.Subprotocols {
		for i := range h.Fields {
			if field.EqualFold(h.Fields[i].Name, "sec-websocket-protocol") && listHas(h.Fields[i].Value, want) {
				return []byte(want), nil
			}
		}
	}
	return nil, nil
}

// listHas reports whether a comma-separated list has exactly this item.
func listHas(list []byte, item string) bool {
	for len(list) > 0 {
		var one []byte
		one, list, _ = bytes.Cut(list, []byte(","))
		if string(field.TrimOWS(one)) == item {
			return true
		}
	}
	return false
}

// Message is what a WebSocket's client has sent. Sessions pass none on that the route ignores or refuses.
func (g *Gateway) Message(x exchange.Exchange, text bool, data []byte) {
	g.now = g.space.Now()
	r := g.space.At(x.Slot)
	policy := &g.shared.Snapshot.Load().Policies[r.Policy]
	if text && policy.Socket.ClientKeys {
		if c, ok := decodeCommand(data); ok {
			g.obey(x, c, policy)
			return
		}
	}
	switch policy.Socket.Inbound {
	case route.Published:
		g.publishInbound(policy, text, data)
	case route.Echoed:
		kind := binaryType
		if text {
			kind = textType
		}
		g.tellSocket(x, data, kind)
	case route.Ignored, route.Refused:
	}
}

// publishInbound pushes a client's message to its route's key. Nobody waits for the verdict: it shows in the numbers.
func (g *Gateway) publishInbound(policy *route.Policy, text bool, data []byte) {
	ref, ok := g.newOp(peer.Push, asker{}, 0, g.now)
	if !ok {
		g.Stats.InboundLost++
		return
	}
	g.Stats.Inbound++
	p := mem.NewPayload(len(data))
	p.Append(data)
	kind := binaryType
	if text {
		kind = textType
	}
	p.SetType([]byte(kind))
	g.ops.all[ref.index].homes = 1
	g.dispatch(ref, []byte(policy.Socket.Key), p)
	g.report(ref, &account{home: true})
	g.watch(ref)
	p.Release()
}

const (
	textType   = "text/plain; charset=utf-8"
	binaryType = "application/octet-stream"
)

// tellSocket sends a client a message of our own.
func (g *Gateway) tellSocket(x exchange.Exchange, b []byte, kind string) {
	p := mem.NewPayload(len(b))
	p.SetType([]byte(kind))
	p.Append(b)
	x.Deliver(p, 0)
	p.Release()
}

// appendNames writes a JSON array of keys.
func appendNames(b []byte, names []string) []byte {
	b = append(b, '[')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = ndjson.AppendString(b, []byte(name))
	}
	return append(b, ']')
}

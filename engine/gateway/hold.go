package gateway

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"time"

	"holdfast/codec/field"
	"holdfast/codec/key"
	"holdfast/codec/sse"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/registry"
)

// offers are what a client can ask for in Accept, and forms what each means, in the order of preference among equals.
// A wildcard does not ask for a stream: such a client gets a poll, which every HTTP client understands.
var (
	offers = []string{
		"text/event-stream", "application/x-ndjson", "multipart/mixed",
		"multipart/x-mixed-replace", "application/octet-stream",
	}
	forms = []exchange.Form{exchange.SSE, exchange.NDJSON, exchange.Mixed, exchange.Replace, exchange.Raw}
)

// Fields of every hold's head; made once, so that parking a request allocates nothing.
var (
	pushKey     = []byte("Push-Key")
	noStore     = field.Field{Name: []byte("Cache-Control"), Value: []byte("no-store")}
	noBuffering = field.Field{Name: []byte("X-Accel-Buffering"), Value: []byte("no")} // for an nginx in front
)

// modes are the forms by the names that ?mode= takes, for clients that cannot set Accept, such as an <img>.
var modes = [exchange.Forms]string{
	exchange.Poll: "poll", exchange.SSE: "sse", exchange.NDJSON: "ndjson",
	exchange.Mixed: "multipart", exchange.Replace: "replace", exchange.Raw: "stream",
}

var errMode = &refusal{400, "mode is one of poll, sse, ndjson, multipart, replace and stream"}

// formOf chooses the wire form of a hold.
func formOf(h *exchange.Head) (exchange.Form, error) {
	if string(h.Protocol) == "websocket" {
		return exchange.WebSocket, nil
	}
	if mode, ok := queryValue(h.Query, "mode="); ok {
		for f := exchange.Poll; f < exchange.Forms; f++ {
			if len(mode) > 0 && string(mode) == modes[f] {
				return f, nil
			}
		}
		return exchange.NoForm, errMode
	}
	if i, exact := field.Negotiate(h.Fields, offers); exact {
		return forms[i], nil
	}
	return exchange.Poll, nil
}

// queryValue is what stands in the query behind the first name, which ends in '='.
func queryValue(query []byte, name string) (value []byte, ok bool) {
	for len(query) > 0 {
		var one []byte
		one, query, _ = bytes.Cut(query, []byte("&"))
		if len(one) >= len(name) && string(one[:len(name)]) == name {
			return one[len(name):], true
		}
	}
	return nil, false
}

// queryHas reports whether one of the query's parts is exactly this.
func queryHas(query []byte, part string) bool {
	for len(query) > 0 {
		var one []byte
		one, query, _ = bytes.Cut(query, []byte("&"))
		if string(one) == part {
			return true
		}
	}
	return false
}

// beginHold parks a request under its keys.
func (g *Gateway) beginHold(x exchange.Exchange, h *exchange.Head, snap *route.Snapshot, rt *route.Route, rest []byte) {
	switch string(h.Method) {
	case "GET":
	case "CONNECT": // a WebSocket over HTTP/2 (RFC 8441 §4); any other names no path
	case "HEAD":
		g.answer(x, 200, "", nil)
		return
	case "OPTIONS":
		g.allow(x, 204, "GET, HEAD, OPTIONS")
		return
	default:
		g.allow(x, 405, "GET, HEAD, OPTIONS")
		return
	}
	if string(h.Method) == "CONNECT" && len(h.Protocol) == 0 {
		g.allow(x, 405, "GET, HEAD, OPTIONS")
		return
	}
	if h.HasBody {
		g.fail(x, 400, "a request that waits for messages has no body")
		return
	}
	form, err := formOf(h)
	if err != nil {
		g.refuse(x, err)
		return
	}
	policy := snap.Policy(rt)
	p := parking{generated: len(rest) == 0}
	if form == exchange.WebSocket {
		if p.subprotocol, err = openSocket(h, &policy.Socket); err != nil {
			g.refuse(x, err)
			return
		}
	}
	r := g.space.At(x.Slot)
	generated := p.generated
	if generated && form == exchange.Poll {
		g.nameKey(x)
		return
	}
	if generated {
		g.scratch.key = g.shared.keys.appendKey(g.scratch.key[:0])
		err = g.members.Join(g.shared.Table, g.scratch.key, x.Slot)
	} else {
		err = g.joinAll(x.Slot, key.NewList(rest, policy.MaxKeys))
	}
	if err != nil {
		g.leaveAll(x.Slot, r)
		g.refuseHold(x, err)
		return
	}
	r.Policy = rt.Policy
	if generated || form == exchange.Poll || !g.awaitClaims(x, form, policy, p.subprotocol) { // a poll has no head to wait with
		g.park(x, form, policy, p)
	}
}

// nameKey answers a poll that names no key with one to poll under: it could not be told while it waits.
func (g *Gateway) nameKey(x exchange.Exchange) {
	g.scratch.key = g.shared.keys.appendKey(g.scratch.key[:0])
	g.scratch.fields = append(g.scratch.fields[:0], noStore, field.Field{Name: pushKey, Value: g.scratch.key})
	g.scratch.response = exchange.Response{Status: 204, Fields: g.scratch.fields}
	x.Respond(&g.scratch.response)
}

// joinAll puts a slot's exchange under each key once: the first in its own record, the others in chained ones.
func (g *Gateway) joinAll(slot uint32, list key.List) error {
	at := slot
	for {
		name, ok, err := list.Next(g.scratch.key[:0])
		g.scratch.key = name
		if err != nil || !ok {
			return err
		}
		if g.holds(slot, name) {
			continue
		}
		if g.space.Member(slot).Name != 0 {
			next, ok := g.space.Chain(slot)
			if !ok {
				return registry.ErrFull
			}
			g.space.At(at).Chain = next
			at = next
		}
		if err := g.members.Join(g.shared.Table, name, at); err != nil {
			return err
		}
	}
}

// holds reports whether the exchange is under this key already.
func (g *Gateway) holds(slot uint32, name []byte) bool {
	for at := slot; at != 0; at = g.space.At(at).Chain {
		if n := g.space.Member(at).Name; n != 0 {
			g.scratch.out = g.shared.Table.AppendName(g.scratch.out[:0], n)
			if bytes.Equal(g.scratch.out, name) {
				return true
			}
		}
	}
	return false
}

func (g *Gateway) refuseHold(x exchange.Exchange, err error) {
	var bad *key.Error
	switch {
	case errors.As(err, &bad):
		g.fail(x, bad.Status, bad.Reason)
	default:
		g.unavailable(x, "this node's key table is full; try another node")
	}
}

// parking is what a hold's head says of its keys.
type parking struct {
	generated   bool   // its key was made for it, and is in scratch.key
	pending     bool   // other nodes may not find it yet
	subprotocol []byte // of a WebSocket
}

// park sends the stream's head and waits. A generated key is told in a field and, in framed forms, as the first event.
func (g *Gateway) park(x exchange.Exchange, f exchange.Form, policy *route.Policy, p parking) {
	fields := append(g.scratch.fields[:0], noStore)
	if p.generated {
		fields = append(fields, field.Field{Name: pushKey, Value: g.scratch.key})
	}
	if p.pending {
		fields = append(fields, claimPending)
	}
	if f == exchange.SSE {
		fields = append(fields, noBuffering)
	}
	g.scratch.fields = fields
	after := policy.PollTimeout
	if f != exchange.Poll {
		after = dither(policy.Heartbeat)
	}
	g.scratch.response = exchange.Response{Status: 200, Fields: fields, Subprotocol: p.subprotocol}
	x.Hold(f, &g.scratch.response, after)
	x = g.space.View(x.Slot) // a WebSocket is another session's now
	g.Stats.Holds[f]++
	g.Stats.Held++
	if f == exchange.Poll {
		return
	}
	if f == exchange.SSE && policy.RetryHint > 0 {
		x.Write(sse.AppendRetry(g.scratch.out[:0], int(policy.RetryHint/time.Millisecond)))
	}
	if p.generated && f != exchange.Raw && f != exchange.Replace {
		g.announce(x)
	}
}

// announce sends a stream the key that was made for it.
func (g *Gateway) announce(x exchange.Exchange) {
	p := mem.NewPayload(len(g.scratch.key) + 32)
	p.SetEvent([]byte("push-key"))
	p.SetType([]byte("text/plain"))
	p.Append(g.scratch.key)
	x.Deliver(p, 0)
	p.Release()
}

// dither spreads heartbeats of connections that came together: ±10 %.
func dither(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d - d/10 + time.Duration(rand.Int64N(int64(d)/5+1))
}

// expire: a poll has waited long enough, or a stream has been silent for long.
func (g *Gateway) expire(x exchange.Exchange, r *record.Record) {
	switch exchange.Form(r.Form) {
	case exchange.NoForm:
	case exchange.Poll:
		g.scratch.fields = append(g.scratch.fields[:0], noStore)
		g.scratch.response = exchange.Response{Status: 204, Fields: g.scratch.fields}
		x.Respond(&g.scratch.response)
	default:
		policy := &g.shared.Snapshot.Load().Policies[r.Policy]
		x.Beat(dither(policy.Heartbeat))
	}
}

// unhold takes an exchange that has ended out of the key table.
func (g *Gateway) unhold(slot uint32, r *record.Record) {
	g.Stats.Holds[r.Form]--
	g.Stats.Held--
	r.Form = uint8(exchange.NoForm)
	g.leaveAll(slot, r)
}

// leaveAll gives up every key of an exchange, and the records chained for them.
func (g *Gateway) leaveAll(slot uint32, r *record.Record) {
	g.members.Leave(g.shared.Table, slot)
	for at := r.Chain; at != 0; {
		next := g.space.At(at).Chain
		g.members.Leave(g.shared.Table, at)
		g.space.Unchain(at)
		at = next
	}
	r.Chain = 0
}

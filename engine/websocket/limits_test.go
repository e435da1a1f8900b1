package websocket

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/codec/ws"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/simkernel"
)

// What a route does with clients' messages, and which of them it passes on.
func TestInbound(t *testing.T) {
	const refused = "close 1003 messages are not accepted here"
	f := func(p route.Socket, in string, want outcome) { t.Helper(); says(t, p, "", in, want) }
	both := text("a") + frame(ws.Binary, 0, "b") + ping("") + frame(cont, fin, "c")
	f(route.Socket{Inbound: route.Ignored}, both, stays(nil, list("pong")))
	f(route.Socket{Inbound: route.Published}, both, stays(list("text a", "binary bc"), list("pong")))
	f(route.Socket{Inbound: route.Refused}, ping("")+both, ends(nil, "pong", refused))
	f(route.Socket{Inbound: route.Refused}, frame(ws.Binary, 0, ""), stays(nil, nil)) // nothing of it has come
	f(route.Socket{Inbound: route.Refused}, frame(ws.Binary, 0, "x"), ends(nil, refused))
	// Commands are text; the gateway tells them from other messages.
	f(route.Socket{Inbound: route.Ignored, ClientKeys: true}, both, stays(list("text a"), list("pong")))
	f(route.Socket{Inbound: route.Refused, ClientKeys: true}, both, ends(list("text a"), refused))
}

// "A status code of 1009 indicates that an endpoint is terminating the connection because it has received a message that
// is too big for it to process." (RFC 6455 §7.4.1) A frame's head is enough.
func TestTooBig(t *testing.T) {
	const big = "close 1009 message too big"
	for _, inbound := range []route.Inbound{route.Published, route.Ignored} {
		p := route.Socket{Inbound: inbound, MaxInbound: 1000}
		heard := func(s string) []string {
			if inbound == route.Ignored {
				return nil
			}
			return list(s)
		}
		all := strings.Repeat("x", 1000)
		says(t, p, "", text(all), stays(heard("text "+all), nil))
		says(t, p, "", text(all + "x")[:10], ends(nil, big))
		says(t, p, "", frame(ws.Text, 0, all[:500])+frame(cont, fin, all[500:]), stays(heard("text "+all), nil))
		says(t, p, "", frame(ws.Text, 0, all[:500])+frame(cont, fin, all[499:])[:10], ends(nil, big))
		says(t, p, "", "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", ends(nil, big))
		says(t, p, "", frame(ws.Binary, 0, all)+"\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff", ends(nil, big))
	}
}

// Endless empty fragments say nothing and cost time: they end the connection within some 6,000 of them, and nothing is
// kept for them.
func TestEmptyFragments(t *testing.T) {
	r := calm(t)
	c := r.open("/ws")
	c.send(frame(ws.Text, 0, ""))
	some := strings.Repeat(frame(cont, 0, ""), 500)
	before := mem.BufferBytes()
	for n := 0; ; n++ {
		if len(r.script.talks) == 0 {
			break
		}
		if b := mem.BufferBytes() - before; b > 1024 || n > 12 {
			t.Fatalf("%d bytes are kept after %d fragments", b, 500*n)
		}
		c.p.Write([]byte(some))
		c.settle()
	}
	c.want("close 1008 too much framing for its data")
}

// "1008 indicates that an endpoint is terminating the connection because it has received a message that violates its
// policy." A client may send so much at once, and so much on average.
func TestFloods(t *testing.T) {
	const flood = "close 1008 too many messages"
	p := route.Socket{Inbound: route.Published, Rate: 10, Burst: 20}
	for name, in := range map[string]string{"text": text("x"), "binary": binary(""), "ping": ping(""), "pong": pong("")} {
		r := newRig(t, 1, simkernel.Options{}, p, Config{})
		c := r.open("/ws")
		for range 20 {
			c.send(in)
		}
		c.is(simkernel.Open)
		r.pass(time.Second)
		for range 10 {
			c.send(in)
		}
		c.is(simkernel.Open)
		c.send(in + in)
		c.is(simkernel.Fin)
		if got := c.read(); got[len(got)-1] != flood || r.s.Stats.Floods != 1 {
			t.Errorf("%s: got %q, counted %d", name, got, r.s.Stats.Floods)
		}
		r.ended(record.ReasonProtocol)

		c = r.open("/ws") // one who keeps to it is never bothered
		for range 100 {
			c.send(in)
			r.pass(110 * time.Millisecond)
		}
		c.is(simkernel.Open)
	}
}

// Fragments of one message are one message.
func TestFragmentsAreNoFlood(t *testing.T) {
	p := route.Socket{Inbound: route.Published, Rate: 1, Burst: 1}
	says(t, p, "", frame(ws.Text, 0, "a")+strings.Repeat(frame(cont, 0, "abc"), 300)+frame(cont, fin, ""),
		stays(list("text a"+strings.Repeat("abc", 300)), nil))
}

// A client that pings and reads nothing is not read either: what waits for it is bounded.
func TestPongsDoNotPileUp(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{SendBuffer: 256}, route.Socket{Rate: 1 << 20, Burst: 1 << 20}, Config{})
	c := r.open("/ws")
	c.p.Stall()
	var want []string
	for i := range 4000 {
		data := fmt.Sprint(strings.Repeat("p", 100), i)
		c.p.Write([]byte(ping(data)))
		want = append(want, "pong "+data)
	}
	c.settle()
	if n := r.l.Queued(r.slot()); n > 5<<10 {
		t.Errorf("%d bytes of pongs wait", n)
	}
	c.p.Resume()
	c.settle()
	c.want(want...)
	c.is(simkernel.Open)
}

// One that leaves while it is not read is let go at once.
func TestHangUpWhileNotRead(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{SendBuffer: 256}, route.Socket{}, Config{PongBytes: 1})
	c := r.open("/ws")
	c.p.Stall()
	for range 20 {
		c.send(ping(strings.Repeat("p", 100)))
	}
	c.p.CloseWrite()
	c.settle()
	r.ended(record.ReasonGone)
	c.p.Resume()
	c.settle()
	c.is(simkernel.Fin)
	r.empty()
}

// Sending away a client that is not read lets its close be read again.
func TestGoawayWhileNotRead(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{SendBuffer: 256}, route.Socket{}, Config{PongBytes: 1})
	c := r.open("/ws")
	c.p.Stall()
	for range 20 {
		c.send(ping(strings.Repeat("p", 100)))
	}
	r.goaway()
	c.send(closing(1001, ""))
	c.p.Resume()
	c.settle()
	got := c.read()
	if last := got[len(got)-1]; last != "close 1001" || len(got) > 20 {
		t.Errorf("got %d frames, the last is %q", len(got), last)
	}
	c.over()
}

// A policy that changes holds from the next message on; one on its way in when nobody wanted it stays unheard.
func TestPolicyChanges(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{}, route.Socket{}, Config{})
	now := func(p route.Socket) {
		r.do(func() { r.s.SetPolicies([]route.Socket{route.Policy{Socket: p}.Filled().Socket}) })
	}
	c := r.open("/ws")
	c.send(text("ignored") + frame(ws.Text, 0, "half"))
	now(passing)
	c.send(frame(cont, fin, "way") + text("heard") + frame(ws.Text, 0, "on the "))
	r.heard("text heard")
	now(route.Socket{})
	c.send(frame(cont, fin, "way") + text("ignored"))
	r.heard()
	now(route.Socket{Inbound: route.Refused})
	c.send(binary("x"))
	c.want("close 1003 messages are not accepted here")
	c.over()

	now(passing)
	c = r.open("/ws")
	r.do(func() { r.l.At(r.slot()).Policy = 7 }) // one that no snapshot has any more
	c.send(text("x"))
	r.heard("text x")
}

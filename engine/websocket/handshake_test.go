package websocket

import (
	"strings"
	"testing"
	"time"

	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/simkernel"
)

// ask is the lines of a handshake, some of them changed: "Name" leaves one out, "Name: value" replaces it, "+Name: value"
// comes besides.
func ask(changes ...string) string {
	lines := strings.Split(strings.TrimSuffix(asking, "\r\n"), "\r\n")
	for _, c := range changes {
		if more, ok := strings.CutPrefix(c, "+"); ok {
			lines = append(lines, more)
			continue
		}
		name, _, keep := strings.Cut(c, ":")
		for i, line := range lines {
			if strings.HasPrefix(line, name+":") {
				lines[i] = c
				if !keep {
					lines[i] = "X-Left-Out: " + name
				}
			}
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// The example of RFC 6455 §1.3, and everything that §4.2.2 has the answer say.
func TestAnswer(t *testing.T) {
	r := calm(t)
	c := r.dial()
	c.send("GET /ws HTTP/1.1\r\n" + ask())
	head := c.head()
	date := head[strings.Index(head, "Date: "):]
	date = date[:strings.Index(date, "\r\n")+2]
	want := "HTTP/1.1 101 Switching Protocols\r\n" + date + "Push-Key: k\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + sampleAccept + "\r\n"
	if head != want {
		t.Errorf("got\n%q\nwant\n%q", head, want)
	}
	c = r.dial()
	c.send("GET /ws?chat HTTP/1.1\r\n" + ask("+Sec-WebSocket-Protocol: chat, superchat", "+Sec-WebSocket-Extensions: permessage-deflate"))
	head = c.head()
	for _, line := range []string{
		"\r\nSec-WebSocket-Protocol: chat\r\n",
		"\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n",
	} {
		if !strings.Contains(head, line) {
			t.Errorf("%q lacks %q", head, line)
		}
	}
	if n := r.h1.Stats.Sockets; n != 2 || r.s.Stats.Opened != 2 || r.s.Stats.Deflating != 1 {
		t.Errorf("counted %d, %+v", n, r.s.Stats)
	}
}

// Requests that are no handshake, or a bad one: "If the server, while reading the handshake, finds that the client did
// not send a handshake that matches the description below …, the server MUST stop processing the client's handshake and
// return an HTTP response with an appropriate error code" (§4.2.1). No exchange begins with it.
func TestHandshakes(t *testing.T) {
	f := func(line, rest, status string) {
		t.Helper()
		r := calm(t)
		c := r.dial()
		c.send(line + "\r\n" + rest)
		head := c.head()
		if !strings.HasPrefix(head, "HTTP/1.1 "+status+" ") {
			t.Errorf("%s with %.200q: answered %.60q, want %s", line, rest, head, status)
		}
		if begun := r.script.begun; (begun == 1) != (status == "101") {
			t.Errorf("%s: %d exchanges begun", line, begun)
		}
		if status == "426" && (!strings.Contains(head, "\r\nSec-WebSocket-Version: 13\r\n") || !strings.Contains(head, "\r\nUpgrade: websocket\r\n")) {
			t.Errorf("a 426 does not say which version: %q", head)
		}
		if status == "400" || status == "426" {
			c.is(simkernel.Fin)
		}
	}
	const get = "GET /ws HTTP/1.1"
	f(get, ask(), "101")
	f(get, ask("Upgrade: WebSocket", "Connection: keep-alive, UPGRADE"), "101")
	f(get, ask("Upgrade: foo, websocket"), "101")
	f(get, ask("Connection: x", "+Connection: upgrade"), "101")
	f(get, ask("+Content-Length: 0"), "101")
	f("GET http://a/ws HTTP/1.1", ask(), "101")

	f(get, ask("Upgrade"), "200")
	f(get, ask("Upgrade: foo"), "200")
	f("GET /ws HTTP/1.0", ask(), "200")
	f("POST /ws HTTP/1.1", ask("+Content-Length: 0"), "200")
	f(get, ask("+Content-Length: 1")+"x", "200")

	f(get, ask("Connection"), "400")
	f(get, ask("Connection: close"), "400")
	f(get, ask("Host"), "400")
	f(get, ask("Sec-WebSocket-Key"), "400")
	f(get, ask("Sec-WebSocket-Key: short"), "400")
	f(get, ask("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ!!"), "400")
	f(get, ask("+Sec-WebSocket-Key: "+sampleKey), "400")
	f(get, ask("+Sec-WebSocket-Version: 13"), "400")
	f(get, ask("+Sec-WebSocket-Extensions: ;;"), "400")
	f(get, ask("+Sec-WebSocket-Extensions: permessage-deflate; x=\""), "400")
	f(get, ask("Sec-WebSocket-Version"), "426")
	f(get, ask("Sec-WebSocket-Version: 8"), "426")
	f(get, ask("Sec-WebSocket-Version: 14"), "426")
}

// A handshake in pieces, with frames right behind it: a client "MAY start sending data" only after the answer, but what
// a proxy has joined is understood.
func TestHandshakeInPieces(t *testing.T) {
	in := "GET /ws HTTP/1.1\r\n" + ask("+Sec-WebSocket-Extensions: permessage-deflate") + text("early") + frame(1, 0, "in ")
	r := calm(t)
	for cut := range len(in) {
		c := r.dial()
		c.send(in[:cut])
		c.send(in[cut:])
		c.send(frame(cont, fin, "pieces"))
		r.heard("text early", "text in pieces")
		if !strings.HasPrefix(c.head(), "HTTP/1.1 101 ") {
			t.Fatalf("cut at %d: no answer", cut)
		}
		c.want()
		c.p.Reset()
		c.settle()
		r.empty()
	}
}

// An answer may wait for the keys to be claimed; what came meanwhile is not lost, and nothing but a few bytes is kept.
func TestLateHandshake(t *testing.T) {
	for _, early := range []string{"", text("early"), text("early")[:3]} {
		r := calm(t)
		c := r.dial()
		c.send("GET /late HTTP/1.1\r\n" + ask("+Sec-WebSocket-Extensions: permessage-deflate") + early)
		if got := c.p.Read(); len(got) != 0 {
			t.Errorf("answered %q before it was parked", got)
		}
		r.do(r.script.answer)
		if head := c.head(); !strings.Contains(head, sampleAccept) || !c.deflate {
			t.Errorf("the answer is %q", head)
		}
		c.send(text("early")[len(early):])
		r.heard("text early")
		r.push("text/plain", "m")
		c.want("text m")
		c.send(closing(1000, ""))
		c.want("close 1000")
		c.over()
	}
}

// Who leaves before the answer costs nothing, then or later.
func TestLeavingBeforeTheAnswer(t *testing.T) {
	for _, cut := range []bool{false, true} {
		r := calm(t)
		c := r.dial()
		c.send("GET /late HTTP/1.1\r\n" + ask() + text("x"))
		if cut {
			c.p.Reset()
			c.settle()
			r.ended(record.ReasonReset)
		} else {
			c.p.CloseWrite()
			c.settle()
			r.do(r.script.answer)
			r.heard("text x")
			r.ended(record.ReasonGone)
			c.p.Read()
			c.p.Close()
			c.settle()
		}
		r.empty()
	}
}

// A WebSocket outlives what bounds requests: it is silent for days.
func TestIdleForLong(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{}, route.Socket{Pong: -1}, Config{})
	c := r.open("/ws")
	r.do(func() { r.l.SetDeadline(r.slot(), 0) })
	r.k.Advance(100 * time.Hour)
	r.settle()
	c.is(simkernel.Open)
	r.push("text/plain", "still there?")
	c.want("text still there?")
}

// Between messages a connection keeps no memory but its record, whatever it said and negotiated before.
func TestIdleCostsNothing(t *testing.T) {
	r := calm(t)
	for _, lines := range []string{"", offering} {
		c := r.open("/ws", lines)
		before := mem.BufferBytes()
		c.send(text("hello") + frame(1, 0, "half") + ping("x") + frame(cont, fin, ""))
		c.send(frame(1, 0, strings.Repeat("x", 10000))[:100])
		c.send(frame(1, 0, strings.Repeat("x", 10000))[100:] + frame(cont, fin, ""))
		r.push("text/plain", prose(3000))
		c.read()
		if b, n, g := mem.BufferBytes()-before, r.piecesUsed(), r.l.Gauge(); b != 0 || n != 0 || g.KeptInputs != 0 || g.QueuedConns != 0 {
			t.Errorf("%q: %d bytes of buffers, %d messages, %+v", lines, b, n, g)
		}
	}
}

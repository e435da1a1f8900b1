package http1

import (
	"strings"
	"testing"
	"time"

	"holdfast/engine/exchange"
	"holdfast/engine/loop"
	"holdfast/engine/record"
)

const (
	handshakeLines = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	accepted       = "HTTP/1.1 101 Switching Protocols\r\nDate: now\r\nPush-Key: k\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	compressing = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
)

// next is the protocol that connections are handed to: it notes what it is given.
type next struct {
	r       *rig
	slots   []uint32
	deflate bool // what it agrees to
	offered bool
	after   time.Duration
	got     string
	closed  int
}

func (n *next) Adopt(slot uint32, deflate bool, after time.Duration) bool {
	n.slots = append(n.slots, slot)
	n.offered, n.after = deflate, after
	n.r.l.At(slot).Kind = record.WebSocket
	n.r.l.Resume(slot)
	return n.deflate
}

func (n *next) Received(_ uint32, b []byte) int {
	n.got += string(b)
	return len(b)
}

func (n *next) Happened(slot uint32, e loop.Event) {
	if e == loop.Ended {
		n.r.l.Close(slot, record.ReasonGone)
	}
}

func (n *next) Closed(slot uint32, why record.Reason) {
	n.closed++
	n.r.script.Ended(exchange.Exchange{Slot: slot}, why)
}

// upgrading is a rig whose sessions can hand connections over.
func upgrading(t *testing.T) (*rig, *next) {
	t.Helper()
	forms["socket"] = exchange.WebSocket
	r := calm(t)
	n := &next{r: r}
	r.s.Upgrade(n)
	r.l.Speak(record.WebSocket, n)
	return r, n
}

// A connection is handed over with its slot and generation, nothing of ours left on it, and all that came behind the
// request goes to who has it then.
func TestHandOver(t *testing.T) {
	f := func(path string, agrees bool, lines string, want string) {
		t.Helper()
		r, n := upgrading(t)
		n.deflate = agrees
		c := r.dial()
		in := "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + handshakeLines + lines + "\r\n"
		c.send(in[:len(in)/2])
		c.send(in[len(in)/2:] + "frames")
		handle := r.l.Handle(r.slot())
		r.do(r.script.answer)
		c.send(" and more")
		c.want(want)
		if n.got != "frames and more" || len(n.slots) != 1 || r.l.Handle(n.slots[0]) != handle {
			t.Errorf("%s: got %q on slots %v", path, n.got, n.slots)
		}
		rec := r.l.At(r.slot())
		if rec.Extra != 0 || rec.State != 0 || rec.Flags != 0 || rec.Paused || rec.Form != uint8(exchange.WebSocket) {
			t.Errorf("%s: the record is handed over as %+v", path, rec)
		}
		if want := lines != ""; n.offered != want || r.s.Stats.Sockets != 1 || r.s.Stats.States != [States]int64{} {
			t.Errorf("%s: deflate offered %v, counted %+v", path, n.offered, r.s.Stats)
		}
		c.leave()
		if n.closed != 1 {
			t.Errorf("%s: closed %d times", path, n.closed)
		}
		r.empty()
	}
	late := strings.Replace(accepted, "Push-Key: k\r\n", "", 1)
	const offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
	f("/hold/socket", true, "", accepted+"\r\n")
	f("/hold/socket", true, offer, accepted+compressing+"\r\n")
	f("/hold/socket", false, offer, accepted+"\r\n")
	f("/park/socket", true, offer, late+compressing+"\r\n")
}

// A handshake that is answered otherwise leaves an ordinary connection: "A server MAY ignore a received Upgrade header
// field" (RFC 9110 §7.8).
func TestUpgradeDeclined(t *testing.T) {
	r, n := upgrading(t)
	c := r.dial()
	for range 3 {
		c.send("GET /ok HTTP/1.1\r\nHost: a\r\n" + handshakeLines + "\r\n")
		c.want(plain(200, "ok\r\n", false))
	}
	c.send("GET /later HTTP/1.1\r\nHost: a\r\n" + handshakeLines + "\r\n")
	r.do(r.script.answer)
	c.want(plain(200, "later\r\n", false))
	c.leave()
	r.empty()
	if len(n.slots) != 0 {
		t.Error("handed over")
	}
}

// Sessions that hand nothing over know no handshake: a bad one is a request like any other.
func TestNoUpgrade(t *testing.T) {
	r := calm(t)
	c := r.dial()
	c.send("GET /ok HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n")
	c.want(plain(200, "ok\r\n", false))
}

// A bad handshake is refused before its exchange begins, and ends the connection.
func TestBadHandshake(t *testing.T) {
	f := func(lines, want string) {
		t.Helper()
		r, _ := upgrading(t)
		c := r.dial()
		c.send("GET /ok HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n" + lines + "\r\n")
		c.want(want)
		c.isEnded()
		if r.script.begun != 0 || r.s.Stats.BadHeads != 1 {
			t.Errorf("%d exchanges begun, %d bad heads", r.script.begun, r.s.Stats.BadHeads)
		}
		c.leave()
		r.empty()
	}
	f("", refusal(400, "Connection does not list Upgrade"))
	version := strings.Replace(refusal(426, "Sec-WebSocket-Version is not 13"), "application/json\r\n",
		"application/json\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n", 1)
	f("Connection: upgrade\r\nSec-WebSocket-Version: 7\r\n", version)
}

// Whoever vanishes while its answer waits leaves nothing behind.
func TestHandshakeGivenUp(t *testing.T) {
	r, n := upgrading(t)
	c := r.dial()
	c.send("GET /park/socket HTTP/1.1\r\nHost: a\r\n" + handshakeLines + "\r\n")
	c.cut()
	r.empty()
	if len(n.slots) != 0 {
		t.Error("handed over")
	}
}

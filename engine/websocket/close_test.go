package websocket

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/codec/ws"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// "If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST send a Close frame
// in response. (When sending a Close frame in response, the endpoint typically echos the status code it received.)"
// (RFC 6455 §5.5.1) Codes that may be in a frame are those of §7.4.2 and the registry.
func TestEveryCloseCode(t *testing.T) {
	good := map[int]bool{}
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		good[code] = true
	}
	for _, code := range []int{
		1, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 1016, 1100, 2000,
		2999, 3000, 3999, 4000, 4999, 5000, 65535,
	} {
		want := "close 1002 close code that may not be sent"
		if good[code] {
			want = fmt.Sprint("close ", code)
		}
		for _, reason := range []string{"", "because", strings.Repeat("r", 123)} {
			says(t, passing, "", text("a")+closing(code, reason), ends(list("text a"), want))
		}
	}
}

// "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer" and what follows is UTF-8
// (§5.5.1). An empty frame is answered by one.
func TestCloseFrames(t *testing.T) {
	f := func(in string, want ...string) { t.Helper(); says(t, passing, "", in, ends(nil, want...)) }
	f(closing(0, ""), "close 1005")
	f(frame(ws.CloseFrame, fin, "\x03"), "close 1002 close frame of one byte")
	f(closing(1000, "κόσμε"), "close 1000")
	f(closing(1000, "\xce\xba\xe1\xbd"), "close 1007 close reason is not valid UTF-8")
	f(closing(1000, strings.Repeat("r", 124)), "close 1002 control frame longer than 125 bytes")
	// "After sending a Close frame, … a peer discards any further data received." (§1.4)
	f(closing(1000, "")+text("late"), "close 1000")
	f(closing(1000, "")+ping("late"), "close 1000")
	f(closing(1000, "")+closing(1001, ""), "close 1000")
	f(closing(1000, "")+"\xff\xff\xff", "close 1000")
}

// "Once an endpoint has both sent and received a Close control frame, that endpoint SHOULD _Close the WebSocket
// Connection_", "the server MUST close the underlying TCP connection immediately" (§5.5.1, §7.1.1).
func TestServerClosesFirst(t *testing.T) {
	r := calm(t)
	c := r.open("/ws")
	c.send(closing(1000, ""))
	c.want("close 1000")
	c.is(simkernel.Fin)
	if r.l.Stats.Conns != 1 {
		t.Error("the connection is gone before the client has closed")
	}
	r.pass(2500 * time.Millisecond) // it never does
	r.empty()
	r.ended(record.ReasonGone)
}

// A hold that is sent away is told so, and nothing after that: "The application MUST NOT send any more data frames
// after sending a Close frame." (§5.5.1)
func TestGoaway(t *testing.T) {
	r := calm(t)
	c := r.open("/ws")
	r.push("text/plain", "last words")
	handle := r.l.Handle(r.slot())
	r.goaway()
	r.ended(record.ReasonDone)
	if r.l.Live(handle) {
		t.Error("the hold's handle outlives it")
	}
	c.want("text last words", "close 1001")
	c.is(simkernel.Open)
	if f := r.push("text/plain", "too late"); f != "" {
		t.Errorf("pushed to nobody: %s", f)
	}
	c.send(text("too late") + ping("too late") + frame(ws.Text, 0, "half"))
	c.want()
	r.heard()
	c.send(frame(cont, fin, "way") + closing(1001, ""))
	c.want()
	r.ended()
	c.over()
	if s := r.s.Stats; s.CloseSent[1] != 1 || s.CloseReceived[1] != 1 {
		t.Errorf("counted: %v, %v", s.CloseSent, s.CloseReceived)
	}
}

// Everything about a WebSocket that is sent away is nobody's from then on.
func TestSessionAfterGoaway(t *testing.T) {
	r := calm(t)
	c := r.open("/ws")
	slot := r.slot()
	r.goaway()
	r.do(func() {
		p := payload("text/plain", "x")
		defer p.Release()
		if f := r.s.Deliver(slot, p, 0); f != record.DroppedGone {
			t.Errorf("a message is %v", f)
		}
		r.s.Goaway(slot)
		r.s.End(slot)
		r.s.Beat(slot, time.Second)
		r.s.Write(slot, []byte("x"))
	})
	c.want("close 1001")
	c.send(closing(1001, ""))
	c.want()
	c.over()
}

// What answers a request otherwise closes, and nothing more.
func TestAnswersClose(t *testing.T) {
	f := func(want string, do func(r *rig, slot uint32)) {
		t.Helper()
		r := calm(t)
		c := r.open("/ws")
		slot := r.slot()
		r.do(func() { do(r, slot) })
		c.want(want)
		r.ended(record.ReasonDone)
	}
	f("close 1000", func(r *rig, slot uint32) { r.s.End(slot) })
	f("close 1000", func(r *rig, slot uint32) { r.s.Respond(slot, response(204)) })
	f("close 1011", func(r *rig, slot uint32) { r.s.Respond(slot, response(503)) })
}

// Who does not answer our close frame is waited for, but not for ever.
func TestCloseTimeout(t *testing.T) {
	for _, last := range []string{"", "\x81", text("still here"), frame(ws.Text, 0, "half a message")} {
		r := calm(t)
		c := r.open("/ws")
		r.goaway()
		c.want("close 1001")
		r.pass(4 * time.Second)
		c.send(last)
		c.is(simkernel.Open)
		r.pass(1500 * time.Millisecond)
		c.is(simkernel.Fin)
		r.empty()
		r.ended(record.ReasonDone)
	}
}

// A message on its way in when the hold is sent away is given up, and its frames are still understood.
func TestGoawayInsideAMessage(t *testing.T) {
	r := calm(t)
	c := r.open("/ws")
	c.send(frame(ws.Text, 0, strings.Repeat("x", 5000)) + text("1234")[:8])
	c.send(frame(cont, 0, "x")[3:])
	r.goaway()
	r.ended(record.ReasonProtocol) // a text inside a text
	c.want("close 1002 message begins inside another")

	c = r.open("/ws")
	whole := frame(ws.Text, 0, strings.Repeat("x", 5000))
	c.send(whole[:2000])
	r.goaway()
	c.send(whole[2000:] + frame(cont, fin, "") + closing(1001, ""))
	c.want("close 1001")
	c.is(simkernel.Fin)
	r.heard()
}

// The handler may send a client away while it is told of its message.
func TestGoawayFromMessage(t *testing.T) {
	r := calm(t)
	c := r.open("/bye")
	c.send(text("one") + text("two") + ping("") + closing(1001, ""))
	r.heard("text one")
	c.want("close 1001")
	r.ended(record.ReasonDone)
	c.over()
}

// A client that breaks the protocol while it closes is closed, and told nothing more.
func TestNonsenseWhileClosing(t *testing.T) {
	r := calm(t)
	c := r.open("/ws")
	r.goaway()
	c.send("\xff\xff\xff")
	c.want("close 1001")
	c.over()
}

// A client that ends its side has left: at once, but what it sent before is heard.
func TestHangUp(t *testing.T) {
	f := func(last string, heard []string, want ...string) {
		t.Helper()
		r := calm(t)
		c := r.open("/ws")
		c.p.Write([]byte(last))
		c.p.CloseWrite()
		c.settle()
		r.heard(heard...)
		c.want(want...)
		c.is(simkernel.Fin)
		r.ended(record.ReasonGone)
		c.p.Close()
		c.settle()
		r.empty()
	}
	f("", nil)
	f(closing(1000, ""), nil, "close 1000")
	f(text("x"), list("text x"))
	f(frame(ws.Text, 0, "x"), nil)
	f("\x81", nil)
}

// One that vanishes, or is cut off, likewise.
func TestVanish(t *testing.T) {
	for _, last := range []string{"", "\x81", frame(ws.Text, 0, "half")} {
		for _, cut := range []bool{false, true} {
			r := calm(t)
			c := r.open("/ws")
			c.send(last)
			why := record.ReasonGone
			if cut {
				c.p.Reset()
				why = record.ReasonReset
			} else {
				c.p.Close()
			}
			c.settle()
			r.ended(why)
			r.empty()
		}
	}
}

// Stopping the loop ends what is still open.
func TestShutdown(t *testing.T) {
	r := calm(t)
	r.open("/ws").send(frame(ws.Text, 0, "half"))
	r.open("/ws")
	r.l.Post(r.l.Stop)
	if err := r.l.Run(); err != nil {
		t.Error(err)
	}
	r.ended(record.ReasonShutdown, record.ReasonShutdown)
}

// What it was sent before it ended its side still reaches it.
func TestHangUpWithOutputWaiting(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{SendBuffer: 64}, passing, Config{})
	c := r.open("/ws")
	c.p.Stall()
	r.push("text/plain", strings.Repeat("x", 500))
	c.p.CloseWrite()
	c.settle()
	r.ended(record.ReasonGone)
	c.p.Resume()
	c.settle()
	c.want("text " + strings.Repeat("x", 500))
	c.over()
}

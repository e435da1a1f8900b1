package websocket

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/codec/ws"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// visit is a client that does a little of everything on /echo. It returns what it got and whether it came to its end.
func visit(r *rig) (got []string, how simkernel.How) {
	c := r.dial()
	c.send("GET /echo HTTP/1.1\r\n" + ask("+Sec-WebSocket-Extensions: permessage-deflate"))
	c.head()
	c.send(text("one") + ping("two") + frame(ws.Binary, 0, "thr"))
	r.push("text/plain", prose(2000))
	c.send(frame(cont, fin, "ee") + frame(ws.Text, fin|ws.Compressed, packed(9, "four")))
	r.pass(heartbeat + moment)
	c.send(pong("") + text(strings.Repeat("five", 2000)))
	c.send(closing(1000, "bye"))
	got = c.read()
	_, how = c.p.Closed()
	c.p.Close()
	c.settle()
	return got, how
}

// visited is what a visit leads to. The push comes between the echoes.
func visited() []string {
	return []string{
		"text one", "pong two", "text* " + prose(2000), "binary three", "text four", "ping",
		"text* " + strings.Repeat("five", 2000), "close 1000",
	}
}

// echoes are what a client got in answer to what it said itself.
func echoes(got []string) (own []string) {
	for _, s := range got {
		if !strings.Contains(s, "message") && s != "ping" {
			own = append(own, s)
		}
	}
	return own
}

// Whatever the network does, the same is said and heard.
func TestEAGAINAtEveryWrite(t *testing.T) {
	for at := 1; ; at++ {
		r := newRig(t, 1, simkernel.Options{EAGAINAt: at}, passing, Config{})
		got, how := visit(r)
		if !slices.Equal(got, visited()) || how != simkernel.Fin {
			t.Fatalf("the send %d is refused: got %.300q, %v", at, got, how)
		}
		r.ended(record.ReasonGone)
		r.empty()
		if r.k.Sends() < at {
			if at < 8 {
				t.Errorf("only %d sends", at)
			}
			return
		}
	}
}

// A reset at any step ends everything, once.
func TestResetAtEveryStep(t *testing.T) {
	for at := 1; ; at++ {
		r := newRig(t, 1, simkernel.Options{ResetAt: at}, passing, Config{})
		got, _ := visit(r)
		if want := echoes(visited()); !slices.Equal(echoes(got), want[:min(len(want), len(echoes(got)))]) {
			t.Errorf("a reset at step %d: got %.300q", at, got)
		}
		if n := len(r.script.why); n > 1 {
			t.Errorf("a reset at step %d: ended %v", at, r.script.why)
		}
		r.empty()
		if r.k.Ops() < at {
			if at < 12 {
				t.Errorf("only %d steps", at)
			}
			return
		}
	}
}

// In weather in which nothing works at the first try, everything works in the end.
func TestRoughWeather(t *testing.T) {
	for seed := range simkernel.Seeds(30, testing.Short()) {
		r := newRig(t, seed, simkernel.Rough(), passing, Config{})
		got, how := visit(r)
		if want := visited(); !slices.Equal(got, want) || how != simkernel.Fin {
			t.Fatalf("SEED=%d: got %.300q, %v", seed, got, how)
		}
		r.heard("text one", "binary three", "text four", "text "+strings.Repeat("five", 2000))
		r.empty()
	}
}

// A million connections are not needed: slots and generations are used again and again, and nobody hears another's.
func TestSlotsAreUsedAgain(t *testing.T) {
	r := calm(t)
	for i := range 2000 {
		c := r.open("/ws")
		c.send(frame(ws.Text, 0, fmt.Sprint("half of ", i)))
		if i%3 == 0 {
			c.send(frame(cont, fin, ""))
			r.heard(fmt.Sprint("text half of ", i))
		}
		switch i % 4 {
		case 0:
			c.p.Reset()
		case 1:
			r.goaway()
			c.p.Reset()
		case 2:
			c.send(closing(1000, ""))
			c.p.Close()
		case 3:
			c.p.Read()
			c.p.Close()
		}
		c.settle()
		r.empty()
	}
	if n := len(r.s.pieces.all); n > 3 {
		t.Errorf("%d messages were kept at once", n)
	}
}

package websocket

import (
	"strings"
	"testing"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/simkernel"
)

const moment = 500 * time.Millisecond // the wheel's ticks, and the rig's steps

// A silent client is pinged, and lives as long as it answers.
func TestBeat(t *testing.T) {
	r := calm(t)
	c := r.open("/ws")
	r.pass(heartbeat - moment)
	c.want()
	for n := 1; n < 5; n++ {
		r.pass(2 * moment)
		c.want("ping")
		c.send(pong(""))
		r.pass(heartbeat - 2*moment)
		c.want()
		if r.script.timeouts != n {
			t.Errorf("the handler heard TimedOut %d times, want %d", r.script.timeouts, n)
		}
	}
	if s := r.s.Stats; s.Beats != 4 || s.Pongs != 4 {
		t.Errorf("counted %d beats, %d pongs", s.Beats, s.Pongs)
	}
}

// Anything that it says will do for a pong: "keepalive … to verify that the remote endpoint is still responsive"
// (RFC 6455 §5.5.2).
func TestAnyInputAnswersABeat(t *testing.T) {
	for _, answer := range []string{pong(""), pong("other"), ping(""), text("x")} {
		r := calm(t)
		c := r.open("/ws")
		r.pass(heartbeat + moment)
		c.want("ping")
		c.send(answer)
		r.pass(pongs + moment)
		c.is(simkernel.Open)
		r.pass(heartbeat - pongs)
		if r.script.timeouts != 2 {
			t.Errorf("%q: the handler heard TimedOut %d times", answer, r.script.timeouts)
		}
	}
}

// One that says nothing has gone: it is cut off PongTimeout after the ping.
func TestPongTimeout(t *testing.T) {
	r := calm(t)
	c := r.open("/ws")
	c.send(text("before"))
	r.pass(heartbeat + moment)
	c.want("ping")
	r.pass(pongs - 2*moment)
	c.is(simkernel.Open)
	r.pass(2 * moment)
	c.is(simkernel.Rst)
	r.ended(record.ReasonTimeout)
	if r.s.Stats.Timeouts != 1 {
		t.Errorf("%d timeouts counted", r.s.Stats.Timeouts)
	}
	r.empty()
}

// A route may wait for pongs longer than it is silent, or not at all.
func TestPongPolicies(t *testing.T) {
	f := func(wait time.Duration, alive bool) {
		t.Helper()
		r := newRig(t, 1, simkernel.Options{}, route.Socket{Pong: wait}, Config{})
		c := r.open("/ws")
		for range 4 {
			r.pass(heartbeat + moment)
			c.read()
			if c.send(pong("")); len(r.script.talks) == 0 {
				t.Fatalf("pong within %v: an answer was not taken", wait)
			}
		}
		r.pass(heartbeat + 2*wait + moment)
		if got := len(r.script.talks) == 1; got != alive {
			t.Errorf("pong within %v: alive %v", wait, got)
		}
	}
	f(5*time.Second, false)
	f(2*time.Minute, false)
	f(-1, true)
}

// Output that waits breaks the silence by itself.
func TestNoBeatBehindOutput(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{SendBuffer: 64}, route.Socket{}, Config{})
	c := r.open("/ws")
	c.p.Stall()
	r.push("text/plain", strings.Repeat("x", 1000))
	r.do(func() { r.s.Beat(r.slot(), heartbeat) })
	c.p.Resume()
	c.settle()
	if got := c.read(); len(got) != 1 || r.s.Stats.Beats != 0 {
		t.Errorf("got %.40q", got)
	}
}

// A heartbeat may be switched off while connections are held.
func TestBeatForTheLastTime(t *testing.T) {
	r := calm(t)
	c := r.open("/ws")
	r.do(func() { r.s.Beat(r.slot(), 0) })
	c.want("ping")
	c.send(pong(""))
	r.pass(3 * heartbeat)
	c.want()
	c.is(simkernel.Open)
}

// A message or a frame that has begun must go on. Pings and other frames do not count: half a message is not kept for
// one who pings.
func TestHalfMessagesTimeOut(t *testing.T) {
	const late = "close 1008 message took too long"
	f := func(begin, meanwhile string, want ...string) {
		t.Helper()
		r := calm(t)
		c := r.open("/ws")
		r.pass(heartbeat - 5*time.Second) // a beat is due meanwhile
		c.send(begin)
		for range 9 {
			r.pass(time.Second)
			c.send(meanwhile)
			c.is(simkernel.Open)
		}
		r.pass(time.Second + moment)
		c.want(want...)
		c.is(simkernel.Fin)
		r.ended(record.ReasonTimeout)
		r.pass(2*time.Second + moment)
		r.empty()
	}
	f("\x81", "", late)
	f(text("hello")[:8], "", late)
	f(frame(1, 0, "half"), "", late)
	nine := strings.Split(strings.Repeat("pong,", 9), ",")[:9]
	f(frame(1, 0, "half"), ping(""), append(nine, late)...)
}

// A long message may take long if it goes on, and the beat goes on behind it.
func TestLongMessages(t *testing.T) {
	r := calm(t)
	c := r.open("/ws")
	c.send(frame(1, 0, ""))
	for range 10 {
		r.pass(8 * time.Second)
		c.send(frame(cont, 0, "x"))
	}
	c.send(frame(cont, fin, "."))
	r.heard("text xxxxxxxxxx.")
	c.want()
	r.pass(heartbeat + moment)
	c.want("ping")
}

// A beat in the middle of a message does not give that more time; one behind it comes in its own time, and what a client
// sent long ago does not count against it.
func TestBeatAroundMessages(t *testing.T) {
	r := calm(t)
	c := r.open("/ws")
	r.pass(heartbeat + moment)
	c.send(frame(1, 0, "half"))
	r.pass(moment)
	c.send(frame(cont, fin, "way"))
	r.pass(heartbeat + moment)
	c.want("ping", "ping")
	c.send(pong(""))
	r.pass(heartbeat + moment)
	if left := r.l.At(r.slot()).Extra; left != 0 {
		t.Errorf("%d is owed after a silent beat", left)
	}
	c.send(frame(1, 0, "half"))
	r.do(func() { r.s.Beat(r.slot(), heartbeat) })
	r.pass(10*time.Second + moment)
	c.want("ping", "close 1008 message took too long")
}

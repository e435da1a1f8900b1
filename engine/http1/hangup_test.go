package http1

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

const host = " HTTP/1.1\r\nHost: a\r\n"

// conversations lead through every state of a connection.
var conversations = []string{
	"GET /ok" + host + "\r\nGET /ok" + host + "Connection: close\r\n\r\nmore",
	"POST /x" + host + "Content-Length: 5\r\n\r\nabcdeGET /ok" + host + "\r\n",
	"POST /x" + host + "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\nGET /later" + host + "\r\nGET /ok" + host + "\r\n",
	"POST /stream" + host + "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"POST /now" + host + "Content-Length: 5\r\n\r\nabcdeGET /hold/poll" + host + "\r\nGET /ok" + host + "\r\n",
	"POST /stop" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"POST /slow" + host + "Content-Length: 5\r\n\r\nabcde",
	"GET /later" + host + "\r\nGET /hold/sse" + host + "\r\nGET /ok" + host + "\r\n",
	"GET /hold/mixed?beat HTTP/1.0\r\n\r\n",
	"GET /park/sse" + host + "\r\nGET /ok" + host + "\r\n",
	"GET /park/poll" + host + "\r\nGET /ok" + host + "\r\n",
	"GET /big" + host + "\r\nGET /hold/raw" + host + "\r\n",
	"BAD\x00",
}

// ends lets everything that is still expected happen: then nothing may be left of the connection.
func (r *rig) ends() {
	r.Helper()
	for range 4 {
		r.do(r.script.resume)
		r.do(r.script.answer)
	}
	r.passBy(90*time.Second, 3*time.Second)
	r.push(message("still there?")) // a client that has closed both ways resets
	r.pass(time.Second)
	r.empty()
}

// A client that goes, in any way and after any byte, costs nothing from then on, and its exchanges end once.
func TestGoesAfterEachByte(t *testing.T) {
	ways := map[string]func(*client){
		"ends its side": func(c *client) { c.p.CloseWrite() },
		"closes":        func(c *client) { c.p.Read(); c.p.Close() },
		"resets":        func(c *client) { c.p.Reset() },
		"closes unread": func(c *client) { c.p.Stall(); c.p.Close() },
	}
	for way, leave := range ways {
		r := calm(t)
		for _, talk := range conversations {
			for n := range len(talk) + 1 {
				for _, later := range []bool{false, true} {
					c := r.dial()
					c.p.Write([]byte(talk[:n]))
					if later { // else the system tells of both at once
						c.settle()
					}
					leave(c)
				}
			}
			r.ends()
			if t.Failed() {
				t.Fatalf("who %s in %q", way, talk)
			}
		}
	}
}

// The same for a network that resets at any operation, the first ones above all.
func TestResetAtEachOperation(t *testing.T) {
	for _, talk := range conversations {
		o := simkernel.Rough()
		for o.ResetAt = 1; ; o.ResetAt += 1 + o.ResetAt/10 {
			r := newRig(t, uint64(o.ResetAt), o, Config{})
			c := r.dial()
			c.send(talk)
			r.do(r.script.answer)
			r.push(message("x"))
			c.p.CloseWrite()
			r.ends()
			if t.Failed() {
				t.Fatalf("reset at operation %d of %q", o.ResetAt, talk)
			}
			if r.k.Ops() < o.ResetAt {
				break
			}
		}
	}
}

// Whoever parks a request and ends its side with it has left, though the system tells of that end only once, and before
// the request was read. The answers to the requests before it still come.
func TestHungUpBeforeParked(t *testing.T) {
	f := func(talk, want string) {
		t.Helper()
		r := calm(t)
		c := r.dial()
		c.p.Write([]byte(talk))
		c.p.CloseWrite()
		c.settle()
		if n := r.l.Stats.Conns; n != 0 {
			t.Errorf("%q: %d connections are left", talk, n)
		}
		if !slices.Contains(r.script.why, record.ReasonGone) {
			t.Errorf("%q: exchanges ended as %v", talk, r.script.why)
		}
		if got := c.output(); !strings.HasPrefix(got, want) {
			t.Errorf("%q: got %q, want %q first", talk, got, want)
		}
		c.isEnded()
		r.empty()
	}
	ok := plain(200, "ok\r\n", false)
	f("GET /hold/sse"+host+"\r\n", "")
	f("GET /hold/poll"+host+"\r\n", "")
	f("GET /ok"+host+"\r\nGET /hold/sse"+host+"\r\n", ok)
	f("GET /ok"+host+"\r\nGET /hold/poll"+host+"\r\n", ok)
	f("GET /ok"+host+"\r\nGET /hold/replace HTTP/1.0\r\n\r\n", ok)
}

// A hold may be parked some time after its request came. A client that has left meanwhile, even by half-closing, is
// gone then; what one sent meanwhile waits behind the hold, and no more of it than behind any other.
func TestParkedLate(t *testing.T) {
	for _, form := range []string{"sse", "poll", "raw"} {
		talk := "GET /park/" + form + host + "\r\n"
		f := func(meanwhile func(c *client), gone bool) {
			t.Helper()
			r := calm(t)
			c := r.dial()
			c.send(talk)
			meanwhile(c)
			c.settle()
			if n := r.l.Stats.Conns; n != 1 {
				t.Fatalf("%s: %d connections before it is parked", form, n)
			}
			r.do(r.script.answer)
			c.settle()
			if left := r.l.Stats.Conns == 0; left != gone {
				t.Errorf("%s: left: %v; want %v", form, left, gone)
			}
			if fates := r.push(message("m")); gone != (len(fates) == 0) {
				t.Errorf("%s: a message had the fates %v", form, fates)
			}
			c.cut()
			r.empty()
		}
		f(func(*client) {}, false)
		f(func(c *client) { c.p.CloseWrite() }, true)
		f(func(c *client) { c.send("GET /ok" + host + "\r\n") }, false)
		f(func(c *client) { c.send("GET /ok" + host + "\r\n"); c.p.CloseWrite() }, true)
		f(func(c *client) { c.send(strings.Repeat("GET /ok"+host+"\r\n", 2000)) }, false)
	}
	r := calm(t)
	c := r.dial()
	c.send("GET /park/sse" + host + "\r\n")
	c.send(strings.Repeat("x", 12<<10)) // three times what is kept behind a hold
	r.do(r.script.answer)
	c.settle()
	if n := r.s.Stats.Pipelined; n != 1 {
		t.Errorf("%d times more was sent behind a hold than is kept", n)
	}
	c.p.CloseWrite()
	c.settle()
	r.empty()
}

// A poll's answer in the tick in which its client hangs up, and the request behind it.
func TestPollAnsweredInTheTickOfTheNextEvent(t *testing.T) {
	const ask = "GET /hold/poll" + host + "\r\n"
	f := func(before func(c *client), want ...string) {
		t.Helper()
		r := calm(t)
		c := r.dial()
		c.send(ask)
		p := message("m")
		before(c)
		fates := r.push(p) // posted work comes behind the events of the same tick
		for _, w := range want {
			if got := c.output(); !strings.Contains(got, w) {
				t.Errorf("got %q, want %q in it", got, w)
			}
		}
		if len(fates) > 0 && fates[0] != record.Delivered {
			t.Errorf("fates %v", fates)
		}
		c.cut()
		r.empty()
	}
	f(func(*client) {}, "\r\n\r\nm")
	f(func(c *client) { c.p.Write([]byte("GET /ok" + host + "\r\n")) }, "\r\n\r\nmHTTP/1.1 200 OK")
	f(func(c *client) { c.p.Write([]byte(ask)) }, "\r\n\r\nm")
	f(func(c *client) { c.p.CloseWrite() })
	f(func(c *client) { c.p.Reset() })
}

// A client that has sent more behind its request than is kept for it, and ended its side, gets its answer in good order:
// closing at once would reset it away (RFC 9112 §9.6).
func TestAnswerSurvivesUnreadInput(t *testing.T) {
	r := calm(t)
	c := r.dial()
	c.send("GET /later" + host + "Connection: close\r\n\r\n")
	c.send(strings.Repeat("x", 40<<10))
	c.hangUp()
	r.do(r.script.answer)
	c.want(plain(200, "later\r\n", true))
	c.isEnded()
	r.empty()
}

// What a client sends behind a parked request is kept up to PipelineBytes, read no further, and not heard.
func TestInputBehindAHold(t *testing.T) {
	f := func(first, more int, stays bool, most int) {
		t.Helper()
		r := calm(t)
		c := r.dial()
		c.send("GET /hold/poll" + host + "\r\n" + strings.Repeat("\r\n", first/2))
		c.send(strings.Repeat("x", more))
		if kept := r.l.Kept(r.slot()); kept > most {
			t.Errorf("%d bytes are kept behind a hold, want %d at most", kept, most)
		}
		if cost := r.cost(); cost > int64(max(2*most, 256)) {
			t.Errorf("that costs %d bytes", cost)
		}
		r.push(message("m"))
		got := c.output()
		head, _, answered := strings.Cut(got, "\r\n\r\nm")
		if closes := strings.Contains(head, "Connection: close"); closes == stays || !answered {
			t.Errorf("%d and %d bytes behind a poll: %q", first, more, got)
		}
		c.cut()
		r.empty()
	}
	f(0, 0, true, 0)
	f(4, 0, true, 4)
	f(4<<10, 0, true, 4<<10)
	f(4<<10+2, 0, false, 0)
	f(10<<10, 0, false, 0)
	f(0, 60<<10, true, 4<<10) // it stays in the system's buffer
}

package http1

import (
	"strings"
	"testing"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// After Drain every answer is its connection's last and says so; those that wait for a request are closed at once, and
// what is parked stays until the gateway ends it.
func TestDrain(t *testing.T) {
	f := func(name, before string, then func(c *client), want string) {
		t.Run(name, func(t *testing.T) {
			r := calm(t)
			c := r.dial()
			c.send(before)
			c.output()
			r.do(r.s.Drain)
			if then != nil {
				c.isOpen()
				then(c)
			}
			c.want(want)
			c.isEnded()
			c.leave()
			r.empty()
		})
	}
	const ok = "GET /ok" + host + "\r\n"
	f("a new connection", "", func(c *client) { c.pass(2 * lastRequest) }, "")
	f("an idle connection", ok, func(c *client) { c.pass(2 * lastRequest) }, "")
	f("a new connection that asks at once", "", func(c *client) { c.send(ok) }, plain(200, "ok\r\n", true))
	f("an idle connection that asks at once", ok, func(c *client) { c.send(ok) }, plain(200, "ok\r\n", true))
	f("in a head", "GET /ok", func(c *client) { c.send(host + "\r\n") }, plain(200, "ok\r\n", true))
	f("in a body", "POST /ok"+host+"Content-Length: 1\r\n\r\n", func(c *client) { c.send("x") }, plain(200, "ok\r\n", true))
	f("in a body that nobody wants", "POST /now"+host+"Content-Length: 1\r\n\r\n", func(c *client) { c.send("x" + ok) }, "")
	f("in an answer", "GET /later"+host+"\r\n", func(c *client) { c.do(c.script.answer) }, plain(200, "later\r\n", true))
	f("in a streamed answer", "POST /stream"+host+"Content-Length: 1\r\n\r\n", func(c *client) { c.send("x") }, "1\r\nx\r\n0\r\n\r\n")
	f("in a poll", "GET /hold/poll"+host+"\r\n", func(c *client) { c.do(c.script.goaway) },
		"HTTP/1.1 204 No Content\r\nDate: now\r\nConnection: close\r\n\r\n")
	f("in a poll that gets its message", "GET /hold/poll"+host+"\r\n"+ok, func(c *client) { c.push(message("m")) },
		strings.Replace(pollAnswer("m"), "Content-Length", "Connection: close\r\nContent-Length", 1))
	f("in a stream", "GET /hold/sse"+host+"\r\n", func(c *client) { c.push(message("m")); c.do(c.script.goaway) },
		"9\r\ndata: m\n\n\r\n18\r\nevent: goaway\ndata: {}\n\n\r\n0\r\n\r\n")
}

// An answer that waits to be read is not lost by Drain.
func TestDrainWithUnreadAnswer(t *testing.T) {
	r := calm(t)
	c := r.dial()
	c.p.Stall()
	c.get("/big")
	r.do(r.s.Drain)
	c.p.Resume()
	c.settle()
	if got := len(c.output()); got < bigBytes {
		t.Errorf("%d bytes came", got)
	}
	c.isEnded()
	c.leave()
	r.empty()
}

// RFC 9110 §6.6.1: "An origin server with a clock … MUST generate a Date header field in all 2xx (Successful), 3xx
// (Redirection), and 4xx (Client Error) responses". It is the time in seconds, and made once for each.
func TestDate(t *testing.T) {
	r := calm(t)
	c := r.dial()
	date := func(ask string) string {
		before := r.l.Wall()
		c.send(ask)
		_, rest, ok := strings.Cut(string(c.p.Read()), "\r\nDate: ")
		if !ok {
			t.Fatalf("no Date in the answer to %q", ask)
		}
		value, _, _ := strings.Cut(rest, "\r\n")
		when, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", value)
		if err != nil || when.Unix() < before || when.Unix() > r.l.Wall() {
			t.Errorf("Date %q is %v, %v, and the time %d to %d", value, when.Unix(), err, before, r.l.Wall())
		}
		return value
	}
	const ok = "GET /ok" + host + "\r\n"
	first := date(ok)
	made := &r.s.date.value[0]
	for range 3 {
		c.pass(300 * time.Millisecond)
		date(ok)
	}
	c.pass(time.Second)
	if second := date(ok); second == first {
		t.Errorf("after a second the date is still %s", second)
	}
	if made != &r.s.date.value[0] {
		t.Error("the date moved in memory")
	}
	date("GET /status/304" + host + "\r\n")
	date("GET /status/204" + host + "\r\n")
	date("GET /x" + host + "A\r\n\r\n")
	c.leave()
	r.empty()
}

// A handler that parks a request whose body is still to come does not make the body the next request.
func TestHoldDoesNotSmuggleABody(t *testing.T) {
	r := calm(t)
	c := r.dial()
	c.send("POST /hold/poll" + host + "Content-Length: 40\r\n\r\nGET /smuggled" + host + "\r\n")
	r.push(message("m"))
	if got := c.output(); !strings.Contains(got, "Connection: close") || strings.Contains(got, "smuggled") {
		t.Errorf("got %q", got)
	}
	c.isEnded()
	if r.script.begun != 1 {
		t.Errorf("%d requests were heard", r.script.begun)
	}
	c.leave()
	r.empty()
}

func TestStats(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{}, Config{PipelineBytes: 100})
	c := r.dial()
	c.send("GET /ok" + host + "\r\nBAD\r\n")
	c.leave()
	c = r.dial()
	c.send("GET")
	c.pass(11 * time.Second)
	c.leave()
	c = r.dial()
	c.send("GET /hold/poll" + host + "\r\n" + strings.Repeat("x", 101))
	c.cut()
	if want := (Stats{Requests: 2, BadHeads: 1, Timeouts: 1, Pipelined: 1}); r.s.Stats != want {
		t.Errorf("%+v, want %+v", r.s.Stats, want)
	}
	if got := r.l.Stats.Closed; got[record.ReasonReset] != 1 || got[record.ReasonDone] != 2 {
		t.Errorf("closed %v", got)
	}
	r.empty()
}

package http1

import (
	"strings"
	"testing"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// slowCost is the most that a client which stops half-way may cost beyond an idle one, bytes.
const slowCost = 2 << 10

const timeout = "the request took too long to arrive"

// browser is the head that a browser sends, up to its last line.
const browser = "GET /ok?some=query HTTP/1.1\r\nHost: push.example.org\r\nConnection: keep-alive\r\nCache-Control: no-cache\r\n" +
	"sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
	"Accept: text/event-stream\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n" +
	"Referer: https://push.example.org/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n"

// Whoever stops half-way is answered, or not if there is nothing to answer, and ended in good order, ten seconds after
// it came to this.
func TestStopsHalfWay(t *testing.T) {
	f := func(name, sent, before, last string) {
		t.Run(name, func(t *testing.T) {
			r := calm(t)
			c := r.dial()
			c.send(sent)
			c.want(before)
			if cost := r.cost(); cost > slowCost {
				t.Errorf("it costs %d bytes, want %d at most", cost, slowCost)
			}
			c.pass(9500 * time.Millisecond)
			c.want("")
			c.isOpen()
			c.pass(time.Second)
			c.want(last)
			c.isEnded()
			c.pass(2 * time.Second)
			if n := r.l.Stats.Conns; n != 0 {
				t.Errorf("%d connections are left to those who do not close", n)
			}
			r.empty()
		})
	}
	slow := refusal(408, timeout)
	ok := plain(200, "ok\r\n", false)
	post := "POST /x HTTP/1.1\r\nHost: a\r\n"
	f("after connect", "", "", "")
	f("in empty lines", "\r\n", "", slow)
	f("in the method", "G", "", slow)
	f("in the target", "GET /o", "", slow)
	f("behind the request line", "GET /ok HTTP/1.1\r\n", "", slow)
	f("in a field", "GET /ok HTTP/1.1\r\nHost: a\r\nA: b", "", slow)
	f("before the last line", browser, "", slow)
	f("in a second request", "GET /ok HTTP/1.1\r\nHost: a\r\n\r\nGET /ok HTTP/1.1\r\n", ok, slow)
	f("before the body", post+"Content-Length: 10\r\n\r\n", "", slow)
	f("in the body", post+"Content-Length: 10\r\n\r\n12345", "", slow)
	f("in a long body", post+"Content-Length: 1000000\r\n\r\n12345", "", slow)
	f("in a chunk's size", post+"Transfer-Encoding: chunked\r\n\r\n5", "", slow)
	f("in a chunk", post+"Transfer-Encoding: chunked\r\n\r\n5\r\n123", "", slow)
	f("in trailers", post+"Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n", "", slow)
	f("with the body held back", post+"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", slow)
	f("in a body that nobody wants", "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12", plain(200, "now\r\n", false), "")
}

// A byte a second does not buy more time, but for bodies, whose pieces each have ten seconds.
func TestTrickles(t *testing.T) {
	const never = 100
	f := func(sent, drip string, seconds int) {
		t.Helper()
		r := calm(t)
		c := r.dial()
		c.send(sent)
		n := 1
		for ; n < never; n++ {
			c.pass(time.Second)
			if closed, _ := c.p.Closed(); closed {
				break
			}
			c.send(drip)
		}
		if n != seconds {
			t.Errorf("%q: ended after %d seconds, want %d", sent, n, seconds)
		}
		c.leave()
		r.empty()
	}
	f("GET /ok HTTP/1.1\r\nHost: a\r\nA: ", "x", 10)
	f("", "\r", 3)
	f("", "G", 10)
	f("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", "x", never)
	f("POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", "x", 10)
	f("GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "x", 1)
}

// What some hundred clients that stop in a browser's head cost each. A hundred fields are the worst that a head can do
// with few bytes: their places are kept, 16 bytes each, before the head is whole.
func TestSlowHeadsCost(t *testing.T) {
	f := func(sent string, most int64) {
		t.Helper()
		r := calm(t)
		const n = 300
		for range n {
			r.dial().p.Write([]byte(sent))
		}
		r.settle()
		each := r.cost() / n
		t.Logf("%d bytes sent cost %d", len(sent), each)
		if each > most {
			t.Errorf("a client that sent %d bytes costs %d, want %d at most", len(sent), each, most)
		}
		r.pass(13 * time.Second)
		r.empty()
		if spares := len(r.s.extras.spares); spares > sparesKept {
			t.Errorf("%d parsers are kept, want %d at most", spares, sparesKept)
		}
	}
	f("GET /ok HTTP/1.1\r\n", slowCost)
	f(browser, slowCost)
	f("GET /ok HTTP/1.1\r\nHost: a\r\n"+strings.Repeat("a:\r\n", 99), 2*slowCost)
	f("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"+strings.Repeat("a:\r\n", 97)+"\r\n1", slowCost)
}

// The answers that a client does not read end it when they have not moved for ten seconds, however it asked.
func TestDoesNotReadAnswers(t *testing.T) {
	f := func(sent string) {
		t.Helper()
		r := calm(t)
		c := r.dial()
		c.p.Stall()
		c.send(sent)
		c.pass(9 * time.Second)
		if r.l.Stats.Conns != 1 {
			t.Errorf("%q: ended too early", sent)
		}
		c.pass(2 * time.Second)
		if r.l.Stats.Conns != 0 || r.l.Stats.Closed[record.ReasonSlow] != 1 {
			t.Errorf("%q: %d connections left, %v", sent, r.l.Stats.Conns, r.l.Stats.Closed)
		}
		r.empty()
	}
	const big = "GET /big HTTP/1.1\r\nHost: a\r\n"
	f(big + "\r\n")
	f(big + "Connection: close\r\n\r\n")
	f(strings.Repeat(big+"\r\n", 3))
	f(big + "\r\nBAD")
}

// A client that asks much and reads nothing has its requests left unread; when it reads it gets every answer.
func TestAsksAndDoesNotRead(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{}, Config{OutputBytes: 4 << 10})
	c := r.dial()
	c.p.Stall()
	const n = 2000
	c.send(strings.Repeat("GET /ok HTTP/1.1\r\nHost: a\r\n\r\n", n))
	if q := r.l.Gauge().QueuedBytes; q > 5<<10 {
		t.Errorf("%d bytes are queued, want little more than 4 KiB", q)
	}
	if r.script.begun > n/4 {
		t.Errorf("%d requests were heard", r.script.begun)
	}
	c.pass(5 * time.Second)
	c.p.Resume()
	c.settle()
	c.want(strings.Repeat(plain(200, "ok\r\n", false), n))
	c.isOpen()
	c.leave()
	r.empty()
}

// An answer that is taken slowly, but is taken, does not cost the connection its idle timeout.
func TestReadsSlowlyThenIdles(t *testing.T) {
	r := calm(t)
	c := r.dial()
	c.p.Stall()
	c.get("/big")
	for range 25 {
		c.pass(4 * time.Second)
		c.p.Drain(4 << 10)
	}
	c.isOpen()
	c.p.Resume()
	c.settle()
	if got := len(c.output()); got < bigBytes {
		t.Fatalf("%d bytes of the answer came", got)
	}
	c.pass(160 * time.Second)
	c.isEnded()
	c.leave()
	r.empty()
}

// A reader that needs longer than LingerTimeout for its last answer still gets all of it.
func TestReadsTheLastAnswerSlowly(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{SendBuffer: 1 << 20}, Config{})
	c := r.dial()
	c.p.Stall()
	c.send("GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	c.pass(5 * time.Second)
	if n := r.l.Stats.Conns; n != 0 {
		t.Errorf("%d connections, want none after the linger timeout", n)
	}
	c.p.Resume()
	if got := len(c.output()); got < bigBytes {
		t.Errorf("%d bytes of %d came", got, bigBytes)
	}
	c.isEnded()
	r.empty()
}

// Silence does not end what is parked: not in a day, with or without heartbeats.
func TestHeldForADay(t *testing.T) {
	f := func(path string, beats bool) {
		t.Helper()
		r := calm(t)
		c := r.dial()
		c.get(path)
		c.output()
		r.passBy(24*time.Hour, 5*time.Second)
		c.isOpen()
		out := c.output()
		if n := strings.Count(out, ":\n\n"); beats != (n > 1500 && n < 1729) {
			t.Errorf("%s: %d heartbeats in a day", path, n)
		}
		if !beats && out != "" {
			t.Errorf("%s: %q came", path, out)
		}
		if cost := r.cost(); cost != 0 {
			t.Errorf("%s costs %d bytes beyond its record", path, cost)
		}
		c.cut()
		r.empty()
	}
	f("/hold/sse?beat", true)
	f("/hold/sse", false)
	f("/hold/raw", false)
	f("/hold/poll", false)
	f("/later", false)
}

// A stream's patience counts from when the handler asks for it, even before the first byte of the body.
func TestPatience(t *testing.T) {
	r := calm(t)
	c := r.dial()
	c.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	slot := r.slot()
	r.do(func() { r.s.Patience(slot, time.Minute) })
	c.pass(59 * time.Second)
	c.want("")
	c.send("1\r\nx\r\n")
	c.pass(59 * time.Second)
	c.want("")
	c.pass(2 * time.Second)
	c.want(refusal(408, timeout))
	c.leave()
	r.empty()
}

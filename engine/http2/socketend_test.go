package http2

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	xh2 "golang.org/x/net/http2"

	"holdfast/codec/ws"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// "The orderly TCP-level closures are represented as END_STREAM flags", RFC 8441 §5: ours comes with our close frame, and
// the stream ends with the client's.
func TestSocketClosedByClient(t *testing.T) {
	f := func(what string, in string, end bool, want ...string) {
		t.Helper()
		r := calmSockets(t)
		e := r.opened("/hold/websocket")
		e.w.WriteData(1, end, []byte(in))
		e.flush()
		e.hears(1, want...)
		if !end {
			if n := r.s.Stats.Streams[stateClosing]; n != 1 {
				t.Errorf("%s: %d streams are closing", what, n)
			}
			e.w.WriteData(1, true, nil)
			e.flush()
			e.hears(1)
		}
		r.reasons(record.ReasonGone)
		if n := r.s.streams.Live(); n != 0 {
			t.Errorf("%s: %d streams are left", what, n)
		}
		e.isOpen()
		e.leave()
		r.empty()
	}
	f("a close, then the end", closes(), false, "close 1000", "end")
	f("both at once", closes(), true, "close 1000", "end")
	f("the end only", "", true, "end")
	f("the end amid a frame", says("hello")[:5], true, "end")
	f("a message and the end", says("hello"), true, "end")
}

// Who has said goodbye and does not end the stream is not waited for long; what it still sends is thrown away.
func TestSocketLinger(t *testing.T) {
	r := calmSockets(t)
	e := r.opened("/hold/websocket")
	e.says(1, closes())
	e.hears(1, "close 1000", "end")
	e.says(1, says("one more"))
	r.noted()
	r.pass(3 * time.Second)
	e.hears(1, "RST NO_ERROR")
	e.isOpen()
	e.leave()
	r.empty()
}

// We close with a code and wait for the client's.
func TestSocketGoaway(t *testing.T) {
	for _, answers := range []bool{true, false} {
		r := calmSockets(t)
		e := r.opened("/hold/websocket")
		r.do(r.script.goaway)
		e.hears(1, "close 1001")
		r.reasons(record.ReasonDone)
		e.says(1, says("crossing"))
		r.noted()
		if answers {
			e.w.WriteData(1, true, []byte(closes()))
			e.flush()
			e.hears(1, "end")
		} else {
			r.pass(6 * time.Second)
			e.hears(1, "RST CANCEL")
		}
		if n := r.s.streams.Live(); n != 0 {
			t.Errorf("%d streams are left", n)
		}
		e.isOpen()
		e.leave()
		r.empty()
	}
}

// What breaks WebSocket's rules ends the stream in WebSocket's words; what breaks HTTP/2's, in those.
func TestSocketBroken(t *testing.T) {
	f := func(what, in string, want ...string) {
		t.Helper()
		t.Log(what)
		r := calmSockets(t)
		e := r.opened("/hold/websocket")
		e.says(1, in)
		e.hears(1, want...)
		r.reasons(record.ReasonProtocol)
		e.isOpen()
		e.leave()
		r.empty()
	}
	f("not masked", string(ws.AppendFrame(nil, ws.Text, ws.Fin, []byte("x"))), "close 1002", "end")
	f("not UTF-8", says("\xff"), "close 1007", "end")
	f("too long", masked(ws.Text, ws.Fin, strings.Repeat("x", 65<<10))[:14000], "close 1009", "end")
}

// "RST exceptions are represented with the RST_STREAM frame with a CANCEL error code", RFC 8441 §5. Whoever resets or
// vanishes is let go at once, alone or with all on its connection.
func TestSocketReset(t *testing.T) {
	r := calmSockets(t)
	e := r.opened("/hold/websocket")
	e.asks(3, "/hold/websocket")
	e.says(3, says("whole")+says("half")[:7])
	e.w.WriteRSTStream(1, xh2.ErrCodeCancel)
	e.flush()
	r.reasons(record.ReasonGone)
	for _, f := range r.push(message("who is left")) {
		if f != record.Delivered {
			t.Errorf("fate %v", f)
		}
	}
	e.hears(1)
	e.p.Reset()
	e.settle()
	if n := len(r.script.why); n != 2 {
		t.Errorf("%d have ended", n)
	}
	r.empty()
}

// A client's windows bound what is sent, piece by piece; what waits is bounded, and evicted when nothing moves.
func TestSocketTinyWindow(t *testing.T) {
	r := calmSockets(t)
	e := r.opened("/hold/websocket?echo", xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 3})
	want := []string{"a long message", "echo"}
	r.push(message(want[0]))
	e.says(1, says(want[1]))
	for range 7 {
		e.take()
		if n := len(e.data[1]); n%3 != 0 {
			t.Fatalf("%d bytes in a window of 3", n)
		}
		e.w.WriteWindowUpdate(1, 3)
		e.flush()
	}
	e.hears(1, want...)
	e.says(1, closes())
	e.take()
	if n := len(e.data[1]); n != 2 || len(e.lines[1]) != 0 { // of 4, and 24-22 left
		t.Fatalf("%d bytes, %q", n, e.lines[1])
	}
	e.w.WriteWindowUpdate(1, 100)
	e.flush()
	e.hears(1, "close 1000", "end")
	e.leave()
	r.empty()
}

// A client that opens no window is not waited for, and its neighbour on the same connection notices nothing.
func TestSocketStalled(t *testing.T) {
	r := calmSockets(t)
	e := r.opened("/hold/websocket", xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 100})
	e.asks(3, "/hold/websocket")
	e.hears(3, "HEADERS status=200 push-key=k")
	e.w.WriteWindowUpdate(3, 1<<20)
	e.flush()
	fates := r.push(message(strings.Repeat("x", 200)))
	if len(fates) != 2 || fates[0] == fates[1] {
		t.Errorf("fates %v", fates)
	}
	r.pass(40 * time.Second)
	e.hears(3, strings.Repeat("x", 200))
	e.take()
	if got := fmt.Sprint(e.lines[1]); got != "[RST CANCEL]" {
		t.Error(got)
	}
	r.reasons(record.ReasonSlow)
	e.leave()
	r.empty()
}

// Pings that are answered but not read stop being read: the client's window stays shut, and what came is answered later.
func TestSocketPingFlood(t *testing.T) {
	r := calmSockets(t)
	e := r.opened("/hold/websocket", xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 0})
	long := strings.Repeat("p", 125)
	const pings = 12
	for range pings {
		e.says(1, masked(ws.PingFrame, ws.Fin, long))
	}
	e.take()
	if sent := pings * 131; e.windows[1] == 0 || e.windows[1] == sent {
		t.Errorf("%d of %d bytes are given back", e.windows[1], sent)
	}
	e.w.WriteWindowUpdate(1, 1<<20)
	e.flush()
	e.hears(1, strings.Split(strings.TrimSuffix(strings.Repeat("pong "+long+"\n", pings), "\n"), "\n")...)
	if sent := pings * 131; e.windows[1] != sent {
		t.Errorf("%d of %d bytes are given back", e.windows[1], sent)
	}
	e.leave()
	r.empty()
}

// More than the window is a flow control error, however small its parts.
func TestSocketOverflow(t *testing.T) {
	r := calmSockets(t)
	e := r.listener()
	e.asks(1, "/hold/websocket?late")
	for range 5 {
		e.w.WriteData(1, false, make([]byte, 16<<10))
	}
	e.flush()
	e.hears(1, "RST FLOW_CONTROL_ERROR")
	e.isOpen()
	e.leave()
	r.empty()
}

// Many WebSockets beside streams of other forms on one connection, in any weather: each hears all that it was sent in
// order, and nothing is left of them.
func TestManySockets(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 8441))
		r := socketRig(t, seed, simkernel.Options{InputPieces: 100, ShortSend: 0.1, Refuse: 0.1, Delay: 2}, Config{})
		e := r.listener(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 64})
		const sockets = 40
		said := map[uint32]string{}
		for i := range uint32(sockets) {
			e.asks(4*i+1, "/hold/websocket?echo")
			e.get(4*i+3, "/hold/raw")
		}
		for range 300 {
			id := 4*uint32(rnd.IntN(sockets)) + 1
			switch rnd.IntN(6) {
			case 0, 1, 2:
				word := fmt.Sprint(rnd.IntN(1000), " ")
				in := says(word)
				cut := rnd.IntN(len(in))
				e.w.WriteData(id, false, []byte(in[:cut]))
				e.w.WriteData(id, false, []byte(in[cut:]))
				said[id] += word
			case 3:
				r.push(message("news"))
			default:
				e.w.WriteWindowUpdate(id, 1+rnd.Uint32N(100))
				e.flush()
			}
		}
		e.flush()
		for i := range uint32(sockets) {
			e.w.WriteWindowUpdate(4*i+1, 1<<20)
		}
		e.flush()
		e.take()
		for i := range uint32(sockets) {
			id := 4*i + 1
			heard := ""
			parser := ws.NewParser(ws.Client, false)
			for b := e.data[id]; len(b) > 0; {
				ev, n, err := parser.Next(b, &ws.Limits{Overhead: 1 << 20})
				if err != nil || n == 0 {
					t.Fatalf("seed %d: stream %d is broken: %v", seed, id, err)
				}
				if b = b[n:]; string(ev.Payload) != "news" {
					heard += string(ev.Payload)
				}
			}
			if heard != said[id] {
				t.Fatalf("seed %d: stream %d said %q and heard %q", seed, id, said[id], heard)
			}
		}
		e.leave()
		r.empty()
	}
}

// A client that ends its side by a reset, as Go's does, has had its whole answer: that is no abuse, but to open
// WebSockets only to reset them is (CVE-2023-44487).
func TestSocketRapidReset(t *testing.T) {
	f := func(farewell string, want uint64) {
		t.Helper()
		r := socketRig(t, 1, simkernel.Options{}, Config{Resets: 20, ResetsRate: 1})
		e := r.listener()
		for id := uint32(1); id < 200; id += 2 {
			e.asks(id, "/hold/websocket")
			if farewell != "" {
				e.says(id, farewell)
			}
			e.w.WriteRSTStream(id, xh2.ErrCodeCancel)
			e.flush()
		}
		if got := r.s.Stats.Abuse[AbuseReset]; got != want {
			t.Errorf("after %q: ended for resets %d times, want %d", farewell, got, want)
		}
		e.leave()
		r.empty()
	}
	f(closes(), 0)
	f("", 1)
}

// Whatever send is refused and whenever the client resets, each WebSocket ends once and nothing is left.
func TestSocketWeather(t *testing.T) {
	run := func(o simkernel.Options) (sends, ops int) {
		r := socketRig(t, 1, o, Config{})
		e := r.listener()
		for id := uint32(1); id < 6; id += 2 {
			e.asks(id, "/hold/websocket?echo")
		}
		e.says(1, says("one")+masked(ws.PingFrame, ws.Fin, "two")+says("three")[:4])
		r.push(message(strings.Repeat("x", 40<<10)))
		e.take()
		e.w.WriteWindowUpdate(0, 1<<20)
		e.w.WriteWindowUpdate(3, 1<<20)
		e.w.WriteData(5, true, []byte(closes()))
		e.flush()
		r.do(r.script.goaway)
		e.says(3, closes())
		e.leave()
		r.empty()
		return r.k.Sends(), r.k.Ops()
	}
	sends, ops := run(simkernel.Options{})
	for at := 1; at <= sends; at++ {
		run(simkernel.Options{EAGAINAt: at})
	}
	for at := 1; at <= ops; at++ {
		run(simkernel.Options{ResetAt: at})
	}
	if sends < 8 || ops < 16 {
		t.Errorf("%d sends and %d operations are too few", sends, ops)
	}
}

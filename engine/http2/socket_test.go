package http2

import (
	"strings"
	"testing"
	"time"

	xh2 "golang.org/x/net/http2"

	"holdfast/codec/ws"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

func calmSockets(t testing.TB) *rig {
	t.Helper()
	return socketRig(t, 1, simkernel.Options{}, Config{})
}

// "the ":protocol" pseudo-header field ... The server MUST NOT be contacted" unless a handshake is one: RFC 8441 §5, and
// RFC 9220 §3 for other protocols. Nobody hears of what is refused.
func TestConnectRefused(t *testing.T) {
	f := func(want string, ended bool, fields ...string) {
		t.Helper()
		r := calmSockets(t)
		e := r.listener()
		e.headers(1, ended, "CONNECT", "/hold/websocket", fields...)
		e.flush()
		e.take()
		if got := strings.Join(e.lines[1], ", "); !strings.HasPrefix(got, "HEADERS "+want) || !strings.Contains(got, ", end") {
			t.Errorf("%v: %s, want %s", fields, got, want)
		}
		if r.script.begun != 0 {
			t.Errorf("%v: an exchange has begun", fields)
		}
		e.isOpen()
		e.leave()
		r.empty()
	}
	f("status=400 content-type=application/json sec-websocket-version=13 ", false, ":protocol: websocket")
	f("status=400 content-type=application/json sec-websocket-version=13 ", false, ":protocol: websocket", "sec-websocket-version: 12")
	f("status=400 content-type=application/json sec-websocket-version=13 ", false, ":protocol: websocket", "sec-websocket-version: 13", "sec-websocket-version: 13")
	f("status=400 ", false, ":protocol: websocket", "sec-websocket-version: 13", "sec-websocket-extensions: permessage-deflate;")
	f("status=400 ", true, ":protocol: websocket", "sec-websocket-version: 13")
	f("status=501 ", false, ":protocol: connect-udp")
	f("status=501 ", false, ":protocol: websockets", "sec-websocket-version: 13")
}

// "If a server ... receives :protocol without having sent SETTINGS_ENABLE_CONNECT_PROTOCOL" it is malformed, RFC 8441 §3.
func TestConnectNotOffered(t *testing.T) {
	r := calm(t)
	c := r.hello()
	c.headers(1, false, "CONNECT", "/hold/websocket", ":protocol: websocket", "sec-websocket-version: 13")
	c.flush()
	c.want("1 RST PROTOCOL_ERROR")
	c.leave()
	r.empty()
}

// Frames go both ways, wherever DATA frames end, and only what is under way costs anything.
func TestSocketEcho(t *testing.T) {
	in := says("hello") + masked(ws.PingFrame, ws.Fin, "p") + masked(ws.Text, 0, "a") + masked(ws.PingFrame, ws.Fin, "q") +
		masked(ws.Continuation, ws.Fin, strings.Repeat("b", 130))
	for cut := range len(in) {
		r := calmSockets(t)
		e := r.opened("/hold/websocket?echo")
		for _, part := range []string{in[:cut], in[cut:]} {
			if part != "" {
				e.says(1, part)
			}
		}
		e.hears(1, "hello", "pong p", "pong q", "a"+strings.Repeat("b", 130))
		if e.windows[1] != len(in) {
			t.Errorf("cut at %d: %d of %d bytes are given back to the window", cut, e.windows[1], len(in))
		}
		if w := len(r.s.works.all) - 1 - len(r.s.works.free); w != 0 {
			t.Errorf("cut at %d: a silent WebSocket keeps %d works", cut, w)
		}
		e.leave()
		r.reasons(record.ReasonGone)
		r.empty()
	}
}

// The bytes of everything may come one by one, padding and all.
func TestSocketByteByByte(t *testing.T) {
	r := calmSockets(t)
	e := r.opened("/hold/websocket?echo")
	for i := range 20 {
		e.w.WriteDataPadded(1, false, []byte(says("hi")), make([]byte, i))
	}
	in := append([]byte(nil), e.out.Bytes()...)
	e.out.Reset()
	for i := range in {
		e.p.Write(in[i : i+1])
		e.settle()
	}
	e.hears(1, strings.Split(strings.Repeat("hi ", 20), " ")[:20]...)
	if want := len(in) - 20*9; e.windows[1] != want {
		t.Errorf("%d of %d bytes are given back", e.windows[1], want)
	}
	e.leave()
	r.empty()
}

// A push is one message, sent once whole; its fate is told.
func TestSocketPush(t *testing.T) {
	r := calmSockets(t)
	e := r.opened("/hold/websocket")
	e.get(3, "/hold/sse")
	e.take()
	for range 3 {
		for _, f := range r.push(message("news")) {
			if f != record.Delivered {
				t.Errorf("fate %v", f)
			}
		}
	}
	e.hears(1, "news", "news", "news")
	if got, want := string(e.data[3]), strings.Repeat("data: news\n\n", 3); !strings.HasSuffix(got, want) {
		t.Errorf("its neighbour hears %q", got)
	}
	e.leave()
	r.empty()
}

// A handshake that waits for its answer keeps what comes behind it, and its client may go meanwhile.
func TestSocketLate(t *testing.T) {
	r := calmSockets(t)
	e := r.listener()
	e.asks(1, "/hold/websocket?late", "sec-websocket-protocol: other, chat")
	e.says(1, says("early")[:4])
	e.w.WriteDataPadded(1, false, []byte(says("early")[4:]), make([]byte, 99))
	e.flush()
	e.hears(1)
	r.noted()
	r.do(r.script.park)
	e.hears(1, "HEADERS status=200 sec-websocket-protocol=chat")
	r.noted("early")
	if want := len(says("early")) + 100; e.windows[1] != want {
		t.Errorf("%d bytes are given back, want %d", e.windows[1], want)
	}
	e.asks(3, "/hold/websocket?late")
	e.says(3, says("lost"))
	e.w.WriteData(3, true, nil)
	e.flush()
	e.hears(3, "RST CANCEL")
	r.reasons(record.ReasonGone)
	e.asks(5, "/hold/websocket?late")
	e.w.WriteRSTStream(5, xh2.ErrCodeCancel)
	e.flush()
	e.leave()
	r.empty()
}

// Compression is negotiated as in HTTP/1.1.
func TestSocketDeflate(t *testing.T) {
	r := calmSockets(t)
	e := r.listener()
	e.deflate = true
	e.asks(1, "/hold/websocket", "sec-websocket-extensions: permessage-deflate")
	e.take()
	if got := strings.Join(e.lines[1], ""); !strings.Contains(got, "sec-websocket-extensions=permessage-deflate") {
		t.Fatal(got)
	}
	delete(e.lines, 1)
	long := strings.Repeat("compress me ", 100)
	r.push(message(long))
	e.hears(1, "deflated "+long)
	packed, _ := new(ws.Deflater).Append(nil, []byte(long))
	e.says(1, masked(ws.Text, ws.Fin|ws.Compressed, string(packed)))
	r.noted(long)
	e.leave()
	r.empty()
}

// The heartbeat is a ping, and who does not answer is let go.
func TestSocketBeat(t *testing.T) {
	r := calmSockets(t)
	e := r.opened("/hold/websocket?beat")
	e.get(3, "/hold/sse")
	e.take()
	r.pass(heartbeat + time.Second)
	e.hears(1, "ping ")
	e.says(1, masked(ws.PongFrame, ws.Fin, ""))
	r.pass(heartbeat + time.Second)
	e.hears(1, "ping ")
	r.pass(heartbeat)
	e.hears(1, "RST CANCEL")
	r.reasons(record.ReasonTimeout)
	e.isOpen()
	e.leave()
	r.empty()
}

package http2

import (
	"strings"
	"testing"

	xh2 "golang.org/x/net/http2"

	"holdfast/codec/h2"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// The first words of both sides.
func TestHandshake(t *testing.T) {
	r := calm(t)
	c := r.dial()
	c.out.WriteString(h2.Preface)
	c.w.WriteSettings()
	c.flush()
	c.want("SETTINGS 4", "0 WINDOW 983041", "SETTINGS ack")
	c.w.WriteSettingsAck()
	c.flush()
	c.leave()
	r.empty()
}

// A client may use HPACK's table until it knows that there is none: SETTINGS say so with its first answer or hold (RFC 7541
// §4.2), and once they are acknowledged nothing of it is kept.
func TestTableIsTakenAway(t *testing.T) {
	for _, path := range []string{"/hold/sse", "/hold/poll", "/ok"} {
		r := calm(t)
		c := r.dial()
		c.out.WriteString(h2.Preface)
		c.w.WriteSettings()
		c.w.WriteSettingsAck()
		c.headers(1, true, "GET", path, "x-table: an entry")
		first := c.block.Len()
		c.flush()
		taken := 0
		c.frames(func(f xh2.Frame) {
			s, ok := f.(*xh2.SettingsFrame)
			if !ok || s.IsAck() {
				return
			}
			if v, ok := s.Value(xh2.SettingHeaderTableSize); ok && v == 0 {
				taken++
			}
		})
		if taken != 1 || r.s.busies.at(r.s.links.At(1).busy).decoder == nil {
			t.Errorf("%s: the table was taken away %d times", path, taken)
		}
		c.headers(3, true, "GET", "/hold/sse", "x-table: an entry")
		if c.block.Len() >= first {
			t.Fatal("the client uses no table")
		}
		c.w.WriteSettingsAck()
		c.flush()
		if n := r.s.Stats.Streams[stateHold] + r.s.Stats.Streams[statePoll]; n == 0 || r.s.links.At(1).busy != 0 {
			t.Errorf("%s: %d held, and something is kept", path, n)
		}
		c.headers(5, true, "GET", "/ok", "x-table: an entry")
		c.flush()
		if got := c.output(); !strings.Contains(got, "COMPRESSION_ERROR") {
			t.Errorf("%s: an entry of no table: %s", path, got)
		}
		c.leave()
		r.empty()
	}
}

// Requests and what they are answered.
func TestTranscripts(t *testing.T) {
	f := func(name string, ask func(c *client), want ...string) {
		t.Run(name, func(t *testing.T) {
			r := calm(t)
			c := r.hello()
			ask(c)
			c.flush()
			c.want(want...)
			c.isOpen()
			c.leave()
			r.empty()
		})
	}
	f("GET", func(c *client) { c.headers(1, true, "GET", "/ok") },
		"1 HEADERS status=200 content-type=text/plain content-length=2", `1 DATA "ok" end`)
	f("query and authority", func(c *client) { c.headers(1, true, "GET", "/x?y=z") },
		"1 HEADERS status=200 content-type=text/plain content-length=26", `1 DATA "GET /x?y=z of a length 0: " end`)
	f("HEAD", func(c *client) { c.headers(1, true, "HEAD", "/ok") },
		"1 HEADERS status=200 content-type=text/plain content-length=2 end")
	f("204", func(c *client) { c.headers(1, true, "GET", "/status/204") }, "1 HEADERS status=204 content-type=text/plain end")
	f("two at once", func(c *client) { c.headers(1, true, "GET", "/ok"); c.headers(3, true, "GET", "/now") },
		"1 HEADERS status=200 content-type=text/plain content-length=2", `1 DATA "ok" end`,
		"3 HEADERS status=200 content-type=text/plain content-length=3", `3 DATA "now" end`)
	f("a body", func(c *client) {
		c.headers(1, false, "POST", "/x", "content-length: 5")
		c.w.WriteData(1, false, []byte("ab"))
		c.w.WriteDataPadded(1, true, []byte("cde"), make([]byte, 7))
	}, "1 HEADERS status=200 content-type=text/plain content-length=29", `1 DATA "POST /x? of a length 5: abcde" end`)
	f("a body with trailers", func(c *client) {
		c.headers(1, false, "POST", "/x")
		c.w.WriteData(1, false, []byte("ab"))
		c.block.Reset()
		c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\x00\x01a\x01b"), EndStream: true, EndHeaders: true})
	}, "1 HEADERS status=200 content-type=text/plain content-length=27", `1 DATA "POST /x? of a length -1: ab" end`)
	f("answered before the body", func(c *client) { c.headers(1, false, "POST", "/now"); c.w.WriteData(1, true, []byte("late")) },
		"1 HEADERS status=200 content-type=text/plain content-length=3", `1 DATA "now" end`, "1 RST NO_ERROR")
	f("answered in the body", func(c *client) { c.headers(1, false, "POST", "/stop"); c.w.WriteData(1, false, []byte("much")) },
		"1 HEADERS status=413 content-type=text/plain content-length=4", `1 DATA "stop" end`, "1 RST NO_ERROR")
	f("100-continue", func(c *client) {
		c.headers(1, false, "POST", "/x", "expect: 100-continue")
		c.w.WriteData(1, true, []byte("b"))
	},
		"1 HEADERS status=100", "1 HEADERS status=200 content-type=text/plain content-length=26", `1 DATA "POST /x? of a length -1: b" end`)
	f("a streamed answer", func(c *client) { c.headers(1, false, "POST", "/stream"); c.w.WriteData(1, true, []byte("echo")) },
		"1 HEADERS status=200 content-type=text/plain", `1 DATA "echo"`, `1 DATA "" end`)
	f("CONTINUATION", func(c *client) {
		block := c.request("GET", "/ok", "a: b")
		c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:3], EndStream: true})
		c.w.WriteContinuation(1, false, block[3:7])
		c.w.WriteContinuation(1, true, block[7:])
	}, "1 HEADERS status=200 content-type=text/plain content-length=2", `1 DATA "ok" end`)
	f("PING", func(c *client) { c.w.WritePing(false, [8]byte{'x'}) }, `PING "x" ack true`)
	f("a body that fits one frame", func(c *client) { c.headers(1, true, "GET", "/big/16384") },
		"1 HEADERS status=200 content-type=text/plain content-length=16384", `1 DATA "16384 bytes" end`)
	f("a longer one", func(c *client) { c.headers(1, true, "GET", "/big/40000") },
		"1 HEADERS status=200 content-type=text/plain content-length=40000", `1 DATA "16384 bytes"`, `1 DATA "16384 bytes"`, `1 DATA "7232 bytes" end`)
}

// What each form of hold sends: its head, a message, and its goaway.
func TestForms(t *testing.T) {
	f := func(form string, want ...string) {
		t.Run(form, func(t *testing.T) {
			r := calm(t)
			c := r.hello()
			c.get(1, "/hold/"+form)
			if fates := r.push(message("m")); len(fates) != 1 || fates[0] != record.Delivered {
				t.Errorf("fates %v", fates)
			}
			r.do(r.script.goaway)
			c.want(want...)
			c.isOpen()
			c.leave()
			r.empty()
		})
	}
	f("sse", "1 HEADERS status=200 content-type=text/event-stream push-key=k", `1 DATA "data: m\n\n"`,
		`1 DATA "event: goaway\ndata: {}\n\n"`, `1 DATA "" end`)
	f("ndjson", "1 HEADERS status=200 content-type=application/x-ndjson push-key=k", `1 DATA "{\"data\":\"m\"}\n"`,
		`1 DATA "{\"event\":\"goaway\"}\n"`, `1 DATA "" end`)
	f("raw", "1 HEADERS status=200 content-type=application/octet-stream push-key=k", `1 DATA "m"`, `1 DATA "" end`)
	f("poll", "1 HEADERS status=200 cache-control=no-store content-type=text/plain content-length=1", `1 DATA "m" end`)
	f("mixed", "1 HEADERS status=200 content-type=multipart/mixed; boundary=BOUND push-key=k", `1 DATA "--BOUND\r\n"`,
		`1 DATA "Content-Type: text/plain\r\nContent-Length: 1\r\n\r\nm\r\n--BOUND\r\n"`, `1 DATA "Content-Length: 0\r\nPush-Event: goaway\r\n\r\n\r\n--BOUND--\r\n"`, `1 DATA "" end`)
}

// A message longer than a frame goes in several, and is delivered when the last one is.
func TestLongMessages(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{SendBuffer: 1 << 20}, Config{})
	c := r.hello(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 1 << 20})
	c.w.WriteWindowUpdate(0, 1<<20)
	c.get(1, "/hold/raw")
	c.output()
	if fates := r.push(message(strings.Repeat("m", 40_000))); fates[0] != record.Delivered {
		t.Errorf("fates %v", fates)
	}
	c.want(`1 DATA "16384 bytes"`, `1 DATA "16384 bytes"`, `1 DATA "7232 bytes"`)
	c.leave()
	r.empty()
}

// Extended CONNECT is offered where the house can take it, and then is an exchange that knows its protocol (RFC 8441 §4).
func TestExtendedConnect(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{}, Config{Connect: true})
	c := r.dial()
	c.out.WriteString(h2.Preface)
	c.w.WriteSettings()
	c.flush()
	c.frames(func(f xh2.Frame) {
		if s, ok := f.(*xh2.SettingsFrame); ok && !s.IsAck() {
			if v, ok := s.Value(xh2.SettingID(h2.EnableConnect)); !ok || v != 1 {
				t.Error("SETTINGS_ENABLE_CONNECT_PROTOCOL is not 1")
			}
		}
	})
	c.headers(1, false, "CONNECT", "/stream", ":protocol: websocket")
	if c.flush(); r.script.begun == 0 {
		t.Fatal(c.output())
	}
	if talk := r.script.talks[r.slotOf(1)]; talk.protocol != "websocket" || talk.complete {
		t.Errorf("%+v", talk)
	}
	c.w.WriteData(1, true, []byte("both ways"))
	c.flush()
	c.want("1 HEADERS status=200 content-type=text/plain", `1 DATA "both ways"`, `1 DATA "" end`, "SETTINGS 1")
	c.leave()
	r.empty()
}

// The answers of polls share their block, whether or not one is the first on its connection, and may be empty.
func TestPolls(t *testing.T) {
	r := calm(t)
	a, b := r.hello(), r.hello()
	a.get(1, "/hold/poll")
	b.get(1, "/ok")
	b.output()
	b.get(3, "/hold/poll")
	b.get(5, "/hold/poll")
	p := message("shared")
	p.SetID([]byte("id"))
	for _, f := range r.push(p) {
		if f != record.Delivered {
			t.Errorf("fate %v", f)
		}
	}
	head := " HEADERS status=200 cache-control=no-store content-type=text/plain push-id=id content-length=6"
	a.want("1"+head, `1 DATA "shared" end`)
	b.want("3"+head, `3 DATA "shared" end`, "5"+head, `5 DATA "shared" end`)
	a.get(3, "/hold/poll")
	if fates := r.push(message("")); len(fates) != 1 || fates[0] != record.Delivered {
		t.Errorf("fates %v", fates)
	}
	a.want("3 HEADERS status=200 cache-control=no-store content-type=text/plain content-length=0 end")
	a.leave()
	b.leave()
	r.empty()
}

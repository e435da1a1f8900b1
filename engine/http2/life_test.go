package http2

import (
	"strings"
	"testing"
	"time"

	xh2 "golang.org/x/net/http2"

	"holdfast/codec/h2"
	"holdfast/engine/record"
)

// What a client leaves half done ends after a time; what it does not owe, never.
func TestTimeouts(t *testing.T) {
	f := func(name string, ask func(c *client), after time.Duration, want string) {
		t.Run(name, func(t *testing.T) {
			r := calm(t)
			c := r.dial()
			ask(c)
			c.p.Write(c.out.Bytes())
			c.settle()
			c.output()
			r.pass(after - time.Second)
			if got := c.output(); got != "" {
				t.Errorf("before its time: %s", got)
			}
			c.isOpen()
			r.pass(2 * time.Second)
			if got := c.output(); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			c.leave()
			r.pass(5 * time.Second)
			r.empty()
		})
	}
	hello := func(c *client) {
		c.out.WriteString(h2.Preface)
		c.w.WriteSettings()
		c.w.WriteSettingsAck()
		c.flush()
		c.settled()
	}
	f("SETTINGS are not acknowledged", func(c *client) { c.out.WriteString(h2.Preface); c.w.WriteSettings() },
		10*time.Second, `GOAWAY 0 SETTINGS_TIMEOUT "no acknowledgement of SETTINGS"`)
	f("the second SETTINGS are not acknowledged", func(c *client) {
		c.out.WriteString(h2.Preface)
		c.w.WriteSettings()
		c.w.WriteSettingsAck()
		c.headers(1, true, "GET", "/hold/sse")
	}, 10*time.Second, `GOAWAY 1 SETTINGS_TIMEOUT "no acknowledgement of SETTINGS"`)
	f("no stream", hello, 75*time.Second, `GOAWAY 0 NO_ERROR ""`)
	f("half a frame's header", func(c *client) { hello(c); c.out.WriteString("\x00\x00\x05") },
		10*time.Second, `GOAWAY 0 NO_ERROR "a frame took too long to arrive"`)
	f("half a HEADERS frame", func(c *client) { hello(c); c.headers(1, true, "GET", "/ok"); c.out.Truncate(c.out.Len() - 3) },
		10*time.Second, `GOAWAY 0 NO_ERROR "a frame took too long to arrive"`)
	f("a block without its end", func(c *client) {
		hello(c)
		c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\x82")})
	}, 10*time.Second, `GOAWAY 0 NO_ERROR "a frame took too long to arrive"`)
	f("a body that does not come", func(c *client) { hello(c); c.headers(1, false, "POST", "/x") }, 10*time.Second,
		"1 HEADERS status=408 content-type=application/json content-length=48\n"+
			"1 DATA \"{\\\"error\\\":\\\"the request took too long to arrive\\\"}\\n\" end\n1 RST NO_ERROR")
	f("a body that stops behind an answer's head", func(c *client) { hello(c); c.headers(1, false, "POST", "/stream") },
		10*time.Second, "1 RST CANCEL")
	f("a heartbeat", func(c *client) { hello(c); c.headers(1, true, "GET", "/hold/sse?beat") }, 50*time.Second, `1 DATA ":\n\n"`)
	f("a poll", func(c *client) { hello(c); c.headers(1, true, "GET", "/hold/poll?beat") }, 50*time.Second, "1 HEADERS status=204 end")
	f("a hold", func(c *client) { hello(c); c.headers(1, true, "GET", "/hold/sse") }, time.Hour, "")
	f("a body that is held back by us", func(c *client) { hello(c); c.headers(1, false, "POST", "/slow"); c.w.WriteData(1, false, []byte("x")) },
		time.Minute, "")
}

// A drain asks for other connections, hears what is on its way, and ends each with its last stream (RFC 9113 §6.8).
func TestDrain(t *testing.T) {
	f := func(name string, second func(r *rig, c *client)) {
		t.Run(name, func(t *testing.T) {
			r := calm(t)
			c := r.hello()
			c.get(1, "/hold/sse")
			c.output()
			r.do(r.s.Drain)
			c.want(`GOAWAY 2147483647 NO_ERROR ""`, `PING "drain" ack false`)
			c.get(3, "/ok")
			c.want("3 HEADERS status=200 content-type=text/plain content-length=2", `3 DATA "ok" end`)
			second(r, c)
			c.want(`GOAWAY 3 NO_ERROR ""`)
			c.headers(5, false, "POST", "/ok")
			c.w.WriteData(5, true, []byte("x"))
			c.w.WriteWindowUpdate(5, 1)
			c.w.WriteRSTStream(5, xh2.ErrCodeCancel)
			c.flush()
			c.want("")
			r.pass(time.Hour)
			c.isOpen()
			r.do(r.script.goaway)
			c.want(`1 DATA "event: goaway\ndata: {}\n\n"`, `1 DATA "" end`)
			c.isEnded()
			late := r.dial()
			late.out.WriteString(h2.Preface)
			late.w.WriteSettings()
			late.flush()
			late.want("SETTINGS 4", "0 WINDOW 983041", `GOAWAY 2147483647 NO_ERROR ""`, `PING "drain" ack false`, "SETTINGS ack")
			late.w.WritePing(true, drainPing)
			late.flush()
			late.want(`GOAWAY 0 NO_ERROR ""`)
			late.isEnded()
			c.leave()
			late.leave()
			r.empty()
		})
	}
	f("the client answers", func(_ *rig, c *client) { c.w.WritePing(true, drainPing); c.flush() })
	f("the client is silent", func(r *rig, _ *client) { r.pass(1100 * time.Millisecond) })
}

// However a connection or stream ends, its exchange hears so once, with the reason.
func TestReasons(t *testing.T) {
	f := func(name string, end func(r *rig, c *client), want ...record.Reason) {
		t.Run(name, func(t *testing.T) {
			r := calm(t)
			c := r.hello()
			c.headers(1, true, "GET", "/hold/sse")
			c.flush()
			end(r, c)
			r.settle()
			if got := r.script.why; len(got) != 1 || got[0] != want[0] {
				t.Errorf("ended %v, want %v", got, want)
			}
			c.p.Reset()
			r.pass(5 * time.Second)
			r.empty()
		})
	}
	f("RST_STREAM", func(_ *rig, c *client) { c.w.WriteRSTStream(1, xh2.ErrCodeCancel); c.flush() }, record.ReasonGone)
	f("the client's end", func(_ *rig, c *client) { c.p.CloseWrite() }, record.ReasonGone)
	f("a reset", func(_ *rig, c *client) { c.p.Reset() }, record.ReasonReset)
	f("a broken frame", func(_ *rig, c *client) { c.w.WriteData(9, true, []byte("x")); c.flush() }, record.ReasonProtocol)
	f("goaway", func(r *rig, _ *client) { r.do(r.script.goaway) }, record.ReasonDone)
	f("the loop's end", func(r *rig, c *client) {
		r.do(func() { r.l.Close(r.l.At(r.slotOf(1)).Owner, record.ReasonShutdown) })
	}, record.ReasonShutdown)
}

// A connection on which nothing is under way costs its link and no more, whatever it holds.
func TestIdleConnectionsKeepNothing(t *testing.T) {
	r := calm(t)
	c := r.hello()
	for i := range uint32(1000) {
		c.headers(2*i+1, true, "GET", "/hold/sse")
	}
	c.flush()
	c.headers(2001, false, "POST", "/x")
	c.w.WriteData(2001, true, []byte("body"))
	c.flush()
	r.push(message("m"))
	c.output()
	if b, w := len(r.s.busies.all)-1-len(r.s.busies.free), len(r.s.works.all)-1-len(r.s.works.free); b != 0 || w != 0 {
		t.Errorf("%d busies and %d works in use", b, w)
	}
	if g := r.l.Gauge(); g.KeptInputs+g.QueuedConns != 0 {
		t.Errorf("%+v", g)
	}
	c.leave()
	r.empty()
}

// Upgrade: h2c makes the request stream 1 of the connection (RFC 7540 §3.2).
func TestUpgrade(t *testing.T) {
	ask := "GET /ok HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAQAAAAC\r\n\r\n"
	switched := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
	for pieces := 1; pieces < 40; pieces++ { // the window of 2 bytes is in HTTP2-Settings
		r := calm(t)
		c := r.dial()
		c.out.WriteString(ask + h2.Preface)
		c.w.WriteSettings(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 3})
		c.w.WriteSettingsAck()
		c.headers(3, true, "GET", "/hold/raw")
		all := c.out.String()
		c.out.Reset()
		for len(all) > 0 {
			n := min(pieces*7, len(all))
			c.p.Write([]byte(all[:n]))
			c.settle()
			all = all[n:]
		}
		c.seen = append(c.seen, c.p.Read()...)
		rest, ok := strings.CutPrefix(string(c.seen), switched)
		if !ok {
			t.Fatalf("got %q", c.seen)
		}
		c.seen = []byte(rest)
		c.want("SETTINGS 4", "0 WINDOW 983041", "1 HEADERS status=200 content-type=text/plain content-length=2", `1 DATA "ok" end`,
			"SETTINGS 1", "SETTINGS ack", "3 HEADERS status=200 content-type=application/octet-stream push-key=k")
		if fates := r.push(message("four")); fates[0] != record.Pending {
			t.Errorf("fates %v", fates)
		}
		c.want(`3 DATA "fou"`)
		c.leave()
		r.empty()
	}
}

package http2

import (
	"fmt"
	"strings"
	"testing"
	"time"

	xh2 "golang.org/x/net/http2"

	"holdfast/codec/h2"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// flood is one kind of abuse: what is sent again and again.
type flood struct {
	name  string
	what  Abuse
	setup func(c *client)
	next  func(c *client, i uint32)
	most  int // frames until GOAWAY
}

var floods = []flood{
	{"PING", AbusePing, nil, func(c *client, _ uint32) { c.w.WritePing(false, [8]byte{}) }, 2001},
	{"SETTINGS", AbuseSettings, nil, func(c *client, _ uint32) { c.w.WriteSettings() }, 2001},
	{"SETTINGS acknowledged", AbuseSettings, nil, func(c *client, _ uint32) { c.w.WriteSettingsAck() }, 2001},
	{"SETTINGS that move many windows", AbuseSettings, func(c *client) {
		for i := range uint32(1000) {
			c.headers(2*i+1, true, "GET", "/hold/sse")
		}
	}, func(c *client, i uint32) {
		c.w.WriteSettings(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: i % 2})
	}, 100},
	{"PRIORITY", AbusePriority, nil, func(c *client, _ uint32) { c.w.WritePriority(7, xh2.PriorityParam{StreamDep: 1}) }, 2001},
	{"PRIORITY_UPDATE", AbusePriority, nil, func(c *client, _ uint32) {
		c.w.WriteRawFrame(xh2.FrameType(h2.TypePriorityUpdate), 0, 0, []byte("\x00\x00\x00\x01u=1"))
	}, 2001},
	{
		"empty DATA", AbuseEmpty, func(c *client) { c.headers(1, false, "POST", "/x") },
		func(c *client, _ uint32) { c.w.WriteData(1, false, nil) }, 2001,
	},
	{
		"DATA of padding only", AbuseEmpty, func(c *client) { c.headers(1, false, "POST", "/x") },
		func(c *client, _ uint32) { c.w.WriteDataPadded(1, false, nil, []byte{0}) }, 2001,
	},
	{"windows of one byte", AbuseWindow, func(c *client) {
		c.w.WriteSettings(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 0})
		c.headers(1, true, "GET", "/big/60000")
	}, func(c *client, _ uint32) { c.w.WriteWindowUpdate(1, 1) }, 2001},
	{"unknown frames", AbuseUnknown, nil, func(c *client, _ uint32) { c.w.WriteRawFrame(0x99, 0, 0, nil) }, 2001},
	{
		"WINDOW_UPDATE of a stream that has ended", AbuseUnknown, func(c *client) { c.headers(1, true, "GET", "/ok") },
		func(c *client, _ uint32) { c.w.WriteWindowUpdate(1, 1000) }, 2005,
	},
	{"rapid reset (CVE-2023-44487)", AbuseReset, nil, func(c *client, i uint32) {
		c.headers(2*i+1, true, "GET", "/later")
		c.w.WriteRSTStream(2*i+1, xh2.ErrCodeCancel)
	}, 2 * 201},
	{"we are made to reset by a window of nothing (CVE-2025-8671)", AbuseProvoked, nil, func(c *client, i uint32) {
		c.headers(2*i+1, true, "GET", "/later")
		c.w.WriteRawFrame(xh2.FrameWindowUpdate, 0, 2*i+1, make([]byte, 4))
	}, 2 * 201},
	{"we are made to reset by a window too large", AbuseProvoked, nil, func(c *client, i uint32) {
		c.headers(2*i+1, true, "GET", "/later")
		c.w.WriteWindowUpdate(2*i+1, maxWindow)
	}, 2 * 201},
	{"we are made to reset by malformed requests", AbuseProvoked, nil, func(c *client, i uint32) {
		c.headers(2*i+1, true, "GET", "/", "connection: close")
	}, 201},
	{"HPACK bombs", AbuseBlock, nil, func(c *client, i uint32) {
		block := c.request("GET", "/ok")
		for range 16_000 { // :method GET
			block = append(block, 0x82)
		}
		c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: block, EndStream: true, EndHeaders: true})
	}, 13},
	{"streams beyond the most", AbuseRefused, nil, func(c *client, i uint32) { c.headers(2*i+1, true, "GET", "/later") }, 4096 + 201},
	{"answers behind a closed window (CVE-2019-9517)", AbuseRefused, func(c *client) {
		c.w.WriteSettings(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 0})
	}, func(c *client, i uint32) { c.headers(2*i+1, true, "GET", "/big/8000") }, 135 + 201},
	{"CONTINUATION (CVE-2024-27316)", AbuseBlock, func(c *client) {
		c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\x82")})
	}, func(c *client, _ uint32) { c.w.WriteContinuation(1, false, nil) }, 17},
}

// A flood ends with GOAWAY(ENHANCE_YOUR_CALM), counted by its kind, before it has cost much.
func TestFloods(t *testing.T) {
	for _, f := range floods {
		t.Run(f.name, func(t *testing.T) {
			r := calm(t)
			c := r.hello()
			if f.setup != nil {
				f.setup(c)
				c.flush()
			}
			kept, frames, start := int64(0), 0, time.Now()
			for i := uint32(0); i < 10_000; i++ {
				before := c.out.Len()
				f.next(c, i)
				frames += framesIn(c.out.Bytes()[before:])
				if c.out.Len() > 4000 || f.most < 300 {
					c.flush()
					kept = max(kept, mem.BufferBytes()-r.held)
				}
				if r.s.Stats.Goaways[h2.EnhanceYourCalm] > 0 {
					break
				}
			}
			spent := time.Since(start)
			if n := r.s.Stats.Abuse[f.what]; n != 1 {
				t.Errorf("abuse counted: %v", r.s.Stats.Abuse)
			}
			if got := c.output(); !strings.Contains(got, "ENHANCE_YOUR_CALM") {
				t.Errorf("no GOAWAY after %d frames: %.300s", frames, got)
			}
			if slack := 4000 / 9; frames > f.most+slack {
				t.Errorf("%d frames, want at most %d", frames, f.most)
			}
			if kept > 5<<18 {
				t.Errorf("%d bytes of buffers", kept)
			}
			t.Logf("%d frames, %d KiB kept, %v with the client", frames, kept>>10, spent.Round(time.Millisecond))
			for range 100 { // whoever floods on is not read
				c.p.Write(make([]byte, 10_000))
				c.settle()
			}
			r.pass(3 * time.Second)
			if n := r.l.Stats.Conns; n != 0 {
				t.Error("the connection lives on")
			}
			r.empty()
		})
	}
}

func framesIn(b []byte) (n int) {
	for len(b) > 0 {
		h, _ := h2.ParseHeader(b)
		b = b[h2.HeaderLen+int(h.Length):]
		n++
	}
	return n
}

// What ordinary clients do never trips a bound, however long they do it.
func TestOrdinaryClients(t *testing.T) {
	f := func(name string, steps int, setup func(c *client), step func(c *client, i uint32)) {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, simkernel.Options{SendBuffer: 1 << 20}, Config{})
			c := r.hello(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 1 << 20})
			c.w.WriteWindowUpdate(0, 1<<24)
			if setup != nil {
				setup(c)
			}
			for i := range uint32(steps) {
				step(c, i)
				c.flush()
				c.output()
			}
			c.isOpen()
			if r.s.Stats.Goaways != [codes]uint64{} {
				t.Errorf("GOAWAY: %v, %v", r.s.Stats.Goaways, r.s.Stats.Abuse)
			}
			c.leave()
			r.empty()
		})
	}
	f("requests at once, each with a priority and windows", 20_000, nil, func(c *client, i uint32) {
		c.headers(2*i+1, true, "GET", "/ok")
		c.w.WriteRawFrame(xh2.FrameType(h2.TypePriorityUpdate), 0, 0, []byte("\x00\x00\x00\x01u=1"))
		c.w.WritePriority(2*i+1, xh2.PriorityParam{StreamDep: 0})
		c.w.WriteWindowUpdate(0, 2)
		c.w.WriteWindowUpdate(2*i+1, 2)
	})
	f("every other request is given up", 5000, nil, func(c *client, i uint32) {
		c.headers(4*i+1, true, "GET", "/ok")
		c.headers(4*i+3, true, "GET", "/later")
		c.w.WriteRSTStream(4*i+3, xh2.ErrCodeCancel)
	})
	f("each message's bytes are given back at once", 5000, func(c *client) { c.get(1, "/hold/sse") }, func(c *client, _ uint32) {
		c.push(message("m"))
		c.w.WriteWindowUpdate(0, 9)
		c.w.WriteWindowUpdate(1, 9)
	})
	f("ten pings a second, for an hour", 3600, nil, func(c *client, _ uint32) {
		c.headers(2*uint32(c.s.Stats.Requests)+1, true, "GET", "/ok")
		for range 10 {
			c.w.WritePing(false, [8]byte{})
		}
		c.k.Advance(time.Second)
	})
	f("thousands of holds end at once", 3, nil, func(c *client, i uint32) {
		for n := range uint32(4000) {
			c.headers(8000*i+2*n+1, true, "GET", "/hold/sse")
		}
		c.flush()
		c.output()
		c.pass(3 * time.Second)
		for n := range uint32(4000) {
			c.w.WriteRSTStream(8000*i+2*n+1, xh2.ErrCodeCancel)
		}
	})
}

// A bound is a rate: what is over it is forgiven with time, and good behaviour is credited, to a limit.
func TestLevels(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{}, Config{Controls: 10, ControlsRate: 2, Resets: 5, ResetsRate: 1})
	c := r.hello()
	pings := func(n int) {
		for range n {
			c.w.WritePing(false, [8]byte{})
		}
		c.flush()
	}
	level := func(want int16) {
		t.Helper()
		if got := r.s.links.At(1).levels[controls]; got != want {
			t.Errorf("the level is %d, want %d", got, want)
		}
	}
	base := r.s.links.At(1).levels[controls] // the handshake's SETTINGS
	pings(9)
	level(base + 9)
	r.pass(3 * time.Second)
	pings(1)
	level(base + 9 - 6 + 1)
	r.pass(time.Minute)
	pings(1)
	level(1)
	for id := uint32(1); id < 200; id += 2 {
		c.get(id, "/ok")
	}
	level(-creditTimes * 10)
	pings(40)
	level(10 - creditTimes*10 + 30)
	r.pass(time.Hour) // nobody is forgiven below nothing
	c = r.hello()
	c.leave()
	r.empty()
}

// A client that never opens its windows loses the streams that wait, and with many of them the connection.
func TestStalledWindows(t *testing.T) {
	f := func(streams int, gone bool) {
		t.Run(fmt.Sprint(streams), func(t *testing.T) {
			r := calm(t)
			c := r.hello(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 0})
			for i := range uint32(streams) {
				c.headers(2*i+1, true, "GET", "/hold/sse")
			}
			c.flush()
			c.output()
			fates := r.push(message("m"))
			if len(fates) != streams || fates[0] != record.Pending {
				t.Errorf("fates %v", fates)
			}
			r.pass(9 * time.Second)
			c.want("")
			r.pass(3 * time.Second)
			got := c.output()
			if strings.Count(got, "RST CANCEL") != min(streams, 26) || strings.Contains(got, "ENHANCE_YOUR_CALM") != gone {
				t.Errorf("got %.300s", got)
			}
			if why := r.script.why; len(why) != streams || why[0] != record.ReasonSlow {
				t.Errorf("ended %v", why)
			}
			c.leave()
			r.empty()
		})
	}
	f(1, false)
	f(20, false)
	f(100, true)
}

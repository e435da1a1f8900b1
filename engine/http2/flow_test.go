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

// A window of nothing holds one stream up, and no other.
func TestStalledStreamBlocksNobody(t *testing.T) {
	r := calm(t)
	c := r.hello(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 0})
	c.headers(1, true, "GET", "/hold/sse?a")
	c.headers(3, true, "GET", "/hold/sse?b")
	c.w.WriteWindowUpdate(3, 100)
	c.flush()
	c.output()
	if fates := r.push(message("m")); len(fates) != 2 || fates[0] != record.Pending || fates[1] != record.Delivered {
		t.Errorf("fates %v", fates)
	}
	c.want(`3 DATA "data: m\n\n"`)
	c.w.WriteWindowUpdate(1, 4)
	c.flush()
	c.want(`1 DATA "data"`)
	c.w.WriteSettings(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 3})
	c.flush()
	c.want("SETTINGS ack", `1 DATA ": m"`)
	c.w.WriteSettings(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 1})
	c.w.WriteWindowUpdate(1, 3) // 0 less 2, and 3 more
	c.flush()
	c.want("SETTINGS ack", `1 DATA "\n"`)
	c.w.WriteWindowUpdate(1, 50)
	c.flush()
	c.want(`1 DATA "\n"`)
	c.leave()
	r.empty()
}

// Streams that may send take turns, a frame each, the more urgent ones before.
func TestTurns(t *testing.T) {
	f := func(name string, priorities []string, late string, want string) {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, simkernel.Options{SendBuffer: 1 << 20}, Config{})
			c := r.hello(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 1 << 20})
			c.output()
			for i, p := range priorities {
				c.headers(uint32(2*i+1), true, "GET", "/big/100000", "priority: "+p)
			}
			c.flush() // the connection's window is the first one's: four frames
			if late != "" {
				c.w.WriteRawFrame(xh2.FrameType(h2.TypePriorityUpdate), 0, 0, []byte(late))
			}
			c.w.WriteWindowUpdate(0, 1<<20)
			c.flush()
			var turns strings.Builder
			c.frames(func(f xh2.Frame) {
				if d, ok := f.(*xh2.DataFrame); ok && len(d.Data()) > 0 {
					turns.WriteByte("0123456789"[d.StreamID])
				}
			})
			if turns.String() != want {
				t.Errorf("turns %s, want %s", turns.String(), want)
			}
			c.leave()
			r.empty()
		})
	}
	f("alike", []string{"u=3", "u=3", "u=3"}, "", "1111"+"135135135"+"35353535")
	f("urgent last", []string{"u=3", "u=3", "u=0"}, "", "1111"+"5555555"+"131313"+"3333")
	f("incremental is no reason", []string{"u=3, i", "u=3", "u=3"}, "", "1111"+"135135135"+"35353535")
	f("urgent from the next turn on", []string{"u=3", "u=3", "u=3"}, "\x00\x00\x00\x05u=1", "1111"+"135"+"555555"+"1313"+"3333")
}

// The sum of what streams are sent stays within the connection's window.
func TestConnectionWindow(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{SendBuffer: 1 << 20}, Config{})
	c := r.hello(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 1 << 20})
	for id := uint32(1); id < 9; id += 2 {
		c.headers(id, true, "GET", "/big/20000")
	}
	c.flush()
	total := 0
	count := func() {
		c.frames(func(f xh2.Frame) {
			if d, ok := f.(*xh2.DataFrame); ok {
				total += len(d.Data())
			}
		})
	}
	count()
	if total != firstWindow {
		t.Errorf("%d bytes, want %d", total, firstWindow)
	}
	c.w.WriteWindowUpdate(0, 1)
	c.flush()
	count()
	if total != firstWindow+1 {
		t.Errorf("%d bytes, want one more", total)
	}
	c.w.WriteWindowUpdate(0, 1<<20)
	c.flush()
	count()
	if total != 80_000 {
		t.Errorf("%d bytes, want all", total)
	}
	c.leave()
	r.empty()
}

// A body's window is given back as it is used up: in steps of half, not at all while the exchange is paused, and the
// connection's in any case.
func TestBodyWindows(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{}, Config{ConnWindow: 1 << 16})
	c := r.hello()
	piece := make([]byte, 8<<10)
	c.headers(1, false, "POST", "/x")
	c.headers(3, false, "POST", "/slow")
	for range 4 {
		c.w.WriteDataPadded(1, false, piece, make([]byte, 1))
	}
	c.flush()
	c.want("0 WINDOW 32776", "1 WINDOW 32776")
	for range 4 {
		c.w.WriteData(3, false, piece)
	}
	c.flush()
	c.want("0 WINDOW 32768")
	r.do(r.script.resume) // the first piece was taken, the others are kept
	c.want()
	if got := len(r.script.talks[r.slotOf(3)].body); got != 32<<10 {
		t.Errorf("%d bytes have come", got)
	}
	r.do(r.script.resume)
	c.want("3 WINDOW 32768")
	c.w.WriteData(3, true, []byte("end"))
	c.flush()
	c.output()
	c.leave()
	r.empty()
}

// slotOf is where a stream of the only connection lives.
func (r *rig) slotOf(id uint32) (at uint32) {
	r.l.Each(0, 1<<20, func(slot uint32, rec *record.Record) {
		if rec.Kind == record.Stream && rec.Extra != 0 && r.s.streamOf(rec).id == id {
			at = slot
		}
	})
	return at
}

// An exchange hears Drained when what it wrote has left, whatever waits on other streams.
func TestDrained(t *testing.T) {
	r := calm(t)
	c := r.hello(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 10})
	c.headers(1, true, "GET", "/hold/raw?a")
	c.headers(3, true, "GET", "/hold/raw?b")
	c.flush()
	one, two := r.slotOf(1), r.slotOf(3)
	r.do(func() {
		r.s.Write(one, make([]byte, 11))
		r.s.Write(two, make([]byte, 10))
		r.s.WantDrained(one)
		r.s.WantDrained(two)
		if r.s.Queued(one) != 1 || r.s.Queued(two) != 0 {
			t.Errorf("queued %d and %d", r.s.Queued(one), r.s.Queued(two))
		}
	})
	if r.script.drains != 1 {
		t.Errorf("%d were told, want the one that was sent everything", r.script.drains)
	}
	c.w.WriteWindowUpdate(1, 1)
	c.flush()
	if r.script.drains != 2 {
		t.Errorf("%d were told, want both", r.script.drains)
	}
	c.leave()
	r.empty()
}

// A client that asks and asks but does not read is not read either, until it does.
func TestUnreadAnswers(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{}, Config{StuffedBytes: 8 << 10, Controls: 8000})
	c := r.hello()
	c.p.Stall()
	for range 7000 {
		c.w.WritePing(false, [8]byte{})
	}
	c.flush()
	if q := r.l.Gauge().QueuedBytes; q > 10<<10 {
		t.Errorf("%d bytes wait for a client that does not read", q)
	}
	c.p.Resume()
	c.settle()
	if n := strings.Count(c.output(), "PING"); n != 7000 {
		t.Errorf("%d answers", n)
	}
	r.pass(time.Second)
	c.leave()
	r.empty()
}

// A connection that asks for a lot at once is heard a part at a time, one in each tick.
func TestRequestsPerTick(t *testing.T) {
	r := calm(t)
	c := r.hello()
	for i := range uint32(600) {
		c.headers(2*i+1, true, "GET", "/later")
	}
	c.p.Write(c.out.Bytes())
	c.out.Reset()
	ticks := 0
	for before := 0; r.script.begun < 600 && ticks < 100; ticks++ {
		r.l.Tick()
		if n := r.script.begun - before; n > requestsPerTick {
			t.Errorf("%d requests in one tick", n)
		}
		before = r.script.begun
	}
	if r.script.begun != 600 {
		t.Errorf("%d requests are heard", r.script.begun)
	}
	c.settle()
	c.isOpen()
	c.leave()
	r.empty()
}

// Whoever opens all windows and then reads nothing is not read for long, however short the answers; and hears them all
// when he reads.
func TestDeafClient(t *testing.T) {
	for _, size := range []int{10, 1000, 16_000} {
		r := calm(t)
		c := r.hello(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 1 << 30})
		c.w.WriteWindowUpdate(0, 1<<30)
		c.flush()
		c.output()
		c.p.Stall()
		for i := range uint32(4000) {
			c.headers(2*i+1, true, "GET", fmt.Sprintf("/big/%d", size))
			if i%100 == 0 {
				c.flush()
			}
		}
		c.flush()
		if kept := mem.BufferBytes() - r.held + int64(r.l.Gauge().QueuedBytes); kept > 5<<18 {
			t.Errorf("answers of %d bytes: %d bytes are kept", size, kept)
		}
		if size > 10 && r.script.begun > 1000 {
			t.Errorf("answers of %d bytes: %d requests are heard", size, r.script.begun)
		}
		t.Logf("answers of %d bytes: %d requests are heard, %d bytes are kept", size, r.script.begun, mem.BufferBytes()-r.held)
		c.p.Resume()
		c.settle()
		if got := c.output(); strings.Count(got, " end") != 4000 || strings.Contains(got, "RST") {
			t.Errorf("%d answers of %d bytes", strings.Count(got, " end"), size)
		}
		c.leave()
		r.empty()
	}
}

// A socket that takes no more holds up requests, not the client's windows, and nobody is refused for it.
func TestManyLongAnswers(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{SendBuffer: 32 << 10}, Config{ConnQueueBytes: 100_000})
	c := r.hello(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 1 << 20})
	c.w.WriteWindowUpdate(0, 1<<30)
	c.flush()
	c.p.Stall()
	for id := uint32(1); id < 400; id += 2 {
		c.headers(id, true, "GET", "/big/50000")
	}
	c.flush()
	if q := r.l.Gauge().QueuedBytes; q > 200_000 || r.script.begun > 10 {
		t.Errorf("%d bytes are queued, %d requests heard", q, r.script.begun)
	}
	c.p.Resume()
	c.settle()
	if got := c.output(); strings.Count(got, " end") != 200 || strings.Contains(got, "RST") {
		t.Errorf("%d answers", strings.Count(got, " end"))
	}
	c.leave()
	r.empty()
}

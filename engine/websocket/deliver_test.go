package websocket

import (
	"strings"
	"testing"
	"time"

	"holdfast/engine/loop"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/simkernel"
)

// A message is text if its type and its bytes are.
func TestTextOrBinary(t *testing.T) {
	f := func(kind, data, want string) {
		t.Helper()
		r := calm(t)
		c := r.open("/ws")
		r.push(kind, data)
		c.want(want + data)
	}
	for _, kind := range []string{
		"", "text/plain", "text/html; charset=utf-8", "TEXT/CSV", "application/json", "application/json; x=y", " application/JSON ;a",
		"application/problem+json", "application/vnd.x+JSON; v=1",
	} {
		f(kind, "κόσμε", "text ")
		f(kind, "\xff", "binary ")
		f(kind, "half\xce", "binary ")
	}
	for _, kind := range []string{"application/octet-stream", "image/png", "text", "text/", "application/jsonx", "x+json", "application/+json", "application/cbor"} {
		f(kind, "plain", "binary ")
	}
	f("text/plain", "", "text ")
	f("image/png", "", "binary ")
}

// Messages of every length come whole, in order, behind one another.
func TestPushes(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{SendBuffer: 2 << 20}, passing, Config{})
	c := r.open("/ws")
	var want []string
	for _, n := range []int{0, 1, 125, 126, 127, 4095, 4096, 4097, 16 << 10, 65535, 65536, 1 << 20} {
		data := strings.Repeat("#", n)
		if f := r.push("text/plain", data); f != "delivered" {
			t.Errorf("%d bytes are %s", n, f)
		}
		want = append(want, "text "+data)
	}
	c.want(want...)
	first := len(r.script.fates)
	r.do(func() {
		p := payload("text/plain", "same tick")
		for i := range 5 {
			r.script.fates[uint32(100+i)] = r.s.Deliver(r.slot(), p, uint32(100+i))
		}
		p.Release()
	})
	c.want("text same tick", "text same tick", "text same tick", "text same tick", "text same tick")
	if len(r.script.fates) != first+5 || r.script.fates[104] != record.Delivered {
		t.Errorf("fates %v", r.script.fates)
	}
}

// A payload is framed once, however many get it.
func TestFramesAreShared(t *testing.T) {
	r := calm(t)
	for range 50 {
		r.open("/ws")
	}
	p := payload("text/plain", strings.Repeat("x", 200))
	r.do(func() {
		before := mem.BufferBytes()
		var after int64
		for slot := range r.script.talks {
			r.s.Deliver(slot, p, 0)
			if after == 0 {
				after = mem.BufferBytes()
			}
		}
		if n := mem.BufferBytes(); n != after || after-before > 1024 {
			t.Errorf("%d bytes for the first, %d for all", after-before, n-before)
		}
		p.Release()
	})
}

// What waits for a client that does not read is bounded by the slow policies of every hold.
func TestSlowClients(t *testing.T) {
	f := func(action record.SlowAction, want string, alive bool) {
		t.Helper()
		r := newRig(t, 1, simkernel.Options{SendBuffer: 1024}, route.Socket{}, Config{})
		r.l.SetPolicies([]record.SlowPolicy{{QueueBytes: 8 << 10, Action: action}})
		c := r.open("/ws")
		c.p.Stall()
		for i := range 17 {
			r.push("text/plain", strings.Repeat(string(rune('a'+i)), 1000))
		}
		if c.p.Resume(); alive != (len(r.script.talks) == 1) {
			t.Errorf("policy %d: alive %v", action, !alive)
		}
		c.settle()
		got := ""
		if alive {
			for _, m := range c.read() {
				got += m[5:6]
			}
		}
		if got != want {
			t.Errorf("policy %d: got %q, want %q", action, got, want)
		}
	}
	f(record.SlowClose, "", false)
	f(record.SlowOldest, "ablmnopq", true)
	f(record.SlowLatest, "abopq", true)
}

// A client that takes nothing for long is evicted, and whoever pushes to it learns that.
func TestStalledClient(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{SendBuffer: 64}, route.Socket{}, Config{})
	c := r.open("/ws")
	c.p.Stall()
	if f := r.push("text/plain", strings.Repeat("x", 1000)); f != "pending" {
		t.Errorf("the message is %s", f)
	}
	r.pass(11 * time.Second)
	r.ended(record.ReasonSlow)
	r.empty()
}

// The gateway's own writes are messages too; and it hears when they are taken.
func TestWrite(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{SendBuffer: 64}, route.Socket{}, Config{})
	c := r.open("/ws")
	slot := r.slot()
	c.p.Stall()
	r.do(func() {
		r.s.Write(slot, []byte("text"))
		r.s.Write(slot, []byte("\xff"+strings.Repeat("x", 100)))
		r.s.WantDrained(slot)
	})
	if r.script.drained != 0 {
		t.Error("drained before the client took it")
	}
	c.p.Resume()
	c.settle()
	c.want("text text", "binary \xff"+strings.Repeat("x", 100))
	if r.script.drained != 1 {
		t.Errorf("heard Drained %d times", r.script.drained)
	}
}

// What HTTP alone needs means nothing here, and changes nothing.
func TestWhatHTTPNeeds(t *testing.T) {
	r := calm(t)
	c := r.open("/ws")
	slot := r.slot()
	r.do(func() {
		r.s.Hold(slot, 0, nil, 0)
		r.s.Open(slot, nil)
		r.s.Pause(slot)
		r.s.Resume(slot)
		r.s.Patience(slot, time.Nanosecond)
		r.s.Happened(slot, loop.Opened)
	})
	c.send(text("still here"))
	r.heard("text still here")
	c.want()
}

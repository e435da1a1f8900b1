package http2

import (
	"strings"
	"testing"
	"time"

	xh2 "golang.org/x/net/http2"

	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// slowRig is a rig with one hold of the given policy on a connection whose windows are closed, and one beside it whose
// window is open.
func slowRig(t *testing.T, p record.SlowPolicy, cfg Config) (*rig, *client) {
	t.Helper()
	r := newRig(t, 1, simkernel.Options{SendBuffer: 1 << 20}, cfg)
	r.l.SetPolicies([]record.SlowPolicy{p})
	c := r.hello(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 0})
	c.headers(1, true, "GET", "/hold/raw?slow")
	c.flush()
	c.output()
	return r, c
}

// What becomes of messages that a stream's window does not let go, by policy. Each is 100 bytes and counts 64 more.
func TestSlowPolicies(t *testing.T) {
	f := func(name string, action record.SlowAction, want string, sent string, gone bool) {
		t.Run(name, func(t *testing.T) {
			r, c := slowRig(t, record.SlowPolicy{QueueBytes: 400, Action: action}, Config{})
			var fates []string
			for i := range 5 {
				for _, f := range r.push(message(strings.Repeat("01234"[i:i+1], 100))) {
					fates = append(fates, f.String())
				}
			}
			if got := strings.Join(fates, " "); got != want {
				t.Errorf("fates %s, want %s", got, want)
			}
			c.w.WriteWindowUpdate(1, 5000)
			c.flush()
			order := ""
			c.frames(func(f xh2.Frame) {
				if d, ok := f.(*xh2.DataFrame); ok {
					for i := 0; i < len(d.Data()); i += 100 {
						order += string(d.Data()[i : i+1])
					}
				}
			})
			if order != sent {
				t.Errorf("sent %s, want %s", order, sent)
			}
			if (r.slotOf(1) == 0) != gone {
				t.Errorf("the stream has ended: %v", !gone)
			}
			c.isOpen()
			c.leave()
			r.empty()
		})
	}
	f("close", record.SlowClose, "pending pending slow", "", true)
	f("drop the oldest", record.SlowOldest, "pending pending pending pending pending", "34", false)
	f("the latest only", record.SlowLatest, "pending pending pending pending pending", "234"[2:], false)
}

// A message that has begun to leave is not dropped in the middle.
func TestBegunMessageStays(t *testing.T) {
	r, c := slowRig(t, record.SlowPolicy{QueueBytes: 250, Action: record.SlowLatest}, Config{})
	r.push(message(strings.Repeat("a", 100)))
	c.w.WriteWindowUpdate(1, 64)
	c.flush()
	r.push(message(strings.Repeat("b", 100)))
	r.push(message(strings.Repeat("c", 100)))
	c.w.WriteWindowUpdate(1, 1000)
	c.flush()
	got := ""
	c.frames(func(f xh2.Frame) {
		if d, ok := f.(*xh2.DataFrame); ok {
			got += string(d.Data())
		}
	})
	if want := strings.Repeat("a", 100) + strings.Repeat("c", 100); got != want {
		t.Errorf("got %q", got)
	}
	c.leave()
	r.empty()
}

// All streams of a connection together keep no more than its bound, whatever each may.
func TestConnectionQueueBound(t *testing.T) {
	for _, action := range []record.SlowAction{record.SlowClose, record.SlowOldest} {
		r, c := slowRig(t, record.SlowPolicy{QueueBytes: 10_000, Action: action}, Config{ConnQueueBytes: 5000})
		for id := uint32(3); id < 21; id += 2 {
			c.headers(id, true, "GET", "/hold/raw")
		}
		c.flush()
		for range 5 {
			for _, f := range r.push(message(strings.Repeat("m", 900))) {
				if f != record.Pending && f != record.DroppedSlow {
					t.Errorf("fate %v", f)
				}
			}
			if n := r.s.busies.at(r.s.links.At(1).busy).bytes; n > 5000 {
				t.Errorf("%d bytes wait", n)
			}
		}
		c.isOpen()
		c.leave()
		r.empty()
	}
}

// What waits in a stream's queue is told: pending, or gone when the client resets, or leaves.
func TestFatesOfWaitingMessages(t *testing.T) {
	f := func(name string, end func(r *rig, c *client), want record.Fate) {
		t.Run(name, func(t *testing.T) {
			r, c := slowRig(t, record.SlowPolicy{}, Config{})
			var fate record.Fate
			r.do(func() {
				slot := r.slotOf(1)
				p := message("m")
				ticket := r.script.deliver(r.s.view(slot), p)
				p.Release()
				end(r, c)
				r.l.Post(func() { fate = r.script.fates[ticket] })
			})
			if fate != want {
				t.Errorf("fate %v, want %v", fate, want)
			}
			c.leave()
			r.empty()
		})
	}
	f("the window stays closed", func(*rig, *client) {}, record.Pending)
	f("ended in the same tick", func(r *rig, _ *client) {
		slot := r.slotOf(1)
		r.s.reset(slot, r.l.At(slot), record.ReasonGone, 8)
	}, record.DroppedGone)
	f("the connection ended in the same tick", func(r *rig, _ *client) {
		r.l.Close(r.l.At(r.slotOf(1)).Owner, record.ReasonGone)
	}, record.DroppedGone)
}

// A socket that takes no more holds up what comes behind, without ending anything that its policy does not.
func TestSlowSocket(t *testing.T) {
	r := newRig(t, 1, simkernel.Options{SendBuffer: 4 << 10}, Config{})
	r.l.SetPolicies([]record.SlowPolicy{{QueueBytes: 20 << 10, Action: record.SlowClose}})
	c := r.hello(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 1 << 20})
	c.w.WriteWindowUpdate(0, 1<<24)
	c.headers(1, true, "GET", "/hold/raw?x")
	c.flush()
	c.output()
	c.p.Stall()
	var delivered, pending, slow int
	for range 100 {
		for _, f := range r.push(message(strings.Repeat("m", 1000))) {
			switch f {
			case record.Delivered:
				delivered++
			case record.Pending:
				pending++
			case record.DroppedSlow:
				slow++
			default:
				t.Errorf("fate %v", f)
			}
		}
	}
	// 4 KiB in the kernel, 64 KiB before the stream must wait, 20 KiB there.
	if delivered < 3 || pending < 70 || pending > 90 || slow != 1 {
		t.Errorf("%d delivered, %d pending, %d slow", delivered, pending, slow)
	}
	c.p.Resume()
	c.settle()
	if got := c.output(); !strings.HasSuffix(got, "1 RST CANCEL") {
		t.Errorf("got %.200s", got)
	}
	r.pass(time.Second)
	c.leave()
	r.empty()
}

package loop

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

const (
	delivered = record.Delivered
	pending   = record.Pending
	slow      = record.DroppedSlow
	gone      = record.DroppedGone
)

func TestFatesOfAFewMessages(t *testing.T) {
	// Each message is 10 bytes on the wire; the system's buffer takes 25.
	f := func(name string, play func(tl *testLoop, s *side), want ...record.Fate) {
		t.Run(name, func(t *testing.T) {
			tl := newLoop(t, simkernel.Options{SendBuffer: 25}, Config{})
			s := tl.connect()
			play(tl, s)
			for i, w := range want {
				tl.wantFates([]uint32{uint32(i + 1)}, w)
			}
			tl.end()
		})
	}
	push := func(tl *testLoop, s *side, n int) {
		for i := range n {
			tl.push(s, fmt.Sprintf("%08d", i))
		}
	}
	f("read at once", func(tl *testLoop, s *side) {
		tl.do(func() { push(tl, s, 2) })
	}, delivered, delivered)
	f("half of the third is not the third", func(tl *testLoop, s *side) {
		s.peer.Stall()
		tl.do(func() { push(tl, s, 4) })
	}, delivered, delivered, pending, pending)
	f("pending is told once, though it leaves later", func(tl *testLoop, s *side) {
		s.peer.Stall()
		tl.do(func() { push(tl, s, 4) })
		s.peer.Resume()
		tl.rest()
		tl.wantWire(s, "<00000000><00000001><00000002><00000003>")
	}, delivered, delivered, pending, pending)
	f("closed in the same tick", func(tl *testLoop, s *side) {
		tl.do(func() { push(tl, s, 2); tl.Close(s.slot, record.ReasonDone); push(tl, s, 1) })
	}, gone, gone, gone)
	f("reset before the flush", func(tl *testLoop, s *side) {
		tl.do(func() { push(tl, s, 2); s.peer.Reset() })
	}, gone, gone)
	f("evicted with messages of this tick and of others", func(tl *testLoop, s *side) {
		s.peer.Stall()
		tl.do(func() { push(tl, s, 4) })
		tl.do(func() { push(tl, s, 1); tl.Close(s.slot, record.ReasonSlow) })
	}, delivered, delivered, pending, pending, slow)
	f("after CloseAfterWrite", func(tl *testLoop, s *side) {
		tl.do(func() { push(tl, s, 1); tl.CloseAfterWrite(s.slot); push(tl, s, 1); tl.Write(s.slot, []byte("x")) })
		tl.do(func() { push(tl, s, 1) })
		tl.wantWire(s, "<00000000>")
	}, delivered, gone, gone)
	f("the loop stops", func(tl *testLoop, s *side) {
		s.peer.Stall()
		tl.do(func() { push(tl, s, 3); tl.Stop() })
	}, delivered, delivered, pending)
}

func TestFatesInOneTickOverManyRounds(t *testing.T) {
	tl := newLoop(t, simkernel.Options{SendBuffer: 1 << 20}, Config{QueueBytes: 1 << 20})
	s := tl.connect()
	const n = 2 * flushRounds * partsPerSend // more than a tick's rounds can send
	tl.do(func() {
		for range n {
			tl.push(s, "m")
		}
	})
	if told := len(tl.fates); told == n || told < n/4 || tl.patience() != 0 {
		t.Errorf("%d of %d told after a tick; patience %v", told, n, tl.patience())
	}
	tl.rest()
	for ticket := uint32(1); ticket <= n; ticket++ {
		tl.wantFates([]uint32{ticket}, delivered)
	}
	tl.end()
}

// A tenant answers a fate by pushing and writing, to the same connection too, and by closing.
func TestSettledMayPushWriteAndClose(t *testing.T) {
	for _, o := range []simkernel.Options{{}, {SendBuffer: 40}, simkernel.Rough()} {
		tl := newLoop(t, o, Config{QueueBytes: 600})
		tl.SetPolicies([]record.SlowPolicy{{Action: record.SlowOldest}})
		a, b := tl.connect(), tl.connect()
		inPush := false
		tl.settled = func(ticket uint32, _ record.Fate) {
			if inPush {
				t.Fatal("a fate is told inside Push")
			}
			if ticket > 100 || !a.open || !b.open {
				return
			}
			for _, s := range []*side{a, b} {
				tl.push(s, strings.Repeat("s", int(ticket%50)))
				tl.Write(s.slot, []byte("verdict"))
			}
		}
		for i := range 10 {
			tl.do(func() {
				inPush = true
				tl.push(a, strings.Repeat("p", i*30))
				tl.push(b, strings.Repeat("p", i*30))
				inPush = false
			})
		}
		tl.ticks(50)
		if tl.ticket < 100 {
			t.Errorf("%d messages only", tl.ticket)
		}
		tl.do(func() { tl.Close(a.slot, record.ReasonSlow) })
		tl.end()
	}
}

func TestVerdictsLeaveInTheTickOfTheirFate(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	holder, publisher := tl.connect(), tl.connect()
	tl.settled = func(_ uint32, f record.Fate) { tl.Write(publisher.slot, []byte(f.String())) }
	tl.do(func() { tl.push(holder, "m") })
	tl.wantWire(publisher, "delivered")
	tl.do(func() { tl.push(holder, "m"); tl.Close(holder.slot, record.ReasonDone) })
	tl.Tick()
	tl.wantWire(publisher, "deliveredgone")
	tl.end()
}

func TestAPayloadLivesAsLongAsItWaits(t *testing.T) {
	tl := newLoop(t, simkernel.Options{SendBuffer: 16}, Config{})
	var sides []*side
	for range 5 {
		s := tl.connect()
		s.peer.Stall()
		sides = append(sides, s)
	}
	before := mem.BufferBytes()
	data := strings.Repeat("shared", 2000)
	tl.do(func() {
		p := payload(data)
		for _, s := range sides {
			tl.ticket++
			if fate := tl.Push(s.slot, p, p.Frame(0, frame), tl.ticket); fate != record.Staged {
				t.Fatal(fate)
			}
		}
		p.Release()
	})
	held := mem.BufferBytes() - before
	for _, s := range sides[1:] {
		s.peer.Resume()
	}
	tl.rest()
	for _, s := range sides[1:] {
		tl.wantWire(s, "<"+data+">")
	}
	if now := mem.BufferBytes() - before; now != held || held == 0 {
		t.Errorf("%d bytes held by one connection, %d by five: want the same payload", now, held)
	}
	sides[0].peer.Resume()
	tl.rest()
	if now := mem.BufferBytes(); now != before {
		t.Errorf("%d bytes are held by nobody", now-before)
	}
	tl.end()
}

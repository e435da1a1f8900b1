package loop

import (
	"strings"
	"testing"
	"time"

	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// piece queues a part of a message behind a head, and notes its fate if it is the last.
func (tl *testLoop) piece(s *side, p *mem.Payload, head string, from, size int, last bool) {
	ticket := uint32(0)
	if last {
		tl.ticket++
		ticket = tl.ticket
	}
	if !tl.PushPiece(s.slot, []byte(head), p, p.Frame(0, frame), from, size, ticket, last) && last {
		tl.fates[ticket] = append(tl.fates[ticket], record.DroppedGone)
	}
}

// A message goes out in pieces cut anywhere, each behind its head, and its fate is that of the last one.
func TestPieces(t *testing.T) {
	for _, size := range []int{10, 9000} { // in one part, and in three
		data := strings.Repeat("0123456789", size/10)
		whole := "<" + data + ">"
		for _, cut := range []int{1, 2, 7, len(whole) - 1, len(whole)} {
			tl := newLoop(t, simkernel.Options{SendBuffer: 64 << 10}, Config{})
			s := tl.connect()
			want := ""
			tl.do(func() {
				p := payload(data)
				for at := 0; at < len(whole); at += max(cut, len(whole)/40) {
					n := min(max(cut, len(whole)/40), len(whole)-at)
					tl.piece(s, p, "head:", at, n, at+n == len(whole))
					want += "head:" + whole[at:at+n]
				}
				p.Release()
			})
			tl.rest()
			tl.wantWire(s, want)
			tl.wantFates([]uint32{1}, record.Delivered)
			tl.end()
		}
	}
}

// However little the kernel takes at a time.
func TestPiecesInBadWeather(t *testing.T) {
	for seed := range uint64(30) {
		tl := seeded(t, seed, simkernel.Rough(), Config{})
		s := tl.connect()
		tl.do(func() {
			p := payload("0123456789")
			tl.piece(s, p, "a", 0, 5, false)
			tl.Write(s.slot, []byte("between"))
			tl.piece(s, p, "", 5, 7, true)
			p.Release()
		})
		tl.rest()
		tl.wantWire(s, "a<0123between456789>")
		tl.end()
	}
}

// A closing connection takes none, and no policy drops those that it took.
func TestPiecesStay(t *testing.T) {
	tl := newLoop(t, simkernel.Options{SendBuffer: 5}, Config{QueueBytes: 100})
	tl.SetPolicies([]record.SlowPolicy{{Action: record.SlowLatest}})
	s := tl.connect()
	s.peer.Stall()
	tl.do(func() {
		p := payload(strings.Repeat("p", 50))
		tl.piece(s, p, "", 0, 52, true)
		p.Release()
		tl.push(s, strings.Repeat("x", 60))
		tl.push(s, strings.Repeat("y", 60))
	})
	s.peer.Resume()
	tl.rest()
	tl.wantWire(s, "<"+strings.Repeat("p", 50)+">")
	tl.wantFates([]uint32{1, 2, 3}, record.Pending, record.DroppedSlow, record.DroppedSlow)
	tl.do(func() {
		tl.Close(s.slot, record.ReasonDone)
		p := payload("late")
		tl.piece(s, p, "", 0, 6, true)
		p.Release()
	})
	tl.wantFates([]uint32{4}, record.DroppedGone)
	tl.end()
}

// Press sends at once, and tells fates no earlier than else.
func TestPress(t *testing.T) {
	tl := newLoop(t, simkernel.Options{SendBuffer: 20}, Config{})
	s := tl.connect()
	tl.do(func() {
		if !tl.Press(s.slot) {
			t.Error("nothing waits, and yet nothing may be sent")
		}
		tl.push(s, "0123456789")
		if !tl.Press(s.slot) || tl.Queued(s.slot) != 0 {
			t.Errorf("%d bytes wait", tl.Queued(s.slot))
		}
		if len(tl.fates) != 0 {
			t.Error("a fate was told inside Press")
		}
		s.peer.Stall()
		tl.push(s, "0123456789")
		tl.push(s, "0123456789")
		for range 2 {
			if tl.Press(s.slot) {
				t.Error("a full kernel may be sent more")
			}
		}
	})
	tl.wantFates([]uint32{1, 2, 3}, record.Delivered, record.Delivered, record.Pending)
	s.peer.Resume()
	tl.rest()
	tl.end()
}

// What is deferred runs once, in the same tick, and what that defers in the next flush, without anything else to wake for.
func TestDefer(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	tl.ticks(2)
	var ran []uint64
	tl.do(func() {
		tl.Defer(func() {
			ran = append(ran, tl.Stats.Ticks)
			tl.Defer(func() { ran = append(ran, tl.Stats.Ticks) })
		})
		tl.ticket++
		tl.Tell(tl.ticket, record.DroppedSlow)
		if len(tl.fates) != 0 {
			t.Error("a fate was told inside Tell")
		}
	})
	tl.wantFates([]uint32{1}, record.DroppedSlow)
	if tl.patience() != 0 {
		t.Error("the loop would sleep over what is deferred")
	}
	tl.Tick()
	if len(ran) != 2 || ran[1] != ran[0]+1 {
		t.Errorf("ran in ticks %v", ran)
	}
	tl.end()
}

// A stream's record has the loop's timers and policies, and ends by Close.
func TestSpawned(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	tl.Speak(record.Stream, tl)
	tl.SetPolicies([]record.SlowPolicy{{}, {QueueBytes: 7, Stall: time.Minute}})
	s := tl.connect()
	var slot uint32
	tl.do(func() {
		slot, _ = tl.Spawn(s.slot, record.Stream)
		tl.sides[slot] = &side{slot: slot, on: map[Event]func(){}}
		tl.At(slot).Policy = 1
		if p := tl.SlowPolicy(slot); p.QueueBytes != 7 || p.Stall != time.Minute {
			t.Errorf("policy %+v", p)
		}
		if p := tl.SlowPolicy(s.slot); p.QueueBytes != tl.cfg.QueueBytes || p.Stall != tl.cfg.StallTimeout {
			t.Errorf("policy %+v", p)
		}
		tl.SetDeadline(slot, tl.Now()+int64(time.Second))
	})
	stream := tl.sides[slot]
	tl.elapse(2*time.Second, 100*time.Millisecond)
	tl.do(func() { tl.Close(slot, record.ReasonGone) })
	tl.wantEvents(stream, "expired gone")
	if tl.records.Used(slot) || tl.Stats.Chained != 0 {
		t.Error("its record is not given back")
	}
	tl.end()
}

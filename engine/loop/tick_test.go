package loop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// The tick: wait, read and accept, what was kept, mail, timers, unfinished work, flush, reap.
func TestTheOrderOfATick(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	var order []string
	note := func(what string) { order = append(order, what) }
	reader, kept, timed, other := tl.connect(), tl.connect(), tl.connect(), tl.connect()
	kept.take = func([]byte) int { tl.Pause(kept.slot); return 0 }
	kept.peer.Write([]byte("k"))
	tl.Tick()
	kept.take = func([]byte) int { note("kept"); return 1 }
	reader.take = func([]byte) int { note("read"); return 1 }
	timed.on[Expired] = func() { note("timer") }
	other.bye = func(record.Reason) { note("reap") }
	tl.settled = func(uint32, record.Fate) { note("flush") }

	tl.Resume(kept.slot)
	tl.SetDeadline(timed.slot, tl.Now()+1)
	tl.Post(func() { note("post"); tl.push(reader, "m"); tl.Close(other.slot, record.ReasonDone) })
	tl.work = func() time.Duration { note("work"); return -1 }
	reader.peer.Write([]byte("r"))
	tl.k.Advance(2 * timerTick)
	tl.Tick()
	if got, want := strings.Join(order, " "), "read kept post timer work flush reap"; got != want {
		t.Errorf("order: %s, want %s", got, want)
	}
	tl.end()
}

func TestWorkPushedInOneTickLeavesInIt(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	tl.work = func() time.Duration { tl.push(s, "m"); return -1 }
	tl.Tick()
	tl.wantWire(s, "<m>")
	tl.end()
}

func TestPatience(t *testing.T) {
	f := func(name string, prepare func(tl *testLoop, s *side), least, most time.Duration) {
		t.Run(name, func(t *testing.T) {
			tl := newLoop(t, simkernel.Options{SendBuffer: 10}, Config{})
			s := tl.connect()
			tl.ticks(3)
			prepare(tl, s)
			if got := tl.patience(); got < least || got > most {
				t.Errorf("waits %v, want %v to %v", got, least, most)
			}
			tl.work = nil
			tl.end()
		})
	}
	f("nothing to do", func(*testLoop, *side) {}, -1, -1)
	f("work at once", func(tl *testLoop, _ *side) { tl.work = func() time.Duration { return 0 }; tl.Tick() }, 0, 0)
	f("work soon", func(tl *testLoop, _ *side) {
		tl.work = func() time.Duration { return time.Millisecond }
		tl.Tick()
	}, time.Millisecond, time.Millisecond)
	f("a deadline", func(tl *testLoop, s *side) {
		tl.SetDeadline(s.slot, tl.Now()+int64(time.Second))
	}, 900*time.Millisecond, time.Second+timerTick)
	f("a deadline and work before it", func(tl *testLoop, s *side) {
		tl.SetDeadline(s.slot, tl.Now()+int64(time.Second))
		tl.work = func() time.Duration { return 10 * time.Millisecond }
		tl.Tick()
	}, time.Millisecond, 10*time.Millisecond)
	f("a stalled queue", func(tl *testLoop, s *side) {
		s.peer.Stall()
		tl.do(func() { tl.Write(s.slot, make([]byte, 100)) })
	}, sweepEvery, sweepEvery)
	f("resumed input", func(tl *testLoop, s *side) {
		s.take = func([]byte) int { tl.Pause(s.slot); return 0 }
		s.peer.Write([]byte("x"))
		tl.Tick()
		tl.Resume(s.slot)
	}, 0, 0)
	f("output staged outside a tick", func(tl *testLoop, s *side) { tl.Write(s.slot, []byte("x")) }, 0, 0)
	f("a close outside a tick", func(tl *testLoop, s *side) { tl.Close(s.slot, record.ReasonDone) }, 0, 0)
	f("stopped", func(tl *testLoop, _ *side) { tl.Stop() }, 0, 0)
}

func TestIdleConnectionsCostNoTicks(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	for i := range 50 {
		s := tl.connect()
		s.peer.Write([]byte(fmt.Sprint("request ", i)))
		tl.do(func() { tl.push(s, "answer") })
	}
	tl.rest()
	waits := tl.k.waits
	for range 10 {
		if tl.Tick(); tl.k.timeout >= 0 {
			t.Fatalf("an idle loop waits %v only", tl.k.timeout)
		}
	}
	if n := tl.k.waits - waits; n != 10 {
		t.Errorf("%d waits in 10 ticks", n)
	}
	tl.end()
}

func TestPostsAreBoundedAndRunInOrder(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{PostBound: 40})
	var ran []int
	taken := 0
	for i := range 100 {
		if tl.Post(func() { ran = append(ran, i) }) {
			taken++
		}
	}
	if taken != 30 {
		t.Errorf("%d posts taken of a bound of 40 with a quarter in reserve", taken)
	}
	tl.Tick()
	for i, r := range ran {
		if r != i {
			t.Fatalf("out of order: %v", ran)
		}
	}
	again := 0
	var post func()
	post = func() {
		if again++; again < 5 {
			tl.Post(post)
		}
	}
	tl.Post(post)
	tl.Tick()
	if again != 1 || len(ran) != 30 {
		t.Errorf("what is posted by a post ran %d times in one tick", again)
	}
	tl.ticks(4)
	if again != 5 {
		t.Errorf("ran %d times, want 5", again)
	}
	tl.end()
}

func TestPostWakesTheLoop(t *testing.T) {
	tl := newLoop(t, simkernel.Options{Nap: time.Hour}, Config{})
	tl.ticks(2)
	began := tl.k.Now()
	ran := false
	tl.Post(func() { ran = true })
	tl.Tick()
	if took := time.Duration(tl.k.Now() - began); !ran || took > time.Second {
		t.Errorf("ran %v after %v", ran, took)
	}
	tl.end()
}

func TestTheClockIsReadOncePerTick(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	var seen []int64
	look := func() { seen = append(seen, tl.Now()); tl.k.Advance(time.Second) }
	s.take = func(b []byte) int { look(); return len(b) }
	s.peer.Write([]byte("x"))
	tl.do(look)
	if len(seen) != 2 || seen[0] != seen[1] {
		t.Errorf("times of one tick: %v", seen)
	}
	late := tl.connect()
	if r := tl.At(late.slot); r.Born != tl.Seconds() || r.Wrote != r.Born || r.Born == 0 {
		t.Errorf("born %d, wrote %d at %d", r.Born, r.Wrote, tl.Seconds())
	}
	born := tl.At(s.slot).Born
	tl.k.Advance(10 * time.Second)
	tl.do(func() { tl.Write(s.slot, []byte("x")) })
	if r := tl.At(s.slot); r.Wrote != tl.Seconds() || r.Wrote < born+10 || r.Born != born {
		t.Errorf("born %d, wrote %d, now %d", r.Born, r.Wrote, tl.Seconds())
	}
	wall := tl.Wall()
	tl.k.Advance(5 * time.Second)
	if tl.Tick(); tl.Wall()-wall < 5 || tl.Wall()-wall > 7 {
		t.Errorf("the wall clock moved %d s in 5", tl.Wall()-wall)
	}
	tl.end()
}

func TestStopEndsRun(t *testing.T) {
	tl := newLoop(t, simkernel.Options{SendBuffer: 10}, Config{})
	for i := range 20 {
		s := tl.connect()
		s.take = func([]byte) int { return 0 }
		s.peer.Write([]byte("kept"))
		s.peer.Stall()
		tl.do(func() { tl.push(s, "does not fit there"); tl.SetDeadline(s.slot, tl.Now()+int64(time.Hour)) })
		if i%2 == 0 {
			tl.do(func() { tl.CloseAfterWrite(s.slot) })
		}
	}
	tl.Post(func() { tl.push(tl.all[3], "the last tick's"); tl.Stop() })
	if err := tl.Run(); err != nil {
		t.Fatal(err)
	}
	if n := tl.Stats.Closed[record.ReasonShutdown]; n != 20 {
		t.Errorf("%d closed for shutdown", n)
	}
	tl.end()
}

package loop

import (
	"testing"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

func TestADeadlineExpiresOnceAndNotEarly(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	at := tl.Now() + int64(time.Second)
	tl.SetDeadline(s.slot, at)
	s.on[Expired] = func() {
		if late := time.Duration(tl.Now() - at); late < 0 || late > 2*timerTick {
			t.Errorf("expired %v late", late)
		}
	}
	for tl.Now() < at+int64(10*time.Second) {
		tl.Tick()
	}
	tl.wantEvents(s, "opened expired")
	tl.end()
}

func TestDeadlinesAreReplacedAndCancelled(t *testing.T) {
	f := func(name string, sets []time.Duration, want string) {
		t.Run(name, func(t *testing.T) {
			tl := newLoop(t, simkernel.Options{}, Config{})
			s := tl.connect()
			for _, d := range sets {
				if d == 0 {
					tl.SetDeadline(s.slot, 0)
				} else {
					tl.SetDeadline(s.slot, tl.Now()+int64(d))
				}
			}
			tl.elapse(3*time.Second, 100*time.Millisecond)
			tl.wantEvents(s, want)
			tl.end()
		})
	}
	f("earlier", []time.Duration{time.Hour, time.Second}, "opened expired")
	f("later", []time.Duration{time.Second, time.Hour}, "opened")
	f("cancelled", []time.Duration{time.Second, 0}, "opened")
	f("cancelled twice and set", []time.Duration{0, time.Second, 0, 2 * time.Second}, "opened expired")
	f("in the past", []time.Duration{-time.Second}, "opened expired")
}

func TestADeadlineSetWhenItExpires(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	n := 0
	s.on[Expired] = func() { n++; tl.SetDeadline(s.slot, tl.Now()) }
	tl.SetDeadline(s.slot, tl.Now())
	tl.Tick()
	if n > 1 {
		t.Errorf("expired %d times in one tick", n)
	}
	tl.elapse(time.Second, timerTick)
	if n < 20 || n > 60 {
		t.Errorf("expired %d times in a second", n)
	}
	tl.end()
}

func TestACloseCancelsTheDeadline(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	tl.SetDeadline(s.slot, tl.Now()+int64(time.Second))
	tl.do(func() { tl.Close(s.slot, record.ReasonDone) })
	next := tl.connect()
	if next.slot != s.slot {
		t.Fatal("the slot was not used again")
	}
	tl.elapse(3*time.Second, 100*time.Millisecond)
	tl.wantEvents(next, "opened")
	tl.end()
}

func TestNobodyExpiresAfterClose(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	tl.SetDeadline(s.slot, tl.Now())
	tl.k.Advance(2 * timerTick)
	tl.do(func() { tl.Close(s.slot, record.ReasonDone) })
	tl.wantEvents(s, "opened done")
	tl.end()
}

// A burst of deadlines is spread over ticks, and each tick still reads.
func TestABurstOfDeadlinesDelaysNobody(t *testing.T) {
	const burst = 10_000
	tl := newLoop(t, simkernel.Options{}, Config{AcceptsPerTick: 1000})
	reader := tl.connect()
	for range burst {
		tl.dial()
	}
	tl.ticks(20)
	if tl.Stats.Conns != burst+1 {
		t.Fatal(tl.Stats.Conns)
	}
	expired := 0
	at := tl.Now() + int64(100*time.Millisecond)
	for _, s := range tl.all[1:] {
		s.on[Expired] = func() { expired++ }
		tl.SetDeadline(s.slot, at)
	}
	tl.k.Advance(200 * time.Millisecond)
	ticks := 0
	for expired < burst {
		before := expired
		reader.got = nil
		reader.peer.Write([]byte("x"))
		tl.Tick()
		if ticks++; ticks > 2*burst/timersPerTick+10 {
			t.Fatalf("%d of %d expired after %d ticks", expired, burst, ticks)
		}
		if string(reader.got) != "x" {
			t.Fatal("input waited for timers")
		}
		if n := expired - before; n > timersPerTick {
			t.Fatalf("%d deadlines in one tick", n)
		}
		if expired < burst && tl.patience() != 0 {
			t.Fatalf("the loop would wait %v with deadlines overdue", tl.patience())
		}
	}
	if ticks < burst/timersPerTick {
		t.Errorf("%d ticks", ticks)
	}
	tl.end()
}

package wheel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// wide is the width of a tick in these tests, ns.
const wide = int64(1) << 23

// newWheel has n slots and starts at a time that is no multiple of anything.
func newWheel(n int) (*Wheel, records, int64) {
	const start = 1_234_567_891
	r := make(records, n+1)
	return New(r, tick, start), r, start
}

// collect calls Advance and returns what fired.
func collect(w *Wheel, now int64, most int) []uint32 {
	var fired []uint32
	w.Advance(now, most, func(slot uint32) { fired = append(fired, slot) })
	return fired
}

// One deadline, no matter how far, fires at the first tick that is not before it, and in few wake-ups.
func TestFiresAtItsTick(t *testing.T) {
	f := func(t *testing.T, after int64, wantTick int64) {
		t.Helper()
		w, _, start := newWheel(1)
		w.Set(1, start+after)
		now, wakes := start, 0
		for w.Armed(1) {
			d := w.Next(now)
			if d < 0 || d == 0 && wakes > 0 {
				t.Fatalf("after %d: Next is %v with one armed, at wake-up %d", after, d, wakes)
			}
			if w.Advance(now+int64(d)-1, 10, nil) != 0 {
				t.Fatalf("after %d: fires before Next", after)
			}
			now += int64(d)
			w.Advance(now, 10, func(uint32) {})
			wakes++
		}
		if now != start+wantTick*wide || wakes > 4 || w.Next(now) >= 0 {
			t.Errorf("after %d: fires at tick %d, want %d, in %d wake-ups; then Next is %v",
				after, (now-start)/wide, wantTick, wakes, w.Next(now))
		}
	}
	f(t, 1, 1)
	f(t, wide-1, 1)
	f(t, wide, 1)
	f(t, wide+1, 2)
	for _, ticks := range []int64{62, 63, 64, 65, 127, 128, 4032, 4095, 4096, 4097, 262_143, 262_144, 16_000_000, 16_515_071} {
		f(t, ticks*wide, ticks)
		f(t, ticks*wide+1, ticks+1)
	}
	f(t, 0, 1)
	f(t, -5, 1)
}

func TestFarAwayAndExtremeTimes(t *testing.T) {
	f := func(t *testing.T, at, wantTick int64) {
		t.Helper()
		w, _, start := newWheel(1)
		w.Set(1, at)
		if w.Advance(start+wantTick*wide-1, 1000, nil) != 0 || !w.Armed(1) {
			t.Errorf("at %d: fires before tick %d", at, wantTick)
		}
		if got := collect(w, start+wantTick*wide, 1000); len(got) != 1 {
			t.Errorf("at %d: does not fire at tick %d", at, wantTick)
		}
	}
	f(t, math.MinInt64, 1)
	f(t, 0, 1)
	f(t, 1_234_567_891+(1<<30)*wide, 1<<30)
	f(t, 1_234_567_891+(1<<32-1)*wide, 1<<32-1)
	f(t, 1_234_567_891+(1<<33)*wide, 1<<32-1) // farther than due can say: at the end of its range
	f(t, math.MaxInt64, 1<<32-1)
}

func TestNewRoundsTheTickDown(t *testing.T) {
	f := func(t *testing.T, tick time.Duration, want uint) {
		t.Helper()
		if got := New(nil, tick, 0).shift; got != want {
			t.Errorf("tick %v is 2^%d ns, want 2^%d", tick, got, want)
		}
	}
	f(t, 20*time.Millisecond, 24)
	f(t, 1<<24, 24)
	f(t, 1<<24-1, 23)
	f(t, 1, 0)
	f(t, 0, 0)
	f(t, -1, 0)
}

func TestTimeThatStandsOrGoesBackFiresNothing(t *testing.T) {
	w, _, start := newWheel(2)
	w.Advance(start+100*wide, 10, nil)
	w.Set(1, start+101*wide)
	for _, now := range []int64{start + 100*wide, start + 50*wide, start, 0, math.MinInt64, start + 60*wide} {
		if got := collect(w, now, 10); got != nil {
			t.Errorf("at %d fires %v", now, got)
		}
		w.Set(2, start) // long ago: with the next tick after those that were
	}
	if got := collect(w, start+101*wide, 10); len(got) != 2 {
		t.Errorf("fired %v, want both", got)
	}
}

// What a callback does to its own slot and others.
func TestFireMaySetAndCancel(t *testing.T) {
	f := func(t *testing.T, name string, do func(w *Wheel, now int64, slot uint32), wantNow, wantLater int) {
		t.Helper()
		w, _, start := newWheel(20)
		for slot := uint32(1); slot <= 10; slot++ {
			w.Set(slot, start+5*wide)
		}
		now, fired := start+8*wide, 0
		w.Advance(now, 100, func(slot uint32) {
			fired++
			do(w, now, slot)
		})
		later := len(collect(w, now+wide, 100))
		if fired != wantNow || later != wantLater {
			t.Errorf("%s: %d fired and %d with the next tick, want %d and %d", name, fired, later, wantNow, wantLater)
		}
	}
	every := func(do func(w *Wheel, slot uint32)) func(*Wheel, int64, uint32) {
		return func(w *Wheel, _ int64, _ uint32) {
			for slot := uint32(1); slot <= 10; slot++ {
				do(w, slot)
			}
		}
	}
	f(t, "nothing", func(*Wheel, int64, uint32) {}, 10, 0)
	f(t, "set itself for now", func(w *Wheel, now int64, slot uint32) { w.Set(slot, now) }, 10, 10)
	f(t, "set itself in the past", func(w *Wheel, _ int64, slot uint32) { w.Set(slot, 0) }, 10, 10)
	f(t, "set itself between", func(w *Wheel, now int64, slot uint32) { w.Set(slot, now-2*wide) }, 10, 10)
	f(t, "set itself later", func(w *Wheel, now int64, slot uint32) { w.Set(slot, now+2*wide) }, 10, 0)
	f(t, "cancel itself", func(w *Wheel, _ int64, slot uint32) { w.Cancel(slot) }, 10, 0)
	f(t, "cancel all", every(func(w *Wheel, slot uint32) { w.Cancel(slot) }), 1, 0)
	f(t, "move all back", func(w *Wheel, now int64, _ uint32) {
		for slot := uint32(1); slot <= 10; slot++ {
			w.Set(slot, now+wide)
		}
	}, 1, 10)
	f(t, "set and cancel all", every(func(w *Wheel, slot uint32) { w.Set(slot, math.MaxInt64); w.Cancel(slot) }), 1, 0)
	f(t, "set others", func(w *Wheel, now int64, slot uint32) { w.Set(slot+10, now+wide/2) }, 10, 10)
}

// A callback gives records away, and new owners arm them at once.
func TestFireMayFreeRecords(t *testing.T) {
	w, r, start := newWheel(100)
	rng := rand.New(rand.NewPCG(5, 6))
	owner := map[uint32]int{}
	at := map[uint32]int64{}
	next := 0
	adopt := func(slot uint32, now int64) {
		w.Cancel(slot)
		r[slot] = Node{}
		next++
		owner[slot] = next
		at[slot] = now + rng.Int64N(200*wide)
		w.Set(slot, at[slot])
	}
	for slot := uint32(1); slot <= 100; slot++ {
		adopt(slot, start)
	}
	fired := 0
	for now := start; fired < 20_000; now += rng.Int64N(20 * wide) {
		w.Advance(now, 50, func(slot uint32) {
			if at[slot] > now {
				t.Fatalf("slot %d fires %d ns early for owner %d", slot, at[slot]-now, owner[slot])
			}
			fired++
			for range 3 {
				adopt(uint32(1+rng.IntN(100)), now)
			}
			adopt(slot, now)
		})
	}
	if w.Len() != 100 {
		t.Errorf("%d armed, want 100", w.Len())
	}
}

func TestAdvanceFiresAtMostMax(t *testing.T) {
	w, _, start := newWheel(1000)
	for slot := uint32(1); slot <= 1000; slot++ {
		w.Set(slot, start+int64(slot)*wide)
	}
	now := start + 2000*wide
	var all []uint32
	for calls := 0; w.Next(now) == 0; calls++ {
		got := collect(w, now, 30)
		if len(got) > 30 || calls > 100 {
			t.Fatalf("%d fired in call %d", len(got), calls)
		}
		all = append(all, got...)
	}
	if len(all) != 1000 || !slices.IsSorted(all) {
		t.Errorf("%d fired, in order of deadlines: %v", len(all), slices.IsSorted(all))
	}
	if got := collect(w, now, 0); got != nil {
		t.Errorf("max 0 fires %v", got)
	}
}

// counted counts how often the wheel looks at a record.
type counted struct {
	records
	looks int
}

func (c *counted) Node(slot uint32) *Node { c.looks++; return &c.records[slot] }

// A million armed entries cost an idle tick nothing, and a full bucket is filed anew in bounded steps.
func TestMillionEntries(t *testing.T) {
	const n, most = 1_000_000, 256
	c := &counted{records: make(records, n+1)}
	w := New(c, tick, 0)
	for slot := uint32(1); slot <= n; slot++ {
		w.Set(slot, (5000+int64(slot)%100)*wide) // one bucket of the third level
	}
	c.looks = 0
	for now := range int64(4096) {
		w.Advance(now*wide, most, nil)
	}
	if c.looks != 0 {
		t.Errorf("4096 idle ticks looked at %d records", c.looks)
	}
	fired, calls := 0, 0
	for now := int64(4096) * wide; w.Len() > 0; calls++ {
		c.looks = 0
		fired += w.Advance(now, most, func(uint32) {})
		if c.looks > 4*most*refilesPerFire {
			t.Fatalf("one Advance looked at %d records", c.looks)
		}
		now += int64(w.Next(now))
	}
	if fired != n || calls > 2*n/most {
		t.Errorf("%d fired in %d calls", fired, calls)
	}
}

// Keeping a deadline moving back looks at its record once, and wakes nobody more often than the old deadline did.
func TestRefreshIsLazy(t *testing.T) {
	c := &counted{records: make(records, 3)}
	w := New(c, tick, 0)
	w.Set(2, 3600*int64(time.Second))
	w.Set(1, 30*int64(time.Second))
	now, wakes := int64(0), 0
	for range 100_000 {
		now += int64(time.Millisecond)
		c.looks = 0
		w.Set(1, now+30*int64(time.Second))
		if c.looks != 1 {
			t.Fatalf("a refresh looked at %d records", c.looks)
		}
		if w.Next(now) == 0 {
			w.Advance(now, 10, func(slot uint32) { t.Fatalf("slot %d fires", slot) })
			wakes++
		}
	}
	if wakes > 20 {
		t.Errorf("woken %d times in 100 s", wakes)
	}
	w.Set(1, now+wide)
	if got := collect(w, now+2*wide, 10); len(got) != 1 {
		t.Errorf("fired %v after the deadline came nearer", got)
	}
}

func TestDoesNotAllocate(t *testing.T) {
	w, _, now := newWheel(10)
	count := 0
	if n := testing.AllocsPerRun(1000, func() {
		w.Set(1, now+wide)
		w.Set(2, now+5000*wide)
		w.Set(1, now+2*wide)
		w.Cancel(2)
		now += 3 * wide
		w.Advance(now, 10, func(uint32) { count++ })
		w.Next(now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if count != 1001 {
		t.Errorf("fired %d times", count)
	}
}

package wheel

import (
	"math/rand/v2"
	"testing"
	"time"
)

const tick = 16 * time.Millisecond // 1<<23 ns after rounding

// records are the owners of nodes in tests.
type records []Node

func (r records) Node(slot uint32) *Node { return &r[slot] }

// model is the ticks at which armed slots must fire.
type model map[uint32]int64

// dueTick says by plain division what Set promises: the first tick not before at that has not begun at now.
func dueTick(w *Wheel, at, now int64) int64 {
	width := int64(1) << w.shift
	due := (at - w.start) / width
	if (at-w.start)%width > 0 {
		due++
	}
	return max(due, (now-w.start)/width+1)
}

// check compares every slot's state with the model, and the lists' links with each other.
func check(t *testing.T, w *Wheel, r records, m model) {
	t.Helper()
	if w.Len() != len(m) {
		t.Fatalf("%d armed, want %d", w.Len(), len(m))
	}
	for slot := range r[1:] {
		if _, ok := m[uint32(slot+1)]; w.Armed(uint32(slot+1)) != ok {
			t.Fatalf("slot %d armed: %v", slot+1, !ok)
		}
	}
	n := 0
	for b := range w.heads {
		if b < ready && (w.heads[b] != 0) != (w.full[b/buckets]>>(b%buckets)&1 != 0) {
			t.Fatalf("bucket %d: its bit does not say whether it is empty", b)
		}
		for slot, prev := w.heads[b], uint32(isHead|b); slot != 0; slot, prev = r[slot].next, slot {
			if r[slot].prev != prev {
				t.Fatalf("bucket %d: slot %d has prev %#x, want %#x", b, slot, r[slot].prev, prev)
			}
			n++
		}
	}
	if n != len(m) {
		t.Fatalf("%d entries in buckets, want %d", n, len(m))
	}
}

// jump is a random time ahead: mostly short, sometimes across levels, rarely farther than the wheel reaches.
func jump(rng *rand.Rand, w *Wheel) int64 {
	return rng.Int64N(int64(2) << (w.shift + uint(rng.IntN(28))))
}

// TestModel compares the wheel with a map of deadlines under random use. A deadline fires in the first Advance whose
// tick is not before it, unless that stops at its bound; never early, never twice, and never after a Cancel.
func TestModel(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		start := rng.Int64N(1 << 50)
		now := start
		r, m := make(records, 200), model{}
		w := New(r, tick, now)
		if seed%2 == 1 { // the count of ticks passes 32 bits during the test
			now += 1<<(32+w.shift) - 1<<(20+w.shift)
			w.Advance(now, 1, nil)
		}
		for step := range 3000 {
			slot := uint32(1 + rng.IntN(len(r)-1))
			switch rng.IntN(10) {
			case 0, 1, 2, 3, 4:
				at := now + jump(rng, w) - 1<<w.shift
				if due, ok := m[slot]; ok && rng.IntN(2) == 0 {
					at = w.start + (due+rng.Int64N(7)-3)<<w.shift // a little nearer or farther
				}
				w.Set(slot, at)
				m[slot] = dueTick(w, at, now)
			case 5:
				w.Cancel(slot)
				delete(m, slot)
			default:
				if rng.IntN(3) > 0 {
					now += jump(rng, w)
				} else {
					now += rng.Int64N(3 << w.shift)
				}
				advance(t, w, m, now, 1+rng.IntN(300), rng.IntN(4) == 0)
			}
			if step%50 == 0 {
				check(t, w, r, m)
			}
		}
		check(t, w, r, m)
	}
}

// advance calls Advance once, or until nothing is left over, and takes what fires from the model.
func advance(t *testing.T, w *Wheel, m model, now int64, most int, once bool) {
	t.Helper()
	last, reached := int64(0), (now-w.start)>>w.shift
	for {
		fired := 0
		n := w.Advance(now, most, func(slot uint32) {
			due, ok := m[slot]
			switch {
			case !ok:
				t.Fatalf("slot %d fires and is not armed", slot)
			case due > reached:
				t.Fatalf("slot %d fires %d ticks early", slot, due-reached)
			case due < last:
				t.Fatalf("slot %d fires %d ticks out of order", slot, last-due)
			case w.Armed(slot):
				t.Fatalf("slot %d is armed while it fires", slot)
			}
			last = due
			fired++
			delete(m, slot)
		})
		if n != fired || n > most {
			t.Fatalf("%d fired, Advance says %d, at most %d", fired, n, most)
		}
		if once {
			return
		}
		if w.Next(now) != 0 {
			break
		}
	}
	for slot, due := range m {
		if due <= reached {
			t.Fatalf("slot %d is %d ticks late", slot, reached-due)
		}
	}
}

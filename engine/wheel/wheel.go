// Package wheel is a hierarchical timer wheel whose entries live in their owner's records: it links slots, not
// pointers, and never allocates. It reads no clock and belongs to one goroutine, the loop's; it must never fire early
// or do unbounded work in one call. Read the Wheel type, then Set, Advance and refile.
package wheel

import (
	"math/bits"
	"time"
)

const (
	levels     = 4
	levelBits  = 6
	buckets    = 1 << levelBits
	bucketMask = buckets - 1

	ready  = levels * buckets // the bucket whose time has come
	isHead = 1 << 31          // in prev of a bucket's first node, beside the bucket's number

	farthest = 1<<32 - 1 // ticks from now: due has 32 bits

	refilesPerFire = 8 // moving an entry to a finer bucket costs this part of firing it
)

// Node is the wheel's part of a record. Its zero value is not armed; its owner never changes it, and never gives the
// record away while it is armed.
type Node struct {
	next uint32 // slot, 0 at the end
	prev uint32 // slot, or isHead|bucket; 0 when not armed
	due  uint32 // tick, modulo 2^32
}

// Nodes finds the node of a slot. Slots are 1 to 2^31-1.
type Nodes interface {
	Node(slot uint32) *Node
}

// Wheel holds the deadlines of slots. A bucket of level n is 64^n ticks wide; each level reaches 63 buckets ahead, and
// what is farther waits in the last bucket of the last level. When a bucket's time has come it becomes the ready list
// whole, and each entry of that is fired if it is due, else filed again, finer. So place ≤ due always holds, and a
// deadline that moves back is only written down: the entry is filed anew when its old place comes up.
type Wheel struct {
	nodes Nodes
	start int64 // monotonic ns of tick 0
	shift uint  // a tick is 1<<shift ns

	cur   uint64            // tick up to which no bucket waits; at most now, and behind it only while work is left over
	now   uint64            // tick of the latest Advance
	full  [levels]uint64    // a bit per bucket with entries
	heads [ready + 1]uint32 // slots
	size  int
}

// New makes an empty wheel. now is monotonic ns, like all times given to it. The tick is rounded down to a power of two
// of ns (20 ms to 16.8), so that finding one takes no division. A deadline more than 2^32 ticks away (2.3 years of
// 16.8 ms) fires after that time; the count of ticks itself never wraps.
func New(nodes Nodes, tick time.Duration, now int64) *Wheel {
	return &Wheel{nodes: nodes, start: now, shift: uint(bits.Len64(uint64(max(tick, 1)))) - 1}
}

// Set arms the slot to fire once at the first tick not before at, or moves it there if it is armed. What lies in the
// past fires with the next tick.
func (w *Wheel) Set(slot uint32, at int64) {
	due := w.tick(at)
	n := w.nodes.Node(slot)
	if n.prev != 0 {
		if ahead := uint64(n.due - uint32(w.cur)); due-w.cur >= ahead {
			n.due = uint32(due)
			return
		}
		w.unlink(n)
		w.size--
	}
	n.due = uint32(due)
	w.size++
	w.file(slot, n, due)
}

// tick is the first tick not before at that has not begun, and can be told from the current one in 32 bits.
func (w *Wheel) tick(at int64) uint64 {
	due := uint64(0)
	if at > w.start {
		due = (uint64(at-w.start) + 1<<(w.shift&63) - 1) >> (w.shift & 63) // &63 spares the check for larger shifts
	}
	return min(max(due, w.now+1), w.cur+farthest)
}

// file links the node into the finest bucket that reaches due. due is after cur.
func (w *Wheel) file(slot uint32, n *Node, due uint64) {
	for level := range uint(levels) {
		c := w.cur >> (level * levelBits)
		ahead := due>>(level*levelBits) - c
		if ahead >= buckets {
			if level < levels-1 {
				continue
			}
			ahead = buckets - 1
		}
		i := uint((c + ahead) & bucketMask)
		w.full[level] |= 1 << i
		w.link(slot, n, uint32(level*buckets+i))
		return
	}
}

func (w *Wheel) link(slot uint32, n *Node, bucket uint32) {
	first := w.heads[bucket]
	w.heads[bucket] = slot
	n.next, n.prev = first, isHead|bucket
	if first != 0 {
		w.nodes.Node(first).prev = slot
	}
}

func (w *Wheel) unlink(n *Node) {
	if n.next != 0 {
		w.nodes.Node(n.next).prev = n.prev
	}
	if n.prev&isHead == 0 {
		w.nodes.Node(n.prev).next = n.next
	} else {
		bucket := n.prev &^ isHead
		w.heads[bucket] = n.next
		if n.next == 0 && bucket < ready {
			w.full[bucket>>levelBits] &^= 1 << (bucket & bucketMask)
		}
	}
	n.next, n.prev = 0, 0
}

// Cancel disarms the slot. It may be called for one that is not armed.
func (w *Wheel) Cancel(slot uint32) {
	if n := w.nodes.Node(slot); n.prev != 0 {
		w.unlink(n)
		w.size--
	}
}

// Armed reports whether the slot has a deadline that has not fired.
func (w *Wheel) Armed(slot uint32) bool { return w.nodes.Node(slot).prev != 0 }

// Len is how many slots are armed.
func (w *Wheel) Len() int { return w.size }

// Advance fires what is due at now, in order of ticks and in no order within one, and returns how many. It fires at
// most max, and files anew at most a few times as many; the rest is for the next call. A slot is disarmed before fire
// is told of it; fire may Set and Cancel any slot, and give its record away. What it sets fires in a later tick.
func (w *Wheel) Advance(now int64, max int, fire func(slot uint32)) int {
	if now > w.start {
		if t := uint64(now-w.start) >> w.shift; t > w.now {
			w.now = t
		}
	}
	fired, budget := 0, max*refilesPerFire
	for budget > 0 {
		slot := w.heads[ready]
		if slot == 0 {
			if !w.turn() {
				break
			}
			continue
		}
		n := w.nodes.Node(slot)
		w.unlink(n)
		if ahead := n.due - uint32(w.cur); ahead != 0 {
			w.file(slot, n, w.cur+uint64(ahead))
			budget--
			continue
		}
		w.size--
		fired++
		budget -= refilesPerFire
		fire(slot)
	}
	return fired
}

// turn moves time to the next bucket that is up by now and makes it the ready list, or to now if there is none.
func (w *Wheel) turn() bool {
	at, bucket, ok := w.next()
	if !ok || at > w.now {
		w.cur = w.now
		return false
	}
	w.cur = at
	w.full[bucket>>levelBits] &^= 1 << (bucket & bucketMask)
	w.heads[ready], w.heads[bucket] = w.heads[bucket], 0
	w.nodes.Node(w.heads[ready]).prev = isHead | ready
	return true
}

// next is the bucket that comes up first, and when: never before cur, as a coarse bucket begins at a tick where time
// stops until it is emptied. The finest level goes first, so that what is due does not wait for what is filed anew in
// the same tick.
func (w *Wheel) next() (at uint64, bucket uint32, ok bool) {
	for level := range uint(levels) {
		full := w.full[level]
		if full == 0 {
			continue
		}
		c := w.cur >> (level * levelBits)
		ahead := uint64(bits.TrailingZeros64(bits.RotateLeft64(full, -int(c&bucketMask))))
		if t := (c + ahead) << (level * levelBits); !ok || t < at {
			at, bucket, ok = t, uint32(level*buckets+uint((c+ahead)&bucketMask)), true
		}
	}
	return at, bucket, ok
}

// Next is how long Advance has nothing to do: 0 if it has work left over, below 0 if nothing is armed. It may be too
// short for an entry that is far away or was moved back, a few times per entry. Who waits in coarser units than ns must
// round up, or will wake once in vain.
func (w *Wheel) Next(now int64) time.Duration {
	if w.heads[ready] != 0 {
		return 0
	}
	at, _, ok := w.next()
	if !ok {
		return -1
	}
	return time.Duration(max(w.start+int64(at<<w.shift)-now, 0))
}

//go:build !race

// Sizes, allocations and times mean nothing under the race detector.

package registry

import (
	"runtime"
	"testing"
	"time"
)

// heap is the bytes in use after a collection.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// The budget: at most 40 bytes of table and 32 of name for a 16-byte key, at any
// size, and no more than that on the heap.
func TestBytesPerKey(t *testing.T) {
	f := func(keys int) {
		t.Helper()
		before := heap()
		tab := New(Config{})
		fill(t, tab, keys)
		st := tab.Stats()
		table, name := float64(st.TableBytes)/float64(keys), float64(st.ArenaBytes)/float64(keys)
		onHeap := float64(heap()-before) / float64(keys)
		t.Logf("%d keys: table %.1f, name %.1f, heap %.1f bytes per key", keys, table, name, onHeap)
		if table > 40 || name > 32 {
			t.Errorf("%d keys: table %.1f bytes per key, name %.1f", keys, table, name)
		}
		if onHeap > 72 {
			t.Errorf("%d keys: %.1f bytes per key on the heap", keys, onHeap)
		}
		if tab.Len() != keys {
			t.Errorf("Len = %d of %d", tab.Len(), keys)
		}
	}
	for _, keys := range []int{8000, 12_000, 17_000, 23_000, 50_000, 1_000_000} {
		f(keys)
	}
}

// The empty shards weigh on the first few thousand keys; the budget is the slope
// after them.
func TestSlopeOfBytesPerKey(t *testing.T) {
	tab := New(Config{})
	fill(t, tab, 2000)
	before := tab.Stats()
	fillFrom(t, tab, 2000, 17_000)
	after := tab.Stats()
	table := float64(after.TableBytes-before.TableBytes) / 15_000
	name := float64(after.ArenaBytes-before.ArenaBytes) / 15_000
	t.Logf("2,000 to 17,000 keys: table %.1f, name %.1f bytes per key", table, name)
	if table > 40 || name > 32 {
		t.Errorf("2,000 to 17,000 keys: table %.1f, name %.1f bytes per key", table, name)
	}
}

// What a crowd took is given back or used again when it has left.
func TestCrowdsLeaveNothingBehind(t *testing.T) {
	const keys = 100_000
	tab := New(Config{})
	names := make([]Name, keys)
	var buf [16]byte
	var arena int
	for turn := range uint32(3) {
		for i := range uint64(keys) {
			names[i], _ = mustBind(t, tab, string(numbered(&buf, i+uint64(turn)*keys)), NewHandle(0, uint32(i), turn+1))
		}
		if st := tab.Stats(); arena == 0 {
			arena = st.ArenaBytes
		} else if st.ArenaBytes != arena {
			t.Errorf("turn %d: the arena has %d bytes, not %d", turn, st.ArenaBytes, arena)
		}
		for i, n := range names {
			if !tab.Release(n, NewHandle(0, uint32(i), turn+1), 0) {
				t.Fatal("cannot release", i)
			}
		}
		if st := tab.Stats(); st.TableBytes > 1024*(shardBytes+headerBytes+4*minCells*cellBytes) {
			t.Errorf("turn %d: an empty table has %d bytes", turn, st.TableBytes)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	tab := New(Config{Loops: 2})
	fill(t, tab, 1000)
	crowd, _ := mustBind(t, tab, "crowd", NewHandle(0, 1, 1))
	mustBind(t, tab, "crowd", NewHandle(1, 1, 1))
	key, group := []byte("user:\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05"), []byte("crowd")
	loops, text := make([]int, 0, 2), make([]byte, 0, MaxKey)
	f := func(what string, fn func() bool) {
		t.Helper()
		ok := true
		if n := testing.AllocsPerRun(1000, func() { ok = ok && fn() }); n != 0 || !ok {
			t.Errorf("%s allocates %v times, works: %v", what, n, ok)
		}
	}
	f("Lookup", func() bool { target, ok := tab.Lookup(key); return ok && target.One.Slot() == 5 })
	f("Lookup of a group", func() bool { target, ok := tab.Lookup(group); return ok && target.Count == 2 })
	f("Lookup in vain", func() bool { _, ok := tab.Lookup([]byte("nobody")); return !ok })
	f("Lookup of a key on the stack", func() bool {
		var buf [16]byte
		_, ok := tab.Lookup(numbered(&buf, 7))
		return ok
	})
	f("Head", func() bool { return tab.Head(group, 1) == NewHandle(1, 1, 1) })
	f("Loops", func() bool { return len(tab.Loops(group, loops)) == 2 })
	f("AppendName", func() bool { return string(tab.AppendName(text, crowd)) == "crowd" })
	f("Bind and Release", func() bool {
		n, _, err := tab.Bind([]byte("passing"), NewHandle(0, 9, 9))
		return err == nil && tab.Release(n, NewHandle(0, 9, 9), 0)
	})
	f("Bind and Release of a group", func() bool {
		first, second := NewHandle(0, 9, 9), NewHandle(1, 9, 9)
		_, _, err := tab.Bind([]byte("passing"), first)
		n, _, err2 := tab.Bind([]byte("passing"), second)
		return err == nil && err2 == nil && tab.Release(n, first, 0) && tab.Release(n, second, 0)
	})
	ms := NewMembers(newRecords(0, 10))
	var walk Walk
	f("Join, a walk and Leave", func() bool {
		err := ms.Join(tab, group, 3)
		ms.Start(&walk, tab, group, 0)
		defer ms.Stop(&walk)
		return err == nil && ms.Next(&walk) == 3 && ms.Leave(tab, 3)
	})
}

// Joining and leaving a group of a million costs what it costs in a small one.
func TestMillionMembersOnOneKey(t *testing.T) {
	const million = 1_000_000
	tab, r := New(Config{}), newRecords(0, million+1)
	ms := NewMembers(r)
	key := []byte("everybody")
	join := func(from, to uint32) {
		for slot := from; slot < to; slot++ {
			if err := ms.Join(tab, key, slot); err != nil {
				t.Fatal(err)
			}
		}
	}
	// perCall is the best of some rounds of a few thousand joins and leaves, in
	// the order that takes members from the middle, the front and the end.
	const few = 2000
	perCall := func(base uint32) time.Duration {
		best := time.Hour
		for range 10 {
			start := time.Now()
			join(base, base+few)
			for i := range uint32(few) {
				slot := base + (i*1231)%few
				if !ms.Leave(tab, slot) {
					t.Fatal("cannot leave", slot)
				}
			}
			best = min(best, time.Since(start)/few)
		}
		return best
	}
	join(1, 101)
	small := perCall(101)
	join(101, million-few)
	large := perCall(million - few)
	t.Logf("join and leave: %v in a crowd of 100, %v in a million", small, large)
	if large > 5*small+time.Microsecond {
		t.Errorf("join and leave: %v in a crowd of 100, %v in a million", small, large)
	}
	if target, _ := tab.Lookup(key); target.Count != million-few-1 {
		t.Errorf("%d members", target.Count)
	}
	for slot := uint32(1); slot < million-few; slot++ { // oldest first: each has a newer one
		if !ms.Leave(tab, slot) {
			t.Fatal("cannot leave", slot)
		}
	}
	if st := tab.Stats(); st.Keys+st.Groups+st.NameBytes+st.GroupBytes != 0 {
		t.Errorf("at the end %+v", st)
	}
}

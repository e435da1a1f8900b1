package registry

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// These tests aim at the few instructions in which a reader and a writer can
// hurt each other, by doing little else.

// race runs writers and readers beside each other for a moment.
func race(t *testing.T, fns ...func() error) {
	t.Helper()
	var stop atomic.Bool
	var wg sync.WaitGroup
	for _, fn := range fns {
		wg.Go(func() {
			for !stop.Load() {
				if err := fn(); err != nil {
					t.Error(err)
					stop.Store(true)
				}
			}
		})
	}
	time.Sleep(500 * time.Millisecond)
	stop.Store(true)
	wg.Wait()
}

// A queue of keys in one chain: the newest comes in at its end, the oldest
// leaves at its front, and all others move up each time. A key in the queue
// before and after a lookup must be found; one that is leaving is found with its
// own handle or not at all.
func TestChainsMoveUnderReaders(t *testing.T) {
	f := func(hashMask uint64, low, high uint64) {
		t.Helper()
		tab := New(Config{Shards: 1})
		tab.hashMask = hashMask
		handle := func(i uint64) Handle { return NewHandle(0, uint32(i), uint32(i)+1) }
		var oldest, newest atomic.Uint64 // the queue: [oldest, newest)
		names := map[uint64]Name{}
		want := high
		write := func() error {
			var buf [16]byte
			lo, hi := oldest.Load(), newest.Load()
			if hi-lo < want {
				n, _, err := tab.Bind(numbered(&buf, hi), handle(hi))
				names[hi] = n
				newest.Store(hi + 1)
				return err
			}
			if want == high {
				want = low // now down to there, and up again
			}
			oldest.Store(lo + 1)
			if !tab.Release(names[lo], handle(lo), 0) {
				return fmt.Errorf("cannot release %d", lo)
			}
			delete(names, lo)
			if hi-lo-1 <= low {
				want = high
			}
			return nil
		}
		read := func() error {
			var buf [16]byte
			hi, lo := newest.Load(), oldest.Load()
			if lo >= hi {
				return nil
			}
			i := lo + rand.Uint64N(hi-lo)
			if lo > 0 && i%4 == 0 {
				i = lo - 1 // the one that is leaving
			}
			target, ok := tab.Lookup(numbered(&buf, i))
			if ok && target.One != handle(i) {
				return fmt.Errorf("key %d has the handle of %d", i, target.One.Slot())
			}
			if !ok && i >= oldest.Load() && i >= lo {
				return fmt.Errorf("key %d of %d to %d was not found", i, lo, hi)
			}
			return nil
		}
		race(t, write, read, read)
		if err := verify(tab); err != nil {
			t.Error(err)
		}
	}
	f(0, 3, 4)             // a short chain, each key moves with each delete
	f(0, 1, 12)            // and longer
	f(^uint64(0), 1, 200)  // growing and shrinking
	f(^uint64(0), 60, 100) // moves among chains that go round
}

// Two keys in two shards make and drop groups on loops of their own, and give
// each other their freed blocks. No reader may see the other key's loops.
func TestGroupsAreRecycledUnderReaders(t *testing.T) {
	f := func(shards, width int) {
		t.Helper()
		tab := New(Config{Loops: 2 * width, Shards: shards})
		first := "a"
		second := "b"
		for i := 0; shards == 2 && tab.hash([]byte(first))&1 == tab.hash([]byte(second))&1; i++ {
			second = fmt.Sprint("b", i)
		}
		write := func(key string, from int) func() error {
			gen := uint32(0)
			return func() error {
				gen++
				var n Name
				var err error
				for loop := from; loop < from+width; loop++ {
					if n, _, err = tab.Bind([]byte(key), NewHandle(loop, 1, gen)); err != nil {
						return err
					}
				}
				for loop := from; loop < from+width; loop++ {
					if !tab.Release(n, NewHandle(loop, 1, gen), 0) {
						return fmt.Errorf("cannot release %q on loop %d", key, loop)
					}
				}
				return nil
			}
		}
		read := func(key []byte, from int) func() error {
			buf := make([]int, 0, MaxLoops)
			foreign := func(loop int) bool { return loop < from || loop >= from+width }
			return func() error {
				for _, loop := range tab.Loops(key, buf) {
					if foreign(loop) {
						return fmt.Errorf("%q has members on loop %d", key, loop)
					}
				}
				if h := tab.Head(key, (from+width)%(2*width)); h != 0 {
					return fmt.Errorf("%q has a head on a foreign loop: %x", key, h)
				}
				if target, ok := tab.Lookup(key); ok && (target.Home != from || target.Count > width) {
					return fmt.Errorf("%q has target %+v", key, target)
				}
				return nil
			}
		}
		race(t, write(first, 0), write(second, width), read([]byte(first), 0), read([]byte(second), width))
		if err := verify(tab); err != nil || tab.Len() != 0 {
			t.Error(tab.Len(), err)
		}
	}
	f(2, 2) // freed with its key
	f(2, 3) // and when it grows
	f(1, 5)
}

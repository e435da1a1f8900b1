package registry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// churn runs loops that bind and release their own slots while readers look up
// everybody's. Each generation says in its low bits which key it was bound to,
// so that a reader can tell a handle that was never bound to the key it asked
// for. The first keys are pinned: held throughout, some beside a changing
// crowd, they must be found each time, at home.
type churn struct {
	tab  *Table
	keys []string

	loops   []*records
	lists   []*Members
	slots   int // that churn on each loop; those of the pinned keys come after
	pinned  int
	lookups atomic.Int64
	stop    atomic.Bool
}

const keyBits = 10 // of the generation

func (c *churn) generation(turn, key int) uint32 {
	return max(uint32(turn<<keyBits|key)&GenMask, 1<<keyBits)
}

// home is the loop of a pinned key.
func (c *churn) home(i int) int { return i % len(c.loops) }

// pin joins the pinned keys, and unpin makes them leave.
func (c *churn) pin() error {
	for i := range c.pinned {
		loop, slot := c.home(i), uint32(c.slots+i)
		c.loops[loop].gens[slot] = c.generation(1, i)
		if err := c.lists[loop].Join(c.tab, []byte(c.keys[i]), slot); err != nil {
			return err
		}
	}
	return nil
}

func (c *churn) unpin() error {
	for i := range c.pinned {
		if !c.lists[c.home(i)].Leave(c.tab, uint32(c.slots+i)) {
			return fmt.Errorf("the pin of %q is gone", c.keys[i])
		}
	}
	return nil
}

// bindLoop is one event loop: a set of slots, each on some key or on none.
func (c *churn) bindLoop(loop int, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, uint64(loop)))
	r, lists := c.loops[loop], c.lists[loop]
	var walk Walk
	for turn := 1; !c.stop.Load(); turn++ {
		slot := 1 + rng.Uint32N(uint32(c.slots-1))
		if lists.Leave(c.tab, slot) {
			continue
		}
		// Crowds come and go: half of the time only a few keys are used.
		key := rng.IntN(len(c.keys))
		if turn>>13&1 == 0 {
			key %= 2 * c.pinned
		}
		r.gens[slot] = c.generation(turn, key)
		if err := lists.Join(c.tab, []byte(c.keys[key]), slot); err != nil {
			return fmt.Errorf("join %q: %w", c.keys[key], err)
		}
		if turn%64 == 0 {
			lists.Start(&walk, c.tab, []byte(c.keys[key]), loop)
			for at := lists.Next(&walk); at != 0; at = lists.Next(&walk) {
				if int(r.gens[at])&(1<<keyBits-1) != key {
					return fmt.Errorf("a walk of %q came to slot %d of another key", c.keys[key], at)
				}
			}
		}
	}
	for slot := range uint32(c.slots) {
		lists.Leave(c.tab, slot)
	}
	return nil
}

func (c *churn) readLoop(seed uint64) error {
	loops := len(c.loops)
	rng := rand.New(rand.NewPCG(seed, 99))
	var buf [MaxLoops]int
	for n := 0; !c.stop.Load(); n++ {
		c.lookups.Add(1)
		i := rng.IntN(len(c.keys))
		if n&1 == 0 {
			i %= c.pinned
		}
		key := []byte(c.keys[i])
		target, ok := c.tab.Lookup(key)
		if err := c.checkTarget(i, target, ok); err != nil {
			return err
		}
		loop := rng.IntN(loops)
		if h := c.tab.Head(key, loop); h != 0 && (h.Loop() != loop || c.foreign(h, i)) {
			return fmt.Errorf("head of %q on loop %d is %x", key, loop, h)
		}
		members := c.tab.Loops(key, buf[:0])
		for j, loop := range members {
			if loop >= loops || j > 0 && loop <= members[j-1] {
				return fmt.Errorf("%q is on loops %v", key, members)
			}
		}
		if i < c.pinned && !slices.Contains(members, c.home(i)) {
			return fmt.Errorf("pinned %q was not on its loop", key)
		}
	}
	return nil
}

func (c *churn) checkTarget(i int, target Target, ok bool) error {
	switch {
	case ok != (target.Count > 0):
		return fmt.Errorf("%q: %+v, %v", c.keys[i], target, ok)
	case target.One != 0 && (c.foreign(target.One, i) || target.Home != target.One.Loop() || target.Count != 1):
		return fmt.Errorf("%q: %+v is no holder of it", c.keys[i], target)
	case i < c.pinned && (!ok || target.Home != c.home(i)):
		return fmt.Errorf("pinned %q: %+v, %v", c.keys[i], target, ok)
	}
	return nil
}

func (c *churn) foreign(h Handle, key int) bool { return int(h.Gen())&(1<<keyBits-1) != key }

func TestConcurrentModel(t *testing.T) {
	f := func(seed uint64, cfg Config, hashMask uint64, pinned, keys, slots int) {
		t.Helper()
		tab := New(cfg)
		tab.hashMask = hashMask
		c := &churn{tab: tab, keys: keyNames(keys), pinned: pinned, slots: slots}
		for loop := range cfg.Loops {
			r := newRecords(loop, slots+pinned)
			c.loops, c.lists = append(c.loops, r), append(c.lists, NewMembers(r))
		}
		if err := c.pin(); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		run := func(fn func() error) {
			wg.Go(func() {
				if err := fn(); err != nil {
					t.Errorf("seed %d: %v", seed, err)
					c.stop.Store(true)
				}
			})
		}
		for loop := range cfg.Loops {
			run(func() error { return c.bindLoop(loop, seed) })
		}
		for i := range uint64(2) {
			run(func() error { return c.readLoop(seed + i) })
		}
		time.Sleep(300 * time.Millisecond)
		c.stop.Store(true)
		wg.Wait()
		if t.Failed() {
			return
		}
		if err := verify(tab); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := c.unpin(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if st := tab.Stats(); st.Keys+st.Groups+st.NameBytes+st.GroupBytes != 0 || c.lookups.Load() == 0 {
			t.Fatalf("seed %d: at the end %+v after %d lookups", seed, st, c.lookups.Load())
		}
	}
	const good = ^uint64(0)
	for seed := range uint64(2) {
		f(seed, Config{Loops: 4, Shards: 1}, good, 16, 1000, 2000)   // growth, shrinking, moves
		f(seed, Config{Loops: 4, Shards: 1}, 3<<62, 8, 100, 200)     // long chains
		f(seed, Config{Loops: 4, Shards: 1}, 0, 4, 16, 20)           // one chain; groups come and go
		f(seed, Config{Loops: 8, Shards: 64}, good, 100, 1000, 1000) // groups with room to grow
	}
}

package registry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is the obvious registry: a map of lists. world runs it beside the real
// one, on loops with a few records each.
type model map[string]*entry

type entry struct {
	home   int
	plural bool             // had two holders at once
	lists  map[int][]uint32 // newest first, no empty lists
}

func (e *entry) count() (n int) {
	for _, list := range e.lists {
		n += len(list)
	}
	return n
}

type world struct {
	tab   *Table
	loops []*records
	lists []*Members
	held  []map[uint32]string // by loop: what each slot holds
	model model
	keys  []string
}

func newWorld(tab *Table, loops, slots int, keys []string) *world {
	w := &world{tab: tab, model: model{}, keys: keys}
	for i := range loops {
		r := newRecords(i, slots)
		w.loops = append(w.loops, r)
		w.lists = append(w.lists, NewMembers(r))
		w.held = append(w.held, map[uint32]string{})
	}
	return w
}

// toggle makes a free slot join the key, or a taken one leave whatever it holds.
func (w *world) toggle(loop int, slot uint32, key string) error {
	if held, ok := w.held[loop][slot]; ok {
		if !w.lists[loop].Leave(w.tab, slot) {
			return fmt.Errorf("loop %d slot %d cannot leave %q", loop, slot, held)
		}
		w.loops[loop].recycle(slot)
		delete(w.held[loop], slot)
		e := w.model[held]
		at := slices.Index(e.lists[loop], slot)
		if e.lists[loop] = slices.Delete(e.lists[loop], at, at+1); len(e.lists[loop]) == 0 {
			delete(e.lists, loop)
		}
		if len(e.lists) == 0 {
			delete(w.model, held)
		}
		return w.compare(held)
	}
	if err := w.lists[loop].Join(w.tab, []byte(key), slot); err != nil {
		return fmt.Errorf("loop %d slot %d cannot join %q: %w", loop, slot, key, err)
	}
	w.held[loop][slot] = key
	e := w.model[key]
	if e == nil {
		e = &entry{home: loop, lists: map[int][]uint32{}}
		w.model[key] = e
	} else {
		e.plural = true
	}
	e.lists[loop] = slices.Insert(e.lists[loop], 0, slot)
	return w.compare(key)
}

// compare checks every answer about one key.
func (w *world) compare(key string) error {
	k := []byte(key)
	target, ok := w.tab.Lookup(k)
	e := w.model[key]
	if e == nil {
		if ok || w.tab.Head(k, 0) != 0 || len(w.tab.Loops(k, nil)) != 0 {
			return fmt.Errorf("%q is still there: %+v", key, target)
		}
		return nil
	}
	want := Target{Home: e.home, Count: e.count()}
	if !e.plural {
		want.One = w.loops[e.home].Handle(e.lists[e.home][0])
	}
	if !ok || target != want {
		return fmt.Errorf("%q: %+v, %v; want %+v", key, target, ok, want)
	}
	loops := w.tab.Loops(k, nil)
	if len(loops) != len(e.lists) {
		return fmt.Errorf("%q is on loops %v, want %v", key, loops, e.lists)
	}
	for _, loop := range loops {
		if err := w.compareList(k, loop, e.lists[loop]); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) compareList(key []byte, loop int, want []uint32) error {
	ms, prev := w.lists[loop], uint32(0)
	slot := ms.First(w.tab, key, loop)
	if slot != 0 && w.tab.Head(key, loop) != w.loops[loop].Handle(slot) {
		return fmt.Errorf("%q: the head on loop %d is stale", key, loop)
	}
	for _, expect := range want {
		if slot != expect {
			return fmt.Errorf("%q on loop %d: slot %d in place of %d of %v", key, loop, slot, expect, want)
		}
		m := ms.slots.Member(slot)
		if m.Prev != prev || string(w.tab.AppendName(nil, m.Name)) != string(key) {
			return fmt.Errorf("%q on loop %d: slot %d is badly linked or named", key, loop, slot)
		}
		prev, slot = slot, ms.After(slot)
	}
	if slot != 0 {
		return fmt.Errorf("%q on loop %d goes on after %v", key, loop, want)
	}
	return nil
}

func (w *world) compareAll() error {
	for _, key := range w.keys {
		if err := w.compare(key); err != nil {
			return err
		}
	}
	if w.tab.Len() != len(w.model) {
		return fmt.Errorf("Len = %d, want %d", w.tab.Len(), len(w.model))
	}
	return verify(w.tab)
}

func keyNames(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%0*d", 1+i%40, i)
	}
	return keys
}

func TestModel(t *testing.T) {
	f := func(seed uint64, cfg Config, hashMask uint64, slots, keys, steps int) {
		t.Helper()
		tab := New(cfg)
		tab.hashMask = hashMask
		w := newWorld(tab, max(cfg.Loops, 1), slots, keyNames(keys))
		rng := rand.New(rand.NewPCG(seed, 0))
		for i := range steps {
			loop, slot := rng.IntN(len(w.loops)), 1+rng.Uint32N(uint32(slots-1))
			// Crowds come and go, so that shards grow and shrink.
			if _, taken := w.held[loop][slot]; taken != (rng.IntN(100) < 20+60*(i*8/steps%2)) {
				continue
			}
			if err := w.toggle(loop, slot, w.keys[rng.IntN(keys)]); err != nil {
				t.Fatalf("seed %d step %d: %v", seed, i, err)
			}
			if i%1000 == 0 {
				if err := w.compareAll(); err != nil {
					t.Fatalf("seed %d step %d: %v", seed, i, err)
				}
			}
		}
		if err := w.compareAll(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	const good = ^uint64(0)
	for seed := range seeds(3) {
		f(seed, Config{Loops: 1}, good, 50, 10, 10_000)
		f(seed, Config{Loops: 3, Shards: 2}, good, 300, 200, 10_000)
		f(seed, Config{Loops: 2, Shards: 1}, good, 3000, 2500, 15_000)
		f(seed, Config{Loops: 5, Shards: 1}, 0, 60, 100, 2000)      // every hash the same
		f(seed, Config{Loops: 2, Shards: 1}, 3<<62, 200, 300, 3000) // four tags
		f(seed, Config{Loops: 2, Shards: 2}, 1|1<<63, 200, 300, 3000)
		f(seed, Config{Loops: MaxLoops, Shards: 1}, good, 8, 3, 1000) // wide groups
	}
}

// Hashes near the end of their range make chains that go round to the start.
func TestModelWrapsAround(t *testing.T) {
	for seed := range seeds(4) {
		tab := New(Config{Loops: 2, Shards: 1})
		w := newWorld(tab, 2, 100, nil)
		for i := 0; len(w.keys) < 100; i++ {
			key := fmt.Sprint(i)
			if tab.hash([]byte(key))>>60 >= 14 {
				w.keys = append(w.keys, key)
			}
		}
		rng := rand.New(rand.NewPCG(seed, 1))
		for i := range 5000 {
			if err := w.toggle(rng.IntN(2), 1+rng.Uint32N(99), w.keys[rng.IntN(100)]); err != nil {
				t.Fatalf("seed %d step %d: %v", seed, i, err)
			}
			if i%100 == 0 {
				if err := w.compareAll(); err != nil {
					t.Fatalf("seed %d step %d: %v", seed, i, err)
				}
			}
		}
	}
}

// Each four bytes are a step: loop and slot, key, and how bad the hash is.
func FuzzModel(f *testing.F) {
	f.Add([]byte{0x01, 0, 0x02, 0, 0x81, 0, 0x02, 0})
	f.Add([]byte{0xff, 1, 0x01, 1, 0x41, 1, 0xc1, 1, 0x01, 1, 0xff, 1})
	f.Add([]byte("the quick brown fox jumps over the lazy dog and comes back again"))
	f.Fuzz(func(t *testing.T, steps []byte) {
		if len(steps) == 0 {
			return
		}
		tab := New(Config{Loops: 4, Shards: 1 + int(steps[0]&1)})
		tab.hashMask = ^uint64(0) << (steps[0] & 63)
		w := newWorld(tab, 4, 64, keyNames(256))
		for ; len(steps) >= 2; steps = steps[2:] {
			loop, slot := int(steps[0]>>6), uint32(steps[0]&63)
			if slot == 0 {
				continue
			}
			if err := w.toggle(loop, slot, w.keys[steps[1]]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.compareAll(); err != nil {
			t.Fatal(err)
		}
	})
}

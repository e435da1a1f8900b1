package registry

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Changed hears of every first holder and of every last one, and of nothing else.
func TestChangedHearsOfFirstAndLast(t *testing.T) {
	var heard []string
	table := New(Config{Loops: 2, Shards: 1, Changed: func(key []byte) { heard = append(heard, string(key)) }})
	f := func(did string, want ...string) {
		t.Helper()
		if !slices.Equal(heard, want) {
			t.Errorf("%s: heard %q; want %q", did, heard, want)
		}
		heard = nil
	}
	bind := func(key string, h Handle) Name {
		t.Helper()
		n, _, err := table.Bind([]byte(key), h)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	a, b := NewHandle(0, 1, 1), NewHandle(1, 1, 1)
	n := bind("k", a)
	f("the first holder came", "k")
	bind("k", b)
	f("a second one came on another loop")
	if _, _, err := table.Bind([]byte("k"), b); err == nil {
		t.Error("bound twice")
	}
	f("one came twice")
	table.Release(n, a, 0)
	f("one of two left")
	table.Release(n, b, 0)
	f("the last one left", "k")
	table.Release(n, b, 0)
	f("a stale handle left")
	bind("k", a)
	f("a first holder came again", "k")
}

// Whatever order holders come and go in, the calls for a key alternate between held and not held.
func TestChangedAlternates(t *testing.T) {
	held := map[string]bool{}
	var table *Table
	table = New(Config{Loops: 3, Shards: 2, Changed: func(key []byte) {
		_, now := table.Lookup(key)
		if held[string(key)] == now {
			t.Errorf("%q is held: %v, twice in a row", key, now)
		}
		held[string(key)] = now
	}})
	rng := rand.New(rand.NewPCG(3, 4))
	names := map[Handle]Name{}
	for range 20000 {
		h := NewHandle(rng.IntN(3), 1+uint32(rng.IntN(4)), 1)
		key := []byte{'a' + byte(h.Slot()%2)} // one member on each loop and key pair at most: no links to keep
		if h.Slot() > 2 {
			continue
		}
		if n, bound := names[h]; bound {
			table.Release(n, h, 0)
			delete(names, h)
			continue
		}
		n, _, err := table.Bind(key, h)
		if err != nil {
			t.Fatal(err)
		}
		names[h] = n
	}
	for key, h := range held {
		if _, now := table.Lookup([]byte(key)); now != h {
			t.Errorf("%q is held: %v, was told %v", key, now, h)
		}
	}
}

// Telling costs nothing that lasts.
func TestChangedAllocatesNothing(t *testing.T) {
	told := 0
	table := New(Config{Loops: 1, Changed: func([]byte) { told++ }})
	key, h := []byte("a key of some length"), NewHandle(0, 1, 1)
	allocs := testing.AllocsPerRun(1000, func() {
		n, _, err := table.Bind(key, h)
		if err != nil {
			t.Fatal(err)
		}
		table.Release(n, h, 0)
	})
	if allocs != 0 || told != 2*1001 {
		t.Errorf("%v allocations, told %d times", allocs, told)
	}
}

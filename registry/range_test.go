package registry

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// list reads a whole table by pages of limit.
func list(tab *Table, limit int, between func()) (seen map[string]int, pages []int) {
	seen = map[string]int{}
	for cursor, first := Cursor(0), true; first || cursor != 0; first = false {
		n := 0
		cursor = tab.Range(cursor, limit, func(key []byte, target Target) {
			n++
			seen[string(key)]++
		})
		pages = append(pages, n)
		if between != nil {
			between()
		}
	}
	return seen, pages
}

func TestRangeListsEachKeyOnce(t *testing.T) {
	f := func(shards, keys, limit int, hashMask uint64) {
		t.Helper()
		tab := New(Config{Shards: shards})
		tab.hashMask = hashMask
		want := map[string]int{}
		for i, key := range keyNames(keys) {
			mustBind(t, tab, key, NewHandle(0, uint32(i), 1))
			want[key] = 1
		}
		got, pages := list(tab, limit, nil)
		if !maps.Equal(got, want) {
			t.Errorf("%d shards, %d keys, limit %d: listed %d, want %d", shards, keys, limit, len(got), len(want))
		}
		if hashMask == ^uint64(0) && slices.Max(pages) > limit {
			t.Errorf("%d shards, %d keys: a page of %d, limit %d", shards, keys, slices.Max(pages), limit)
		}
	}
	const good = ^uint64(0)
	for _, limit := range []int{1, 2, 7, 100, 10_000} {
		f(1, 0, limit, good)
		f(1, 1, limit, good)
		f(1, 1000, limit, good)
		f(64, 1000, limit, good)
		f(1024, 100, limit, good)
		f(2, 100, limit, 0)        // all on one tag
		f(1, 100, limit, 0xe0<<56) // on eight
		f(1, 100, limit, 0xff<<56|0xffff<<32)
	}
}

// Tags at the end of their range: chains that go round, and the last tag of all.
func TestRangeGoesRoundTheEnd(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 7))
		tab := New(Config{Shards: 1})
		s := &tab.shards[0]
		want := map[string]int{}
		tags := []uint32{^uint32(0), ^uint32(0) - 1, 0, 1, 1 << 31, 0xf8 << 24}
		for i := range 3 + rng.IntN(30) {
			key := fmt.Sprint(i)
			s.makeRoom()
			s.cells.Load().insert(joinWord(tags[rng.IntN(len(tags))], tab.arena.storeName([]byte(key))), uint64(NewHandle(0, 1, 1)))
			s.count++
			want[key] = 1
		}
		for _, limit := range []int{1, 3, 100} {
			if got, _ := list(tab, limit, nil); !maps.Equal(got, want) {
				t.Fatalf("seed %d limit %d: listed %v of %d keys", seed, limit, got, len(want))
			}
		}
	}
}

// Keys that stay are listed once, though the shards grow and shrink meanwhile.
func TestRangeBesideChanges(t *testing.T) {
	for seed := range seeds(20) {
		rng := rand.New(rand.NewPCG(seed, 6))
		tab := New(Config{Shards: 2})
		keys := keyNames(1000)
		names := make([]Name, len(keys))
		for i := range 200 {
			names[i], _ = mustBind(t, tab, keys[i], NewHandle(0, uint32(i), 1))
		}
		seen, _ := list(tab, 20, func() {
			for range 300 {
				i := 200 + rng.IntN(800)
				h := NewHandle(0, uint32(i), 1)
				if names[i] == 0 {
					names[i], _ = mustBind(t, tab, keys[i], h)
				} else if tab.Release(names[i], h, 0) {
					names[i] = 0
				}
			}
		})
		for i, key := range keys {
			if seen[key] != 1 && (i < 200 || seen[key] != 0) {
				t.Fatalf("seed %d: %q was listed %d times", seed, key, seen[key])
			}
		}
	}
}

func TestRangeTellsTargets(t *testing.T) {
	tab := New(Config{Loops: 3})
	mustBind(t, tab, "one", NewHandle(2, 1, 1))
	mustBind(t, tab, "two", NewHandle(1, 1, 1))
	mustBind(t, tab, "two", NewHandle(0, 1, 1))
	got := map[string]Target{}
	tab.Range(0, 10, func(key []byte, target Target) {
		got[string(key)] = target
		if again, _ := tab.Lookup(key); again != target { // may call the table
			t.Errorf("%q: %+v, Lookup %+v", key, target, again)
		}
		n, _ := mustBind(t, tab, "visited "+string(key), NewHandle(0, 9, 1))
		tab.Release(n, NewHandle(0, 9, 1), 0)
	})
	want := map[string]Target{"one": {2, 1, NewHandle(2, 1, 1)}, "two": {1, 2, 0}}
	if !maps.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, limit := range []int{0, -1} {
		if next := tab.Range(5, limit, func([]byte, Target) { t.Error("visited") }); next != 5 {
			t.Errorf("limit %d moves the cursor to %d", limit, next)
		}
	}
	if next := tab.Range(^Cursor(0), 1, func([]byte, Target) { t.Error("visited") }); next != 0 {
		t.Errorf("a cursor past the end leads to %d", next)
	}
}

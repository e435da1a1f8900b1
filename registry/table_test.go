package registry

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestBindRefuses(t *testing.T) {
	tab := New(Config{Loops: 2})
	mustBind(t, tab, "held", NewHandle(0, 1, 1))
	f := func(key string, h Handle, want error) {
		t.Helper()
		n, next, err := tab.Bind([]byte(key), h)
		if !errors.Is(err, want) || n != 0 || next != 0 {
			t.Errorf("Bind(%.10q, %x) = %d, %x, %v; want %v", key, h, n, next, err, want)
		}
	}
	live := NewHandle(1, 1, 1)
	f("", live, ErrKey)
	f(strings.Repeat("k", MaxKey+1), live, ErrKey)
	f("k", 0, ErrHandle)
	f("k", NewHandle(1, 1, 0), ErrHandle)
	f("k", NewHandle(2, 1, 1), ErrHandle)
	f("held", NewHandle(0, 1, 1), ErrHandle)
	mustBind(t, tab, "held", live)
	f("held", live, ErrHandle)
	if tab.Len() != 1 {
		t.Errorf("Len = %d after refusals", tab.Len())
	}
}

func TestLookupOfWhatCannotBe(t *testing.T) {
	tab := New(Config{})
	for _, key := range []string{"", "k", strings.Repeat("k", MaxKey+1)} {
		if target, ok := tab.Lookup([]byte(key)); ok || target != (Target{}) {
			t.Errorf("Lookup(%.10q) = %+v, %v", key, target, ok)
		}
		if h := tab.Head([]byte(key), 0); h != 0 {
			t.Errorf("Head(%.10q) = %x", key, h)
		}
		if loops := tab.Loops([]byte(key), nil); len(loops) != 0 {
			t.Errorf("Loops(%.10q) = %v", key, loops)
		}
	}
}

// step is one bind (+) or release (-) in the life of one key, and what must be
// seen after it.
type step struct {
	op     string // "+a": bind a; "-a": release a with no successor; "-a b": with successor b
	next   string // of a bind
	target Target
	heads  string // the newest of each loop, loop 0 first, "." for none
}

func (s step) seen(tab *Table, key []byte, handles map[string]Handle) error {
	if got, ok := tab.Lookup(key); got != s.target || ok != (s.target.Count > 0) {
		return fmt.Errorf("Lookup = %+v, %v; want %+v", got, ok, s.target)
	}
	var loops []int
	for loop, name := range strings.Fields(s.heads) {
		if got := tab.Head(key, loop); got != handles[name] {
			return fmt.Errorf("Head(%d) = %x, want %s", loop, got, name)
		}
		if name != "." {
			loops = append(loops, loop)
		}
	}
	if got := tab.Loops(key, nil); !slices.Equal(got, loops) {
		return fmt.Errorf("Loops = %v, want %v", got, loops)
	}
	return nil
}

func TestLifeOfAKey(t *testing.T) {
	handles := map[string]Handle{"": 0, ".": 0}
	for loop := range 3 {
		for slot := range uint32(3) {
			name := string(rune('a'+loop)) + string(rune('1'+slot)) // a1: loop 0, slot 1
			handles[name] = NewHandle(loop, slot+1, 7)
		}
	}
	f := func(steps ...step) {
		t.Helper()
		tab := New(Config{Loops: 3})
		key := []byte("k")
		var n Name
		for i, s := range steps {
			who, succ, _ := strings.Cut(s.op[1:], " ")
			if s.op[0] == '+' {
				var next Handle
				n, next = mustBind(t, tab, "k", handles[who])
				if next != handles[s.next] {
					t.Fatalf("step %d: next is %x, want %s", i, next, s.next)
				}
			} else if !tab.Release(n, handles[who], handles[succ]) {
				t.Fatalf("step %d: %s refused", i, s.op)
			}
			if err := s.seen(tab, key, handles); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			if err := verify(tab); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
		}
	}
	a1, b1 := handles["a1"], handles["b1"]
	gone := Target{}

	f(step{"+a1", "", Target{0, 1, a1}, "a1 . ."}, // one holder, twice
		step{"-a1", "", gone, ". . ."},
		step{"+b1", "", Target{1, 1, b1}, ". b1 ."},
		step{"-b1", "", gone, ". . ."})
	f(step{"+a1", "", Target{0, 1, a1}, "a1 . ."}, // two on one loop: the first had no links
		step{"+a2", "a1", Target{0, 2, 0}, "a2 . ."},
		step{"+a3", "a2", Target{0, 3, 0}, "a3 . ."},
		step{"-a2", "", Target{0, 2, 0}, "a3 . ."}, // not the newest
		step{"-a3 a1", "", Target{0, 1, 0}, "a1 . ."},
		step{"-a1", "", gone, ". . ."})
	f(step{"+b1", "", Target{1, 1, b1}, ". b1 ."}, // home outlives its holder
		step{"+a1", "", Target{1, 2, 0}, "a1 b1 ."},
		step{"-b1", "", Target{1, 1, 0}, "a1 . ."},
		step{"+b2", "", Target{1, 2, 0}, "a1 b2 ."},
		step{"-a1", "", Target{1, 1, 0}, ". b2 ."},
		step{"-b2", "", gone, ". . ."},
		step{"+a1", "", Target{0, 1, a1}, "a1 . ."}) // a new life, a new home
	f(step{"+a1", "", Target{0, 1, a1}, "a1 . ."}, // more loops than places
		step{"+b1", "", Target{0, 2, 0}, "a1 b1 ."},
		step{"+c1", "", Target{0, 3, 0}, "a1 b1 c1"},
		step{"+b2", "b1", Target{0, 4, 0}, "a1 b2 c1"},
		step{"-a1", "", Target{0, 3, 0}, ". b2 c1"},
		step{"-c1", "", Target{0, 2, 0}, ". b2 ."},
		step{"+a3", "", Target{0, 3, 0}, "a3 b2 ."},
		step{"-b1", "", Target{0, 2, 0}, "a3 b2 ."},
		step{"-b2", "", Target{0, 1, 0}, "a3 . ."},
		step{"-a3", "", gone, ". . ."})
}

func TestReleaseTakesOnlyItsOwn(t *testing.T) {
	tab := New(Config{Loops: 2})
	one, _ := mustBind(t, tab, "one", NewHandle(0, 1, 5))
	many, _ := mustBind(t, tab, "many", NewHandle(0, 2, 5))
	mustBind(t, tab, "many", NewHandle(0, 3, 5))
	f := func(n Name, h, next Handle) {
		t.Helper()
		if tab.Release(n, h, next) {
			t.Errorf("Release(%d, %x, %x) took something", n, h, next)
		}
	}
	f(one, NewHandle(0, 1, 4), 0)                   // an earlier use of the slot
	f(one, NewHandle(1, 1, 5), 0)                   // another loop
	f(one, NewHandle(0, 2, 5), 0)                   // the holder of another key
	f(one, 0, 0)                                    // nobody
	f(one+99, NewHandle(0, 1, 5), 0)                // not a name
	f(0, NewHandle(0, 1, 5), 0)                     // no name
	f(1<<31, NewHandle(0, 1, 5), 0)                 // a name far out
	f(many, NewHandle(1, 2, 5), 0)                  // a loop without members
	f(many, NewHandle(0, 3, 4), 0)                  // the newest, of an earlier generation
	f(many, NewHandle(0, 3, 5), NewHandle(1, 2, 5)) // a successor on another loop
	if target, _ := tab.Lookup([]byte("many")); target.Count != 2 {
		t.Errorf("many has %d holders", target.Count)
	}
	if !tab.Release(many, NewHandle(0, 2, 5), 0) {
		t.Fatal("the older member could not leave")
	}
	f(many, NewHandle(0, 2, 5), 0)                  // twice
	f(many, NewHandle(0, 3, 5), NewHandle(0, 2, 5)) // a successor that nobody counts
	if !tab.Release(many, NewHandle(0, 3, 5), 0) || !tab.Release(one, NewHandle(0, 1, 5), 0) {
		t.Fatal("the last ones could not leave")
	}
	f(many, NewHandle(0, 3, 5), 0)
	f(one, NewHandle(0, 1, 5), 0)
	if err := verify(tab); err != nil || tab.Len() != 0 {
		t.Error(tab.Len(), err)
	}
}

func TestMaxKeysStopsGrowth(t *testing.T) {
	tab := New(Config{MaxKeys: 3})
	var buf [16]byte
	var last Name
	for i := range uint64(3) {
		last, _ = mustBind(t, tab, string(numbered(&buf, i)), NewHandle(0, uint32(i), 1))
	}
	if _, _, err := tab.Bind([]byte("more"), NewHandle(0, 9, 1)); !errors.Is(err, ErrFull) {
		t.Errorf("a fourth key: %v", err)
	}
	mustBind(t, tab, string(numbered(&buf, 0)), NewHandle(0, 9, 1)) // a holder is not a key
	if tab.Len() != 3 || !tab.Release(last, NewHandle(0, 2, 1), 0) {
		t.Fatal("refusal left something behind")
	}
	mustBind(t, tab, "more", NewHandle(0, 2, 2))
	if err := verify(tab); err != nil {
		t.Error(err)
	}
}

// With memory out, each kind of allocation fails alone and changes nothing.
func TestMaxMemoryStopsNamesAndGroups(t *testing.T) {
	tab := New(Config{Loops: 4, MaxMemory: 1}) // one page, for one size of block
	first := strings.Repeat("a", 17)           // 3 words, as a group of two loops
	mustBind(t, tab, first, NewHandle(0, 1, 1))
	if _, _, err := tab.Bind([]byte("short"), NewHandle(0, 2, 1)); !errors.Is(err, ErrFull) {
		t.Errorf("a name of another size: %v", err)
	}
	mustBind(t, tab, first, NewHandle(1, 1, 1))
	if _, _, err := tab.Bind([]byte(first), NewHandle(2, 1, 1)); !errors.Is(err, ErrFull) {
		t.Errorf("a larger group: %v", err)
	}
	if target, _ := tab.Lookup([]byte(first)); target != (Target{0, 2, 0}) {
		t.Errorf("after a refused member: %+v", target)
	}

	tab = New(Config{Loops: 2, MaxMemory: 1})
	n, _ := mustBind(t, tab, "short", NewHandle(0, 1, 1))
	if _, _, err := tab.Bind([]byte("short"), NewHandle(1, 1, 1)); !errors.Is(err, ErrFull) {
		t.Errorf("a first group: %v", err)
	}
	if target, _ := tab.Lookup([]byte("short")); target != (Target{0, 1, NewHandle(0, 1, 1)}) {
		t.Errorf("after a refused second holder: %+v", target)
	}
	if !tab.Release(n, NewHandle(0, 1, 1), 0) || tab.Len() != 0 || verify(tab) != nil {
		t.Error("refusals left something behind:", verify(tab))
	}
	mustBind(t, tab, first, NewHandle(0, 1, 2)) // the empty page serves another size
}

func TestConfigDefaults(t *testing.T) {
	f := func(cfg Config, shards, loops int) {
		t.Helper()
		if tab := New(cfg); len(tab.shards) != shards || tab.loops != loops {
			t.Errorf("New(%+v): %d shards, %d loops", cfg, len(tab.shards), tab.loops)
		}
	}
	f(Config{}, 1024, 1)
	f(Config{Shards: -1, Loops: -1, MaxKeys: -1, MaxMemory: -1}, 1024, 1)
	f(Config{Shards: 1, Loops: 7}, 1, 7)
	f(Config{Shards: 5}, 8, 1)
	f(Config{Shards: 1 << 20, Loops: 1000}, 1<<16, MaxLoops)
}

func TestSizesThatStatsCounts(t *testing.T) {
	f := func(v any, want int) {
		t.Helper()
		if got := int(reflect.TypeOf(v).Size()); got != want {
			t.Errorf("%T is %d bytes, not %d", v, got, want)
		}
	}
	f(shard{}, shardBytes)
	f(cell{}, cellBytes)
	f(cells{}, headerBytes)
	f(page{}, pageBytes)
	f(Member{}, 12)
}

// A reader that holds on to a cell, a name or a group that may go to another
// key must find the version changed; one that does not need not try again.
func TestVersionTellsReadersOfReuse(t *testing.T) {
	tab := New(Config{Loops: 4, Shards: 1})
	changed := func(want bool, what string, fn func()) {
		t.Helper()
		before := tab.shards[0].version.Load()
		if fn(); (tab.shards[0].version.Load() != before) != want {
			t.Errorf("%s: version changed is %v", what, !want)
		}
	}
	var n Name
	bind := func(loop int, slot uint32) func() {
		return func() { n, _ = mustBind(t, tab, "k", NewHandle(loop, slot, 1)) }
	}
	release := func(loop int, slot uint32, next Handle) func() {
		return func() { tab.Release(n, NewHandle(loop, slot, 1), next) }
	}
	changed(false, "a first holder", bind(0, 1))
	changed(false, "a group", bind(1, 1))
	changed(true, "a group that grows", bind(2, 1))
	changed(false, "a loop with a place", bind(3, 1))
	changed(false, "a second holder on a loop", bind(0, 2))
	changed(false, "a release", release(0, 2, NewHandle(0, 1, 1)))
	changed(false, "a release of a loop's last", release(3, 1, 0))
	changed(false, "a stale release", release(3, 1, 0))
	release(0, 1, 0)()
	release(1, 1, 0)()
	changed(true, "the last release", release(2, 1, 0))
	bind(0, 1)()
	changed(true, "the release of an inline holder", release(0, 1, 0))
}

// Readers take no lock: with every lock held by somebody who sleeps, they answer.
func TestReadersPassHeldLocks(t *testing.T) {
	tab := New(Config{Loops: 2, Shards: 2})
	n, _ := mustBind(t, tab, "k", NewHandle(0, 1, 1))
	mustBind(t, tab, "k", NewHandle(1, 1, 1))
	for i := range tab.shards {
		tab.shards[i].mu.Lock()
	}
	tab.arena.mu.Lock()
	key := []byte("k")
	if target, ok := tab.Lookup(key); !ok || target.Count != 2 {
		t.Errorf("Lookup = %+v, %v", target, ok)
	}
	if _, ok := tab.Lookup([]byte("nobody")); ok {
		t.Error("nobody was found")
	}
	if tab.Head(key, 1) == 0 || len(tab.Loops(key, nil)) != 2 || tab.Len() != 1 {
		t.Error("Head, Loops or Len is wrong")
	}
	if got := tab.AppendName(nil, n); string(got) != "k" {
		t.Errorf("AppendName = %q", got)
	}
}

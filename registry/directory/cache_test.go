package directory

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"holdfast/registry/directory/redistest"
)

// ask looks a key up where a kept answer will do.
func ask(t *testing.T, s Store, key Hash) Owners {
	t.Helper()
	var found [1]Found
	s.Lookup(t.Context(), []Hash{key}, false, found[:])
	if found[0].Err != nil {
		t.Fatal("Lookup:", found[0].Err)
	}
	return found[0].Owners
}

func wantPeek(t *testing.T, p Peeker, key Hash, want Owners) {
	t.Helper()
	if got, ok := p.Peek(key); ok != (want != nil) || !slices.Equal(got, want) {
		t.Errorf("Peek = %v, %v, want %v", got, ok, want)
	}
}

func TestCacheHearsOfChanges(t *testing.T) {
	t.Parallel()
	single, cluster := redistest.Start(t, redistest.Options{}), redistest.StartCluster(t)
	for _, url := range []string{urlOf(single), clusterURL(cluster)} {
		r, other := open(t, RedisConfig{URL: url}), open(t, RedisConfig{URL: url})
		key := Hash{1, 2, 3}
		f := func(owner Instance, held bool, want Owners) {
			t.Helper()
			claim(t, other, owner, key, held)
			eventually(t, "an answer that has the claim", func() bool {
				return slices.Equal(slices.Sorted(slices.Values(ask(t, r, key))), want)
			})
			got, ok := r.Peek(key)
			if ok != (want != nil) || len(got) != len(want) {
				t.Errorf("after the answer %v, Peek = %v, %v", want, got, ok)
			}
		}
		wantPeek(t, r, key, nil)
		f(7, true, Owners{7})
		f(8, true, Owners{7, 8})
		f(7, false, Owners{8})
		f(8, false, nil)
		f(9, true, Owners{9})
		// Nothing asks any more: the word of the change alone ends the answer.
		claim(t, other, 9, key, false)
		eventually(t, "forgetting", func() bool { _, ok := r.Peek(key); return !ok })
	}
}

func TestCacheKeepsNoAbsence(t *testing.T) {
	t.Parallel()
	r := open(t, RedisConfig{URL: urlOf(redistest.Start(t, redistest.Options{}))})
	for range 3 {
		if got := ask(t, r, Hash{5}); got != nil {
			t.Errorf("owners %v", got)
		}
		wantPeek(t, r, Hash{5}, nil)
	}
	if r.Cached() != 0 {
		t.Errorf("%d answers are kept", r.Cached())
	}
}

// A key that ends by its time to live has nobody either, and nobody writes then.
func TestCacheHearsOfExpiry(t *testing.T) {
	t.Parallel()
	r := open(t, RedisConfig{URL: urlOf(redistest.Start(t, redistest.Options{})), ClaimTTL: time.Second})
	claim(t, r, 1, Hash{5}, true)
	ask(t, r, Hash{5})
	wantPeek(t, r, Hash{5}, Owners{1})
	eventually(t, "expiry", func() bool { _, ok := r.Peek(Hash{5}); return !ok })
}

func TestCacheEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	f := func(what string, fault func(*redistest.Server)) {
		t.Helper()
		s := redistest.Start(t, redistest.Options{})
		r := open(t, RedisConfig{URL: urlOf(s), Timeout: 500 * time.Millisecond})
		certain(t, r)
		for i := range byte(100) {
			claim(t, r, 1, Hash{i}, true)
			ask(t, r, Hash{i})
		}
		wantPeek(t, r, Hash{1}, Owners{1})
		fault(s)
		eventually(t, what+": forgetting all", func() bool { return r.Cached() == 0 })
		wantPeek(t, r, Hash{1}, nil)
	}
	f("killed", (*redistest.Server).Kill)
	f("stopped", (*redistest.Server).Stop)
	f("flushed", func(s *redistest.Server) { s.CLI("FLUSHALL") })
	f("clients killed", func(s *redistest.Server) { s.CLI("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") })
}

// With one who writes and one who asks at the same time, the kept answer settles to what was written last.
func TestCacheNeverKeepsTheOld(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	r, other := open(t, RedisConfig{URL: urlOf(s)}), open(t, RedisConfig{URL: urlOf(s)})
	stop, asked := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				asked <- n
				return
			default:
				found := make([]Found, 4)
				r.Lookup(t.Context(), []Hash{{0}, {1}, {2}, {3}}, false, found)
				n++
			}
		}
	}()
	rounds := 300
	if testing.Short() {
		rounds = 60
	}
	for range rounds {
		key, held := Hash{byte(rand.N(4))}, rand.N(2) == 0
		claim(t, other, 1, key, true)
		claim(t, other, 2, key, held)
		want := 1
		if held {
			want = 2
		}
		eventually(t, "the last answer", func() bool { got, ok := r.Peek(key); return ok && len(got) == want })
		for range 20 { // and none older than that comes
			if got, ok := r.Peek(key); ok && len(got) != want {
				t.Fatalf("%v was kept after the last answer, %d owners", got, want)
			}
		}
	}
	close(stop)
	t.Log(<-asked, "lookups")
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(640, "hf:k:")
	of := &cacheConn{cache: c}
	for range 20_000 {
		var h Hash
		h[0], h[1], h[2] = byte(rand.N(256)), byte(rand.N(256)), byte(rand.N(256))
		c.put(h, answer{Owners{1}, of})
		if _, ok := c.get(h); !ok {
			t.Fatal("the newest answer is not there")
		}
	}
	if n := c.len(); n != 640 {
		t.Errorf("%d answers are kept, want 640", n)
	}
}

func TestCacheConnections(t *testing.T) {
	c := newCache(640, "hf:k:")
	flushes := 0
	a, b := &cacheConn{cache: c, flushed: func() { flushes++ }}, &cacheConn{cache: c, flushed: func() { flushes++ }}
	c.put(Hash{1}, answer{Owners{1}, a})
	c.put(Hash{2}, answer{Owners{2}, b})
	a.Close(nil)
	if _, ok := c.get(Hash{1}); ok {
		t.Error("an answer outlived its connection")
	}
	c.put(Hash{1}, answer{Owners{1}, a})
	if c.len() != 1 {
		t.Error("a connection that has ended keeps answers")
	}
	b.Delete(nil)
	if c.len() != 0 || flushes != 1 {
		t.Errorf("after a flush: %d answers, heard %d times", c.len(), flushes)
	}
	b.Delete([]rueidis.RedisMessage{})
	if flushes != 1 {
		t.Error("no keys are taken for all")
	}
}

func TestCacheKnowsItsKeys(t *testing.T) {
	c := newCache(1, "hf:k:")
	f := func(key string, want bool) {
		t.Helper()
		h, ok := c.hashOf(key)
		if ok != want || ok && "hf:k:"+string(h[:]) != key {
			t.Errorf("hashOf(%q) = %x, %v", key, h, ok)
		}
	}
	f("hf:k:0123456789abcdef", true)
	f("hf:k:\x00\xff\r\n{}6789abcdef", true)
	f("hf:k:0123456789abcde", false)
	f("hf:k:0123456789abcdefg", false)
	f("hf:x:0123456789abcdef", false)
	f("", false)
	f(strings.Repeat("k", 300), false)
}

func TestPeekAllocatesNothing(t *testing.T) {
	r := &Redis{kept: newCache(640, "hf:k:")}
	r.kept.put(Hash{1}, answer{Owners{1}, &cacheConn{cache: r.kept}})
	if n := testing.AllocsPerRun(100, func() { r.Peek(Hash{1}); r.Peek(Hash{2}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPeek(b *testing.B) {
	r := &Redis{kept: newCache(1<<18, "hf:k:")}
	h := NewHasher([]byte("secret"))
	of := &cacheConn{cache: r.kept}
	keys := make([]Hash, 1<<16)
	for i := range keys {
		keys[i] = h.Sum([]byte{byte(i), byte(i >> 8)})
		r.kept.put(keys[i], answer{Owners{1}, of})
	}
	for i := 0; b.Loop(); i++ {
		r.Peek(keys[i%len(keys)])
	}
}

package registry

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func newArena(bytes int) *arena {
	a := new(arena)
	a.init(bytes)
	return a
}

func TestNamesOfEveryLength(t *testing.T) {
	a := newArena(64 * pageBytes)
	key := make([]byte, MaxKey)
	for i := range key {
		key[i] = byte(255 - i)
	}
	for length := 1; length <= MaxKey; length++ {
		k := key[:length]
		n := a.storeName(k)
		if got := a.appendName([]byte("x"), n); string(got[1:]) != string(k) || got[0] != 'x' {
			t.Fatalf("%d bytes come back as %q", length, got)
		}
		if !a.equal(n, k) {
			t.Fatalf("%d bytes do not equal themselves", length)
		}
		if length > 1 && a.equal(n, k[:length-1]) || length < MaxKey && a.equal(n, key[:length+1]) {
			t.Fatalf("%d bytes equal another length", length)
		}
		for i := range k {
			k[i] ^= 0x80
			if a.equal(n, k) {
				t.Fatalf("%d bytes: a change in byte %d goes unseen", length, i)
			}
			k[i] ^= 0x80
		}
	}
}

// Zeros at the end of a key must not be taken for the filling of its last word.
func TestNamesThatEndInZeros(t *testing.T) {
	a := newArena(64 * pageBytes)
	n := a.storeName([]byte("k\x00\x00"))
	for _, other := range []string{"k", "k\x00", "k\x00\x00\x00"} {
		if a.equal(n, []byte(other)) {
			t.Errorf("%q equals another key", other)
		}
	}
}

func TestBlocksNeverOverlap(t *testing.T) {
	a := newArena(1 << 30)
	rng := rand.New(rand.NewPCG(1, 2))
	type block struct {
		at   addr
		size uint32
		mark uint64
	}
	var live []block
	for i := range uint64(20_000) {
		if len(live) > 0 && rng.IntN(100) < 45 {
			j := rng.IntN(len(live))
			b := live[j]
			for w := range b.size {
				if got := a.load(b.at, w); got != b.mark {
					t.Fatalf("word %d of a block of %d was overwritten", w, b.size)
				}
			}
			a.free(b.at, b.size, forName)
			live[j] = live[len(live)-1]
			live = live[:len(live)-1]
			continue
		}
		b := block{size: 1 + rng.Uint32N(maxBlock), mark: i | 1<<40}
		if b.at = a.alloc(b.size, forName); b.at < pageWords {
			t.Fatalf("block at %d", b.at)
		}
		for w := range b.size {
			a.store(b.at, w, b.mark)
		}
		live = append(live, b)
	}
	for _, b := range live {
		a.free(b.at, b.size, forName)
	}
	if st := a.stats(); st.NameBytes != 0 || a.blocks[forName] != 0 {
		t.Errorf("after the last free: %+v", st)
	}
	pages := len(*a.pages.Load())
	for p, count := a.empty, 1; ; p, count = a.uses[p].next, count+1 {
		if p == 0 {
			if count != pages {
				t.Errorf("%d of %d pages are empty", count, pages)
			}
			break
		}
	}
}

// A page is filled to its last block, and a freed one is used before a new page.
func TestPagesAreUsedWhole(t *testing.T) {
	for _, size := range []uint32{1, 3, 33, maxBlock} {
		a := newArena(pageBytes)
		var blocks []addr
		for {
			at := a.alloc(size, forName)
			if at == 0 {
				break
			}
			blocks = append(blocks, at)
		}
		if len(blocks) != pageWords/int(size) {
			t.Errorf("%d blocks of %d words in a page", len(blocks), size)
		}
		for _, at := range blocks[:7] {
			a.free(at, size, forName)
		}
		for i := range 8 {
			if at := a.alloc(size, forName); (at == 0) != (i == 7) {
				t.Errorf("block %d of 7 freed ones: %d", i, at)
			}
		}
	}
}

// The attack that MaxMemory and whole-page reuse stop: fill the table with names
// of one length, let go, come back with longer ones.
func TestMemoryIsReusedAcrossLengths(t *testing.T) {
	tab := New(Config{Shards: 4})
	const keys = 500
	var names [keys]Name
	for length := 4; length <= MaxKey; length += 8 {
		key := bytes.Repeat([]byte{'k'}, length)
		for i := range keys {
			key[0], key[1] = byte(i), byte(i>>8)
			names[i], _ = mustBind(t, tab, string(key), NewHandle(0, uint32(i), 1))
		}
		for i := range keys {
			if !tab.Release(names[i], NewHandle(0, uint32(i), 1), 0) {
				t.Fatal("cannot release", i)
			}
		}
	}
	const largest = keys*264/pageBytes + 1 // pages for the longest names alone
	if st := tab.Stats(); st.ArenaBytes > (largest+1)*pageBytes || st.NameBytes != 0 {
		t.Errorf("%d pages where %d would do; %+v", st.ArenaBytes/pageBytes, largest, st)
	}
	if cells := tab.Stats().TableBytes - 4*shardBytes; cells > 4*(4*minCells*cellBytes+headerBytes) {
		t.Errorf("an empty table keeps %d bytes of cells", cells)
	}
}

func TestArenaStopsAtItsLimit(t *testing.T) {
	tab := New(Config{MaxMemory: 3 * pageBytes})
	long := strings.Repeat("k", MaxKey-16)
	var buf [16]byte
	bound := 0
	for i := range uint64(1000) {
		_, _, err := tab.Bind([]byte(long+string(numbered(&buf, i))), NewHandle(0, uint32(i), 1))
		if errors.Is(err, ErrFull) {
			break
		}
		bound++
	}
	if want := 3 * (pageWords / int(nameWords(MaxKey))); bound != want || tab.Len() != want {
		t.Errorf("%d names of 256 bytes in three pages, want %d", bound, want)
	}
}

package registry

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// records stands in for the slab of one loop.
type records struct {
	loop    int
	members []Member
	gens    []uint32
}

func newRecords(loop, n int) *records {
	r := &records{loop: loop, members: make([]Member, n), gens: make([]uint32, n)}
	for i := range r.gens {
		r.gens[i] = 1
	}
	return r
}

func (r *records) Member(slot uint32) *Member { return &r.members[slot] }
func (r *records) Handle(slot uint32) Handle  { return NewHandle(r.loop, slot, r.gens[slot]) }

// recycle gives a slot to its next user.
func (r *records) recycle(slot uint32) { r.gens[slot]++ }

// shortPart is the part of its seeds that a test plays in a short run: the race detector makes each ten times dearer.
const shortPart = 3

// seeds is how many a test plays of those that it would.
func seeds(n uint64) uint64 {
	if testing.Short() {
		return max(1, n/shortPart)
	}
	return n
}

// numbered is a 16-byte key, in place.
func numbered(buf *[16]byte, i uint64) []byte {
	copy(buf[:], "user:")
	binary.BigEndian.PutUint64(buf[8:], i)
	return buf[:]
}

func mustBind(t testing.TB, tab *Table, key string, h Handle) (Name, Handle) {
	t.Helper()
	n, next, err := tab.Bind([]byte(key), h)
	if err != nil {
		t.Fatalf("Bind(%q, %x): %v", key, h, err)
	}
	return n, next
}

// fill binds keys 16-byte keys, one holder each.
func fill(tb testing.TB, tab *Table, keys int) {
	tb.Helper()
	fillFrom(tb, tab, 0, keys)
}

func fillFrom(tb testing.TB, tab *Table, from, to int) {
	tb.Helper()
	var buf [16]byte
	for i := uint64(from); i < uint64(to); i++ {
		if _, _, err := tab.Bind(numbered(&buf, i), NewHandle(0, uint32(i), 1)); err != nil {
			tb.Fatal(err)
		}
	}
}

// verify checks everything that must hold in a table that nobody is changing.
func verify(tab *Table) error {
	keys, names, groups, groupBytes := 0, 0, 0, 0
	for i := range tab.shards {
		s := &tab.shards[i]
		c := *s.cells.Load()
		used := 0
		for j := range c {
			word := c[j].word.Load()
			if word == 0 {
				continue
			}
			used++
			name := tab.AppendName(nil, wordName(word))
			if at, tag := tab.place(tab.hash(name)); at != s || tag != wordTag(word) {
				return fmt.Errorf("%q is in the wrong shard or has the wrong tag", name)
			}
			if c.index(&tab.arena, wordTag(word), name) != j {
				return fmt.Errorf("%q cannot be found in its cell", name)
			}
			names += int(nameWords(len(name))) * 8
			value := c[j].value.Load()
			if !isGroup(value) {
				continue
			}
			size, err := verifyGroup(tab, groupRef(value))
			if err != nil {
				return fmt.Errorf("group of %q: %w", name, err)
			}
			groups, groupBytes = groups+1, groupBytes+size
		}
		if used != s.count {
			return fmt.Errorf("shard %d counts %d keys and has %d", i, s.count, used)
		}
		if used*4 > len(c)*3 {
			return fmt.Errorf("shard %d has %d keys in %d cells", i, used, len(c))
		}
		keys += used
	}
	st := tab.Stats()
	want := Stats{
		Keys: keys, Groups: groups, NameBytes: names, GroupBytes: groupBytes,
		TableBytes: st.TableBytes, ArenaBytes: st.ArenaBytes,
	}
	if st != want {
		return fmt.Errorf("stats %+v, want %+v", st, want)
	}
	if names+groupBytes > st.ArenaBytes {
		return fmt.Errorf("more in use than there is: %+v", st)
	}
	return nil
}

func verifyGroup(tab *Table, g groupRef) (size int, err error) {
	head := tab.arena.load(g.at(), 0)
	seen, loops := map[int]bool{}, 0
	for i := range groupPlaces(head) {
		h := Handle(tab.arena.load(g.at(), i+1))
		if h == 0 {
			continue
		}
		if loops++; seen[h.Loop()] || h.Gen() == 0 {
			return 0, fmt.Errorf("loop %d has two heads or a dead one", h.Loop())
		}
		seen[h.Loop()] = true
	}
	if n := groupMembers(head); n < loops || loops == 0 {
		return 0, fmt.Errorf("%d members on %d loops", n, loops)
	}
	return 8 * int(1+groupPlaces(head)), nil
}

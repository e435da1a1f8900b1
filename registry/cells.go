package registry

import (
	"sync"
	"sync/atomic"
)

// How a reader gets a true answer without a lock, and without waiting for a
// writer that was descheduled half way.
//
// Every word is loaded and stored atomically (sequentially consistent in Go),
// so a reader always sees some state that a writer left between two stores.
// Writers arrange their stores so that each such state answers every key
// rightly to a reader that started after the last change of shard.version:
//
//   - insert: the cell's value, then its word. Until the word is there, the
//     chain ends here. No new version: a reader sees the key or does not.
//   - a new value: one store.
//   - delete: the word becomes a tomb, then version changes, then the rest of
//     the chain moves up. Each move copies a cell into the hole, changes
//     version, and only then may the old place be overwritten: between the
//     two, both places hold the same cell. The name and the group are freed
//     last of all.
//   - growth: the new cells are published whole, and the old ones are never
//     written again: they show the shard as it was at that moment, and the
//     first delete since then changes version.
//   - a group that grows moves like a cell: version changes before the old
//     block is freed.
//
// So a reader that finds version unchanged at its end has not read a cell, a
// name or a group that was given to another key under its eyes. It tries again
// only when a writer has made a step, never because one is in the middle of
// something: that is lock-free, and a single reader loses only to deletes
// in its own shard, each of which takes the writer longer than the reader's
// attempt.

// shard is one independent part of the table, one cache line.
type shard struct {
	mu      sync.Mutex            // held by writers
	version atomic.Uint64         // see above
	cells   atomic.Pointer[cells] // replaced whole when the shard grows or shrinks
	count   int                   // cells in use, under mu
	_       [32]byte
}

// cell is one key: two words, empty when word is 0.
type cell struct {
	word  atomic.Uint64 // tag 32 | name 32
	value atomic.Uint64 // a Handle, or a groupRef
}

// cells is a hash table with linear probing. Its length need not be a power of
// two: a tag's home is tag*len>>32, so that homes keep the order of tags, and
// growth by a third moves cells in one sweep.
type cells []cell

const (
	shardBytes  = 64
	cellBytes   = 16
	headerBytes = 24 // the slice header that shard.cells points to

	minCells = 4
	tomb     = 1 << 32 // a word with no name, yet not the end of a chain
)

var noCells cells // what every empty shard points to

func (c cells) bytes() int {
	if len(c) == 0 {
		return 0
	}
	return len(c)*cellBytes + headerBytes
}

func joinWord(tag uint32, n Name) uint64 { return uint64(tag)<<32 | uint64(n) }
func wordTag(word uint64) uint32         { return uint32(word >> 32) }
func wordName(word uint64) Name          { return Name(word) }

// home is where the chain of a tag starts.
func (c cells) home(tag uint32) int {
	return int(uint64(tag) * uint64(len(c)) >> 32)
}

func (c cells) after(i int) int {
	if i++; i < len(c) {
		return i
	}
	return 0
}

// find returns the value under key, 0 if there is none.
func (c *cells) find(a *arena, tag uint32, key []byte) uint64 {
	if i := c.index(a, tag, key); i >= 0 {
		return (*c)[i].value.Load()
	}
	return 0
}

// index returns the cell of key, or -1. There is always an empty cell to stop
// at for the writer; the bound is for a reader beside one.
func (c *cells) index(a *arena, tag uint32, key []byte) int {
	cs := *c
	if len(cs) == 0 {
		return -1
	}
	i := cs.home(tag)
	for range cs {
		word := cs[i].word.Load()
		if word == 0 {
			return -1
		}
		if wordTag(word) == tag && a.equal(wordName(word), key) {
			return i
		}
		i = cs.after(i)
	}
	return -1
}

// indexName is index for somebody who knows the name. The caller holds the lock.
func (c cells) indexName(tag uint32, n Name) int {
	if len(c) == 0 {
		return -1
	}
	want := joinWord(tag, n)
	for i := c.home(tag); ; i = c.after(i) {
		switch c[i].word.Load() {
		case want:
			return i
		case 0:
			return -1
		}
	}
}

// insert puts a key that is not there. The caller holds the lock and has made
// room.
func (c cells) insert(word, value uint64) {
	i := c.home(wordTag(word))
	for c[i].word.Load() != 0 {
		i = c.after(i)
	}
	c[i].value.Store(value)
	c[i].word.Store(word)
}

// remove takes cell hole out and moves the rest of its chain up. The caller
// holds the lock.
func (s *shard) remove(hole int) {
	c := *s.cells.Load()
	c[hole].word.Store(tomb)
	s.version.Add(1)
	for i := c.after(hole); ; i = c.after(i) {
		word := c[i].word.Load()
		if word == 0 {
			break
		}
		if !c.mayMove(word, i, hole) {
			continue
		}
		c[hole].value.Store(c[i].value.Load())
		c[hole].word.Store(word)
		s.version.Add(1)
		hole = i
	}
	c[hole].word.Store(0)
	s.count--
}

// mayMove reports whether the cell at i, with the given word, would still be
// found in the hole: the hole is not before its home on the way round.
func (c cells) mayMove(word uint64, i, hole int) bool {
	home := c.home(wordTag(word))
	return c.distance(home, hole) <= c.distance(home, i)
}

func (c cells) distance(from, to int) int {
	if to < from {
		to += len(c)
	}
	return to - from
}

// makeRoom grows the shard by a third when it is three quarters full, so that
// a key costs 21 to 29 bytes of cells at any size. The caller holds the lock.
func (s *shard) makeRoom() {
	size := len(*s.cells.Load())
	if (s.count+1)*4 > size*3 {
		s.resize(max(minCells, size+size/3))
	}
}

// shrink gives memory back after a crowd has left: below a quarter, to a half.
// The caller holds the lock.
func (s *shard) shrink() {
	size := len(*s.cells.Load())
	if size > 4*minCells && s.count*4 < size {
		s.resize(max(minCells, s.count*2))
	}
}

// resize moves every cell to a table of the given size, a multiple of 4 because
// allocations are rounded up anyway.
func (s *shard) resize(size int) {
	old := *s.cells.Load()
	next := make(cells, (size+3)&^3)
	for i := range old {
		if word := old[i].word.Load(); word != 0 {
			next.insert(word, old[i].value.Load())
		}
	}
	s.cells.Store(&next)
}

package registry

import (
	"cmp"
	"math"
	"slices"
)

// Cursor is where a listing goes on. The zero Cursor is the start, and the end.
//
// It holds a shard and a tag: keys are listed by shard, then by tag, an order
// that growth does not disturb. So a key that stays is listed exactly once,
// whatever comes and goes between two calls.
type Cursor uint64

const (
	tagBits = 33 // one more than a tag has, for the tag after the last

	// maxBatch bounds the keys read under one hold of a shard's lock, so that a
	// listing delays a Bind by some 20 µs at most.
	maxBatch = 256
)

func newCursor(shard int, tag uint64) Cursor { return Cursor(shard)<<tagBits | Cursor(tag) }
func (c Cursor) shard() int                  { return int(c >> tagBits) }
func (c Cursor) tag() uint64                 { return uint64(c) & (1<<tagBits - 1) }

// row is one key of a listing.
type row struct {
	tag    uint32
	cell   int    // its place, under the lock
	name   []byte // a copy
	target Target
}

// Range calls fn for up to limit keys from cursor on, and returns where to go
// on, 0 after the last key. It passes limit only by keys whose tags are equal,
// a rare accident. fn runs outside every lock and may call the table. A limit of
// zero or less visits nothing.
func (t *Table) Range(cursor Cursor, limit int, fn func(key []byte, target Target)) Cursor {
	var rows []row
	for limit > 0 && cursor.shard() < len(t.shards) {
		rows, cursor = t.batch(rows[:0], cursor, min(limit, maxBatch))
		for i := range rows {
			fn(rows[i].name, rows[i].target)
		}
		limit -= len(rows)
	}
	if cursor.shard() >= len(t.shards) {
		return 0
	}
	return cursor
}

// batch reads one shard from cursor on: at most limit keys, and those with the
// tag of the last one.
func (t *Table) batch(rows []row, cursor Cursor, limit int) ([]row, Cursor) {
	s := &t.shards[cursor.shard()]
	s.mu.Lock()
	defer s.mu.Unlock()

	c := *s.cells.Load()
	rows = c.appendRows(rows, cursor.tag(), limit)
	next := newCursor(cursor.shard()+1, 0)
	if len(rows) > limit {
		slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.tag, b.tag) })
		last := rows[limit-1].tag
		for limit < len(rows) && rows[limit].tag == last {
			limit++
		}
		rows = rows[:limit]
		next = newCursor(cursor.shard(), uint64(last)+1)
	}
	for i := range rows {
		cell := &c[rows[i].cell]
		rows[i].name = t.arena.appendName(nil, wordName(cell.word.Load()))
		rows[i].target = t.target(cell.value.Load())
	}
	return rows, next
}

// appendRows collects whole chains of keys with at least the given tag, until
// more than limit are there: the limit lowest tags are then among them.
func (c cells) appendRows(rows []row, tag uint64, limit int) []row {
	if len(c) == 0 || tag > math.MaxUint32 {
		return rows
	}
	add := func(word uint64, i int) {
		if uint64(wordTag(word)) >= tag {
			rows = append(rows, row{tag: wordTag(word), cell: i})
		}
	}
	for i := c.home(uint32(tag)); i < len(c); i++ {
		word := c[i].word.Load()
		switch {
		case word == 0 && len(rows) > limit:
			return rows
		case word != 0 && c.home(wordTag(word)) <= i:
			add(word, i)
		}
	}
	// The last chain may go on at the start of the cells, before the first one.
	for i := 0; c[i].word.Load() != 0; i++ {
		if word := c[i].word.Load(); c.home(wordTag(word)) > i {
			add(word, i)
		}
	}
	return rows
}

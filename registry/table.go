package registry

import (
	"errors"
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// Limits that are not configurable.
const (
	// MaxKey is the longest key in bytes. It stops a client from spending our
	// memory on names.
	MaxKey = 256

	defaultShards    = 1 << 10
	maxShards        = 1 << 16
	defaultMaxKeys   = MaxSlot
	defaultMaxMemory = 4 << 30
)

// Errors of Bind; nothing has changed when one is returned.
var (
	ErrKey    = errors.New("registry: key must have 1 to 256 bytes")
	ErrHandle = errors.New("registry: handle is dead, of no loop of ours, or bound to this key already")
	ErrFull   = errors.New("registry: table is full")
)

// Config sizes a Table. Zero or less takes the default of a field.
type Config struct {
	// Loops is the number of loops that bind, default 1, at most MaxLoops.
	Loops int
	// Shards is the number of independent parts, each with a writer's lock,
	// rounded up to a power of two, default 1,024. A thousand keys per shard
	// keep each step of growth, which other writers there wait for, near 20 µs.
	Shards int
	// MaxKeys bounds the distinct keys, default 67,108,863. It stops clients
	// that name their own keys from growing the table without end.
	MaxKeys int
	// MaxMemory bounds the bytes of names and groups, default 4 GiB. It stops
	// what MaxKeys does not: long names, and names of one length after another
	// that leave pages partly used.
	MaxMemory int
	// Changed, if set, hears of each key that has got its first holder, before
	// there can be a second one, and of each that has lost its last, some time
	// after. Calls for one key may so come in either order: ask Lookup what holds
	// now. It is called by the loop that did it, which may hold a shard's lock: it
	// must not block, keep key or call anything but lookups.
	Changed func(key []byte)
}

// Table maps keys to holders on this node. Any goroutine may call any method.
type Table struct {
	// immutable
	seed     maphash.Seed
	hashMask uint64 // all ones; tests clear bits to make hashes collide
	shards   []shard
	loops    int
	maxKeys  int64
	changed  func(key []byte)

	arena arena

	_    [64]byte // keys is written by every Bind of a new key: its own line
	keys atomic.Int64
	_    [56]byte
}

// Name is a bound key's name in the table's arena. It is valid while somebody
// holds the key, and never 0 then.
type Name uint32

// Target is what a lookup found.
type Target struct {
	// Home is the loop of the key's first holder. It stays the same as long as
	// the key has any holder.
	Home int
	// Count is the number of holders, at least 1.
	Count int
	// One is the holder of a key that never had two at once, otherwise 0: then
	// ask Loops, and each loop's own list.
	One Handle
}

// New makes an empty table.
func New(cfg Config) *Table {
	positive := func(n, otherwise int) int {
		if n <= 0 {
			return otherwise
		}
		return n
	}
	shards := min(positive(cfg.Shards, defaultShards), maxShards)
	t := &Table{
		seed:     maphash.MakeSeed(),
		hashMask: ^uint64(0),
		shards:   make([]shard, 1<<bits.Len(uint(shards-1))),
		loops:    min(positive(cfg.Loops, 1), MaxLoops),
		maxKeys:  int64(positive(cfg.MaxKeys, defaultMaxKeys)),
		changed:  cfg.Changed,
	}
	t.arena.init(positive(cfg.MaxMemory, defaultMaxMemory))
	for i := range t.shards {
		t.shards[i].cells.Store(&noCells)
	}
	return t
}

// hash is seeded per table, so that nobody outside can choose keys that collide.
func (t *Table) hash(key []byte) uint64 { return maphash.Bytes(t.seed, key) & t.hashMask }

// place splits a hash: low bits pick the shard, the high half is the tag.
func (t *Table) place(hash uint64) (s *shard, tag uint32) {
	return &t.shards[hash&uint64(len(t.shards)-1)], uint32(hash >> 32)
}

// Lookup tells who holds key. It never blocks, locks or allocates.
func (t *Table) Lookup(key []byte) (Target, bool) {
	if !validKey(key) {
		return Target{}, false
	}
	s, tag := t.place(t.hash(key))
	for {
		version := s.version.Load()
		target := t.target(s.cells.Load().find(&t.arena, tag, key))
		if s.version.Load() == version {
			return target, target.Count > 0
		}
	}
}

// Head is the newest member of key on loop, or 0. It never blocks, locks or
// allocates.
func (t *Table) Head(key []byte, loop int) Handle {
	if !validKey(key) {
		return 0
	}
	s, tag := t.place(t.hash(key))
	for {
		version := s.version.Load()
		head := t.head(s.cells.Load().find(&t.arena, tag, key), loop)
		if s.version.Load() == version {
			return head
		}
	}
}

// Loops appends to dst the loops that have members of key, each once, lowest
// first. A loop that has members throughout the call is always among them. It
// never blocks or locks, and allocates only if dst is too small.
func (t *Table) Loops(key []byte, dst []int) []int {
	if !validKey(key) {
		return dst
	}
	s, tag := t.place(t.hash(key))
	for {
		version := s.version.Load()
		loops := t.appendLoops(dst, s.cells.Load().find(&t.arena, tag, key))
		if s.version.Load() == version {
			return loops
		}
	}
}

// AppendName appends the bytes of a bound key's name to dst.
func (t *Table) AppendName(dst []byte, n Name) []byte { return t.arena.appendName(dst, n) }

// Len is the number of keys that have a holder.
func (t *Table) Len() int { return int(t.keys.Load()) }

// Stats counts keys and the bytes that they cost.
type Stats struct {
	Keys   int
	Groups int // keys that have, or had, more than one holder at once

	TableBytes int // shards and cells, used or not
	NameBytes  int // names in use
	GroupBytes int // groups in use
	ArenaBytes int // pages that names and groups live in, used or not
}

// Stats adds up the shards one after another, without stopping anybody.
func (t *Table) Stats() Stats {
	st := t.arena.stats()
	st.Keys = t.Len()
	st.TableBytes = len(t.shards) * shardBytes
	for i := range t.shards {
		st.TableBytes += t.shards[i].cells.Load().bytes()
	}
	return st
}

func validKey(key []byte) bool { return len(key)-1 < MaxKey && len(key) > 0 }

package mem

import (
	"fmt"
	"math/bits"
	"reflect"
	"unsafe"
)

// A chunk is what a slab grows by: records, then their generations. Its length is fixed so that finding a record takes
// a shift and a mask; its pages are touched from the lowest slot up.
const (
	chunkShift = 10
	chunkLen   = 1 << chunkShift // slots
	chunkMask  = chunkLen - 1
	chunkWords = chunkLen / 64 // of the live bitmap
	pageSize   = 4096
	genCount   = 1<<30 - 1 // generations are 1 to genCount: a handle has 30 bits for them
)

// Slab is a set of records addressed by slot, in memory that the garbage collector never walks: T holds no pointers.
// It grows in chunks up to a bound and never gives memory back; slots freed last are used again first, chunk by chunk,
// so that touched pages are used again before new ones. It belongs to one goroutine.
type Slab[T any] struct {
	dir    []unsafe.Pointer // chunks, nil where not mapped yet: fixed length, so that At is two loads
	live   []uint64         // a bit per mapped slot; slot 0 and slots above max are never free, and so set
	open   []uint32         // chunks that may have free slots, the last one is served first
	opened []bool           // by chunk: is it in open
	max    uint32
	count  int
}

// NewSlab makes an empty slab for at most max records, slots 1 to max. It panics if T holds pointers.
func NewSlab[T any](max uint32) *Slab[T] {
	if t := reflect.TypeFor[T](); t.Size() == 0 || hasPointers(t) {
		panic(fmt.Sprintf("mem: records of a slab must have a size and hold no Go pointers, unlike %v", t))
	}
	if max >= 1<<31 {
		panic(fmt.Sprintf("mem: a slab of %d records: slots have 31 bits", max))
	}
	return &Slab[T]{max: max, dir: make([]unsafe.Pointer, max>>chunkShift+1)}
}

func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() > 0 && hasPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	default:
		return t.Kind() == reflect.Invalid || t.Kind() > reflect.Complex128
	}
}

// Alloc takes a free slot, never 0, whose record is zeroed. It reports false when max records are live or the system
// has no more memory.
func (s *Slab[T]) Alloc() (slot uint32, ok bool) {
	for {
		if len(s.open) == 0 && !s.grow() {
			return 0, false
		}
		c := s.open[len(s.open)-1]
		words := s.live[c*chunkWords : (c+1)*chunkWords]
		for i, w := range words {
			if w == ^uint64(0) {
				continue
			}
			bit := bits.TrailingZeros64(^w)
			words[i] |= 1 << bit
			s.count++
			slot = c<<chunkShift + uint32(i<<6+bit)
			clear(unsafe.Slice(s.at(slot), 1)) // whatever a late writer left there
			return slot, true
		}
		s.open = s.open[:len(s.open)-1]
		s.opened[c] = false
	}
}

// grow maps the next chunk.
func (s *Slab[T]) grow() bool {
	c := len(s.opened)
	if c == len(s.dir) {
		return false
	}
	p, err := newChunk(s.chunkBytes())
	if err != nil {
		return false
	}
	s.dir[c] = p
	s.opened = append(s.opened, true)
	s.open = append(s.open, uint32(c))
	s.live = append(s.live, make([]uint64, chunkWords)...)
	if c == 0 {
		s.live[0] = 1
	}
	if c == len(s.dir)-1 {
		for slot := s.max + 1; slot>>chunkShift == uint32(c); slot++ {
			s.live[slot>>6] |= 1 << (slot & 63)
		}
	}
	return true
}

// Free gives a slot back and zeroes its record. Its generation stays as it is. Freeing a slot that is not live does
// nothing, and panics in debug builds.
func (s *Slab[T]) Free(slot uint32) {
	if !s.Used(slot) {
		if debug {
			panic(fmt.Sprintf("mem: free of slot %d, which is not live", slot))
		}
		return
	}
	r := s.at(slot)
	if debug {
		poison(unsafe.Slice((*byte)(unsafe.Pointer(r)), unsafe.Sizeof(*r)))
	} else {
		clear(unsafe.Slice(r, 1))
	}
	s.live[slot>>6] &^= 1 << (slot & 63)
	s.count--
	if c := slot >> chunkShift; !s.opened[c] {
		s.opened[c] = true
		s.open = append(s.open, c)
	}
}

// At is the record of a live slot. A freed one reads as zero until it is used again; debug builds panic.
func (s *Slab[T]) At(slot uint32) *T {
	if debug {
		s.mustUse(slot)
	}
	return s.at(slot)
}

func (s *Slab[T]) at(slot uint32) *T {
	var r T
	return (*T)(unsafe.Add(s.dir[slot>>chunkShift], uintptr(slot&chunkMask)*unsafe.Sizeof(r)))
}

func (s *Slab[T]) mustUse(slot uint32) {
	if !s.Used(slot) {
		panic(fmt.Sprintf("mem: use of slot %d, which is not live", slot))
	}
}

// Used reports whether the slot is live. Any number may be asked about.
func (s *Slab[T]) Used(slot uint32) bool {
	return slot-1 < s.max && int(slot>>6) < len(s.live) && s.live[slot>>6]>>(slot&63)&1 != 0
}

// Gen is the generation of a slot: it tells apart what the slot held one after the other. It is never 0, survives
// Free and Alloc, and is 0 only for a number that never was a slot.
func (s *Slab[T]) Gen(slot uint32) uint32 {
	if slot-1 >= s.max || int(slot>>6) >= len(s.live) {
		return 0
	}
	return *s.gen(slot) + 1
}

// Bump moves a slot to its next generation. After 2^30-1 of them the first comes again.
func (s *Slab[T]) Bump(slot uint32) {
	g := s.gen(slot)
	*g = (*g + 1) % genCount
}

// gen is stored less one, so that the generations of untouched slots need no page of memory.
func (s *Slab[T]) gen(slot uint32) *uint32 {
	var r T
	return (*uint32)(unsafe.Add(s.dir[slot>>chunkShift], chunkLen*unsafe.Sizeof(r)+uintptr(slot&chunkMask)*4))
}

// Next is the live slot after this one, 0 at the end; Next(0) is the first. It skips 64 free slots a step.
func (s *Slab[T]) Next(slot uint32) uint32 {
	if slot >= s.max {
		return 0
	}
	slot++
	i := int(slot >> 6)
	if i >= len(s.live) {
		return 0
	}
	w := s.live[i] >> (slot & 63) << (slot & 63)
	for w == 0 {
		i++
		if i == len(s.live) {
			return 0
		}
		w = s.live[i]
	}
	if slot = uint32(i<<6 + bits.TrailingZeros64(w)); slot > s.max {
		return 0
	}
	return slot
}

// Each visits live records after a slot, in order, until visit returns false. It returns the last slot visited, to go
// on from there, or 0 when it came to the end. visit may free and allocate.
func (s *Slab[T]) Each(after uint32, visit func(slot uint32, r *T) bool) uint32 {
	for slot := s.Next(after); slot != 0; slot = s.Next(slot) {
		if !visit(slot, s.at(slot)) {
			return slot
		}
	}
	return 0
}

// Live is how many records are live.
func (s *Slab[T]) Live() int { return s.count }

// Cap bounds slots: each one is below it. It is one more than the records that fit, as slot 0 is nobody's.
func (s *Slab[T]) Cap() int { return int(s.max) + 1 }

// Bytes is the memory mapped so far. Less is resident as long as slots of the last chunk were never used.
func (s *Slab[T]) Bytes() int { return len(s.opened) * int(s.chunkBytes()) }

func (s *Slab[T]) chunkBytes() uintptr {
	var r T
	return (chunkLen*(unsafe.Sizeof(r)+4) + pageSize - 1) &^ (pageSize - 1)
}

package registry

import "math/bits"

// A group is a block of arena words: one head word, then one Handle for each
// loop that has members, in no order, 0 where a place is free. It starts with
// two places and doubles when more loops come, so that a key with two holders
// costs 24 bytes however many loops there are. A handle never changes its place
// while its loop has members: a reader going through the places cannot miss it.
// Count and handles change one after the other, so for an instant Lookup may
// count a member that Head does not show, or the other way round.
//
// The head word, from the bottom: home 8 bits, places 16 bits, count 40 bits.
const (
	firstPlaces = 2

	placesShift = 8
	countShift  = 24
	placesMask  = 1<<(countShift-placesShift) - 1
)

// groupRef is a cell's value that refers to a group: its address where a handle
// has loop and slot, with a bit above so that it is never 0, and no generation.
type groupRef uint64

const groupMark = 1 << 32

func isGroup(value uint64) bool      { return value&GenMask == 0 && value != 0 }
func newGroupRef(at addr) groupRef   { return groupRef(uint64(at)|groupMark) << genBits }
func (g groupRef) at() addr          { return addr(g >> genBits) }
func groupHome(head uint64) int      { return int(head & (MaxLoops - 1)) }
func groupMembers(head uint64) int   { return int(head >> countShift) }
func groupPlaces(head uint64) uint32 { return uint32(head>>placesShift) & placesMask }

// target, head and appendLoops read a cell's value for a lookup. The group may
// be recycled meanwhile: the caller compares versions afterwards, and until
// then a wrong number of places must only not lead astray.

func (t *Table) target(value uint64) Target {
	switch {
	case value == 0:
		return Target{}
	case isGroup(value):
		head := t.arena.load(groupRef(value).at(), 0)
		return Target{Home: groupHome(head), Count: groupMembers(head)}
	}
	h := Handle(value)
	return Target{Home: h.Loop(), Count: 1, One: h}
}

func (t *Table) head(value uint64, loop int) Handle {
	if isGroup(value) {
		_, head := t.arena.groupFind(groupRef(value), loop)
		return head
	}
	if h := Handle(value); h != 0 && h.Loop() == loop {
		return h
	}
	return 0
}

// appendLoops collects the loops in a set first: while it reads, a loop may leave
// one place and come back in another, and is still one loop.
func (t *Table) appendLoops(dst []int, value uint64) []int {
	if value == 0 {
		return dst
	}
	if !isGroup(value) {
		return append(dst, Handle(value).Loop())
	}
	at := groupRef(value).at()
	var set [MaxLoops / 64]uint64
	for i := range min(groupPlaces(t.arena.load(at, 0)), MaxLoops) {
		if h := Handle(t.arena.load(at, i+1)); h != 0 && h.Loop() < t.loops {
			set[h.Loop()/64] |= 1 << (h.Loop() % 64)
		}
	}
	for i, word := range set {
		for ; word != 0; word &= word - 1 {
			dst = append(dst, i*64+bits.TrailingZeros64(word))
		}
	}
	return dst
}

// newGroup makes a group of a key's first two holders, 0 if memory is out.
func (a *arena) newGroup(first, second Handle) groupRef {
	at := a.alloc(1+firstPlaces, forGroup)
	if at == 0 {
		return 0
	}
	one, two := first, second
	if first.Loop() == second.Loop() {
		one, two = second, 0
	}
	a.store(at, 0, uint64(first.Loop())|firstPlaces<<placesShift|2<<countShift)
	a.store(at, 1, uint64(one))
	a.store(at, 2, uint64(two))
	return newGroupRef(at)
}

// growGroup copies g into a block with twice the places, 0 if memory is out.
func (a *arena) growGroup(g groupRef) groupRef {
	head := a.load(g.at(), 0)
	places := groupPlaces(head)
	at := a.alloc(1+2*places, forGroup)
	if at == 0 {
		return 0
	}
	a.store(at, 0, head+uint64(places)<<placesShift)
	for i := range places {
		a.store(at, 1+i, a.load(g.at(), 1+i))
		a.store(at, 1+places+i, 0)
	}
	return newGroupRef(at)
}

func (a *arena) freeGroup(g groupRef) {
	a.free(g.at(), 1+groupPlaces(a.load(g.at(), 0)), forGroup)
}

// groupFind returns the place and the newest member of a loop. If the loop has
// no members, head is 0 and place is a free one, 0 if there is none.
func (a *arena) groupFind(g groupRef, loop int) (place uint32, head Handle) {
	places := min(groupPlaces(a.load(g.at(), 0)), MaxLoops)
	for i := uint32(1); i <= places; i++ {
		h := Handle(a.load(g.at(), i))
		switch {
		case h == 0 && place == 0:
			place = i
		case h != 0 && h.Loop() == loop:
			return i, h
		}
	}
	return place, 0
}

func (a *arena) groupSet(g groupRef, place uint32, h Handle) { a.store(g.at(), place, uint64(h)) }

func (a *arena) groupAdd(g groupRef, n int) {
	a.store(g.at(), 0, a.load(g.at(), 0)+uint64(n)<<countShift)
}

func (a *arena) groupCount(g groupRef) int { return groupMembers(a.load(g.at(), 0)) }

// maxBlock is the words of the largest block: a group with every loop in it.
const maxBlock = 1 + MaxLoops

// A name of MaxKey bytes with its length byte fits such a block too.
const _ = uint(maxBlock - (1+MaxKey+7)/8)

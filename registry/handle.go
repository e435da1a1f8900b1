package registry

// A Handle is three fields, from the top:
//
//	loop        8 bits
//	slot       26 bits
//	generation 30 bits, never 0 in a live handle
//
// The table relies on the last line: a cell's value whose generation is 0 is
// not a handle but a reference to a group.
const (
	slotBits = 26
	genBits  = 30

	// MaxLoops is how many loops a handle can tell apart.
	MaxLoops = 1 << (64 - slotBits - genBits)
	// MaxSlot is the highest slot that a handle can carry.
	MaxSlot = 1<<slotBits - 1
	// GenMask covers the generation; a counter of generations wraps in it.
	GenMask = 1<<genBits - 1
)

// Handle names the record of a hold: its loop, its slot there, and the
// generation of that slot. The zero Handle names nothing.
type Handle uint64

// NewHandle packs loop, slot and gen; bits that do not fit are dropped.
func NewHandle(loop int, slot, gen uint32) Handle {
	return Handle(loop)<<(slotBits+genBits) | Handle(slot&MaxSlot)<<genBits | Handle(gen&GenMask)
}

// Loop is the number of the loop that owns the record.
func (h Handle) Loop() int { return int(h >> (slotBits + genBits)) }

// Slot is the index of the record on its loop.
func (h Handle) Slot() uint32 { return uint32(h>>genBits) & MaxSlot }

// Gen tells this use of the slot from earlier and later ones.
func (h Handle) Gen() uint32 { return uint32(h) & GenMask }

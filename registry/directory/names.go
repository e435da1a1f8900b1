package directory

// nameBytes keeps the bytes of keys that wait, packed into pages, so that a waiting key costs no allocation of its own.
// A page is used again once none of its keys waits.
type nameBytes struct {
	pages []namePage
	spare []uint32 // pages without a key
	fill  uint32   // the page that takes the next key
}

type namePage struct {
	bytes []byte
	keys  int // that still wait
}

// nameRef is where a key's bytes are.
type nameRef struct {
	page        uint32
	start, size uint16
}

const (
	namePageSize = 16 << 10
	maxSpare     = 64 // spare pages that keep their memory: 1 MiB
)

func (n *nameBytes) put(key []byte) nameRef {
	if len(n.pages) == 0 || len(n.pages[n.fill].bytes)+len(key) > namePageSize {
		n.turn()
	}
	p := &n.pages[n.fill]
	ref := nameRef{page: n.fill, start: uint16(len(p.bytes)), size: uint16(len(key))}
	p.bytes = append(p.bytes, key...)
	p.keys++
	return ref
}

// turn takes a fresh page to fill.
func (n *nameBytes) turn() {
	if last := len(n.spare) - 1; last >= 0 {
		n.fill, n.spare = n.spare[last], n.spare[:last]
	} else {
		n.fill = uint32(len(n.pages))
		n.pages = append(n.pages, namePage{})
	}
	if p := &n.pages[n.fill]; p.bytes == nil {
		p.bytes = make([]byte, 0, namePageSize)
	}
}

// get is good until the key is dropped.
func (n *nameBytes) get(ref nameRef) []byte {
	return n.pages[ref.page].bytes[ref.start:][:ref.size:ref.size]
}

func (n *nameBytes) drop(ref nameRef) {
	p := &n.pages[ref.page]
	if p.keys--; p.keys > 0 {
		return
	}
	p.bytes = p.bytes[:0]
	if ref.page == n.fill {
		return
	}
	if len(n.spare) >= maxSpare {
		p.bytes = nil
	}
	n.spare = append(n.spare, ref.page)
}

package registry

import (
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"
)

// arena hands out blocks of words, for names and for groups. A page serves
// blocks of one size until all of them are free again, then any size. Pages are
// never unmapped, so a reader that comes late reads stale words, never a hole;
// the version of its shard tells it.
type arena struct {
	pages atomic.Pointer[[]*page] // by number; page 0 does not exist

	mu       sync.Mutex
	uses     []pageUse
	partial  [maxBlock + 1]uint32 // by block size: pages with a free block
	empty    uint32               // pages with no block in use
	maxPages int
	blocks   [2]int // in use, by purpose
	words    [2]int // in use, by purpose
}

const (
	pageShift = 13
	pageWords = 1 << pageShift
	pageBytes = pageWords * 8
	maxPages  = 1<<(32-pageShift) - 1
)

// page is a pointer-free 64 KiB: the garbage collector does not look inside.
type page [pageWords]atomic.Uint64

// pageUse is the account of one page, under the arena's lock.
type pageUse struct {
	size       uint16 // words per block
	used       uint16 // blocks in use
	fresh      uint16 // words from here on were never handed out at this size
	free       uint16 // 1 + offset of the first freed block; each holds the next
	prev, next uint32 // pages in the same list, 0 at its ends
}

// addr is where a block starts: page number, then word. 0 is no block.
type addr uint32

// purpose is who a block serves, for the statistics.
type purpose int

const (
	forName purpose = iota
	forGroup
)

func (a *arena) init(maxBytes int) {
	a.maxPages = min(max(maxBytes/pageBytes, 1), maxPages)
	a.pages.Store(&[]*page{nil})
	a.uses = make([]pageUse, 1)
}

// page returns the page of a block, nil past the last page, where only a stale
// name can point.
func (a *arena) page(at addr) *page {
	if pages := *a.pages.Load(); uint(at>>pageShift) < uint(len(pages)) {
		return pages[at>>pageShift]
	}
	return nil
}

// load reads word i of a block, 0 if there is no such page.
func (a *arena) load(at addr, i uint32) uint64 {
	if p := a.page(at); p != nil {
		return p[(uint32(at)+i)%pageWords].Load()
	}
	return 0
}

func (a *arena) store(at addr, i uint32, word uint64) {
	a.page(at)[(uint32(at)+i)%pageWords].Store(word)
}

// A name is its length less one in a byte, then its bytes, in little-endian
// words, the last one filled up with zeros.

func nameWords(length int) uint32 { return uint32(1+length+7) / 8 }

// nameWord is word i of a key's name.
func nameWord(key []byte, i uint32) uint64 {
	if i == 0 {
		return uint64(len(key)-1) | tail(key[:min(7, len(key))])<<8
	}
	rest := key[8*i-1:]
	if len(rest) >= 8 {
		return binary.LittleEndian.Uint64(rest)
	}
	return tail(rest)
}

// tail is up to 7 bytes as a number, the first one lowest.
func tail(b []byte) (word uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		word = word<<8 | uint64(b[i])
	}
	return word
}

// storeName keeps a copy of key, 0 if memory is out.
func (a *arena) storeName(key []byte) Name {
	words := nameWords(len(key))
	at := a.alloc(words, forName)
	if at == 0 {
		return 0
	}
	for i := range words {
		a.store(at, i, nameWord(key, i))
	}
	return Name(at)
}

func (a *arena) freeName(n Name) {
	a.free(addr(n), nameWords(int(a.load(addr(n), 0)&0xff)+1), forName)
}

// equal reports whether n is key.
func (a *arena) equal(n Name, key []byte) bool {
	p := a.page(addr(n))
	if p == nil {
		return false
	}
	for i := range nameWords(len(key)) {
		// The rest of the page wraps: a block that is being reused may seem to
		// go on past its end.
		if p[(uint32(n)+i)%pageWords].Load() != nameWord(key, i) {
			return false
		}
	}
	return true
}

func (a *arena) appendName(dst []byte, n Name) []byte {
	if a.page(addr(n)) == nil {
		return dst
	}
	word := a.load(addr(n), 0)
	left := int(word&0xff) + 1
	var buf [8]byte
	binary.LittleEndian.PutUint64(buf[:], word)
	take := min(left, 7)
	dst = append(dst, buf[1:1+take]...)
	for i := uint32(1); left > take; i++ {
		left -= take
		take = min(left, 8)
		binary.LittleEndian.PutUint64(buf[:], a.load(addr(n), i))
		dst = append(dst, buf[:take]...)
	}
	return dst
}

// alloc hands out a block of size words, whose contents are anything, or 0 if
// the arena is at its limit.
func (a *arena) alloc(size uint32, why purpose) addr {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.partial[size]
	if p == 0 {
		if p = a.emptyPage(); p == 0 {
			return 0
		}
		a.uses[p] = pageUse{size: uint16(size)}
		a.push(&a.partial[size], p)
	}
	u := &a.uses[p]
	var off uint32
	if u.free != 0 {
		off = uint32(u.free - 1)
		u.free = uint16(a.load(addr(p<<pageShift), off))
	} else {
		off = uint32(u.fresh)
		u.fresh += u.size
	}
	u.used++
	if u.full() {
		a.unlink(&a.partial[size], p)
	}
	a.blocks[why]++
	a.words[why] += int(size)
	return addr(p<<pageShift | off)
}

func (u *pageUse) full() bool { return u.free == 0 && u.fresh+u.size > pageWords }

// free takes back a block. Its words may still be read by somebody late.
func (a *arena) free(at addr, size uint32, why purpose) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := uint32(at >> pageShift)
	u := &a.uses[p]
	if u.full() {
		a.push(&a.partial[size], p)
	}
	a.store(at, 0, uint64(u.free))
	u.free = uint16(at%pageWords) + 1
	u.used--
	if u.used == 0 {
		a.unlink(&a.partial[size], p)
		a.push(&a.empty, p)
	}
	a.blocks[why]--
	a.words[why] -= int(size)
}

// emptyPage takes a page that no block is in, an old one or a new one.
func (a *arena) emptyPage() uint32 {
	if p := a.empty; p != 0 {
		a.unlink(&a.empty, p)
		return p
	}
	old := *a.pages.Load()
	if len(old) > a.maxPages {
		return 0
	}
	// Readers of the old slice never look behind its end, so append may share.
	pages := append(old, new(page))
	a.pages.Store(&pages)
	a.uses = append(a.uses, pageUse{})
	return uint32(len(pages) - 1)
}

func (a *arena) push(list *uint32, p uint32) {
	a.uses[p].prev, a.uses[p].next = 0, *list
	if *list != 0 {
		a.uses[*list].prev = p
	}
	*list = p
}

func (a *arena) unlink(list *uint32, p uint32) {
	u := &a.uses[p]
	if u.prev != 0 {
		a.uses[u.prev].next = u.next
	} else {
		*list = u.next
	}
	if u.next != 0 {
		a.uses[u.next].prev = u.prev
	}
}

func (a *arena) stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Stats{
		Groups:     a.blocks[forGroup],
		NameBytes:  a.words[forName] * 8,
		GroupBytes: a.words[forGroup] * 8,
		ArenaBytes: (len(*a.pages.Load()) - 1) * pageBytes,
	}
}

// Offsets in a page must fit the 16 bits that pageUse keeps of them, and the
// step past the last block too.
const _ = uint(math.MaxUint16 - pageWords - maxBlock)

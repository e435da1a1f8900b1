package mem

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Size classes double from minClass to maxClass bytes. What is larger is never pooled: a rare big message must not pin
// its memory.
const (
	minClassBits = 8
	minClass     = 1 << minClassBits
	maxClass     = 1 << 20
	classCount   = 13
)

// class is one pool of equal buffers. The padding keeps loops that use different classes off each other's cache lines.
type class struct {
	pool sync.Pool
	out  atomic.Int64 // buffers handed out
	_    [64]byte
}

var (
	classes  [classCount]class
	largeOut atomic.Int64 // bytes handed out beyond maxClass
)

// Buffer is a pooled byte slice. Whoever got it releases it once; until then B may be appended to, cut and replaced.
type Buffer struct {
	B        []byte
	home     []byte // the pooled memory; B may have outgrown it
	class    int8   // index into classes, below 0 if never pooled
	released bool
}

// Get is an empty buffer with room for n bytes.
func Get(n int) *Buffer {
	c := classOf(n)
	if c < 0 {
		home := make([]byte, n)
		largeOut.Add(int64(n))
		return &Buffer{B: home[:0], home: home, class: -1}
	}
	classes[c].out.Add(1)
	if b, _ := classes[c].pool.Get().(*Buffer); b != nil {
		b.released = false
		return b
	}
	home := make([]byte, minClass<<c)
	return &Buffer{B: home[:0], home: home, class: int8(c)}
}

func classOf(n int) int {
	if n > maxClass {
		return -1
	}
	return bits.Len(uint(max(n, 1)-1) >> minClassBits)
}

// Grow makes room for n more bytes and keeps the content, which may move.
func (b *Buffer) Grow(n int) {
	if cap(b.B)-len(b.B) >= n {
		return
	}
	want := len(b.B) + n
	if want > maxClass {
		want = max(want, cap(b.B)+cap(b.B)/4) // as append does: many small steps must not copy a large one each time
	}
	next := Get(want)
	next.B = append(next.B, b.B...)
	*b, *next = *next, *b
	next.Release()
}

// Release gives the buffer back; neither it nor a slice of it may be used again. A second release does nothing, and
// panics in debug builds.
func (b *Buffer) Release() {
	if b.released {
		if debug {
			panic("mem: buffer released twice")
		}
		return
	}
	b.released = true
	if debug {
		poison(b.home)
	}
	b.B = b.home[:0]
	if b.class < 0 {
		largeOut.Add(-int64(len(b.home)))
		b.B, b.home = nil, nil
		return
	}
	classes[b.class].out.Add(-1)
	classes[b.class].pool.Put(b)
}

// BufferBytes is the memory of all buffers that are handed out, not counting what outgrew them by append.
func BufferBytes() int64 {
	sum := largeOut.Load()
	for i := range classes {
		sum += classes[i].out.Load() * int64(minClass<<i)
	}
	return sum
}

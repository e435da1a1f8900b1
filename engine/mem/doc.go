// Package mem is the memory that the garbage collector should not see or make twice: slabs of records outside the heap,
// pooled byte buffers in size classes, and Payload, the shared bytes of one push. It knows nothing of what it stores,
// starts no goroutine, and never hands out memory that still reads as its last owner's record. With engine/epoll it is
// the only user of unsafe.
//
// Read slab.go, then buffer.go, payload.go and frame.go. Builds with -race or the tag slabdebug trade speed for
// checks: slabs live on the heap where the race detector sees them, freed memory is filled with 0xDB, and the use
// of a freed slot or a released payload panics.
package mem

const poisonByte = 0xDB

func poison(b []byte) {
	for i := range b {
		b[i] = poisonByte
	}
}

//go:build !race && !slabdebug

package mem

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const debug = false

// newChunk is zeroed memory outside the heap. Pages that nobody touches cost nothing.
func newChunk(size uintptr) (unsafe.Pointer, error) {
	return unix.MmapPtr(-1, 0, nil, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

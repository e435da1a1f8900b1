//go:build race || slabdebug

package mem

import "unsafe"

const debug = true

// newChunk is zeroed heap memory that holds no pointers: the race detector sees it, the garbage collector skips it.
func newChunk(size uintptr) (unsafe.Pointer, error) {
	return unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8))), nil
}

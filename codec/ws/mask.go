package ws

import (
	"encoding/binary"
	"math/bits"
)

// Mask is a masking key, RFC 6455 §5.3, turned so that its lowest byte is for
// the next byte of payload.
type Mask uint32

// maskOf reads a key as it stands in a frame's head.
func maskOf(b []byte) Mask { return Mask(binary.LittleEndian.Uint32(b)) }

// Apply masks or unmasks b in place, which is the same, and returns the mask
// for what follows b.
func (m Mask) Apply(b []byte) Mask {
	word := uint64(m)<<32 | uint64(m)
	for len(b) >= 32 {
		w := b[:32]
		binary.LittleEndian.PutUint64(w, binary.LittleEndian.Uint64(w)^word)
		binary.LittleEndian.PutUint64(w[8:], binary.LittleEndian.Uint64(w[8:])^word)
		binary.LittleEndian.PutUint64(w[16:], binary.LittleEndian.Uint64(w[16:])^word)
		binary.LittleEndian.PutUint64(w[24:], binary.LittleEndian.Uint64(w[24:])^word)
		b = b[32:]
	}
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^word)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(m)
		m = Mask(bits.RotateLeft32(uint32(m), -8))
	}
	return m
}

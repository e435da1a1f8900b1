package swarm

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
)

// stamp says in the payload of a message which push it is. It is text, so that every wire form can carry it as it is.
type stamp struct {
	run       uint32
	load      uint8
	publisher uint16 // of the load, on its loop
	key       uint32 // of the load
	seq       uint32 // of this publisher to this key, from 1
	number    int64  // of the load, on its loop; 48 bits
	intended  int64  // monotonic ns, of this process
}

const (
	stampMark  = "hf:"
	stampBytes = 4 + 1 + 2 + 4 + 4 + 6 + 8
	// MinSize is the length of a message that is nothing but its stamp.
	MinSize = len(stampMark) + 2*stampBytes

	loadBits = 2 // of a key's name
)

// newRun makes a number that tells runs apart.
func newRun() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint32(b[:])
}

func (s *stamp) appendTo(b []byte) []byte {
	raw := make([]byte, 0, stampBytes+2)
	raw = binary.BigEndian.AppendUint32(raw, s.run)
	raw = append(raw, s.load)
	raw = binary.BigEndian.AppendUint16(raw, s.publisher)
	raw = binary.BigEndian.AppendUint32(raw, s.key)
	raw = binary.BigEndian.AppendUint32(raw, s.seq)
	raw = binary.BigEndian.AppendUint16(raw, uint16(s.number>>32))
	raw = binary.BigEndian.AppendUint32(raw, uint32(s.number))
	raw = binary.BigEndian.AppendUint64(raw, uint64(s.intended))
	return hex.AppendEncode(append(b, stampMark...), raw)
}

// stamped reads the stamp that a message begins with.
func stamped(b []byte) (s stamp, ok bool) {
	if len(b) < MinSize || string(b[:len(stampMark)]) != stampMark {
		return s, false
	}
	var raw [stampBytes]byte
	if _, err := hex.Decode(raw[:], b[len(stampMark):MinSize]); err != nil {
		return s, false
	}
	s.run = binary.BigEndian.Uint32(raw[0:])
	s.load = raw[4]
	s.publisher = binary.BigEndian.Uint16(raw[5:])
	s.key = binary.BigEndian.Uint32(raw[7:])
	s.seq = binary.BigEndian.Uint32(raw[11:])
	s.number = int64(binary.BigEndian.Uint16(raw[15:]))<<32 | int64(binary.BigEndian.Uint32(raw[17:]))
	s.intended = int64(binary.BigEndian.Uint64(raw[21:]))
	return s, true
}

// padding is what follows the stamp in a message of that size.
func padding(size int) []byte { return bytes.Repeat([]byte{'.'}, size-MinSize) }

// appendKey makes the name of a key: 16 characters that no other run uses.
func appendKey(b []byte, run uint32, load uint8, key uint32) []byte {
	var raw [8]byte
	binary.BigEndian.PutUint32(raw[0:], run<<8) // three bytes of it: the fourth makes room for the key
	binary.BigEndian.PutUint32(raw[3:], key<<loadBits|uint32(load))
	return hex.AppendEncode(append(b, "hf"...), raw[:7])
}

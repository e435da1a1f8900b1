package peer

import "encoding/binary"

// A body is a list of fields. A field is a varint, tag<<1 | kind, and a value: kind 0 is one varint, kind 1 a varint
// length and that many bytes. So a release can skip the tags it does not know.
const (
	number = 0
	text   = 1
)

// appendNumber writes a number; 0 is what its absence means.
func appendNumber(b []byte, tag, v uint64) []byte {
	if v == 0 {
		return b
	}
	b = binary.AppendUvarint(b, tag<<1|number)
	return binary.AppendUvarint(b, v)
}

// appendText writes bytes; none is what their absence means.
func appendText(b []byte, tag uint64, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	b = appendTextHead(b, tag, len(v))
	return append(b, v...)
}

// appendTextHead announces size bytes that the caller writes next.
func appendTextHead(b []byte, tag uint64, size int) []byte {
	b = binary.AppendUvarint(b, tag<<1|text)
	return binary.AppendUvarint(b, uint64(size))
}

// fields reads a body field by field. A value of the kind that the tag is not meant to have reads as empty or 0.
type fields struct {
	rest []byte

	tag uint64
	num uint64
	txt []byte
	bad bool
}

// next reads a field; false at the end, or when the rest makes no sense: bad says so then.
func (f *fields) next() bool {
	if len(f.rest) == 0 {
		return false
	}
	key, ok := f.varint()
	if !ok {
		return false
	}
	v, ok := f.varint()
	if !ok {
		return false
	}
	f.tag, f.num, f.txt = key>>1, 0, nil
	if key&1 == number {
		f.num = v
		return true
	}
	if v > uint64(len(f.rest)) {
		f.bad = true
		return false
	}
	f.txt, f.rest = f.rest[:v:v], f.rest[v:]
	return true
}

func (f *fields) varint() (uint64, bool) {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 {
		f.bad = true
		return 0, false
	}
	f.rest = f.rest[n:]
	return v, true
}

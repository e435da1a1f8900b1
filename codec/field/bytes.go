package field

import (
	"encoding/binary"
	"math/bits"
)

// Byte classes. One table of bits costs a single cache-resident lookup a byte.
const (
	token uint8 = 1 << iota // tchar, RFC 9110 §5.6.2
	value                   // field-vchar, SP or HTAB, RFC 9110 §5.5
)

var (
	class   [256]uint8
	lowered [256]byte // the byte itself, A–Z as a–z
)

func init() {
	for i := range 256 {
		c := byte(i)
		lowered[i] = c
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if c >= 'A' && c <= 'Z' {
			lowered[i] = c | 0x20
		}
		if letter || c >= '0' && c <= '9' {
			class[i] |= token
		}
		if c == '\t' || c >= ' ' && c != 0x7f {
			class[i] |= value
		}
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		class[c] |= token
	}
}

// IsTokenByte says whether c is a tchar of RFC 9110 §5.6.2.
func IsTokenByte(c byte) bool { return class[c]&token != 0 }

// IsValueByte says whether c may stand in a field value: visible ASCII,
// obs-text, space or tab, RFC 9110 §5.5.
func IsValueByte(c byte) bool { return class[c]&value != 0 }

// IsOWS says whether c is optional whitespace, a space or a tab.
func IsOWS(c byte) bool { return c == ' ' || c == '\t' }

// IsToken says whether b is a token: one tchar or more.
func IsToken(b []byte) bool { return len(b) > 0 && TokenRun(b) == len(b) }

// IsValue says whether b may be sent as a field value: only value bytes, and
// no space or tab at either end, where it would not survive the wire.
func IsValue(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	return !IsOWS(b[0]) && !IsOWS(b[len(b)-1]) && ValueRun(b) == len(b)
}

// TokenRun returns the length of the run of token bytes that b begins with.
func TokenRun(b []byte) int {
	for i, c := range b {
		if class[c]&token == 0 {
			return i
		}
	}
	return len(b)
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// ValueRun returns the length of the run of value bytes that b begins with.
// It looks at eight bytes at a time: values are most of a request.
func ValueRun(b []byte) int {
	i := 0
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		del := x ^ ones*0x7f
		// The lowest flag of each mask is exact: a borrow only runs upward.
		stop := ((x-ones*0x20)&^x | (del-ones)&^del) & highs
		if stop == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stop) / 8
		if b[i] != '\t' {
			return i
		}
		i++
	}
	for i < len(b) && class[b[i]]&value != 0 {
		i++
	}
	return i
}

// TrimOWS returns b without the spaces and tabs at its ends.
func TrimOWS(b []byte) []byte {
	for len(b) > 0 && IsOWS(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && IsOWS(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

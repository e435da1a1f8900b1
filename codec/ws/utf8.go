package ws

import "unicode/utf8"

// UTF8 checks text that comes in pieces cut anywhere, RFC 6455 §8.1. The zero
// value is at the beginning of a message.
type UTF8 struct {
	need   uint8 // bytes that the character begun still lacks
	lo, hi uint8 // bounds of the next of them
}

// Check reads the next piece of a message and says whether the message can
// still be valid; with last, whether it is. It fails with the first byte that
// no valid text has there, even inside a character. After last it is at the
// beginning of the next message.
func (u *UTF8) Check(piece []byte, last bool) bool {
	for u.need > 0 && len(piece) > 0 {
		if !u.step(piece[0]) {
			return false
		}
		piece = piece[1:]
	}
	whole := len(piece) - tailLen(piece)
	if !utf8.Valid(piece[:whole]) {
		return false
	}
	for _, c := range piece[whole:] {
		if !u.step(c) {
			return false
		}
	}
	return !last || u.need == 0
}

// tailLen is the length of a character at b's end that b cuts off.
func tailLen(b []byte) int {
	for n := 1; n <= min(3, len(b)); n++ {
		switch c := b[len(b)-n]; {
		case c < 0x80:
			return 0
		case c >= 0xf0 || c >= 0xe0 && n < 3 || c >= 0xc0 && n < 2:
			return n
		case c >= 0xc0:
			return 0
		}
	}
	return 0
}

// step reads one byte of a character that is not ASCII. The bounds of its
// second byte shut out overlong forms, surrogates and what lies beyond
// U+10FFFF, RFC 3629 §4.
func (u *UTF8) step(c byte) bool {
	if u.need > 0 {
		if c < u.lo || c > u.hi {
			return false
		}
		u.need--
		u.lo, u.hi = 0x80, 0xbf
		return true
	}
	u.lo, u.hi = 0x80, 0xbf
	switch {
	case c < 0xc2 || c > 0xf4:
		return false
	case c < 0xe0:
		u.need = 1
	case c < 0xf0:
		u.need = 2
	default:
		u.need = 3
	}
	switch c {
	case 0xe0:
		u.lo = 0xa0
	case 0xed:
		u.hi = 0x9f
	case 0xf0:
		u.lo = 0x90
	case 0xf4:
		u.hi = 0x8f
	}
	return true
}

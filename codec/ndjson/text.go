package ndjson

import "unicode/utf8"

const lowerHex = "0123456789abcdef"

// special marks the ASCII bytes that cannot stand in a JSON string as themselves, RFC 8259 §7, and the lead bytes of
// the code points in separator.
var special = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	t['"'], t['\\'], t[0xc2], t[0xe2] = true, true, true, true
	return t
}()

// separator says whether s begins with a code point outside ASCII at which some readers end a line (U+0085, U+2028,
// U+2029: Python's splitlines, older JavaScript), and how many bytes it has. JSON allows them raw; we do not write them.
func separator(s []byte) (cp uint16, size int) {
	switch {
	case len(s) > 1 && s[0] == 0xc2 && s[1] == 0x85:
		return 0x85, 2
	case len(s) > 2 && s[0] == 0xe2 && s[1] == 0x80 && s[2]&^1 == 0xa8:
		return 0x2000 | uint16(s[2]&0x3f), 3
	}
	return 0, 0
}

// AppendString appends text as a JSON string on one line. Text that is not valid UTF-8 is refused (ok is false and dst
// is returned as it was), because JSON has no way to carry it.
func AppendString(dst, text []byte) (out []byte, ok bool) {
	if !utf8.Valid(text) {
		return dst, false
	}
	return appendString(dst, text), true
}

// appendString is AppendString for text known to be valid UTF-8.
func appendString(dst, text []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(text); i++ {
		if !special[text[i]] {
			continue
		}
		cp, size := uint16(text[i]), 1
		if cp >= utf8.RuneSelf {
			if cp, size = separator(text[i:]); size == 0 {
				continue
			}
		}
		dst = append(dst, text[from:i]...)
		dst = appendEscape(dst, cp)
		i += size - 1
		from = i + 1
	}
	dst = append(dst, text[from:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, cp uint16) []byte {
	switch cp {
	case '"', '\\':
		return append(dst, '\\', byte(cp))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', lowerHex[cp>>12], lowerHex[cp>>8&15], lowerHex[cp>>4&15], lowerHex[cp&15])
}

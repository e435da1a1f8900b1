package ndjson

import "unicode/utf8"

// MaxDepth is how deep arrays and objects may nest in an embedded value: what is deeper is not taken for JSON, so that
// no reader behind us can be made to overflow its stack.
const MaxDepth = 512

// AppendCompact appends the JSON value src without the whitespace between its tokens, checking RFC 8259's grammar on
// the way. ok is false, and dst is returned as it was, when src is not exactly one value, nests deeper than MaxDepth or
// is not valid UTF-8. Tokens are copied as they are (numbers keep every digit), save that the code points in separator
// are escaped: what is appended is one line.
func AppendCompact(dst, src []byte) (out []byte, ok bool) {
	if !utf8.Valid(src) {
		return dst, false
	}
	return appendCompact(dst, src)
}

// expect is what the grammar allows next.
type expect uint8

const (
	aValue      expect = iota // behind '[' with a ',', behind ':', or at the start
	valueOrEnd                // behind '[': a value or ']'
	nameOrEnd                 // behind '{': a name or '}'
	aName                     // behind ',' in an object
	aColon                    // behind a name
	commaOrEnd                // behind a value in an array or object
	nothingMore               // behind the outermost value
)

// nest remembers for each open level whether it is an object.
type nest struct {
	object [MaxDepth / 64]uint64
	depth  int
}

func (s *nest) open(object bool) bool {
	if s.depth == MaxDepth {
		return false
	}
	word, bit := s.depth/64, uint64(1)<<(s.depth%64)
	s.object[word] &^= bit
	if object {
		s.object[word] |= bit
	}
	s.depth++
	return true
}

func (s *nest) inObject() bool {
	top := s.depth - 1
	return s.object[top/64]>>(top%64)&1 == 1
}

// afterValue is what may follow a complete value at this depth.
func (s *nest) afterValue() expect {
	if s.depth == 0 {
		return nothingMore
	}
	return commaOrEnd
}

// appendCompact is AppendCompact for src known to be valid UTF-8.
func appendCompact(dst, src []byte) (out []byte, ok bool) {
	var levels nest
	next := aValue
	out = dst
	for i := 0; i < len(src); {
		c := src[i]
		size := 1
		switch c {
		case ' ', '\t', '\n', '\r':
			i++
			continue
		case '{', '[':
			ok = (next == aValue || next == valueOrEnd) && levels.open(c == '{')
			next = valueOrEnd
			if c == '{' {
				next = nameOrEnd
			}
		case '}', ']':
			ok = (next == commaOrEnd || next == nameOrEnd || next == valueOrEnd) && levels.inObject() == (c == '}')
			levels.depth--
			next = levels.afterValue()
		case ',':
			ok = next == commaOrEnd
			next = aValue
			if ok && levels.inObject() {
				next = aName
			}
		case ':':
			ok = next == aColon
			next = aValue
		default:
			size, next = scalar(src[i:], next, &levels)
			ok = size > 0
		}
		if !ok {
			return dst, false
		}
		if c == '"' {
			out = appendToken(out, src[i:i+size])
		} else {
			out = append(out, src[i:i+size]...)
		}
		i += size
	}
	if next != nothingMore {
		return dst, false
	}
	return out, true
}

// scalar measures the string, number or literal that b begins with, where next allows one; size 0 means that it does not
// or that there is none.
func scalar(b []byte, next expect, levels *nest) (size int, then expect) {
	switch {
	case b[0] == '"' && (next == aName || next == nameOrEnd):
		return stringLen(b), aColon
	case next != aValue && next != valueOrEnd:
		return 0, next
	case b[0] == '"':
		size = stringLen(b)
	case b[0] == '-' || isDigit(b[0]):
		size = numberLen(b)
	default:
		size = literalLen(b)
	}
	return size, levels.afterValue()
}

// stringLen is the length of the string with its quotes, or 0 if it is malformed (RFC 8259 §7).
func stringLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case !special[c]:
		case c == '"':
			return i + 1
		case c < ' ':
			return 0
		case c == '\\':
			size := escapeLen(b[i:])
			if size == 0 {
				return 0
			}
			i += size - 1
		}
	}
	return 0
}

// escapeLen is the length of the escape that b, from its backslash, begins with, or 0.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) >= 6 && isHex(b[2]) && isHex(b[3]) && isHex(b[4]) && isHex(b[5]) {
			return 6
		}
	}
	return 0
}

// numberLen is the length of the number, or 0 if it is malformed (RFC 8259 §6).
func numberLen(b []byte) int {
	i := 0
	if b[0] == '-' {
		i++
	}
	whole := digits(b[i:])
	if whole == 0 || whole > 1 && b[i] == '0' {
		return 0
	}
	i += whole
	if i < len(b) && b[i] == '.' {
		fraction := digits(b[i+1:])
		if fraction == 0 {
			return 0
		}
		i += 1 + fraction
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		exponent := digits(b[i:])
		if exponent == 0 {
			return 0
		}
		i += exponent
	}
	return i
}

func literalLen(b []byte) int {
	for _, word := range [...]string{"true", "false", "null"} {
		if len(b) >= len(word) && string(b[:len(word)]) == word {
			return len(word)
		}
	}
	return 0
}

// appendToken copies a JSON string with its quotes, escaping raw separators.
func appendToken(dst, token []byte) []byte {
	from := 0
	for i, c := range token {
		if c < utf8.RuneSelf || !special[c] {
			continue
		}
		if cp, size := separator(token[i:]); size > 0 {
			dst = append(dst, token[from:i]...)
			dst = appendEscape(dst, cp)
			from = i + size
		}
	}
	return append(dst, token[from:]...)
}

func digits(b []byte) int {
	n := 0
	for n < len(b) && isDigit(b[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

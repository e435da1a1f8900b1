package h1

import (
	"math"

	"holdfast/codec/field"
)

// hexValue is the value of a hexadecimal digit, -1 for any other byte.
var hexValue [256]int8

func init() {
	for i := range hexValue {
		hexValue[i] = -1
	}
	for i, c := range []byte("0123456789abcdef") {
		hexValue[c] = int8(i)
		if c >= 'a' {
			hexValue[c-0x20] = int8(i)
		}
	}
}

// maxSizeDigits bounds a chunk size; zeros before it count.
const maxSizeDigits = 16

// chunkLine reads chunk-size [ chunk-ext ] CRLF, RFC 9112 §7.1. n is 0 when the
// line is not complete, though all of it is well formed so far.
func chunkLine(b []byte, lim *Limits) (size int64, n int, err error) {
	window := b[:min(len(b), max(lim.ChunkLine, 0))]
	i := 0
	for i < len(window) && hexValue[window[i]] >= 0 {
		if size > math.MaxInt64>>4 || i == maxSizeDigits {
			return 0, 0, errChunkHuge
		}
		size = size<<4 | int64(hexValue[window[i]])
		i++
	}
	if i < len(window) {
		if i == 0 {
			return 0, 0, byteError(window[i], errChunkSize)
		}
		if window[i] == ';' {
			if i, err = chunkExt(window, i); err != nil {
				return 0, 0, err
			}
		}
	}
	if i < len(window) {
		if window[i] != '\r' {
			return 0, 0, byteError(window[i], errChunkSize)
		}
		i++
	}
	if i < len(window) {
		if window[i] != '\n' {
			return 0, 0, errBareCR
		}
		return size, i + 1, nil
	}
	if len(window) >= lim.ChunkLine {
		return 0, 0, errChunkLine
	}
	return 0, 0, nil
}

// chunkExt walks *( ";" token [ "=" ( token / quoted-string ) ] ), RFC 9112
// §7.1.1, from the semicolon at i, and returns where it ends or the bytes run
// out. Bad whitespace around the delimiters is refused: it is where chunk
// parsers disagree, and nobody sends it.
func chunkExt(b []byte, i int) (int, error) {
	for b[i] == ';' { // past the end we have returned
		i++
		name := field.TokenRun(b[i:])
		if i += name; i == len(b) {
			return i, nil
		}
		if name == 0 {
			return i, byteError(b[i], errChunkExt)
		}
		if b[i] != '=' {
			continue
		}
		if i++; i == len(b) {
			return i, nil
		}
		if b[i] == '"' {
			end, err := quoted(b, i)
			if err != nil || end == len(b) {
				return end, err
			}
			i = end
			continue
		}
		value := field.TokenRun(b[i:])
		if i += value; i == len(b) {
			return i, nil
		}
		if value == 0 {
			return i, byteError(b[i], errChunkExt)
		}
	}
	if b[i] != '\r' {
		return i, byteError(b[i], errChunkExt)
	}
	return i, nil
}

// quoted walks a quoted-string, RFC 9110 §5.6.4, from its opening quote and
// returns the offset after the closing one, or len(b) if the bytes run out.
func quoted(b []byte, i int) (int, error) {
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, nil
		case !field.IsValueByte(c):
			return i, byteError(c, errChunkExt)
		case c == '\\':
			if i++; i < len(b) && !field.IsValueByte(b[i]) {
				return i, byteError(b[i], errChunkExt)
			}
		}
	}
	return len(b), nil
}

// trailerAllowed refuses the fields of RFC 9110 §6.5.1 that frame or route a
// message: merged by somebody downstream, they would change where it ends.
func trailerAllowed(name []byte) bool {
	if kindOf(name) != kindOther {
		return false
	}
	return !field.EqualFold(name, "te") && !field.EqualFold(name, "trailer")
}

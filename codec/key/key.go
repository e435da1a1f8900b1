// Package key is the one percent-codec for the names that pushes are addressed to, in paths and in header values alike.
// A key is 1 to MaxLen arbitrary bytes; on output everything that could end, split or inject into a path segment or a
// header value is encoded, so a key read from anywhere may be written anywhere. It keeps no state and allocates nothing.
//
// Reading order: key.go (the alphabet and both directions), list.go (several keys in one value).
package key

// MaxLen is the longest key in bytes, decoded: names are kept per connection, so their size is bounded.
const MaxLen = 256

// Error is a refused key: the HTTP status to answer and the reason to give.
type Error struct {
	Status int
	Reason string
}

func (e *Error) Error() string { return e.Reason }

// The refusals. Each is a single value, so that refusing allocates nothing.
var (
	ErrEmpty   = &Error{400, "key: empty key"}
	ErrTooLong = &Error{400, "key: longer than 256 bytes"}
	ErrPercent = &Error{400, "key: '%' is not followed by two hex digits"}
	ErrByte    = &Error{400, "key: control, space or comma must be percent-encoded"}
	ErrTooMany = &Error{400, "key: too many keys"}
)

// What a byte may do in an encoded key; see classes.
const (
	plain  = 1 << iota // written as itself
	raw                // read as itself
	hexLow             // bits above hold the value of a hex digit when this one is set
	hexShift
)

// classes has one entry a byte. Written as themselves are the unreserved characters of RFC 3986 §2.3, ':' and '@', and
// those sub-delims that no header grammar, shell or form decoder gives a meaning. Read as themselves are all bytes
// but '%', ',', space, controls and DEL: those would change where the key ends.
var classes = func() (t [256]uint8) {
	for c := range 256 {
		if c > ' ' && c != 0x7f && c != '%' && c != ',' {
			t[c] |= raw
		}
	}
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$*=:@") {
		t[c] |= plain
	}
	for i := range 10 {
		t['0'+i] |= hexLow | uint8(i)*hexShift
	}
	for i := range 6 {
		t['A'+i] |= hexLow | uint8(10+i)*hexShift
		t['a'+i] |= hexLow | uint8(10+i)*hexShift
	}
	return t
}()

// Decode appends to dst the key that enc, one path segment or one list item, stands for. Raw bytes that an encoder
// must not leave (controls, space, comma) are refused rather than guessed at: a comma would mean two keys elsewhere.
// After an error dst is returned as it was.
func Decode(dst, enc []byte) ([]byte, error) {
	if len(enc) == 0 {
		return dst, ErrEmpty
	}
	out := dst
	for i := 0; i < len(enc); i++ {
		if len(out)-len(dst) == MaxLen {
			return dst, ErrTooLong
		}
		c := enc[i]
		if classes[c]&raw == 0 {
			if c != '%' {
				return dst, ErrByte
			}
			if i+2 >= len(enc) || classes[enc[i+1]]&classes[enc[i+2]]&hexLow == 0 {
				return dst, ErrPercent
			}
			c = classes[enc[i+1]]/hexShift<<4 | classes[enc[i+2]]/hexShift
			i += 2
		}
		out = append(out, c)
	}
	return out, nil
}

const upperHex = "0123456789ABCDEF"

// AppendEncoded appends key so that it is safe as a path segment, as a header value and as an item of a list. The keys
// "." and ".." are encoded too, because a path normaliser would remove them (RFC 3986 §5.2.4); some normalise even
// the encoded form, so such keys travel reliably only in headers.
func AppendEncoded(dst, key []byte) []byte {
	if dots(key) {
		for range key {
			dst = append(dst, "%2E"...)
		}
		return dst
	}
	for _, c := range key {
		if classes[c]&plain != 0 {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

// EncodedLen is the number of bytes that AppendEncoded adds for key.
func EncodedLen(key []byte) int {
	n := len(key)
	if dots(key) {
		return 3 * n
	}
	for _, c := range key {
		if classes[c]&plain == 0 {
			n += 2
		}
	}
	return n
}

// Check says whether key, already decoded, has a legal length.
func Check(key []byte) error {
	switch {
	case len(key) == 0:
		return ErrEmpty
	case len(key) > MaxLen:
		return ErrTooLong
	}
	return nil
}

func dots(key []byte) bool {
	return len(key) == 1 && key[0] == '.' || len(key) == 2 && key[0] == '.' && key[1] == '.'
}

package multipart

import (
	"bytes"

	"holdfast/codec/field"
)

// MaxBoundary is the longest boundary in bytes, RFC 2046 §5.1.1.
const MaxBoundary = 70

// Boundary returns the boundary parameter of a multipart Content-Type value, as a view.
func Boundary(contentType []byte) ([]byte, error) {
	const prefix = "multipart/"
	main, _ := cutParam(contentType)
	if len(main) <= len(prefix) || !field.EqualFold(main[:len(prefix)], prefix) || !field.IsToken(main[len(prefix):]) {
		return nil, ErrNotMultipart
	}
	boundary, ok := param(contentType, "boundary")
	if !ok || !ValidBoundary(boundary) {
		return nil, ErrBoundary
	}
	return boundary, nil
}

// DispositionName returns the name parameter of a Content-Disposition value of type form-data, as a view: the name of
// the form's field, RFC 7578 §4.2. A name with a backslash is refused, because browsers mean the backslash and the
// RFCs mean what follows it. An empty name is a name.
func DispositionName(disposition []byte) (name []byte, ok bool) {
	main, _ := cutParam(disposition)
	if !field.EqualFold(main, "form-data") {
		return nil, false
	}
	return param(disposition, "name")
}

// ValidBoundary checks b against RFC 2046 §5.1.1: 1 to 70 bytes of its bchars, the last of them not a space.
func ValidBoundary(b []byte) bool {
	if len(b) == 0 || len(b) > MaxBoundary || b[len(b)-1] == ' ' {
		return false
	}
	for _, c := range b {
		if !isBoundaryByte(c) {
			return false
		}
	}
	return true
}

func isBoundaryByte(c byte) bool {
	letter := 'a' <= c|0x20 && c|0x20 <= 'z'
	return letter || '0' <= c && c <= '9' || bytes.IndexByte(boundaryMarks, c) >= 0
}

var boundaryMarks = []byte("'()+_,-./:=? ")

// param finds the one parameter with that name, in lower case; ok is false if there is none, if there are two, if it holds
// a backslash, or if any parameter is malformed (RFC 9110 §5.6.6). RFC 2231's other spellings of it (name*, name*0) are
// refused too: some readers prefer them, and would read another value than we do.
func param(value []byte, lower string) (found []byte, ok bool) {
	_, rest := cutParam(value)
	for rest != nil {
		var item []byte
		item, rest = cutParam(rest)
		if len(item) == 0 {
			continue
		}
		name := item[:field.TokenRun(item)]
		item = item[len(name):]
		if len(name) == 0 || len(item) == 0 || item[0] != '=' {
			return nil, false
		}
		text, valid := unquote(item[1:])
		base, _, spelled := bytes.Cut(name, star)
		mine := field.EqualFold(base, lower)
		if !valid || mine && (ok || spelled || bytes.IndexByte(text, '\\') >= 0) {
			return nil, false
		}
		if mine {
			found, ok = text, true
		}
	}
	return found, ok
}

var star = []byte{'*'}

// unquote returns the token, or the inside of the quoted string as it stands, that is all of b.
func unquote(b []byte) (text []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return b, field.IsToken(b)
	}
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '"':
			return b[1:i], i == len(b)-1
		case !field.IsValueByte(b[i]):
			return nil, false
		case b[i] == '\\':
			i++
			if i < len(b) && !field.IsValueByte(b[i]) {
				return nil, false
			}
		}
	}
	return nil, false
}

// cutParam splits at the first ';' outside a quoted string; rest is nil if there is none. item has no blanks around it.
func cutParam(b []byte) (item, rest []byte) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '"':
			quoted = !quoted
		case b[i] == '\\' && quoted:
			i++
		case b[i] == ';' && !quoted:
			return field.TrimOWS(b[:i]), b[i+1:]
		}
	}
	return field.TrimOWS(b), nil
}

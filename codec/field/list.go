package field

// List walks the elements of a comma-separated value, RFC 9110 §5.6.1. Empty
// elements are skipped and optional whitespace is trimmed; a comma inside a
// quoted string does not separate.
//
//	for l := field.List(v); ; {
//		item, ok := l.Next()
//		…
//	}
type List []byte

// Next returns the next element, or false when there is none left.
func (l *List) Next() (item []byte, ok bool) {
	for len(*l) > 0 {
		item = *l
		if i := indexUnquoted(item, ','); i >= 0 {
			item, *l = item[:i], item[i+1:]
		} else {
			*l = nil
		}
		if item = TrimOWS(item); len(item) > 0 {
			return item, true
		}
	}
	return nil, false
}

// HasToken says whether a comma-separated value lists the token, given in
// lower case.
func HasToken(list []byte, lower string) bool {
	l := List(list)
	for item, ok := l.Next(); ok; item, ok = l.Next() {
		if EqualFold(item, lower) {
			return true
		}
	}
	return false
}

// indexUnquoted finds the first sep that is not inside a quoted string,
// RFC 9110 §5.6.4. A quote that is never closed reaches to the end.
func indexUnquoted(b []byte, sep byte) int {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == sep && !quoted:
			return i
		}
	}
	return -1
}

package field

// Field is one name and value as they stood on the wire. Both are views: they
// live only as long as the buffer that they were parsed from, and nobody
// writes through them.
type Field struct{ Name, Value []byte }

// Get returns the value of the first field with that name, given in lower case.
func Get(fields []Field, lower string) (value []byte, ok bool) {
	for i := range fields {
		if EqualFold(fields[i].Name, lower) {
			return fields[i].Value, true
		}
	}
	return nil, false
}

// Count says how many field lines have that name, given in lower case.
func Count(fields []Field, lower string) int {
	n := 0
	for i := range fields {
		if EqualFold(fields[i].Name, lower) {
			n++
		}
	}
	return n
}

// EqualFold compares b with a string that is already in lower case, blind to
// the case of ASCII letters and to nothing else.
func EqualFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if lowered[c] != lower[i] {
			return false
		}
	}
	return true
}

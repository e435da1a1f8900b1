package h1

import "holdfast/codec/field"

// lineState is where in a field line the scanner stands.
type lineState uint8

const (
	lineBegin   lineState = iota // at the first byte of a line
	lineName                     // in a field name
	lineOWS                      // between the colon and the value
	lineValue                    // in a value, or in the OWS after it
	lineLF                       // the CR of a field line was seen
	lineEmptyLF                  // a CR stood where a line would begin
)

// lineEvent is what a scan came to.
type lineEvent uint8

const (
	lineMore  lineEvent = iota // the bytes ran out inside the line
	lineField                  // a whole field line was read
	lineEnd                    // the empty line that ends a section was read
)

// line is the resumable progress through the field lines of one section:
// offsets only, because the bytes may move between two calls.
//
//	lineBegin → lineName → lineOWS → lineValue → lineLF → lineBegin …
//	lineBegin → lineEmptyLF → end
type line struct {
	pos                                int // the next byte to look at
	nameAt, nameEnd, valueAt, valueEnd int // of the line last read
	state                              lineState
}

// scan goes on from where it stopped and reads to the end of the line or of b.
// Every byte is looked at once, and a bad one is reported as soon as it is seen.
func (l *line) scan(b []byte) (lineEvent, error) {
	i, state := l.pos, l.state
	if state == lineBegin && i < len(b) {
		// RFC 9112 §2.2 and §5.2: neither folding nor whitespace before the first
		// field is let through.
		if field.IsOWS(b[i]) {
			return lineMore, errFold
		}
		if l.nameAt, state = i, lineName; b[i] == '\r' {
			state = lineEmptyLF
			i++
		}
	}
	if state == lineName && i < len(b) {
		if i += field.TokenRun(b[i:]); i < len(b) {
			if b[i] != ':' || i == l.nameAt {
				return lineMore, nameError(b[i])
			}
			l.nameEnd, state = i, lineOWS
			i++
		}
	}
	if state == lineOWS {
		for i < len(b) && field.IsOWS(b[i]) {
			i++
		}
		if i < len(b) {
			l.valueAt, state = i, lineValue
		}
	}
	if state == lineValue && i < len(b) {
		if i += field.ValueRun(b[i:]); i < len(b) {
			if b[i] != '\r' {
				return lineMore, byteError(b[i], errValue)
			}
			l.valueEnd, state = i, lineLF
			i++
		}
	}
	if state >= lineLF && i < len(b) {
		return l.end(b, i, state)
	}
	l.pos, l.state = i, state
	return lineMore, nil
}

// end checks the LF that has to follow a CR, and closes the line.
func (l *line) end(b []byte, i int, state lineState) (lineEvent, error) {
	if b[i] != '\n' {
		return lineMore, errBareCR
	}
	l.pos, l.state = i+1, lineBegin
	if state == lineEmptyLF {
		return lineEnd, nil
	}
	for l.valueEnd > l.valueAt && field.IsOWS(b[l.valueEnd-1]) {
		l.valueEnd--
	}
	return lineField, nil
}

// nameError says what is wrong with a byte that ends a field name.
func nameError(c byte) error {
	switch {
	case c == ':':
		return errNameEmpty
	case field.IsOWS(c):
		return errNameSpace
	}
	return byteError(c, errName)
}

// byteError names the two line ends that are no line end, else it returns e.
func byteError(c byte, e *Error) error {
	switch c {
	case '\n':
		return errBareLF
	case '\r':
		return errBareCR
	}
	return e
}

// SplitField turns a field line that was already validated into its name and
// value; Body hands out trailer lines.
func SplitField(line []byte) field.Field {
	for i, c := range line {
		if c == ':' {
			return field.Field{Name: line[:i], Value: field.TrimOWS(line[i+1:])}
		}
	}
	return field.Field{Name: line}
}

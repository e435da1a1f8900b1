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
	i := l.pos
	for i < len(b) {
		switch l.state {
		case lineBegin:
			c := b[i]
			if c == '\r' {
				l.state = lineEmptyLF
				i++
				continue
			}
			// RFC 9112 §2.2 and §5.2: neither folding nor whitespace before the
			// first field is let through.
			if field.IsOWS(c) {
				return lineMore, errFold
			}
			l.nameAt, l.state = i, lineName
		case lineName:
			i += field.TokenRun(b[i:])
			if i == len(b) {
				break
			}
			if b[i] != ':' || i == l.nameAt {
				return lineMore, nameError(b[i])
			}
			l.nameEnd, l.state = i, lineOWS
			i++
		case lineOWS:
			for i < len(b) && field.IsOWS(b[i]) {
				i++
			}
			if i == len(b) {
				break
			}
			l.valueAt, l.state = i, lineValue
		case lineValue:
			i += field.ValueRun(b[i:])
			if i == len(b) {
				break
			}
			if b[i] != '\r' {
				return lineMore, byteError(b[i], errValue)
			}
			l.valueEnd, l.state = i, lineLF
			i++
		case lineLF, lineEmptyLF:
			if b[i] != '\n' {
				return lineMore, errBareCR
			}
			l.pos = i + 1
			if l.state == lineEmptyLF {
				return lineEnd, nil
			}
			l.state = lineBegin
			for l.valueEnd > l.valueAt && field.IsOWS(b[l.valueEnd-1]) {
				l.valueEnd--
			}
			return lineField, nil
		}
	}
	l.pos = i
	return lineMore, nil
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

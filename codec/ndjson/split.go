package ndjson

import "bytes"

// Error is refused input: the HTTP status to answer and the reason to give.
type Error struct {
	Status int
	Reason string
}

func (e *Error) Error() string { return e.Reason }

// ErrLineTooLong is final: where the next line would begin is not known before the long one has been read.
var ErrLineTooLong = &Error{413, "ndjson: line longer than the limit"}

// DefaultMaxLine is the limit of a Splitter that has none, in bytes.
const DefaultMaxLine = 1 << 20

// Splitter cuts a stream into its lines. It is a value without pointers: a line that has not ended is not consumed but
// stays with the caller, who needs room for MaxLine and its CRLF.
type Splitter struct {
	MaxLine int // bytes of a line without its end: stops a line that is never finished; 0: DefaultMaxLine
	scanned int // bytes at the start of the next b that hold no LF
}

// Next finds the first line in b that is not blank. b begins with the first byte not yet consumed; last says that
// nothing follows b, so that a line may do without an end. n bytes are consumed, also when there is no line (ok is
// false). The line, a view of b, has no LF or CRLF at its end; blank means nothing but spaces and tabs.
func (s *Splitter) Next(b []byte, last bool) (line []byte, n int, ok bool, err error) {
	limit := s.MaxLine
	if limit == 0 {
		limit = DefaultMaxLine
	}
	for n < len(b) {
		line = b[n:]
		end := bytes.IndexByte(line[s.scanned:], '\n')
		width := 1
		switch {
		case end >= 0:
			line = line[:s.scanned+end]
		case last:
			width = 0
		case len(line) > limit+1 || len(line) > limit && line[limit] != '\r':
			return nil, n, false, ErrLineTooLong
		default:
			s.scanned = len(line)
			return nil, n, false, nil
		}
		s.scanned = 0
		width += len(line)
		line = bytes.TrimSuffix(line, carriageReturn)
		if len(line) > limit {
			return nil, n, false, ErrLineTooLong
		}
		n += width
		if !blank(line) {
			return line, n, true, nil
		}
	}
	return nil, n, false, nil
}

var carriageReturn = []byte{'\r'}

func blank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return true
}

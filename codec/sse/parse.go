package sse

import "bytes"

// Error is an event stream that its reader refuses to follow any further.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

// The limits that a stream can break. A stream has no syntax errors: a line that says nothing known is ignored.
var (
	ErrLineTooLong  = &Error{"sse: line longer than the limit"}
	ErrEventTooLong = &Error{"sse: data of an event longer than the limit"}
)

// Defaults for a Parser whose limits are zero, in bytes.
const (
	DefaultMaxLine  = 1 << 20
	DefaultMaxEvent = 4 << 20
)

// Event is one dispatched event. Its parts are views into the parser, good until the next call of Next.
type Event struct {
	ID   []byte // the last id that the stream has set, in this event or before it
	Name []byte // empty means "message"
	Data []byte // the bytes as they came: a browser would replace invalid UTF-8
}

// state is where in a line the parser stands.
type state uint8

const (
	inName  state = iota // from the line's first byte to its ':' or its end
	inSpace              // just behind the ':', where one space is dropped
	inValue              // from there to the line's end
)

// field is what a line is about, settled at its ':' or, without one, at its end.
type field uint8

const (
	unknown field = iota // a comment, or a name that the standard ignores
	dataLine
	eventLine
	idLine
	retryLine
)

const (
	longestName = len("event")
	mark        = "\xef\xbb\xbf" // a byte order mark, dropped once at the stream's start
	maxRetry    = 1 << 40        // milliseconds; a longer time is taken as this
)

// Parser reads an event stream that is fed in pieces split anywhere. It consumes every byte, so its caller keeps none.
// The zero Parser is ready; its buffers grow to what the stream needs and are reused from then on.
type Parser struct {
	MaxLine  int // bytes of one line, its name included: stops an endless line; 0: DefaultMaxLine
	MaxEvent int // bytes of data in one event, breaks included: stops an endless event; 0: DefaultMaxEvent

	// What the standard calls its buffers. Each line of data ends with LF.
	data, event, id []byte
	retry           int64 // milliseconds, when hasRetry

	// The line being read.
	nextID    []byte // an id whose line has not ended yet
	nextRetry int64
	name      [longestName]byte
	nameLen   int // counts beyond longestName: such a name is unknown
	length    int // bytes of the line so far

	err        error
	marked     uint8 // how many bytes of the byte order mark were seen; len(mark): its place is over
	state      state
	field      field
	void       bool // the value makes its line void: a NUL in an id, not a digit in a retry
	hasRetry   bool
	skipLF     bool // a CR ended the last line; a LF right behind it belongs to that break
	dispatched bool // the buffers were handed out and are to be emptied
}

// Reset prepares for the bytes of a new connection. The last id and the retry time outlive a connection.
func (p *Parser) Reset() {
	*p = Parser{
		MaxLine: p.MaxLine, MaxEvent: p.MaxEvent, data: p.data[:0], event: p.event[:0], id: p.id, nextID: p.nextID[:0],
		retry: p.retry, hasRetry: p.hasRetry,
	}
}

// LastID is the id to send as Last-Event-ID when connecting again; a view good until the next call of Next.
func (p *Parser) LastID() []byte { return p.id }

// Retry is the reconnection time in milliseconds, if the stream has set one.
func (p *Parser) Retry() (ms int64, ok bool) { return p.retry, p.hasRetry }

// Next reads b up to the end of the next event and returns it with ok, and how much of b it consumed; without ok, all of
// b was consumed and no event has ended in it. An error is final. An event cut off by the stream's end is dropped, as
// the standard has it.
func (p *Parser) Next(b []byte) (ev Event, n int, ok bool, err error) {
	if p.dispatched {
		p.data, p.event, p.dispatched = p.data[:0], p.event[:0], false
	}
	for n < len(b) && p.err == nil {
		if int(p.marked) < len(mark) {
			n += p.skipMark(b[n])
			continue
		}
		if run := lineEnd(b[n:]); run > 0 {
			p.skipLF = false
			p.take(b[n : n+run])
			n += run
			continue
		}
		c := b[n]
		n++
		if c == '\n' && p.skipLF {
			p.skipLF = false
			continue
		}
		p.skipLF = c == '\r'
		if p.endLine() {
			p.dispatched = true
			return Event{ID: p.id, Name: p.event, Data: p.data[:len(p.data)-1]}, n, true, p.err
		}
	}
	return Event{}, n, false, p.err
}

// skipMark drops c if it continues a byte order mark; otherwise what looked like one was the first line's beginning.
func (p *Parser) skipMark(c byte) int {
	if c == mark[p.marked] {
		p.marked++
		return 1
	}
	began := mark[:p.marked]
	p.marked = uint8(len(mark))
	if began != "" {
		p.take([]byte(began))
	}
	return 0
}

// take reads part of a line; run is not empty and holds no line break.
func (p *Parser) take(run []byte) {
	p.length += len(run)
	if p.length > orDefault(p.MaxLine, DefaultMaxLine) {
		p.err = ErrLineTooLong
		return
	}
	if p.state == inName {
		colon := bytes.IndexByte(run, ':')
		if colon < 0 {
			p.addName(run)
			return
		}
		p.addName(run[:colon])
		p.settle()
		p.state = inSpace
		run = run[colon+1:]
	}
	if p.state == inSpace && len(run) > 0 {
		p.state = inValue
		if run[0] == ' ' {
			run = run[1:]
		}
	}
	p.addValue(run)
}

func (p *Parser) addName(run []byte) {
	if p.nameLen < longestName {
		copy(p.name[p.nameLen:], run)
	}
	p.nameLen += len(run)
}

// settle decides what the line is about once its name is complete.
func (p *Parser) settle() {
	switch string(p.name[:min(p.nameLen, longestName)]) {
	case "data":
		p.field = dataLine
	case "event":
		p.field = eventLine
		p.event = p.event[:0]
	case "id":
		p.field = idLine
		p.nextID = p.nextID[:0]
	case "retry":
		p.field = retryLine
		p.nextRetry = -1
	}
	if p.nameLen > longestName {
		p.field = unknown
	}
}

func (p *Parser) addValue(run []byte) {
	switch p.field {
	case dataLine:
		p.addData(run)
	case eventLine:
		p.event = append(p.event, run...)
	case idLine:
		p.nextID = append(p.nextID, run...)
		p.void = p.void || bytes.IndexByte(run, 0) >= 0
	case retryLine:
		for _, c := range run {
			if c < '0' || c > '9' {
				p.void = true
				return
			}
			p.nextRetry = min(max(p.nextRetry, 0)*10+int64(c-'0'), maxRetry)
		}
	case unknown: // "The field is ignored." (HTML, 9.2.6)
	}
}

func (p *Parser) addData(run []byte) {
	if len(p.data)+len(run) > orDefault(p.MaxEvent, DefaultMaxEvent) {
		p.err = ErrEventTooLong
		return
	}
	p.data = append(p.data, run...)
}

// lineBreak stands behind each line of data.
var lineBreak = []byte{'\n'}

// endLine applies a complete line and says whether an event is to be dispatched.
func (p *Parser) endLine() bool {
	if p.length == 0 {
		if len(p.data) == 0 {
			p.event = p.event[:0]
		}
		return len(p.data) > 0
	}
	if p.state == inName {
		p.settle()
	}
	switch p.field {
	case dataLine:
		p.addData(lineBreak)
	case idLine:
		if !p.void {
			p.id, p.nextID = p.nextID, p.id
		}
	case retryLine:
		if !p.void && p.nextRetry >= 0 {
			p.retry, p.hasRetry = p.nextRetry, true
		}
	case eventLine, unknown: // nothing waits for the end of these
	}
	p.state, p.field, p.void = inName, unknown, false
	p.nameLen, p.length = 0, 0
	return false
}

func orDefault(limit, def int) int {
	if limit == 0 {
		return def
	}
	return limit
}

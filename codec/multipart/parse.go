package multipart

import (
	"bytes"

	"holdfast/codec/field"
)

// Config bounds what one body may ask of its reader. Zero means the default, negative means none at all.
type Config struct {
	MaxParts    int // parts in a body; default 10,000: stops a request that never ends publishing
	MaxHead     int // bytes of one part's header, blank line included; default 8 KiB: the caller must hold so many
	MaxFields   int // header fields of one part; default 16
	MaxPreamble int // bytes before the first boundary; default 1 KiB: stops a body that is no multipart at all
	MaxEpilogue int // bytes behind the last boundary line; default 1 KiB
}

// maxPadding bounds the blanks behind a boundary. "Composers MUST NOT generate non-zero length transport padding, but
// receivers MUST be able to handle padding added by message transports" (RFC 2046 §5.1.1).
const maxPadding = 128

// Held is the most bytes, beside MaxHead, that Next may leave unconsumed in wait for more.
const Held = len("\r\n--") + MaxBoundary + maxPadding + len("\r\n")

// Kind says what Next has found.
type Kind uint8

// The events of a body: NeedMore at any place, then for each part one PartBegin, Data as often as there is some, and
// one PartEnd; at last one End.
const (
	NeedMore  Kind = iota // all of b that can be judged was consumed
	PartBegin             // Fields are set
	Data                  // Data is set and not empty
	PartEnd               // the whole boundary line behind the part was seen
	End                   // the last boundary was seen; what follows is skipped
)

// Event is one step through a body. Its slices are views of what Next was given, good until the next call.
type Event struct {
	Kind   Kind
	Fields []field.Field
	Data   []byte
}

// state is where in a body the parser stands.
type state uint8

const (
	inPreamble  state = iota // before the first boundary line; entered at the start of a line
	inHead                   // from behind a boundary line to the end of the blank line
	atDataStart              // the blank line's CRLF may also be the one that a boundary line begins with
	inData                   // until a boundary line
	closed                   // behind the last boundary, before End was handed out
	inLastLine               // on the rest of its line
	inEpilogue               // behind that line; stays
	failed                   // stays
)

// Parser reads one body, given to it in pieces split anywhere. Bytes that cannot be judged yet are not consumed: the
// caller keeps them and offers them again with what follows.
type Parser struct {
	cfg       Config
	fields    []field.Field // reused from part to part and body to body
	err       error
	parts     int
	skipped   int // bytes of preamble or epilogue, or of blanks on the last line
	scanned   int // bytes of an incomplete header that hold no further line end
	lineStart int // where in an incomplete header its last line begins
	state     state
	midLine   bool // the preamble is inside a line that is not a boundary
	afterCR   bool // the byte before was a CR
	bareLF    bool // the last line of the preamble ended without CR
	delimLen  uint8
	delim     [len("\r\n--") + MaxBoundary]byte
}

// Start prepares for a body with that boundary, one that Boundary returned or ValidBoundary admits.
func (p *Parser) Start(boundary []byte, cfg Config) {
	*p = Parser{fields: p.fields[:0], cfg: Config{
		MaxParts:    orDefault(cfg.MaxParts, 10_000),
		MaxHead:     orDefault(cfg.MaxHead, 8<<10),
		MaxFields:   orDefault(cfg.MaxFields, 16),
		MaxPreamble: orDefault(cfg.MaxPreamble, 1<<10),
		MaxEpilogue: orDefault(cfg.MaxEpilogue, 1<<10),
	}}
	n := copy(p.delim[:], "\r\n--")
	n += copy(p.delim[n:], boundary)
	p.delimLen = uint8(n)
}

func orDefault(limit, def int) int {
	if limit == 0 {
		return def
	}
	return max(limit, 0)
}

// Next reads one event from b, which begins with the first byte not yet consumed, and consumes n bytes. An error is
// final.
func (p *Parser) Next(b []byte) (ev Event, n int, err error) {
	for p.err == nil {
		before, used := p.state, 0
		switch p.state {
		case inPreamble:
			used = p.preamble(b[n:])
		case inHead:
			ev, used = p.head(b[n:])
		case atDataStart:
			ev, used = p.dataStart(b[n:])
		case inData:
			ev, used = p.data(b[n:])
		case closed:
			p.state = inLastLine
			ev.Kind = End
		case inLastLine:
			used = p.lastLine(b[n:])
		case inEpilogue:
			used = p.epilogue(b[n:])
		case failed:
		}
		n += used
		if ev.Kind != NeedMore || p.state == before {
			return ev, n, p.err
		}
	}
	return Event{}, n, p.err
}

// Finish says whether the body may end where it did: behind its last boundary.
func (p *Parser) Finish() error {
	switch {
	case p.err != nil:
		return p.err
	case p.state == inEpilogue, p.state == inLastLine && !p.afterCR:
		return nil
	}
	return ErrTruncated
}

func (p *Parser) fail(err error) {
	p.state, p.err = failed, err
}

// preamble skips lines up to the first boundary line. A boundary behind a bare LF is refused: other readers disagree on
// whether it is one.
func (p *Parser) preamble(b []byte) (n int) {
	for n < len(b) {
		if !p.midLine {
			what, size := p.delimiter(b[n:], len("\r\n"))
			switch {
			case what == undecided:
				return n
			case what != ordinary && p.bareLF:
				p.fail(ErrDelimiter)
				return n
			case what != ordinary:
				p.pass(what)
				return n + size
			}
			p.midLine = true
		}
		end := bytes.IndexByte(b[n:], '\n')
		rest := b[n:]
		if end >= 0 {
			rest = rest[:end]
		}
		if len(rest) > 0 {
			p.afterCR = rest[len(rest)-1] == '\r'
		}
		size := len(rest)
		if end >= 0 {
			size++
			p.midLine, p.bareLF, p.afterCR = false, !p.afterCR, false
		}
		n += size
		if p.skipped += size; p.skipped > p.cfg.MaxPreamble {
			p.fail(ErrPreamble)
			return n
		}
	}
	return n
}

// pass moves behind a boundary line.
func (p *Parser) pass(what line) {
	switch what {
	case opening:
		p.state, p.scanned, p.lineStart = inHead, 0, 0
	case closing:
		p.state, p.skipped, p.afterCR = closed, 0, false
	case malformed:
		p.fail(ErrDelimiter)
	case overlong:
		p.fail(ErrPadding)
	case ordinary, undecided:
	}
}

// dataStart looks for a boundary line that follows the header's blank line at once: an empty part.
func (p *Parser) dataStart(b []byte) (ev Event, n int) {
	what, size := p.delimiter(b, len("\r\n"))
	switch what {
	case undecided:
		return ev, 0
	case ordinary:
		p.state = inData
		return ev, 0
	default:
		return p.endPart(what, size)
	}
}

func (p *Parser) endPart(what line, size int) (ev Event, n int) {
	p.pass(what)
	if p.err != nil {
		return ev, 0
	}
	return Event{Kind: PartEnd}, size
}

// data hands out what cannot be the beginning of a boundary line.
func (p *Parser) data(b []byte) (ev Event, n int) {
	delim := p.delim[:p.delimLen]
	for from := 0; ; {
		i := bytes.Index(b[from:], delim)
		if i < 0 {
			n = len(b) - heldBack(b, delim)
			break
		}
		n = from + i
		what, size := p.delimiter(b[n:], 0)
		if what == ordinary {
			from = n + len(delim)
			continue
		}
		if n > 0 || what == undecided {
			break
		}
		return p.endPart(what, size)
	}
	if n > 0 {
		ev = Event{Kind: Data, Data: b[:n]}
	}
	return ev, n
}

// heldBack is how many bytes at the end of b may begin a delimiter. Only its last CR can: a delimiter has no other.
func heldBack(b, delim []byte) int {
	tail := b[max(0, len(b)-len(delim)+1):]
	cr := bytes.LastIndexByte(tail, '\r')
	if cr < 0 || !bytes.HasPrefix(delim, tail[cr:]) {
		return 0
	}
	return len(tail) - cr
}

package multipart

import "bytes"

// line is what the beginning of a line turns out to be.
type line uint8

const (
	undecided line = iota // it could still be a boundary line
	ordinary              // it is none, though it may begin like one: "--Bx", "--B-"
	opening               // a boundary line: another part follows
	closing               // the last boundary, "--B--", up to its dashes; the rest of its line is inLastLine's
	malformed             // "--B" with something behind it that some readers take for a boundary line and others do not
	overlong              // one with more padding than maxPadding
)

// delimiter judges b, which begins a line, and measures the boundary line found. skip is how much of the delimiter,
// "\r\n--boundary", precedes b: nothing, or the CRLF.
func (p *Parser) delimiter(b []byte, skip int) (what line, n int) {
	want := p.delim[skip:p.delimLen]
	if !bytes.HasPrefix(b, want) {
		if bytes.HasPrefix(want, b) {
			return undecided, 0
		}
		return ordinary, 0
	}
	n = len(want)
	for n < len(b) && (b[n] == ' ' || b[n] == '\t') {
		n++
	}
	padding := n - len(want)
	rest := b[n:]
	switch {
	case padding > maxPadding:
		return overlong, 0
	case len(rest) == 0:
		return undecided, 0
	case rest[0] == '\r':
		if len(rest) == 1 {
			return undecided, 0
		}
		if rest[1] == '\n' {
			return opening, n + 2
		}
		return malformed, 0
	case rest[0] == '\n' || padding > 0:
		return malformed, 0
	case rest[0] != '-':
		return ordinary, 0
	case len(rest) == 1:
		return undecided, 0
	case rest[1] == '-':
		return closing, n + 2
	}
	return ordinary, 0
}

// lastLine reads what stands behind the last boundary on its line: blanks, then CRLF or the end of the body.
func (p *Parser) lastLine(b []byte) (n int) {
	for n < len(b) {
		c := b[n]
		n++
		switch {
		case p.afterCR && c == '\n':
			p.state, p.skipped = inEpilogue, 0
			return n
		case p.afterCR:
			p.fail(ErrDelimiter)
			return n
		case c == '\r':
			p.afterCR = true
		case c != ' ' && c != '\t':
			p.fail(ErrDelimiter)
			return n
		default:
			if p.skipped++; p.skipped > maxPadding {
				p.fail(ErrPadding)
				return n
			}
		}
	}
	return n
}

// epilogue skips what follows the last boundary line.
func (p *Parser) epilogue(b []byte) (n int) {
	if p.skipped += len(b); p.skipped > p.cfg.MaxEpilogue {
		p.fail(ErrEpilogue)
	}
	return len(b)
}

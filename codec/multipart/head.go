package multipart

import (
	"bytes"

	"holdfast/codec/field"
)

// head waits for the blank line, then reads all fields at once: until then their bytes may still move.
func (p *Parser) head(b []byte) (ev Event, n int) {
	if p.parts == p.cfg.MaxParts {
		p.fail(ErrParts)
		return ev, 0
	}
	end := p.headEnd(b[:min(len(b), p.cfg.MaxHead)])
	switch {
	case p.err != nil:
		return ev, 0
	case end == 0 && len(b) >= p.cfg.MaxHead:
		p.fail(ErrHeadBytes)
		return ev, 0
	case end == 0:
		return ev, 0
	}
	p.fields = p.fields[:0]
	for rest := b[:end-len("\r\n")]; len(rest) > 0; {
		size := bytes.IndexByte(rest, '\n') + 1
		if err := p.addField(rest[:size-len("\r\n")]); err != nil {
			p.fail(err)
			return ev, 0
		}
		rest = rest[size:]
	}
	p.parts++
	p.state = atDataStart
	return Event{Kind: PartBegin, Fields: p.fields}, end
}

// headEnd finds the end of the header, blank line included, or 0. It never looks at a byte twice, and it fails on the
// first line that does not end with CRLF.
func (p *Parser) headEnd(b []byte) int {
	for {
		i := bytes.IndexByte(b[p.scanned:], '\n')
		if i < 0 {
			p.scanned = len(b)
			return 0
		}
		lf := p.scanned + i
		if lf == p.lineStart || b[lf-1] != '\r' {
			p.fail(ErrLineEnd)
			return 0
		}
		blank := lf == p.lineStart+1
		p.scanned = lf + 1
		p.lineStart = p.scanned
		if blank {
			return p.scanned
		}
	}
}

// addField reads one header line. There is no folding: a line that begins with a blank has no valid name.
func (p *Parser) addField(text []byte) error {
	if len(p.fields) == p.cfg.MaxFields {
		return ErrHeadFields
	}
	name := text[:field.TokenRun(text)]
	if len(name) == 0 || len(name) == len(text) || text[len(name)] != ':' {
		return ErrFieldName
	}
	value := field.TrimOWS(text[len(name)+1:])
	if !field.IsValue(value) {
		return ErrFieldValue
	}
	p.fields = append(p.fields, field.Field{Name: name, Value: value})
	return nil
}

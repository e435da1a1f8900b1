package h2

import (
	"math"
	"slices"

	"holdfast/codec/field"
)

// span is a part of the list's bytes, as offsets: they move while the list grows.
type span struct{ at, end uint32 }

func (s span) of(b []byte) []byte { return b[s.at:s.end:s.end] }

type fieldSpan struct{ name, value span }

// pseudo is a pseudo-header field, RFC 9113 §8.3 and RFC 8441 §4.
type pseudo uint8

const (
	method pseudo = iota
	scheme
	authority
	path
	protocol
	status
	pseudos // how many there are
)

// What else a list has said.
const (
	sawHost uint8 = 1 << iota
	sawLength
	sawExpect
	sawFields
)

// Fields is one decoded header list. It owns the bytes, and keeps its memory from list to list; one per loop is
// enough. Views of it are good until the next Decode.
type Fields struct {
	// All are the fields in order, without the pseudo-header fields, a cookie's crumbs joined.
	All []field.Field

	buf    []byte
	spans  []fieldSpan
	pseudo [pseudos]span
	size   uint64 // as SETTINGS_MAX_HEADER_LIST_SIZE counts
	length int64
	crumbs int // Cookie fields
	host   span
	err    *Error
	seen   uint8 // a bit for each pseudo-header field
	saw    uint8
}

func (f *Fields) reset() {
	clear(f.All)
	*f = Fields{All: f.All[:0], buf: f.buf[:0], spans: f.spans[:0], length: -1}
}

// entryOverhead is what each field counts beside its bytes, RFC 9113 §6.5.2.
const entryOverhead = 32

// add copies one field into the list and checks what can be checked of it alone. The first error stands.
func (f *Fields) add(name, value string, lim *Limits) {
	f.size += uint64(len(name)) + uint64(len(value)) + entryOverhead
	if f.size > uint64(lim.List) {
		f.err = errListBytes
		return
	}
	at := uint32(len(f.buf))
	mid := at + uint32(len(name))
	f.buf = append(append(f.buf, name...), value...)
	s := fieldSpan{span{at, mid}, span{mid, uint32(len(f.buf))}}
	if len(name) > 0 && name[0] == ':' {
		f.err = f.addPseudo(s)
		return
	}
	f.saw |= sawFields
	if f.err = f.check(s); f.err != nil {
		return
	}
	if len(f.spans)-max(f.crumbs-1, 0) >= lim.Fields {
		f.err = errFieldCount
		return
	}
	f.spans = append(f.spans, s)
}

// addPseudo takes over a pseudo-header field, RFC 9113 §8.3: before all fields, known, and once.
func (f *Fields) addPseudo(s fieldSpan) *Error {
	if f.saw&sawFields != 0 {
		return errPseudoLate
	}
	kind := pseudoOf(s.name.of(f.buf))
	switch {
	case kind == pseudos:
		return errPseudoUnknown
	case f.has(kind):
		return errPseudoTwice
	case !field.IsValue(s.value.of(f.buf)):
		return errValue
	}
	f.seen |= 1 << kind
	f.pseudo[kind] = s.value
	return nil
}

// pseudoOf returns which pseudo-header field a name is, or pseudos for none.
func pseudoOf(name []byte) pseudo {
	switch string(name) {
	case ":method":
		return method
	case ":scheme":
		return scheme
	case ":authority":
		return authority
	case ":path":
		return path
	case ":protocol":
		return protocol
	case ":status":
		return status
	}
	return pseudos
}

func (f *Fields) has(p pseudo) bool   { return f.seen&(1<<p) != 0 }
func (f *Fields) get(p pseudo) []byte { return f.pseudo[p].of(f.buf) }

// check applies RFC 9113 §8.2 to a field.
func (f *Fields) check(s fieldSpan) *Error {
	name, value := s.name.of(f.buf), s.value.of(f.buf)
	if len(name) == 0 {
		return errNameEmpty
	}
	for _, c := range name {
		if c >= 'A' && c <= 'Z' || !field.IsTokenByte(c) {
			return errName
		}
	}
	if !field.IsValue(value) {
		return errValue
	}
	switch string(name) {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		return errHop // §8.2.2
	case "te":
		if !field.EqualFold(value, "trailers") {
			return errTE
		}
	case "host":
		if f.saw&sawHost != 0 {
			return errHostTwice
		}
		f.saw, f.host = f.saw|sawHost, s.value
	case "content-length":
		return f.contentLength(value)
	case "cookie":
		f.crumbs++
	case "expect":
		if field.HasToken(value, "100-continue") {
			f.saw |= sawExpect
		}
	}
	return nil
}

// contentLength takes one plain decimal number, once, as codec/h1 does.
func (f *Fields) contentLength(value []byte) *Error {
	if f.saw&sawLength != 0 {
		return errLengthTwice
	}
	if len(value) == 0 {
		return errLengthSyntax
	}
	var n int64
	for _, c := range value {
		d := int64(c) - '0'
		if d < 0 || d > 9 {
			return errLengthSyntax
		}
		if n > (math.MaxInt64-d)/10 {
			return errLengthHuge
		}
		n = n*10 + d
	}
	f.saw |= sawLength
	f.length = n
	return nil
}

// finish makes the views, now that the bytes stay where they are.
func (f *Fields) finish() error {
	if f.err != nil {
		return f.err
	}
	if f.crumbs > 1 {
		f.joinCookies()
	}
	f.All = slices.Grow(f.All, len(f.spans))[:len(f.spans)]
	for i, s := range f.spans {
		f.All[i] = field.Field{Name: s.name.of(f.buf), Value: s.value.of(f.buf)}
	}
	return nil
}

// joinCookies makes one Cookie field of all, where the first stood: whoever reads them in another protocol knows no
// crumbs, RFC 9113 §8.2.3.
func (f *Fields) joinCookies() {
	kept := f.spans[:0]
	first := -1
	joined := span{at: uint32(len(f.buf))}
	for _, s := range f.spans {
		if string(s.name.of(f.buf)) != "cookie" {
			kept = append(kept, s)
			continue
		}
		if first < 0 {
			first = len(kept)
			kept = append(kept, s)
		} else {
			f.buf = append(f.buf, "; "...)
		}
		f.buf = append(f.buf, f.buf[s.value.at:s.value.end]...)
	}
	joined.end = uint32(len(f.buf))
	kept[first].value = joined
	f.spans = kept
}

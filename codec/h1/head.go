package h1

import (
	"math"
	"slices"

	"holdfast/codec/field"
)

// Framing says how the end of a body is found, RFC 9112 §6.3.
type Framing uint8

const (
	None       Framing = iota // no body at all follows
	Length                    // a Content-Length says how long
	Chunked                   // the chunked transfer coding says it
	UntilClose                // a response that ends with its connection
)

// span is a part of the message, as offsets.
type span struct{ at, end uint32 }

func (s span) of(b []byte) []byte { return b[s.at:s.end] }

// fieldSpan is a field.Field before the bytes have come to rest.
type fieldSpan struct{ name, value span }

// What a head has said so far.
const (
	sawHost uint16 = 1 << iota
	sawLength
	sawCoding
	sawExpect
	sawUpgrade
	optionClose
	optionKeepAlive
	optionUpgrade
)

// head is the progress and the findings that requests and responses share.
type head struct {
	line    line
	fields  []fieldSpan
	length  int64
	saw     uint16
	minor   uint8
	framing Framing
}

func (h *head) reset() {
	h.line, h.fields, h.length = line{}, h.fields[:0], 0
	h.saw, h.minor, h.framing = 0, 0, None
}

// versionLen is the length of every HTTP version.
const versionLen = len("HTTP/1.1")

// version reads an HTTP version that begins at at, RFC 9112 §2.3, and returns
// where it ends or the bytes run out; the few bytes are read anew each time.
// Only 1.0 and 1.1 are spoken: any other well-formed version answers 505.
func (h *head) version(b []byte, at int) (end int, err error) {
	const pattern = "HTTP/0.0" // 0 stands for any digit
	b = b[at:min(len(b), at+versionLen)]
	if string(b) == "HTTP/1.1" {
		h.minor = 1
		return at + versionLen, nil
	}
	for i, c := range b {
		if c != pattern[i] && (pattern[i] != '0' || c < '0' || c > '9') {
			return 0, byteError(c, errVersion)
		}
	}
	if len(b) == versionLen {
		if b[5] != '1' || b[7] > '1' {
			return 0, errVersion505
		}
		h.minor = b[7] - '0'
	}
	return at + len(b), nil
}

// kind sorts out the few fields that the parser itself understands.
type kind uint8

const (
	kindOther kind = iota
	kindHost
	kindExpect
	kindUpgrade
	kindConnection
	kindLength
	kindCoding
)

// kindOf knows a field by its name's length before it looks at a letter.
func kindOf(name []byte) kind {
	switch len(name) {
	case 4:
		return ifNamed(name, "host", kindHost)
	case 6:
		return ifNamed(name, "expect", kindExpect)
	case 7:
		return ifNamed(name, "upgrade", kindUpgrade)
	case 10:
		return ifNamed(name, "connection", kindConnection)
	case 14:
		return ifNamed(name, "content-length", kindLength)
	case 17:
		return ifNamed(name, "transfer-encoding", kindCoding)
	}
	return kindOther
}

func ifNamed(name []byte, lower string, k kind) kind {
	if field.EqualFold(name, lower) {
		return k
	}
	return kindOther
}

// next reads one field line within the limits, and comes to lineEnd when the
// head is complete. What it read is in h.line and last in h.fields.
func (h *head) next(b []byte, lim *Limits) (lineEvent, error) {
	if len(b) > lim.HeadBytes {
		b = b[:max(lim.HeadBytes, 0)]
	}
	ev, err := h.line.scan(b)
	switch {
	case err != nil:
	case ev == lineMore && len(b) >= lim.HeadBytes:
		err = errHeadBytes
	case ev == lineField && len(h.fields) >= lim.Fields:
		err = errFieldCount
	case ev == lineField:
		l := &h.line
		h.fields = append(h.fields, fieldSpan{
			span{uint32(l.nameAt), uint32(l.nameEnd)}, span{uint32(l.valueAt), uint32(l.valueEnd)},
		})
	}
	return ev, err
}

// last returns the kind and the value of the field line just read.
func (h *head) last(b []byte) (kind, []byte) {
	l := &h.line
	return kindOf(b[l.nameAt:l.nameEnd]), b[l.valueAt:l.valueEnd]
}

// appendFields makes the views of all fields, now that b stays where it is.
func (h *head) appendFields(dst []field.Field, b []byte) []field.Field {
	dst = slices.Grow(dst, len(h.fields))[:len(h.fields)]
	for i, f := range h.fields {
		dst[i] = field.Field{Name: f.name.of(b), Value: f.value.of(b)}
	}
	return dst
}

// frame notes a field that decides where the message and the connection end.
func (h *head) frame(k kind, value []byte) error {
	switch k {
	case kindConnection:
		h.connection(value)
	case kindLength:
		return h.contentLength(value)
	case kindCoding:
		return h.transferEncoding(value)
	case kindUpgrade:
		h.saw |= sawUpgrade
	case kindOther, kindHost, kindExpect:
	}
	return nil
}

// connection notes the options of RFC 9110 §7.6.1 that this layer acts on.
func (h *head) connection(value []byte) {
	l := field.List(value)
	for item, ok := l.Next(); ok; item, ok = l.Next() {
		switch {
		case field.EqualFold(item, "close"):
			h.saw |= optionClose
		case field.EqualFold(item, "keep-alive"):
			h.saw |= optionKeepAlive
		case field.EqualFold(item, "upgrade"):
			h.saw |= optionUpgrade
		}
	}
}

// keepAlive applies RFC 9112 §9.3: close wins, and 1.0 has to ask.
func (h *head) keepAlive() bool {
	return h.saw&optionClose == 0 && (h.minor >= 1 || h.saw&optionKeepAlive != 0)
}

// upgrade needs the field, its connection option, and HTTP/1.1, RFC 9110 §7.8.
func (h *head) upgrade() bool {
	return h.minor >= 1 && h.saw&(sawUpgrade|optionUpgrade) == sawUpgrade|optionUpgrade
}

// contentLength takes one plain decimal number, once. RFC 9112 §6.3 would let
// "5, 5" or two equal lines pass as 5; no honest client sends them.
func (h *head) contentLength(value []byte) error {
	if h.saw&sawCoding != 0 {
		return errLengthCoding
	}
	if h.saw&sawLength != 0 {
		return errLengthTwice
	}
	if len(value) == 0 {
		return errLength
	}
	var n int64
	for _, c := range value {
		d := int64(c) - '0'
		if d < 0 || d > 9 {
			return errLength
		}
		if n > (math.MaxInt64-d)/10 {
			return errLengthHuge
		}
		n = n*10 + d
	}
	h.saw |= sawLength
	h.framing, h.length = Length, n
	return nil
}

// transferEncoding takes exactly one "chunked" in the whole head. Others before
// it answer 501 (RFC 9112 §6.1); a line that does not end in chunked leaves the
// body's length unknown and answers 400 (§6.3), as do malformed and doubled ones.
func (h *head) transferEncoding(value []byte) error {
	if h.minor == 0 {
		return errCodingVersion
	}
	if h.saw&sawLength != 0 {
		return errLengthCoding
	}
	unknown := false
	for more := true; more; {
		var item []byte
		item, value, more = cutComma(value)
		if !field.IsToken(item) {
			return errCoding
		}
		chunked := field.EqualFold(item, "chunked")
		switch after := h.saw&sawCoding != 0; {
		case after && chunked:
			return errCodingTwice
		case after:
			return errCodingLast
		case !chunked:
			unknown = true
			continue
		}
		h.saw |= sawCoding
		h.framing = Chunked
	}
	switch {
	case h.saw&sawCoding == 0:
		return errCodingLast
	case unknown:
		return errCodingUnknown
	}
	return nil
}

// cutComma splits a list at its first comma and keeps empty elements: in
// Transfer-Encoding an empty one is not overlooked.
func cutComma(b []byte) (item, rest []byte, more bool) {
	for i, c := range b {
		if c == ',' {
			return field.TrimOWS(b[:i]), b[i+1:], true
		}
	}
	return field.TrimOWS(b), nil, false
}

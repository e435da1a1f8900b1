package h1

import "holdfast/codec/field"

// stage is which part of a head the parser is in.
type stage uint8

const (
	stageEmpty   stage = iota // before the request line, where CRLFs are skipped
	stageEmptyLF              // the CR of such an empty line was seen
	stageMethod               // in the method
	stageTarget               // in the request target
	stageVersion              // at the HTTP version
	stageLineCR               // after the version
	stageLineLF               // the request line's CR was seen
	stageFields               // in the field lines
	stageDone                 // the head is complete
)

// Request is the head of a request and the progress of parsing it. The zero
// value is ready; Reset readies a used one and keeps its memory. It is owned by
// one goroutine. All byte slices are views of what was parsed, set when done.
type Request struct {
	Method []byte
	Target []byte // as sent
	// Path is the target's path as sent, its percent-encoding checked; "/" when
	// an absolute target has none, "*" for an asterisk, empty for CONNECT.
	Path []byte
	// Query is what follows the target's '?', nil when there is no '?'.
	Query []byte
	// Authority is whom the request is for: the target's authority if it has
	// one (RFC 9112 §3.2.2 lets it win over Host), else Host; nil for neither.
	Authority []byte
	// Fields are all field lines in order, framing and Host included.
	Fields []field.Field
	// Length is the Content-Length, when Framing is Length.
	Length int64

	Framing   Framing
	Minor     uint8 // of HTTP/1.0 or HTTP/1.1
	KeepAlive bool  // the connection may carry another request after this one
	Expect100 bool  // the client waits for 100 before it sends the body
	Upgrade   bool  // Upgrade was sent and named in Connection

	head head
	progress
}

// progress is what Request keeps between two calls beside its head's.
type progress struct {
	parts   target
	method  span
	target  span
	host    span
	start   int // where the request line begins
	version int // where the version begins
	empty   int // empty lines skipped
	stage   stage
}

// Reset readies r for another request and keeps its memory. The views of the
// last one are gone.
func (r *Request) Reset() {
	r.head.reset()
	r.progress = progress{}
	r.Method, r.Target, r.Path, r.Query, r.Authority = nil, nil, nil, nil, nil
	r.Fields, r.Length = r.Fields[:0], 0
	r.Framing, r.Minor = None, 0
	r.KeepAlive, r.Expect100, r.Upgrade = false, false, false
}

// Body returns the decoder of the body that follows this head.
func (r *Request) Body() Body {
	var d Body
	d.Start(r.Framing, r.Length)
	return d
}

// Parse reads a request head. b begins at the first byte of the message, the
// same one in every call, and has grown since the last call; it may have moved.
// When done, n is the length of the head and the views are set; until then n is
// 0. An error is an *Error, seen at the first byte that proves it; after it or
// after done, only Reset.
func (r *Request) Parse(b []byte, lim *Limits) (n int, done bool, err error) {
	if r.stage < stageFields {
		if err := r.line(b, lim); err != nil || r.stage < stageFields {
			return 0, false, err
		}
	}
	for {
		ev, err := r.head.next(b, lim)
		if err != nil {
			return 0, false, err
		}
		switch ev {
		case lineMore:
			return 0, false, nil
		case lineField:
			k, value := r.head.last(b)
			if err := r.note(k, value, lim); err != nil {
				return 0, false, err
			}
		case lineEnd:
			if err := r.finish(b); err != nil {
				return 0, false, err
			}
			return r.head.line.pos, true, nil
		}
	}
}

// skipEmpty passes over the few empty lines that RFC 9112 §2.2 lets precede a
// request line.
func (r *Request) skipEmpty(b []byte, lim *Limits) error {
	i := r.head.line.pos
	for i < len(b) && r.stage < stageMethod {
		switch {
		case r.stage == stageEmptyLF && b[i] != '\n':
			return errBareCR
		case r.stage == stageEmptyLF:
			r.stage = stageEmpty
			i++
		case b[i] != '\r':
			r.start, r.stage = i, stageMethod
		default:
			if r.empty++; r.empty > lim.EmptyLines {
				return errEmptyLines
			}
			r.stage = stageEmptyLF
			i++
		}
	}
	r.head.line.pos = i
	return nil
}

// line reads the request line, RFC 9112 §3: three parts and two single spaces.
func (r *Request) line(b []byte, lim *Limits) (err error) {
	if r.stage < stageMethod {
		if err := r.skipEmpty(b, lim); err != nil || r.stage < stageMethod {
			return err
		}
	}
	limit := r.start + max(lim.RequestLine, 0)
	b = b[:min(len(b), limit)]
	i := r.head.line.pos
	if r.stage == stageMethod {
		if i, err = r.readMethod(b, i, lim); err != nil {
			return err
		}
	}
	if r.stage == stageTarget {
		if i, err = r.readTarget(b, i); err != nil {
			return err
		}
	}
	if r.stage == stageVersion {
		if i, err = r.head.version(b, r.version); err != nil {
			return err
		}
		if i == r.version+versionLen {
			r.stage = stageLineCR
		}
	}
	if r.stage == stageLineCR && i < len(b) {
		if b[i] != '\r' {
			return byteError(b[i], errLineEnd)
		}
		r.stage = stageLineLF
		i++
	}
	if r.stage == stageLineLF && i < len(b) {
		if b[i] != '\n' {
			return errBareCR
		}
		r.stage = stageFields
		i++
	}
	r.head.line.pos = i
	if r.stage < stageFields && i >= limit {
		return errLineTooLong
	}
	return nil
}

// readMethod goes on at i, in the method, and returns where it stopped.
func (r *Request) readMethod(b []byte, i int, lim *Limits) (int, error) {
	i += field.TokenRun(b[i:])
	if i-r.start > lim.Method {
		return i, errMethodLong
	}
	if i == len(b) {
		return i, nil
	}
	if b[i] != ' ' || i == r.start {
		return i, byteError(b[i], errMethod)
	}
	r.method = span{uint32(r.start), uint32(i)}
	i++
	r.target.at, r.stage = uint32(i), stageTarget
	return i, nil
}

// readTarget goes on at i, in the request target, and returns where it stopped.
func (r *Request) readTarget(b []byte, i int) (int, error) {
	i += targetRun(b[i:])
	if i == len(b) {
		return i, nil
	}
	if b[i] != ' ' || i == int(r.target.at) {
		return i, byteError(b[i], errTargetByte)
	}
	r.target.end = uint32(i)
	if err := r.parts.split(b, r.method, r.target); err != nil {
		return i, err
	}
	i++
	r.version, r.stage = i, stageVersion
	return i, nil
}

// note acts on one field as soon as its line is complete.
func (r *Request) note(k kind, value []byte, lim *Limits) error {
	h := &r.head
	switch k {
	case kindHost:
		// RFC 9112 §3.2: 400 to more than one Host and to an invalid one.
		if h.saw&sawHost != 0 {
			return errHostTwice
		}
		if !validHost(value) {
			return errHost
		}
		h.saw |= sawHost
		r.host = span{uint32(h.line.valueAt), uint32(h.line.valueEnd)}
	case kindExpect:
		return r.expect(value)
	case kindOther, kindUpgrade, kindConnection, kindLength, kindCoding:
		if err := h.frame(k, value); err != nil {
			return err
		}
		if lim.Body > 0 && h.length > lim.Body {
			return errBodyTooLong
		}
	}
	return nil
}

// expect knows 100-continue, which HTTP/1.0 cannot mean, RFC 9110 §10.1.1.
func (r *Request) expect(value []byte) error {
	if r.head.minor == 0 {
		return nil
	}
	l := field.List(value)
	for item, ok := l.Next(); ok; item, ok = l.Next() {
		if !field.EqualFold(item, "100-continue") {
			return errExpect
		}
		r.head.saw |= sawExpect
	}
	return nil
}

// finish checks what only a whole head can tell and sets the results.
func (r *Request) finish(b []byte) error {
	h := &r.head
	if h.minor >= 1 && h.saw&sawHost == 0 {
		return errHostMissing
	}
	r.stage = stageDone
	r.Method = r.method.of(b)
	r.Target = r.target.of(b)
	r.parts.views(r, b)
	if r.Authority == nil && h.saw&sawHost != 0 {
		r.Authority = r.host.of(b)
	}
	r.Fields = h.appendFields(r.Fields[:0], b)
	r.Framing, r.Length, r.Minor = h.framing, h.length, h.minor
	r.KeepAlive, r.Upgrade = h.keepAlive(), h.upgrade()
	hasBody := h.framing == Chunked || h.length > 0
	r.Expect100 = hasBody && h.saw&sawExpect != 0
	return nil
}

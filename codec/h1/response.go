package h1

import "holdfast/codec/field"

// Asked is what a response parser must know of the request, RFC 9112 §6.3.
type Asked uint8

const (
	AskedOther   Asked = iota // any method whose response may have a body
	AskedHead                 // HEAD: a response never has a body
	AskedConnect              // CONNECT: after a 2xx the connection is a tunnel
)

// AskedFor names the method of the request for a response parser.
func AskedFor(method []byte) Asked {
	switch string(method) {
	case "HEAD":
		return AskedHead
	case "CONNECT":
		return AskedConnect
	}
	return AskedOther
}

// statusStage is which part of a response head the parser is in.
type statusStage uint8

const (
	statusVersion statusStage = iota // at the HTTP version
	statusSpace                      // after the version
	statusCode                       // in the three digits
	statusAfter                      // after them
	statusReason                     // in the reason phrase
	statusLF                         // the line's CR was seen
	statusFields                     // in the field lines
)

// Response is the head of a response and the progress of parsing it. The zero
// value is ready and takes it that the method was neither HEAD nor CONNECT.
// It is owned by one goroutine; byte slices are views, set when done.
type Response struct {
	// Fields are all field lines in order, framing included.
	Fields []field.Field
	Reason []byte // the reason phrase, often empty
	// Length is the Content-Length, when Framing is Length.
	Length int64
	Status int // 100–599

	Framing   Framing
	Minor     uint8 // of HTTP/1.0 or HTTP/1.1
	KeepAlive bool  // the connection may carry another request afterwards
	Upgrade   bool  // Upgrade was sent and named in Connection

	head   head
	reason span
	status int
	digits int // of the status seen
	stage  statusStage
	asked  Asked
}

// Reset readies r for the response to a request of that kind and keeps its
// memory. An interim response (1xx) is followed by another Reset.
func (r *Response) Reset(asked Asked) {
	h, fields := r.head, r.Fields[:0]
	h.reset()
	*r = Response{head: h, Fields: fields, asked: asked}
}

// Body returns the decoder of the body that follows this head.
func (r *Response) Body() Body {
	var d Body
	d.Start(r.Framing, r.Length)
	return d
}

// Parse reads a response head; its contract is that of Request.Parse. No empty
// line is skipped before the status line.
func (r *Response) Parse(b []byte, lim *Limits) (n int, done bool, err error) {
	if r.stage < statusFields {
		if err := r.line(b, lim); err != nil || r.stage < statusFields {
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
			// RFC 9112 §6.3: a client ignores framing on its way into a tunnel.
			if r.tunnel() && (k == kindLength || k == kindCoding) {
				continue
			}
			if err := r.head.frame(k, value); err != nil {
				return 0, false, err
			}
		case lineEnd:
			r.finish(b)
			if lim.Body > 0 && r.Length > lim.Body {
				return 0, false, errBodyTooLong
			}
			return r.head.line.pos, true, nil
		}
	}
}

// line reads the status line, RFC 9112 §4. The space before an absent phrase
// may be absent too: many servers leave it out, and nothing hangs on it.
func (r *Response) line(b []byte, lim *Limits) error {
	limit := max(lim.RequestLine, 0)
	b = b[:min(len(b), limit)]
	i := r.head.line.pos
	for i < len(b) && r.stage < statusFields {
		switch r.stage {
		case statusVersion:
			end, err := r.head.version(b, 0)
			if err != nil {
				return err
			}
			if i = end; i == versionLen {
				r.stage = statusSpace
			}
		case statusSpace:
			if b[i] != ' ' {
				return byteError(b[i], errStatus)
			}
			r.stage = statusCode
			i++
		case statusCode:
			c := b[i]
			if c < '0' || c > '9' || r.digits == 0 && (c == '0' || c > '5') {
				return byteError(c, errStatus)
			}
			r.status = r.status*10 + int(c-'0')
			if r.digits++; r.digits == 3 {
				r.stage = statusAfter
			}
			i++
		case statusAfter:
			switch b[i] {
			case ' ':
				r.stage = statusReason
			case '\r':
				r.stage = statusLF
			default:
				return byteError(b[i], errStatus)
			}
			i++
			r.reason = span{uint32(i), uint32(i)}
		case statusReason:
			i += field.ValueRun(b[i:])
			if i == len(b) {
				break
			}
			if b[i] != '\r' {
				return byteError(b[i], errReasonByte)
			}
			r.reason.end, r.stage = uint32(i), statusLF
			i++
		case statusLF:
			if b[i] != '\n' {
				return errBareCR
			}
			r.stage = statusFields
			i++
		case statusFields:
		}
	}
	r.head.line.pos = i
	if r.stage < statusFields && i >= limit {
		return errLineTooLong
	}
	return nil
}

// tunnel says whether this is the success that turns a connection into one.
func (r *Response) tunnel() bool {
	return r.asked == AskedConnect && r.status >= 200 && r.status < 300
}

// finish sets the results. RFC 9112 §6.3 decides the framing: what is said of a
// body counts for nothing where there can be none.
func (r *Response) finish(b []byte) {
	h := &r.head
	r.Status = r.status
	r.Reason = r.reason.of(b)
	r.Fields = h.appendFields(r.Fields[:0], b)
	r.Minor = h.minor
	r.KeepAlive, r.Upgrade = h.keepAlive(), h.upgrade()
	switch {
	case r.asked == AskedHead, r.status < 200, r.status == 204, r.status == 304,
		r.tunnel():
		r.Framing = None
	case h.saw&(sawLength|sawCoding) != 0:
		r.Framing, r.Length = h.framing, h.length
	default:
		r.Framing, r.KeepAlive = UntilClose, false
	}
}

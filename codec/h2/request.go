package h2

import "holdfast/codec/field"

// Request is the head of a request: what its header list says, once RFC 9113 §8.3.1 holds for it. All slices are views
// of the list.
type Request struct {
	Method []byte
	Scheme []byte // empty for CONNECT
	// Authority is :authority, or Host where that is missing.
	Authority []byte
	// Path is as sent, its percent-encoding checked; "*" for an OPTIONS of the whole server, empty for CONNECT.
	Path []byte
	// Query is what follows the path's '?', nil when there is no '?'.
	Query []byte
	// Protocol is what an extended CONNECT asks for, RFC 8441; nil for every other request. Whether SETTINGS allow it is
	// the session's to know.
	Protocol []byte
	Fields   []field.Field
	// ContentLength is -1 when it was not sent.
	ContentLength int64
	Expect100     bool // the client waits for 100 before it sends the body
}

// Read takes a request from a list that was decoded without an error. It keeps no bytes of its own.
func (r *Request) Read(f *Fields) error {
	if f.has(status) {
		return errPseudoRequest
	}
	*r = Request{
		Method: f.get(method), Fields: f.All, ContentLength: f.length, Expect100: f.saw&sawExpect != 0,
	}
	switch {
	case !f.has(method):
		return errMethodMissing
	case !field.IsToken(r.Method):
		return errMethod
	}
	if err := r.authority(f); err != nil {
		return err
	}
	connect := string(r.Method) == "CONNECT"
	switch {
	case !f.has(protocol) && connect:
		return r.connect(f)
	case f.has(protocol):
		if !connect {
			return errProtocolMethod // RFC 8441 §4
		}
		if r.Protocol = f.get(protocol); !field.IsToken(r.Protocol) {
			return errProtocol
		}
	}
	return r.target(f)
}

// connect checks a CONNECT that is not extended, RFC 9113 §8.5.
func (r *Request) connect(f *Fields) error {
	if f.has(scheme) || f.has(path) || !f.has(authority) || !validEndpoint(r.Authority) {
		return errConnectForm
	}
	return nil
}

// authority finds whom the request is for. RFC 9113 §8.3.1 lets a Host that differs be refused; nobody is then told two
// names.
func (r *Request) authority(f *Fields) error {
	host := f.host.of(f.buf)
	if f.saw&sawHost != 0 && !validHost(host) {
		return errHost
	}
	r.Authority = host
	if f.has(authority) {
		if r.Authority = f.get(authority); !validHost(r.Authority) {
			return errAuthority
		}
		if f.saw&sawHost != 0 && !sameHost(host, r.Authority) {
			return errHostDiffers
		}
	}
	if len(r.Authority) == 0 {
		return errNoAuthority
	}
	return nil
}

// target checks :scheme and :path, RFC 9113 §8.3.1.
func (r *Request) target(f *Fields) error {
	if !f.has(scheme) {
		return errSchemeMissing
	}
	r.Scheme, r.Path = f.get(scheme), f.get(path)
	switch {
	case !field.EqualFold(r.Scheme, "http") && !field.EqualFold(r.Scheme, "https"):
		return errScheme
	case len(r.Path) == 0:
		return errPathMissing
	case string(r.Path) == "*" && string(r.Method) == "OPTIONS":
		return nil
	case r.Path[0] != '/':
		return errPathForm
	}
	return r.splitPath()
}

// CheckTrailers refuses what a trailer section must not hold, RFC 9113 §8.1 and RFC 9110 §6.5.1. That the frame ends its
// stream is the session's to see.
func CheckTrailers(f *Fields) error {
	switch {
	case f.seen != 0:
		return errPseudoTrailer
	case f.saw&(sawHost|sawLength) != 0:
		return errTrailerField
	}
	return nil
}

// Body holds the data of a message against its Content-Length, RFC 9113 §8.1.1. The zero value is for a message of no
// data.
type Body struct {
	left int64 // bytes to come, -1 when it is not known
}

// NewBody returns the check of a message with that ContentLength, whose HEADERS frame has ended the stream or not.
func NewBody(contentLength int64, end bool) (Body, error) {
	if end && contentLength > 0 {
		return Body{}, errBodyMissing
	}
	return Body{left: contentLength}, nil
}

// Data takes n bytes of data into account, and whether the stream ends with them. Trailers end it with none.
func (b *Body) Data(n int, end bool) error {
	if b.left < 0 {
		return nil
	}
	if int64(n) > b.left {
		return errBodyLong
	}
	if b.left -= int64(n); end && b.left > 0 {
		return errBodyShort
	}
	return nil
}

// Left is how many bytes are still to come, -1 when it is not known.
func (b *Body) Left() int64 { return b.left }

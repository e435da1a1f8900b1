package h1

import "bytes"

// targetByte marks what may stand in a request target: visible ASCII but '#',
// which begins a fragment that is never sent. RFC 3986 allows fewer, but
// browsers send the likes of | and { in queries, and none of them can be
// mistaken for a delimiter of the request line.
var targetByte [256]bool

func init() {
	for c := '!'; c <= '~'; c++ {
		targetByte[c] = c != '#'
	}
}

// targetRun returns the length of the run of target bytes b begins with.
func targetRun(b []byte) int {
	for i, c := range b {
		if !targetByte[c] {
			return i
		}
	}
	return len(b)
}

// target is the parts of a request target, as offsets.
type target struct {
	authority, path, query span
	hasAuthority, hasQuery bool
	// A path that was not sent but is implied: '/' or '*', or 0.
	implied byte
}

var (
	slash    = []byte("/")
	asterisk = []byte("*")
)

// split tells the four forms of RFC 9112 §3.2 apart and checks the one it is.
func (t *target) split(b []byte, method, whole span) error {
	raw := whole.of(b)
	switch {
	case string(method.of(b)) == "CONNECT":
		// §3.2.3: authority-form, and only here.
		if !validAuthority(raw) {
			return errConnectForm
		}
		t.authority, t.hasAuthority = whole, true
		return nil
	case raw[0] == '/':
		return t.splitPath(b, whole)
	case raw[0] == '*' && len(raw) == 1:
		// §3.2.4: asterisk-form is only used for a server-wide OPTIONS.
		if string(method.of(b)) != "OPTIONS" {
			return errTargetForm
		}
		t.path = whole
		return nil
	}
	return t.splitAbsolute(b, method, whole)
}

// splitPath parts a path from its query.
func (t *target) splitPath(b []byte, s span) error {
	t.path = s
	if i := bytes.IndexByte(s.of(b), '?'); i >= 0 {
		cut := s.at + uint32(i)
		t.path.end = cut
		t.query, t.hasQuery = span{cut + 1, s.end}, true
	}
	if !validEscapes(t.path.of(b)) {
		return errTargetPath
	}
	return nil
}

// splitAbsolute parts http://authority/path?query, RFC 9112 §3.2.2.
func (t *target) splitAbsolute(b []byte, method, whole span) error {
	raw := whole.of(b)
	colon := bytes.IndexByte(raw, ':')
	if colon <= 0 || !isScheme(raw[:colon]) {
		return errTargetForm
	}
	if !isHTTP(raw[:colon]) {
		return errScheme
	}
	rest := raw[colon+1:]
	if len(rest) < 2 || rest[0] != '/' || rest[1] != '/' {
		return errTargetForm
	}
	at := colon + 3
	end := len(raw)
	if i := bytes.IndexAny(raw[at:], "/?"); i >= 0 {
		end = at + i
	}
	// RFC 9110 §4.2.1: an http URI with an empty host is invalid; §4.2.4: so is
	// one with userinfo.
	if h := raw[at:end]; len(h) == 0 || h[0] == ':' || !validHost(h) {
		return errTargetHost
	}
	t.authority, t.hasAuthority = span{whole.at + uint32(at), whole.at + uint32(end)}, true
	if end == len(raw) || raw[end] == '?' {
		t.implied = '/'
		if end == len(raw) && string(method.of(b)) == "OPTIONS" {
			t.implied = '*' // §3.2.4
		}
	}
	return t.splitPath(b, span{whole.at + uint32(end), whole.end})
}

// views sets the parts that the target tells.
func (t *target) views(r *Request, b []byte) {
	r.Path = t.path.of(b)
	switch t.implied {
	case '/':
		r.Path = slash
	case '*':
		r.Path = asterisk
	}
	if t.hasQuery {
		r.Query = t.query.of(b)
	}
	if t.hasAuthority {
		r.Authority = t.authority.of(b)
	}
}

// isScheme follows RFC 3986 §3.1.
func isScheme(b []byte) bool {
	for i, c := range b {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return true
}

// isHTTP says whether a scheme is http or https, in any case.
func isHTTP(b []byte) bool {
	if len(b) == 5 && b[4]|0x20 == 's' {
		b = b[:4]
	}
	return len(b) == 4 && b[0]|0x20 == 'h' && b[1]|0x20 == 't' && b[2]|0x20 == 't' && b[3]|0x20 == 'p'
}

// validEscapes says whether every '%' begins a percent-encoded byte.
func validEscapes(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '%')
		if i < 0 {
			return true
		}
		if len(b) < i+3 || hexValue[b[i+1]] < 0 || hexValue[b[i+2]] < 0 {
			return false
		}
		b = b[i+3:]
	}
}

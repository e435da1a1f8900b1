package h2

import "bytes"

// splitPath parts :path from its query and checks both as codec/h1 does: visible ASCII without '#', which begins a
// fragment that is never sent, and in the path every '%' begins an escape.
func (r *Request) splitPath() error {
	for _, c := range r.Path {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return errPathByte
		}
	}
	if i := bytes.IndexByte(r.Path, '?'); i >= 0 {
		r.Path, r.Query = r.Path[:i:i], r.Path[i+1:]
	}
	for b := r.Path; ; {
		i := bytes.IndexByte(b, '%')
		if i < 0 {
			return nil
		}
		if len(b) < i+3 || !isHex(b[i+1]) || !isHex(b[i+2]) {
			return errPathEscape
		}
		b = b[i+3:]
	}
}

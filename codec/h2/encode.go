package h2

import "strconv"

// Blocks are made of static table entries and literals that no table keeps, so a connection has no encoder state, and
// no secret in a table can be guessed at by what follows it (RFC 7541 §7.1). No Huffman code: bytes are cheaper than the
// time.

// Representations of RFC 7541 §6.
const (
	reprIndexed = 0x80 // §6.1, 7 bits of index
	reprPlain   = 0x00 // §6.2.2, 4 bits of name index
	reprNever   = 0x10 // §6.2.3, 4 bits of name index
	reprTable   = 0x20 // §6.3, 5 bits of size
)

// Entries of the static table, RFC 7541 Appendix A.
const (
	atAuthority = 1
	atGET       = 2
	atPOST      = 3
	atSlash     = 4
	atHTTP      = 6
	atHTTPS     = 7
	atStatus    = 8
	firstName   = 15 // the first that is no pseudo-header field
	atAuthorize = 23
	atLength    = 28
	atCookie    = 32
	atProxyAuth = 49
	atSetCookie = 55
)

// staticNames are the names of the static table from firstName on.
var staticNames = [...]string{
	"accept-charset", "accept-encoding", "accept-language", "accept-ranges", "accept", "access-control-allow-origin",
	"age", "allow", "authorization", "cache-control", "content-disposition", "content-encoding", "content-language",
	"content-length", "content-location", "content-range", "content-type", "cookie", "date", "etag", "expect",
	"expires", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since",
	"last-modified", "link", "location", "max-forwards", "proxy-authenticate", "proxy-authorization", "range",
	"referer", "refresh", "retry-after", "server", "set-cookie", "strict-transport-security", "transfer-encoding",
	"user-agent", "vary", "via", "www-authenticate",
}

// staticIndex is the way back from a name.
var staticIndex = func() map[string]uint8 {
	m := make(map[string]uint8, len(staticNames))
	for i, name := range staticNames {
		m[name] = uint8(firstName + i)
	}
	return m
}()

// AppendTableZero says that this encoder uses no table. It comes first in the first block on a connection: a peer that
// has lowered its table's size waits for it, RFC 7541 §4.2.
func AppendTableZero(dst []byte) []byte { return append(dst, reprTable) }

// AppendStatus appends :status, which comes first in a response.
func AppendStatus(dst []byte, status int) []byte {
	switch status {
	case 200:
		return append(dst, reprIndexed|atStatus)
	case 204:
		return append(dst, reprIndexed|atStatus+1)
	case 206:
		return append(dst, reprIndexed|atStatus+2)
	case 304:
		return append(dst, reprIndexed|atStatus+3)
	case 400:
		return append(dst, reprIndexed|atStatus+4)
	case 404:
		return append(dst, reprIndexed|atStatus+5)
	case 500:
		return append(dst, reprIndexed|atStatus+6)
	}
	return append(dst, reprPlain|atStatus, 3, digit(status/100), digit(status/10), digit(status))
}

func digit(n int) byte { return '0' + byte(n%10) }

// AppendRequest appends the pseudo-header fields of a request, which come first; an empty scheme and path are left out,
// for CONNECT.
func AppendRequest[T []byte | string](dst []byte, method, scheme, authority, path T) []byte {
	switch string(method) {
	case "GET":
		dst = append(dst, reprIndexed|atGET)
	case "POST":
		dst = append(dst, reprIndexed|atPOST)
	default:
		dst = appendString(append(dst, reprPlain|atGET), method)
	}
	switch string(scheme) {
	case "":
	case "http":
		dst = append(dst, reprIndexed|atHTTP)
	case "https":
		dst = append(dst, reprIndexed|atHTTPS)
	default:
		dst = appendString(append(dst, reprPlain|atHTTP), scheme)
	}
	if len(authority) > 0 {
		dst = appendString(append(dst, reprPlain|atAuthority), authority)
	}
	switch string(path) {
	case "":
	case "/":
		dst = append(dst, reprIndexed|atSlash)
	default:
		dst = appendString(append(dst, reprPlain|atSlash), path)
	}
	return dst
}

// AppendProtocol appends :protocol, which belongs to the pseudo-header fields of an extended CONNECT, RFC 8441 §4.
func AppendProtocol[T []byte | string](dst []byte, protocol T) []byte {
	return appendString(appendString(append(dst, reprPlain), ":protocol"), protocol)
}

// AppendField appends one field, its name in lower case. Name and value go out as they are: where they come from
// outside, the caller checks them with field.IsToken and field.IsValue first. Credentials are marked as never to be kept
// in a table.
func AppendField[N, V []byte | string](dst []byte, name N, value V) []byte {
	at := len(dst)
	dst = appendInt(append(dst, reprPlain), 0x00, 7, uint64(len(name)))
	from := len(dst)
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	if i, ok := staticIndex[string(dst[from:])]; ok {
		repr := byte(reprPlain)
		switch i {
		case atAuthorize, atCookie, atProxyAuth, atSetCookie:
			repr = reprNever
		}
		dst = appendInt(dst[:at], repr, 4, uint64(i))
	}
	return appendString(dst, value)
}

// AppendContentLength appends a Content-Length field for n bytes.
func AppendContentLength(dst []byte, n int64) []byte {
	var digits [20]byte
	return appendString(appendInt(dst, reprPlain, 4, atLength), strconv.AppendInt(digits[:0], n, 10))
}

// appendString appends a string literal that is not Huffman-coded, RFC 7541 §5.2.
func appendString[T []byte | string](dst []byte, s T) []byte {
	return append(appendInt(dst, 0x00, 7, uint64(len(s))), s...)
}

// appendInt appends an integer behind a pattern that leaves it so many bits of the first byte, RFC 7541 §5.1.
func appendInt(dst []byte, pattern byte, bits uint, n uint64) []byte {
	full := uint64(1)<<bits - 1
	if n < full {
		return append(dst, pattern|byte(n))
	}
	dst = append(dst, pattern|byte(full))
	for n -= full; n >= 0x80; n >>= 7 {
		dst = append(dst, 0x80|byte(n))
	}
	return append(dst, byte(n))
}

package h1

import "strconv"

const (
	// CRLF ends every line, and the data of every chunk.
	CRLF = "\r\n"
	// LastChunk ends a chunked body that has no trailer section.
	LastChunk = "0\r\n\r\n"
)

// reasons are the phrases of RFC 9110 §15 and of the registry after it.
var reasons = [600]string{
	100: "Continue", 101: "Switching Protocols", 103: "Early Hints",
	200: "OK", 201: "Created", 202: "Accepted", 203: "Non-Authoritative Information",
	204: "No Content", 205: "Reset Content", 206: "Partial Content", 207: "Multi-Status",
	300: "Multiple Choices", 301: "Moved Permanently", 302: "Found", 303: "See Other",
	304: "Not Modified", 307: "Temporary Redirect", 308: "Permanent Redirect",
	400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden",
	404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
	407: "Proxy Authentication Required", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
	411: "Length Required", 412: "Precondition Failed", 413: "Content Too Large",
	414: "URI Too Long", 415: "Unsupported Media Type", 416: "Range Not Satisfiable",
	417: "Expectation Failed", 421: "Misdirected Request", 422: "Unprocessable Content",
	425: "Too Early", 426: "Upgrade Required", 428: "Precondition Required",
	429: "Too Many Requests", 431: "Request Header Fields Too Large",
	500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
	503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
	507: "Insufficient Storage", 511: "Network Authentication Required",
}

// Reason returns the phrase of a status code, empty for one without any.
func Reason(status int) string {
	if status < 0 || status >= len(reasons) {
		return ""
	}
	return reasons[status]
}

// AppendStatusLine appends "HTTP/1.minor status phrase CRLF". The space before
// an absent phrase stays, RFC 9112 §4.
func AppendStatusLine(dst []byte, minor uint8, status int) []byte {
	dst = append(dst, "HTTP/1."...)
	dst = append(dst, '0'+minor%10, ' ')
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, Reason(status)...)
	return append(dst, CRLF...)
}

// AppendRequestLine appends "method target HTTP/1.1 CRLF".
func AppendRequestLine(dst, method, target []byte) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, target...)
	return append(dst, " HTTP/1.1\r\n"...)
}

// AppendField appends "name: value CRLF". Name and value go out as they are:
// where they come from outside, the caller checks them with field.IsToken and
// field.IsValue first.
func AppendField[N, V []byte | string](dst []byte, name N, value V) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, CRLF...)
}

// AppendInt appends n in decimal.
func AppendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// AppendContentLength appends a whole Content-Length line for n bytes.
func AppendContentLength(dst []byte, n int64) []byte {
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, CRLF...)
}

// AppendChunkSize appends the line that opens a chunk of n bytes. A chunk of 0
// would end the body; that is LastChunk's to say.
func AppendChunkSize(dst []byte, n int) []byte {
	dst = strconv.AppendUint(dst, uint64(max(n, 0)), 16)
	return append(dst, CRLF...)
}

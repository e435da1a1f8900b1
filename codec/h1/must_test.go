package h1

import (
	"strings"
	"testing"
)

// One test per MUST of RFC 9112, and of RFC 9110 where it speaks of parsing,
// that a server's parser can keep or break.

// "A recipient MUST parse an HTTP message as a sequence of octets in an
// encoding that is a superset of US-ASCII." RFC 9112 §2.2
func TestMustParseOctets(t *testing.T) {
	wantRequest(t, lines("GET / HTTP/1.0", "A: \xff\xfe\x80"), "GET / HTTP/1.0 path=/ {A=\xff\xfe\x80} none  | ")
	// U+010D ends in 0x0d and U+010A in 0x0a when cut to a byte.
	wantRequest(t, lines("GET / HTTP/1.0", "A: \u010d\u010a"), "GET / HTTP/1.0 path=/ {A=\u010d\u010a} none  | ")
}

// "A recipient of such a bare CR MUST consider that element to be invalid or
// replace each bare CR with SP before processing the element or forwarding the
// message." RFC 9112 §2.2
func TestMustRefuseBareCR(t *testing.T) {
	for _, in := range []string{
		"\rGET / HTTP/1.0\r\n\r\n", "G\rET / HTTP/1.0\r\n\r\n", "GET\r / HTTP/1.0\r\n\r\n",
		"GET /\r HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\r\n\r\n", "GET / HTTP/1.0\r\n\rA: b\r\n\r\n",
		"GET / HTTP/1.0\r\nA\r: b\r\n\r\n", "GET / HTTP/1.0\r\nA:\rb\r\n\r\n",
		"GET / HTTP/1.0\r\nA: b\r\r\n\r\n", "GET / HTTP/1.0\r\nA: b\r\n\r\r\n",
	} {
		wantRefused(t, in, errBareCR)
	}
}

// "In the interest of robustness, a server that is expecting to receive and
// parse a request-line SHOULD ignore at least one empty line (CRLF) received
// prior to the request-line." RFC 9112 §2.2
func TestShouldIgnoreEmptyLine(t *testing.T) {
	wantRequest(t, "\r\n"+lines("GET / HTTP/1.0"), "GET / HTTP/1.0 path=/ none  | ")
}

// "A recipient that receives whitespace between the start-line and the first
// header field MUST either reject the message as invalid or consume each
// whitespace-preceded line without further processing of it." RFC 9112 §2.2
func TestMustRefuseSpaceBeforeFirstField(t *testing.T) {
	wantRefused(t, lines("GET / HTTP/1.1", " Host: a"), errFold)
	wantRefused(t, lines("GET / HTTP/1.1", "\tHost: a"), errFold)
	wantRefused(t, lines("GET / HTTP/1.1", " ", "Host: a"), errFold)
}

// "A server that receives a request-target longer than any URI it wishes to
// parse MUST respond with a 414 (URI Too Long) status code." RFC 9112 §3
func TestMustAnswer414(t *testing.T) {
	wantRefused(t, lines("GET /"+strings.Repeat("a", 9000)+" HTTP/1.0"), errLineTooLong)
	if errLineTooLong.Status != 414 {
		t.Error(errLineTooLong.Status)
	}
}

// "A server that receives a method longer than any that it implements SHOULD
// respond with a 501 (Not Implemented) status code." RFC 9112 §3
func TestShouldAnswer501ToLongMethod(t *testing.T) {
	wantRefused(t, lines(strings.Repeat("A", 33)+" / HTTP/1.0"), errMethodLong)
	if errMethodLong.Status != 501 {
		t.Error(errMethodLong.Status)
	}
}

// "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1
// request message that lacks a Host header field and to any request message
// that contains more than one Host header field line or a Host header field
// with an invalid field value." RFC 9112 §3.2
func TestMustAnswer400ToHost(t *testing.T) {
	for _, e := range []*Error{errHostMissing, errHostTwice, errHost} {
		if e.Status != 400 {
			t.Errorf("%s: %d", e.Reason, e.Status)
		}
	}
	wantRefused(t, lines("GET / HTTP/1.1"), errHostMissing)
	wantRefused(t, lines("GET http://a/ HTTP/1.1"), errHostMissing)
	wantRefused(t, lines("GET / HTTP/1.1", "Hosts: a", "X-Host: a"), errHostMissing)
	for _, version := range []string{"1.0", "1.1"} {
		wantRefused(t, lines("GET / HTTP/"+version, "Host: a", "Host: a"), errHostTwice)
		wantRefused(t, lines("GET / HTTP/"+version, "Host: a", "X: y", "hOST: b"), errHostTwice)
		wantRefused(t, lines("GET / HTTP/"+version, "Host:", "Host:"), errHostTwice)
		wantRefused(t, lines("GET / HTTP/"+version, "Host: a/b"), errHost)
		wantRefused(t, lines("GET http://a/ HTTP/"+version, "Host: a b"), errHost)
	}
}

// "When an origin server receives a request with an absolute-form of
// request-target, the origin server MUST ignore the received Host header field
// (if any) and instead use the host information of the request-target." "A
// server MUST accept the absolute-form in requests." RFC 9112 §3.2.2
func TestMustPreferAbsoluteForm(t *testing.T) {
	wantRequest(t, lines("GET http://a:80/p HTTP/1.1", "Host: b"), "GET http://a:80/p HTTP/1.1 path=/p for=a:80 {Host=b} none keep  | ")
	wantRequest(t, lines("GET http://a/p HTTP/1.0"), "GET http://a/p HTTP/1.0 path=/p for=a none  | ")
}

// "A sender MUST NOT generate an "http" URI with an empty host identifier. A
// recipient that processes such a URI reference MUST reject it as invalid."
// RFC 9110 §4.2.1, and §4.2.2 for https
func TestMustRefuseEmptyHost(t *testing.T) {
	wantRefused(t, lines("GET http:///p HTTP/1.1", "Host: a"), errTargetHost)
	wantRefused(t, lines("GET https://?q HTTP/1.1", "Host: a"), errTargetHost)
	wantRefused(t, lines("GET http://:80/ HTTP/1.1", "Host: a"), errTargetHost)
}

// "A server MUST reject, with a response status code of 400 (Bad Request), any
// received request message that contains whitespace between a header field name
// and colon." RFC 9112 §5.1
func TestMustRefuseSpaceBeforeColon(t *testing.T) {
	wantRefused(t, lines("GET / HTTP/1.1", "Host : a"), errNameSpace)
	wantRefused(t, lines("GET / HTTP/1.1", "Host\t: a"), errNameSpace)
	if errNameSpace.Status != 400 {
		t.Error(errNameSpace.Status)
	}
}

// "A server that receives an obs-fold in a request message that is not within a
// "message/http" container MUST either reject the message by sending a 400 (Bad
// Request) … or replace each received obs-fold." RFC 9112 §5.2
func TestMustRefuseFolding(t *testing.T) {
	wantRefused(t, lines("GET / HTTP/1.1", "Host: a", "A: b", " c"), errFold)
	wantRefused(t, lines("GET / HTTP/1.1", "Host: a", "A:", "\tc"), errFold)
	wantRefused(t, lines("GET / HTTP/1.1", "Host: a", "A: b", " "), errFold)
	if errFold.Status != 400 {
		t.Error(errFold.Status)
	}
}

// "A recipient of CR, LF, or NUL within a field value MUST either reject the
// message or replace each of those characters with SP." RFC 9110 §5.5
func TestMustRefuseControlsInValues(t *testing.T) {
	for c := range 256 {
		b := string([]byte{byte(c)})
		in := lines("GET / HTTP/1.1", "Host: a", "A: 12345"+b+"67")
		switch {
		case c == '\r':
			wantRefused(t, in, errBareCR)
		case c == '\n':
			wantRefused(t, in, errBareLF)
		case c < ' ' && c != '\t' || c == 0x7f:
			wantRefused(t, in, errValue)
		default:
			wantRequest(t, in, "GET / HTTP/1.1 path=/ for=a {Host=a} {A=12345"+b+"67} none keep  | ")
		}
	}
}

// "A recipient MUST parse and ignore a reasonable number of empty list
// elements." RFC 9110 §5.6.1.2
func TestMustIgnoreEmptyElements(t *testing.T) {
	wantRequest(t, lines("GET / HTTP/1.1", "Host: a", "Connection: , ,x,\t,close,"), "GET / HTTP/1.1 path=/ for=a {Host=a} {Connection=, ,x,\t,close,} none  | ")
}

// "A server that receives a 100-continue expectation in an HTTP/1.0 request
// MUST ignore that expectation." RFC 9110 §10.1.1
func TestMustIgnoreExpectIn10(t *testing.T) {
	wantRequest(t, lines("POST / HTTP/1.0", "Expect: 100-continue", "Content-Length: 1")+"x", "POST / HTTP/1.0 path=/ {Expect=100-continue} {Content-Length=1} length=1 x | ")
}

// "A server MUST ignore an Upgrade header field that is received in an HTTP/1.0
// request." RFC 9110 §7.8
func TestMustIgnoreUpgradeIn10(t *testing.T) {
	wantRequest(t, lines("GET / HTTP/1.0", "Connection: upgrade", "Upgrade: x"), "GET / HTTP/1.0 path=/ {Connection=upgrade} {Upgrade=x} none  | ")
}

// "A server or client that receives an HTTP/1.0 message containing a
// Transfer-Encoding header field MUST treat the message as if the framing is
// faulty, even if a Content-Length is present." RFC 9112 §6.1
func TestMustRefuseCodingIn10(t *testing.T) {
	wantRefused(t, lines("POST / HTTP/1.0", "Transfer-Encoding: chunked"), errCodingVersion)
	wantRefused(t, lines("POST / HTTP/1.0", "Content-Length: 1", "Transfer-Encoding: chunked"), errCodingVersion)
	wantResponseRefused(t, lines("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"), errCodingVersion)
}

// "If a Transfer-Encoding header field is present in a request and the chunked
// transfer coding is not the final encoding, the message body length cannot be
// determined reliably; the server MUST respond with the 400 (Bad Request)
// status code and then close the connection." RFC 9112 §6.3
func TestMustRefuseChunkedNotLast(t *testing.T) {
	for _, v := range []string{"chunked, gzip", "chunked,identity", "chunked,x"} {
		wantRefused(t, lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: "+v), errCodingLast)
	}
	wantRefused(t, lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip"), errCodingLast)
	if errCodingLast.Status != 400 {
		t.Error(errCodingLast.Status)
	}
}

// "A server that receives a request message with a transfer coding it does not
// understand SHOULD respond with 501 (Not Implemented)." RFC 9112 §6.1
func TestShouldAnswer501ToUnknownCoding(t *testing.T) {
	for _, v := range []string{"gzip, chunked", "identity,chunked", "xchunked, gzip, chunked"} {
		wantRefused(t, lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: "+v), errCodingUnknown)
	}
	if errCodingUnknown.Status != 501 {
		t.Error(errCodingUnknown.Status)
	}
}

// "If a Transfer-Encoding header field is present in a request and the chunked
// transfer coding is not the final encoding, the message body length cannot be
// determined reliably; the server MUST respond with the 400 (Bad Request) status
// code and then close the connection." RFC 9112 §6.3
func TestMustRefuseCodingWithoutChunked(t *testing.T) {
	for _, v := range []string{"gzip", "identity", "xchunked", "chunke", "chunkedd", "gzip, deflate"} {
		wantRefused(t, lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: "+v), errCodingLast)
	}
}

// "If a message is received without Transfer-Encoding and with an invalid
// Content-Length header field, then the message framing is invalid … the server
// MUST respond with a 400 (Bad Request) status code and then close the
// connection." RFC 9112 §6.3
func TestMustRefuseInvalidLength(t *testing.T) {
	for _, v := range []string{"", "+5", "-5", "5 5", "5,5", "5, 5", "5, 6", "0x5", "5.0", "5e1", "five", "\xb2", "5;", "\"5\"", "5\t5", ",5", "5,"} {
		wantRefused(t, lines("POST / HTTP/1.1", "Host: a", "Content-Length: "+v), errLength)
	}
	if errLength.Status != 400 || errLengthTwice.Status != 400 {
		t.Error(errLength.Status, errLengthTwice.Status)
	}
}

// "A recipient MUST anticipate potentially large decimal numerals and prevent
// parsing errors due to integer conversion overflows." RFC 9110 §8.6
func TestMustRefuseOverflowingLength(t *testing.T) {
	wantRequest(t, lines("POST / HTTP/1.0", "Content-Length: 9223372036854775807"), "POST / HTTP/1.0 path=/ {Content-Length=9223372036854775807} length=9223372036854775807 … | ")
	for _, v := range []string{"9223372036854775808", "18446744073709551615", "18446744073709551621", "99999999999999999999999"} {
		wantRefused(t, lines("POST / HTTP/1.0", "Content-Length: "+v), errLengthHuge)
	}
}

// "Recipients MUST anticipate potentially large hexadecimal numerals and
// prevent parsing errors due to integer conversion overflows or precision loss
// due to integer representation." RFC 9112 §7.1
func TestMustRefuseOverflowingChunk(t *testing.T) {
	f := func(in, want string) { t.Helper(); wantBody(t, Chunked, 0, in, want, &DefaultLimits) }
	f("7fffffffffffffff\r\na", " a… | ")
	f("8000000000000000\r\na", " ✗ 400 chunk size does not fit")
	f("ffffffffffffffff\r\na", " ✗ 400 chunk size does not fit")
	f("10000000000000000\r\na", " ✗ 400 chunk size does not fit")
	f("00000000000000005\r\na", " ✗ 400 chunk size does not fit")
	f("1\r\na\r\n7fffffffffffffff\r\n", " a✗ 413 body too long")
}

// "A recipient MUST ignore unrecognized chunk extensions." RFC 9112 §7.1.1
func TestMustIgnoreExtensions(t *testing.T) {
	f := func(ext string) {
		t.Helper()
		wantBody(t, Chunked, 0, "3"+ext+"\r\nabc\r\n0"+ext+"\r\n\r\n", " abc | ", &DefaultLimits)
	}
	f("")
	f(";a")
	f(";a;b")
	f(";a=b;c=\"d\"")
	f(";a=\"\"")
	f(";a=\"; \\\" \t\\\\ \x80 =,\";b")
}

// "If the sender closes the connection or the recipient times out before the
// indicated number of octets are received, the recipient MUST consider the
// message to be incomplete and close the connection." RFC 9112 §6.3
func TestMustNoticeCutBody(t *testing.T) {
	f := func(framing Framing, length int64, in string, complete bool) {
		t.Helper()
		var d Body
		d.Start(framing, length)
		for b := []byte(in); ; {
			ev, _, n, err := d.Next(b, &DefaultLimits)
			if b = b[n:]; err != nil {
				t.Fatalf("%q: %v", in, err)
			} else if ev == NeedMore || ev == End {
				break
			}
		}
		if err := d.EOF(); (err == nil) != complete || complete != d.Ended() {
			t.Errorf("%q: EOF says %v, ended is %v", in, err, d.Ended())
		}
	}
	f(None, 0, "", true)
	f(Length, 0, "", true)
	f(Length, 3, "abc", true)
	f(Length, 3, "ab", false)
	f(Length, 3, "", false)
	f(UntilClose, 0, "", true)
	f(UntilClose, 0, "abc", true)
	f(Chunked, 0, "0\r\n\r\n", true)
	f(Chunked, 0, "3\r\nabc\r\n0\r\n\r\n", true)
	f(Chunked, 0, "3\r\nabc\r\n0\r\n\r", false)
	f(Chunked, 0, "3\r\nabc\r\n", false)
	f(Chunked, 0, "3\r\nab", false)
	f(Chunked, 0, "", false)
}

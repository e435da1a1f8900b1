package h1

import "testing"

// Each vector of request smuggling here has been read in two ways by some pair
// of servers. After a refusal the connection is closed, so nothing that follows
// is ever taken for a request.
const te, cl = "Transfer-Encoding: chunked", "Content-Length: 5"

// wantSmuggled adds fields to a request that would be accepted without them.
func wantSmuggled(t *testing.T, want *Error, fields ...string) {
	t.Helper()
	in := lines(append([]string{"POST / HTTP/1.1", "Host: a"}, fields...)...)
	wantRefused(t, in+"0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n", want)
}

// Both framings, in either order and in any disguise.
func TestSmugglingBoth(t *testing.T) {
	f := func(want *Error, fields ...string) { t.Helper(); wantSmuggled(t, want, fields...) }
	f(errLengthCoding, te, cl)
	f(errLengthCoding, cl, te)
	f(errLengthCoding, te, "Content-Length: 0")
	f(errLengthCoding, te, "Content-Length: x")
	f(errLengthCoding, te, "A: b", "CONTENT-LENGTH:5")
	f(errLengthCoding, cl, "Transfer-Encoding: identity")
	f(errLengthCoding, cl, "Transfer-Encoding:")
	f(errLengthCoding, cl, "tRANSFER-eNCODING:\tchunked\t")
}

// Names that some reader takes for Transfer-Encoding.
func TestSmugglingNames(t *testing.T) {
	f := func(want *Error, fields ...string) { t.Helper(); wantSmuggled(t, want, fields...) }
	f(errNameSpace, cl, "Transfer-Encoding : chunked")
	f(errNameSpace, cl, "Transfer-Encoding\t: chunked")
	f(errNameSpace, cl, "Transfer Encoding: chunked")
	f(errFold, cl, " Transfer-Encoding: chunked")
	f(errFold, cl, "\tTransfer-Encoding: chunked")
	f(errName, cl, "Transfer-Encoding\x00: chunked")
	f(errName, cl, "Transfer-Encoding\x0b: chunked")
	f(errName, cl, "\x00Transfer-Encoding: chunked")
	f(errName, cl, "\x0bTransfer-Encoding: chunked")
	f(errName, cl, "Transfer-Encoding\xa0: chunked")
	f(errName, cl, "\"Transfer-Encoding\": chunked")
	f(errName, cl, "Transfer-Encoding=chunked")
	f(errName, cl, "Transfer-Encoding; chunked")
	f(errBareCR, cl, "Transfer-Encoding")
	f(errNameEmpty, cl, ": chunked")
	f(errNameEmpty, cl, ":Transfer-Encoding: chunked")
	f(errBareCR, cl, "\rTransfer-Encoding: chunked")
	f(errBareLF, cl, "\nTransfer-Encoding: chunked")
	f(errBareLF, cl, "A: b\nTransfer-Encoding: chunked")
	f(errBareCR, cl, "A: b\rTransfer-Encoding: chunked")
	f(errBareLF, cl, "A:\nTransfer-Encoding: chunked")
}

// Values that some reader takes for chunked.
func TestSmugglingCodings(t *testing.T) {
	f := func(want *Error, fields ...string) { t.Helper(); wantSmuggled(t, want, fields...) }
	f(errValue, "Transfer-Encoding: \x0bchunked")
	f(errValue, "Transfer-Encoding: \x0cchunked")
	f(errValue, "Transfer-Encoding: chunked\x00")
	f(errValue, "Transfer-Encoding: chunked\x7f")
	f(errBareCR, "Transfer-Encoding: chunked\r")
	f(errBareLF, "Transfer-Encoding:\n chunked")
	f(errCoding, "Transfer-Encoding:", " chunked") // refused before the fold is seen
	f(errFold, "A:", " Transfer-Encoding: chunked")
	f(errCoding, "Transfer-Encoding:")
	f(errCoding, "Transfer-Encoding: ,")
	f(errCoding, "Transfer-Encoding: chunked,")
	f(errCoding, "Transfer-Encoding: ,chunked")
	f(errCoding, "Transfer-Encoding: chunked;q=1")
	f(errCoding, "Transfer-Encoding: chunked;")
	f(errCoding, "Transfer-Encoding: \"chunked\"")
	f(errCoding, "Transfer-Encoding: chunked chunked")
	f(errCoding, "Transfer-Encoding: chunked\xa0")
	f(errCoding, "Transfer-Encoding: \xa0chunked")
	f(errCoding, "Transfer-Encoding: ch\xc3\xbcnked")
	f(errCoding, "Transfer-Encoding: [chunked]")
	f(errCodingLast, "Transfer-Encoding: 'chunked'")
	f(errCodingLast, "Transfer-Encoding: xchunked")
	f(errCodingLast, "Transfer-Encoding: identity")
	f(errCodingUnknown, "Transfer-Encoding: identity, chunked")
	f(errCodingLast, "Transfer-Encoding: cow", te)
	f(errCodingTwice, "Transfer-Encoding: chunked, chunked")
	f(errCodingTwice, te, te)
	f(errCodingTwice, te, "Transfer-Encoding: Chunked")
	f(errCodingLast, te, "Transfer-Encoding: identity")
	f(errCodingLast, "Transfer-Encoding: chunked, cow")
}

// Lengths that some readers take for different numbers.
func TestSmugglingLengths(t *testing.T) {
	f := func(want *Error, fields ...string) { t.Helper(); wantSmuggled(t, want, fields...) }
	f(errLengthTwice, cl, cl)
	f(errLengthTwice, cl, "Content-Length: 6")
	f(errLengthTwice, "Content-Length: 0", cl)
	f(errLength, "Content-Length: 5, 5")
	f(errLength, "Content-Length: 5,6")
	f(errLength, "Content-Length: +5")
	f(errLength, "Content-Length: -0")
	f(errLength, "Content-Length: 0x5")
	f(errLength, "Content-Length: 5 5")
	f(errLength, "Content-Length: 5\t6")
	f(errLength, "Content-Length: 5;")
	f(errLength, "Content-Length: 5\xa0")
	f(errLength, "Content-Length: \xd9\xa5") // an Arabic five
	f(errLength, "Content-Length:")
	f(errLengthHuge, "Content-Length: 18446744073709551621")
	f(errNameSpace, "Content-Length : 5")
	f(errName, "Content-Length\x00: 5")
	f(errValue, "Content-Length: 5\x00")
	f(errValue, "Content-Length: \x0b5")
	f(errFold, cl, " 6")
}

// What is no framing field must not be taken for one either.
func TestSmugglingLookalikes(t *testing.T) {
	f := func(line, shown string) {
		t.Helper()
		wantRequest(t, lines("POST / HTTP/1.1", "Host: a", line)+"GET", "POST / HTTP/1.1 path=/ for=a {Host=a} {"+shown+"} none keep  | GET")
	}
	f("Transfer_Encoding: chunked", "Transfer_Encoding=chunked")
	f("Transfer-Encodin: chunked", "Transfer-Encodin=chunked")
	f("Transfer-Encodings: chunked", "Transfer-Encodings=chunked")
	f("X-Transfer-Encoding: chunked", "X-Transfer-Encoding=chunked")
	f("Content_Length: 5", "Content_Length=5")
	f("Content-Lengths: 5", "Content-Lengths=5")
	f("Content-LengtI: 5", "Content-LengtI=5")
	f("A: Transfer-Encoding: chunked", "A=Transfer-Encoding: chunked")
	f("TE: chunked", "TE=chunked")
}

// The request line and Host route; what some hop reads otherwise is refused.
func TestSmugglingLine(t *testing.T) {
	f := func(line string, want *Error) { t.Helper(); wantRefused(t, lines(line, "Host: a"), want) }
	f("GET / HTTP/1.1 ", errLineEnd)
	f("GET / HTTP/1.1\t", errLineEnd)
	f("GET / HTTP/1.1 X", errLineEnd)
	f(" GET / HTTP/1.1", errMethod)
	f("GET  / HTTP/1.1", errTargetByte)
	f("GET /  HTTP/1.1", errVersion)
	f("GET\t/\tHTTP/1.1", errMethod)
	f("GET /\tHTTP/1.1", errTargetByte)
	f("GET /\x0bHTTP/1.1", errTargetByte)
	f("GET /a b HTTP/1.1", errVersion)
	f("GET / HTTP/1.1 HTTP/1.1", errLineEnd)
	f("GET / http/1.1", errVersion)
	f("GET / Http/1.1", errVersion)
	f("GET / HTTP/1", errBareCR)
	f("GET / HTTP/01.1", errVersion)
	f("GET / HTTP/1.01", errLineEnd)
	f("GET / HTTP/1,1", errVersion)
	f("GET / HTTP /1.1", errVersion)
	f("GET / HTTPS/1.1", errVersion)
	f("GET / HTTP/+1.1", errVersion)
	f("GET / HTTP/1.x", errVersion)
	f("GET / HTTP/2.0", errVersion505)
	f("PRI * HTTP/2.0", errTargetForm)
	f("GET /", errBareCR)
	f("GET", errBareCR)
	f("", errMethod)
	f("GET\x00 / HTTP/1.1", errMethod)
	f("GET /\x00 HTTP/1.1", errTargetByte)
}

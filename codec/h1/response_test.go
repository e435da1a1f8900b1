package h1

import "testing"

func TestResponseAccepted(t *testing.T) {
	f := func(in, want string) { t.Helper(); wantResponse(t, AskedOther, in, want) }
	f(lines("HTTP/1.1 200 OK", "Content-Length: 3")+"abcHTTP", "HTTP/1.1 200 OK {Content-Length=3} length=3 keep abc | HTTP")
	f(lines("HTTP/1.1 200 OK", "Content-Length: 0")+"HTTP", "HTTP/1.1 200 OK {Content-Length=0} length=0 keep  | HTTP")
	f(lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")+"3\r\nabc\r\n0\r\nA: b\r\n\r\nHTTP", "HTTP/1.1 200 OK {Transfer-Encoding=chunked} chunked keep abc[A=b] | HTTP")
	f(lines("HTTP/1.1 200 OK")+"abc", "HTTP/1.1 200 OK until-close abc… | ")
	f(lines("HTTP/1.0 200 OK", "Content-Length: 1", "Connection: keep-alive")+"a", "HTTP/1.0 200 OK {Content-Length=1} {Connection=keep-alive} length=1 keep a | ")
	f(lines("HTTP/1.1 200 OK", "Content-Length: 1", "Connection: close")+"a", "HTTP/1.1 200 OK {Content-Length=1} {Connection=close} length=1 a | ")
	f(lines("HTTP/1.1 200 OK", "Host: a/b", "Expect: x", "Content-Length: 0"), "HTTP/1.1 200 OK {Host=a/b} {Expect=x} {Content-Length=0} length=0 keep  | ")
	// Reason phrases, and none, with its space or without.
	f(lines("HTTP/1.1 404 Not\tFound \x80", "Content-Length: 0"), "HTTP/1.1 404 Not\tFound \x80 {Content-Length=0} length=0 keep  | ")
	f(lines("HTTP/1.1 204 "), "HTTP/1.1 204  none keep  | ")
	f(lines("HTTP/1.1 204"), "HTTP/1.1 204  none keep  | ")
	f(lines("HTTP/1.1 599  x"), "HTTP/1.1 599  x until-close … | ")
	f("HTTP/1.1 200 OK\r\n", "more | ")
}

// "Any response to a HEAD request and any response with a 1xx (Informational),
// 204 (No Content), or 304 (Not Modified) status code is always terminated by
// the first empty line after the header fields, regardless of the header fields
// present in the message." RFC 9112 §6.3
func TestResponseWithoutBody(t *testing.T) {
	f := func(asked Asked, status, fields, want string) {
		t.Helper()
		wantResponse(t, asked, lines("HTTP/1.1 "+status, fields)+"HTTP", "HTTP/1.1 "+status+" {"+want+" | HTTP")
	}
	f(AskedHead, "200 OK", "Content-Length: 5", "Content-Length=5} none keep ")
	f(AskedHead, "200 OK", "Transfer-Encoding: chunked", "Transfer-Encoding=chunked} none keep ")
	f(AskedHead, "404 NF", "A: b", "A=b} none keep ")
	f(AskedOther, "304 NM", "Content-Length: 5", "Content-Length=5} none keep ")
	f(AskedOther, "204 NC", "Content-Length: 5", "Content-Length=5} none keep ")
	f(AskedOther, "100 C", "A: b", "A=b} none keep ")
	f(AskedOther, "103 EH", "Content-Length: 5", "Content-Length=5} none keep ")
}

// "Any 2xx (Successful) response to a CONNECT request implies that the
// connection will become a tunnel … A client MUST ignore any Content-Length or
// Transfer-Encoding header fields received in such a message." RFC 9112 §6.3
func TestResponseToConnect(t *testing.T) {
	f := func(in, want string) { t.Helper(); wantResponse(t, AskedConnect, in, want) }
	f(lines("HTTP/1.1 200 OK", "Content-Length: 5")+"raw", "HTTP/1.1 200 OK {Content-Length=5} none keep  | raw")
	f(lines("HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: x")+"raw", "HTTP/1.1 200 OK {Content-Length=5} {Transfer-Encoding=x} none keep  | raw")
	f(lines("HTTP/1.0 299 OK", "Transfer-Encoding: chunked")+"raw", "HTTP/1.0 299 OK {Transfer-Encoding=chunked} none  | raw")
	f(lines("HTTP/1.1 407 No", "Content-Length: 1")+"araw", "HTTP/1.1 407 No {Content-Length=1} length=1 keep a | raw")
	f(lines("HTTP/1.1 300 No", "Content-Length: 1")+"araw", "HTTP/1.1 300 No {Content-Length=1} length=1 keep a | raw")
}

func TestResponseUpgrade(t *testing.T) {
	wantResponse(t, AskedOther, lines("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")+"\x81",
		"HTTP/1.1 101 Switching Protocols {Upgrade=websocket} {Connection=Upgrade} none keep upgrade  | \x81")
}

func TestResponseRefused(t *testing.T) {
	f := func(in string, want *Error) { t.Helper(); wantResponseRefused(t, in, want) }
	f("\r\n"+lines("HTTP/1.1 200 OK"), errBareCR)
	f(lines("http/1.1 200 OK"), errVersion)
	f(lines("ICY 200 OK"), errVersion)
	f(lines("HTTP/2.0 200 OK"), errVersion505)
	f(lines("HTTP/1.1  200 OK"), errStatus)
	f(lines("HTTP/1.1\t200 OK"), errStatus)
	f(lines("HTTP/1.1"), errBareCR)
	f(lines("HTTP/1.1 "), errBareCR)
	f(lines("HTTP/1.1 20"), errBareCR)
	f(lines("HTTP/1.1 20 OK"), errStatus)
	f(lines("HTTP/1.1 2000 OK"), errStatus)
	f(lines("HTTP/1.1 099 OK"), errStatus)
	f(lines("HTTP/1.1 600 OK"), errStatus)
	f(lines("HTTP/1.1 +20 OK"), errStatus)
	f(lines("HTTP/1.1 200\tOK"), errStatus)
	f(lines("HTTP/1.1 200-OK"), errStatus)
	f(lines("HTTP/1.1 200 O\x00K"), errReasonByte)
	f(lines("HTTP/1.1 200 O\x7fK"), errReasonByte)
	f("HTTP/1.1 200 OK\n\n", errBareLF)
	f("HTTP/1.1 200\n\n", errBareLF)
	f("HTTP/1.1 200 O\rK", errBareCR)
	f(lines("HTTP/1.1 200 OK", " A: b"), errFold)
	f(lines("HTTP/1.1 200 OK", "A: b", " c"), errFold)
	f(lines("HTTP/1.1 200 OK", "A : b"), errNameSpace)
	f(lines("HTTP/1.1 200 OK", "A: \x00"), errValue)
	f(lines("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"), errLengthTwice)
	f(lines("HTTP/1.1 200 OK", "Content-Length: 5, 5"), errLength)
	f(lines("HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked"), errLengthCoding)
	f(lines("HTTP/1.1 200 OK", "Transfer-Encoding: gzip"), errCodingLast)
	f(lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), errCodingTwice)
	f(lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")+"0x1\r\n", errChunkSize)
}

func TestResponseLimits(t *testing.T) {
	lim := Limits{RequestLine: 20, HeadBytes: 44, Fields: 1, Body: 9}
	f := func(asked Asked, in, want string) {
		t.Helper()
		got := everySplit(t, in, func(f *feeder) outcome { return parseResponse(f, asked, &lim) })
		if got.String() != want {
			t.Errorf("%q:\n  got  %s\n  want %s", in, got, want)
		}
	}
	f(AskedOther, lines("HTTP/1.1 204 12345"), "HTTP/1.1 204 12345 none keep  | ")
	f(AskedOther, lines("HTTP/1.1 204 123456"), "✗ 414 start line too long")
	f(AskedOther, lines("HTTP/1.1 204 12345", "A: 67890123456789017"), "HTTP/1.1 204 12345 {A=67890123456789017} none keep  | ")
	f(AskedOther, lines("HTTP/1.1 204 12345", "A: 678901234567890178"), "✗ 431 head too long")
	f(AskedOther, lines("HTTP/1.1 204 N", "A:", "B:"), "✗ 431 too many fields")
	f(AskedOther, lines("HTTP/1.1 200 N", "Content-Length: 9")+"123456789", "HTTP/1.1 200 N {Content-Length=9} length=9 keep 123456789 | ")
	f(AskedOther, lines("HTTP/1.1 200 N", "Content-Length: 10"), "✗ 413 body too long")
	f(AskedHead, lines("HTTP/1.1 200 N", "Content-Length: 10"), "HTTP/1.1 200 N {Content-Length=10} none keep  | ")
}

func TestAskedFor(t *testing.T) {
	f := func(method string, want Asked) {
		t.Helper()
		if got := AskedFor([]byte(method)); got != want {
			t.Errorf("%s: %d, want %d", method, got, want)
		}
	}
	f("HEAD", AskedHead)
	f("CONNECT", AskedConnect)
	f("GET", AskedOther)
	f("head", AskedOther)
}

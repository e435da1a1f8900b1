package h1

import (
	"strings"
	"testing"
)

func TestRequestAccepted(t *testing.T) {
	f := func(in, want string) { t.Helper(); wantRequest(t, in, want) }
	// Versions and persistence.
	f(lines("GET / HTTP/1.1", "Host: a"), "GET / HTTP/1.1 path=/ for=a {Host=a} none keep  | ")
	f(lines("GET / HTTP/1.0"), "GET / HTTP/1.0 path=/ none  | ")
	f(lines("GET / HTTP/1.0", "Connection: keep-alive"), "GET / HTTP/1.0 path=/ {Connection=keep-alive} none keep  | ")
	f(lines("GET / HTTP/1.0", "Connection: Keep-Alive, Close"), "GET / HTTP/1.0 path=/ {Connection=Keep-Alive, Close} none  | ")
	f(lines("GET / HTTP/1.1", "Host: a", "Connection: x,,CLOSE"), "GET / HTTP/1.1 path=/ for=a {Host=a} {Connection=x,,CLOSE} none  | ")
	f(lines("GET / HTTP/1.1", "Host: a", "Connection: x", "Connection: close"), "GET / HTTP/1.1 path=/ for=a {Host=a} {Connection=x} {Connection=close} none  | ")
	// Methods: any token, case kept.
	f(lines("get / HTTP/1.1", "Host: a"), "get / HTTP/1.1 path=/ for=a {Host=a} none keep  | ")
	f(lines("!#$%&'*+-.^_`|~0aZ / HTTP/1.1", "Host: a"), "!#$%&'*+-.^_`|~0aZ / HTTP/1.1 path=/ for=a {Host=a} none keep  | ")
	// Fields: whitespace around values, empty values, obs-text, odd names.
	f(lines("GET / HTTP/1.1", "Host:a", "A: \t b c\t ", "B:", "C: \t"), "GET / HTTP/1.1 path=/ for=a {Host=a} {A=b c} {B=} {C=} none keep  | ")
	f(lines("GET / HTTP/1.1", "hOST: a", "X: \x80\xff\"\\", "0!: :"), "GET / HTTP/1.1 path=/ for=a {hOST=a} {X=\x80\xff\"\\} {0!=:} none keep  | ")
	f(lines("GET / HTTP/1.1", "Host: a", "X: \u00e9\tsnow \u2603 man and a tab\tor two\t."), "GET / HTTP/1.1 path=/ for=a {Host=a} {X=\u00e9\tsnow \u2603 man and a tab\tor two\t.} none keep  | ")
	// Framing, and what follows the message.
	f(lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5")+"helloGET", "POST / HTTP/1.1 path=/ for=a {Host=a} {Content-Length=5} length=5 keep hello | GET")
	f(lines("POST / HTTP/1.1", "Host: a", "Content-Length: 0")+"GET", "POST / HTTP/1.1 path=/ for=a {Host=a} {Content-Length=0} length=0 keep  | GET")
	f(lines("POST / HTTP/1.1", "Host: a", "content-length: 0005")+"hell", "POST / HTTP/1.1 path=/ for=a {Host=a} {content-length=0005} length=5 keep hell… | ")
	f(lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: CHUNKED")+"3\r\nabc\r\n0\r\n\r\nGET", "POST / HTTP/1.1 path=/ for=a {Host=a} {Transfer-Encoding=CHUNKED} chunked keep abc | GET")
	// Expect and Upgrade.
	f(lines("POST / HTTP/1.1", "Host: a", "Expect: 100-Continue", "Content-Length: 1"), "POST / HTTP/1.1 path=/ for=a {Host=a} {Expect=100-Continue} {Content-Length=1} length=1 keep expect … | ")
	f(lines("POST / HTTP/1.1", "Host: a", "Expect: 100-continue"), "POST / HTTP/1.1 path=/ for=a {Host=a} {Expect=100-continue} none keep  | ")
	f(lines("GET / HTTP/1.1", "Host: a", "Expect:"), "GET / HTTP/1.1 path=/ for=a {Host=a} {Expect=} none keep  | ")
	f(lines("GET / HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: keep-alive, Upgrade"), "GET / HTTP/1.1 path=/ for=a {Host=a} {Upgrade=websocket} {Connection=keep-alive, Upgrade} none keep upgrade  | ")
	f(lines("GET / HTTP/1.1", "Host: a", "Upgrade: websocket"), "GET / HTTP/1.1 path=/ for=a {Host=a} {Upgrade=websocket} none keep  | ")
	// Unfinished.
	f("", "more | ")
	f("GET / HTTP/1.1\r\nHost: a\r\n\r", "more | ")
}

func TestTarget(t *testing.T) {
	f := func(method, target, want string) {
		t.Helper()
		wantRequest(t, lines(method+" "+target+" HTTP/1.1", "Host: h"), method+" "+target+" HTTP/1.1 "+want+" {Host=h} none keep  | ")
	}
	// origin-form
	f("GET", "/a/b%20%0F%f0c", "path=/a/b%20%0F%f0c for=h")
	f("GET", "/?", "path=/ query= for=h")
	f("GET", "/a?b=c?d%zz", "path=/a query=b=c?d%zz for=h")
	f("GET", "//evil/..;/%2e", "path=//evil/..;/%2e for=h")
	f("GET", "/\"<>[]^`{|}\\", "path=/\"<>[]^`{|}\\ for=h")
	f("OPTIONS", "/x", "path=/x for=h")
	// absolute-form: its authority wins over Host
	f("GET", "http://o/p?q", "path=/p query=q for=o")
	f("GET", "HTTPS://o:443/p", "path=/p for=o:443")
	f("GET", "http://o", "path=/ for=o")
	f("GET", "http://o?q", "path=/ query=q for=o")
	f("GET", "http://[::1]:80/", "path=/ for=[::1]:80")
	f("OPTIONS", "http://o", "path=* for=o")
	f("OPTIONS", "http://o?", "path=/ query= for=o")
	f("OPTIONS", "http://o/", "path=/ for=o")
	// authority-form and asterisk-form
	f("CONNECT", "o:443", "path= for=o:443")
	f("CONNECT", "[2001:db8::1]:443", "path= for=[2001:db8::1]:443")
	f("OPTIONS", "*", "path=* for=h")
}

// Visible ASCII is let through, but for the fragment that is never sent.
func TestTargetBytes(t *testing.T) {
	for i := range 256 {
		c := byte(i)
		b := []byte{'/', '?', c, '.'}
		want := 4
		if c <= ' ' || c >= 0x7f || c == '#' {
			want = 2
		}
		if got := targetRun(b); got != want {
			t.Errorf("%#x: a run of %d, want %d", c, got, want)
		}
	}
}

func TestTargetRefused(t *testing.T) {
	f := func(method, target string, want *Error) {
		t.Helper()
		wantRefused(t, lines(method+" "+target+" HTTP/1.1", "Host: h"), want)
	}
	f("GET", "*", errTargetForm)
	f("GET", "**", errTargetForm)
	f("OPTIONS", "*a", errTargetForm)
	f("GET", "a", errTargetForm)
	f("GET", "a/b", errTargetForm)
	f("GET", "?q", errTargetForm)
	f("GET", "h:80", errScheme)
	f("GET", "h_:80", errTargetForm)
	f("GET", "1http://o/", errTargetForm)
	f("GET", "://o/", errTargetForm)
	f("GET", "ftp://o/", errScheme)
	f("GET", "httpx://o/", errScheme)
	f("GET", "http:/o/", errTargetForm)
	f("GET", "http:o", errTargetForm)
	f("GET", "http:", errTargetForm)
	f("GET", "http://", errTargetHost)
	f("GET", "http:///p", errTargetHost)
	f("GET", "http://:80/p", errTargetHost)
	f("GET", "http://u@o/", errTargetHost)
	f("GET", "http://u:p@o/", errTargetHost)
	f("GET", "http://o:x/", errTargetHost)
	f("GET", "http://o\\x/", errTargetHost)
	f("GET", "http://[::1/", errTargetHost)
	f("GET", "/a#f", errTargetByte)
	f("GET", "/\x80", errTargetByte)
	f("GET", "/\u00e9", errTargetByte)
	f("GET", "/\x00", errTargetByte)
	f("GET", "/\x7f", errTargetByte)
	f("GET", "/\t", errTargetByte)
	f("GET", "/a%", errTargetPath)
	f("GET", "/a%2", errTargetPath)
	f("GET", "/a%2g", errTargetPath)
	f("GET", "/%%20", errTargetPath)
	f("GET", "http://o/%", errTargetPath)
	f("CONNECT", "/", errConnectForm)
	f("CONNECT", "*", errConnectForm)
	f("CONNECT", "o", errConnectForm)
	f("CONNECT", "o:", errConnectForm)
	f("CONNECT", ":443", errConnectForm)
	f("CONNECT", "[::1]", errConnectForm)
	f("CONNECT", "[::1]:", errConnectForm)
	f("CONNECT", "o:443/", errConnectForm)
	f("CONNECT", "u@o:443", errConnectForm)
	f("CONNECT", "http://o:443", errConnectForm)
}

// The answer must not wait for the rest of the head: these are refused at their
// last byte, whatever would have followed.
func TestRefusedEarly(t *testing.T) {
	f := func(in string, want *Error) { t.Helper(); wantEarly(t, in, want) }
	f("\x16", errMethod) // a TLS ClientHello
	f("\x00", errMethod)
	f(" ", errMethod)
	f("\n", errBareLF)
	f("\r\r", errBareCR)
	f("\r\n\n", errBareLF)
	f("\r\n\r\n\r", errEmptyLines)
	f("GET\t", errMethod)
	f("GET\n", errBareLF)
	f("GET\r", errBareCR)
	f("G(", errMethod)
	f("G\x80", errMethod)
	f(strings.Repeat("A", 33), errMethodLong)
	f("GET  ", errTargetByte)
	f("GET \t", errTargetByte)
	f("GET /\n", errBareLF)
	f("GET /\r", errBareCR)
	f("GET /#", errTargetByte)
	f("GET x ", errTargetForm)
	f("GET /"+strings.Repeat("a", 8<<10-5), errLineTooLong)
	f("GET / X", errVersion)
	f("GET /  ", errVersion)
	f("GET / h", errVersion)
	f("GET / HTTP\\", errVersion)
	f("GET / HTTP/\n", errBareLF)
	f("GET / HTTP/1.\r", errBareCR)
	f("GET / HTTP/x", errVersion)
	f("GET / HTTP/11", errVersion)
	f("GET / HTTP/2.0", errVersion505)
	f("GET / HTTP/1.2", errVersion505)
	f("GET / HTTP/0.9", errVersion505)
	f("GET / HTTP/9.9", errVersion505)
	f("GET / HTTP/1.1 ", errLineEnd)
	f("GET / HTTP/1.11", errLineEnd)
	f("GET / HTTP/1.1\n", errBareLF)
	f("GET / HTTP/1.1\rX", errBareCR)
	f("GET / HTTP/1.1\r\n ", errFold)
	f("GET / HTTP/1.1\r\n\t", errFold)
	f("GET / HTTP/1.1\r\n\n", errBareLF)
	f("GET / HTTP/1.1\r\n:", errNameEmpty)
	f("GET / HTTP/1.1\r\nA\x80", errName)
	f("GET / HTTP/1.1\r\nA\x00", errName)
	f("GET / HTTP/1.1\r\nA\n", errBareLF)
	f("GET / HTTP/1.1\r\nA\r", errBareCR)
	f("GET / HTTP/1.1\r\nA ", errNameSpace)
	f("GET / HTTP/1.1\r\nA\t", errNameSpace)
	f("GET / HTTP/1.1\r\nA: 12345678\x00", errValue)
	f("GET / HTTP/1.1\r\nA: \x0b", errValue)
	f("GET / HTTP/1.1\r\nA: \t\x1f", errValue)
	f("GET / HTTP/1.1\r\nA: b\x7f", errValue)
	f("GET / HTTP/1.1\r\nA: b\n", errBareLF)
	f("GET / HTTP/1.1\r\nA:\n", errBareLF)
	f("GET / HTTP/1.1\r\nA: b\rc", errBareCR)
	f("GET / HTTP/1.1\r\nA: b\r\n ", errFold)
	f("GET / HTTP/1.1\r\nA: b\r\n\rX", errBareCR)
	f("GET / HTTP/1.1\r\nHost: a b\r\n", errHost)
	f("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", errHostTwice)
	f("GET / HTTP/1.1\r\nA: b\r\n\r\n", errHostMissing)
	f("GET / HTTP/1.1\r\nExpect: 200-maybe\r\n", errExpect)
	f("GET / HTTP/1.1\r\nExpect: 100-continue, x\r\n", errExpect)
	f("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n", errLengthTwice)
}

func TestRequestLimits(t *testing.T) {
	lim := Limits{RequestLine: 16, Method: 4, HeadBytes: 40, Fields: 2, EmptyLines: 1, Body: 9}
	f := func(in, want string) { t.Helper(); wantRequestWithin(t, in, want, &lim) }
	f(lines("GET / HTTP/1.0"), "GET / HTTP/1.0 path=/ none  | ")
	f("GET /a HTTP/1.0\r\n", "✗ 414 start line too long")
	f("GET /aaaaaaaaaaaaaaaaa", "✗ 414 start line too long")
	f("GETTS", "✗ 501 method too long")
	f("\r\n"+lines("GET / HTTP/1.0"), "GET / HTTP/1.0 path=/ none  | ")
	f("\r\n\r\n"+lines("GET / HTTP/1.0"), "✗ 400 too many empty lines before the request")
	f(lines("GET / HTTP/1.0", "A: b", "C: d"), "GET / HTTP/1.0 path=/ {A=b} {C=d} none  | ")
	f(lines("GET / HTTP/1.0", "A:", "C:", "E:"), "✗ 431 too many fields")
	f(lines("GET / HTTP/1.0", "A: 12345678901234567"), "GET / HTTP/1.0 path=/ {A=12345678901234567} none  | ")
	f(lines("GET / HTTP/1.0", "A: 123456789012345678"), "✗ 431 head too long")
	f(lines("GET / HTTP/1.0", "Content-Length: 9")+"123456789", "GET / HTTP/1.0 path=/ {Content-Length=9} length=9 123456789 | ")
	f(lines("GET / HTTP/1.0", "Content-Length:10"), "✗ 413 body too long")
	// A zero Limits allows nothing, and says so at the first byte.
	wantRequestWithin(t, "GET", "✗ 414 start line too long", &Limits{})
	wantRequestWithin(t, lines("GET / HTTP/1.0"), "✗ 431 head too long", &Limits{Method: 4, RequestLine: 99})
	wantRequestWithin(t, lines("GET / HTTP/1.0", "A:"), "✗ 431 too many fields", &Limits{Method: 4, RequestLine: 99, HeadBytes: 99})
}

// A reused Request carries nothing over, not even after an error half way.
func TestRequestReset(t *testing.T) {
	first := lines("POST http://o/p?q HTTP/1.1", "Host: h", "Connection: close, upgrade", "Upgrade: x",
		"Expect: 100-continue", "Content-Length: 5")
	second := lines("GET / HTTP/1.0")
	want := parseRequest(&feeder{in: second, cuts: []int{len(second)}}, &DefaultLimits).text
	for cut := range len(first) + 1 {
		var r Request
		_, _, err := r.Parse([]byte(first[:cut]), &DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		r.Reset()
		if _, done, err := r.Parse([]byte(second), &DefaultLimits); !done || err != nil {
			t.Fatalf("after %d bytes of another: done %v, %v", cut, done, err)
		}
		if got := describeRequest(&r) + " "; got != want {
			t.Fatalf("after %d bytes of another:\n  got  %s\n  want %s", cut, got, want)
		}
	}
}

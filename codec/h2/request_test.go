package h2

import (
	"strings"
	"testing"
)

func TestRequest(t *testing.T) {
	wantRequest(t, "GET https a /", get()...)
	wantRequest(t, "GET https a / {accept=*/*} {x-a=}", get("accept: */*", "x-a: ")...)
	wantRequest(t, "POST HTTP a:80 /p%20q?a=%&b {content-length=5} {expect=100-continue} length=5 expect",
		":path: /p%20q?a=%&b", ":authority: a:80", ":scheme: HTTP", ":method: POST", "content-length: 5", "expect: 100-continue")
	wantRequest(t, "OPTIONS https a *", ":method: OPTIONS", ":scheme: https", ":authority: a", ":path: *")
	wantRequest(t, "OPTIONS https a /", ":method: OPTIONS", ":scheme: https", ":authority: a", ":path: /")
	wantRequest(t, "GET https a /?", ":method: GET", ":scheme: https", ":authority: a", ":path: /?")
	wantRequest(t, "GET https a //b/../c;d?e?f|{", ":method: GET", ":scheme: https", ":authority: a", ":path: //b/../c;d?e?f|{")
	wantRequest(t, "GET https b / {host=b}", ":method: GET", ":scheme: https", ":path: /", "host: b")
	wantRequest(t, "GET https A.b:80 / {host=a.B:80}", ":method: GET", ":scheme: https", ":path: /", ":authority: A.b:80", "host: a.B:80")
	wantRequest(t, "GET https [::1]:8080 /", ":method: GET", ":scheme: https", ":path: /", ":authority: [::1]:8080")
	wantRequest(t, "CONNECT  a:443 ", ":method: CONNECT", ":authority: a:443")
	wantRequest(t, "CONNECT https a /chat?x protocol=websocket {sec-websocket-version=13}",
		":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: /chat?x", ":authority: a", "sec-websocket-version: 13")
	wantRequest(t, "GET https a / {te=trailers}", get("te: trailers")...)
	wantRequest(t, "GET https a / {te=Trailers}", get("te: Trailers")...)
	wantRequest(t, "GET https a / {x=\xff\t b}", get("x: \xff\t b")...)
}

// "A field name MUST NOT contain characters in the ranges 0x00-0x20, 0x41-0x5a, or 0x7f-0xff." RFC 9113 §8.2.1. We hold
// names to RFC 9110's token, as it says one SHOULD; "with the exception of pseudo-header fields, names MUST NOT include a
// colon".
func TestMustRefuseNames(t *testing.T) {
	for c := range 256 {
		ok := c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) && c < 0x80
		for _, name := range []string{string([]byte{'x', byte(c)}), string([]byte{'x', byte(c), 'x'})} {
			if ok {
				wantRequest(t, "GET https a / {"+name+"=v}", get(name+": v")...)
			} else {
				wantMalformed(t, errName, get(name+": v")...)
			}
		}
	}
	wantMalformed(t, errNameEmpty, get(": v")...)
	wantMalformed(t, errName, get("X-Upper: v")...)
}

// "A field value MUST NOT contain the zero value (0x00), line feed (0x0a), or carriage return (0x0d) at any position. A
// field value MUST NOT start or end with an ASCII whitespace character (0x20 or 0x09)." RFC 9113 §8.2.1
func TestMustRefuseValues(t *testing.T) {
	for c := range 256 {
		value := string([]byte{'v', byte(c), 'v'})
		if c == '\t' || c >= ' ' && c != 0x7f {
			wantRequest(t, "GET https a / {x="+value+"}", get("x: "+value)...)
		} else {
			wantMalformed(t, errValue, get("x: "+value)...)
		}
	}
	for _, value := range []string{" v", "v ", "\tv", "v\t", " ", "v\r\nevil: v", "\x00"} {
		wantMalformed(t, errValue, get("x: "+value)...)
		wantMalformed(t, errValue, ":method: GET", ":scheme: https", ":authority: a", ":path: /"+value+"\x00")
	}
}

// "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header fields … Any message containing
// connection-specific header fields MUST be treated as malformed." "The only exception to this is the TE header field,
// which MAY be present in an HTTP/2 request; when it is, it MUST NOT contain any value other than "trailers"." RFC 9113
// §8.2.2
func TestMustRefuseConnectionFields(t *testing.T) {
	for _, name := range []string{"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"} {
		wantMalformed(t, errHop, get(name+": x")...)
		wantMalformed(t, errHop, get(name)...)
	}
	for _, value := range []string{"gzip", "trailers, gzip", "trailers;q=1", "", "trailers,trailers"} {
		wantMalformed(t, errTE, get("te: "+value)...)
	}
	wantMalformed(t, errTE, get("te: trailers", "te: gzip")...)
}

// "If there are multiple Cookie header fields after decompression, these MUST be concatenated into a single octet string
// using the two-octet delimiter of 0x3b, 0x20 before being passed into a non-HTTP/2 context." RFC 9113 §8.2.3
func TestMustJoinCookies(t *testing.T) {
	wantRequest(t, "GET https a / {cookie=a=b}", get("cookie: a=b")...)
	wantRequest(t, "GET https a / {cookie=a=b; c=d}", get("cookie: a=b", "cookie: c=d")...)
	wantRequest(t, "GET https a / {w=1} {cookie=a=b; c=d; ; e=f} {x=2} {y=3}",
		get("w: 1", "cookie: a=b", "x: 2", "cookie: c=d", "cookie: ", "cookie: e=f", "y: 3")...)
}

// "Pseudo-header fields are only valid in the context in which they are defined." "Endpoints MUST treat a request or
// response that contains undefined or invalid pseudo-header fields as malformed." "All pseudo-header fields MUST appear in
// a field block before all regular field lines." "The same pseudo-header field name MUST NOT appear more than once in a
// field block." RFC 9113 §8.3
func TestMustRefusePseudoFields(t *testing.T) {
	wantMalformed(t, errPseudoRequest, get(":status: 200")...)
	wantMalformed(t, errPseudoUnknown, get(":test: x")...)
	wantMalformed(t, errPseudoUnknown, get(":: x")...)
	wantMalformed(t, errPseudoUnknown, get(":Path: x")...)
	for _, l := range get() {
		wantMalformed(t, errPseudoTwice, get(l)...)
		wantMalformed(t, errPseudoLate, get("x: y", l)...)
	}
	wantMalformed(t, errPseudoTwice, ":method: GET", ":method: POST", ":scheme: https", ":path: /")
	wantMalformed(t, errPseudoLate, "x: y", ":method: GET", ":scheme: https", ":path: /")
	wantMalformed(t, errPseudoLate, get("x: y", ":protocol: websocket")...)
}

// "All HTTP/2 requests MUST include exactly one valid value for the ":method", ":scheme", and ":path" pseudo-header
// fields, unless they are CONNECT requests. An HTTP request that omits mandatory pseudo-header fields is malformed."
// RFC 9113 §8.3.1
func TestMustHavePseudoFields(t *testing.T) {
	wantMalformed(t, errMethodMissing)
	wantMalformed(t, errMethodMissing, "x: y")
	wantMalformed(t, errMethodMissing, ":scheme: https", ":authority: a", ":path: /")
	wantMalformed(t, errSchemeMissing, ":method: GET", ":authority: a", ":path: /")
	wantMalformed(t, errPathMissing, ":method: GET", ":authority: a", ":scheme: https")
	for _, method := range []string{"", "G T", "GET/", "G:T", "\xff"} {
		wantMalformed(t, errMethod, ":method: "+method, ":scheme: https", ":authority: a", ":path: /")
	}
	for _, scheme := range []string{"", "ftp", "httpss", "http:", "h ttp"} {
		wantMalformed(t, errScheme, ":method: GET", ":scheme: "+scheme, ":authority: a", ":path: /")
	}
}

// "This pseudo-header field MUST NOT be empty for "http" or "https" URIs; "http" or "https" URIs that do not contain a
// path component MUST include a value of '/'. The exceptions to this rule are: an OPTIONS request for an "http" or
// "https" URI that does not include a path component; these MUST include a ":path" pseudo-header field with a value of
// '*'." RFC 9113 §8.3.1
func TestMustRefusePaths(t *testing.T) {
	f := func(path string, want *Error) {
		t.Helper()
		wantMalformed(t, want, ":method: GET", ":scheme: https", ":authority: a", ":path: "+path)
	}
	f("", errPathMissing)
	f("*", errPathForm)
	f("a", errPathForm)
	f("?a", errPathForm)
	f("http://a/", errPathForm)
	f("/a b", errPathByte)
	f("/a#b", errPathByte)
	f("/?a#b", errPathByte)
	f("/\xc3\xa9", errPathByte)
	f("/a\tb", errPathByte)
	f("/%", errPathEscape)
	f("/%4", errPathEscape)
	f("/%4g", errPathEscape)
	f("/%41%zz?", errPathEscape)
	wantMalformed(t, errPathForm, ":method: OPTIONS", ":scheme: https", ":authority: a", ":path: **")
}

// "A server SHOULD treat a request as malformed if it contains a Host header field that identifies an entity that differs
// from the entity in the ":authority" pseudo-header field." "":authority" MUST NOT include the deprecated userinfo
// subcomponent for "http" or "https" schemed URIs." RFC 9113 §8.3.1
func TestMustAgreeOnAuthority(t *testing.T) {
	wantMalformed(t, errHostDiffers, get("host: b")...)
	wantMalformed(t, errHostDiffers, get("host: a:80")...)
	wantMalformed(t, errHostDiffers, get("host: ")...)
	wantMalformed(t, errHostTwice, get("host: a", "host: a")...)
	wantMalformed(t, errHost, get("host: a/b")...)
	f := func(authority string, want *Error) {
		t.Helper()
		wantMalformed(t, want, ":method: GET", ":scheme: https", ":path: /", ":authority: "+authority)
		wantMalformed(t, want, ":method: CONNECT", ":protocol: p", ":scheme: https", ":path: /", ":authority: "+authority)
	}
	f("user@a", errAuthority)
	f("a/b", errAuthority)
	f("a b", errAuthority)
	f("a:b", errAuthority)
	f("a:65536", errAuthority)
	f("a,b", errAuthority)
	f(":80", errAuthority)
	f("[::1", errAuthority)
	f("", errNoAuthority)
	wantMalformed(t, errNoAuthority, ":method: GET", ":scheme: https", ":path: /")
	wantMalformed(t, errNoAuthority, ":method: GET", ":scheme: https", ":path: /", "host: ")
}

// "The ":scheme" and ":path" pseudo-header fields MUST be omitted. The ":authority" pseudo-header field contains the host
// and port to connect to. A CONNECT request that does not conform to these restrictions is malformed." RFC 9113 §8.5
func TestMustFormConnect(t *testing.T) {
	f := func(lines ...string) {
		t.Helper()
		wantMalformed(t, errConnectForm, append([]string{":method: CONNECT"}, lines...)...)
	}
	f(":authority: a:1", ":scheme: https")
	f(":authority: a:1", ":path: /")
	f(":authority: a")
	f(":authority: a:")
	f(":authority: [::1]")
	f("host: a:1")
	wantMalformed(t, errNoAuthority, ":method: CONNECT")
}

// "On requests that contain the :protocol pseudo-header field, the :scheme and :path pseudo-header fields of the target
// URI MUST also be included." RFC 8441 §4
func TestMustFormExtendedConnect(t *testing.T) {
	wantMalformed(t, errSchemeMissing, ":method: CONNECT", ":protocol: websocket", ":path: /", ":authority: a")
	wantMalformed(t, errPathMissing, ":method: CONNECT", ":protocol: websocket", ":scheme: https", ":authority: a")
	wantMalformed(t, errNoAuthority, ":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: /")
	wantMalformed(t, errProtocolMethod, get(":protocol: websocket")...)
	wantMalformed(t, errProtocol, ":method: CONNECT", ":protocol: ", ":scheme: https", ":path: /", ":authority: a")
	wantMalformed(t, errProtocol, ":method: CONNECT", ":protocol: a b", ":scheme: https", ":path: /", ":authority: a")
	wantMalformed(t, errPathForm, ":method: CONNECT", ":protocol: p", ":scheme: https", ":path: *", ":authority: a")
}

func TestContentLength(t *testing.T) {
	wantRequest(t, "GET https a / {content-length=0} length=0", get("content-length: 0")...)
	wantRequest(t, "GET https a / {content-length=007} length=7", get("content-length: 007")...)
	wantRequest(t, "GET https a / {content-length=9223372036854775807} length=9223372036854775807", get("content-length: 9223372036854775807")...)
	for _, value := range []string{"", "-1", "+1", "1 ", "0x1", "1,1", "5, 5", "1e1", "\xb2"} {
		want := errLengthSyntax
		if strings.HasSuffix(value, " ") {
			want = errValue
		}
		wantMalformed(t, want, get("content-length: "+value)...)
	}
	wantMalformed(t, errLengthHuge, get("content-length: 9223372036854775808")...)
	wantMalformed(t, errLengthHuge, get("content-length: 99999999999999999999")...)
	wantMalformed(t, errLengthTwice, get("content-length: 5", "content-length: 5")...)
	wantMalformed(t, errLengthTwice, get("content-length: 5", "x: y", "content-length: 6")...)
}

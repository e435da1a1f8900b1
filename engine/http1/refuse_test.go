package http1

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/codec/h1"
	"holdfast/engine/simkernel"
)

// refuses sends raw cut at each byte and in bad weather. It must be answered with the status and reason, by an answer
// that net/http understands, and the connection must be ended in good order even though the client goes on sending.
// heard is how many requests the handler may have been shown.
func refuses(t *testing.T, raw string, status int, reason string, heard int) {
	t.Helper()
	want := refusal(status, reason)
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(want)), nil)
	if err != nil || resp.StatusCode != status || !resp.Close {
		t.Fatalf("net/http reads %v, %v", resp, err)
	}
	try := func(r *rig, cut int) {
		t.Helper()
		r.script.begun, r.script.why = 0, nil
		c := r.dial()
		c.send(raw[:cut])
		c.send(raw[cut:])
		c.send("GET /ok HTTP/1.1\r\nHost: a\r\n\r\n and much else")
		c.settle()
		c.want(want)
		c.isEnded()
		c.send("and on and on") // RFC 9112 §9.6: a reset now could destroy the answer
		c.isEnded()
		c.want("")
		if r.script.begun > heard {
			t.Errorf("%d requests were heard, want %d", r.script.begun, heard)
		}
		c.leave()
		r.empty()
		if t.Failed() {
			t.Fatalf("%.200q cut at %d", raw, cut)
		}
	}
	r := calm(t)
	for cut := range len(raw) + 1 {
		if cut < 200 || cut > len(raw)-40 || cut%1000 == 0 {
			try(r, cut)
		}
	}
	try(newRig(t, 1, simkernel.Rough(), Config{}), 0)
}

// refusesHead is refuses for what is wrong before the head has come whole: nobody hears of it.
func refusesHead(t *testing.T, raw string, status int, reason string) {
	t.Helper()
	refuses(t, raw, status, reason, 0)
}

const top = "GET /x HTTP/1.1\r\nHost: a\r\n"

func TestRefusesFraming(t *testing.T) {
	f := refusesHead
	// RFC 9112 §6.3: "Transfer-Encoding overrides the Content-Length … Such a message might indicate an attempt to perform
	// request smuggling"; §6.1: "A server MAY reject a request that contains both Content-Length and Transfer-Encoding".
	f(t, top+"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "Content-Length beside Transfer-Encoding")
	f(t, top+"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400, "Content-Length beside Transfer-Encoding")
	// §6.3: "If a message is received without Transfer-Encoding and with an invalid Content-Length header field, then the
	// message framing is invalid and the recipient MUST treat it as an unrecoverable error".
	f(t, top+"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, "Content-Length sent twice")
	f(t, top+"Content-Length: 3, 4\r\n\r\nabcd", 400, "Content-Length is not a number")
	f(t, top+"Content-Length: +3\r\n\r\nabc", 400, "Content-Length is not a number")
	f(t, top+"Content-Length: 0x3\r\n\r\nabc", 400, "Content-Length is not a number")
	f(t, top+"Content-Length: -1\r\n\r\n", 400, "Content-Length is not a number")
	f(t, top+"Content-Length:\r\n\r\n", 400, "Content-Length is not a number")
	f(t, top+"Content-Length: 9223372036854775808\r\n\r\n", 400, "Content-Length does not fit")
	// §6.1: "A server that receives a request message with a transfer coding it does not understand SHOULD respond with
	// 501 (Not Implemented)."
	f(t, top+"Transfer-Encoding: gzip\r\n\r\n", 400, "chunked is not the last coding")
	f(t, top+"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "transfer coding not implemented")
	f(t, top+"Transfer-Encoding: xchunked\r\n\r\n", 400, "chunked is not the last coding")
	f(t, top+"Transfer-Encoding: \x0bchunked\r\n\r\n", 400, "invalid byte in a field value")
	// §6.3: "If a Transfer-Encoding header field is present in a request and the chunked transfer coding is not the final
	// encoding … the server MUST respond with the 400 (Bad Request) status code and then close the connection."
	f(t, top+"Transfer-Encoding: chunked, identity\r\n\r\n", 400, "chunked is not the last coding")
	// §6.1: "A sender MUST NOT apply the chunked transfer coding more than once to a message body".
	f(t, top+"Transfer-Encoding: chunked, chunked\r\n\r\n", 400, "chunked applied twice")
	f(t, top+"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "chunked applied twice")
	f(t, top+"Transfer-Encoding: chunked,\r\n\r\n", 400, "malformed Transfer-Encoding")
	// §6.1: "A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding header field MUST treat
	// the message as if the framing is faulty".
	f(t, "POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "Transfer-Encoding in HTTP/1.0")
}

func TestRefusesLines(t *testing.T) {
	f := refusesHead
	// RFC 9112 §2.2: "A recipient of such a bare CR MUST consider that element to be invalid or replace each bare CR with
	// SP before processing the element or forwarding the message."
	f(t, "GET /x HTTP/1.1\rHost: a\r\n\r\n", 400, "bare CR")
	f(t, top+"A: b\rc\r\n\r\n", 400, "bare CR")
	f(t, top+"A: b\r\r\n\r\n", 400, "bare CR")
	f(t, "GET /x HTTP/1.1\nHost: a\n\n", 400, "bare LF")
	f(t, top+"A: b\nC: d\r\n\r\n", 400, "bare LF")
	f(t, "\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bare LF")
	// §5.2: "A server that receives an obs-fold in a request message that is not within a "message/http" container MUST
	// either reject the message by sending a 400 (Bad Request) … or replace each received obs-fold".
	f(t, top+"A: b\r\n c\r\n\r\n", 400, "line begins with whitespace (obs-fold)")
	f(t, top+"A: b\r\n\tc\r\n\r\n", 400, "line begins with whitespace (obs-fold)")
	// §2.2: "A recipient that receives whitespace between the start-line and the first header field MUST either reject the
	// message as invalid or consume each whitespace-preceded line without further processing of it".
	f(t, "GET /x HTTP/1.1\r\n Host: a\r\n\r\n", 400, "line begins with whitespace (obs-fold)")
	// §5.1: "A server MUST reject, with a response status code of 400 (Bad Request), any received request message that
	// contains whitespace between a header field name and colon."
	f(t, top+"A : b\r\n\r\n", 400, "whitespace before the colon")
	f(t, top+"A\t: b\r\n\r\n", 400, "whitespace before the colon")
	f(t, top+"A\x00: b\r\n\r\n", 400, "invalid byte in a field name")
	f(t, top+"A(b): c\r\n\r\n", 400, "invalid byte in a field name")
	f(t, top+"\xc3\xa9: b\r\n\r\n", 400, "invalid byte in a field name")
	f(t, top+": b\r\n\r\n", 400, "empty field name")
	f(t, top+"no colon\r\n\r\n", 400, "whitespace before the colon")
	// RFC 9110 §5.5: "Field values containing CR, LF, or NUL characters are invalid and dangerous … a recipient of CR, LF,
	// or NUL within a field value MUST either reject the message or replace each of those characters with SP".
	f(t, top+"A: b\x00c\r\n\r\n", 400, "invalid byte in a field value")
	f(t, top+"A: b\x7fc\r\n\r\n", 400, "invalid byte in a field value")
	f(t, strings.Repeat("\r\n", 3)+top+"\r\n", 400, "too many empty lines before the request")
}

func TestRefusesTargets(t *testing.T) {
	f := refusesHead
	f(t, "GET  /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "invalid byte in the request target")
	f(t, "GET /x  HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed HTTP version")
	f(t, "GET /x HTTP/1.1 \r\nHost: a\r\n\r\n", 400, "request line does not end after the version")
	f(t, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed HTTP version")
	f(t, "GET /x#y HTTP/1.1\r\nHost: a\r\n\r\n", 400, "invalid byte in the request target")
	f(t, "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed percent-encoding in the path")
	f(t, "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request target has no valid form")
	f(t, "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request target has no valid form")
	f(t, "GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "scheme of the request target is not http or https")
	f(t, "GET http://u@a/x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "invalid authority in the request target")
	f(t, "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "CONNECT needs host:port")
	f(t, "G(T /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "invalid byte in the method")
	f(t, strings.Repeat("A", 33)+" /x HTTP/1.1\r\nHost: a\r\n\r\n", 501, "method too long")
	f(t, "GET /x HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP version not supported")
	f(t, "GET /x HTTP/1.2\r\nHost: a\r\n\r\n", 505, "HTTP version not supported")
	f(t, "GET /x http/1.1\r\nHost: a\r\n\r\n", 400, "malformed HTTP version")
	f(t, "GET /x\r\nHost: a\r\n\r\n", 400, "bare CR")
	// RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that
	// lacks a Host header field and to any request message that contains more than one Host header field line or a Host
	// header field with an invalid field value."
	f(t, "GET /x HTTP/1.1\r\nA: b\r\n\r\n", 400, "Host missing")
	f(t, top+"Host: a\r\n\r\n", 400, "Host sent twice")
	f(t, "GET /x HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, "Host sent twice")
	f(t, "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "invalid Host")
	f(t, "GET /x HTTP/1.1\r\nHost: a:x\r\n\r\n", 400, "invalid Host")
	f(t, "GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "invalid Host")
	f(t, "GET /x HTTP/1.1\r\nHost: a,b\r\n\r\n", 400, "invalid Host")
}

func TestRefusesExcess(t *testing.T) {
	lim := h1.DefaultLimits
	// RFC 9112 §3: "A server that receives a request-target longer than any URI it wishes to parse MUST respond with a
	// 414 (URI Too Long) status code".
	refusesHead(t, "GET /"+strings.Repeat("x", lim.RequestLine)+" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "start line too long")
	// RFC 9110 §5.4: "A server that receives a request header field line, field value, or set of fields larger than it
	// wishes to process MUST respond with an appropriate 4xx (Client Error) status code."
	refusesHead(t, top+"A: "+strings.Repeat("x", lim.HeadBytes)+"\r\n\r\n", 431, "head too long")
	refusesHead(t, top+strings.Repeat("A: b\r\n", lim.Fields)+"\r\n", 431, "too many fields")
}

const chunkedTop = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

// In a body the request is heard, and its end is heard once; rig.empty sees to that.
func TestRefusesChunks(t *testing.T) {
	f := func(body string, status int, reason string) {
		t.Helper()
		refuses(t, chunkedTop+body, status, reason, 1)
	}
	// RFC 9112 §7.1: "recipients MUST anticipate potentially large hexadecimal numerals and prevent parsing errors due to
	// integer conversion overflows or precision loss due to integer representation."
	f("8000000000000000\r\n", 400, "chunk size does not fit")
	f("00000000000000001\r\nx", 400, "chunk size does not fit")
	f("g\r\n", 400, "malformed chunk size")
	f("\r\n", 400, "bare CR")
	f("-1\r\n", 400, "malformed chunk size")
	f("1 \r\na", 400, "malformed chunk size")
	f("1\na", 400, "bare LF")
	f("1\r\nab\r\n", 400, "chunk data does not end in CRLF")
	f("1\r\na\n", 400, "chunk data does not end in CRLF")
	f("1;\r\na", 400, "bare CR")
	f("1;a=\x00\r\na", 400, "malformed chunk extension")
	f("1;a="+strings.Repeat("x", h1.DefaultLimits.ChunkLine), 400, "chunk-size line too long")
	f("0\r\nContent-Length: 1\r\n\r\n", 400, "field not allowed in a trailer section")
	f("0\r\nA : b\r\n\r\n", 400, "whitespace before the colon")
	f("0\r\n"+strings.Repeat("A: b\r\n", h1.DefaultLimits.TrailerFields+1), 431, "too many trailer fields")
	f("0\r\nA: "+strings.Repeat("x", h1.DefaultLimits.TrailerBytes), 431, "trailer section too long")
}

// Floods that say nothing are cut off by what they cost, and get an answer that says so.
func TestRefusesFloods(t *testing.T) {
	f := func(cfg Config, raw, piece string, status int, reason string, most int) {
		t.Helper()
		r := newRig(t, 1, simkernel.Options{}, cfg)
		c := r.dial()
		c.p.Write([]byte(raw))
		sent := 0
		for ; sent < 4*most && len(c.seen) == 0; sent += len(piece) {
			c.p.Write([]byte(piece))
			r.l.Tick()
			c.seen = append(c.seen, c.p.Read()...)
		}
		c.settle()
		c.want(refusal(status, reason))
		c.isEnded()
		if sent > most {
			t.Errorf("%q: refused after %d bytes, want %d at most", reason, sent, most)
		}
		c.leave()
		r.empty()
	}
	f(Config{}, chunkedTop, "1\r\nx\r\n", 400, "too much chunk framing for its data", 160<<10)
	f(Config{}, chunkedTop, "1;"+strings.Repeat("e", 200)+"\r\nx\r\n", 400, "too much chunk framing for its data", 80<<10)
	f(Config{}, chunkedTop+"0\r\n", "A: bcdefgh\r\n", 431, "too many trailer fields", 1<<10)
	f(Config{}, "", "\r\n", 400, "too many empty lines before the request", 16)
	f(Config{}, "GET / HTTP/1.1\r\nHost: a\r\n", "A: bcdefgh\r\n", 431, "too many fields", 2<<10)
	f(Config{}, "", "A", 501, "method too long", 64)

	tight := Config{Limits: h1.DefaultLimits}
	tight.Limits.Body = 1000
	f(tight, chunkedTop, "64\r\n"+strings.Repeat("x", 100)+"\r\n", 413, "body too long", 1200)
	f(tight, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n", "\r\n", 413, "body too long", 2)
}

// Nothing is answered behind an answer that has begun. RFC 9112 §8: "A message body that uses the chunked transfer coding
// is incomplete if the zero-sized chunk that terminates the encoding has not been received." One without chunks would
// be taken for whole, so that connection is reset.
func TestRefusesBehindAnOpenAnswer(t *testing.T) {
	r := calm(t)
	c := r.dial()
	c.send(strings.Replace(chunkedTop, "/x", "/stream", 1) + "1\r\na\r\n")
	c.want("HTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
	c.send("x")
	c.want("")
	c.isEnded()
	c.leave()

	c = r.dial()
	c.send("POST /stream HTTP/1.0\r\nContent-Length: 5\r\n\r\nab")
	c.want("HTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")
	c.pass(11 * time.Second)
	c.want("")
	c.is(simkernel.Rst)
	r.empty()
}

// A handler never hears of a request that was refused, and its answers do not get mixed up with the refusal.
func TestRefusalKeepsItsPlace(t *testing.T) {
	r := calm(t)
	c := r.dial()
	c.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\n\r\n")
	c.want("")
	c.do(c.script.answer)
	c.want(plain(200, "later\r\n", false) + refusal(400, "Host missing"))
	c.isEnded()
	c.leave()
	r.empty()
}

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// exchangeTo sends bytes and returns all that comes back until the node closes.
func exchangeTo(t *testing.T, address, text string) string {
	t.Helper()
	w := dial(t, address)
	w.say(t, text)
	return w.ends(t)
}

// Requests sent ahead of answers are answered each, and in order.
func TestPipelining(t *testing.T) {
	t.Parallel()
	d := serve(t)
	var ask strings.Builder
	for i := range 40 {
		fmt.Fprintf(&ask, "POST /push/k%d HTTP/1.1\r\nHost: a\r\nPush-Id: %d\r\nContent-Length: 2\r\n\r\nhi", i, i)
	}
	ask.WriteString("GET /push/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	got := exchangeTo(t, d.publish, ask.String())
	at := 0
	for i := range 40 {
		next := strings.Index(got[at:], fmt.Sprintf(`{"id":"%d",`, i))
		if next < 0 {
			t.Fatalf("answer %d is missing or out of order in %q", i, got)
		}
		at += next
	}
	if n := strings.Count(got, "HTTP/1.1 404 "); n != 41 || !strings.HasSuffix(got, `{"connections":0,"nodes":[]}`+"\n") {
		t.Errorf("%d answers: %q", n, got)
	}
}

// Polls may be pipelined too: each takes the next message.
func TestPipelinedPolls(t *testing.T) {
	t.Parallel()
	d := serve(t)
	w := dial(t, d.public)
	w.say(t, subscription("poll", "a")+subscription("poll", "b"))
	d.held(t, "a", 1)
	d.held(t, "b", 0)
	d.push(t, "a", []byte("first"))
	w.hears(t, "\r\n\r\nfirst")
	d.held(t, "b", 1)
	d.push(t, "b", []byte("second"))
	w.hears(t, "\r\n\r\nsecond")
}

// What two parsers could read differently is refused, and nothing behind it is taken for a request.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	d := serve(t)
	sub := d.subscribe(t, "sse", "victim")
	d.held(t, "victim", 1)
	const smuggled = "POST /push/victim HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nsmuggled"
	f := func(head string) {
		t.Helper()
		got := exchangeTo(t, d.publish, "POST /push/nobody HTTP/1.1\r\n"+strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n"+smuggled)
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") || strings.Count(got, "HTTP/1.1") != 1 || !strings.Contains(got, "Connection: close\r\n") {
			t.Errorf("%q: %q", head, got)
		}
	}
	f("Host: a\nContent-Length: 3\nContent-Length: 5")
	f("Host: a\nContent-Length: 3, 5")
	f("Host: a\nContent-Length: +3")
	f("Host: a\nContent-Length: 0x3")
	f("Host: a\nContent-Length: -1")
	f("Host: a\nContent-Length: 3\nTransfer-Encoding: chunked")
	f("Host: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked")
	f("Host: a\nTransfer-Encoding: chunked, identity")
	f("Host: a\nTransfer-Encoding : chunked")
	f("Host: a\n Transfer-Encoding: chunked")
	f("Host: a\nX: y\n\tTransfer-Encoding: chunked")
	f("Host: a\nContent Length: 3")
	f("Host: a\nX: a\x00b")
	f("Host: a\nHost: b")
	f("Host: a/b")
	f("X: no host")
	f("Host: a\nTransfer-Encoding: chunked\n\nzz")
	f("Host: a\nTransfer-Encoding: chunked\n\n-1")
	f("Host: a\nTransfer-Encoding: chunked\n\n5\nhelloXX")
	f("Host: a\nTransfer-Encoding: chunked\n\nfffffffffffffffff")
	d.push(t, "victim", []byte("last"))
	if said := sub.hears(t, "data: last\n\n"); strings.Contains(said, "smuggled") {
		t.Errorf("the victim heard %q", said)
	}
}

// Other requests that are wrong, or merely rare, each get the status that says so.
func TestStatuses(t *testing.T) {
	t.Parallel()
	d := serve(t, "--max-head", "4KiB", "--max-request-line", "1KiB", "--max-message", "1KiB")
	f := func(want int, request string) {
		t.Helper()
		request = strings.ReplaceAll(request, "\n", "\r\n")
		got := exchangeTo(t, d.publish, strings.Replace(request, "\r\n", "\r\nConnection: close\r\n", 1))
		if !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", want)) {
			t.Errorf("%.80q: %.200q, want %d", request, got, want)
		}
	}
	const host = " HTTP/1.1\nHost: a\n"
	f(200, "GET /"+host+"\n")
	f(404, "GET /nowhere"+host+"\n")
	f(404, "POST /pushed/x"+host+"Content-Length: 1\n\nx")
	f(404, "GET http://a/push/x"+host+"\n")
	f(400, "PATCH /push/x"+host+"\n")
	f(405, "TRACE /push/x"+host+"\n")
	f(405, "POST /sub/x"+host+"Content-Length: 0\n\n")
	f(204, "OPTIONS *"+host+"\n")
	f(200, "HEAD /sub/x"+host+"\n")
	f(400, "GET /push/%zz"+host+"\n")
	f(400, "GET /push/a%00b%0d%0aX:y,,"+host+"\n")
	f(400, "POST /push"+host+"Content-Length: 2\n\nhi")
	f(404, "POST /push/x"+host+"Content-Length: 1024\n\n"+strings.Repeat("x", 1024))
	f(413, "POST /push/x"+host+"Content-Length: 1025\n\n"+strings.Repeat("x", 1025))
	f(413, "POST /push/x"+host+"Transfer-Encoding: chunked\n\n401\n"+strings.Repeat("x", 1025)+"\n0\n\n")
	f(414, "GET /"+strings.Repeat("x", 1100)+host+"\n")
	f(431, "GET /"+host+"X: "+strings.Repeat("x", 4200)+"\n\n")
	f(417, "POST /push/x"+host+"Expect: 200-maybe\nContent-Length: 1\n\nx")
	f(505, "GET / HTTP/2.0\nHost: a\n\n")
	f(400, "POST /push/x"+host+"Transfer-Encoding: gzip\n\n")
	f(501, "POST /push/x"+host+"Transfer-Encoding: gzip, chunked\n\n")
	f(400, "GET  /"+host+"\n")
	f(400, "GET / HTTP/1.1 \nHost: a\n\n")
	f(400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n")
}

// HTTP/1.0 and Connection decide whether the connection stays.
func TestPersistence(t *testing.T) {
	t.Parallel()
	d := serve(t)
	f := func(request string, stays bool) {
		t.Helper()
		w := dial(t, d.publish)
		w.say(t, request)
		w.hears(t, `"nodes":[]}`+"\n")
		if stays {
			w.say(t, "GET /push/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			w.hears(t, `"nodes":[]}`+"\n")
		}
		if rest := w.ends(t); rest != "" {
			t.Errorf("%q: more came: %q", request, rest)
		}
	}
	f("GET /push/x HTTP/1.1\r\nHost: a\r\n\r\n", true)
	f("GET /push/x HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n\r\n", false)
	f("GET /push/x HTTP/1.0\r\n\r\n", false)
	f("GET /push/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true)
	f("\r\nGET /push/x HTTP/1.1\r\nHost: a\r\n\r\n", true)
}

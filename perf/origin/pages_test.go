package origin

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	r, err := client(t).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(b)
}

func TestPages(t *testing.T) {
	_, addr := start(t, Config{})
	f := func(path string, size int64) {
		t.Helper()
		r, body := get(t, "http://"+addr+path)
		if r.StatusCode != 200 || r.ContentLength != size || int64(len(body)) != size {
			t.Fatalf("%s: %s, length %d, %d bytes", path, r.Status, r.ContentLength, len(body))
		}
		for at := int64(0); at < size; at += 1000 {
			n := int(min(1000, size-at))
			if body[at:at+int64(n)] != string(Pattern(at, n)) {
				t.Fatalf("%s: another content at %d", path, at)
			}
		}
	}
	f("/page", 1024)
	f("/page?size=0", 0)
	f("/page?size=1", 1)
	f("/page?size=65472", 65472)
	f("/page?size=65473", 65473)
	f("/big?bytes=3000001", 3000001)
}

func TestBadParameters(t *testing.T) {
	_, addr := start(t, Config{})
	for _, path := range []string{
		"/page?size=x", "/page?size=-1", "/page?size=1099511627777", "/page?size=%zz", "/big?bytes=1e9", "/sse?every=1", "/sse?every=2h",
		"/sse?n=-1", "/fault/stall?at=tail", "/fault/stall?for=-1s", "/fault/trickle?n=9999999999", "/fault/early?status=100",
		"/fault/reset-body?after=x", "/fault/close-idle?after=x", "/fault/until-close?size=x", "/ws?fragment=x", "/fault/early?status=",
	} {
		want := 400
		if strings.HasSuffix(path, "status=") { // an empty parameter is an absent one
			want = 413
		}
		if r, body := get(t, "http://"+addr+path); r.StatusCode != want {
			t.Errorf("%s: %s %q", path, r.Status, body)
		}
	}
}

func TestUnknownPath(t *testing.T) {
	_, addr := start(t, Config{})
	for _, path := range []string{"/nothing", "/fault/", "/page/"} {
		if r, _ := get(t, "http://"+addr+path); r.StatusCode != 404 {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
}

// The list that / gives is complete, and everything on it exists.
func TestUsageNamesEveryRoute(t *testing.T) {
	listed := map[string]bool{"/": true}
	for line := range strings.Lines(usage) {
		path, _, _ := strings.Cut(strings.Fields(line)[0], "?")
		listed[path] = true
		if routes[path] == nil && faults[path] == nil {
			t.Errorf("%s is listed but not served", path)
		}
	}
	if len(listed) != len(routes)+len(faults) {
		t.Errorf("%d paths listed, %d served", len(listed), len(routes)+len(faults))
	}
	_, addr := start(t, Config{})
	if _, body := get(t, "http://"+addr+"/"); body != usage {
		t.Errorf("/ says %q", body)
	}
}

func TestStats(t *testing.T) {
	_, addr := start(t, Config{})
	if _, body := get(t, "http://"+addr+"/stats"); body != "conns 1\nrefused 0\nrequests 1\nmalformed 0\n" {
		t.Errorf("%q", body)
	}
}

func TestHEADHasNoBody(t *testing.T) {
	_, addr := start(t, Config{})
	for path := range routes {
		if path == "/ws" {
			continue
		}
		got, err := raw(t, addr, "HEAD "+path+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if err != nil || !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got, "\r\n\r\n") || strings.Count(got, "\r\n\r\n") != 1 {
			t.Errorf("%s: %q %v", path, got, err)
		}
	}
}

func TestHTTP10(t *testing.T) {
	_, addr := start(t, Config{})
	got, err := raw(t, addr, "GET /page?size=3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /echo HTTP/1.0\r\n\r\n")
	if err != nil || strings.Count(got, "Connection: keep-alive\r\n") != 1 || strings.Count(got, "Connection: close\r\n") != 1 {
		t.Errorf("%q %v", got, err)
	}
	if strings.Contains(got, "chunked") || !strings.HasSuffix(got, "\r\n\r\nGET /echo HTTP/1.0\r\n\r\n") {
		t.Errorf("a 1.0 client got %q", got)
	}
}

func TestEchoShowsTheRequestAsItCame(t *testing.T) {
	_, addr := start(t, Config{})
	head := "BREW /echo?a=%20b&&c HTTP/1.1\r\nhOST:a\r\nX-Odd:  \tspaced\xe9 \r\nx-odd: twice\r\nContent-Length: 4\r\n\r\n"
	nc := dial(t, addr)
	write(t, nc, head+"\x00\r\n\xff")
	r, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(head)+4)
	if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != head+"\x00\r\n\xff" {
		t.Errorf("%q %v", got, err)
	}
}

func TestEchoOfLargeBodyBothFramings(t *testing.T) {
	_, addr := start(t, Config{})
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for _, chunked := range []bool{false, true} {
		var rd io.Reader = bytes.NewReader(body)
		if chunked {
			rd = io.MultiReader(rd)
		}
		r, err := client(t).Post("http://"+addr+"/echo", "text/plain", rd)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r.Body)
		r.Body.Close()
		_, after, _ := bytes.Cut(got, []byte("\r\n\r\n"))
		if err != nil || !bytes.Equal(after, body) {
			t.Errorf("chunked %v: %d bytes back of %d, %v", chunked, len(after), len(body), err)
		}
	}
}

// The echo of each piece arrives before the next is sent: neither direction is collected.
func TestEchoStreams(t *testing.T) {
	_, addr := start(t, Config{})
	nc := dial(t, addr)
	br := bufio.NewReader(nc)
	write(t, nc, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	r, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(r.Body)
	for line := "-"; line != "\r\n"; {
		if line, err = lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		write(t, nc, fmt.Sprintf("3\r\nm%d\n\r\n", i))
		if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("m%d\n", i) {
			t.Fatalf("%q %v", line, err)
		}
	}
}

// RFC 9110 §10.1.1: "A server MAY omit sending a 100 (Continue) response if it has already received some or all of the
// content"; echo wants the content and so must ask for it, while a page does not and must not leave the client waiting.
func TestExpectContinue(t *testing.T) {
	_, addr := start(t, Config{})
	expect := " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
	nc := dial(t, addr)
	write(t, nc, "POST /echo"+expect)
	br := bufio.NewReader(nc)
	if line, _ := br.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Errorf("echo began with %q", line)
	}
	write(t, nc, "hi")
	got, err := raw(t, addr, "POST /page?size=1"+expect)
	if err != nil || !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.Contains(got, "Connection: close\r\n") {
		t.Errorf("page: %q %v", got, err)
	}
}

func TestEvents(t *testing.T) {
	_, addr := start(t, Config{})
	begun := time.Now()
	r, body := get(t, "http://"+addr+"/sse?every=20ms&n=3")
	if body != "id: 1\ndata: tick 1\n\nid: 2\ndata: tick 2\n\nid: 3\ndata: tick 3\n\n" || r.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%v %q", r.Header, body)
	}
	if d := time.Since(begun); d < 40*time.Millisecond {
		t.Errorf("three ticks 20 ms apart in %v", d)
	}
}

// A subscriber that leaves is noticed at once, not at the next tick.
func TestEventsEndWithTheClient(t *testing.T) {
	s, addr := start(t, Config{})
	nc := dial(t, addr)
	write(t, nc, ask("/sse?every=1h", ""))
	if _, err := bufio.NewReader(nc).ReadString('t'); err != nil {
		t.Fatal(err)
	}
	nc.Close()
	for range 200 {
		s.mu.Lock()
		open := len(s.open)
		s.mu.Unlock()
		if open == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("the stream is still held")
}

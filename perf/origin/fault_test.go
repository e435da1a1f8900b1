package origin

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a raw client sees of each way to end badly.
func TestFaultsOnTheWire(t *testing.T) {
	_, addr := start(t, Config{})
	page := string(Pattern(0, 1024))
	f := func(path, begin, end string, reset bool) {
		t.Helper()
		got, err := raw(t, addr, ask(path, ""))
		if isReset(err) != reset || (err != nil) != reset {
			t.Errorf("%s: ended with %v", path, err)
		}
		if !strings.HasPrefix(got, begin) || !strings.HasSuffix(got, end) || (begin == "" && got != "") {
			t.Errorf("%s: %q", path, got)
		}
	}
	const ok = "HTTP/1.1 200 OK\r\n"
	f("/fault/refuse", "", "", false)
	f("/fault/reset-headers", ok, "\r\nContent-Ty", true)
	f("/fault/reset-body", ok, "\r\nContent-Length: 1024\r\n\r\n"+page[:512], true)
	f("/fault/reset-body?size=10&after=0", ok, "\r\nContent-Length: 10\r\n\r\n", true)
	f("/fault/reset-body?size=10&after=20", ok, "\r\nContent-Length: 10\r\n\r\n"+page[:10], true)
	f("/fault/garbage", "\x15\x03\x01", "HTTP\r\n\r\n", false)
	f("/fault/close-idle", ok, "\r\nContent-Length: 1024\r\n\r\n"+page, false)
	f("/fault/early", "HTTP/1.1 413 ", "\r\n\r\nenough\n", false)
	f("/fault/early?status=503", "HTTP/1.1 503 ", "\r\n\r\nenough\n", false)
	f("/fault/until-close?size=5", ok, "\r\n\r\n"+page[:5], false)
	f("/fault/http10?size=5", "HTTP/1.0 200 OK\r\n", "\r\n\r\n"+page[:5], false)
}

// The promise that close-idle breaks: nothing in the response warns of the close.
func TestFramingOfUnusualResponses(t *testing.T) {
	_, addr := start(t, Config{})
	f := func(path string, absent ...string) {
		t.Helper()
		got, _ := raw(t, addr, ask(path, ""))
		head, _, _ := strings.Cut(strings.ToLower(got), "\r\n\r\n")
		for _, a := range absent {
			if strings.Contains(head, a) {
				t.Errorf("%s: the head has %q: %q", path, a, head)
			}
		}
	}
	f("/fault/close-idle", "connection:")
	f("/fault/until-close", "content-length:", "transfer-encoding:")
	f("/fault/http10", "connection:", "content-length:", "transfer-encoding:")
}

// A client that keeps to the rules reads these, and what follows on the same connection where it may.
func TestLawfulOddities(t *testing.T) {
	_, addr := start(t, Config{})
	f := func(path string, size int, reusable bool) *http.Response {
		t.Helper()
		c := client(t)
		var r *http.Response
		for i := range 2 {
			var err error
			r, err = c.Post("http://"+addr+path, "text/plain", strings.NewReader("some body"))
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			b, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err != nil || string(b) != string(Pattern(0, size)) {
				t.Fatalf("%s: %q, %v", path, b, err)
			}
			if got := r.Header.Get("Origin-Request"); i == 1 && (got == "2") != reusable {
				t.Errorf("%s: request %s on its connection", path, got)
			}
		}
		return r
	}
	f("/fault/chunked", 39, true)
	f("/fault/100", 1024, true)
	f("/fault/until-close", 1024, false)
	f("/fault/http10?size=60000", 60000, false)
	f("/fault/trickle?n=3&every=1ms", 3, true)
	f("/fault/stall?for=1ms", 1024, true)
	f("/fault/stall?for=1ms&at=body", 1024, true)
	r := f("/fault/trailers", 1024, true)
	if r.Trailer.Get("Origin-Sum") != "1024" || r.Trailer.Get("Origin-Note") != "the end" {
		t.Errorf("trailers %v", r.Trailer)
	}
}

func TestInterimResponses(t *testing.T) {
	_, addr := start(t, Config{})
	var codes []int
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { codes = append(codes, code); return nil },
	})
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+addr+"/fault/100", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if !slices.Equal(codes, []int{100, 103}) {
		t.Errorf("interim responses %v", codes)
	}
	for _, path := range []string{"/fault/100", "/fault/chunked"} {
		if got, _ := raw(t, addr, "GET "+path+" HTTP/1.0\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 505 ") {
			t.Errorf("%s: a 1.0 client got %q", path, got)
		}
	}
}

// The answer comes while the body is under way, and reaches a client that goes on sending: no reset overtakes it.
func TestEarlyAnswerReachesTheSender(t *testing.T) {
	_, addr := start(t, Config{})
	nc := dial(t, addr)
	write(t, nc, "POST /fault/early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
	time.Sleep(5 * time.Millisecond)
	for range 10 {
		write(t, nc, strings.Repeat("x", 1000))
		time.Sleep(time.Millisecond)
	}
	r, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil || r.StatusCode != 413 || !r.Close {
		t.Fatalf("%v %v", r, err)
	}
	if b, err := io.ReadAll(r.Body); err != nil || string(b) != "enough\n" {
		t.Errorf("%q %v", b, err)
	}
}

func TestStallAndTrickleTakeTheirTime(t *testing.T) {
	_, addr := start(t, Config{})
	f := func(path string, first, last time.Duration) {
		t.Helper()
		nc := dial(t, addr)
		begun := time.Now()
		write(t, nc, ask(path, "Connection: close\r\n"))
		br := bufio.NewReader(nc)
		if _, err := br.Peek(1); err != nil {
			t.Fatal(err)
		}
		atFirst := time.Since(begun)
		_, _ = io.Copy(io.Discard, br)
		if atLast := time.Since(begun); (atFirst >= 40*time.Millisecond) != (first > 0) || atLast < last {
			t.Errorf("%s: first byte after %v, last after %v", path, atFirst, atLast)
		}
	}
	f("/fault/stall?for=60ms", 60*time.Millisecond, 60*time.Millisecond)
	f("/fault/stall?for=60ms&at=body", 0, 60*time.Millisecond)
	f("/fault/trickle?n=3&every=20ms", 0, 60*time.Millisecond)
}

// What the client sends ahead during a stall is not lost.
func TestPipelinedBehindAStall(t *testing.T) {
	_, addr := start(t, Config{})
	got, err := raw(t, addr, ask("/fault/stall?for=20ms", "")+ask("/page?size=3", "Connection: close\r\n"))
	if err != nil || strings.Count(got, "HTTP/1.1 200 OK") != 2 || !strings.HasSuffix(got, "\r\n\r\nthe") {
		t.Errorf("%q %v", got, err)
	}
}

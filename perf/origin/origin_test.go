package origin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// start runs a server for one test and checks that it stops clean.
func start(t *testing.T, cfg Config) (s *Server, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s = New(cfg)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("Serve did not return")
		}
		if n := len(s.open); n != 0 {
			t.Errorf("%d connections outlived the server", n)
		}
	})
	return s, ln.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return nc
}

func write(t *testing.T, nc net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(nc, s); err != nil {
		t.Fatal(err)
	}
}

// raw sends bytes and returns all that comes back until the server closes, and how it closed.
func raw(t *testing.T, addr, send string) (string, error) {
	t.Helper()
	nc := dial(t, addr)
	write(t, nc, send)
	b, err := io.ReadAll(nc)
	return string(b), err
}

// ask makes a GET request line and fields; more are further whole field lines.
func ask(path, more string) string { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + more + "\r\n" }

// client is an HTTP client with connections of its own.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 5 * time.Second}
}

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	s, addr := start(t, Config{})
	nc := dial(t, addr)
	write(t, nc, ask("/page?size=3", "")+"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"+ask("/page?size=5", "Connection: close\r\n"))
	br := bufio.NewReader(nc)
	f := func(request, body string) {
		t.Helper()
		r, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		if err != nil || !strings.HasSuffix(string(b), body) || r.Header.Get("Origin-Request") != request || r.Header.Get("Origin-Conn") != "1" {
			t.Errorf("request %s: %q %v %v", request, b, err, r.Header)
		}
	}
	f("1", "the")
	f("2", "\r\n\r\nhi")
	f("3", "the q")
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("after Connection: close: %v", err)
	}
	if s.Requests.Load() != 3 || s.Conns.Load() != 1 {
		t.Errorf("%d requests on %d connections", s.Requests.Load(), s.Conns.Load())
	}
}

// A head cut at every byte is the same head.
func TestHeadSplitAtEveryByte(t *testing.T) {
	_, addr := start(t, Config{})
	request := "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-End: 1\r\n\r\n"
	nc := dial(t, addr)
	br := bufio.NewReader(nc)
	for i := 1; i < len(request); i++ {
		write(t, nc, request[:i])
		time.Sleep(500 * time.Microsecond)
		write(t, nc, request[i:])
		r, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("cut at %d: %v", i, err)
		}
		b, err := io.ReadAll(r.Body)
		if err != nil || !strings.HasSuffix(string(b), "chunked\r\n\r\nabc") || r.Trailer.Get("X-End") != "1" {
			t.Fatalf("cut at %d: %q %v, trailer %v", i, b, err, r.Trailer)
		}
	}
}

func TestMalformedRequestsAreRefusedAndCounted(t *testing.T) {
	s, addr := start(t, Config{BodyBytes: 100})
	n := int64(0)
	f := func(send, status string) {
		t.Helper()
		got, err := raw(t, addr, send)
		if err != nil || !strings.HasPrefix(got, "HTTP/1.1 "+status) || !strings.Contains(got, "Connection: close\r\n") {
			t.Errorf("%q: %q %v", send, got, err)
		}
		if n++; s.Malformed.Load() != n {
			t.Errorf("%q is not counted as malformed", send)
		}
	}
	f("GET / HTTP/1.1\nHost: a\n\n", "400")
	f("\x16\x03\x01\x02\x00\x01", "400")
	f("GET / HTTP/1.1\r\n\r\n", "400")
	f(ask("/", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), "400")
	f(ask("/", "X: "+strings.Repeat("x", 64<<10)+"\r\n"), "431")
	f(ask("/", "Content-Length: 101\r\n"), "413")
	f("POST /sse HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400")
}

// A body that turns out malformed after the response began cannot be answered: another response would be taken for the
// next request's.
func TestLateMalformedBodyGetsNoSecondResponse(t *testing.T) {
	s, addr := start(t, Config{})
	for i, path := range []string{"/echo", "/page"} {
		nc := dial(t, addr)
		write(t, nc, "POST "+path+" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
		br := bufio.NewReader(nc)
		if _, err := br.Peek(12); err != nil {
			t.Fatal(err)
		}
		write(t, nc, "zz\r\n")
		b, err := io.ReadAll(br)
		if !isReset(err) || strings.Count(string(b), "HTTP/1.1 ") > 2 || strings.Contains(string(b), " 400 ") {
			t.Errorf("%s: %q, %v", path, b, err)
		}
		if s.Malformed.Load() != int64(i+1) {
			t.Errorf("%s: not counted", path)
		}
	}
}

func TestMaxConns(t *testing.T) {
	s, addr := start(t, Config{MaxConns: 2})
	var kept []net.Conn
	for range 2 {
		nc := dial(t, addr)
		write(t, nc, ask("/page", ""))
		if _, err := http.ReadResponse(bufio.NewReader(nc), nil); err != nil {
			t.Fatal(err)
		}
		kept = append(kept, nc)
	}
	if got, _ := raw(t, addr, ""); got != "" || s.Refused.Load() != 1 {
		t.Errorf("the third connection got %q, %d refused", got, s.Refused.Load())
	}
	kept[0].Close()
	for range 100 { // the place is free once the server has noticed
		nc := dial(t, addr)
		_, _ = io.WriteString(nc, ask("/page", ""))
		if _, err := http.ReadResponse(bufio.NewReader(nc), nil); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("a free place was not given again")
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	_, addr := start(t, Config{IdleTimeout: 30 * time.Millisecond})
	for _, send := range []string{"", "GET / HT", "POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"} {
		begun := time.Now()
		if _, err := raw(t, addr, send); err != nil && !isReset(err) {
			t.Errorf("%q: %v", send, err)
		}
		if d := time.Since(begun); d < 20*time.Millisecond || d > 3*time.Second {
			t.Errorf("%q: closed after %v", send, d)
		}
	}
}

// A client that asks for much and reads nothing holds its goroutine no longer than SendTimeout.
func TestClientThatDoesNotRead(t *testing.T) {
	s, addr := start(t, Config{SendTimeout: 50 * time.Millisecond})
	nc := dial(t, addr)
	write(t, nc, ask("/big?bytes=1000000000", ""))
	for range 200 {
		time.Sleep(10 * time.Millisecond)
		s.mu.Lock()
		open := len(s.open)
		s.mu.Unlock()
		if open == 0 && s.Conns.Load() == 1 {
			return
		}
	}
	t.Error("the connection is still held")
}

// The end of the context ends connections whatever they are doing; start's cleanup checks that nothing is left.
func TestStopsInTheMiddle(t *testing.T) {
	for _, path := range []string{"/sse", "/fault/stall", "/fault/stall?at=body", "/fault/trickle?every=1h", "/fault/close-idle?after=1h", "/big?bytes=1000000000000"} {
		t.Run(path, func(t *testing.T) {
			s, addr := start(t, Config{})
			nc := dial(t, addr)
			write(t, nc, ask(path, ""))
			for s.Requests.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(5 * time.Millisecond)
		})
	}
}

func TestServeFailsWithItsListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := New(Config{}).Serve(t.Context(), ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve on a closed listener: %v", err)
	}
}

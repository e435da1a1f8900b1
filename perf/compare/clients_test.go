package compare

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCrowdIsHeldAndCounts(t *testing.T) {
	var mu sync.Mutex
	var held []net.Conn
	keys := map[string]bool{}
	s := (&fake{answer: func(c net.Conn, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		held = append(held, c)
		keys[r.URL.Path] = true
		io.WriteString(c, streamHead)
	}}).start(t)
	const n = connecting + 50
	c, err := joined(t.Context(), s, n, ownKey)
	if err != nil {
		t.Fatal(err)
	}
	defer c.leave()
	mu.Lock()
	if len(held) != n || len(keys) != n || !keys["/sub/key-0"] {
		t.Errorf("%d held with %d keys", len(held), len(keys))
	}
	for i, to := range held { // however a message is cut
		io.WriteString(to, "id: 1\nda")
		if i%2 == 0 {
			io.WriteString(to, "ta: ~...\n\ndata: ~\n\n")
		}
	}
	mu.Unlock()
	if err := c.readAll(n); err != nil {
		t.Error(err)
	}
	if got, err := c.read(); got != 0 || err != nil {
		t.Errorf("%d messages were left, %v", got, err)
	}
}

func TestCrowdTroubles(t *testing.T) {
	f := func(s *server, want string) {
		t.Helper()
		if _, err := joined(t.Context(), s, 3, sameKey); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(says("HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n").start(t), "503 Full")
	f((&fake{answer: func(c net.Conn, _ *http.Request) { c.Close() }}).start(t), "answered")
	f(&server{subscribe: netip.MustParseAddrPort("127.0.0.1:1")}, "refused")
}

func TestCrowdThatIsLost(t *testing.T) {
	s := (&fake{answer: func(c net.Conn, _ *http.Request) {
		io.WriteString(c, streamHead)
		c.Close()
	}}).start(t)
	c, err := joined(t.Context(), s, 2, sameKey)
	if err != nil {
		t.Fatal(err)
	}
	defer c.leave()
	if !eventually(func() bool { _, err := c.read(); return err == errLost }) {
		t.Error("nobody noticed")
	}
}

func TestTooManyMessages(t *testing.T) {
	c, err := joined(t.Context(), says(streamHead+"data: ~\n\ndata: ~\n\n").start(t), 1, sameKey)
	if err != nil {
		t.Fatal(err)
	}
	defer c.leave()
	// The first read, which only looks for the status, may have taken some of them.
	if err := c.readAll(-1); err == nil {
		t.Error("more messages than were sent went unnoticed")
	}
}

func TestCallersAsk(t *testing.T) {
	var mu sync.Mutex
	var got []string
	s := (&fake{answer: func(c net.Conn, r *http.Request) {
		mu.Lock()
		got = append(got, r.Method+" "+r.URL.Path)
		mu.Unlock()
		for i := range len(accepted) { // byte by byte
			io.WriteString(c, accepted[i:i+1])
			time.Sleep(10 * time.Microsecond)
		}
	}}).start(t)
	c, err := call(s, 1, 20)
	if err != nil {
		t.Fatal(err)
	}
	defer c.hangUp()
	for range 3 {
		if took, err := c.ask("k", 5*time.Second); err != nil || took <= 0 {
			t.Errorf("%v, %v", took, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 3 || got[0] != "POST /push/k" {
		t.Errorf("%q", got)
	}
}

func TestCallersTroubles(t *testing.T) {
	f := func(s *fake, want string) {
		t.Helper()
		c, err := call(s.start(t), 1, 20)
		if err != nil {
			t.Fatal(err)
		}
		defer c.hangUp()
		if _, err := c.ask("k", 300*time.Millisecond); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(says("HTTP/1.1 404 Nobody\r\nContent-Length: 0\r\n\r\n"), "404 Nobody")
	f(says("HTTP/1.1 500 Not Everybody\r\nContent-Length: 0\r\n\r\n"), "500")
	f(says("nonsense\r\n\r\n"), "malformed")
	f(says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"), "no answer")
	f(says("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2*maxAnswer)), "")
	f(&fake{answer: func(c net.Conn, _ *http.Request) { c.Close() }}, "connection")
	if _, err := call(&server{publish: netip.MustParseAddrPort("127.0.0.1:1")}, 1, 20); err == nil {
		t.Error("connected to nobody")
	}
}

// A server that answers out of turn must not be taken for a fast one.
func TestUnaskedAnswers(t *testing.T) {
	c, err := call(says(accepted+accepted).start(t), 1, 20)
	if err != nil {
		t.Fatal(err)
	}
	defer c.hangUp()
	for range 5 {
		if _, err = c.ask("k", time.Second); err == errUnasked {
			return
		}
	}
	t.Errorf("five pushes, ten answers, and %v", err)
}

package compare

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// held is a fake that keeps whoever asks, by path.
type held struct {
	mu sync.Mutex
	by map[string]net.Conn
}

func (h *held) answer(c net.Conn, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.by[r.URL.Path] = c
	io.WriteString(c, streamHead)
}

func (h *held) send(t *testing.T, path, text string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by[path] == nil {
		t.Fatalf("%s is not among %v", path, h.by)
	}
	io.WriteString(h.by[path], text)
}

// Holders in another process hold the keys that they are told to, read when they are told to, and end with their input.
func TestHolders(t *testing.T) {
	at := &held{by: map[string]net.Conn{}}
	s := (&fake{answer: at.answer}).start(t)
	s.name = "there"
	h, err := startHolders(0, []string{self(t)[0], holdWord}, s, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer h.stop()
	for i := range 3 {
		at.send(t, "/sub/there-"+string(rune('0'+i)), "data: ~\n\n")
	}
	if err := h.readAll(3); err != nil {
		t.Error(err)
	}
	at.send(t, "/sub/there-1", "data: ~\n\ndata: ~\n\n")
	if err := h.readAll(2); err != nil {
		t.Error(err)
	}
	at.send(t, "/sub/there-1", "data: ~\n\ndata: ~\n\n")
	if err := h.readAll(1); err == nil || !strings.Contains(err.Error(), "2 messages came where 1 were due") {
		t.Error(err)
	}
	if !eventually(func() bool { return closed(h.ended) }) {
		t.Error("it did not end with its error")
	}
	if err := h.readAll(1); err == nil {
		t.Error("one that has ended reads")
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// However we end, they do: their input closes with us.
func TestHoldersEndWithTheirInput(t *testing.T) {
	at := &held{by: map[string]net.Conn{}}
	h, err := startHolders(0, []string{self(t)[0], holdWord}, (&fake{answer: at.answer}).start(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer h.stop()
	h.in.Close()
	if !eventually(func() bool { return closed(h.ended) }) {
		t.Error("they go on")
	}
}

func TestHold(t *testing.T) {
	f := func(answer, in, out, want string) {
		t.Helper()
		var said strings.Builder
		err := Hold(t.Context(), strings.NewReader(in), &said, says(answer).start(t).subscribe, "k", 2)
		if said.String() != out || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v; want %q, %q", in, said.String(), err, out, want)
		}
	}
	f(streamHead, "", "held\n", "")
	f(streamHead, "0\n0\n", "held\nread\nread\n", "")
	f(streamHead, "two\n", "held\n", "two")
	f("HTTP/1.1 503 Full\r\n\r\n", "", "", "503 Full")
	if err := Hold(t.Context(), strings.NewReader(""), full{}, says(streamHead).start(t).subscribe, "k", 1); err == nil {
		t.Error("a failed write went unnoticed")
	}
}

// Heads that were sent before their claim are told from others.
func TestCrowdCountsPendingClaims(t *testing.T) {
	pending := strings.Replace(streamHead, "\r\n\r\n", "\r\nPush-Claim: pending\r\n\r\n", 1)
	for head, want := range map[string]int{streamHead: 0, pending: 3} {
		c, err := joined(t.Context(), says(head).start(t), 3, ownKey)
		if err != nil {
			t.Fatal(err)
		}
		if c.pending != want {
			t.Errorf("%d heads were sent before their claim, want %d", c.pending, want)
		}
		c.leave()
	}
}

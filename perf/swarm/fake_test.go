package swarm

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a push server with faults to choose from. It is net/http's, so nothing of ours stands on both sides.
type fake struct {
	*httptest.Server

	admit   func(key string) int                  // status for a subscriber; nil: 200
	deliver func(n int, key string) (to []string) // whom the n-th push goes to; nil: its key
	answer  func(n int) int                       // status for the n-th push; nil: 200, or 404 if nobody is there
	before  func(n int)                           // called before the n-th push is looked at
	bytes   bool                                  // events are sent a byte at a time
	closing bool                                  // the connection ends after each push
	life    time.Duration                         // subscribers are closed after this; 0: never

	mu     sync.Mutex
	subs   map[string]chan string
	peers  map[string]bool // addresses that subscribers came from
	joined int
	pushes int
}

func (f *fake) start(t *testing.T) Config {
	t.Helper()
	f.subs, f.peers = make(map[string]chan string), make(map[string]bool)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sub/{key}", f.subscribe)
	mux.HandleFunc("POST /push/{key}", f.push)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	addr := netip.MustParseAddrPort(f.Listener.Addr().String())
	return Config{Subscribe: addr, Publish: addr, Conns: 40, Loops: 2, Duration: 300 * time.Millisecond, Rate: 1000, Publishers: 8, Grace: 20 * time.Second}
}

func (f *fake) subscribe(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	if f.admit != nil {
		if status := f.admit(key); status != 200 {
			w.WriteHeader(status)
			return
		}
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	messages := make(chan string, 1000)
	f.mu.Lock()
	f.subs[key] = messages
	f.peers[host] = true
	f.joined++
	f.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, ": welcome\nevent: push-key\ndata: "+key+"\n\n")
	flusher := w.(http.Flusher)
	flusher.Flush()
	var over <-chan time.Time
	if f.life > 0 {
		over = time.After(f.life)
	}
	for {
		select {
		case m := <-messages:
			event := "id: 1\ndata: " + m + "\n\n"
			if !f.bytes {
				_, _ = io.WriteString(w, event)
				flusher.Flush()
				continue
			}
			for i := range len(event) {
				_, _ = io.WriteString(w, event[i:i+1])
				flusher.Flush()
			}
		case <-over:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (f *fake) push(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	n := f.pushes
	f.pushes++
	f.mu.Unlock()
	if f.before != nil {
		f.before(n)
	}
	message, _ := io.ReadAll(r.Body)
	to := []string{r.PathValue("key")}
	if f.deliver != nil {
		to = f.deliver(n, to[0])
	}
	status := 404
	for _, key := range to {
		f.mu.Lock()
		if messages := f.subs[key]; messages != nil {
			messages <- string(message)
			status = 200
		}
		f.mu.Unlock()
	}
	if f.answer != nil {
		status = f.answer(n)
	}
	if f.closing {
		w.Header().Set("Connection", "close")
	}
	if status == 0 {
		panic(http.ErrAbortHandler) // the connection ends without an answer
	}
	w.WriteHeader(status)
	fmt.Fprintln(w, strings.Repeat("verdict ", n%5))
}

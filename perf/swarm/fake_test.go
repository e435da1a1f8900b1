package swarm

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// fake is a push server with faults to choose from. It is net/http's, so nothing of ours stands on both sides.
type fake struct {
	*httptest.Server

	admit    func(key string) int                         // status for a subscriber; nil: 200
	deliver  func(n int, key string, to []*sub) []*sub    // whom the n-th push goes to of those under its key; nil: all
	garble   func(n int, message string) string           // what the n-th message becomes on its way
	answer   func(n, to int) (status int, verdict string) // nil: the truth, in Holdfast's words; status 0 cuts the connection
	before   func(n int)                                  // called before the n-th push is looked at
	pieces   bool                                         // streams are sent a byte at a time
	closing  bool                                         // the connection ends after each answer
	streams  int                                          // that a connection may have, over HTTP/2; 0: net/http's choice
	compress websocket.CompressionMode                    // of WebSockets
	code     websocket.StatusCode                         // what they are closed with at the end of their life
	life     time.Duration                                // streams are ended after this; 0: never

	mu   sync.Mutex
	keys map[string][]*sub
	all  []*sub
	past
}

// past is what a fake has seen.
type past struct {
	joined int
	pushes int
	peers  map[string]bool // addresses that subscribers came from
	key    string          // of the last subscriber
	fields http.Header     // of the last subscriber
	proto  string          // likewise

	from, pushFrom map[string]bool // connections of subscribers and publishers
}

// seen is what the fake has seen by now.
func (f *fake) seen() past {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.past
	p.peers, p.from, p.pushFrom = maps.Clone(p.peers), maps.Clone(p.from), maps.Clone(p.pushFrom)
	return p
}

// sub is one subscriber of the fake.
type sub struct {
	key      string
	messages chan string
}

const fakeBoundary = "limit"

func (f *fake) start(t *testing.T) Config {
	t.Helper()
	f.keys, f.peers = make(map[string][]*sub), make(map[string]bool)
	f.from, f.pushFrom = make(map[string]bool), make(map[string]bool)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sub/{key}", f.subscribe)
	mux.HandleFunc("POST /push/{key}", f.push)
	f.Server = httptest.NewUnstartedServer(mux)
	f.Config.Protocols = new(http.Protocols)
	f.Config.Protocols.SetHTTP1(true)
	f.Config.Protocols.SetUnencryptedHTTP2(true)
	f.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: f.streams}
	f.Start()
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	addr := netip.MustParseAddrPort(f.Listener.Addr().String())
	return Config{
		Subscribe: addr, Publish: addr, Loops: 2, Settle: time.Millisecond, Duration: 300 * time.Millisecond, Grace: 20 * time.Second,
		Loads: []Load{{Name: "one", Conns: 40, Publishers: 8, Rate: 200}},
	}
}

func (f *fake) subscribe(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	if f.admit != nil {
		if status := f.admit(key); status != 200 {
			w.WriteHeader(status)
			return
		}
	}
	s := &sub{key, make(chan string, 2000)}
	f.join(s, r)
	defer f.leave(s)
	var over <-chan time.Time
	if f.life > 0 {
		over = time.After(f.life)
	}
	accept := r.Header.Get("Accept")
	if r.Header.Get("Upgrade") == "websocket" {
		f.socket(w, r, s, over)
		return
	}
	if accept == "*/*" {
		f.poll(w, r, s, over)
		return
	}
	open, frame := wire(accept)
	w.Header().Set("Content-Type", strings.TrimSuffix(accept+"; boundary="+fakeBoundary, "; boundary="))
	flusher := w.(http.Flusher)
	say := func(text string) {
		step := len(text)
		if f.pieces {
			step = 1
		}
		for ; len(text) > 0; text = text[step:] {
			_, _ = io.WriteString(w, text[:step])
			flusher.Flush()
		}
	}
	flusher.Flush()
	say(open)
	for {
		select {
		case m := <-s.messages:
			say(frame(m))
		case <-over:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// wire is how a stream of this type begins, and how a message stands in it.
func wire(accept string) (open string, frame func(message string) string) {
	switch accept {
	case "text/event-stream":
		return ": welcome\nevent: push-key\ndata: x\n\n", func(m string) string { return "id: 1\ndata: " + m + "\n\n" }
	case "application/x-ndjson":
		return "\n{\"event\":\"push-key\",\"data\":\"x\"}\n", func(m string) string {
			b, _ := json.Marshal(map[string]string{"data": m, "id": "1"})
			return string(b) + "\n"
		}
	case "application/octet-stream":
		return "", func(m string) string { return m }
	default:
		return "--" + fakeBoundary + "\r\n\r\n\r\n--" + fakeBoundary + "\r\n", func(m string) string {
			return "Content-Type: text/plain\r\n\r\n" + m + "\r\n--" + fakeBoundary + "\r\n"
		}
	}
}

func (f *fake) poll(w http.ResponseWriter, r *http.Request, s *sub, over <-chan time.Time) {
	if f.closing {
		w.Header().Set("Connection", "close")
	}
	select {
	case m := <-s.messages:
		_, _ = io.WriteString(w, m)
	case <-over:
		w.WriteHeader(204)
	case <-r.Context().Done():
	}
}

func (f *fake) join(s *sub, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys[s.key] = append(f.keys[s.key], s)
	f.all = append(f.all, s)
	f.peers[host], f.from[r.RemoteAddr] = true, true
	f.key, f.fields, f.proto = s.key, r.Header.Clone(), r.Proto
	f.joined++
}

func (f *fake) leave(s *sub) {
	f.mu.Lock()
	defer f.mu.Unlock()
	without := func(list []*sub) (rest []*sub) {
		for _, one := range list {
			if one != s {
				rest = append(rest, one)
			}
		}
		return rest
	}
	f.keys[s.key], f.all = without(f.keys[s.key]), without(f.all)
}

func (f *fake) push(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	n := f.pushes
	f.pushes++
	f.pushFrom[r.RemoteAddr] = true
	f.mu.Unlock()
	if f.before != nil {
		f.before(n)
	}
	body, _ := io.ReadAll(r.Body)
	message := string(body)
	if f.garble != nil {
		message = f.garble(n, message)
	}
	key := r.PathValue("key")
	f.mu.Lock()
	to := f.keys[key]
	if f.deliver != nil {
		to = f.deliver(n, key, to)
	}
	for _, s := range to {
		s.messages <- message
	}
	f.mu.Unlock()
	status, verdict := 200, fmt.Sprintf(`{"id":"","delivered":%d,"pending":0,"stored":0}`, len(to))
	if len(to) == 0 {
		status = 404
	}
	if f.answer != nil {
		status, verdict = f.answer(n, len(to))
	}
	if status == 0 {
		panic(http.ErrAbortHandler) // the connection ends without an answer
	}
	if f.closing {
		w.Header().Set("Connection", "close")
	}
	w.WriteHeader(status)
	fmt.Fprintln(w, verdict, strings.Repeat(" ", n%5))
}

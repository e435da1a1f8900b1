package swarm

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"holdfast/codec/ws"
)

func (f *fake) sockets(t *testing.T) Config {
	cfg := f.start(t)
	cfg.Form = WebSocket
	return cfg
}

// What is compressed arrives as it was, from a server of somebody else's, and who took the offer is known.
func TestDeflatedMessages(t *testing.T) {
	f := func(mode websocket.CompressionMode, offer bool, deflated int64) {
		t.Helper()
		cfg := (&fake{compress: mode}).sockets(t)
		cfg.Deflate, cfg.Size = offer, 4000
		r := run(t, cfg)
		clean(t, r.Totals())
		if got := r.Deflated.Load(); got != deflated || r.Totals().Arrived != 60 || len(r.Troubles) != 0 {
			t.Errorf("mode %d, offered %v: %d deflated, %v", mode, offer, got, r.Troubles)
		}
	}
	f(websocket.CompressionNoContextTakeover, true, 40)
	f(websocket.CompressionContextTakeover, true, 40) // our offer rules that out
	f(websocket.CompressionDisabled, true, 0)
	f(websocket.CompressionNoContextTakeover, false, 0)
}

func TestFaultsOfSockets(t *testing.T) {
	f := func(fake *fake, lost, failed int64, want string) {
		t.Helper()
		cfg := fake.sockets(t)
		cfg.Loads[0].Publishers, cfg.Loads[0].Rate = 0, 0
		r := run(t, cfg)
		if r.Lost.Load() != lost || r.Failed.Load() != failed || !strings.Contains(trouble(r), want) {
			t.Errorf("lost %d, failed %d, %q, want %q", r.Lost.Load(), r.Failed.Load(), trouble(r), want)
		}
	}
	f(&fake{life: 50 * time.Millisecond, code: 4001}, 40, 0, "a WebSocket was closed with code 4001")
	f(&fake{life: 50 * time.Millisecond, code: websocket.StatusServiceRestart}, 40, 0, "closed with code 1012")
	f(&fake{admit: func(string) int { return 403 }}, 0, 40, "status 403 for a subscriber")
	f(&fake{life: time.Hour}, 0, 0, "")
}

// upgrading is a server that accepts a WebSocket, unless told how, and then says what it is told and listens.
func upgrading(t *testing.T, accept string, say []byte) (addr netip.AddrPort, heard chan []byte) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	heard = make(chan []byte, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		rd := bufio.NewReader(c)
		r, err := http.ReadRequest(rd)
		if err != nil {
			t.Error(err)
			return
		}
		lines := accept
		if lines == "" {
			lines = "HTTP/1.1 101 Switching Protocols\r\n" + string(ws.AppendAnswer(nil, []byte(r.Header.Get("Sec-WebSocket-Key")), "", ""))
		}
		_, _ = io.WriteString(c, lines+"\r\n")
		_, _ = c.Write(say)
		b, _ := io.ReadAll(rd)
		heard <- b
	}()
	return netip.MustParseAddrPort(ln.Addr().String()), heard
}

// "a client MUST close a connection if it detects a masked frame" (RFC 6455 §5.1), and what else a server may not say.
func TestBrokenSockets(t *testing.T) {
	f := func(accept string, say []byte, lost int64, want string) {
		t.Helper()
		addr, _ := upgrading(t, accept, say)
		r := run(t, Config{Subscribe: addr, Form: WebSocket, Loads: []Load{{Conns: 1}}, Duration: 200 * time.Millisecond, Settle: time.Millisecond})
		if r.Lost.Load() != lost || r.Failed.Load() != 1-lost || !strings.Contains(trouble(r), want) {
			t.Errorf("lost %d, failed %d, %q, want %q", r.Lost.Load(), r.Failed.Load(), trouble(r), want)
		}
	}
	f("", ws.AppendMasked(nil, ws.Text, ws.Fin, 7, []byte("x")), 1, "protocol: ")
	f("", ws.AppendFrame(nil, ws.Text, ws.Fin|ws.Compressed, []byte("x")), 1, "protocol: ") // it was not offered
	f("", ws.AppendFrame(nil, ws.Continuation, ws.Fin, []byte("x")), 1, "protocol: ")
	f("", ws.AppendHead(nil, ws.Binary, 0, 1<<30), 1, "protocol: ") // more than a client may be made to keep
	f("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", nil, 0, "status 200 for a subscriber")
	f("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: no\r\n", nil, 0, "protocol: ")
}

// "an endpoint MUST send a Pong frame in response" to a ping, "identical" in its data (RFC 6455 §5.5.2 and §5.5.3), and a
// close frame in response to one (§5.5.1). All that a client says is masked.
func TestControlFramesOfSockets(t *testing.T) {
	say := ws.AppendClose(ws.AppendPong(ws.AppendPing(nil, []byte("are you there?")), nil), ws.GoingAway, "bye")
	addr, heard := upgrading(t, "", say)
	run(t, Config{Subscribe: addr, Form: WebSocket, Loads: []Load{{Conns: 1}}, Duration: 300 * time.Millisecond, Settle: time.Millisecond})
	p, b := ws.NewParser(ws.Server, false), <-heard
	var got []string
	for len(b) > 0 {
		ev, n, err := p.Next(b, &ws.DefaultLimits)
		if err != nil || ev.Kind == ws.NeedMore {
			t.Fatalf("%v in %q after %q", err, b, got)
		}
		got = append(got, fmt.Sprint(ev.Kind, ev.Code, string(ev.Payload)))
		b = b[n:]
	}
	if want := fmt.Sprint([]string{fmt.Sprint(ws.Pong, 0, "are you there?"), fmt.Sprint(ws.Close, 1001, "")}); fmt.Sprint(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Keys are as they must be and differ from client to client.
func TestSocketKeys(t *testing.T) {
	seen := map[string]bool{}
	for run := range uint32(3) {
		w := &worker{shared: &shared{run: run + 1}}
		for i := range uint32(1000) {
			seen[string(w.socketKey(nil, i))] = true
		}
	}
	for key := range seen {
		if len(key) != 24 || !strings.HasSuffix(key, "==") {
			t.Fatalf("%q", key)
		}
	}
	if len(seen) != 3000 {
		t.Errorf("%d keys of 3000 clients", len(seen))
	}
}

// socket is a fake's subscriber over a WebSocket. Each message is preceded by a ping, which wants its answer.
func (f *fake) socket(w http.ResponseWriter, r *http.Request, s *sub, over <-chan time.Time) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: f.compress, CompressionThreshold: 64})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(1)
	ctx := c.CloseRead(r.Context())
	for {
		select {
		case m := <-s.messages:
			if c.Ping(ctx) != nil || f.write(c, r, m) != nil {
				return
			}
		case <-over:
			c.Close(f.code, "")
			return
		case <-ctx.Done():
			return
		}
	}
}

// write sends a message, in pieces by a writer that puts each into a fragment.
func (f *fake) write(c *websocket.Conn, r *http.Request, m string) error {
	if !f.pieces {
		return c.Write(r.Context(), websocket.MessageText, []byte(m))
	}
	w, err := c.Writer(r.Context(), websocket.MessageBinary)
	if err != nil {
		return err
	}
	for i := range len(m) {
		if _, err := w.Write([]byte(m[i : i+1])); err != nil {
			return err
		}
	}
	return w.Close()
}

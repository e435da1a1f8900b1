package ws

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"holdfast/codec/field"
)

// What is tested here stands against another implementation, with it at either
// end, and with every way it knows to compress.

var compressions = map[string]websocket.CompressionMode{
	"plain": websocket.CompressionDisabled, "fresh": websocket.CompressionNoContextTakeover, "context": websocket.CompressionContextTakeover,
}

// messages are what goes both ways.
func messages() []string {
	return append(texts(), strings.Repeat("日本語", 50_000), strings.Repeat(`{"key":"value","n":1},`, 4000))
}

// end is our side of a connection: it reads whole messages and writes them.
type end struct {
	conn    net.Conn
	r       *bufio.Reader
	role    Role
	parser  Parser
	deflate bool
	in      []byte
	d       Deflater
	f       Inflater
}

// read returns the next message; it answers pings, and a close frame ends it.
func (e *end) read() (op Opcode, msg []byte, err error) {
	var text UTF8
	for {
		ev, n, err := e.parser.Next(e.in, &DefaultLimits)
		e.in = e.in[n:]
		if err != nil {
			return 0, nil, err
		}
		switch ev.Kind {
		case NeedMore:
			b := make([]byte, 4096)
			n, err := e.r.Read(b)
			if err != nil {
				return 0, nil, err
			}
			e.in = append(e.in, b[:n]...)
		case Data:
			msg = append(msg, ev.Payload...)
			if ev.Last && ev.Compressed {
				if msg, err = e.f.Append(nil, msg, 1<<20); err != nil {
					return 0, nil, err
				}
				ev.Payload = msg
			}
			if ev.Opcode == Text && (!ev.Compressed || ev.Last) && !text.Check(ev.Payload, ev.Last) {
				return 0, nil, ErrUTF8
			}
			if ev.Last {
				return ev.Opcode, msg, nil
			}
		case Ping:
			e.write(PongFrame, ev.Payload)
		case Close:
			e.write(CloseFrame, AppendClosePayload(nil, ev.Code, ""))
			return 0, nil, fmt.Errorf("closed with %d %s: %w", ev.Code, ev.Payload, io.EOF)
		case Pong:
		}
	}
}

func (e *end) write(op Opcode, msg []byte) {
	flags := Fin
	if e.deflate && !op.control() {
		if packed, ok := e.d.Append(nil, msg); ok {
			msg, flags = packed, Fin|Compressed
		}
	}
	if e.role == Server {
		_, _ = e.conn.Write(AppendFrame(nil, op, flags, msg))
	} else {
		_, _ = e.conn.Write(AppendMasked(nil, op, flags, testKey, msg))
	}
}

func fieldsFrom(h http.Header) (fields []field.Field) {
	for name, values := range h {
		for _, value := range values {
			fields = append(fields, field.Field{Name: []byte(name), Value: []byte(value)})
		}
	}
	return fields
}

// echo is our server: it answers a handshake and sends back what it gets.
func echo(t *testing.T, conn net.Conn, ended chan<- error) {
	r := bufio.NewReader(conn)
	req, err := http.ReadRequest(r)
	if err != nil {
		ended <- err
		return
	}
	fields := fieldsFrom(req.Header)
	key, err := CheckUpgrade([]byte(req.Method), fields)
	if err != nil {
		ended <- err
		return
	}
	extensions, err := NegotiateDeflate(fields)
	if err != nil {
		ended <- err
		return
	}
	answer := AppendAnswer([]byte("HTTP/1.1 101 Switching Protocols\r\n"), key, NegotiateProtocol(fields, []string{"echo"}), extensions)
	_, _ = conn.Write(append(answer, "\r\n"...))
	t.Logf("extensions: %q", extensions)
	e := &end{conn: conn, r: r, parser: NewParser(Server, extensions != ""), deflate: extensions != ""}
	for {
		op, msg, err := e.read()
		if err != nil {
			ended <- err
			return
		}
		e.write(op, msg)
	}
}

// Its client talks to us.
func TestPeerClient(t *testing.T) {
	for name, mode := range compressions {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			ended := make(chan error, 1)
			client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go echo(t, ours, ended)
				return theirs, nil
			}}}
			c, _, err := websocket.Dial(ctx, "ws://echo/", &websocket.DialOptions{
				HTTPClient: &client, CompressionMode: mode, CompressionThreshold: 1, Subprotocols: []string{"other", "echo"},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.CloseNow() }()
			c.SetReadLimit(-1)
			if c.Subprotocol() != "echo" {
				t.Errorf("subprotocol %q", c.Subprotocol())
			}
			for _, msg := range messages() {
				if err := c.Write(ctx, websocket.MessageBinary, []byte(msg)); err != nil {
					t.Fatal(err)
				}
				if kind, got, err := c.Read(ctx); kind != websocket.MessageBinary || err != nil || string(got) != msg {
					t.Fatalf("%.20q of %d bytes: %v", msg, len(msg), err)
				}
			}
			c.CloseRead(ctx)
			if err := c.Ping(ctx); err != nil {
				t.Error(err)
			}
			if err := c.Close(websocket.StatusGoingAway, "bye"); err != nil {
				t.Error(err)
			}
			if err := <-ended; !strings.Contains(err.Error(), "closed with 1001 bye") {
				t.Error(err)
			}
		})
	}
}

// We talk to its server.
func TestPeerServer(t *testing.T) {
	for name, mode := range compressions {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: mode, CompressionThreshold: 1})
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = c.CloseNow() }()
				c.SetReadLimit(-1)
				for {
					kind, msg, err := c.Read(r.Context())
					if err != nil || c.Write(r.Context(), kind, msg) != nil {
						return
					}
				}
			}))
			defer server.Close()
			e := dial(t, server.Listener.Addr().String())
			defer func() { _ = e.conn.Close() }()
			if e.deflate != (mode != websocket.CompressionDisabled) {
				t.Errorf("deflate %v", e.deflate)
			}
			for _, msg := range messages() {
				e.write(Binary, []byte(msg))
				if op, got, err := e.read(); op != Binary || err != nil || string(got) != msg {
					t.Fatalf("%.20q of %d bytes: %v", msg, len(msg), err)
				}
			}
			e.write(CloseFrame, AppendClosePayload(nil, Normal, "done"))
			if _, _, err := e.read(); err == nil || !strings.Contains(err.Error(), "closed with 1000") {
				t.Error(err)
			}
		})
	}
}

// dial opens a connection to a server with our handshake.
func dial(t *testing.T, addr string) *end {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	key := AppendKey(nil, [16]byte{9, 8, 7})
	ask := AppendAsk([]byte("GET / HTTP/1.1\r\nHost: echo\r\n"), key, "", DeflateOffer)
	_, _ = conn.Write(append(ask, "\r\n"...))
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	fields := fieldsFrom(answer.Header)
	on, err := CheckDeflate(fields, true)
	if checked := CheckAnswer(fields, key); answer.StatusCode != 101 || checked != nil || err != nil {
		t.Fatal(answer.Status, checked, err)
	}
	return &end{conn: conn, r: r, role: Client, parser: NewParser(Client, on), deflate: on}
}

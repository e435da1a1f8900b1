package websocket

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/codec/ws"
	"holdfast/engine/exchange"
	"holdfast/engine/http1"
	"holdfast/engine/loop"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/simkernel"
)

const (
	heartbeat  = 50 * time.Second
	pongs      = 10 * time.Second
	maxInbound = 64 << 10
)

// rig is a real loop on a fake kernel, its HTTP/1.1 and WebSocket sessions, and a script for a handler.
type rig struct {
	testing.TB
	k      *simkernel.Kernel
	l      *loop.Loop
	h1     *http1.Sessions
	s      *Sessions
	script *script
	door   int
	held   int64

	carried bool // by another carrier, which tally does not know
}

func newRig(t testing.TB, seed uint64, o simkernel.Options, p route.Socket, cfg Config) *rig {
	t.Helper()
	o.Nap = time.Millisecond
	r := &rig{TB: t, k: simkernel.New(seed, o), held: mem.BufferBytes()}
	r.l = loop.New(r.k, loop.Config{MaxSlots: 4096})
	r.script = &script{rig: r, talks: map[uint32]*talk{}, fates: map[uint32]record.Fate{}}
	r.h1 = http1.New(r.l, r.script, http1.Config{}, "BOUND")
	r.s = New(r.l, r.script, cfg)
	r.s.SetPolicies([]route.Socket{route.Policy{Socket: p}.Filled().Socket})
	r.h1.Upgrade(r.s)
	r.l.Speak(record.HTTP1, r.h1)
	r.l.Speak(record.WebSocket, r.s)
	r.l.Host(r.script)
	r.door = r.k.Listen()
	if _, err := r.l.Listen(r.door, record.HTTP1, 0); err != nil {
		t.Fatal(err)
	}
	return r
}

// passing is a policy that lets messages through.
var passing = route.Socket{Inbound: route.Published, Deflate: true}

// calm is a rig in good weather whose clients' messages are passed on.
func calm(t testing.TB) *rig {
	t.Helper()
	return newRig(t, 1, simkernel.Options{}, passing, Config{})
}

// settle ticks until nothing happens any more without time or a client.
func (r *rig) settle() {
	r.Helper()
	r.l.Tick()
	for n := 0; !r.k.Idle(); n++ {
		if n > 200_000 {
			r.Fatal("the loop does not come to rest")
		}
		r.l.Tick()
	}
	r.tally()
}

// tally fails unless the gauges are what the records say.
func (r *rig) tally() {
	r.Helper()
	open, closing := int64(0), int64(0)
	r.l.Each(0, 4096, func(_ uint32, rec *record.Record) {
		if rec.Kind != record.WebSocket {
			return
		}
		switch {
		case rec.Flags&bitOver != 0:
		case rec.Flags&bitClosing != 0:
			closing++
		default:
			open++
		}
	})
	parked := 0
	for _, t := range r.script.talks {
		if t.parked {
			parked++
		}
	}
	if st := &r.s.Stats; !r.carried && (st.Open != open || st.Closing != closing || int(open) != parked) {
		r.Errorf("open %d, closing %d, counted as %d and %d; %d exchanges parked", open, closing, st.Open, st.Closing, parked)
	}
}

// do runs f on the loop, as mail and timers are.
func (r *rig) do(f func()) {
	r.Helper()
	r.l.Post(f)
	r.settle()
}

// pass lets time pass in steps that are short against every timeout.
func (r *rig) pass(d time.Duration) {
	r.Helper()
	for d > 0 {
		step := min(d, 250*time.Millisecond)
		r.k.Advance(step)
		r.settle()
		d -= step
	}
}

// empty fails unless everything that connections cost was given back and every exchange was ended once.
func (r *rig) empty() {
	r.Helper()
	g := r.l.Gauge()
	if g.KeptInputs != 0 || g.QueuedConns != 0 || r.l.Stats.Conns != 0 {
		r.Errorf("kept inputs %d, queues %d, connections %d", g.KeptInputs, g.QueuedConns, r.l.Stats.Conns)
	}
	if n := r.piecesUsed(); n != 0 {
		r.Errorf("%d messages are not given back", n)
	}
	if b := mem.BufferBytes() - r.held; b != 0 {
		r.Errorf("%d bytes of buffers are not given back", b)
	}
	if fds := r.k.Leaks(); len(fds) != 1 {
		r.Errorf("open descriptors %v, want the listener only", fds)
	}
	if n := len(r.script.talks); n != 0 || r.script.begun != len(r.script.why) {
		r.Errorf("%d exchanges begun, %d ended, %d alive", r.script.begun, len(r.script.why), n)
	}
}

func (r *rig) piecesUsed() int { return len(r.s.pieces.all) - 1 - len(r.s.pieces.free) }

// client is somebody connected.
type client struct {
	*rig
	p       *simkernel.Peer
	seen    []byte
	parser  ws.Parser
	deflate bool
	text    []byte // of a message that has begun
	frames  []string
}

const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ==" // RFC 6455 §1.3
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
	asking       = "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + sampleKey + "\r\n"
	offering     = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
)

func (r *rig) dial() *client {
	r.Helper()
	c := &client{rig: r, p: r.k.Dial(r.door), parser: ws.NewParser(ws.Client, false)}
	r.settle()
	return c
}

// open is a client whose handshake was answered.
func (r *rig) open(path string, lines ...string) *client {
	r.Helper()
	c := r.dial()
	c.send("GET " + path + " HTTP/1.1\r\n" + asking + strings.Join(lines, "") + "\r\n")
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		r.Fatalf("the handshake is answered %q", head)
	}
	return c
}

// head takes the answer to the handshake out of what came.
func (c *client) head() string {
	c.seen = append(c.seen, c.p.Read()...)
	head, rest, _ := strings.Cut(string(c.seen), "\r\n\r\n")
	if strings.HasPrefix(head, "HTTP/1.1 101 ") {
		c.seen = []byte(rest)
		c.deflate = strings.Contains(head, "permessage-deflate")
		c.parser = ws.NewParser(ws.Client, c.deflate)
	}
	return head + "\r\n"
}

func (c *client) send(s string) {
	c.Helper()
	c.p.Write([]byte(s))
	c.settle()
}

const mask = ws.Mask(0x12345678)

// frame is a client's.
func frame(op ws.Opcode, flags ws.Flags, data string) string {
	return string(ws.AppendMasked(nil, op, flags, mask, []byte(data)))
}

func text(s string) string   { return frame(ws.Text, ws.Fin, s) }
func binary(s string) string { return frame(ws.Binary, ws.Fin, s) }
func ping(s string) string   { return frame(ws.PingFrame, ws.Fin, s) }
func pong(s string) string   { return frame(ws.PongFrame, ws.Fin, s) }

// closing is a client's close frame; code 0 is none.
func closing(code int, reason string) string {
	if code == 0 {
		return frame(ws.CloseFrame, ws.Fin, "")
	}
	return frame(ws.CloseFrame, ws.Fin, string([]byte{byte(code >> 8), byte(code)})+reason)
}

// read lists the frames that came since the last time: "text a", "binary b", "ping", "pong c", "close 1000 d". What came
// compressed has a star.
func (c *client) read() []string {
	c.Helper()
	c.seen = append(c.seen, c.p.Read()...)
	lim := ws.Limits{Overhead: 1 << 20}
	for len(c.seen) > 0 {
		ev, n, err := c.parser.Next(c.seen, &lim)
		if err != nil {
			c.Fatalf("the server breaks the protocol: %v at %.40q", err, c.seen)
		}
		part := string(ev.Payload)
		c.seen = c.seen[n:]
		switch ev.Kind {
		case ws.NeedMore:
			return c.take()
		case ws.Ping:
			c.frames = append(c.frames, strings.TrimSpace("ping "+part))
		case ws.Pong:
			c.frames = append(c.frames, strings.TrimSpace("pong "+part))
		case ws.Close:
			c.frames = append(c.frames, strings.TrimSpace(fmt.Sprint("close ", ev.Code, " ", part)))
		case ws.Data:
			if c.text = append(c.text, part...); ev.Last {
				c.frames = append(c.frames, c.message(&ev))
			}
		}
	}
	return c.take()
}

func (c *client) take() []string {
	got := c.frames
	c.frames = nil
	return got
}

func (c *client) message(ev *ws.Event) string {
	c.Helper()
	kind := "binary "
	if ev.Opcode == ws.Text {
		kind = "text "
	}
	data := c.text
	c.text = nil
	if ev.Compressed {
		kind = kind[:len(kind)-1] + "* "
		var err error
		if data, err = new(ws.Inflater).Append(nil, data, 16<<20); err != nil {
			c.Errorf("a message that cannot be inflated: %v", err)
		}
	}
	return kind + string(data)
}

// want fails unless exactly these frames came.
func (c *client) want(want ...string) {
	c.Helper()
	if got := c.read(); !slices.Equal(got, want) {
		c.Errorf("got %.200q, want %.200q", got, want)
	}
}

// heard fails unless the handler was told exactly these messages since the last time.
func (r *rig) heard(want ...string) {
	r.Helper()
	if got := r.script.messages; !slices.Equal(got, want) {
		r.Errorf("heard %.200q, want %.200q", got, want)
	}
	r.script.messages = nil
}

// ended fails unless the exchanges that ended since the last time did so for these reasons.
func (r *rig) ended(want ...record.Reason) {
	r.Helper()
	if got := r.script.why[r.script.asked:]; !slices.Equal(got, want) {
		r.Errorf("ended %v, want %v", got, want)
	}
	r.script.asked = len(r.script.why)
}

// is fails unless the server's side has ended like this.
func (c *client) is(want simkernel.How) {
	c.Helper()
	if _, how := c.p.Closed(); how != want {
		c.Errorf("the connection is %v, want %v", how, want)
	}
}

// over lets the client end too, and fails unless nothing is left.
func (c *client) over() {
	c.Helper()
	c.is(simkernel.Fin)
	c.read()
	c.p.Close()
	c.settle()
	c.empty()
}

// slot is where the only connection lives.
func (r *rig) slot() uint32 {
	r.Helper()
	var at []uint32
	r.l.Each(0, 4096, func(slot uint32, _ *record.Record) { at = append(at, slot) })
	if len(at) != 1 {
		r.Fatalf("%d connections", len(at))
	}
	return at[0]
}

func response(status int) *exchange.Response { return &exchange.Response{Status: status} }

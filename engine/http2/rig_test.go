package http2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	xh2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"holdfast/codec/h2"
	"holdfast/engine/exchange"
	"holdfast/engine/http1"
	"holdfast/engine/loop"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

const boundary = "BOUND"

// rig is a real loop on a fake kernel, its sessions, and a handler that does what a request's path says.
type rig struct {
	testing.TB
	k      *simkernel.Kernel
	l      *loop.Loop
	one    *http1.Sessions
	s      *Sessions
	script *script
	door   int   // the listener
	held   int64 // bytes of buffers that others hold
}

func newRig(t testing.TB, seed uint64, o simkernel.Options, cfg Config) *rig {
	t.Helper()
	r := bareRig(t, seed, o)
	r.script = newScript(r)
	r.serve(r.script, r.script, cfg)
	return r
}

// bareRig is a rig without a handler, for serve to give it one.
func bareRig(t testing.TB, seed uint64, o simkernel.Options) *rig {
	o.Nap = time.Millisecond // time passes by pass only
	r := &rig{TB: t, k: simkernel.New(seed, o), held: mem.BufferBytes()}
	r.l = loop.New(r.k, loop.Config{MaxSlots: 16384})
	return r
}

func (r *rig) serve(h exchange.Handler, tenant loop.Tenant, cfg Config) {
	r.Helper()
	r.one = http1.New(r.l, h, http1.Config{}, boundary)
	r.s = New(r.l, h, cfg, boundary)
	r.one.Multiplex(r.s)
	r.l.Speak(record.HTTP1, r.one)
	r.l.Speak(record.HTTP2, r.s)
	r.l.Speak(record.Stream, r.s)
	r.l.Host(tenant)
	r.door = r.k.Listen()
	if _, err := r.l.Listen(r.door, record.HTTP1, 0); err != nil {
		r.Fatal(err)
	}
}

// calm is a rig in good weather with the default limits.
func calm(t testing.TB) *rig {
	t.Helper()
	return newRig(t, 1, simkernel.Options{}, Config{})
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

// tally fails unless the counts of states are what the records say.
func (r *rig) tally() {
	r.Helper()
	var states [States]int64
	conns := int64(0)
	r.l.Each(0, 1<<20, func(_ uint32, rec *record.Record) {
		switch rec.Kind {
		case record.Stream:
			states[rec.State]++
		case record.HTTP2:
			conns++
		case record.Free, record.Chain, record.HTTP1, record.Client, record.WebSocket:
		}
	})
	if states != r.s.Stats.Streams || conns != r.s.Stats.Conns {
		r.Errorf("streams by state %v and %d connections, counted as %v and %d", states, conns, r.s.Stats.Streams, r.s.Stats.Conns)
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
	if g.KeptInputs != 0 || g.QueuedConns != 0 || r.l.Stats.Conns != 0 || r.l.Stats.Chained != 0 {
		r.Errorf("kept inputs %d, queues %d, connections %d, streams %d", g.KeptInputs, g.QueuedConns, r.l.Stats.Conns, r.l.Stats.Chained)
	}
	if b, w := len(r.s.busies.all)-1-len(r.s.busies.free), len(r.s.works.all)-1-len(r.s.works.free); b != 0 || w != 0 {
		r.Errorf("%d busies and %d works are not given back", b, w)
	}
	if r.s.links.Live() != 0 || r.s.streams.Live() != 0 || r.s.index.count != 0 {
		r.Errorf("%d links, %d streams, %d of them indexed", r.s.links.Live(), r.s.streams.Live(), r.s.index.count)
	}
	if b := mem.BufferBytes() - r.held; b != 0 {
		r.Errorf("%d bytes of buffers are not given back", b)
	}
	if fds := r.k.Leaks(); len(fds) != 1 {
		r.Errorf("open descriptors %v, want the listener only", fds)
	}
	if r.script == nil {
		return
	}
	if n := len(r.script.talks); n != 0 || r.script.begun != len(r.script.why) {
		r.Errorf("%d exchanges begun, %d ended, %d alive", r.script.begun, len(r.script.why), n)
	}
	for ticket, f := range r.script.fates {
		if f == record.Staged {
			r.Errorf("message %d has no fate", ticket)
		}
	}
}

// client is somebody connected, who speaks frames.
type client struct {
	*rig
	p     *simkernel.Peer
	seen  []byte
	out   bytes.Buffer
	w     *xh2.Framer
	enc   *hpack.Encoder
	block bytes.Buffer
	dec   *hpack.Decoder
}

func (r *rig) dial() *client {
	r.Helper()
	c := &client{rig: r, p: r.k.Dial(r.door)}
	c.w = xh2.NewFramer(&c.out, nil)
	c.w.AllowIllegalWrites = true
	c.enc = hpack.NewEncoder(&c.block)
	c.dec = hpack.NewDecoder(4096, nil)
	r.settle()
	return c
}

// hello is a client that has shaken hands; its SETTINGS are given.
func (r *rig) hello(settings ...xh2.Setting) *client {
	r.Helper()
	c := r.dial()
	c.out.WriteString(h2.Preface)
	c.w.WriteSettings(settings...)
	c.w.WriteSettingsAck()
	c.flush()
	c.settled()
	c.output()
	return c
}

// settled skips to where the client's HPACK table has been taken away and that is acknowledged.
func (c *client) settled() {
	c.Helper()
	c.do(func() {
		c.l.Each(0, 1<<20, func(slot uint32, rec *record.Record) {
			if rec.Kind == record.HTTP2 {
				c.s.shrink(slot, rec)
			}
		})
	})
	c.w.WriteSettingsAck()
	c.flush()
	c.enc.SetMaxDynamicTableSize(0)
}

// flush sends what was written.
func (c *client) flush() {
	c.Helper()
	c.p.Write(c.out.Bytes())
	c.out.Reset()
	c.settle()
}

// headers writes a HEADERS frame: fields are "name: value" lines behind the method and path.
func (c *client) headers(id uint32, end bool, method, path string, fields ...string) {
	c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: id, BlockFragment: c.request(method, path, fields...), EndStream: end, EndHeaders: true})
}

func (c *client) request(method, path string, fields ...string) []byte {
	c.block.Reset()
	write := func(name, value string) { c.enc.WriteField(hpack.HeaderField{Name: name, Value: value}) }
	write(":method", method)
	write(":scheme", "http")
	write(":authority", "a")
	write(":path", path)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		write(name, value)
	}
	return c.block.Bytes()
}

func (c *client) get(id uint32, path string) {
	c.Helper()
	c.headers(id, true, "GET", path)
	c.flush()
}

// output says in words what came since the last time, a line for each frame.
func (c *client) output() string {
	c.Helper()
	var lines []string
	c.frames(func(f xh2.Frame) { lines = append(lines, c.words(f)) })
	return strings.Join(lines, "\n")
}

// frames shows every whole frame that came since the last time.
func (c *client) frames(show func(f xh2.Frame)) {
	c.Helper()
	c.seen = append(c.seen, c.p.Read()...)
	for {
		h, ok := h2.ParseHeader(c.seen)
		if !ok || len(c.seen) < h2.HeaderLen+int(h.Length) {
			return
		}
		rd := xh2.NewFramer(nil, bytes.NewReader(c.seen))
		rd.AllowIllegalReads = true
		f, err := rd.ReadFrame()
		if err != nil {
			c.Fatalf("a frame that the client cannot read: %v in %q", err, c.seen)
		}
		c.seen = c.seen[h2.HeaderLen+int(h.Length):]
		show(f)
	}
}

func (c *client) words(f xh2.Frame) string {
	id, end := f.Header().StreamID, ""
	if f.Header().Flags.Has(xh2.FlagDataEndStream) {
		end = " end"
	}
	switch f := f.(type) {
	case *xh2.HeadersFrame:
		fields, err := c.dec.DecodeFull(f.HeaderBlockFragment())
		if err != nil || !f.HeadersEnded() {
			c.Fatalf("stream %d: a block that the client cannot read: %v", id, err)
		}
		var b strings.Builder
		for _, h := range fields {
			if h.Name == "date" {
				continue
			}
			fmt.Fprintf(&b, " %s=%s", strings.TrimPrefix(h.Name, ":"), h.Value)
		}
		return fmt.Sprintf("%d HEADERS%s%s", id, b.String(), end)
	case *xh2.DataFrame:
		data := string(f.Data())
		if len(data) > 60 {
			data = fmt.Sprintf("%d bytes", len(data))
		}
		return fmt.Sprintf("%d DATA %q%s", id, data, end)
	case *xh2.RSTStreamFrame:
		return fmt.Sprintf("%d RST %v", id, f.ErrCode)
	case *xh2.SettingsFrame:
		if f.IsAck() {
			return "SETTINGS ack"
		}
		return fmt.Sprintf("SETTINGS %d", f.NumSettings())
	case *xh2.PingFrame:
		return fmt.Sprintf("PING %q ack %v", strings.TrimRight(string(f.Data[:]), "\x00"), f.IsAck())
	case *xh2.GoAwayFrame:
		return fmt.Sprintf("GOAWAY %d %v %q", f.LastStreamID, f.ErrCode, f.DebugData())
	case *xh2.WindowUpdateFrame:
		return fmt.Sprintf("%d WINDOW %d", id, f.Increment)
	}
	return fmt.Sprintf("%d %v", id, f.Header().Type)
}

func (c *client) want(lines ...string) {
	c.Helper()
	if got, want := c.output(), strings.Join(lines, "\n"); got != want {
		c.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// is fails unless the server's side has ended like this.
func (c *client) is(want simkernel.How) {
	c.Helper()
	if _, how := c.p.Closed(); how != want {
		c.Errorf("the connection is %v, want %v", how, want)
	}
}

func (c *client) leave()   { c.p.Read(); c.p.Close(); c.settle() }
func (c *client) isOpen()  { c.Helper(); c.is(simkernel.Open) }
func (c *client) isEnded() { c.Helper(); c.is(simkernel.Fin) }

// push delivers one message to every exchange that is parked, and returns the fates in the order of slots.
func (r *rig) push(p *mem.Payload) []record.Fate {
	r.Helper()
	var tickets []uint32
	r.do(func() {
		r.l.Each(0, 1<<20, func(slot uint32, rec *record.Record) {
			if rec.Kind == record.Stream && (parked(rec.State) || rec.State == stateSocket) {
				tickets = append(tickets, r.script.deliver(exchange.Exchange{Slot: slot, Session: r.s}, p))
			}
		})
		p.Release()
	})
	fates := make([]record.Fate, len(tickets))
	for i, ticket := range tickets {
		fates[i] = r.script.fates[ticket]
	}
	return fates
}

// message is a payload of text.
func message(data string) *mem.Payload {
	p := mem.NewPayload(len(data))
	p.SetType([]byte("text/plain"))
	p.Append([]byte(data))
	return p
}

package gateway

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/codec/field"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/registry"
)

// call is one exchange as its client sees it, and how the client behaves.
type call struct {
	record.Record
	loop *fakeLoop
	slot uint32
	gen  uint32
	used bool

	fate   record.Fate // of messages sent here; Staged: of another's choice, at flush
	unread bool        // what is written stays queued

	answer  exchange.Response // its bytes are copies
	over    bool              // the exchange has ended
	why     record.Reason
	heard   []string // messages that were taken whole
	queued  int
	paused  bool
	after   time.Duration // of Hold or Beat
	beats   int
	patient time.Duration
	byes    int
	until   int // the world's step when it ended
}

// fakeLoop is a loop and a session without sockets.
type fakeLoop struct {
	*world
	id     int
	calls  []*call // by slot; 0 is nobody
	unused []uint32
	g      *Gateway
	space  *exchange.Space
	staged []stagedMessage
	wanted []*call // Drained is
	woken  bool
}

type stagedMessage struct {
	c      *call
	p      *mem.Payload
	ticket uint32
}

// world is several gateways over one table.
type world struct {
	t      testing.TB
	shared *Shared
	loops  []*fakeLoop
	now    int64
	rng    *rand.Rand
	step   int
}

// newWorld makes n gateways with holds at /sub, pushes at /push, echoes at /echo and a page at /hello; listener 1 is a publish listener.
func newWorld(t testing.TB, n int, cfg Config, policy route.Policy) *world {
	snap := &route.Snapshot{
		Listeners: []route.Listener{{Name: "public"}, {Name: "publish", Publish: true}},
		Policies:  []route.Policy{policy.Filled()},
	}
	for at := range snap.Listeners {
		for prefix, action := range map[string]route.Action{"/sub": route.Hold, "/push": route.Push, "/echo": route.Echo} {
			snap.Routes = append(snap.Routes,
				route.Route{Listener: at, Prefix: prefix, Action: action},
				route.Route{Listener: at, Prefix: prefix + "/", Action: action})
		}
		snap.Routes = append(snap.Routes,
			route.Route{Listener: at, Prefix: "/hello", Action: route.Respond, Status: 200, Type: "text/plain", Body: []byte("hello")})
	}
	w := &world{t: t, now: int64(time.Hour), rng: rand.New(rand.NewPCG(1, 2))}
	w.shared = NewShared(n, registry.New(registry.Config{Loops: n, Shards: 4}))
	w.shared.Snapshot.Store(snap)
	if cfg.Node == "" {
		cfg.Node = "node-a"
	}
	for i := range n {
		l := &fakeLoop{world: w, id: i, calls: []*call{nil}}
		l.space = exchange.NewSpace(l)
		l.space.Speak(record.HTTP1, l)
		l.g = New(w.shared, l.space, func() { l.woken = true }, cfg)
		w.loops = append(w.loops, l)
	}
	return w
}

// Host.

func (l *fakeLoop) At(slot uint32) *record.Record         { return &l.calls[slot].Record }
func (l *fakeLoop) Member(slot uint32) *registry.Member   { return &l.calls[slot].Member }
func (l *fakeLoop) Queued(slot uint32) int                { return l.calls[slot].queued }
func (l *fakeLoop) ID() int                               { return l.id }
func (l *fakeLoop) Now() int64                            { return l.now }
func (l *fakeLoop) Clock() int64                          { return l.now }
func (l *fakeLoop) Seconds() uint32                       { return uint32(l.now / int64(time.Second)) }
func (l *fakeLoop) Patience(slot uint32, d time.Duration) { l.calls[slot].patient = d }
func (l *fakeLoop) Pause(slot uint32)                     { l.calls[slot].paused = true }
func (l *fakeLoop) Resume(slot uint32)                    { l.calls[slot].paused = false }
func (l *fakeLoop) WantDrained(slot uint32)               { l.wanted = append(l.wanted, l.calls[slot]) }

func (l *fakeLoop) view(slot uint32) exchange.Exchange {
	return exchange.Exchange{Slot: slot, Session: l}
}

func (l *fakeLoop) Handle(slot uint32) registry.Handle {
	return registry.NewHandle(l.id, slot, l.calls[slot].gen)
}

func (l *fakeLoop) Live(h registry.Handle) bool {
	c := l.calls[h.Slot()]
	return c.used && c.gen == h.Gen() && h.Loop() == l.id
}

// alloc prefers slots that were used before: what is stale must not do harm.
func (l *fakeLoop) alloc(k record.Kind) *call {
	i := len(l.calls)
	if n := len(l.unused); n > 0 {
		i, l.unused = int(l.unused[n-1]), l.unused[:n-1]
	} else {
		l.calls = append(l.calls, &call{gen: 1})
	}
	c := &call{loop: l, slot: uint32(i), gen: l.calls[i].gen, used: true, fate: record.Delivered}
	c.Kind = k
	l.calls[i] = c
	return c
}

func (l *fakeLoop) free(c *call) {
	gone := &call{gen: c.gen + 1}
	c.used = false
	l.calls[c.slot] = gone
	l.unused = append(l.unused, c.slot)
}

func (l *fakeLoop) Chain(owner uint32) (uint32, bool) {
	c := l.alloc(record.Chain)
	c.Owner = owner
	return c.slot, true
}

func (l *fakeLoop) Unchain(slot uint32) { l.free(l.calls[slot]) }

func (l *fakeLoop) Each(after uint32, limit int, visit func(uint32, *record.Record)) uint32 {
	for range limit {
		for after++; int(after) < len(l.calls) && !l.calls[after].used; after++ {
		}
		if int(after) >= len(l.calls) {
			return 0
		}
		if r := l.At(after); r.Kind != record.Chain && !r.Closing {
			visit(after, r)
		}
	}
	return after
}

// Session.

func (l *fakeLoop) head(c *call, r *exchange.Response) {
	if c.over || c.answer.Status != 0 {
		l.t.Fatalf("slot %d is answered twice: %d, then %d", c.slot, c.answer.Status, r.Status)
	}
	c.answer = exchange.Response{Status: r.Status, Type: r.Type, Subprotocol: slices.Clone(r.Subprotocol)}
	for _, f := range r.Fields {
		c.answer.Fields = append(c.answer.Fields, field.Field{Name: slices.Clone(f.Name), Value: slices.Clone(f.Value)})
	}
}

func (l *fakeLoop) Respond(slot uint32, r *exchange.Response) {
	c := l.calls[slot]
	l.head(c, r)
	c.answer.Body = slices.Clone(r.Body)
	if r.Type == jsonType && !json.Valid(r.Body) {
		l.t.Errorf("slot %d: %d with %q, which is no JSON", slot, r.Status, r.Body)
	}
	l.finish(c, record.ReasonDone)
}

func (l *fakeLoop) Open(slot uint32, r *exchange.Response) { l.head(l.calls[slot], r) }

func (l *fakeLoop) Write(slot uint32, b []byte) {
	c := l.calls[slot]
	if c.over || c.answer.Status == 0 {
		l.t.Fatalf("slot %d: %q is written outside the answer", slot, b)
	}
	c.answer.Body = append(c.answer.Body, b...)
	if c.unread {
		c.queued += len(b)
	}
}

func (l *fakeLoop) End(slot uint32) {
	if l.calls[slot].answer.Status == 0 {
		l.t.Fatalf("slot %d ends before its head", slot)
	}
	l.finish(l.calls[slot], record.ReasonDone)
}

func (l *fakeLoop) finish(c *call, why record.Reason) {
	if c.over {
		l.t.Fatalf("slot %d ends twice", c.slot)
	}
	c.over, c.why, c.until = true, why, l.step
	l.g.Ended(l.view(c.slot), why)
	if c.Task != 0 || c.Form != 0 || c.Chain != 0 || c.Member.Name != 0 {
		l.t.Errorf("slot %d ended but task %d form %d chain %d name %d are left", c.slot, c.Task, c.Form, c.Chain, c.Member.Name)
	}
	l.free(c)
}

func (l *fakeLoop) Hold(slot uint32, f exchange.Form, r *exchange.Response, after time.Duration) {
	c := l.calls[slot]
	c.Form, c.after = uint8(f), after
	if f != exchange.Poll {
		l.head(c, r)
	}
}

func (l *fakeLoop) Beat(slot uint32, after time.Duration) {
	l.calls[slot].after = after
	l.calls[slot].beats++
}

func (l *fakeLoop) Goaway(slot uint32) {
	c := l.calls[slot]
	c.byes++
	if c.Form == uint8(exchange.Poll) {
		l.Respond(slot, &exchange.Response{Status: 204})
		return
	}
	l.End(slot)
}

func (l *fakeLoop) Deliver(slot uint32, p *mem.Payload, ticket uint32) record.Fate {
	c := l.calls[slot]
	if c.over || c.Form == 0 {
		l.t.Fatalf("slot %d hears %q but waits for nothing", slot, p.Data)
	}
	switch c.fate {
	case record.DroppedForm, record.DroppedSlow, record.DroppedGone:
		return c.fate
	case record.Staged, record.Delivered, record.Pending: // flush tells
	}
	p.Retain()
	l.staged = append(l.staged, stagedMessage{c, p, ticket})
	if c.Form == uint8(exchange.Poll) {
		l.finish(c, record.ReasonDone)
	}
	return record.Staged
}

// flush tells the fates of what was staged, in rounds as the loop does, and then who has been sent everything.
func (l *fakeLoop) flush() {
	for range 8 {
		now := l.staged
		l.staged = nil
		for _, m := range now {
			fate := m.c.fate
			if fate == record.Delivered || fate == record.Pending {
				m.c.heard = append(m.c.heard, string(m.p.Data))
			}
			m.p.Release()
			l.g.Settled(m.ticket, fate)
		}
		wanted := l.wanted
		l.wanted = nil
		for _, c := range wanted {
			switch {
			case c.over:
			case c.queued > 0:
				l.wanted = append(l.wanted, c)
			default:
				l.g.Happened(l.view(c.slot), exchange.Drained)
			}
		}
	}
}

// tick is one round of one loop; it returns what Work said about the next one.
func (l *fakeLoop) tick() time.Duration {
	l.now += int64(time.Millisecond)
	l.woken = false
	again := l.g.Work(l.now)
	l.flush()
	return again
}

// rest ticks all loops, in an order that changes, while any of them has a reason to be awake.
func (w *world) rest() (ticks int) {
	w.t.Helper()
	for busy := true; busy; ticks++ {
		if ticks > 10_000 {
			w.t.Fatal("the loops never rest")
		}
		busy = false
		for _, i := range w.rng.Perm(len(w.loops)) {
			l := w.loops[i]
			busy = l.tick() == 0 || l.woken || len(l.staged) > 0 || busy
		}
		for _, l := range w.loops {
			busy = busy || l.woken || slices.ContainsFunc(l.wanted, func(c *call) bool { return c.queued == 0 })
		}
	}
	return ticks
}

// fields makes header fields of "Name: value" lines.
func fields(lines ...string) (out []field.Field) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		out = append(out, field.Field{Name: []byte(name), Value: []byte(value)})
	}
	return out
}

// begin shows the gateway a request's head, with a body of unknown length if it has one.
func (l *fakeLoop) begin(request string, lines ...string) *call {
	return l.beginSized(request, -1, lines...)
}

func (l *fakeLoop) beginSized(request string, size int64, lines ...string) *call {
	protocol := ""
	request, protocol, _ = strings.Cut(request, " as ")
	method, target, _ := strings.Cut(request, " ")
	path, query, _ := strings.Cut(target, "?")
	c := l.alloc(record.HTTP1)
	c.Listener = 1
	h := exchange.Head{
		Method: []byte(method), Path: []byte(path), Query: []byte(query), Authority: []byte("edge.example"),
		Protocol: []byte(protocol), Fields: fields(lines...), HasBody: size != 0, Length: size, Listener: 1,
	}
	l.g.Begin(l.view(c.slot), &h)
	return c
}

// body gives the next piece of a request's body, and reports whether it was wanted.
func (c *call) body(b string) bool {
	if c.over || c.paused {
		return false
	}
	piece := []byte(b)
	c.loop.g.Body(c.loop.view(c.slot), piece)
	for i := range piece { // it is the session's again
		piece[i] = 0xff
	}
	return true
}

func (c *call) complete() {
	if !c.over && c.Form == 0 {
		c.loop.g.Happened(c.loop.view(c.slot), exchange.Complete)
	}
}

// ask is a whole request without a body.
func (l *fakeLoop) ask(request string, lines ...string) *call {
	c := l.beginSized(request, 0, lines...)
	c.complete()
	return c
}

// post is a whole request with a body.
func (l *fakeLoop) post(request, body string, lines ...string) *call {
	c := l.begin(request, lines...)
	if body != "" {
		c.body(body)
	}
	c.complete()
	return c
}

// sub parks an SSE hold.
func (l *fakeLoop) sub(keys string) *call {
	l.t.Helper()
	c := l.ask("GET /sub/"+keys, "Accept: text/event-stream")
	if c.over || c.Form == 0 {
		l.t.Fatalf("no hold under %s: %s", keys, c)
	}
	return c
}

// leave is the client closing its connection.
func (c *call) leave() {
	if c.over {
		return
	}
	for i := range c.loop.staged {
		if m := &c.loop.staged[i]; m.c == c {
			c.fate = record.DroppedGone
		}
	}
	c.loop.finish(c, record.ReasonGone)
}

// field is one of the answer's.
func (c *call) field(name string) string {
	v, _ := field.Get(c.answer.Fields, strings.ToLower(name))
	return string(v)
}

func (c *call) String() string {
	return fmt.Sprintf("%d %s", c.answer.Status, c.answer.Body)
}

// lines are the answer's lines.
func (c *call) lines() []string {
	return strings.Split(strings.TrimSuffix(string(c.answer.Body), "\n"), "\n")
}

// wantVerdict compares status and counts; want is such as "200 delivered 2 dropped 1".
func (c *call) wantVerdict(want string) {
	c.loop.t.Helper()
	if got := c.verdict(); got != want {
		c.loop.t.Errorf("verdict %q, want %q (%s)", got, want, c)
	}
}

// Package gateway is the behaviour: what holding, publishing and answering mean, with no socket and no wire format in
// sight. One Gateway serves each loop; gateways reach each other by mail only. State belongs to the loop on which it
// was made, and everything that is kept per publish is pooled and bounded.
//
// Read gateway.go (which action a request gets), hold.go (parking), publish.go (what a publisher sends), op.go (how a
// push's verdict comes together), job.go (delivering, and fan-outs that take several ticks), mail.go (other loops).
package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"holdfast/codec/field"
	"holdfast/codec/ndjson"
	"holdfast/engine/exchange"
	"holdfast/engine/mailbox"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/registry"
	"holdfast/registry/peer"
)

// Config bounds what publishers and holds can make one loop spend. Zero means the default.
type Config struct {
	Node           string        // this node's name in verdicts
	Tokens         []Token       // bearer tokens that publish listeners accept; none: anyone who can connect
	Hosts          []string      // host names under which pages may publish without a token; IP addresses and localhost always may
	VerdictTimeout time.Duration // a loop that has not reported by then is unknown: 5 s
	FanoutPerTick  int           // deliveries of fan-outs per tick: 128, about 1 ms; neighbours wait no longer
	MaxJobs        int           // fan-outs under way or waiting on one loop: 4,096, one key's at most an eighth of what is free; beyond, pushes are refused (503)
	MaxOps         int           // pushes waiting for other loops: 16,384; beyond, pushes are refused (503)
	MaxBatch       int           // bytes of a JSON batch: 8 MiB (413)
	MaxBodies      int           // bytes set aside for publish bodies not dispatched yet: 256 MiB a loop (503)
	MailBound      int           // letters waiting for one loop: 65,536, a quarter of it for verdicts and closes
	VerdictBacklog int           // bytes of unread verdict lines before they collapse into counts: 64 KiB
	StreamIdle     time.Duration // silence between two items of a publish stream: 75 s
	ItemTimeout    time.Duration // between two pieces of one item or body: 10 s
	ClaimWait      time.Duration // how long a hold's head waits for other nodes to be able to find its keys: 100 ms
	IDWindow       time.Duration // within which a push with the same Push-Id and key is delivered once: 60 s; below 0 it is delivered each time
	IDs            int           // Push-Ids kept in it: 262,144; beyond, the oldest are forgotten
}

func (c *Config) fill() {
	size := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	size(&c.FanoutPerTick, 128)
	size(&c.MaxJobs, 4096)
	size(&c.MaxOps, 16<<10)
	size(&c.MaxBatch, 8<<20)
	size(&c.MaxBodies, 256<<20)
	size(&c.MailBound, 64<<10)
	size(&c.VerdictBacklog, 64<<10)
	size(&c.IDs, 256<<10)
	span := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	span(&c.VerdictTimeout, 5*time.Second)
	span(&c.StreamIdle, 75*time.Second)
	span(&c.ItemTimeout, 10*time.Second)
	span(&c.ClaimWait, 100*time.Millisecond)
	if c.IDWindow == 0 {
		c.IDWindow = time.Minute
	}
}

// Shared is what the gateways of one process share.
type Shared struct {
	Table    *registry.Table
	Snapshot atomic.Pointer[route.Snapshot]
	Abroad   Abroad // the other nodes; nil: there are none. Set before any loop runs
	boxes    []*mailbox.Box[letter]
	keys     *keyMaker
	window   window
	once     sync.Once // of the window: its bounds are the gateways'
}

// NewShared makes what n gateways share.
func NewShared(n int, table *registry.Table) *Shared {
	return &Shared{Table: table, boxes: make([]*mailbox.Box[letter], n), keys: newKeyMaker()}
}

// Gateway serves one loop. It is the loop's Tenant and its sessions' Handler.
type Gateway struct {
	cfg     Config
	shared  *Shared
	space   *exchange.Space
	members *registry.Members
	id      int
	now     int64
	worked  int64 // the time of the last Work
	wake    func()
	tasks   tasks
	ops     ops
	jobs    jobs
	mail    mailbag
	drain   drain
	loops   []int // scratch: the loops of a fan-out
	scratch scratch
	Stats   Stats
}

// New makes the gateway of the loop behind space; wake makes that loop look at its mail.
func New(c *Shared, space *exchange.Space, wake func(), cfg Config) *Gateway {
	cfg.fill()
	g := &Gateway{cfg: cfg, shared: c, space: space, id: space.ID(), now: space.Now(), wake: wake}
	g.members = registry.NewMembers(space)
	c.boxes[g.id] = mailbox.New[letter](cfg.MailBound, cfg.MailBound/4, wake)
	g.tasks.init()
	g.ops.init()
	g.jobs.init()
	c.once.Do(func() { c.window.init(cfg.IDWindow, cfg.IDs) })
	return g
}

// scratch is what a callback builds things in.
type scratch struct {
	key      []byte
	out      []byte
	fields   []field.Field
	response exchange.Response
	request  peer.Request
}

// Begin routes a request to its action.
func (g *Gateway) Begin(x exchange.Exchange, h *exchange.Head) {
	g.now = g.space.Now()
	snap := g.shared.Snapshot.Load()
	if string(h.Method) == "OPTIONS" && string(h.Path) == "*" {
		g.allow(x, 204, pushMethods) // no resource takes more, but for echoes
		return
	}
	rt, rest := snap.Match(h.Listener, h.Path)
	if rt == nil {
		g.fail(x, 404, "nothing is served at this path")
		return
	}
	switch rt.Action {
	case route.Hold:
		g.beginHold(x, h, snap, rt, rest)
	case route.Push:
		if snap.Listeners[h.Listener].Publish && !g.admit(x, h) {
			return
		}
		g.beginPush(x, h, snap, rt, rest)
	case route.Respond:
		g.respond(x, h, rt)
	case route.Echo:
		g.beginEcho(x, h, rt, rest)
	}
}

// Body is the next piece of a request's body.
func (g *Gateway) Body(x exchange.Exchange, b []byte) {
	if i := g.space.At(x.Slot).Task; i != 0 {
		g.now = g.space.Now()
		g.takeBody(x, i, b)
	}
}

// Happened is what else befalls an exchange.
func (g *Gateway) Happened(x exchange.Exchange, e exchange.Event) {
	g.now = g.space.Now()
	r := g.space.At(x.Slot)
	switch {
	case e == exchange.TimedOut:
		g.expire(x, r)
	case r.Task == 0:
	case e == exchange.Complete:
		g.completeBody(x, r.Task)
	case e == exchange.Drained:
		g.goOn(x, r.Task)
	}
}

// Ended releases what was kept for an exchange.
func (g *Gateway) Ended(x exchange.Exchange, why record.Reason) {
	r := g.space.At(x.Slot)
	if r.Form != uint8(exchange.NoForm) {
		g.unhold(x.Slot, r)
	}
	if r.Task != 0 {
		if g.tasks.all[r.Task].kind == taskHold {
			g.leaveAll(x.Slot, r)
		}
		g.dropTask(r.Task)
		r.Task = 0
	}
}

// Work is the gateway's share of a tick: mail, then fan-outs, then pushes whose verdict is overdue.
func (g *Gateway) Work(now int64) time.Duration {
	g.now = now
	g.tasks.turn = turn{}
	more := g.readMail()
	g.runJobs()
	g.expireOps()
	waits := g.expireClaims()
	g.goOnDraining()
	g.worked = now
	switch {
	case more || len(g.jobs.running) > 0:
		return 0
	case g.drain.on, waits:
		return min(drainTick, claimTick)
	case g.ops.waiting > 0:
		return g.cfg.VerdictTimeout / 16
	}
	return -1
}

// respond answers a fixed body.
func (g *Gateway) respond(x exchange.Exchange, h *exchange.Head, rt *route.Route) {
	switch string(h.Method) {
	case "GET", "HEAD":
		g.answer(x, rt.Status, rt.Type, rt.Body)
	default:
		g.allow(x, 405, "GET, HEAD")
	}
}

// answer ends an exchange with a body.
func (g *Gateway) answer(x exchange.Exchange, status int, kind string, body []byte) {
	g.scratch.response = exchange.Response{Status: status, Type: kind, Body: body}
	x.Respond(&g.scratch.response)
}

const jsonType = "application/json"

// fail ends an exchange with an error that says what is wrong.
func (g *Gateway) fail(x exchange.Exchange, status int, text string) {
	g.answer(x, status, jsonType, g.errorBody(text))
}

// errorBody is built in scratch; text is ours, so it is UTF-8.
func (g *Gateway) errorBody(text string) []byte {
	b := append(g.scratch.out[:0], `{"error":`...)
	b, _ = ndjson.AppendString(b, []byte(text))
	g.scratch.out = append(b, "}\n"...)
	return g.scratch.out
}

package http1

import (
	"reflect"
	"regexp"
	"testing"
	"time"

	"holdfast/engine/exchange"
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
	r.l = loop.New(r.k, loop.Config{MaxSlots: 4096})
	return r
}

func (r *rig) serve(h exchange.Handler, tenant loop.Tenant, cfg Config) {
	r.Helper()
	r.s = New(r.l, h, cfg, boundary)
	r.l.Speak(record.HTTP1, r.s)
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
	r.l.Each(0, 4096, func(_ uint32, rec *record.Record) {
		if rec.Kind == record.HTTP1 {
			states[rec.State]++
		}
	})
	if states != r.s.Stats.States {
		r.Errorf("connections by state %v, counted as %v", states, r.s.Stats.States)
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
	r.passBy(d, 250*time.Millisecond)
}

func (r *rig) passBy(d, step time.Duration) {
	r.Helper()
	for d > 0 {
		step = min(d, step)
		r.k.Advance(step)
		r.settle()
		d -= step
	}
}

// empty fails unless everything that connections cost was given back and every exchange was ended once.
func (r *rig) empty() {
	r.Helper()
	g := r.l.Gauge()
	if n := len(r.s.extras.all) - 1 - len(r.s.extras.free); n != 0 {
		r.Errorf("%d extras are not given back", n)
	}
	if g.KeptInputs != 0 || g.QueuedConns != 0 || r.l.Stats.Conns != 0 {
		r.Errorf("kept inputs %d, queues %d, connections %d", g.KeptInputs, g.QueuedConns, r.l.Stats.Conns)
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
}

// cost is the memory in use beyond connections' records: buffers, extras, and parsers that wait for the rest of a head.
func (r *rig) cost() int64 {
	live := len(r.s.extras.all) - 1 - len(r.s.extras.free)
	sum := mem.BufferBytes() - r.held + int64(live)*int64(reflect.TypeFor[extra]().Size())
	for i := range r.s.extras.all {
		if h := r.s.extras.all[i].head; h != nil {
			sum += requestBytes(h)
		}
	}
	return sum
}

// client is somebody connected.
type client struct {
	*rig
	p    *simkernel.Peer
	seen []byte
}

func (r *rig) dial() *client {
	r.Helper()
	c := &client{rig: r, p: r.k.Dial(r.door)}
	r.settle()
	return c
}

func (c *client) send(s string) {
	c.Helper()
	c.p.Write([]byte(s))
	c.settle()
}

func (c *client) get(path string) {
	c.Helper()
	c.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
}

var dates = regexp.MustCompile(`\r\nDate: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n`)

// output takes what came since the last time, with every Date masked.
func (c *client) output() string {
	c.seen = append(c.seen, c.p.Read()...)
	s := dates.ReplaceAllString(string(c.seen), "\r\nDate: now\r\n")
	c.seen = nil
	return s
}

func (c *client) want(want string) {
	c.Helper()
	if got := c.output(); got != want {
		c.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// is fails unless the server's side has ended like this.
func (c *client) is(want simkernel.How) {
	c.Helper()
	if _, how := c.p.Closed(); how != want {
		c.Errorf("the connection is %v, want %v", how, want)
	}
}

func (c *client) hangUp()  { c.p.CloseWrite(); c.settle() }
func (c *client) leave()   { c.p.Read(); c.p.Close(); c.settle() }
func (c *client) cut()     { c.p.Reset(); c.settle() }
func (c *client) isOpen()  { c.Helper(); c.is(simkernel.Open) }
func (c *client) isEnded() { c.Helper(); c.is(simkernel.Fin) }

// slot is where the only connection lives.
func (r *rig) slot() uint32 {
	r.Helper()
	var at uint32
	r.l.Each(0, 4096, func(slot uint32, _ *record.Record) {
		if at != 0 {
			r.Fatal("more than one connection")
		}
		at = slot
	})
	if at == 0 {
		r.Fatal("no connection")
	}
	return at
}

// push delivers one message to every exchange that is parked, and returns the fates in the order of slots.
func (r *rig) push(p *mem.Payload) []record.Fate {
	r.Helper()
	var tickets []uint32
	r.do(func() {
		r.l.Each(0, 4096, func(slot uint32, rec *record.Record) {
			if rec.State == stateHold || rec.State == statePoll {
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

package scenario

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"holdfast/engine/exchange"
	"holdfast/engine/gateway"
	"holdfast/engine/http1"
	"holdfast/engine/loop"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/simkernel"
	"holdfast/registry"
)

// unit is what one core would run.
type unit struct {
	k        *simkernel.Kernel
	loop     *loop.Loop
	gateway  *gateway.Gateway
	sessions *http1.Sessions
	public   int // listening descriptors
	publish  int
}

// node is a process with its loops, ticked in an order of the seed's.
type node struct {
	t       testing.TB
	units   []*unit
	table   *registry.Table
	rng     *rand.Rand
	buffers int64
}

// config is what scenarios differ in.
type config struct {
	loops   int
	weather simkernel.Options
	gateway gateway.Config
	loop    loop.Config
	policy  route.Policy
}

// newShared makes what the loops share: holds on listener 0, pushes on listener 1.
func newShared(c config) *gateway.Shared {
	snap := &route.Snapshot{
		Listeners: []route.Listener{{Name: "public"}, {Name: "publish", Publish: true}},
		Policies:  []route.Policy{c.policy.Filled()},
	}
	for prefix, r := range map[string]route.Route{
		"/sub": {Action: route.Hold}, "/sub/": {Action: route.Hold},
		"/push": {Action: route.Push, Listener: 1}, "/push/": {Action: route.Push, Listener: 1},
	} {
		r.Prefix = prefix
		snap.Routes = append(snap.Routes, r)
	}
	shared := gateway.NewShared(c.loops, registry.New(registry.Config{Loops: c.loops, Shards: 4}))
	shared.Snapshot.Store(snap)
	return shared
}

// assemble is engine's newUnit over another kernel.
func (u *unit) assemble(id int, k loop.Kernel, shared *gateway.Shared, c config) {
	c.loop.ID = id
	c.gateway.Node = "here"
	u.loop = loop.New(k, c.loop)
	space := exchange.NewSpace(u.loop)
	u.gateway = gateway.New(shared, space, u.loop.Wake, c.gateway)
	u.sessions = http1.New(u.loop, u.gateway, http1.Config{}, "boundary")
	space.Speak(record.HTTP1, u.sessions)
	u.loop.Speak(record.HTTP1, u.sessions)
	u.loop.Host(u.gateway)
	u.loop.SetPolicies([]record.SlowPolicy{c.policy.Slow})
}

func newNode(t testing.TB, seed uint64, c config) *node {
	shared := newShared(c)
	n := &node{t: t, rng: rand.New(rand.NewPCG(seed, 0)), table: shared.Table, buffers: mem.BufferBytes()}
	for i := range c.loops {
		u := &unit{k: simkernel.New(seed*64+uint64(i), c.weather)}
		u.assemble(i, u.k, shared, c)
		u.public, u.publish = u.k.Listen(), u.k.Listen()
		for _, fd := range []int{u.public, u.publish} {
			if _, err := u.loop.Listen(fd, record.HTTP1, 0); err != nil {
				t.Fatal(err)
			}
		}
		n.units = append(n.units, u)
	}
	return n
}

// rest ticks all loops until none has anything to do before time passes.
func (n *node) rest() {
	n.t.Helper()
	for ticks, idle := 0, 0; idle < 3; ticks++ {
		if ticks > 100_000 {
			n.t.Fatal("the loops never rest")
		}
		idle++
		for _, i := range n.rng.Perm(len(n.units)) {
			u := n.units[i]
			u.loop.Tick()
			if !u.k.Idle() {
				idle = 0
			}
		}
	}
}

// end stops all loops and looks for what they leave behind.
func (n *node) end() {
	n.t.Helper()
	for _, u := range n.units {
		u.loop.Stop()
		if err := u.loop.Run(); err != nil {
			n.t.Error(err)
		}
		if open := u.k.Leaks(); len(open) > 0 {
			n.t.Errorf("descriptors left: %v", open)
		}
		if u.gateway.Stats.Held != 0 {
			n.t.Errorf("%d holds left", u.gateway.Stats.Held)
		}
	}
	if keys := n.table.Len(); keys != 0 {
		n.t.Errorf("%d keys left", keys)
	}
	if bytes := mem.BufferBytes() - n.buffers; bytes != 0 {
		n.t.Errorf("%d bytes of buffers left", bytes)
	}
}

// client is one connection from the outside.
type client struct {
	*simkernel.Peer
	wire []byte
}

func (u *unit) dial(listener int, request string) *client {
	c := &client{Peer: u.k.Dial(listener)}
	c.Write([]byte(request))
	return c
}

func (u *unit) subscribe(keys, accept string) *client {
	return u.dial(u.public, "GET /sub/"+keys+" HTTP/1.1\r\nHost: h\r\nAccept: "+accept+"\r\n\r\n")
}

func post(target, body string, lines ...string) string {
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n", target, len(body))
	for _, line := range lines {
		head += line + "\r\n"
	}
	return head + "\r\n" + body
}

func (u *unit) push(target, body string, lines ...string) *client {
	return u.dial(u.publish, post(target, body, lines...))
}

func (c *client) read() []byte {
	c.wire = append(c.wire, c.Read()...)
	return c.wire
}

// whole counts a message's complete SSE frames.
func (c *client) whole(text string) int {
	return bytes.Count(c.read(), []byte("\ndata: "+text+"\n\n\r\n"))
}

// verdict is what a publisher was answered.
type verdict struct {
	Status                                                int
	Delivered, Pending, Dropped, Unknown, Refused, Closed int
}

func (c *client) verdict() (v verdict, ok bool) {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(c.read())), nil)
	if err != nil {
		return v, false
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || json.Unmarshal(body, &v) != nil {
		return v, false
	}
	v.Status = resp.StatusCode
	return v, true
}

func (v verdict) String() string {
	return strings.TrimSpace(fmt.Sprintf("%d delivered %d pending %d dropped %d unknown %d refused %d closed %d",
		v.Status, v.Delivered, v.Pending, v.Dropped, v.Unknown, v.Refused, v.Closed))
}

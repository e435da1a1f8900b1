package websocket

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"holdfast/codec/ws"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/simkernel"
)

const (
	tortureSeeds   = 150
	tortureClients = 5
	tortureSteps   = 200
)

// tortured is a client and what it is owed: its own messages back and pongs, in order, with pushes anywhere between.
type tortured struct {
	*client
	name   string
	left   string   // not sent yet
	owed   []string // what all of it will be answered
	said   int
	closed bool // it has sent its close
	gone   bool // it may miss the end of what it was to get
}

// TestTorture lets clients say anything that is right, in pieces and in any weather, while messages come, time passes
// and some are sent away or vanish. What they get is held against what a server would say that does one thing at a time.
func TestTorture(t *testing.T) {
	for seed := range simkernel.Seeds(tortureSeeds, testing.Short()) {
		torture(t, seed)
		if t.Failed() {
			t.Fatalf("replay with SEED=%d", seed)
		}
	}
}

func torture(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	o := simkernel.Options{}
	if seed%3 == 0 {
		o = simkernel.Rough()
	}
	p := route.Socket{Inbound: route.Published, Deflate: true, Rate: 1 << 20, Burst: 1 << 20, Pong: -1}
	r := newRig(t, seed, o, p, Config{PongBytes: 256, PieceTimeout: time.Hour})
	r.l.SetPolicies([]record.SlowPolicy{{QueueBytes: 1 << 20, Stall: time.Hour}}) // nobody is evicted for being slow
	clients := make([]*tortured, tortureClients)
	for i := range clients {
		lines := ""
		if rng.IntN(2) == 0 {
			lines = offering
		}
		c := &tortured{client: r.open("/echo", lines), name: fmt.Sprint("c", i)}
		clients[i] = c
	}
	for range tortureSteps {
		clients[rng.IntN(len(clients))].move(rng)
		switch rng.IntN(12) {
		case 0:
			r.push("text/plain", "pushed "+prose(rng.IntN(500)))
		case 1:
			r.settle()
		case 2:
			r.k.Advance(time.Duration(rng.IntN(3000)) * time.Millisecond)
			r.l.Tick()
		default:
			r.l.Tick()
		}
	}
	if rng.IntN(3) == 0 {
		for _, c := range clients {
			c.gone = true
		}
		r.goaway()
	}
	for _, c := range clients {
		c.p.Resume()
		c.settle()
		c.finish()
		c.judge()
		c.p.Reset()
	}
	r.settle()
	r.empty()
}

// move lets a client do something.
func (c *tortured) move(rng *rand.Rand) {
	if c.closed || c.gone {
		return
	}
	if c.left == "" {
		c.left, c.owed = c.speak(rng)
	}
	switch n := rng.IntN(200); {
	case n == 0:
		c.gone = true
		c.p.Reset()
	case n == 1:
		c.gone = true
		c.p.Write([]byte(c.left))
		c.p.CloseWrite()
	case n < 5:
		c.p.Stall()
	case n < 20:
		c.p.Resume()
	default:
		size := min(len(c.left), 1+rng.IntN(1+rng.IntN(300)))
		c.p.Write([]byte(c.left[:size]))
		c.left = c.left[size:]
	}
}

// speak invents a message, and perhaps a ping inside it.
func (c *tortured) speak(rng *rand.Rand) (in string, owed []string) {
	c.said++
	data := fmt.Sprint(c.name, " says ", c.said, " ", prose(rng.IntN(1+rng.IntN(3000))))
	op, kind := ws.Text, "text "
	if rng.IntN(3) == 0 {
		op, kind = ws.Binary, "binary "
	}
	flags, body := ws.Flags(0), data
	if c.deflate && rng.IntN(2) == 0 {
		flags, body = ws.Compressed, packed(1+rng.IntN(9), data)
	}
	owed = c.owed
	for rng.IntN(3) != 0 {
		cut := rng.IntN(len(body) + 1)
		in += frame(op, flags, body[:cut])
		op, flags, body = cont, 0, body[cut:]
		if rng.IntN(3) == 0 {
			in += ping(fmt.Sprint("p", c.said))
			owed = append(owed, fmt.Sprint("pong p", c.said))
		}
	}
	return in + frame(op, flags|fin, body), append(owed, kind+data)
}

// finish lets it say the rest, and goodbye.
func (c *tortured) finish() {
	if c.gone {
		return
	}
	c.closed = true
	c.send(c.left + closing(1000, ""))
	c.owed = append(c.owed, "close 1000")
}

// judge holds what it got against what it is owed.
func (c *tortured) judge() {
	var own []string
	for _, s := range c.read() {
		kind, data, _ := strings.Cut(s, " ")
		if !strings.HasPrefix(data, "pushed ") && s != "ping" {
			own = append(own, strings.TrimSuffix(kind, "*")+" "+data)
		}
	}
	for i, s := range own {
		last := c.gone && i == len(own)-1 && strings.HasPrefix(s, "close ")
		if !last && (i >= len(c.owed) || s != c.owed[i]) {
			c.Errorf("%s: answer %d is %.100q", c.name, i, s)
			return
		}
	}
	if !c.gone && len(own) != len(c.owed) {
		c.Errorf("%s: got %d answers, want %d", c.name, len(own), len(c.owed))
	}
}

// FuzzReceived lets a client say anything. Whatever it is, all that it costs is given back, what it is sent makes sense,
// and its exchange ends once.
func FuzzReceived(f *testing.F) {
	for _, s := range []string{
		text("a"), text("half")[:5], frame(ws.Text, 0, "a") + ping("p") + frame(cont, fin, "b"), closing(1000, "bye"),
		frame(ws.Text, fin|ws.Compressed, packed(9, "hello")), "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff", unmasked(ws.Text, "x"),
	} {
		f.Add(s, uint16(1), true)
	}
	f.Fuzz(func(t *testing.T, in string, cut uint16, deflate bool) {
		r := calm(t)
		lines := ""
		if deflate {
			lines = offering
		}
		c := r.open("/echo", lines)
		at := min(int(cut), len(in))
		c.send(in[:at])
		c.send(in[at:])
		c.read()
		c.p.Reset()
		c.settle()
		if len(r.script.why) != 1 {
			t.Errorf("ended %v", r.script.why)
		}
		r.empty()
	})
}

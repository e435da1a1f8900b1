package scenario

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"
	"time"

	"holdfast/engine/gateway"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/simkernel"
)

const sse = "text/event-stream"

// TestVerdictTruth: on several loops, in weather where nothing works at the first try, with clients that stall, close and
// reset while messages to their group are under way, "delivered" is what a socket took whole: no client gets a message
// that was counted as dropped, and none that did not break off misses one that was counted as delivered. All hear a key's
// messages in one order, whichever loops publish.
func TestVerdictTruth(t *testing.T) {
	exact, played := 0, 0
	for seed := range simkernel.Seeds(60, testing.Short()) {
		weather := simkernel.Options{}
		if seed%4 > 0 {
			weather = simkernel.Rough()
		}
		n := newNode(t, seed, config{
			loops: 1 + int(seed%3), weather: weather, gateway: gateway.Config{FanoutPerTick: 4, VerdictTimeout: time.Hour},
			policy: route.Policy{Slow: record.SlowPolicy{QueueBytes: 700 + int(seed%2)*20_000}},
		})
		exact += truth(t, n, seed)
		n.end()
		played++
		if t.Failed() {
			t.Fatalf("replay with SEED=%d", seed)
		}
	}
	if t.Logf("%d verdicts held exactly to what clients have", exact); played > 10 && exact < 8*played {
		t.Error("too few: the test shows little")
	}
}

type message struct {
	*client
	text string
}

func truth(t *testing.T, n *node, seed uint64) (exact int) {
	rng := rand.New(rand.NewPCG(seed, 9))
	unit := func() *unit { return n.units[rng.IntN(len(n.units))] }
	var subs, lost []*client
	var messages []message
	for range 12 {
		subs = append(subs, unit().subscribe("group", sse))
	}
	n.rest()
	for i := range 60 {
		switch c := subs[rng.IntN(len(subs))]; rng.IntN(12) {
		case 0:
			c.Stall()
		case 1:
			c.Resume()
		case 2:
			if seed%5 < 2 {
				c.Reset()
				lost = append(lost, c)
			}
		case 3:
			subs = append(subs, unit().subscribe("group", sse))
		}
		text := fmt.Sprintf("m%d", i)
		messages = append(messages, message{unit().push("/push/group", text), text})
		for range rng.IntN(6) {
			unit().loop.Tick()
		}
	}
	for range 20 { // stalled ones hold nothing up: every push is answered
		n.rest()
	}
	broke := map[*client]bool{}
	for _, c := range lost {
		broke[c] = true
	}
	for _, c := range subs {
		c.Resume()
	}
	n.rest()
	for _, c := range subs {
		if closed, how := c.Closed(); closed && how == simkernel.Rst {
			broke[c] = true // evicted: what the system had of it is lost
		}
	}
	for _, m := range messages {
		v, ok := m.verdict()
		if !ok {
			t.Errorf("%s: no verdict in %q", m.text, m.wire)
			continue
		}
		whole := having(t, subs, m.text)
		if whole > v.Delivered+v.Pending || whole < v.Delivered-len(broke) || v.Unknown+v.Refused > 0 {
			t.Errorf("%s: %d have it, %d broke off: %v", m.text, whole, len(broke), v)
		}
		if len(broke) == 0 {
			exact++
			if whole != v.Delivered+v.Pending || whole+v.Dropped < 12 {
				t.Errorf("%s: %d have it and nobody broke off: %v", m.text, whole, v)
			}
		}
	}
	sameOrder(t, subs)
	return exact
}

// having counts the clients that have a message whole, none twice.
func having(t *testing.T, subs []*client, text string) (whole int) {
	for _, c := range subs {
		k := c.whole(text)
		if k > 1 {
			t.Errorf("%s came %d times", text, k)
		}
		whole += k
	}
	return whole
}

// sameOrder: the messages that two clients both have, they have in the same order.
func sameOrder(t *testing.T, subs []*client) {
	data := regexp.MustCompile(`\ndata: m([0-9]+)\n`)
	heardBy := map[[2]string]int{} // two messages in this order, and who heard them so
	for s, c := range subs {
		var heard []string
		for _, m := range data.FindAllSubmatch(c.read(), -1) {
			for _, earlier := range heard {
				heardBy[[2]string{earlier, string(m[1])}] = s
				if other, ok := heardBy[[2]string{string(m[1]), earlier}]; ok {
					t.Errorf("client %d heard m%s before m%s, client %d the other way round", other, m[1], earlier, s)
					return
				}
			}
			heard = append(heard, string(m[1]))
		}
	}
}

package gateway

import (
	"time"

	"holdfast/codec/field"
	"holdfast/engine/exchange"
	"holdfast/engine/route"
)

// claimTick is how often waiting holds are looked at: their heads are late by no more.
const claimTick = 20 * time.Millisecond

// claims are a loop's holds whose keys other nodes cannot find yet, in the order of their deadlines. Their heads are
// sent once they can be found: "subscribed" means reachable.
type claims struct {
	waiting []claimWait
	first   int
}

type claimWait struct {
	task, gen uint32
	until     int64
}

// claimPending tells a client that its keys are found on its own node, but perhaps not from others yet.
var claimPending = field.Field{Name: []byte("Push-Claim"), Value: []byte("pending")}

// awaitClaims puts off the head of a hold that has joined its keys until other nodes can find them. It reports false
// when they can already.
func (g *Gateway) awaitClaims(x exchange.Exchange, f exchange.Form, policy *route.Policy, subprotocol []byte) bool {
	if g.shared.Abroad == nil {
		return false
	}
	t := g.newTask(x, taskHold, policy)
	t.form, t.subprotocol = f, subprotocol
	ticket := Ticket{Loop: uint32(g.id), Task: g.index(t), Gen: t.gen}
	for at := x.Slot; at != 0; at = g.space.At(at).Chain {
		g.scratch.out = g.shared.Table.AppendName(g.scratch.out[:0], g.space.Member(at).Name)
		if !g.shared.Abroad.Await(g.scratch.out, ticket) {
			t.claims++
		}
	}
	if t.claims == 0 {
		g.dropTask(ticket.Task)
		g.space.At(x.Slot).Task = 0
		return false
	}
	g.tasks.claims.waiting = append(g.tasks.claims.waiting, claimWait{ticket.Task, ticket.Gen, g.now + int64(g.cfg.ClaimWait)})
	return true
}

// claimed: one key of a hold can be found by other nodes.
func (g *Gateway) claimed(index, gen uint32) {
	t := g.tasks.all[index]
	if t.gen != gen || t.kind != taskHold {
		return
	}
	if t.claims--; t.claims == 0 {
		g.parkWaiting(t, false)
	}
}

// parkWaiting ends a hold's wait. Pending says that it was not for its claims.
func (g *Gateway) parkWaiting(t *task, pending bool) {
	x, form, policy, p := g.view(t), t.form, t.policy, parking{pending: pending, subprotocol: t.subprotocol}
	index := g.index(t)
	g.space.At(x.Slot).Task = 0
	g.dropTask(index)
	if pending {
		g.Stats.Unclaimed++
	}
	g.park(x, form, policy, p)
}

// expireClaims sends the heads of holds that have waited long enough, and reports whether others wait.
func (g *Gateway) expireClaims() bool {
	c := &g.tasks.claims
	for c.first < len(c.waiting) && c.waiting[c.first].until <= g.now {
		w := c.waiting[c.first]
		c.first++
		if t := g.tasks.all[w.task]; t.gen == w.gen {
			g.parkWaiting(t, true)
		}
	}
	if c.first == len(c.waiting) {
		c.waiting, c.first = c.waiting[:0], 0
		return false
	}
	if c.first > 1024 {
		c.waiting = append(c.waiting[:0], c.waiting[c.first:]...)
		c.first = 0
	}
	return true
}

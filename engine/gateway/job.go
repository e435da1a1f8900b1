package gateway

import (
	"slices"

	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/registry"
)

// job is one push's deliveries on this loop. Its index is the ticket of every message that it stages, and it is over
// when its walk is and every message has its fate.
type job struct {
	account
	ref     Ref
	payload *mem.Payload // a reference; nil ends the holds instead
	staged  int
	members registry.Walk
	after   uint32 // all: the slot visited last
	next    uint32 // the job that waits for this one, on the same key
	name    registry.Name
	home    int // the key's when the push was there
	key     []byte
	all     bool // everybody, whatever their key
	walking bool
}

// jobs are a loop's deliveries. Fan-outs take turns, so that a large group costs its neighbours a bounded part of each
// tick; those to one key wait for each other, so that everybody sees the key's messages in one order.
type jobs struct {
	pool    []*job
	free    []uint32
	running []uint32               // fan-outs with a walk to go on with, one per key
	lines   map[registry.Name]line // of each key that has a fan-out
	walks   int                    // fan-outs running and waiting
}

// line is one key's fan-outs: one that is under way and those behind it.
type line struct {
	last   uint32
	length int
}

// lineShare is the part of the places still free that one key's line may be as long as. Measured against what is free,
// not against all, a few keys that are flooded cannot fill the loop between them: n of them leave 8 in 8+n to others.
const lineShare = 8

func (j *jobs) init() {
	j.pool = append(j.pool, nil)
	j.lines = make(map[registry.Name]line)
}

// full reports whether a key may have no further fan-out.
func (j *jobs) full(name registry.Name, most int) bool {
	free := most - j.walks
	return free <= 0 || j.lines[name].length > free/lineShare
}

// newJob takes a reference to the payload.
func (g *Gateway) newJob(ref Ref, payload *mem.Payload, a account) (uint32, *job) {
	j := &g.jobs
	var i uint32
	if n := len(j.free); n > 0 {
		i = j.free[n-1]
		j.free = j.free[:n-1]
	} else {
		j.pool = append(j.pool, new(job))
		i = uint32(len(j.pool) - 1)
	}
	if payload != nil {
		payload.Retain()
	}
	b := j.pool[i]
	*b = job{ref: ref, payload: payload, account: a, key: b.key[:0]}
	return i, b
}

// deliverOne serves a key with a single holder, at once.
func (g *Gateway) deliverOne(ref Ref, slot uint32, payload *mem.Payload) {
	i, b := g.newJob(ref, payload, account{home: true})
	b.walking = true
	g.deliver(i, b, slot)
	b.walking = false
	g.endIfOver(i, b)
}

// startFan begins or queues the delivery to this loop's members of a key, or to every hold when the key is empty. A
// queued one walks the members as they are when its turn comes: whoever joined since sees it, whoever left does not.
func (g *Gateway) startFan(ref Ref, home int, key []byte, payload *mem.Payload, a account) {
	j := &g.jobs
	all := len(key) == 0
	var name registry.Name // broadcasts share the name 0
	if !all {
		if name = g.holders(key, home); name == 0 {
			g.tell(ref, &a)
			return
		}
	}
	if j.full(name, g.cfg.MaxJobs) {
		a.busy++
		g.tell(ref, &a)
		return
	}
	i, b := g.newJob(ref, payload, a)
	b.walking = true
	b.all = all
	b.name = name
	b.home = home
	b.key = append(b.key[:0], key...)
	j.walks++
	ahead := j.lines[name]
	j.lines[name] = line{last: i, length: ahead.length + 1}
	if ahead.length > 0 {
		j.pool[ahead.last].next = i
		return
	}
	g.beginWalk(b)
	j.running = append(j.running, i)
}

// crowded reports whether this loop's own part of a fan-out would be refused.
func (g *Gateway) crowded(key []byte) bool {
	if len(key) == 0 {
		return g.jobs.full(0, g.cfg.MaxJobs)
	}
	name := g.holders(key, g.id)
	return name != 0 && g.jobs.full(name, g.cfg.MaxJobs)
}

// holders is the name of a key that has members on this loop and still has the given home, else 0. A key with another
// home had nobody in between: whoever holds it now may have been sent later pushes already, and must not hear this one.
func (g *Gateway) holders(key []byte, home int) registry.Name {
	first := g.members.First(g.shared.Table, key, g.id)
	if first == 0 {
		return 0
	}
	if target, _ := g.shared.Table.Lookup(key); target.Home != home {
		return 0
	}
	return g.space.Member(first).Name
}

// beginWalk starts a fan-out whose turn it is. With another name than it had, its key is another one's by now.
func (g *Gateway) beginWalk(b *job) {
	if !b.all && g.holders(b.key, b.home) == b.name {
		g.members.Start(&b.members, g.shared.Table, b.key, g.id)
	}
}

// runJobs goes on with the fan-outs, in turns, up to this tick's share.
func (g *Gateway) runJobs() {
	j := &g.jobs
	budget := g.cfg.FanoutPerTick
	for budget > 0 && len(j.running) > 0 {
		share := max(budget/len(j.running), 1)
		for at := 0; at < len(j.running) && budget > 0; {
			used, over := g.runKey(at, min(share, budget))
			budget -= used
			if over {
				j.running = slices.Delete(j.running, at, at+1)
			} else {
				at++
			}
		}
	}
	if n := len(j.running); n > 1 { // another one is first in the next tick
		first := j.running[0]
		copy(j.running, j.running[1:])
		j.running[n-1] = first
	}
}

// runKey goes on with one key's fan-outs, one after the other: many small ones have no more of a tick than a large one.
// It reports how many holders were visited and whether none is left.
func (g *Gateway) runKey(at, most int) (used int, over bool) {
	j := &g.jobs
	for used < most {
		i := j.running[at]
		b := j.pool[i]
		used += g.walk(i, most-used)
		if b.walking {
			continue
		}
		next := g.succeed(i)
		if next != 0 {
			j.running[at] = next
		}
		g.endIfOver(i, b) // may begin a fan-out to the same key: behind all that run
		if next == 0 {
			return used, true
		}
	}
	return used, false
}

// succeed takes a fan-out whose walk is over out of its key's line and starts the one behind it.
func (g *Gateway) succeed(i uint32) uint32 {
	j := &g.jobs
	b := j.pool[i]
	j.walks--
	if b.next == 0 {
		delete(j.lines, b.name)
		return 0
	}
	rest := j.lines[b.name]
	rest.length--
	j.lines[b.name] = rest
	g.beginWalk(j.pool[b.next])
	return b.next
}

// walk visits some holders and returns how many, at least one so that it ends.
func (g *Gateway) walk(i uint32, most int) int {
	b := g.jobs.pool[i]
	if b.all {
		return g.walkAll(i, b, most)
	}
	for n := range most {
		slot := g.members.Next(&b.members)
		if slot == 0 {
			b.walking = false
			return n + 1
		}
		g.deliver(i, b, slot)
	}
	return most
}

func (g *Gateway) walkAll(i uint32, b *job, most int) int {
	n := 0
	b.after = g.space.Each(b.after, most, func(slot uint32, r *record.Record) {
		n++
		if r.Form != uint8(exchange.NoForm) {
			g.deliver(i, b, slot)
		}
	})
	b.walking = b.after != 0
	return max(n, 1)
}

// deliver gives one holder the message, or ends its hold.
func (g *Gateway) deliver(i uint32, b *job, slot uint32) {
	x := g.space.View(slot)
	if r := g.space.At(x.Slot); r.Form == uint8(exchange.NoForm) { // its head waits for its claims
		g.parkWaiting(g.tasks.all[r.Task], true)
	}
	if b.payload == nil {
		b.closed++
		x.Goaway()
		return
	}
	fate := x.Deliver(b.payload, i)
	if fate == record.Staged {
		b.staged++
		return
	}
	b.fate[fate]++
}

// Settled tells the fate of a staged message.
func (g *Gateway) Settled(ticket uint32, f record.Fate) {
	if ticket == 0 {
		return // nobody asked: the key event
	}
	b := g.jobs.pool[ticket]
	b.staged--
	b.fate[f]++
	g.endIfOver(ticket, b)
}

// endIfOver reports a job that has nothing left to do.
func (g *Gateway) endIfOver(i uint32, b *job) {
	if b.walking || b.staged > 0 {
		return
	}
	if b.payload != nil {
		b.payload.Release()
		b.payload = nil
	}
	g.jobs.free = append(g.jobs.free, i)
	ref, a := b.ref, b.account
	g.tell(ref, &a)
}

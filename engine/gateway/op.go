package gateway

import (
	"slices"
	"strconv"
	"time"

	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/registry"
	"holdfast/registry/peer"
)

// counts is what became of one push: one number per fate, and what no fate can tell.
type counts struct {
	fate      [record.Fates]uint32
	unknown   uint32 // loops and nodes that did not report in time
	busy      uint32 // loops and links that had no room for the push
	closed    uint32 // connections ended by DELETE
	held      uint32 // connections found by GET
	unreached uint32 // nodes that may hold the key and could not be asked; the directory counts as one
	duplicate uint32 // keys to which a push with this id was delivered before
}

func (c *counts) add(o *counts) {
	for i := range c.fate {
		c.fate[i] += o.fate[i]
	}
	c.unknown += o.unknown
	c.busy += o.busy
	c.closed += o.closed
	c.held += o.held
	c.unreached += o.unreached
	c.duplicate += o.duplicate
}

// anybody reports whether there was a holder.
func (c *counts) anybody() bool {
	return c.taken() || c.dropped() > 0 || c.closed > 0 || c.held > 0 || c.duplicate > 0
}

// taken reports whether somebody has, or will have, the message.
func (c *counts) taken() bool { return c.fate[record.Delivered]+c.fate[record.Pending] > 0 }

func (c *counts) dropped() uint32 {
	return c.fate[record.DroppedSlow] + c.fate[record.DroppedGone] + c.fate[record.DroppedForm]
}

// status is the verdict as an HTTP status. The order is the promise: what happened, best first.
func (c *counts) status() int {
	switch {
	case c.fate[record.Delivered] > 0 || c.closed > 0 || c.held > 0 || c.duplicate > 0:
		return 200
	case c.fate[record.Pending] > 0:
		return 202
	case c.unknown > 0:
		return 504 // retry with the same Push-Id
	case c.busy > 0 || c.unreached > 0 || c.fate[record.DroppedSlow] > 0:
		return 503
	case c.fate[record.DroppedForm] > 0:
		return 415
	}
	return 404
}

// account is one loop's report on a push, or that of all other nodes together.
type account struct {
	counts
	announced int      // home: how many other loops will report
	nodes     []string // other nodes that had holders
	err       error    // why keys were not changed
	pending   bool     // keys were changed that other nodes may not know yet
	home      bool     // this is the report of one of the push's keys' homes, or of the other nodes
}

// loopID is a loop's number as letters carry it.
type loopID uint8

const _ = loopID(registry.MaxLoops - 1) // does not compile when a loop's number does not fit

// Ref names a push under way, from anywhere, until it is over.
type Ref struct {
	index uint32
	gen   uint32
	loop  loopID
}

// op is one push, question or end between its dispatch and its verdict. It lives on the publisher's loop.
type op struct {
	counts
	verb    peer.Verb
	asker   asker
	item    int      // its number in a stream or batch
	born    int64    // ns, when its last byte had come
	homes   int      // homes that have not reported
	others  int      // further loops that homes have announced less those that have reported
	nodes   []string // other nodes that had holders
	here    bool     // this one had
	kept    bool     // that nobody else holds a key is what the directory said before, when this node had a holder
	err     error    // why keys were not changed
	pending bool     // keys were changed that other nodes may not know yet
	marks   []mark   // its places in the window of push ids
	id      []byte
	gen     uint32
	active  bool
}

// asker is who wants the verdict: a task, another node, or with neither nobody.
type asker struct {
	task    uint32
	taskGen uint32
	foreign bool
	origin  peer.Origin // foreign
	once    bool        // foreign: the message's id is for the window
}

// ops are a loop's pushes under way, reused.
type ops struct {
	all     []*op
	free    []uint32
	overdue []Ref // in the order of birth, so in that of deadlines
	first   int
	waiting int
}

func (o *ops) init() { o.all = append(o.all, nil) }

// newOp begins a push, or reports false when too many are under way.
func (g *Gateway) newOp(verb peer.Verb, who asker, item int, born int64) (Ref, bool) {
	o := &g.ops
	if o.waiting >= g.cfg.MaxOps {
		return Ref{}, false
	}
	var i uint32
	if n := len(o.free); n > 0 {
		i = o.free[n-1]
		o.free = o.free[:n-1]
	} else {
		o.all = append(o.all, new(op))
		i = uint32(len(o.all) - 1)
	}
	p := o.all[i]
	*p = op{
		verb: verb, asker: who, item: item, born: born, gen: p.gen + 1, active: true,
		nodes: p.nodes[:0], marks: p.marks[:0], id: p.id[:0],
	}
	o.waiting++
	return Ref{index: i, gen: p.gen, loop: loopID(g.id)}, true
}

// op finds one of this loop's pushes; nil when it is over.
func (g *Gateway) op(ref Ref) *op {
	if p := g.ops.all[ref.index]; p.active && p.gen == ref.gen {
		return p
	}
	return nil
}

// report adds what one loop did.
func (g *Gateway) report(ref Ref, a *account) {
	p := g.op(ref)
	if p == nil {
		g.Stats.LateReports++
		return
	}
	p.add(&a.counts)
	for _, name := range a.nodes {
		if !slices.Contains(p.nodes, name) { // of several keys
			p.nodes = append(p.nodes, name)
		}
	}
	if a.err != nil {
		p.err = a.err
	}
	p.pending = p.pending || a.pending
	if len(a.nodes) == 0 && a.anybody() {
		p.here = true
	}
	if a.home {
		p.homes--
		p.others += a.announced
	} else {
		p.others--
	}
	if p.homes == 0 && p.others == 0 {
		g.conclude(ref, p)
	}
}

// watch starts the clock of a push that waits for others. Most are over within the tick and never need it. One that
// begins behind this tick's Work, when a verdict lets a stream go on, must not wait for the next event.
func (g *Gateway) watch(ref Ref) {
	if g.op(ref) == nil {
		return
	}
	g.ops.overdue = append(g.ops.overdue, ref)
	if g.worked == g.space.Now() {
		g.wake()
	}
}

// expireOps gives up on loops that have not reported in time.
func (g *Gateway) expireOps() {
	o := &g.ops
	for o.first < len(o.overdue) {
		ref := o.overdue[o.first]
		p := g.op(ref)
		if p != nil {
			if g.now-p.born < int64(g.cfg.VerdictTimeout) {
				break
			}
			p.unknown += uint32(max(p.homes+max(p.others, 0), 1))
			g.conclude(ref, p)
		}
		o.first++
	}
	if o.first == len(o.overdue) || o.first > 1024 {
		rest := copy(o.overdue, o.overdue[o.first:])
		o.overdue, o.first = o.overdue[:rest], 0
	}
}

// conclude gives the verdict to whoever asked, if they are still there.
func (g *Gateway) conclude(ref Ref, p *op) {
	p.active = false
	g.ops.waiting--
	if p.kept && p.status() == 404 {
		p.unreached++ // the holder left in between, perhaps to another node
	}
	g.settleMarks(p)
	if p.asker.foreign {
		g.answerPeer(p)
	} else {
		g.Stats.count(p, time.Duration(g.space.Clock()-p.born))
		if t := g.tasks.all[p.asker.task]; p.asker.task != 0 && t.gen == p.asker.taskGen {
			g.verdict(t, p)
		}
	}
	g.ops.free = append(g.ops.free, ref.index)
}

// setID notes the id that the verdict will quote: the publisher's, or one of ours.
func (g *Gateway) setID(p *op, payload *mem.Payload) {
	if payload != nil && len(payload.ID) > 0 {
		p.id = append(p.id[:0], payload.ID...)
		return
	}
	p.id = g.appendID(p.id[:0])
}

// appendID makes an id that this process does not make twice.
func (g *Gateway) appendID(b []byte) []byte {
	g.Stats.IDs++
	b = append(b, g.shared.keys.prefix...)
	b = strconv.AppendUint(b, uint64(g.id), 36)
	b = append(b, '-')
	return strconv.AppendUint(b, g.Stats.IDs, 36)
}

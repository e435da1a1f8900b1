package gateway

import (
	"hash/maphash"

	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/registry"
	"holdfast/registry/peer"
)

// Abroad is the other nodes of the cluster as a gateway sees them. No method blocks, and any loop may call them.
type Abroad interface {
	// Send asks the other nodes that may hold the request's key. It reports true when there are none; else
	// Shared.Report follows, once. The request is the caller's again when it returns.
	Send(ref Ref, r *peer.Request) (nobody bool)
	// Await reports whether other nodes can find this one by a key that has just been joined; else Shared.Claimed follows
	// once they can, which may be never. Key is good until it returns.
	Await(key []byte, t Ticket) bool
	// Answer tells the node that asked what became of its request.
	Answer(o peer.Origin, r *peer.Report)
}

// Ticket names a hold that waits for its claims.
type Ticket struct{ Loop, Task, Gen uint32 }

// errand is a request of another node, or a change of a hold's keys, on its way to the loop that serves it. It owns a
// reference to the payload.
type errand struct {
	origin  peer.Origin
	verb    peer.Verb
	all     bool
	once    bool // the message's id is for the window
	payload *mem.Payload
	key     []byte
	conn    registry.Handle // of a change of keys, from another loop
	command *command
}

var errandSeed = maphash.MakeSeed()

// Serve gives another node's request to a loop, always the same one for a key: that keeps the order in which requests
// came. It reports false when that loop's box is full. Any goroutine may call; the request is the caller's again.
func (s *Shared) Serve(o peer.Origin, r *peer.Request) bool {
	e := &errand{origin: o, verb: r.Verb, all: r.All, once: r.Dedup, payload: r.Payload, key: append([]byte(nil), r.Key...)}
	if e.payload != nil {
		e.payload.Retain()
	}
	to := maphash.Bytes(errandSeed, r.Key) % uint64(len(s.boxes))
	if s.boxes[to].Post(letter{kind: letterErrand, errand: e}) {
		return true
	}
	if e.payload != nil {
		e.payload.Release()
	}
	return false
}

// Report is what the other nodes did with a request that Abroad.Send took: all of it together, once. Nodes are those
// that had holders. Any goroutine may call.
func (s *Shared) Report(ref Ref, r *peer.Report, nodes []string) {
	a := account{home: true, nodes: nodes}
	a.unknown, a.busy, a.closed, a.held = r.Unknown, r.Refused, r.Closed, r.Held
	a.unreached, a.duplicate = r.Unreached, r.Duplicate
	a.fate[record.Delivered], a.fate[record.Pending] = r.Delivered, r.Pending
	a.fate[record.DroppedSlow], a.fate[record.DroppedGone], a.fate[record.DroppedForm] = r.Slow, r.Gone, r.Form
	s.boxes[ref.loop].PostReserved(letter{kind: letterReport, ref: ref, account: a})
}

// Claimed: other nodes can find a key that a hold waits for. Any goroutine may call.
func (s *Shared) Claimed(t Ticket) {
	s.boxes[t.Loop].PostReserved(letter{kind: letterClaimed, ref: Ref{index: t.Task, gen: t.Gen}})
}

// serve begins another node's request. It is about this node's holds only.
func (g *Gateway) serve(e *errand) {
	g.Stats.Errands++
	ref, ok := g.newOp(e.verb, asker{foreign: true, origin: e.origin, once: e.once}, 0, g.now)
	if !ok {
		g.shared.Abroad.Answer(e.origin, &peer.Report{Refused: 1})
		return
	}
	p := g.ops.all[ref.index]
	p.homes = 1
	if e.all {
		g.dispatchAllHere(ref, e.payload)
	} else {
		g.dispatchHere(ref, e.key, e.payload)
	}
	g.report(ref, &account{home: true})
	g.watch(ref)
}

// answerPeer tells another node what became of its request.
func (g *Gateway) answerPeer(p *op) {
	g.shared.Abroad.Answer(p.asker.origin, &peer.Report{
		Delivered: p.fate[record.Delivered], Pending: p.fate[record.Pending],
		Slow: p.fate[record.DroppedSlow], Gone: p.fate[record.DroppedGone], Form: p.fate[record.DroppedForm],
		Unknown: p.unknown, Refused: p.busy, Closed: p.closed, Held: p.held, Duplicate: p.duplicate,
	})
}

// askAbroad asks the other nodes too, if there are any.
func (g *Gateway) askAbroad(ref Ref, key []byte, all bool, payload *mem.Payload) {
	if g.shared.Abroad == nil {
		return
	}
	p := g.ops.all[ref.index]
	p.homes++
	g.scratch.request = peer.Request{
		Verb: p.verb, All: all, Key: key, Payload: payload, Within: g.cfg.VerdictTimeout,
		Dedup: payload != nil && len(payload.ID) > 0,
	}
	nobody := g.shared.Abroad.Send(ref, &g.scratch.request)
	g.scratch.request = peer.Request{}
	if nobody {
		p.kept = !all
		g.report(ref, &account{home: true})
	}
}

package gateway

import (
	"holdfast/engine/mem"
	"holdfast/registry/peer"
)

// lettersPerTick bounds the mail of one tick: each letter may cost a send, some 7 µs.
const lettersPerTick = 256

// The kinds of letter.
const (
	letterPush    uint8 = iota // to a key's home: deliver to everybody who holds it
	letterFan                  // to a loop with members: deliver to yours
	letterAll                  // to every loop: deliver to everybody
	letterReport               // to the publisher's loop: what became of it here, or on the other nodes
	letterErrand               // from another node
	letterRekey                // to a hold's loop: its keys are to change
	letterClaimed              // to a hold's loop: one of its keys is claimed
)

// letter is what one loop's gateway writes to another's. Payload and key travel with it: whoever reads it owns that
// reference and that buffer.
type letter struct {
	account // letterReport
	ref     Ref
	payload *mem.Payload
	key     *mem.Buffer
	errand  *errand
	kind    uint8
	from    loopID // the loop that wrote it
}

// mailbag is the mail taken from the box and not read yet.
type mailbag struct {
	letters []letter
	read    int
}

// readMail reads a bounded part of the mail, and reports whether some is left.
func (g *Gateway) readMail() (more bool) {
	m := &g.mail
	for range lettersPerTick {
		if m.read == len(m.letters) {
			m.letters, m.read = g.shared.boxes[g.id].Take(), 0
			if len(m.letters) == 0 {
				return false
			}
		}
		g.open(&m.letters[m.read])
		m.read++
	}
	return m.read < len(m.letters) || g.shared.boxes[g.id].Len() > 0
}

func (g *Gateway) open(m *letter) {
	switch m.kind {
	case letterPush:
		g.atHome(m.ref, m.key.B, m.payload)
	case letterFan:
		g.startFan(m.ref, int(m.from), m.key.B, m.payload, account{})
	case letterAll:
		g.startFan(m.ref, int(m.from), nil, m.payload, account{})
	case letterReport:
		g.report(m.ref, &m.account)
	case letterErrand:
		g.serve(m.errand)
	case letterRekey:
		g.tell(m.ref, g.rekeyConn(m.errand.conn, m.errand.command))
	case letterClaimed:
		g.claimed(m.ref.index, m.ref.gen)
	}
	m.discard()
}

// discard gives up what came with a letter that was read, or that could not be posted.
func (m *letter) discard() {
	if m.payload != nil {
		m.payload.Release()
	}
	if m.key != nil {
		m.key.Release()
	}
	if m.errand != nil && m.errand.payload != nil {
		m.errand.payload.Release()
	}
	*m = letter{}
}

// post gives work to another loop. It reports false when that loop's box is full.
func (g *Gateway) post(to int, kind uint8, ref Ref, key []byte, payload *mem.Payload) bool {
	m := letter{kind: kind, from: loopID(g.id), ref: ref, payload: payload}
	if payload != nil {
		payload.Retain()
	}
	if len(key) > 0 {
		m.key = mem.Get(len(key))
		m.key.B = append(m.key.B[:0], key...)
	}
	if g.shared.boxes[to].Post(m) {
		return true
	}
	g.Stats.BoxesFull++
	m.discard()
	return false
}

// tell reports to the publisher's loop, which may be this one. A report that finds even the reserve full is lost; the
// publisher then hears "unknown", which is true.
func (g *Gateway) tell(ref Ref, a *account) {
	if int(ref.loop) == g.id {
		g.report(ref, a)
		return
	}
	if !g.shared.boxes[ref.loop].PostReserved(letter{kind: letterReport, ref: ref, account: *a}) {
		g.Stats.BoxesFull++
	}
}

// dispatch sends one key's push on its way, here and abroad.
func (g *Gateway) dispatch(ref Ref, key []byte, payload *mem.Payload) {
	g.dispatchHere(ref, key, payload)
	g.askAbroad(ref, key, false, payload)
}

// dispatchHere sends a push to the key's home, which is this loop or gets a letter. A question is answered from the
// shared table: no loop is asked.
func (g *Gateway) dispatchHere(ref Ref, key []byte, payload *mem.Payload) {
	p := g.ops.all[ref.index]
	p.homes++
	target, ok := g.shared.Table.Lookup(key)
	switch {
	case !ok:
		g.report(ref, &account{home: true})
	case p.verb == peer.Count:
		g.report(ref, &account{home: true, counts: counts{held: uint32(target.Count)}})
	case payload != nil && g.repeated(ref, p, key, payload.ID):
	case target.Home == g.id:
		g.atHome(ref, key, payload)
	case !g.post(target.Home, letterPush, ref, key, payload):
		g.report(ref, &account{home: true, counts: counts{busy: 1}})
	}
}

// dispatchAll sends a push to every hold of every node.
func (g *Gateway) dispatchAll(ref Ref, payload *mem.Payload) {
	g.dispatchAllHere(ref, payload)
	g.askAbroad(ref, nil, true, payload)
}

// dispatchAllHere sends a push to every hold of this process.
func (g *Gateway) dispatchAllHere(ref Ref, payload *mem.Payload) {
	p := g.ops.all[ref.index]
	p.homes++
	if payload != nil && g.repeated(ref, p, nil, payload.ID) {
		return
	}
	g.loops = g.loops[:0]
	for i := range g.shared.boxes {
		g.loops = append(g.loops, i)
	}
	g.spread(ref, letterAll, nil, payload)
}

// atHome delivers a push on its key's home loop, through which all pushes to the key go while anybody holds it: that
// gives them one order. A key that has another home by now had nobody in between, and that is when this push took
// place.
func (g *Gateway) atHome(ref Ref, key []byte, payload *mem.Payload) {
	target, ok := g.shared.Table.Lookup(key)
	switch {
	case !ok || target.Home != g.id || target.One != 0 && !g.space.Live(target.One):
		g.tell(ref, &account{home: true})
	case target.One != 0 && !g.queued(target.One.Slot()):
		g.deliverOne(ref, target.One.Slot(), payload)
	default:
		g.loops = g.shared.Table.Loops(key, g.loops[:0])
		g.spread(ref, letterFan, key, payload)
	}
}

// queued reports whether earlier pushes to this holder's key wait for their turn: from when it had more holders.
func (g *Gateway) queued(slot uint32) bool {
	if len(g.jobs.lines) == 0 {
		return false
	}
	_, queued := g.jobs.lines[g.space.Member(slot).Name]
	return queued
}

// spread writes to the other ones of g.loops and starts this one's own part. What this loop has no room for goes to
// nobody: a push that is refused as a whole can be tried again without anybody getting it twice.
func (g *Gateway) spread(ref Ref, kind uint8, key []byte, payload *mem.Payload) {
	if g.crowded(key) {
		g.tell(ref, &account{home: true, counts: counts{busy: 1}})
		return
	}
	a := account{home: true}
	mine := false
	for _, to := range g.loops {
		switch {
		case to == g.id:
			mine = true
		case g.post(to, kind, ref, key, payload):
			a.announced++
		default:
			a.busy++
		}
	}
	if mine {
		g.startFan(ref, g.id, key, payload, a)
		return
	}
	g.tell(ref, &a)
}

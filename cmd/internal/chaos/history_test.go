package chaos

import (
	"context"
	"slices"
	"sync"
	"time"
)

// moment is a time on the lab's one clock, since the lab began; never 0.
type moment = time.Duration

// forever is after everything.
const forever = moment(1 << 62)

// hold is one connection of a client, as the client saw it.
type hold struct {
	key, node string
	asked     moment // just before the request was sent
	headed    moment // the response's head was here; 0: it never came
	pending   bool   // the head said that other nodes may not find the key yet
	closing   moment // the client was about to end it; 0: it did not
	ended     moment // after this the client heard nothing
	down      moment // the node was killed about now; 0: not while this lasted
	got       []receipt
}

// receipt is one message that came.
type receipt struct {
	id string
	at moment
}

// last is the last proof that the node had the hold: it sent something.
func (h *hold) last() moment {
	if len(h.got) > 0 {
		return h.got[len(h.got)-1].at
	}
	return h.headed
}

// until is how long the hold lasted for certain. A client knows when it began to leave; when the node ended the hold is
// known only to have been later than its last sign.
func (h *hold) until() moment {
	end := h.last()
	if h.closing > 0 {
		end = h.closing
	}
	if h.down > 0 {
		end = min(end, h.down)
	}
	return end
}

// promised says whether the hold's head came without a reservation, before from, and the hold lasted past to.
func (h *hold) promised(from, to moment) bool {
	return !h.pending && h.covers(from, to)
}

// covers says whether the client was connected, as far as it knew, all the time.
func (h *hold) covers(from, to moment) bool {
	return h.headed > 0 && h.headed <= from && to <= h.until()
}

// received says whether a message came.
func (h *hold) received(id string) bool {
	return slices.ContainsFunc(h.got, func(r receipt) bool { return r.id == id })
}

// mayHaveMissed says whether the client left too soon after a push to have read what its socket had taken.
func (h *hold) mayHaveMissed(answered moment) bool {
	left := h.ended
	if h.closing > 0 {
		left = min(left, h.closing)
	}
	if h.down > 0 {
		left = min(left, h.down)
	}
	return left < answered+readGrace
}

// readGrace is how late a client of a busy machine may read what its socket has.
const readGrace = 2 * time.Second

// noticeGrace is how late a node of a busy machine may learn that a client has closed: until then its kernel takes what is
// sent.
const noticeGrace = time.Second

// push is one attempt to publish a message, as the publisher saw it.
type push struct {
	id, key, node     string
	invoked, answered moment
	retry             bool // an attempt with this id was made before
	status            int  // 0: no answer came, and err says why
	err               string
	verdict           verdict
}

// verdict is the part of an answer that is judged.
type verdict struct {
	Delivered, Pending, Unknown, Unreached, Refused, Duplicate int
	Connections                                                int // of a question
	Error                                                      string
}

// doubtful says that the verdict admits that it does not know of somebody.
func (p *push) doubtful() bool {
	return p.status == 0 || p.verdict.Unknown > 0 || p.verdict.Unreached > 0 || p.verdict.Refused > 0
}

// took says that the answer was that somebody has the message, or will have it.
func (p *push) took() bool { return p.status == 200 || p.status == 202 }

// history is everything that clients and publishers saw.
type history struct {
	lock   sync.Mutex
	holds  []*hold
	pushes []*push
	looks  []*push // questions whether anybody is there
	stalls []stall // of nodes, and of the machine: those have no name
}

// stall is a time in which a node stood still, or the whole machine had no time for us.
type stall struct {
	node     string
	from, to moment
}

// starved says whether the machine had no time for us while a push was under way, or shortly before.
func (h *history) starved(p *push) bool {
	return slices.ContainsFunc(h.stalls, func(s stall) bool {
		return s.node == "" && s.from <= p.answered && s.to+readGrace/4 >= p.invoked
	})
}

// watch writes down when the machine is too busy: a promise in seconds supposes that programs run.
func (h *history) watch(ctx context.Context, now func() moment) {
	const beat, late = 20 * time.Millisecond, 120 * time.Millisecond
	for last := now(); ctx.Err() == nil; {
		time.Sleep(beat)
		at := now()
		if at-last > beat+late {
			h.lock.Lock()
			h.stalls = append(h.stalls, stall{from: last, to: at})
			h.lock.Unlock()
		}
		last = at
	}
}

// noticed is when a node knew at the latest that a hold was over. One that stands still learns nothing.
func (h *history) noticed(x *hold) moment {
	at := x.ended
	for _, s := range h.stalls {
		if s.node == x.node && s.from <= at && at <= s.to {
			at = s.to
		}
	}
	return at + noticeGrace
}

func (h *history) addHold(x *hold) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.holds = append(h.holds, x)
}

func (h *history) addPush(p *push) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.pushes = append(h.pushes, p)
}

func (h *history) addLook(p *push) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.looks = append(h.looks, p)
}

func (h *history) addStall(node string, at moment) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.stalls = append(h.stalls, stall{node: node, from: at, to: forever})
}

func (h *history) endStall(node string, at moment) {
	h.lock.Lock()
	defer h.lock.Unlock()
	for i := range h.stalls {
		if s := &h.stalls[i]; s.node == node && s.to == forever {
			s.to = at
		}
	}
}

// byKey sorts out whose holds are whose.
func (h *history) byKey() map[string][]*hold {
	all := map[string][]*hold{}
	for _, x := range h.holds {
		all[x.key] = append(all[x.key], x)
	}
	return all
}

// fault is something done to the system, or its end.
type fault struct {
	name    string
	at      moment
	several bool     // more than one thing breaks from now on: no time to recover is promised
	without []string // nodes that are down or stand still: their clients and publishers are excused until the next one
}

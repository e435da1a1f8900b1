package gateway

import (
	"holdfast/codec/multipart"
	"holdfast/codec/ndjson"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/route"
	"holdfast/registry"
	"holdfast/registry/peer"
)

// taskKind says what a publisher's request is.
type taskKind uint8

const (
	taskRaw    taskKind = iota // one message, its body as it is
	taskLines                  // a stream of JSON lines
	taskParts                  // a stream of multipart parts
	taskBatch                  // a JSON array
	taskClose                  // DELETE
	taskCount                  // GET
	taskRekey                  // PATCH
	taskHold                   // a hold whose keys other nodes cannot find yet
	taskEcho                   // echo of the body
	taskPage                   // a page that waits for the request's end
	taskStream                 // an endless answer
)

// task is a publisher's request between its head and its answer.
type task struct {
	kind    taskKind
	all     bool // to every hold, whatever its key
	done    bool // the request has come whole and was read
	ended   bool // it has come whole, but is not read to its end
	opened  bool // the answer's head is sent
	pumping bool // items are being dispatched: verdicts that come at once dispatch no more
	paused  bool // the publisher is held back
	resting bool // a batch goes on once its verdicts are sent
	cut     bool // the stream is broken: nothing more of it is read
	sized   bool // the length of the body is known
	slot    uint32
	gen     uint32
	policy  *route.Policy

	keySet  // of a raw push, or of the item being read
	payload *mem.Payload
	body    *mem.Buffer // a batch, or the beginning of a line
	lines   ndjson.Splitter
	parts   *multipart.Parser
	part    part
	batch   batch
	kept    int // bytes set aside for the body, as counted in tasks.kept

	conn        registry.Handle // whose keys are to change
	form        exchange.Form   // of a hold that waits
	subprotocol []byte          // of a WebSocket that waits
	claims      int             // that it waits for

	items     int // seen so far
	flying    int // dispatched, without a verdict
	collapsed collapsed
}

// collapsed counts verdicts that a publisher which does not read them gets in one line.
type collapsed struct {
	counts
	items  int
	failed int // of them, that could not be read
}

// tasks are a loop's, reused. Index 0 is none.
type tasks struct {
	all    []*task
	free   []uint32
	turn   turn
	claims claims
	kept   int // bytes set aside for all their bodies
}

func (t *tasks) init() { t.all = append(t.all, new(task)) }

// newTask ties a new task to an exchange.
func (g *Gateway) newTask(x exchange.Exchange, kind taskKind, policy *route.Policy) *task {
	ts := &g.tasks
	var i uint32
	if n := len(ts.free); n > 0 {
		i = ts.free[n-1]
		ts.free = ts.free[:n-1]
	} else {
		ts.all = append(ts.all, new(task))
		i = uint32(len(ts.all) - 1)
	}
	t := ts.all[i]
	*t = task{kind: kind, slot: x.Slot, gen: t.gen + 1, policy: policy, keySet: t.emptied()}
	g.space.At(x.Slot).Task = i
	return t
}

// verb is what the task asks of whoever holds its keys.
func (t *task) verb() peer.Verb {
	switch t.kind {
	case taskClose:
		return peer.Close
	case taskCount:
		return peer.Count
	default:
		return peer.Push
	}
}

func (g *Gateway) asker(t *task) asker { return asker{task: g.index(t), taskGen: t.gen} }

// index is the task's number, by which ops know it.
func (g *Gateway) index(t *task) uint32 { return g.space.At(t.slot).Task }

// dropTask gives up what a task holds. Verdicts that still come find another generation and are let go.
func (g *Gateway) dropTask(i uint32) {
	t := g.tasks.all[i]
	if t.payload != nil {
		t.payload.Release()
	}
	if t.body != nil {
		t.body.Release()
	}
	t.part.release()
	g.tasks.kept -= t.kept
	*t = task{gen: t.gen + 1, keySet: t.emptied()}
	g.tasks.free = append(g.tasks.free, i)
}

func (g *Gateway) view(t *task) exchange.Exchange { return g.space.View(t.slot) }

// headStart is the room set aside for a body before any of it has come. More follows as it comes: a few bytes of a head
// must not reserve megabytes.
func headStart(h *exchange.Head) int { return int(min(max(h.Length, 0), 64<<10)) }

// weigh counts what the task keeps of its request's body, and refuses the request if that grew while the loop keeps too
// much for all of them. What is dispatched already has its verdict all the same.
func (g *Gateway) weigh(x exchange.Exchange, t *task) {
	n := 0
	if t.payload != nil {
		n += cap(t.payload.Data)
	}
	if t.part.payload != nil {
		n += cap(t.part.payload.Data)
	}
	if t.body != nil {
		n += cap(t.body.B)
	}
	grown := n > t.kept
	g.tasks.kept += n - t.kept
	t.kept = n
	switch {
	case !grown || g.tasks.kept <= g.cfg.MaxBodies:
	case t.kind == taskLines || t.kind == taskParts:
		g.cutStream(x, t, errBodies)
		g.weigh(x, t)
	default:
		g.refuse(x, errBodies)
	}
}

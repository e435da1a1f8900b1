package loop

import (
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

const (
	queueKeep = 32 // items: a queue that grew beyond is not kept for the next connection
	itemBytes = 64 // what a queued piece costs beside its own bytes: tiny ones must not escape QueueBytes
)

// item is one piece of queued output: a message's frame, or bytes of the session's own.
type item struct {
	payload *mem.Payload // with frame: a reference of its own
	frame   *mem.Frame
	buf     *mem.Buffer
	size    int
	from    int // offset into the frame, of which there may be size bytes only
	ticket  uint32
	waiting bool // its fate is not known yet
	stays   bool // no policy drops it once it is queued
	heads   uint8
	head    [headMost]byte // heads bytes before the frame's
}

// queue is the output of one connection, in order. It exists while something is staged or the socket will not take
// more; nothing is copied into it but what the session composed.
type queue struct {
	items []item
	head  int   // first item not wholly sent
	off   int   // bytes of it that are sent
	bytes int   // bytes not sent
	moved int64 // when the kernel last took some, ns
	slot  uint32
}

// queues are the loop's output queues. Index 0 is none.
type queues struct {
	all  []*queue
	free []uint32
	live int
}

func (qs *queues) init() { qs.all = make([]*queue, 1) }

func (l *Loop) queueOf(slot uint32, r *conn) *queue {
	if r.out != 0 {
		return l.queues.all[r.out]
	}
	qs := &l.queues
	if n := len(qs.free); n > 0 {
		r.out = qs.free[n-1]
		qs.free = qs.free[:n-1]
	} else {
		qs.all = append(qs.all, &queue{items: make([]item, 0, 4)})
		r.out = uint32(len(qs.all) - 1)
	}
	qs.live++
	q := qs.all[r.out]
	q.slot = slot
	q.moved = l.now
	return q
}

func (l *Loop) dropQueue(r *conn) {
	q := l.queues.all[r.out]
	clear(q.items)
	*q = queue{items: q.items[:0]}
	if cap(q.items) > queueKeep {
		q.items = make([]item, 0, 4)
	}
	l.queues.free = append(l.queues.free, r.out)
	l.queues.live--
	r.out = 0
}

// fits reports whether size more bytes stay within bound. An empty queue takes a message of any size.
func (q *queue) fits(size, bound int) bool {
	return q.bytes == 0 || q.bytes+size+itemBytes*(len(q.items)-q.head) <= bound
}

// compact gives back the room of what was sent, so that a queue that never empties does not grow for ever.
func (q *queue) compact() {
	if q.head <= queueKeep {
		return
	}
	rest := copy(q.items, q.items[q.head:])
	clear(q.items[rest:])
	q.items, q.head = q.items[:rest], 0
}

// took accounts for n bytes that the kernel took: whole messages are delivered, and their references given back.
func (l *Loop) took(q *queue, n int) {
	q.bytes -= n
	n += q.off
	for q.head < len(q.items) && n >= q.items[q.head].size {
		it := &q.items[q.head]
		n -= it.size
		q.head++
		l.settle(it, record.Delivered)
		release(it)
	}
	q.off = n
}

func release(it *item) {
	if it.payload != nil {
		it.payload.Release()
	} else if it.buf != nil {
		it.buf.Release()
	}
	*it = item{}
}

// fate is what became of a message, to be told.
type fate struct {
	ticket uint32
	what   record.Fate
}

// settle notes a message's fate; it has one only.
func (l *Loop) settle(it *item, f record.Fate) {
	if it.waiting {
		it.waiting = false
		l.fates = append(l.fates, fate{it.ticket, f})
	}
}

// tell is called when no queue is being changed: who hears a fate may well push and write, to the same connection too.
func (l *Loop) tell() {
	for i := 0; i < len(l.fates); i++ {
		l.tenant.Settled(l.fates[i].ticket, l.fates[i].what)
	}
	l.fates = l.fates[:0]
}

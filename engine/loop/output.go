package loop

import (
	"holdfast/engine/record"
	"time"

	"holdfast/engine/epoll"
	"holdfast/engine/mem"
)

const (
	sweepEvery   = 250 * time.Millisecond // how often stalled queues are looked for
	gatherBytes  = 16 << 10               // up to here several pieces are copied into one send; beyond, writev
	partsPerSend = 64
	queueKeep    = 32 // items: a queue that grew beyond is not kept for the next connection
)

// SetPolicies tells the loop what record.Record.Policy indexes. On the loop, or before Run.
func (l *Loop) SetPolicies(p []record.SlowPolicy) { l.policies = p }

func (l *Loop) policy(r *conn) record.SlowPolicy {
	var p record.SlowPolicy
	if int(r.Policy) < len(l.policies) {
		p = l.policies[r.Policy]
	}
	if p.QueueBytes <= 0 {
		p.QueueBytes = l.cfg.QueueBytes
	}
	if p.Stall <= 0 {
		p.Stall = l.cfg.StallTimeout
	}
	return p
}

// item is one piece of queued output: a message's frame, or bytes of the session's own.
type item struct {
	payload *mem.Payload // with frame: a reference of its own
	frame   *mem.Frame
	buf     *mem.Buffer
	size    int
	ticket  uint32
	waiting bool // its fate has not been told yet
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

// Write queues bytes of the session's own: heads, verdicts, heartbeats. They are copied, never dropped, and count
// against no policy: sessions write a bounded amount per request.
func (l *Loop) Write(slot uint32, b []byte) {
	r := l.records.At(slot)
	if r.Closing || len(b) == 0 {
		return
	}
	q := l.queueOf(slot, r)
	q.bytes += len(b)
	l.markDirty(slot, r)
	if n := len(q.items); n > 0 {
		last := &q.items[n-1]
		if last.buf != nil && cap(last.buf.B)-len(last.buf.B) >= len(b) {
			last.buf.B = append(last.buf.B, b...)
			last.size += len(b)
			return
		}
	}
	buf := mem.Get(len(b))
	buf.B = append(buf.B[:0], b...)
	q.items = append(q.items, item{buf: buf, size: len(b)})
}

// Compose is an empty scratch slice to build what Write copies. It is the caller's until the next Compose.
func (l *Loop) Compose() []byte { return l.compose[:0] }

// Push queues one message's frame and takes a reference to its payload. record.Staged means that Tenant.Settled will tell
// the fate of ticket; any other answer is the fate. A full queue is the slow policy's business.
func (l *Loop) Push(slot uint32, p *mem.Payload, f *mem.Frame, ticket uint32) record.Fate {
	r := l.records.At(slot)
	if r.Closing {
		return record.DroppedGone
	}
	size := f.Size(p)
	q := l.queueOf(slot, r)
	if q.bytes > 0 && q.bytes+size > l.policy(r).QueueBytes {
		if fate := l.makeRoom(slot, r, q, size); fate != record.Staged {
			return fate
		}
		q = l.queueOf(slot, r)
	}
	p.Retain()
	q.items = append(q.items, item{payload: p, frame: f, size: size, ticket: ticket, waiting: true})
	q.bytes += size
	l.markDirty(slot, r)
	return record.Staged
}

// makeRoom is called when a message does not fit. A connection that was not tried since its queue grew is tried
// first: what many pushes stage in one tick must not evict a client that reads.
func (l *Loop) makeRoom(slot uint32, r *conn, q *queue, size int) record.Fate {
	p := l.policy(r)
	if !r.is(bitBlocked) {
		l.send(slot, r)
		if r.Closing {
			return record.DroppedGone
		}
		if r.out == 0 || l.queues.all[r.out].bytes+size <= p.QueueBytes {
			return record.Staged
		}
	}
	switch p.Action {
	case record.SlowClose:
		l.Stats.Evicted++
		l.Close(slot, record.ReasonSlow)
		return record.DroppedSlow
	case record.SlowOldest:
		l.dropOldest(q, p.QueueBytes-size)
	case record.SlowLatest:
		l.dropOldest(q, 0)
	}
	if q.bytes > 0 && q.bytes+size > p.QueueBytes {
		l.Stats.Dropped++
		return record.DroppedSlow // what is left has begun to leave, or is the session's own
	}
	return record.Staged
}

// dropOldest removes messages that have not begun to leave, oldest first, until at most room bytes wait.
func (l *Loop) dropOldest(q *queue, room int) {
	kept := q.items[:q.head]
	for i := q.head; i < len(q.items); i++ {
		it := &q.items[i]
		begun := i == q.head && q.off > 0
		if it.payload == nil || begun || q.bytes <= max(room, 0) {
			kept = append(kept, *it)
			continue
		}
		q.bytes -= it.size
		l.Stats.Dropped++
		l.settle(it, record.DroppedSlow)
		it.payload.Release()
	}
	clear(q.items[len(kept):])
	q.items = kept
}

func (l *Loop) settle(it *item, f record.Fate) {
	if it.waiting {
		it.waiting = false
		l.tenant.Settled(it.ticket, f)
	}
}

// WantDrained makes the session hear Drained when the output queue is empty.
func (l *Loop) WantDrained(slot uint32) {
	r := l.records.At(slot)
	r.bits |= bitDrained
	l.markDirty(slot, r)
}

// Queued is how many bytes of output wait for the connection.
func (l *Loop) Queued(slot uint32) int {
	if r := l.records.At(slot); r.out != 0 {
		return l.queues.all[r.out].bytes
	}
	return 0
}

func (l *Loop) markDirty(slot uint32, r *conn) {
	if !r.is(bitDirty) {
		r.bits |= bitDirty
		l.dirty = append(l.dirty, slot)
	}
}

// flush sends what this tick staged. Settling a push may write a verdict, so it goes a few rounds.
func (l *Loop) flush() {
	for range flushRounds {
		if len(l.dirty) == 0 {
			return
		}
		now := l.dirty
		l.dirty = l.spare[:0]
		for _, slot := range now {
			r := l.records.At(slot)
			r.bits &^= bitDirty
			if !r.Closing && r.Kind != record.Free {
				l.send(slot, r)
			}
		}
		l.spare = now[:0]
	}
}

// send offers a connection's queue to the kernel and tells the fate of every message staged since the last time.
func (l *Loop) send(slot uint32, r *conn) {
	if r.out != 0 {
		q := l.queues.all[r.out]
		n, err := l.offer(int(r.fd), q)
		if err != nil && epoll.Classify(err) != epoll.Retry {
			l.Close(slot, record.ReasonReset)
			return
		}
		if n > 0 {
			l.Stats.BytesOut += uint64(n)
			q.moved = l.now
			r.Wrote = l.Seconds()
			l.took(q, n)
		}
		if q.bytes > 0 {
			l.blocked(slot, r, q, err != nil)
			return
		}
		l.dropQueue(r)
	}
	r.bits &^= bitBlocked
	l.arm(slot, r, r.mask&^epoll.Out)
	l.drained(slot, r)
}

// offer makes one system call: a plain send where one piece or few small ones wait, writev else.
func (l *Loop) offer(fd int, q *queue) (int, error) {
	parts, total := l.parts[:0], 0
	for i := q.head; i < len(q.items) && len(parts) < partsPerSend-2; i++ {
		it := &q.items[i]
		if it.frame != nil {
			parts = it.frame.Parts(parts, it.payload)
		} else {
			parts = append(parts, it.buf.B)
		}
		total += it.size
	}
	parts = skip(parts, q.off)
	total -= q.off
	l.parts = parts[:0]
	if len(parts) == 1 {
		return l.k.Send(fd, parts[0])
	}
	if total > gatherBytes {
		return l.k.Sendv(fd, parts)
	}
	b := l.scratch[:0]
	for _, p := range parts {
		b = append(b, p...)
	}
	return l.k.Send(fd, b)
}

// skip leaves out the first n bytes of parts.
func skip(parts [][]byte, n int) [][]byte {
	first := 0
	for n > 0 && n >= len(parts[first]) {
		n -= len(parts[first])
		first++
	}
	if n > 0 {
		parts[first] = parts[first][n:]
	}
	return parts[first:]
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

// blocked waits for the socket to take more, and tells the publishers of what is left that it is pending.
func (l *Loop) blocked(slot uint32, r *conn, q *queue, full bool) {
	for i := q.head; i < len(q.items); i++ {
		l.settle(&q.items[i], record.Pending)
	}
	if q.head > queueKeep {
		rest := copy(q.items, q.items[q.head:])
		clear(q.items[rest:])
		q.items, q.head = q.items[:rest], 0
	}
	if !full && q.off == 0 {
		l.markDirty(slot, r) // all that was offered was taken: there is only more than one call can carry
		return
	}
	r.bits |= bitBlocked
	l.arm(slot, r, r.mask|epoll.Out)
}

func (l *Loop) drained(slot uint32, r *conn) {
	if r.is(bitLast) {
		l.finish(slot, r)
		return
	}
	if r.is(bitDrained) && !r.Closing {
		r.bits &^= bitDrained
		l.protocols[r.Kind].Happened(slot, Drained)
	}
}

// sweep evicts connections whose queue has not moved for too long. Only those with a queue cost it anything.
func (l *Loop) sweep() {
	if l.now-l.swept < int64(sweepEvery) {
		return
	}
	l.swept = l.now
	if l.queues.live == 0 {
		return
	}
	for _, q := range l.queues.all[1:] {
		if q.bytes == 0 {
			continue
		}
		if r := l.records.At(q.slot); !r.Closing && l.now-q.moved >= int64(l.policy(r).Stall) {
			l.Stats.Evicted++
			l.Close(q.slot, record.ReasonSlow)
		}
	}
}

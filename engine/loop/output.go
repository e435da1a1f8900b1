package loop

import (
	"holdfast/engine/epoll"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

const (
	gatherBytes  = 16 << 10 // up to here several pieces are copied into one send; beyond, writev
	partsPerSend = 64
)

// Write queues bytes of the session's own: heads, verdicts, heartbeats. They are copied, never dropped, and count
// against no policy: sessions write a bounded amount per request. After CloseAfterWrite nothing more is queued.
func (l *Loop) Write(slot uint32, b []byte) {
	r := l.records.At(slot)
	if r.Closing || r.is(bitLast) || len(b) == 0 {
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

// Push queues one message's frame and takes a reference to its payload. record.Staged means that Tenant.Settled will
// tell the fate of ticket, after Push has returned; any other answer is the fate. A full queue is the slow policy's
// business.
func (l *Loop) Push(slot uint32, p *mem.Payload, f *mem.Frame, ticket uint32) record.Fate {
	return l.push(slot, f.Size(p), item{payload: p, frame: f, ticket: ticket, waiting: true})
}

// PushAnswer is Push for a frame that is a whole answer: once queued it is dropped for no other message, because the
// client would take the next answer for this one. The message that does not fit is dropped instead.
func (l *Loop) PushAnswer(slot uint32, p *mem.Payload, f *mem.Frame, ticket uint32) record.Fate {
	return l.push(slot, f.Size(p), item{payload: p, frame: f, ticket: ticket, waiting: true, stays: true})
}

func (l *Loop) push(slot uint32, size int, it item) record.Fate {
	r := l.records.At(slot)
	if r.Closing || r.is(bitLast) {
		return record.DroppedGone
	}
	if size == 0 {
		return record.Delivered // all of it
	}
	q := l.queueOf(slot, r)
	l.markDirty(slot, r)
	if !q.fits(size, l.policy(r).QueueBytes) {
		if fate := l.makeRoom(slot, r, q, size); fate != record.Staged {
			return fate
		}
	}
	it.size = size
	it.payload.Retain()
	q.items = append(q.items, it)
	q.bytes += size
	return record.Staged
}

// Fits reports whether a message of so many bytes would be queued without asking the slow policy.
func (l *Loop) Fits(slot uint32, size int) bool {
	r := l.records.At(slot)
	return r.out == 0 || l.queues.all[r.out].fits(size, l.policy(r).QueueBytes)
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

// flush sends what this tick staged. Telling a push's fate may write a verdict, so it goes a few rounds.
func (l *Loop) flush() {
	l.runDeferred()
	for range flushRounds {
		if len(l.dirty) == 0 {
			return
		}
		now := l.dirty
		l.dirty = l.spare[:0]
		for _, slot := range now {
			if !l.records.Used(slot) {
				continue // it ended in the last tick
			}
			r := l.records.At(slot)
			if !r.is(bitDirty) {
				continue // another one has its slot now
			}
			r.bits &^= bitDirty
			if !r.Closing {
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
		if !r.is(bitBlocked) && q.bytes > 0 {
			if !l.offer(slot, r, q) {
				return
			}
			l.tell()
			if r.Closing {
				return
			}
		}
		if q.bytes > 0 {
			l.wait(slot, r, q)
			return
		}
		l.dropQueue(r)
	}
	r.bits &^= bitBlocked
	l.arm(slot, r, r.mask&^epoll.Out)
	l.drained(slot, r)
}

// offer makes one system call, and marks the connection as blocked if the kernel did not take all that it was offered.
// It reports false when the connection failed.
func (l *Loop) offer(slot uint32, r *conn, q *queue) (alive bool) {
	parts, total := l.gather(q)
	n, err := l.sendParts(int(r.fd), parts, total)
	if err != nil && l.failed(slot, err) {
		return false
	}
	if n > 0 {
		l.Stats.BytesOut += uint64(n)
		q.moved = l.now
		r.Wrote = l.Seconds()
		l.took(q, n)
	}
	if n < total {
		r.bits |= bitBlocked
	}
	return true
}

// gather lists the pieces that one call can carry, and their bytes.
func (l *Loop) gather(q *queue) (parts [][]byte, total int) {
	parts = l.parts[:0]
	for i := q.head; i < len(q.items) && len(parts) < partsPerSend-3; i++ {
		it := &q.items[i]
		parts = it.parts(parts)
		total += it.size
	}
	l.parts = parts[:0]
	return skip(parts, q.off), total - q.off
}

// sendParts is a plain send where one piece or few small ones wait, writev else.
func (l *Loop) sendParts(fd int, parts [][]byte, total int) (int, error) {
	if len(parts) == 1 {
		return l.k.Send(fd, parts[0])
	}
	if total > gatherBytes {
		return l.k.Sendv(fd, parts)
	}
	b := l.gathered[:0] // not scratch: a session may push while it reads its input there
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

// wait goes on in the next round if there is only more than one call can carry. Else it waits for the socket to take
// more, and tells the publishers of what is left that it is pending.
func (l *Loop) wait(slot uint32, r *conn, q *queue) {
	q.compact()
	if !r.is(bitBlocked) {
		l.markDirty(slot, r)
		return
	}
	for i := q.head; i < len(q.items); i++ {
		l.settle(&q.items[i], record.Pending)
	}
	l.arm(slot, r, r.mask|epoll.Out)
	l.tell()
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

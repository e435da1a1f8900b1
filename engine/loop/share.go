package loop

import (
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

// What sessions need that carry many exchanges over one connection: they keep queues of their own, cut messages into
// pieces, and so know fates that the loop does not.

// headMost is the longest head of a piece, bytes.
const headMost = 9

// PushPiece queues size bytes of a message's frame from an offset on, behind a head of at most 9 bytes that is copied, and
// takes a reference to the payload. No policy is asked and none drops it: the session bounds what it queues. With told,
// the fate of ticket follows as after Push, and is that of the whole message: it is the last piece. It reports false when
// nothing can be sent any more.
func (l *Loop) PushPiece(slot uint32, head []byte, p *mem.Payload, f *mem.Frame, from, size int, ticket uint32, told bool) bool {
	r := l.records.At(slot)
	if r.Closing || r.is(bitLast) || size == 0 {
		return false
	}
	q := l.queueOf(slot, r)
	l.markDirty(slot, r)
	p.Retain()
	it := item{payload: p, frame: f, from: from, size: size + len(head), ticket: ticket, waiting: told, stays: true}
	it.heads = uint8(copy(it.head[:], head))
	q.items = append(q.items, it)
	q.bytes += it.size
	return true
}

// parts appends the bytes of an item, as pieces.
func (it *item) parts(dst [][]byte) [][]byte {
	if it.frame == nil {
		return append(dst, it.buf.B)
	}
	if it.heads > 0 {
		dst = append(dst, it.head[:it.heads])
	}
	at := len(dst)
	dst = it.frame.Parts(dst, it.payload)
	left := it.size - int(it.heads)
	if left == it.frame.Size(it.payload) {
		return dst
	}
	kept := dst[:at]
	for _, p := range skip(dst[at:], it.from) {
		p = p[:min(left, len(p))]
		if left -= len(p); len(p) > 0 {
			kept = append(kept, p)
		}
	}
	return kept
}

// Press offers what is queued to the kernel at once, for a session that has more to queue than it may, and reports
// whether the kernel may take still more.
func (l *Loop) Press(slot uint32) bool {
	r := l.records.At(slot)
	if r.Closing || r.is(bitBlocked) {
		return false
	}
	if r.out == 0 || l.queues.all[r.out].bytes == 0 {
		return true
	}
	q := l.queues.all[r.out]
	alive := l.offer(slot, r, q)
	q.compact()
	return alive && !r.is(bitBlocked)
}

// SlowPolicy is what happens to an exchange that does not read what it is sent, its defaults filled in.
func (l *Loop) SlowPolicy(slot uint32) record.SlowPolicy { return l.policy(l.records.At(slot)) }

// Tell says the fate of a message that the session answered as Staged. Its tenant hears it outside of whatever calls now,
// and within this tick or the next.
func (l *Loop) Tell(ticket uint32, f record.Fate) { l.fates = append(l.fates, fate{ticket, f}) }

// Defer calls f once, before what this tick staged leaves, or in the next tick when that is under way: outside of
// whatever calls now.
func (l *Loop) Defer(f func()) { l.deferred = append(l.deferred, f) }

// runDeferred calls what waits for that. What they defer again waits for the next flush.
func (l *Loop) runDeferred() {
	now := l.deferred
	l.deferred = l.resting[:0]
	for i, f := range now {
		f()
		now[i] = nil
	}
	l.resting = now[:0]
	l.tell()
}

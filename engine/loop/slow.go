package loop

import (
	"time"

	"holdfast/engine/record"
)

const sweepEvery = 250 * time.Millisecond // how often stalled queues are looked for

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

// makeRoom is called when a message does not fit; record.Staged means that it does now. A socket that may take more is
// tried first: what many pushes stage in one tick must not evict a client that reads.
func (l *Loop) makeRoom(slot uint32, r *conn, q *queue, size int) record.Fate {
	p := l.policy(r)
	for !r.is(bitBlocked) {
		if !l.offer(slot, r, q) {
			return record.DroppedGone
		}
		if q.fits(size, p.QueueBytes) {
			return record.Staged
		}
	}
	if p.Action == record.SlowClose {
		l.Stats.Evicted++
		l.Close(slot, record.ReasonSlow)
		return record.DroppedSlow
	}
	if stays := q.stays(); stays > 0 && stays+size > p.QueueBytes {
		l.Stats.Dropped++
		return record.DroppedSlow // nobody else's place would be enough
	}
	room := 0
	if p.Action == record.SlowOldest {
		room = p.QueueBytes - size
	}
	l.dropOldest(q, room)
	return record.Staged
}

// stays is what no policy takes out of a queue: a message that has begun to leave, whole answers, and the session's own
// bytes.
func (q *queue) stays() int {
	sum := -q.off
	for i := q.head; i < len(q.items); i++ {
		if it := &q.items[i]; it.payload == nil || it.stays || i == q.head && q.off > 0 {
			sum += it.size + itemBytes
		}
	}
	return sum
}

// dropOldest removes messages that have not begun to leave, oldest first, until at most room is taken up.
func (l *Loop) dropOldest(q *queue, room int) {
	kept := q.items[:q.head]
	left := len(q.items) - q.head
	for i := q.head; i < len(q.items); i++ {
		it := &q.items[i]
		begun := i == q.head && q.off > 0
		if it.payload == nil || it.stays || begun || q.bytes+itemBytes*left <= room {
			kept = append(kept, *it)
			continue
		}
		left--
		q.bytes -= it.size
		l.Stats.Dropped++
		l.settle(it, record.DroppedSlow)
		it.payload.Release()
	}
	clear(q.items[len(kept):])
	q.items = kept
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

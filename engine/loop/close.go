package loop

import (
	"holdfast/engine/epoll"
	"holdfast/engine/record"
	"holdfast/registry"
)

// Close ends a connection at the end of this tick: no callback ever closes under another one's feet. What is queued is
// lost; a client that does not read, or vanished, is reset, so that nothing is kept for it.
func (l *Loop) Close(slot uint32, why record.Reason) {
	r := l.records.At(slot)
	if r.Closing {
		return
	}
	r.Closing = true
	r.why = why
	l.reaped = append(l.reaped, slot)
}

// CloseAfterWrite ends a connection in good order: what is queued is sent, then our side is closed, and what the peer
// still sends is read and thrown away until it closes too or the deadline that the caller has set passes. Closing with
// unread input would reset the connection and could destroy the answer (RFC 9112 §9.6).
func (l *Loop) CloseAfterWrite(slot uint32) {
	r := l.records.At(slot)
	r.bits |= bitLast
	l.markDirty(slot, r)
}

// finish closes our side once everything is sent. The session hears Drained and is left with reading until Ended.
func (l *Loop) finish(slot uint32, r *conn) {
	if r.Closing || r.is(bitShut) {
		return
	}
	r.bits |= bitShut
	l.k.Close(int(r.fd), epoll.Write)
	l.protocols[r.Kind].Happened(slot, Drained)
}

// reap ends the connections that were closed in this tick.
func (l *Loop) reap() {
	for len(l.reaped) > 0 {
		now := l.reaped
		l.reaped = nil
		for _, slot := range now {
			l.bury(slot)
		}
		if l.reaped == nil {
			l.reaped = now[:0]
			return
		}
	}
}

func (l *Loop) bury(slot uint32) {
	r := l.records.At(slot)
	why := r.why
	l.protocols[r.Kind].Closed(slot, why)
	if r.Kind == record.Stream {
		l.wheel.Cancel(slot)
		l.give(slot)
		l.tell()
		return
	}
	l.abandon(r)
	l.forget(r)
	l.wheel.Cancel(slot)
	how := epoll.Now
	if why == record.ReasonSlow || why == record.ReasonReset || why == record.ReasonTimeout {
		how = epoll.Reset // do not keep unread output in the kernel for a peer that does not take it
	}
	l.k.Close(int(r.fd), how)
	l.Stats.Closed[why]++
	l.Stats.Conns--
	l.cfg.Conns.Add(-1)
	l.records.Free(slot)
	l.records.Bump(slot)
	l.tell()
}

// abandon gives up a connection's queue; publishers that still wait for a fate will hear it.
func (l *Loop) abandon(r *conn) {
	if r.out == 0 {
		return
	}
	fate := record.DroppedGone
	if r.why == record.ReasonSlow {
		fate = record.DroppedSlow
	}
	q := l.queues.all[r.out]
	for i := q.head; i < len(q.items); i++ {
		l.settle(&q.items[i], fate)
		release(&q.items[i])
	}
	l.dropQueue(r)
}

// release ends everything when the loop stops.
func (l *Loop) release() {
	l.closeListeners()
	for slot := l.records.Next(0); slot != 0; slot = l.records.Next(slot) {
		if kind := l.records.At(slot).Kind; kind != record.Chain && kind != record.Stream {
			l.Close(slot, record.ReasonShutdown)
		}
	}
	l.reap()
}

// Records are addressed by slot; handles name what a slot holds now, and go stale when it ends.

// At is the record of a slot. The pointer is good until the end of the callback in which it was taken.
func (l *Loop) At(slot uint32) *record.Record { return &l.records.At(slot).Record }

// Handle names what the slot holds now.
func (l *Loop) Handle(slot uint32) registry.Handle {
	return registry.NewHandle(l.cfg.ID, slot, l.records.Gen(slot))
}

// Live reports whether the handle still names what its slot holds.
func (l *Loop) Live(h registry.Handle) bool {
	slot := h.Slot()
	return h.Loop() == l.cfg.ID && l.records.Used(slot) && l.records.Gen(slot) == h.Gen()
}

// Turn makes every handle to the slot stale: what it held has ended, and the connection goes on with something else.
func (l *Loop) Turn(slot uint32) { l.records.Bump(slot) }

// Member is the registry's part of a hold's record.
func (l *Loop) Member(slot uint32) *registry.Member { return &l.records.At(slot).Member }

// Chain takes a record for a further key of the exchange at owner, see Spawn.
func (l *Loop) Chain(owner uint32) (slot uint32, ok bool) { return l.Spawn(owner, record.Chain) }

// Unchain gives such a record back.
func (l *Loop) Unchain(slot uint32) { l.give(slot) }

// Spawn takes a record that has no socket of its own but belongs to a connection: a further key, or a stream, which ends
// by Close. It reports false when there is none left; a sixteenth of the slab is kept for connections, so that holds with
// many keys do not lock publishers out.
func (l *Loop) Spawn(owner uint32, kind record.Kind) (slot uint32, ok bool) {
	if size := l.records.Cap() - 1; size-l.records.Live() <= size/16 {
		return 0, false
	}
	slot, ok = l.records.Alloc()
	if ok {
		r := l.records.At(slot)
		r.Kind = kind
		r.Owner = owner
		r.Born, r.Listener = l.Seconds(), l.records.At(owner).Listener
		l.Stats.Chained++
	}
	return slot, ok
}

func (l *Loop) give(slot uint32) {
	l.records.Free(slot)
	l.records.Bump(slot)
	l.Stats.Chained--
}

// Each visits live connections from after a slot on, at most limit of them, and returns where to go on, 0 at the end.
func (l *Loop) Each(after uint32, limit int, visit func(slot uint32, r *record.Record)) uint32 {
	slot := after
	for range limit {
		slot = l.records.Next(slot)
		if slot == 0 {
			return 0
		}
		if r := l.records.At(slot); r.Kind != record.Chain && !r.Closing {
			visit(slot, &r.Record)
		}
	}
	return slot
}

// FD is a connection's descriptor, for asking the system about it. On the loop only.
func (l *Loop) FD(slot uint32) int { return int(l.records.At(slot).fd) }

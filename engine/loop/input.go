package loop

import (
	"holdfast/engine/epoll"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

// inputs are the beginnings of requests that have not come whole, and what is pipelined behind an exchange: the only
// input that a connection ever costs. Index 0 is none.
type inputs struct {
	bufs []*mem.Buffer
	free []uint32
}

func (in *inputs) init() { in.bufs = make([]*mem.Buffer, 1) }

func (in *inputs) keep(b []byte) uint32 {
	buf := mem.Get(len(b))
	buf.B = append(buf.B[:0], b...)
	if n := len(in.free); n > 0 {
		i := in.free[n-1]
		in.free = in.free[:n-1]
		in.bufs[i] = buf
		return i
	}
	in.bufs = append(in.bufs, buf)
	return uint32(len(in.bufs) - 1)
}

func (in *inputs) drop(i uint32) {
	in.bufs[i].Release()
	in.bufs[i] = nil
	in.free = append(in.free, i)
}

// readable reads once: epoll is level-triggered, so what is left comes in the next tick, after everybody else. What a
// session keeps is for a limit of its own to bound; here it ends where the scratch buffer does.
func (l *Loop) readable(slot uint32, r *conn) {
	kept := l.recall(r)
	room := l.cfg.ReadBytes
	if kept == 0 && r.Flags&record.FlagBulk != 0 {
		room *= 4
	}
	room = min(room, len(l.scratch)-kept)
	if room == 0 { // an empty read would look like the end
		l.Close(slot, record.ReasonInternal)
		return
	}
	n, err := l.k.Read(int(r.fd), l.scratch[kept:kept+room])
	switch {
	case err != nil:
		l.failed(slot, err)
	case n == 0:
		r.bits |= bitEnded
		l.arm(slot, r, r.mask&^(epoll.In|epoll.RdHup))
		l.protocols[r.Kind].Happened(slot, Ended)
	default:
		l.Stats.BytesIn += uint64(n)
		l.feed(slot, r, l.scratch[:kept+n], kept)
	}
}

// recall copies kept input to the front of the scratch buffer and says how much there is.
func (l *Loop) recall(r *conn) int {
	if r.in == 0 {
		return 0
	}
	return copy(l.scratch, l.inputs.bufs[r.in].B)
}

// feed gives a session its input, of which the first kept bytes are stored already, and stores what it leaves.
func (l *Loop) feed(slot uint32, r *conn, b []byte, kept int) {
	used := 0
	for kind := record.Free; kind != r.Kind && !r.Closing; { // again, when another protocol has taken the connection over
		kind = r.Kind
		used += l.protocols[kind].Received(slot, b[used:])
	}
	if r.Closing {
		return
	}
	rest := b[used:]
	switch {
	case len(rest) == 0:
		l.forget(r)
	case used == 0 && kept > 0 && cap(l.inputs.bufs[r.in].B) >= len(b):
		buf := l.inputs.bufs[r.in]
		buf.B = append(buf.B, b[kept:]...)
	default:
		l.forget(r)
		r.in = l.inputs.keep(rest)
	}
}

func (l *Loop) forget(r *conn) {
	if r.in != 0 {
		l.inputs.drop(r.in)
		r.in = 0
	}
}

// Pause says that the session wants no input for now. Nothing changes in epoll until some comes.
func (l *Loop) Pause(slot uint32) { l.records.At(slot).Paused = true }

// Resume takes Pause back; input that was kept is looked at again in the next tick.
func (l *Loop) Resume(slot uint32) {
	r := l.records.At(slot)
	if !r.Paused || r.Closing {
		return
	}
	r.Paused = false
	if !r.is(bitEnded) {
		l.arm(slot, r, r.mask|epoll.In)
	}
	if r.in != 0 && !r.is(bitReady) {
		r.bits |= bitReady
		l.ready = append(l.ready, slot)
	}
}

// Kept is how many bytes of input wait for the session.
func (l *Loop) Kept(slot uint32) int {
	if r := l.records.At(slot); r.in != 0 {
		return len(l.inputs.bufs[r.in].B)
	}
	return 0
}

// revisit gives sessions that were resumed what had been kept for them.
func (l *Loop) revisit() {
	now := l.ready
	l.ready = l.spare[:0]
	for _, slot := range now {
		if !l.records.Used(slot) {
			continue // it ended in the last tick
		}
		r := l.records.At(slot)
		if !r.is(bitReady) {
			continue // another one has its slot now
		}
		r.bits &^= bitReady
		if r.Closing || r.Paused || r.in == 0 {
			continue
		}
		kept := l.recall(r)
		l.feed(slot, r, l.scratch[:kept], kept)
	}
	l.spare = now[:0]
}

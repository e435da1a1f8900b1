package websocket

import (
	"errors"

	"holdfast/codec/ws"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/route"
)

// Received takes input from its start and says how much it used up. The rest, shorter than a control frame, is the
// carrier's to keep, and comes again with more.
func (m *Machine) Received(slot uint32, b []byte) int {
	st := m.c.State(slot)
	if st.Bits&bitOver != 0 {
		return len(b)
	}
	if len(b) == 0 {
		return 0
	}
	st.Bits &^= bitPinged
	m.load(&st)
	p := m.policy(slot)
	used, moved, starved := 0, false, false
	for used < len(b) && st.Bits&bitPaused == 0 && !starved {
		ev, n, err := m.now.parser.Next(b[used:], &p.limits)
		used += n
		if err == nil {
			switch ev.Kind {
			case ws.NeedMore:
				starved = true
			case ws.Data:
				moved = true
				err = m.data(slot, &st, p, &ev)
			case ws.Ping, ws.Pong:
				err = m.control(slot, &st, p, &ev)
			case ws.Close:
				m.closedBy(slot, &st, ev.Code)
				return len(b)
			}
		}
		if err != nil {
			m.refuse(slot, &st, err)
			return len(b)
		}
		if st.Bits&bitOver != 0 || m.l.At(slot).Closing { // by the handler
			m.now.release()
			return len(b)
		}
	}
	m.pause(slot, &st, moved, starved && used < len(b))
	return used
}

// pause is the end of what has come. What has begun must go on within PieceTimeout.
func (m *Machine) pause(slot uint32, st *State, moved, partly bool) {
	mid, was := m.now.parser.Open() || partly, st.Bits&bitMid != 0
	if mid {
		st.Bits = st.Bits&^bitPong | bitMid
	} else {
		st.Bits &^= bitMid
	}
	if !st.open() {
		st.Bits &^= bitMid
	}
	m.store(slot, st)
	switch {
	case !st.open():
	case st.Bits&bitHungUp != 0:
		m.end(slot, st, record.ReasonGone)
	case mid && (moved || !was):
		m.wake(slot, m.cfg.PieceTimeout)
	case was && !mid:
		m.wake(slot, m.policy(slot).silence)
	}
}

// refuse ends a WebSocket for what its client sent.
func (m *Machine) refuse(slot uint32, st *State, err error) {
	m.now.release()
	bad := &ws.Error{Code: ws.ProtocolError}
	errors.As(err, &bad)
	if bad == errFlood {
		m.Stats.Floods++
	} else {
		m.Stats.Refused++
	}
	m.fail(slot, st, bad, record.ReasonProtocol)
}

// closedBy answers the client's close frame: "When sending a Close frame in response, the endpoint typically echos the
// status code it received." (RFC 6455 §5.5.1) Then we close, as servers do first (§7.1.1).
func (m *Machine) closedBy(slot uint32, st *State, code ws.Code) {
	m.now.release()
	m.Stats.CloseReceived[CodeIndex(code)]++
	if st.open() {
		m.sendClose(slot, code, "")
	}
	m.end(slot, st, record.ReasonGone)
}

// control answers a ping; a pong has done all it can by coming. A client that pings and does not read what it is sent is
// not read either, so that its pongs cannot pile up.
func (m *Machine) control(slot uint32, st *State, p *policy, ev *ws.Event) error {
	if !st.open() {
		return nil
	}
	if !p.meter.take(&m.now.paid, m.l.Now()) {
		return errFlood
	}
	if ev.Kind == ws.Pong {
		m.Stats.Pongs++
		return nil
	}
	m.Stats.Pings++
	m.c.Write(slot, ws.AppendPong(m.l.Compose(), ev.Payload))
	if m.c.Queued(slot) > m.cfg.PongBytes {
		st.Bits |= bitPaused
		m.c.Pause(slot)
		m.c.WantDrained(slot)
	}
	return nil
}

// data takes a piece of a message. One that is ignored is held against the protocol piece by piece, but not inflated.
func (m *Machine) data(slot uint32, st *State, p *policy, ev *ws.Event) error {
	if !st.open() {
		return nil
	}
	text := ev.Opcode == ws.Text
	wanted := p.Inbound == route.Published || p.Inbound == route.Echoed || p.ClientKeys && text
	if ev.First {
		if p.Inbound == route.Refused && !wanted {
			return ws.ErrRefused
		}
		if !p.meter.take(&m.now.paid, m.l.Now()) {
			return errFlood
		}
		if wanted && !ev.Last {
			m.now.buf = mem.Get(len(ev.Payload))
		}
	}
	if text && !ev.Compressed && !m.now.text.Check(ev.Payload, ev.Last) {
		return ws.ErrUTF8
	}
	if m.now.buf != nil {
		m.now.append(ev.Payload)
	}
	if !ev.Last {
		return nil
	}
	m.Stats.Messages++
	if !wanted || m.now.buf == nil && !ev.First { // in the latter case it was not when it began
		m.now.release()
		return nil
	}
	return m.whole(slot, st, p, ev)
}

// whole passes a message on. What has come at once is never copied.
func (m *Machine) whole(slot uint32, st *State, p *policy, ev *ws.Event) error {
	buf, data, text := m.now.buf, ev.Payload, ev.Opcode == ws.Text
	m.now.buf = nil
	if buf != nil {
		data = buf.B
		defer buf.Release()
	}
	if ev.Compressed {
		var err error
		if data, err = m.inflate(data, p.MaxInbound); err != nil {
			return err
		}
		if text && !m.now.text.Check(data, true) {
			return ws.ErrUTF8
		}
	}
	m.Stats.Passed++
	m.store(slot, st)
	m.handler.Message(m.c.View(slot), text, data)
	*st = m.c.State(slot)
	return nil
}

// inflatedKept is how much memory a loop keeps to inflate messages in.
const inflatedKept = 64 << 10

// inflate returns a message as it was before its client compressed it, good until the next one.
func (m *Machine) inflate(data []byte, most int) ([]byte, error) {
	out, err := m.inflater.Append(m.inflated[:0], data, most)
	if cap(out) <= inflatedKept {
		m.inflated = out
	}
	return out, err
}

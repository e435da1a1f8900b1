package http2

import (
	"holdfast/codec/h2"
	"holdfast/engine/record"
)

// resetFrame: the client wants nothing more of a stream, RFC 9113 §6.4.
func (s *Sessions) resetFrame(conn uint32, cr *record.Record, f *h2.Frame) {
	slot := s.find(conn, f.Stream)
	if slot == 0 {
		s.idle(conn, cr, f.Stream)
		return
	}
	s.Stats.ResetsIn++
	r := s.l.At(slot)
	young, answered := s.l.Seconds()-r.Born <= youngSeconds, !active(r.State) && r.State != stateSocket
	s.remember(conn, f.Stream, resetIn)
	s.take(slot, r, record.ReasonGone)
	switch {
	case answered: // some clients end their side so
		s.charge(conn, cr, controls, AbuseReset, 1)
	case young:
		s.charge(conn, cr, resets, AbuseReset, 1)
	}
}

// idle judges a frame of a stream that is not open: one that never was must not have any, RFC 9113 §5.1; of one that has
// ended it was on its way.
func (s *Sessions) idle(conn uint32, cr *record.Record, id uint32) {
	if id > s.linkOf(cr).last && cr.State != connLeaving || id%2 == 0 {
		s.fail(conn, cr, h2.ProtocolError, "frame of an idle stream")
		return
	}
	s.charge(conn, cr, controls, AbuseUnknown, 1)
}

// owesAck reports whether SETTINGS of ours are still to be acknowledged.
func owesAck(cr *record.Record) bool {
	return cr.Flags&flagGreeted == 0 || cr.Flags&(flagUnsettled|flagShrinking) == flagUnsettled|flagShrinking
}

// shrink takes the client's HPACK table away, once a stream is held or has ended: what is idle then needs no decoder.
// The first SETTINGS do not say it: there are clients that acknowledge those and still go by 4,096 for a moment.
func (s *Sessions) shrink(conn uint32, cr *record.Record) {
	if cr.State <= connOpen && cr.Flags&flagShrinking == 0 {
		cr.Flags |= flagShrinking
		if cr.Flags&flagGreeted != 0 { // or the first are still awaited
			s.busyOf(s.linkOf(cr)).opened = s.l.Now()
		}
		s.l.Write(conn, h2.AppendSettings(s.l.Compose(), h2.Setting{ID: h2.TableSize, Value: 0}))
		s.rearm(conn, cr)
	}
}

// settingsFrame, RFC 9113 §6.5. From the acknowledgement of our second SETTINGS on the client uses no HPACK table.
func (s *Sessions) settingsFrame(conn uint32, cr *record.Record, b *busy, f *h2.Frame) {
	if f.Flags.Has(h2.Ack) {
		if cr.Flags&flagGreeted == 0 {
			cr.Flags |= flagGreeted
			b.opened = s.l.Now()
			s.rearm(conn, cr)
			return
		}
		if owesAck(cr) {
			cr.Flags &^= flagUnsettled
			b.decoder = nil
			s.rearm(conn, cr)
			return
		}
		s.charge(conn, cr, controls, AbuseSettings, 1)
		return
	}
	if s.charge(conn, cr, controls, AbuseSettings, 1) || !s.applySettings(conn, cr, *f) {
		return
	}
	s.l.Write(conn, h2.AppendSettingsAck(s.l.Compose()))
}

// applySettings takes over what concerns us, which is how much a stream may be sent, and changes that for those that are
// open, RFC 9113 §6.9.2. It reports whether the connection goes on.
func (s *Sessions) applySettings(conn uint32, cr *record.Record, f h2.Frame) bool {
	c := s.linkOf(cr)
	settings := h2.DefaultSettings
	settings.Window = uint32(c.initial)
	if err := settings.Read(f); err != nil {
		s.offend(conn, cr, 0, err)
		return false
	}
	delta := int64(settings.Window) - int64(c.initial)
	if delta == 0 {
		return true
	}
	if s.charge(conn, cr, controls, AbuseSettings, int(c.count)/streamsPerSetting) {
		return false
	}
	c.initial = int32(settings.Window)
	b := s.busies.at(c.busy)
	for slot := c.first; slot != 0; {
		r := s.l.At(slot)
		e := s.streamOf(r)
		window := int64(e.window) + delta
		if window > maxWindow {
			s.fail(conn, cr, h2.FlowControlError, "a stream's window exceeds 2^31-1")
			return false
		}
		e.window = int32(window)
		s.enter(b, r, e)
		slot = e.next
	}
	return true
}

// pingFrame, RFC 9113 §6.7.
func (s *Sessions) pingFrame(conn uint32, cr *record.Record, f *h2.Frame) {
	data := h2.ParsePing(*f)
	if f.Flags.Has(h2.Ack) {
		if data == drainPing && cr.Flags&flagWarned != 0 {
			s.lastWord(conn, cr)
			return
		}
		s.charge(conn, cr, controls, AbusePing, 1)
		return
	}
	if !s.charge(conn, cr, controls, AbusePing, 1) {
		s.l.Write(conn, h2.AppendPingAck(s.l.Compose(), data))
	}
}

// windowFrame, RFC 9113 §6.9. What may be sent then is sent when all input is read.
func (s *Sessions) windowFrame(conn uint32, cr *record.Record, b *busy, f *h2.Frame) {
	more, err := h2.ParseWindow(*f)
	if err != nil {
		s.offend(conn, cr, f.Stream, err)
		return
	}
	small := more < smallWindow
	if f.Stream == 0 {
		if small && s.charge(conn, cr, controls, AbuseWindow, 1) {
			return
		}
		c := s.linkOf(cr)
		if int64(c.window)+int64(more) > maxWindow {
			s.fail(conn, cr, h2.FlowControlError, "the connection's window exceeds 2^31-1")
			return
		}
		c.window += int32(more)
		return
	}
	slot := s.find(conn, f.Stream)
	if slot == 0 {
		s.idle(conn, cr, f.Stream)
		return
	}
	if small && s.charge(conn, cr, controls, AbuseWindow, 1) {
		return
	}
	r := s.l.At(slot)
	e := s.streamOf(r)
	if int64(e.window)+int64(more) > maxWindow {
		s.strike(conn, cr, f.Stream, h2.FlowControlError)
		return
	}
	e.window += int32(more)
	s.enter(b, r, e)
}

// priorityFrame, RFC 9218 §7.1. A stream that is not open yet says its priority in its own head.
func (s *Sessions) priorityFrame(conn uint32, cr *record.Record, f *h2.Frame) {
	if s.charge(conn, cr, controls, AbusePriority, 1) {
		return
	}
	id, p, err := h2.ParsePriorityUpdate(*f)
	if err != nil {
		s.offend(conn, cr, 0, err)
		return
	}
	if slot := s.find(conn, id); slot != 0 {
		r := s.l.At(slot)
		r.Flags = r.Flags&^urgencyMask | urgency(p)
	}
}

const urgencyMask = (urgencies - 1) << urgencyShift

func urgency(p h2.Priority) uint16 { return uint16(p.Urgency) << urgencyShift }

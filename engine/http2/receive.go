package http2

import (
	"errors"

	"holdfast/codec/h2"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

// Adopt takes over a connection whose first bytes are the client's preface; they are still to be received. It reports
// false when there is no room for one more.
func (s *Sessions) Adopt(slot uint32) bool {
	r := s.l.At(slot)
	extra, ok := s.links.Alloc()
	if !ok {
		return false
	}
	s.l.SetDeadline(slot, 0)
	r.Kind, r.State, r.Flags, r.Extra = record.HTTP2, connPreface, flagUnsettled, extra
	s.Stats.Conns++
	c := s.linkOf(r)
	c.window, c.initial, c.recv = firstWindow, firstWindow, int32(s.cfg.ConnWindow)
	c.idle, c.stamp = s.l.Seconds(), s.l.Seconds()
	b := s.busyOf(c)
	b.reader = h2.Reader{}
	b.opened = s.l.Now()
	s.l.Write(slot, s.greeting)
	if s.closing {
		s.warn(slot, r)
	}
	s.rearm(slot, r)
	return true
}

// firstWindow is every window before anybody says otherwise, RFC 9113 §6.9.2.
const firstWindow = 65535

// appendGreeting is our side of the handshake, RFC 9113 §3.4, and the connection's window.
func (c *Config) appendGreeting(b []byte) []byte {
	settings := []h2.Setting{
		{ID: h2.MaxStreams, Value: uint32(c.MaxStreams)},
		{ID: h2.InitialWindow, Value: uint32(c.Window)},
		{ID: h2.MaxListSize, Value: c.Limits.List},
		{ID: h2.NoOldPriorities, Value: 1},
	}
	if c.Connect {
		settings = append(settings, h2.Setting{ID: h2.EnableConnect, Value: 1})
	}
	b = h2.AppendSettings(b, settings...)
	return h2.AppendWindow(b, 0, uint32(c.ConnWindow-firstWindow)) // at least 1, as it is over minWindow
}

// Upgrade takes over a connection whose first request asked for it by Upgrade: h2c, and begins that as stream 1; the
// client's preface is to come. Settings are the payload of its SETTINGS frame. See Adopt for false.
func (s *Sessions) Upgrade(slot uint32, settings []byte, head *exchange.Head) bool {
	if !s.Adopt(slot) {
		return false
	}
	r := s.l.At(slot)
	c := s.linkOf(r)
	if !s.applySettings(slot, r, h2.Frame{Payload: settings}) {
		return true
	}
	c.last = 1
	stream, ok := s.open(slot, r, 1)
	if !ok {
		s.Stats.Refused++
		s.writeReset(slot, c, 1, h2.RefusedStream)
		return true
	}
	s.rearm(slot, r)
	x := s.l.At(stream)
	x.Flags = flagWhole | urgency(h2.DefaultPriority)
	if string(head.Method) == "HEAD" {
		x.Flags |= flagHead
	}
	s.begin(stream, x, head, h2.Body{})
	return true
}

// Received is the loop's input: frames, of which only the last may be cut short.
func (s *Sessions) Received(slot uint32, b []byte) int {
	r := s.l.At(slot)
	used := 0
	if r.State == connPreface {
		may, whole := h2.MatchPreface(b)
		switch {
		case !may: // nobody to talk to
			s.l.Close(slot, record.ReasonProtocol)
			return len(b)
		case !whole:
			s.mark(slot, r, true)
			return 0
		}
		r.State = connOpen
		used = len(h2.Preface)
	}
	if r.State == connLinger || r.Closing {
		return len(b)
	}
	c := s.linkOf(r)
	busy := s.busyOf(c)
	busy.reading = true
	n, whole := s.readFrames(slot, r, busy, b[used:])
	busy.reading = false
	if r.Closing || r.State == connLinger {
		if r.State == connLinger {
			s.busies.drop(c)
		}
		return len(b)
	}
	s.mark(slot, r, !whole)
	s.pump(slot)
	return used + n
}

// readFrames acts on the frames in b, and says how much of it that was and whether the last one was whole.
func (s *Sessions) readFrames(slot uint32, r *record.Record, b *busy, in []byte) (used int, whole bool) {
	asked := s.Stats.Requests
	for {
		f, n, err := b.reader.Next(in[used:], &s.cfg.Limits)
		used += n
		switch {
		case err != nil:
			s.offend(slot, r, f.Stream, err)
		case f.Event == h2.More:
			return used, used == len(in) && b.reader.Resting()
		default:
			if f.Event == h2.Piece {
				b.since = s.l.Now() // as long as data comes, the stream's patience counts
			}
			s.frame(slot, r, b, &f)
		}
		if r.Closing || r.State == connLinger {
			return used, true
		}
		if s.stuffed(slot, b) {
			r.Flags |= flagStuffed
			s.l.Pause(slot)
			s.l.WantDrained(slot)
			return used, true // it is us who stop in the middle
		}
		if s.Stats.Requests-asked >= requestsPerTick && used < len(in) {
			s.yield(slot)
			return used, true
		}
	}
}

// requestsPerTick is how many one connection may make before others have their turn: thousands fit into one read.
const requestsPerTick = 128

// yield leaves the rest of a connection's input for the next tick.
func (s *Sessions) yield(slot uint32) {
	s.l.Pause(slot)
	h := s.l.Handle(slot)
	s.l.Defer(func() {
		r := s.l.At(slot)
		if s.l.Handle(slot) == h && r.State != connLinger && r.Flags&flagStuffed == 0 {
			s.l.Resume(slot)
		}
	})
}

// stuffed reports whether a client asks and asks but does not read. What waits for windows alone is no reason to stop
// reading: they are opened by what is read.
func (s *Sessions) stuffed(slot uint32, b *busy) bool {
	waiting := s.l.Queued(slot)
	if waiting >= s.cfg.OutputBytes {
		waiting += b.bytes // for the socket
	}
	return waiting > min(s.cfg.StuffedBytes, s.cfg.ConnQueueBytes) && !s.l.Press(slot)
}

// mark notes whether something that has begun is not whole, and since when.
func (s *Sessions) mark(slot uint32, r *record.Record, partial bool) {
	b := s.busyOf(s.linkOf(r))
	if partial && !b.partial {
		b.since = s.l.Now()
	}
	if b.partial != partial || partial {
		b.partial = partial
		s.rearm(slot, r)
	}
}

// offend answers what is wrong with a frame, in its scope.
func (s *Sessions) offend(conn uint32, cr *record.Record, id uint32, err error) {
	var bad *h2.Error
	if !errors.As(err, &bad) {
		s.fail(conn, cr, h2.InternalError, "")
		return
	}
	s.Stats.Malformed++
	if bad.Scope == h2.Stream && id != 0 {
		s.strike(conn, cr, id, bad.Code)
		return
	}
	if bad.Code == h2.EnhanceYourCalm {
		s.Stats.Abuse[AbuseBlock]++
	}
	s.fail(conn, cr, bad.Code, bad.Reason)
}

// fatal reports whether an error ends the connection.
func fatal(err error) bool {
	var bad *h2.Error
	return !errors.As(err, &bad) || bad.Scope == h2.Connection
}

// frame acts on one frame, or a part of one that carries data.
func (s *Sessions) frame(conn uint32, cr *record.Record, b *busy, f *h2.Frame) {
	switch f.Event {
	case h2.Data:
		s.dataBegins(conn, cr, b, f)
		return
	case h2.Piece:
		s.dataPiece(conn, cr, b, f)
		return
	case h2.Ignored:
		s.charge(conn, cr, controls, AbuseUnknown, 1)
		return
	case h2.Whole, h2.More:
	}
	switch f.Type {
	case h2.TypeHeaders:
		s.headersFrame(conn, cr, b, f)
	case h2.TypeContinuation:
		s.continuation(conn, cr, b, f)
	case h2.TypeReset:
		s.resetFrame(conn, cr, f)
	case h2.TypeSettings:
		s.settingsFrame(conn, cr, b, f)
	case h2.TypePing:
		s.pingFrame(conn, cr, f)
	case h2.TypeWindow:
		s.windowFrame(conn, cr, b, f)
	case h2.TypePriority:
		if !s.charge(conn, cr, controls, AbusePriority, 1) {
			if err := h2.CheckPriority(*f); err != nil {
				s.offend(conn, cr, f.Stream, err)
			}
		}
	case h2.TypePriorityUpdate:
		s.priorityFrame(conn, cr, f)
	case h2.TypeGoaway: // it takes no push, which is all that we could open
		s.Stats.GoawaysIn++
		s.charge(conn, cr, controls, AbuseUnknown, 1)
	case h2.TypeData, h2.TypePush:
	}
}

// headersFrame begins a header block, which is often all of it.
func (s *Sessions) headersFrame(conn uint32, cr *record.Record, b *busy, f *h2.Frame) {
	block, err := h2.HeaderBlock(*f)
	if err != nil && fatal(err) {
		s.offend(conn, cr, f.Stream, err)
		return
	}
	head := blockHead{id: f.Stream, end: f.Flags.Has(h2.EndStream), bad: err}
	if f.Flags.Has(h2.EndHeaders) {
		s.block(conn, cr, b, head, block)
		return
	}
	b.blockOf = head
	b.block = mem.Get(2 * len(block))
	b.block.B = append(b.block.B[:0], block...)
}

// continuation goes on with one; that there is one, and how long it may become, is the reader's to see.
func (s *Sessions) continuation(conn uint32, cr *record.Record, b *busy, f *h2.Frame) {
	b.block.Grow(len(f.Payload))
	b.block.B = append(b.block.B, f.Payload...)
	if !f.Flags.Has(h2.EndHeaders) {
		return
	}
	whole := b.block
	b.block = nil
	s.block(conn, cr, b, b.blockOf, whole.B)
	whole.Release()
}

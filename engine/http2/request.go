package http2

import (
	"errors"
	"time"

	"holdfast/codec/field"
	"holdfast/codec/h2"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

// hpackTable is what a client may use before it knows our SETTINGS, RFC 7541 §A.
const hpackTable = 4096

// block acts on a whole header block. It is decoded whatever becomes of it: HPACK's table must stay whole.
func (s *Sessions) block(conn uint32, cr *record.Record, b *busy, head blockHead, block []byte) {
	decoder := s.decoder
	if cr.Flags&flagUnsettled != 0 {
		if b.decoder == nil {
			b.decoder = h2.NewDecoder(hpackTable)
		}
		decoder = b.decoder
	}
	err := decoder.Decode(block, &s.fields, &s.cfg.Limits)
	if err != nil && fatal(err) {
		s.offend(conn, cr, head.id, err)
		return
	}
	// a list too long has been decoded all the same; stops short blocks of long entries
	if err != nil && s.charge(conn, cr, resets, AbuseBlock, len(block)/blockBytes) {
		return
	}
	if head.bad != nil {
		err = head.bad
	}
	c := s.linkOf(cr)
	switch slot := s.find(conn, head.id); {
	case head.id%2 == 0:
		s.fail(conn, cr, h2.ProtocolError, "a client's streams have odd numbers")
	case slot != 0:
		s.trailers(conn, cr, slot, head, err)
	case head.id <= c.last:
		s.lateHeaders(conn, cr, c, head.id)
	case cr.State == connLeaving: // it was told, RFC 9113 §6.8
		s.charge(conn, cr, controls, AbuseUnknown, 1)
	default:
		c.last = head.id
		s.newStream(conn, cr, head, err)
	}
}

// lateHeaders judges HEADERS of a stream that has ended, RFC 9113 §5.1.
func (s *Sessions) lateHeaders(conn uint32, cr *record.Record, c *link, id uint32) {
	switch s.howEnded(conn, c, id) {
	case resetOut:
		s.charge(conn, cr, controls, AbuseUnknown, 1)
	case resetIn:
		s.strike(conn, cr, id, h2.StreamClosed)
	case ended:
		s.fail(conn, cr, h2.StreamClosed, "HEADERS of a stream that has ended")
	default:
		s.fail(conn, cr, h2.ProtocolError, "a new stream's number must be the highest")
	}
}

// newStream begins a request.
func (s *Sessions) newStream(conn uint32, cr *record.Record, head blockHead, err error) {
	c := s.linkOf(cr)
	if int(c.count) >= s.cfg.MaxStreams || s.busies.at(c.busy).bytes > s.cfg.ConnQueueBytes {
		s.refuseStream(conn, cr, c, head.id)
		return
	}
	body := h2.Body{}
	if err == nil {
		err = s.request.Read(&s.fields)
	}
	if err == nil && len(s.request.Protocol) > 0 && !s.cfg.Connect {
		err = errNoConnect
	}
	if err == nil {
		body, err = h2.NewBody(s.request.ContentLength, head.end)
	}
	if err != nil {
		s.malformed(conn, cr, head, err)
		return
	}
	slot, ok := s.open(conn, cr, head.id)
	if !ok {
		s.refuseStream(conn, cr, c, head.id)
		return
	}
	r := s.l.At(slot)
	req := &s.request
	r.Flags = urgency(h2.DefaultPriority)
	if v, ok := field.Get(req.Fields, "priority"); ok {
		r.Flags = urgency(h2.ParsePriority(v))
	}
	if string(req.Method) == "HEAD" {
		r.Flags |= flagHead
	}
	s.head = exchange.Head{
		Method: req.Method, Path: req.Path, Query: req.Query, Authority: req.Authority, Protocol: req.Protocol,
		Fields: req.Fields, HasBody: !head.end, Listener: int(cr.Listener),
	}
	switch {
	case head.end:
		r.Flags |= flagWhole
	default:
		s.head.Length = req.ContentLength
		if req.Expect100 {
			r.Flags |= flagContinue
		}
	}
	if len(req.Protocol) > 0 && s.sockets != nil && !s.connects(slot, r, head.end) {
		return
	}
	s.begin(slot, r, &s.head, body)
}

var errNoConnect = &h2.Error{Code: h2.ProtocolError, Scope: h2.Stream, Reason: "extended CONNECT was not offered"}

// refuseStream: the client may try again, RFC 9113 §8.7.
func (s *Sessions) refuseStream(conn uint32, cr *record.Record, c *link, id uint32) {
	s.Stats.Refused++
	s.writeReset(conn, c, id, h2.RefusedStream)
	s.charge(conn, cr, resets, AbuseRefused, 1)
}

// malformed resets a stream that breaks the rules. One whose head is only too long is told so.
func (s *Sessions) malformed(conn uint32, cr *record.Record, head blockHead, err error) {
	var bad *h2.Error
	if !errors.As(err, &bad) || bad.Status != 431 {
		s.offend(conn, cr, head.id, err)
		return
	}
	s.Stats.Malformed++
	b := s.openHead(s.l.Compose(), cr, head.id, 431, true)
	s.l.Write(conn, h2.CloseHeaders(b, 0, h2.MinFrame))
	if head.end {
		s.remember(conn, head.id, ended)
	} else {
		s.writeReset(conn, s.linkOf(cr), head.id, h2.NoError)
	}
	s.charge(conn, cr, resets, AbuseProvoked, 1)
}

// begin shows a whole head to the gateway.
func (s *Sessions) begin(slot uint32, r *record.Record, h *exchange.Head, body h2.Body) {
	s.Stats.Requests++
	if h.HasBody {
		w := s.workOf(slot, r, s.streamOf(r))
		w.takes, w.body, w.window, w.patience = true, body, int32(s.cfg.Window), s.cfg.BodyTimeout
		s.move(r, stateBody)
		s.l.SetDeadline(slot, s.l.Now()+int64(w.patience))
	}
	gen := s.l.Handle(slot)
	s.handler.Begin(s.view(slot), h)
	switch {
	case s.l.Handle(slot) != gen || r.Closing:
	case r.State == stateWait:
		s.handler.Happened(s.view(slot), exchange.Complete)
	default:
		s.goAhead(r)
	}
}

// goAhead lets a client send the body that it holds back (RFC 9110 §10.1.1).
func (s *Sessions) goAhead(r *record.Record) {
	if r.State != stateBody || r.Flags&flagContinue == 0 {
		return
	}
	r.Flags &^= flagContinue
	b := s.beginBlock(h2.OpenHeaders(s.l.Compose(), s.streamOf(r).id, false), s.l.At(r.Owner))
	s.l.Write(r.Owner, h2.CloseHeaders(h2.AppendStatus(b, 100), 0, h2.MinFrame))
}

// trailers end a request; what they say means nothing here.
func (s *Sessions) trailers(conn uint32, cr *record.Record, slot uint32, head blockHead, err error) {
	r := s.l.At(slot)
	if r.Flags&flagWhole != 0 {
		s.strike(conn, cr, head.id, h2.StreamClosed)
		return
	}
	if err == nil {
		err = h2.CheckTrailers(&s.fields)
	}
	if err == nil && !head.end {
		err = errTrailersGoOn // RFC 9113 §8.1
	}
	if err != nil {
		s.offend(conn, cr, head.id, err)
		return
	}
	s.takeBody(conn, cr, slot, nil, true)
}

var errTrailersGoOn = &h2.Error{Code: h2.ProtocolError, Scope: h2.Stream, Reason: "trailers do not end the stream"}

// dataBegins takes a DATA frame's length from both windows, RFC 9113 §6.9.1. The connection's is given back at once: no
// stream holds up another.
func (s *Sessions) dataBegins(conn uint32, cr *record.Record, b *busy, f *h2.Frame) {
	c := s.linkOf(cr)
	c.recv -= int32(f.Length)
	if c.recv < 0 {
		s.fail(conn, cr, h2.FlowControlError, "more data than the connection's window")
		return
	}
	if used := s.cfg.ConnWindow - int(c.recv); used >= s.cfg.ConnWindow/2 {
		c.recv += int32(used)
		s.l.Write(conn, h2.AppendWindow(s.l.Compose(), 0, uint32(used)))
	}
	b.data = f.Length
	slot := s.find(conn, f.Stream)
	if slot == 0 {
		s.lateData(conn, cr, c, f.Stream)
		return
	}
	r := s.l.At(slot)
	if r.Flags&flagWhole != 0 {
		s.strike(conn, cr, f.Stream, h2.StreamClosed)
		return
	}
	if r.State == stateSocket {
		s.listen(slot, r)
	}
	if w := s.works.at(s.streamOf(r).work); w.takes {
		if w.window -= int32(f.Length); w.window < 0 {
			s.strike(conn, cr, f.Stream, h2.FlowControlError)
			return
		}
	}
	if f.Last { // no data at all
		end := f.Flags.Has(h2.EndStream)
		if !end && s.charge(conn, cr, controls, AbuseEmpty, 1) {
			return
		}
		s.padding(r, b)
		s.takeBody(conn, cr, slot, nil, end)
	}
}

// lateData judges DATA of a stream that is not open, RFC 9113 §5.1.
func (s *Sessions) lateData(conn uint32, cr *record.Record, c *link, id uint32) {
	if id > c.last || id%2 == 0 {
		s.idle(conn, cr, id)
		return
	}
	switch s.howEnded(conn, c, id) {
	case resetOut: // it was on its way
	case ended:
		s.fail(conn, cr, h2.StreamClosed, "DATA of a stream that has ended")
	case resetIn, unknown:
		s.strike(conn, cr, id, h2.StreamClosed)
	}
}

// dataPiece takes a piece of a DATA frame's data.
func (s *Sessions) dataPiece(conn uint32, cr *record.Record, b *busy, f *h2.Frame) {
	b.data -= uint32(len(f.Payload))
	slot := s.find(conn, f.Stream)
	if slot == 0 {
		return
	}
	if f.Last {
		s.padding(s.l.At(slot), b)
	}
	s.takeBody(conn, cr, slot, f.Payload, f.Last && f.Flags.Has(h2.EndStream))
}

// padding counts as used up as soon as it is known.
func (s *Sessions) padding(r *record.Record, b *busy) {
	if w := s.works.at(s.streamOf(r).work); w.takes {
		w.owed += int32(b.data)
	}
	b.data = 0
}

// takeBody gives the exchange a piece of its body, or keeps it while that is paused, and hears its end.
func (s *Sessions) takeBody(conn uint32, cr *record.Record, slot uint32, data []byte, end bool) {
	r := s.l.At(slot)
	if s.tunnels(r) {
		s.takeTunnel(slot, r, data, end)
		return
	}
	if end {
		r.Flags |= flagWhole
	}
	if r.State == stateClosing && end {
		s.over(slot, r)
		return
	}
	if r.State != stateBody {
		return // answered, or parked, already
	}
	e := s.streamOf(r)
	w := s.works.at(e.work)
	if err := w.body.Data(len(data), end); err != nil {
		s.offend(conn, cr, e.id, err)
		return
	}
	if r.Paused || w.kept != nil {
		s.keep(w, data)
		if end && w.kept == nil { // nothing would tell of it later
			s.complete(slot, r, e)
		}
		return
	}
	gen := s.l.Handle(slot)
	if len(data) > 0 {
		s.handler.Body(s.view(slot), data)
		if s.l.Handle(slot) != gen || r.Closing || r.State != stateBody {
			return
		}
	}
	w = s.works.at(e.work)
	if end {
		s.complete(slot, r, e)
		return
	}
	if !r.Paused {
		s.l.SetDeadline(slot, s.l.Now()+int64(w.patience))
	}
	s.giveBack(r, e, w, len(data))
}

// keep holds data for a paused exchange; its window bounds it.
func (s *Sessions) keep(w *work, data []byte) {
	if len(data) == 0 {
		return
	}
	if w.kept == nil {
		w.kept = mem.Get(len(data))
	}
	w.kept.Grow(len(data))
	w.kept.B = append(w.kept.B, data...)
}

// giveKept gives an exchange that was resumed what came meanwhile.
func (s *Sessions) giveKept(slot uint32, r *record.Record, w *work) {
	e := s.streamOf(r)
	kept := w.kept
	w.kept = nil
	gen := s.l.Handle(slot)
	s.handler.Body(s.view(slot), kept.B)
	n := len(kept.B)
	kept.Release()
	if s.l.Handle(slot) != gen || r.Closing || r.State != stateBody {
		return
	}
	if r.Flags&flagWhole != 0 {
		s.complete(slot, r, e)
		return
	}
	s.giveBack(r, e, w, n)
}

// giveBack opens the stream's window again by what was used up, in large steps, and not while the exchange is paused.
func (s *Sessions) giveBack(r *record.Record, e *stream, w *work, n int) {
	w.owed += int32(n)
	if r.Paused || r.Flags&flagWhole != 0 || int(w.owed) < s.cfg.Window/2 {
		return
	}
	w.window += w.owed
	s.l.Write(r.Owner, h2.AppendWindow(s.l.Compose(), e.id, uint32(w.owed)))
	w.owed = 0
}

// complete is the end of a request.
func (s *Sessions) complete(slot uint32, r *record.Record, e *stream) {
	s.stopBody(r, e)
	s.move(r, stateWait)
	s.l.SetDeadline(slot, 0)
	s.handler.Happened(s.view(slot), exchange.Complete)
}

// stopBody gives up what a body needs; what still comes of it is thrown away.
func (s *Sessions) stopBody(r *record.Record, e *stream) {
	r.Paused = false
	if e.work == 0 {
		return
	}
	w := s.works.at(e.work)
	if w.kept != nil {
		w.kept.Release()
		w.kept = nil
	}
	w.takes = false
	s.idleWork(e)
}

// Pause stops the request's body: the window is not opened further, and what is on its way is kept. The client is not to
// blame for the time that it then takes.
func (s *Sessions) Pause(slot uint32) {
	if r := s.l.At(slot); r.State == stateBody && !r.Closing {
		r.Paused = true
		s.l.SetDeadline(slot, 0)
	}
}

// Resume takes Pause back while there is body to come. What was kept comes later in this tick, or in the next.
func (s *Sessions) Resume(slot uint32) {
	r := s.l.At(slot)
	if r.State != stateBody || !r.Paused || r.Closing {
		return
	}
	r.Paused = false
	e := s.streamOf(r)
	w := s.works.at(e.work)
	s.l.SetDeadline(slot, s.l.Now()+int64(w.patience))
	if w.kept != nil {
		s.awake(e.work)
		return
	}
	s.giveBack(r, e, w, 0)
}

// Patience says how long the next piece of the body may take, from now on.
func (s *Sessions) Patience(slot uint32, d time.Duration) {
	r := s.l.At(slot)
	if r.State != stateBody || r.Closing {
		return
	}
	s.works.at(s.streamOf(r).work).patience = d
	if !r.Paused {
		s.l.SetDeadline(slot, s.l.Now()+int64(d))
	}
}

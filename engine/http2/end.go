package http2

import (
	"math"
	"time"

	"holdfast/codec/h2"
	"holdfast/engine/exchange"
	"holdfast/engine/record"
)

// lastRequests is how long a client may open further streams once the node drains: what is on its way now is heard.
const lastRequests = time.Second

// over ends a stream whose answer is queued whole. A request that has not come whole need not any more, RFC 9113 §8.1.
func (s *Sessions) over(slot uint32, r *record.Record) {
	if s.lingers(slot, r) {
		return
	}
	conn := r.Owner
	e := s.streamOf(r)
	c := s.linkOf(s.l.At(conn))
	if r.Flags&flagWhole == 0 {
		s.writeReset(conn, c, e.id, h2.NoError)
	} else {
		s.remember(conn, e.id, ended)
	}
	s.earn(c, resets, 1)
	s.earn(c, controls, controlsPerAnswer)
	s.take(slot, r, record.ReasonDone)
}

// reset ends a stream before its end.
func (s *Sessions) reset(slot uint32, r *record.Record, why record.Reason, code h2.Code) {
	if r.Closing {
		return
	}
	s.writeReset(r.Owner, s.linkOf(s.l.At(r.Owner)), s.streamOf(r).id, code)
	s.take(slot, r, why)
}

// take takes a stream out of its connection, which ends if it waited for that. The loop buries it.
func (s *Sessions) take(slot uint32, r *record.Record, why record.Reason) {
	conn := r.Owner
	s.unlink(slot, r)
	if !active(r.State) && r.State != stateSocket { // these hear it when the loop buries it
		s.move(r, stateOver)
	}
	s.l.Close(slot, why)
	cr := s.l.At(conn)
	s.shrink(conn, cr)
	if s.linkOf(cr).count > 0 {
		return
	}
	if cr.State == connLeaving {
		s.hangUp(conn, cr, record.ReasonDone)
		return
	}
	s.rearm(conn, cr)
}

func (s *Sessions) writeReset(conn uint32, c *link, id uint32, code h2.Code) {
	s.Stats.ResetsOut++
	c.quiet = max(c.quiet, id)
	s.remember(conn, id, resetOut)
	s.l.Write(conn, h2.AppendReset(s.l.Compose(), id, code))
}

// finish ends an exchange whose answer is queued whole; its stream lives on until that is sent.
func (s *Sessions) finish(slot uint32, r *record.Record) {
	if r.Closing {
		return // its end was not whole, and is told when the loop buries it
	}
	e := s.streamOf(r)
	s.stopBody(r, e)
	s.l.SetDeadline(slot, 0)
	s.move(r, stateFlush)
	s.handler.Ended(s.view(slot), record.ReasonDone)
	s.l.Turn(slot)
	if w := s.works.at(e.work); !r.Closing && w.bytes == 0 {
		w.fin = false
		s.over(slot, r)
	}
}

// refuse answers an exchange whose request will not come whole, if it has no answer yet.
func (s *Sessions) refuse(slot uint32, r *record.Record, why record.Reason, status int, text string) {
	if r.Flags&flagOpen != 0 {
		s.reset(slot, r, why, h2.Cancel)
		return
	}
	e := s.streamOf(r)
	s.stopBody(r, e)
	s.move(r, stateFlush)
	s.l.SetDeadline(slot, 0)
	s.handler.Ended(s.view(slot), why)
	s.l.Turn(slot)
	if r.Closing {
		return
	}
	body := append([]byte(`{"error":"`), text...)
	body = append(body, "\"}\n"...)
	s.answer(slot, r, &exchange.Response{Status: status, Type: "application/json", Body: body})
	if s.works.at(e.work).bytes == 0 {
		s.over(slot, r)
	}
}

// strike answers what is wrong with one stream: that ends, and the connection goes on.
func (s *Sessions) strike(conn uint32, cr *record.Record, id uint32, code h2.Code) {
	c := s.linkOf(cr)
	if id > c.last { // there is no stream to reset yet
		s.fail(conn, cr, code, "broken frame of an idle stream")
		return
	}
	if slot := s.find(conn, id); slot != 0 {
		s.reset(slot, s.l.At(slot), record.ReasonProtocol, code)
	} else {
		s.writeReset(conn, c, id, code)
	}
	s.charge(conn, cr, resets, AbuseProvoked, 1)
}

// goaway says that no stream above last was or will be heard.
func (s *Sessions) goaway(conn uint32, last uint32, code h2.Code, text string) {
	if int(code) < len(s.Stats.Goaways) {
		s.Stats.Goaways[code]++
	}
	s.l.Write(conn, h2.AppendGoaway(s.l.Compose(), last, code, text))
}

// fail ends a connection whose client broke the protocol, RFC 9113 §5.4.1.
func (s *Sessions) fail(conn uint32, cr *record.Record, code h2.Code, text string) {
	if cr.State == connLinger || cr.Closing {
		return
	}
	s.goaway(conn, s.linkOf(cr).last, code, text)
	cr.Flags |= flagFailed
	why := record.ReasonProtocol
	if code == h2.NoError || code == h2.SettingsTimeout {
		why = record.ReasonTimeout
	}
	s.hangUp(conn, cr, why)
	if code == h2.EnhanceYourCalm { // whoever floods is not even read until it is closed
		s.l.Pause(conn)
		s.l.SetDeadline(conn, s.l.Now()+int64(s.cfg.LingerTimeout))
	}
}

func (s *Sessions) reason(cr *record.Record) record.Reason {
	if cr.Flags&flagFailed != 0 {
		return record.ReasonProtocol
	}
	return record.ReasonDone
}

// hangUp ends all streams, and the connection once everything queued for it is sent.
func (s *Sessions) hangUp(conn uint32, cr *record.Record, why record.Reason) {
	if cr.State == connLinger {
		return
	}
	cr.State = connLinger
	s.endStreams(cr, why)
	c := s.linkOf(cr)
	if c.busy != 0 && !s.busies.at(c.busy).reading {
		s.busies.drop(c)
	}
	s.l.SetDeadline(conn, s.l.Now()+int64(s.cfg.LingerTimeout))
	s.l.Resume(conn)
	s.l.CloseAfterWrite(conn)
}

// Drain asks the clients of all connections to open streams elsewhere, and ends each connection with its last stream.
func (s *Sessions) Drain() {
	s.closing = true
	s.l.Each(0, math.MaxInt, func(slot uint32, r *record.Record) {
		if r.Kind == record.HTTP2 {
			s.warn(slot, r)
		}
	})
}

// warn is the first of the two steps of RFC 9113 §6.8: streams that are on their way are still heard.
func (s *Sessions) warn(conn uint32, cr *record.Record) {
	if cr.State > connOpen || cr.Flags&flagWarned != 0 {
		return
	}
	cr.Flags |= flagWarned
	s.busyOf(s.linkOf(cr)).warned = s.l.Now()
	s.goaway(conn, h2.MaxWindow, h2.NoError, "")
	s.l.Write(conn, h2.AppendPing(s.l.Compose(), drainPing))
	s.rearm(conn, cr)
}

// drainPing marks the PING whose answer says that the client has seen the first GOAWAY.
var drainPing = [8]byte{'d', 'r', 'a', 'i', 'n'}

// lastWord is the second step: no further stream is heard.
func (s *Sessions) lastWord(conn uint32, cr *record.Record) {
	if cr.Flags&flagWarned == 0 || cr.State > connOpen {
		return
	}
	c := s.linkOf(cr)
	cr.State = connLeaving
	cr.Flags &^= flagWarned
	s.goaway(conn, c.last, h2.NoError, "")
	if c.count == 0 {
		s.hangUp(conn, cr, record.ReasonDone)
		return
	}
	s.rearm(conn, cr)
}

func (s *Sessions) idleFor(c *link) time.Duration {
	return time.Duration(s.l.Seconds()-c.idle) * time.Second
}

// rearm sets the connection's deadline to the earliest of what it waits for; expired then sees which it was.
func (s *Sessions) rearm(conn uint32, cr *record.Record) {
	if cr.State == connLinger || cr.Closing {
		return
	}
	c := s.linkOf(cr)
	b := s.busies.at(c.busy)
	now := s.l.Now()
	at := int64(math.MaxInt64)
	if c.count == 0 {
		at = now + max(int64(s.cfg.IdleTimeout-s.idleFor(c)), int64(time.Second))
	}
	if owesAck(cr) {
		at = min(at, b.opened+int64(s.cfg.SettingsTimeout))
	}
	if b.partial {
		at = min(at, b.since+int64(s.cfg.HeadTimeout))
	}
	if cr.Flags&flagWarned != 0 && cr.State <= connOpen {
		at = min(at, b.warned+int64(lastRequests))
	}
	if b.bytes > 0 {
		at = min(at, now+int64(sweepEvery))
	}
	if at == math.MaxInt64 {
		at = 0
	}
	s.l.SetDeadline(conn, at)
}

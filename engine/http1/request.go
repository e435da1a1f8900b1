package http1

import (
	"errors"

	"holdfast/codec/h1"
	"holdfast/engine/exchange"
	"holdfast/engine/record"
)

// Received is the loop's input. Requests that are answered at once are taken one after the other, in order
// (RFC 9112 §9.3.2); the first that is not makes the rest wait.
func (s *Sessions) Received(slot uint32, b []byte) int {
	used := 0
	for used < len(b) {
		r := s.l.At(slot)
		if r.Closing {
			return len(b)
		}
		if r.Kind != record.HTTP1 {
			return used
		}
		n := 0
		switch r.State {
		case stateIdle, stateHead:
			n = s.readHead(slot, r, b[used:])
		case stateBody, stateDiscard:
			if r.Paused {
				return used
			}
			n = s.readBody(slot, r, b[used:])
		case stateLinger:
			return len(b)
		default:
			if r.Flags&flagHungUp != 0 && parked(r.State) { // it had left before it was parked
				s.leave(slot, r)
				return len(b)
			}
			if parked(r.State) && !r.Paused {
				s.l.Pause(slot)
			}
			return used + s.behind(r, len(b)-used)
		}
		if n == 0 {
			return used
		}
		used += n
	}
	return used
}

// behind bounds what is kept behind a hold, which may last for days. A client that pipelines more than that asks again
// on another connection, as it must be ready to (RFC 9112 §9.3.2). Behind an answer that is due any moment all is kept
// that one read had brought.
func (s *Sessions) behind(r *record.Record, n int) (used int) {
	if n <= s.cfg.PipelineBytes || r.State == stateWait {
		return 0
	}
	s.Stats.Pipelined++
	r.Flags &^= flagKeep
	return n
}

// readHead parses one request's head and begins its exchange. It returns 0 when the head is not whole.
func (s *Sessions) readHead(slot uint32, r *record.Record, b []byte) int {
	if r.State == stateIdle && s.l.Queued(slot) > s.cfg.OutputBytes {
		s.l.Pause(slot) // a client that asks and asks but does not read
		s.l.WantDrained(slot)
		return 0
	}
	if r.State == stateIdle && s.preface(slot, r, b) {
		return 0
	}
	req := s.request
	if r.State == stateHead {
		req = s.extras.at(r.Extra).head
	} else {
		req.Reset()
	}
	n, done, err := req.Parse(b, &s.cfg.Limits)
	switch {
	case err != nil:
		s.Stats.BadHeads++
		if r.Flags&flagUsed == 0 && otherProtocol(b) {
			s.l.Close(slot, record.ReasonProtocol)
			return len(b)
		}
		s.refuseHead(slot, r, err)
		return len(b)
	case !done:
		s.suspendHead(slot, r, req)
		return 0
	}
	s.begin(slot, r, req)
	return n
}

// suspendHead keeps the parser's progress until more of the head comes.
func (s *Sessions) suspendHead(slot uint32, r *record.Record, req *h1.Request) {
	if r.State == stateIdle {
		s.move(r, stateHead)
		if r.Flags&flagUsed != 0 {
			s.l.SetDeadline(slot, s.l.Now()+int64(s.cfg.HeadTimeout))
		}
	}
	if req == s.request { // it goes with the connection until the head is whole
		s.extraOf(r).head = req
		s.request = s.extras.parser()
	}
}

// begin shows a whole head to the gateway.
func (s *Sessions) begin(slot uint32, r *record.Record, req *h1.Request) {
	s.Stats.Requests++
	r.Flags &^= exchangeFlags
	if req.KeepAlive {
		r.Flags |= flagKeep
	}
	if req.Minor == 0 {
		r.Flags |= flagOld
	}
	if string(req.Method) == "HEAD" {
		r.Flags |= flagHead
	}
	hasBody := req.Framing != h1.None && (req.Framing != h1.Length || req.Length > 0)
	socket, err := s.shakeHands(r, req, hasBody)
	if err != nil {
		s.refuseHandshake(slot, r, err)
		return
	}
	s.head = exchange.Head{
		Method: req.Method, Path: req.Path, Query: req.Query, Authority: req.Authority,
		Fields: req.Fields, HasBody: hasBody, Listener: int(r.Listener),
	}
	if socket {
		s.head.Protocol = protocolWebSocket
	} else if s.upgradeH2C(slot, r, req) {
		return
	}
	if !hasBody {
		s.move(r, stateWait)
		s.l.SetDeadline(slot, 0)
	} else {
		s.beginBody(slot, r, req)
	}
	gen := s.l.Handle(slot)
	s.handler.Begin(s.view(slot), &s.head)
	if r.Kind != record.HTTP1 {
		return
	}
	if r.Extra != 0 {
		s.extras.recycle(s.extras.at(r.Extra)) // a body may be long in coming
	}
	if s.l.Handle(slot) != gen || r.Closing {
		return
	}
	if !hasBody && !socket {
		s.dropExtra(r)
	}
	if !hasBody && r.State == stateWait {
		s.handler.Happened(s.view(slot), exchange.Complete)
		if s.l.Handle(slot) == gen && r.State == stateWait {
			s.l.Pause(slot)
		}
		return
	}
	s.goAhead(slot, r)
}

// goAhead lets a client send the body that it holds back (RFC 9110 §10.1.1).
func (s *Sessions) goAhead(slot uint32, r *record.Record) {
	if r.State == stateBody && r.Flags&flagContinue != 0 {
		r.Flags &^= flagContinue
		s.l.Write(slot, []byte("HTTP/1.1 100 Continue\r\n\r\n"))
	}
}

func (s *Sessions) beginBody(slot uint32, r *record.Record, req *h1.Request) {
	s.head.Length = -1
	if req.Framing == h1.Length {
		s.head.Length = req.Length
	}
	if req.Expect100 {
		r.Flags |= flagContinue
	}
	r.Flags |= record.FlagBulk
	x := s.extraOf(r)
	x.body.Start(req.Framing, req.Length)
	x.patience = s.cfg.BodyTimeout
	s.move(r, stateBody)
	s.l.SetDeadline(slot, s.l.Now()+int64(x.patience))
}

// readBody decodes what there is of a body. It returns 0 when a piece of framing is not whole.
func (s *Sessions) readBody(slot uint32, r *record.Record, b []byte) int {
	used := 0
	gen := s.l.Handle(slot)
	for {
		x := s.extras.at(r.Extra)
		event, data, n, err := x.body.Next(b[used:], &s.cfg.Limits)
		used += n
		if err != nil {
			s.Stats.BadHeads++
			s.refuseHead(slot, r, err)
			return len(b)
		}
		switch event {
		case h1.NeedMore:
			if !r.Paused && r.State == stateBody {
				s.l.SetDeadline(slot, s.l.Now()+int64(x.patience))
			}
			return used
		case h1.Data:
			if r.State == stateBody {
				s.handler.Body(s.view(slot), data)
			}
		case h1.End:
			s.endBody(slot, r)
			return used
		case h1.TrailerField: // means nothing here
		}
		switch {
		case s.l.Handle(slot) != gen || r.Closing || r.State != stateBody && r.State != stateDiscard:
			return used
		case r.Paused && !s.extras.at(r.Extra).body.Ended(): // nothing would tell of an end without further bytes
			return used
		}
	}
}

// endBody is the end of a request.
func (s *Sessions) endBody(slot uint32, r *record.Record) {
	s.dropExtra(r)
	r.Flags &^= record.FlagBulk
	if r.State == stateDiscard {
		if s.closing {
			s.last(slot, r)
			return
		}
		s.move(r, stateIdle)
		s.l.SetDeadline(slot, s.l.Now()+int64(s.cfg.KeepAliveTimeout))
		return
	}
	s.move(r, stateWait)
	s.l.SetDeadline(slot, 0)
	gen := s.l.Handle(slot)
	s.handler.Happened(s.view(slot), exchange.Complete)
	if s.l.Handle(slot) == gen && r.State == stateWait {
		s.l.Pause(slot)
	}
}

// refuseHead answers what the parser refused.
func (s *Sessions) refuseHead(slot uint32, r *record.Record, err error) {
	var bad *h1.Error
	if errors.As(err, &bad) {
		s.refuse(slot, r, record.ReasonProtocol, bad.Status, bad.Reason)
		return
	}
	s.refuse(slot, r, record.ReasonProtocol, 400, "the request is malformed")
}

// refuse answers a request that will not be heard, if it has no answer yet, and ends the connection: where it would go
// on is not known.
func (s *Sessions) refuse(slot uint32, r *record.Record, why record.Reason, status int, text string) {
	flags := r.Flags
	if half(r) {
		s.l.Close(slot, why)
		return
	}
	answered := r.State == stateDiscard || flags&flagOpen != 0
	s.abandon(slot, r, why)
	r.Flags &^= exchangeFlags
	if !answered {
		s.writeError(slot, flags, status, text)
	}
	s.last(slot, r)
}

// half reports whether an answer has begun that a client would take for whole if the connection ended in good order. A
// chunked one tells by its last chunk (RFC 9112 §8).
func half(r *record.Record) bool {
	return active(r.State) && r.Flags&(flagOpen|flagChunked) == flagOpen
}

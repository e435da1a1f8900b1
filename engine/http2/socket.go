package http2

import (
	"errors"
	"time"

	"holdfast/codec/field"
	"holdfast/codec/h2"
	"holdfast/codec/ws"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/websocket"
)

// sockets carries WebSockets over streams, RFC 8441. State is Record.Wrote and Record.Flags, whose top bits stay ours.
// Input is given back to the client's window in the flush of the tick in which it was used up, so that one that is silent
// costs its record and entry only.
type sockets struct{ *Sessions }

var protocolWebSocket = []byte("websocket")

// Sockets makes extended CONNECT, if Config.Connect offers it, open WebSockets that do what all of the loop's do. Before
// the loop runs only.
func (s *Sessions) Sockets(all *websocket.Sessions) { s.sockets = all.Over(sockets{s}) }

// connects takes an extended CONNECT for what it asks for. It reports false when it has refused it, before any key is
// joined.
func (s *Sessions) connects(slot uint32, r *record.Record, ended bool) bool {
	resp, reason := exchange.Response{Status: 400}, ""
	extensions, err := ws.NegotiateDeflate(s.head.Fields)
	if err == nil {
		err = ws.CheckConnect(s.head.Fields)
	}
	var bad *ws.HandshakeError
	switch {
	case !field.EqualFold(s.head.Protocol, "websocket"):
		resp.Status, reason = 501, "the only protocol here is websocket"
	case errors.As(err, &bad):
		reason = bad.Reason
		resp.Fields = versionFields
	case ended:
		reason = "a WebSocket needs a stream that goes on"
	default:
		r.Flags &^= flagContinue
		s.head.Protocol, s.head.HasBody, s.head.Length = protocolWebSocket, false, 0
		s.listen(slot, r).extensions = extensions
		return true
	}
	resp.Type = "application/json"
	resp.Body = append([]byte(`{"error":"`), reason...)
	resp.Body = append(resp.Body, "\"}\n"...)
	s.Stats.Requests++
	s.move(r, stateFlush)
	s.answer(slot, r, &resp)
	if s.works.at(s.streamOf(r).work).bytes == 0 {
		s.over(slot, r)
	}
	return false
}

// versionFields say what would be understood, RFC 6455 §4.4. There is no 426 in HTTP/2, as its Upgrade field is none.
var versionFields = []field.Field{{Name: []byte("sec-websocket-version"), Value: []byte(ws.Version)}}

// listen readies a stream for input that is not a body.
func (s *Sessions) listen(slot uint32, r *record.Record) *work {
	w := s.workOf(slot, r, s.streamOf(r))
	if !w.takes {
		w.takes, w.window, w.owed = true, int32(s.cfg.Window), 0
	}
	return w
}

// tunnels reports whether a stream is a WebSocket, or will be when it is answered.
func (s *Sessions) tunnels(r *record.Record) bool {
	return r.State == stateSocket || r.State == stateWait && s.works.at(s.streamOf(r).work).takes
}

// becomeSocket answers a handshake: "a 2xx status code" and no more than was negotiated (RFC 8441 §5).
func (s *Sessions) becomeSocket(slot uint32, r *record.Record, resp *exchange.Response, after time.Duration) {
	e := s.streamOf(r)
	w := s.works.at(e.work)
	extensions := w.extensions
	w.extensions = ""
	r.Form = uint8(exchange.WebSocket)
	s.move(r, stateSocket)
	if !s.sockets.Begin(slot, extensions != "", after) {
		extensions = ""
	}
	resp.Status, resp.Type = 200, ""
	b := appendFields(s.openHead(s.l.Compose(), s.l.At(r.Owner), e.id, resp.Status, false), resp)
	b = appendIf(b, "sec-websocket-protocol", resp.Subprotocol)
	if extensions != "" {
		b = h2.AppendField(b, "sec-websocket-extensions", extensions)
	}
	s.l.Write(r.Owner, h2.CloseHeaders(b, 0, h2.MinFrame))
	s.awake(e.work) // with what has come already
	s.shrink(r.Owner, s.l.At(r.Owner))
}

// takeTunnel gives a WebSocket a piece of its input. The end of that is the end of a connection: "The orderly TCP-level
// closures are represented as END_STREAM flags" (RFC 8441 §5).
func (s *Sessions) takeTunnel(slot uint32, r *record.Record, data []byte, end bool) {
	if end {
		r.Flags |= flagWhole
	}
	if r.State == stateWait {
		if end {
			s.reset(slot, r, record.ReasonGone, h2.Cancel)
			return
		}
		w := s.works.at(s.streamOf(r).work)
		w.owed += int32(len(data))
		s.keep(w, data)
		return
	}
	w := s.listen(slot, r)
	w.owed += int32(len(data))
	s.awake(s.streamOf(r).work)
	if w.kept != nil {
		s.keep(w, data) // behind it
		data = nil
	}
	if end && w.kept != nil {
		s.takeKept(slot, w)
	}
	s.sockets.Take(slot, data)
	if end && r.State == stateSocket && !r.Closing {
		s.sockets.Gone(slot)
	}
}

// takeKept gives a WebSocket what came before its answer.
func (s *Sessions) takeKept(slot uint32, w *work) {
	kept := w.kept
	w.kept = nil
	s.sockets.Take(slot, kept.B)
	kept.Release()
}

// openTunnel gives back what a WebSocket has used up of its client's window.
func (s *Sessions) openTunnel(slot uint32, r *record.Record, w *work) {
	e := s.streamOf(r)
	if w.kept != nil {
		s.takeKept(slot, w)
		if r.State != stateSocket || r.Closing {
			return
		}
	}
	if r.Paused {
		return
	}
	if w.owed > 0 {
		s.l.Write(r.Owner, h2.AppendWindow(s.l.Compose(), e.id, uint32(w.owed)))
		w.window += w.owed
		w.owed = 0
	}
	w.takes = w.takes && int(w.window) < s.cfg.Window // the rest of a frame is still to come
	s.idleWork(e)
}

// State is kept where it costs nothing.
func (c sockets) State(slot uint32) websocket.State {
	r := c.l.At(slot)
	return websocket.State{Extra: r.Wrote, Bits: r.Flags}
}

// Keep is the opposite of State.
func (c sockets) Keep(slot uint32, st websocket.State) {
	r := c.l.At(slot)
	r.Wrote, r.Flags = st.Extra, st.Bits
}

// View is that of every stream.
func (c sockets) View(slot uint32) exchange.Exchange { return c.view(slot) }

// Write sends a frame, or queues it, in DATA of its own. It may stand in the loop's scratch.
func (c sockets) Write(slot uint32, b []byte) {
	r := c.l.At(slot)
	conn := r.Owner
	if r.Closing || c.l.At(conn).Closing {
		return
	}
	e, link := c.streamOf(r), c.linkOf(c.l.At(conn))
	if c.clear(conn, link, e, len(b)) {
		c.l.Write(conn, h2.AppendDataHeader(c.frameHead[:0], e.id, len(b), false))
		c.l.Write(conn, b)
		link.spend(e, len(b))
		return
	}
	buf := mem.Get(len(b))
	buf.B = append(buf.B[:0], b...)
	c.enqueue(slot, r, chunk{buf: buf, end: len(b), stays: true}, false)
}

// Push sends a message's frame, or queues it.
func (c sockets) Push(slot uint32, p *mem.Payload, f *mem.Frame, ticket uint32) record.Fate {
	r := c.l.At(slot)
	if r.Closing || c.l.At(r.Owner).Closing {
		return record.DroppedGone
	}
	return c.sendMessage(slot, r, p, f, 0, ticket, false)
}

// Queued is what waits for the client's windows, and for its socket.
func (c sockets) Queued(slot uint32) int {
	return c.Sessions.Queued(slot) + c.l.Queued(c.l.At(slot).Owner)
}

// WantDrained asks to hear when there is none.
func (c sockets) WantDrained(slot uint32) {
	if r := c.l.At(slot); !r.Closing {
		c.wantDrained(slot, r)
	}
}

// Pause keeps the client's window shut.
func (c sockets) Pause(slot uint32) { c.l.At(slot).Paused = true }

// Resume opens it again, in the flush.
func (c sockets) Resume(slot uint32) {
	r := c.l.At(slot)
	if r.Paused = false; c.streamOf(r).work != 0 && !r.Closing {
		c.awake(c.streamOf(r).work)
	}
}

// End ends our side behind what is queued, and the stream once the client has ended its own: a reset before that might
// overtake our close frame.
func (c sockets) End(slot uint32, why record.Reason) {
	r := c.l.At(slot)
	if r.Closing {
		return
	}
	r.Flags = r.Flags&websocket.OwnBits | flagTunnel
	c.stopBody(r, c.streamOf(r))
	c.l.SetDeadline(slot, 0)
	c.move(r, stateFlush)
	c.sendBytes(slot, r, nil, true)
	if c.works.at(c.streamOf(r).work).bytes == 0 {
		c.over(slot, r)
	}
}

// Abort resets the stream: "RST exceptions are represented with the RST_STREAM frame with a CANCEL error code"
// (RFC 8441 §5).
func (c sockets) Abort(slot uint32, why record.Reason) { c.reset(slot, c.l.At(slot), why, h2.Cancel) }

// lingers reports whether a stream whose side we have ended waits for its client to do so, for a while.
func (s *Sessions) lingers(slot uint32, r *record.Record) bool {
	if r.Flags&(flagTunnel|flagWhole) != flagTunnel || r.State == stateClosing {
		return false
	}
	s.move(r, stateClosing)
	s.idleWork(s.streamOf(r))
	s.l.SetDeadline(slot, s.l.Now()+int64(s.cfg.LingerTimeout))
	return true
}

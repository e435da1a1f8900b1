package http2

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/codec/field"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/registry"
)

// script is a gateway that does what a request's path says, and fails the test when it is told of exchanges in an order
// that was not promised.
//
//	/ok              200 "ok" when the request is whole
//	/now             200 "now" at once, before the body
//	/stop            413 at the body's first piece
//	/big/N           200 and N bytes at once
//	/later           what answer says
//	/status/NNN      that status at once, with a body
//	/stream          a streamed answer of the body's bytes when it is whole, opened before it
//	/slow            pauses the body at each piece, until resume; then as /say
//	/hold/FORM       parked; with ?beat, with a heartbeat after 50 s
//	anything else    200 and what the request was, as /say
type script struct {
	*rig
	talks    map[uint32]*talk // live exchanges, by slot
	begun    int
	why      []record.Reason // of those that ended, in order
	fates    map[uint32]record.Fate
	ticket   uint32
	sent     map[string][]string // the messages taken for the holds of each query, in order
	drains   int
	messages []string // of WebSockets
}

// talk is one exchange as the script knows it.
type talk struct {
	handle   registry.Handle
	path     string
	query    string
	line     string
	protocol string
	body     []byte
	complete bool
	paused   bool
	timeouts int
	late     bool // parked by park
}

func newScript(r *rig) *script {
	return &script{rig: r, talks: map[uint32]*talk{}, fates: map[uint32]record.Fate{}, sent: map[string][]string{}}
}

var forms = map[string]exchange.Form{
	"poll": exchange.Poll, "sse": exchange.SSE, "ndjson": exchange.NDJSON, "mixed": exchange.Mixed,
	"replace": exchange.Replace, "raw": exchange.Raw, "websocket": exchange.WebSocket,
}

// held reports whether a request to this path is parked.
func held(path string) bool {
	form, ok := strings.CutPrefix(path, "/hold/")
	return ok && forms[form] != exchange.NoForm
}

const heartbeat = 50 * time.Second

func text(status int, body string) *exchange.Response {
	return &exchange.Response{Status: status, Type: "text/plain", Body: []byte(body)}
}

func (s *script) Begin(x exchange.Exchange, h *exchange.Head) {
	if s.talks[x.Slot] != nil {
		s.Fatalf("an exchange begins on slot %d before %s has ended", x.Slot, s.talks[x.Slot].path)
	}
	s.begun++
	t := &talk{handle: s.l.Handle(x.Slot), path: string(h.Path), query: string(h.Query), protocol: string(h.Protocol)}
	t.line = fmt.Sprintf("%s %s?%s of %s length %d", h.Method, h.Path, h.Query, h.Authority, h.Length)
	s.talks[x.Slot] = t
	kind, arg, _ := strings.Cut(strings.TrimPrefix(t.path, "/"), "/")
	switch kind {
	case "now":
		x.Respond(text(200, "now"))
	case "big":
		n, _ := strconv.Atoi(arg)
		x.Respond(text(200, strings.Repeat("x", n)))
	case "status":
		status, _ := strconv.Atoi(arg)
		x.Respond(text(status, "body"))
	case "stream":
		x.Open(&exchange.Response{Status: 200, Type: "text/plain"})
	case "hold":
		if forms[arg] == exchange.NoForm {
			return // answered as /say
		}
		after := time.Duration(0)
		if string(h.Query) == "beat" {
			after = heartbeat
		}
		if string(h.Query) == "late" {
			t.late = true
			return
		}
		key := field.Field{Name: []byte("Push-Key"), Value: []byte("k")}
		x.Hold(forms[arg], &exchange.Response{Status: 200, Fields: []field.Field{key}}, after)
	}
}

// alive finds the exchange of an event, which must not have ended.
func (s *script) alive(x exchange.Exchange, what string) *talk {
	t := s.talks[x.Slot]
	if t == nil || t.handle != s.l.Handle(x.Slot) {
		s.Fatalf("%s for an exchange that has ended or never began", what)
	}
	return t
}

func (s *script) Body(x exchange.Exchange, b []byte) {
	t := s.alive(x, "Body")
	if t.complete || t.paused || len(b) == 0 {
		s.Errorf("%s: %d bytes of body, complete %v, paused %v", t.path, len(b), t.complete, t.paused)
	}
	t.body = append(t.body, b...)
	switch t.path {
	case "/stop":
		x.Respond(text(413, "stop"))
	case "/slow":
		t.paused = true
		x.Pause()
	}
}

func (s *script) Happened(x exchange.Exchange, e exchange.Event) {
	t := s.alive(x, "Happened")
	switch e {
	case exchange.TimedOut:
		t.timeouts++
		if t.path == "/hold/poll" {
			x.Respond(&exchange.Response{Status: 204})
			return
		}
		x.Beat(heartbeat)
	case exchange.Complete:
		if t.complete {
			s.Errorf("%s is complete twice", t.path)
		}
		t.complete = true
		s.answerTo(x, t)
	case exchange.Drained:
		s.drains++
	}
}

// answerTo ends what waits for nothing but a whole request.
func (s *script) answerTo(x exchange.Exchange, t *talk) {
	switch {
	case t.path == "/ok":
		x.Respond(text(200, "ok"))
	case t.path == "/stream":
		x.Write(t.body)
		x.End()
	case t.path == "/later", held(t.path):
	default:
		x.Respond(text(200, t.line+": "+string(t.body)))
	}
}

// Message is a WebSocket's. It is noted, and sent back if the query asks for it.
func (s *script) Message(x exchange.Exchange, text bool, data []byte) {
	t := s.alive(x, "Message")
	s.messages = append(s.messages, string(data))
	switch t.query {
	case "echo":
		x.Write(data)
	case "bye":
		x.Goaway()
	}
}

func (s *script) Ended(x exchange.Exchange, why record.Reason) {
	s.alive(x, "Ended")
	delete(s.talks, x.Slot)
	s.why = append(s.why, why)
}

// answer ends every /later.
func (s *script) answer() {
	for slot, t := range s.talks {
		if t.path == "/later" {
			exchange.Exchange{Slot: slot, Session: s.s}.Respond(text(200, "later"))
		}
	}
}

// park holds every WebSocket that is late.
func (s *script) park() {
	for slot, t := range s.talks {
		if t.late {
			t.late = false
			exchange.Exchange{Slot: slot, Session: s.s}.Hold(exchange.WebSocket, &exchange.Response{Subprotocol: []byte("chat")}, heartbeat)
		}
	}
}

// resume lets the bodies of every /slow come.
func (s *script) resume() {
	for slot, t := range s.talks {
		if t.paused {
			t.paused = false
			exchange.Exchange{Slot: slot, Session: s.s}.Resume()
		}
	}
}

// goaway ends every hold.
func (s *script) goaway() {
	for slot, t := range s.talks {
		if held(t.path) {
			exchange.Exchange{Slot: slot, Session: s.s}.Goaway()
		}
	}
}

// deliver gives a message to one exchange and notes its fate if that is known already.
func (s *script) deliver(x exchange.Exchange, p *mem.Payload) (ticket uint32) {
	s.ticket++
	t := s.talks[x.Slot]
	s.fates[s.ticket] = record.Staged
	fate := x.Deliver(p, s.ticket)
	if s.fates[s.ticket] != record.Staged {
		s.Errorf("message %d is told %v inside Deliver", s.ticket, s.fates[s.ticket])
	}
	s.fates[s.ticket] = fate
	if fate == record.Staged {
		s.sent[t.query] = append(s.sent[t.query], string(p.Data))
	}
	return s.ticket
}

// Work is the loop's tenant having nothing to do.
func (s *script) Work(int64) time.Duration { return -1 }

// Settled hears the fate of a message, once.
func (s *script) Settled(ticket uint32, f record.Fate) {
	if s.fates[ticket] != record.Staged {
		s.Errorf("message %d is %v, then %v", ticket, s.fates[ticket], f)
	}
	s.fates[ticket] = f
}

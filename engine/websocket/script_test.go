package websocket

import (
	"fmt"
	"strings"
	"time"

	"holdfast/codec/field"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/registry"
)

// script is a gateway that holds every request as a WebSocket, and fails the test when it is told of exchanges in an
// order that was not promised.
//
//	/late    parked when answer is called
//	/echo    parked; messages are sent back
//	/bye     parked; the first message is answered by Goaway
//	else     parked
type script struct {
	*rig
	talks    map[uint32]*talk
	begun    int
	why      []record.Reason
	asked    int // reasons that were looked at
	messages []string
	timeouts int
	drained  int
	ticket   uint32
	fates    map[uint32]record.Fate
}

type talk struct {
	handle registry.Handle
	path   string
	parked bool
}

func (s *script) Begin(x exchange.Exchange, h *exchange.Head) {
	if s.talks[x.Slot] != nil {
		s.Fatalf("an exchange begins on slot %d before the last one has ended", x.Slot)
	}
	if string(h.Protocol) != "websocket" {
		x.Respond(&exchange.Response{Status: 200, Type: "text/plain", Body: []byte("plain")})
		return
	}
	s.begun++
	t := &talk{handle: s.l.Handle(x.Slot), path: string(h.Path)}
	s.talks[x.Slot] = t
	if t.path != "/late" {
		s.park(x, t, h.Query)
	}
}

// park holds the exchange; the query names a subprotocol.
func (s *script) park(x exchange.Exchange, t *talk, subprotocol []byte) {
	t.parked = true
	key := field.Field{Name: []byte("Push-Key"), Value: []byte("k")}
	x.Hold(exchange.WebSocket, &exchange.Response{Status: 200, Fields: []field.Field{key}, Subprotocol: subprotocol}, heartbeat)
}

// answer parks every /late.
func (s *script) answer() {
	for slot, t := range s.talks {
		if !t.parked {
			s.park(exchange.Exchange{Slot: slot, Session: s.h1}, t, nil)
		}
	}
}

func (s *script) alive(x exchange.Exchange, what string) *talk {
	t := s.talks[x.Slot]
	if t == nil || t.handle != s.l.Handle(x.Slot) {
		s.Fatalf("%s for an exchange that has ended or never began", what)
	}
	return t
}

func (s *script) Body(exchange.Exchange, []byte) { s.Errorf("a body") }

func (s *script) Happened(x exchange.Exchange, e exchange.Event) {
	if e == exchange.Complete {
		return
	}
	s.alive(x, "Happened")
	if e == exchange.Drained {
		s.drained++
		return
	}
	s.timeouts++
	x.Beat(heartbeat)
}

func (s *script) Message(x exchange.Exchange, text bool, data []byte) {
	t := s.alive(x, "Message")
	said := "binary "
	if text {
		said = "text "
	}
	s.messages = append(s.messages, said+string(data))
	switch t.path {
	case "/echo":
		kind := "application/octet-stream"
		if text {
			kind = "text/plain"
		}
		p := payload(kind, string(data))
		x.Deliver(p, 0)
		p.Release()
	case "/bye":
		x.Goaway()
	}
}

func (s *script) Ended(x exchange.Exchange, why record.Reason) {
	if s.talks[x.Slot] == nil {
		return // of a plain request
	}
	s.alive(x, "Ended")
	delete(s.talks, x.Slot)
	s.why = append(s.why, why)
}

// Work is the loop's tenant having nothing to do.
func (s *script) Work(int64) time.Duration { return -1 }

// Settled hears the fate of a message, once.
func (s *script) Settled(ticket uint32, f record.Fate) {
	if ticket == 0 {
		return
	}
	if s.fates[ticket] != record.Staged {
		s.Errorf("message %d is %v, then %v", ticket, s.fates[ticket], f)
	}
	s.fates[ticket] = f
}

// payload is a message of that type.
func payload(kind, data string) *mem.Payload {
	p := mem.NewPayload(len(data))
	p.SetType([]byte(kind))
	p.Append([]byte(data))
	return p
}

// push delivers one message to every WebSocket, and returns the fates.
func (r *rig) push(kind, data string) string {
	r.Helper()
	p := payload(kind, data)
	var fates []string
	first := r.script.ticket + 1
	r.do(func() {
		for slot, t := range r.script.talks {
			if t.parked {
				r.script.ticket++
				r.script.fates[r.script.ticket] = record.Staged
				fate := r.s.Deliver(slot, p, r.script.ticket)
				r.script.fates[r.script.ticket] = fate
			}
		}
		p.Release()
	})
	for ticket := first; ticket <= r.script.ticket; ticket++ {
		fates = append(fates, fmt.Sprint(r.script.fates[ticket]))
	}
	return strings.Join(fates, " ")
}

// goaway ends every hold.
func (r *rig) goaway() {
	r.Helper()
	r.do(func() {
		for slot := range r.script.talks {
			r.s.Goaway(slot)
		}
	})
}

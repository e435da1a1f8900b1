//go:build !race

// The race detector's pools drop what they are given, so allocations are counted without it.

package http1

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
	"holdfast/engine/exchange"
	"holdfast/engine/loop"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

// sink is a kernel with one connection that takes everything, and allocates nothing.
type sink struct {
	tag   uint64
	input []byte
	taken int
}

func (k *sink) Add(_ int, tag uint64, _ uint32) error { k.tag = tag; return nil }
func (k *sink) Mod(int, uint64, uint32) error         { return nil }
func (k *sink) Del(int) error                         { return nil }
func (k *sink) Wake()                                 {}
func (k *sink) Accept(int) (int, error)               { return 0, unix.EAGAIN }
func (k *sink) Close(int, epoll.Closing)              {}
func (k *sink) Now() int64                            { return 0 }

func (k *sink) Wait(events []epoll.Event, _ time.Duration) (int, error) {
	if len(k.input) == 0 {
		return 0, nil
	}
	events[0] = epoll.NewEvent(k.tag, epoll.In)
	return 1, nil
}

func (k *sink) Read(_ int, b []byte) (int, error) {
	n := copy(b, k.input)
	k.input = k.input[n:]
	return n, nil
}

func (k *sink) Send(_ int, b []byte) (int, error) {
	k.taken += len(b)
	return len(b), nil
}

func (k *sink) Sendv(_ int, parts [][]byte) (n int, err error) {
	for _, p := range parts {
		n += len(p)
	}
	k.taken += n
	return n, nil
}

// terse answers at once, or holds in a form.
type terse struct {
	form exchange.Form
	resp exchange.Response
}

func (h *terse) Begin(x exchange.Exchange, _ *exchange.Head) {
	if h.form != exchange.NoForm {
		h.resp = exchange.Response{Status: 200}
		x.Hold(h.form, &h.resp, time.Minute)
	}
}

func (h *terse) Message(exchange.Exchange, bool, []byte) {}

func (h *terse) Happened(x exchange.Exchange, e exchange.Event) {
	if e == exchange.Complete {
		x.Respond(&h.resp)
	}
}

func (h *terse) Body(exchange.Exchange, []byte)          {}
func (h *terse) Ended(exchange.Exchange, record.Reason)  {}
func (h *terse) Work(int64) time.Duration                { return -1 }
func (h *terse) Settled(ticket uint32, what record.Fate) {}

// terseRig is a loop with one connection to a terse handler.
func terseRig(t *testing.T, form exchange.Form) (k *sink, l *loop.Loop, s *Sessions, slot uint32) {
	t.Helper()
	k = &sink{}
	h := &terse{form: form, resp: exchange.Response{Status: 200, Type: "text/plain", Body: []byte("ok")}}
	l = loop.New(k, loop.Config{MaxSlots: 4096})
	s = New(l, h, Config{}, boundary)
	l.Speak(record.HTTP1, s)
	l.Host(h)
	slot, ok := l.Adopt(3, record.HTTP1)
	if !ok {
		t.Fatal("no slot")
	}
	return k, l, s, slot
}

// Sends of each input, tick by tick, are answered without allocating.
func TestRequestsAllocateNothing(t *testing.T) {
	f := func(name string, form exchange.Form, pieces ...string) {
		t.Helper()
		k, l, _, _ := terseRig(t, form)
		input := make([][]byte, len(pieces))
		for i := range pieces {
			input[i] = []byte(pieces[i])
		}
		once := func() {
			for _, b := range input {
				k.input = b
				l.Tick()
			}
		}
		once()
		before := k.taken
		if n := testing.AllocsPerRun(500, once); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if k.taken == before {
			t.Errorf("%s: nothing was answered", name)
		}
	}
	f("one request", exchange.NoForm, "GET /ok"+host+"\r\n")
	f("a browser's", exchange.NoForm, browser+"\r\n")
	f("ten behind one another", exchange.NoForm, strings.Repeat("GET /ok"+host+"\r\n", 10))
	f("a head in pieces", exchange.NoForm, "GET /o", "k"+host, "\r\n")
	f("a body by length", exchange.NoForm, "POST /x"+host+"Content-Length: 5\r\n\r\nabcde")
	f("a body in chunks and pieces", exchange.NoForm, "POST /x"+host+"Transfer-Encoding: chunked\r\n\r\n3\r\nab", "c\r\n0", "\r\n\r\n")
	f("a body held back", exchange.NoForm, "POST /x"+host+"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", "abcde")
}

// A message to a parked request is sent without allocating, its framing included.
func TestDeliveriesAllocateNothing(t *testing.T) {
	for form := exchange.SSE; form < exchange.WebSocket; form++ {
		k, l, s, slot := terseRig(t, form)
		k.input = []byte("GET /hold" + host + "\r\n")
		l.Tick()
		shared := message("hello")
		if n := testing.AllocsPerRun(500, func() {
			s.Deliver(slot, shared, 1)
			l.Tick()
		}); n != 0 {
			t.Errorf("%v, a payload that is framed: %v allocations", form, n)
		}
		kind, data := []byte("text/plain"), []byte("hello")
		if n := testing.AllocsPerRun(500, func() {
			p := mem.NewPayload(len(data))
			p.SetType(kind)
			p.Append(data)
			s.Deliver(slot, p, 1)
			p.Release()
			l.Tick()
		}); n != 0 {
			t.Errorf("%v, a new payload: %v allocations", form, n)
		}
		if n := testing.AllocsPerRun(500, func() {
			s.Beat(slot, time.Minute)
			l.Tick()
		}); n != 0 {
			t.Errorf("%v, a heartbeat: %v allocations", form, n)
		}
	}
}

// Neither does parking a request, and what ends it.
func TestParkingAllocatesNothing(t *testing.T) {
	ask := []byte("GET /hold" + host + "\r\n")
	for form := exchange.Poll; form < exchange.WebSocket; form++ {
		k, l, s, slot := terseRig(t, form)
		p := message("hello")
		end := func() { s.Goaway(slot) }
		if form == exchange.Poll {
			end = func() { s.Deliver(slot, p, 1) }
		}
		if n := testing.AllocsPerRun(500, func() {
			k.input = ask
			l.Tick()
			end()
			l.Tick()
		}); n != 0 {
			t.Errorf("%v: %v allocations", form, n)
		}
	}
}

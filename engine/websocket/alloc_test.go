//go:build !race

// The race detector's pools drop what they are given, so allocations are counted without it.

package websocket

import (
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"holdfast/codec/ws"
	"holdfast/engine/epoll"
	"holdfast/engine/exchange"
	"holdfast/engine/http1"
	"holdfast/engine/loop"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/route"
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

// terse holds everything and listens.
type terse struct {
	resp  exchange.Response
	heard int
}

func (h *terse) Begin(x exchange.Exchange, _ *exchange.Head) {
	h.resp = exchange.Response{Status: 200}
	x.Hold(exchange.WebSocket, &h.resp, time.Minute)
}

func (h *terse) Message(_ exchange.Exchange, _ bool, data []byte) { h.heard += len(data) }
func (h *terse) Happened(x exchange.Exchange, _ exchange.Event)   { x.Beat(time.Minute) }
func (h *terse) Body(exchange.Exchange, []byte)                   {}
func (h *terse) Ended(exchange.Exchange, record.Reason)           {}
func (h *terse) Work(int64) time.Duration                         { return -1 }
func (h *terse) Settled(uint32, record.Fate)                      {}

// terseRig is a loop with one WebSocket.
func terseRig(t testing.TB, lines string) (k *sink, l *loop.Loop, s *Sessions, h *terse, slot uint32) {
	t.Helper()
	k, h = &sink{}, &terse{}
	l = loop.New(k, loop.Config{MaxSlots: 4096})
	h1 := http1.New(l, h, http1.Config{}, "BOUND")
	s = New(l, h, Config{})
	s.SetPolicies([]route.Socket{{Inbound: route.Published, MaxInbound: 1 << 20, Deflate: true, Pong: time.Second}})
	h1.Upgrade(s)
	l.Speak(record.HTTP1, h1)
	l.Speak(record.WebSocket, s)
	l.Host(h)
	slot, ok := l.Adopt(3, record.HTTP1)
	if !ok {
		t.Fatal("no slot")
	}
	k.input = []byte("GET /ws HTTP/1.1\r\n" + asking + lines + "\r\n")
	l.Tick()
	if s.Stats.Open != 1 {
		t.Fatal("no WebSocket")
	}
	return k, l, s, h, slot
}

// What a client says is heard and answered without allocating, however it comes.
func TestInputAllocatesNothing(t *testing.T) {
	f := func(name string, pieces ...string) {
		t.Helper()
		k, l, _, h, _ := terseRig(t, offering)
		input := make([][]byte, len(pieces))
		scratch := make([][]byte, len(pieces))
		for i := range pieces {
			input[i], scratch[i] = []byte(pieces[i]), []byte(pieces[i])
		}
		once := func() {
			for i := range input {
				k.input = append(scratch[i][:0], input[i]...)
				l.Tick()
			}
		}
		once()
		heard, taken := h.heard, k.taken
		if n := testing.AllocsPerRun(500, once); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if h.heard == heard && k.taken == taken {
			t.Errorf("%s: nothing happened", name)
		}
	}
	f("a message", text("hello"))
	f("ten of them", text("hello")+text("hello")+text("hello")+text("hello")+text("hello"))
	f("a ping", ping("hello"))
	f("byte by byte", bytewise(text("hello"))...)
	f("fragments", frame(ws.Text, 0, "he"), ping("x")+frame(cont, 0, "ll"), frame(cont, fin, "o"))
	f("a long one in pieces", binary(prose(5000))[:2000], binary(prose(5000))[2000:])
	f("a compressed one", frame(ws.Text, fin|ws.Compressed, packed(9, prose(2000))))
	f("a compressed one in pieces", frame(ws.Text, fin|ws.Compressed, packed(9, prose(2000)))[:50], frame(ws.Text, fin|ws.Compressed, packed(9, prose(2000)))[50:])
}

// A message to a WebSocket is sent without allocating, its framing and compression included; so is a heartbeat.
func TestDeliveryAllocatesNothing(t *testing.T) {
	for name, lines := range map[string]string{"plain": "", "deflated": offering} {
		_, l, s, _, slot := terseRig(t, lines)
		kind, data := "text/plain", []byte(prose(1000))
		shared := payload(kind, string(data))
		f := func(what string, do func()) {
			t.Helper()
			do()
			if n := testing.AllocsPerRun(500, do); n != 0 {
				t.Errorf("%s, %s: %v allocations", name, what, n)
			}
		}
		f("a payload that is framed", func() {
			s.Deliver(slot, shared, 1)
			l.Tick()
		})
		media := []byte(kind)
		f("a new payload", func() {
			p := mem.NewPayload(len(data))
			p.SetType(media)
			p.Append(data)
			s.Deliver(slot, p, 1)
			p.Release()
			l.Tick()
		})
		f("a heartbeat", func() {
			s.Beat(slot, time.Minute)
			l.Tick()
		})
	}
}

// What an idle WebSocket costs is in its record: State's bytes are fields of that. A message on its way in costs little
// beside its bytes.
func TestStateIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(inbound{}); n > 64 {
		t.Errorf("a message on its way in costs %d bytes beside its own", n)
	}
	if n := unsafe.Sizeof(State{}.Extra) + unsafe.Sizeof(State{}.Bits); n > 6 {
		t.Errorf("an idle WebSocket costs %d bytes of its carrier", n)
	}
}

func BenchmarkDeliver(b *testing.B) {
	_, l, s, _, slot := terseRig(b, "")
	p := payload("text/plain", prose(100))
	b.ReportAllocs()
	for b.Loop() {
		s.Deliver(slot, p, 1)
		l.Tick()
	}
}

func BenchmarkMessage(b *testing.B) {
	k, l, _, _, _ := terseRig(b, "")
	in := []byte(text(prose(100)))
	scratch := make([]byte, len(in))
	b.ReportAllocs()
	for b.Loop() {
		copy(scratch, in)
		k.input = scratch
		l.Tick()
	}
}

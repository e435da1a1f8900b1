//go:build !race && !slabdebug

// The race detector and debug builds do not use things again, so allocations are counted without them.

package http2

import (
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"holdfast/codec/h2"
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

func (k *sink) Send(_ int, b []byte) (int, error) { k.taken += len(b); return len(b), nil }

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

func (h *terse) Happened(x exchange.Exchange, e exchange.Event) {
	if e == exchange.Complete {
		x.Respond(&h.resp)
	}
}

func (h *terse) Body(exchange.Exchange, []byte)          {}
func (h *terse) Message(exchange.Exchange, bool, []byte) {}
func (h *terse) Ended(exchange.Exchange, record.Reason)  {}
func (h *terse) Work(int64) time.Duration                { return -1 }
func (h *terse) Settled(ticket uint32, what record.Fate) {}

// upstart is the protocol of a connection that is adopted at once.
type upstart struct{ s *Sessions }

func (u upstart) Received(uint32, []byte) int        { return 0 }
func (u upstart) Closed(uint32, record.Reason)       {}
func (u upstart) Happened(slot uint32, _ loop.Event) { u.s.Adopt(slot) }

// terseRig is a loop with one connection to a terse handler, which has shaken hands.
func terseRig(t testing.TB, form exchange.Form) (k *sink, l *loop.Loop, s *Sessions) {
	t.Helper()
	k = &sink{}
	h := &terse{form: form, resp: exchange.Response{Status: 200, Type: "text/plain", Body: []byte("ok")}}
	l = loop.New(k, loop.Config{MaxSlots: 1 << 20})
	s = New(l, h, Config{}, boundary)
	l.Speak(record.HTTP1, upstart{s})
	l.Speak(record.HTTP2, s)
	l.Speak(record.Stream, s)
	l.Host(h)
	if _, ok := l.Adopt(3, record.HTTP1); !ok {
		t.Fatal("no slot")
	}
	k.input = append(h2.AppendSettings([]byte(h2.Preface), h2.Setting{ID: h2.InitialWindow, Value: h2.MaxWindow}), h2.AppendSettingsAck(nil)...)
	k.input = h2.AppendWindow(k.input, 0, h2.MaxWindow-firstWindow)
	l.Tick()
	l.Each(0, 16, func(slot uint32, r *record.Record) { s.shrink(slot, r) })
	k.input = h2.AppendSettingsAck(nil)
	l.Tick()
	return k, l, s
}

// asks makes requests, each on a stream of its own.
type asks struct {
	id  uint32
	buf []byte
}

func (a *asks) next(n int, fields ...string) []byte {
	a.buf = a.buf[:0]
	for range n {
		at := len(a.buf)
		a.buf = h2.OpenHeaders(a.buf, a.id*2+1, true)
		a.id++
		a.buf = h2.AppendRequest(a.buf, "GET", "http", "a.example", "/hold")
		for i := 0; i < len(fields); i += 2 {
			a.buf = h2.AppendField(a.buf, fields[i], fields[i+1])
		}
		a.buf = h2.CloseHeaders(a.buf, at, h2.MinFrame)
	}
	return a.buf
}

// A request allocates what the HPACK library does, a string for each literal, and nothing else.
func TestRequestsAllocateStringsOnly(t *testing.T) {
	f := func(name string, n int, want float64, fields ...string) {
		t.Helper()
		k, l, _ := terseRig(t, exchange.NoForm)
		var a asks
		once := func() {
			k.input = a.next(n, fields...)
			l.Tick()
		}
		for range 2000 {
			once()
		}
		before := k.taken
		if got := testing.AllocsPerRun(500, once); got > want {
			t.Errorf("%s: %v allocations, want %v", name, got, want)
		}
		if k.taken == before {
			t.Errorf("%s: nothing was answered", name)
		}
	}
	f("one request", 1, 2) // authority and path
	f("ten at once", 10, 20)
	f("with fields", 1, 4, "user-agent", "a client", "accept", "*/*")
}

// A message to a parked request is sent without allocating, its framing included.
func TestDeliveriesAllocateNothing(t *testing.T) {
	for form := exchange.SSE; form < exchange.WebSocket; form++ {
		k, l, s := terseRig(t, form)
		var a asks
		k.input = a.next(10)
		l.Tick()
		var slots []uint32
		l.Each(0, 100, func(slot uint32, r *record.Record) {
			if r.Kind == record.Stream {
				slots = append(slots, slot)
			}
		})
		kind, data := []byte("text/plain"), []byte("hello")
		if n := testing.AllocsPerRun(500, func() {
			p := mem.NewPayload(len(data))
			p.SetType(kind)
			p.Append(data)
			for _, slot := range slots {
				if f := s.Deliver(slot, p, 1); f != record.Staged {
					t.Fatal(f)
				}
			}
			p.Release()
			l.Tick()
		}); n != 0 {
			t.Errorf("%v: %v allocations", form, n)
		}
		if n := testing.AllocsPerRun(500, func() {
			s.Beat(slots[0], time.Minute)
			l.Tick()
		}); n != 0 {
			t.Errorf("%v, a heartbeat: %v allocations", form, n)
		}
	}
}

// Neither does what waits for a window, and leaves when it opens.
func TestWaitingAllocatesNothing(t *testing.T) {
	k, l, s := terseRig(t, exchange.Raw)
	var a asks
	k.input = a.next(1)
	l.Tick()
	var slot uint32
	l.Each(0, 100, func(at uint32, r *record.Record) {
		if r.Kind == record.Stream {
			slot = at
		}
	})
	e := s.streamOf(l.At(slot))
	p := message("hello")
	update := h2.AppendWindow(nil, 1, 1000)
	once := func() {
		e.window = 2
		s.Deliver(slot, p, 1)
		l.Tick()
		k.input = update
		l.Tick()
	}
	for range 10 {
		once()
	}
	if n := testing.AllocsPerRun(500, once); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What an idle connection and a held stream cost beside the loop's record.
func TestSizes(t *testing.T) {
	const generation = 4 // of a slab's slot
	f := func(what string, got, most uintptr) {
		t.Helper()
		if got > most {
			t.Errorf("%s costs %d bytes, want at most %d", what, got, most)
		}
		t.Logf("%s: %d bytes", what, got)
	}
	f("a connection", unsafe.Sizeof(link{})+generation, 52)
	f("a stream, with its place in the index", unsafe.Sizeof(stream{})+generation+4, 32)
}

func BenchmarkRequest(b *testing.B) {
	k, l, _ := terseRig(b, exchange.NoForm)
	var a asks
	for b.Loop() {
		k.input = a.next(10, "user-agent", "a client", "accept", "*/*")
		l.Tick()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10, "ns/request")
}

func BenchmarkDeliver(b *testing.B) {
	k, l, s := terseRig(b, exchange.SSE)
	var a asks
	for range 100 {
		k.input = a.next(10)
		l.Tick()
	}
	var slots []uint32
	l.Each(0, 1<<20, func(at uint32, r *record.Record) {
		if r.Kind == record.Stream {
			slots = append(slots, at)
		}
	})
	c := s.links.At(1)
	p := message("a message of some length that is shared by all who get it")
	for b.Loop() {
		for _, slot := range slots {
			s.streamOf(l.At(slot)).window, c.window = 1<<30, 1<<30
			s.Deliver(slot, p, 1)
		}
		l.Tick()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(slots)), "ns/delivery")
}

package loop

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/engine/epoll"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// kernel is the fake kernel with a note of how it was waited on, and errors to be had on demand.
type kernel struct {
	*simkernel.Kernel
	waits   int
	timeout time.Duration // of the latest Wait
	mods    int
	vectors int              // calls of Sendv
	fail    map[string]error // by method
}

func (k *kernel) Wait(events []epoll.Event, timeout time.Duration) (int, error) {
	k.waits++
	k.timeout = timeout
	if err := k.fail["Wait"]; err != nil {
		return 0, err
	}
	return k.Kernel.Wait(events, timeout)
}

func (k *kernel) Add(fd int, tag uint64, mask uint32) error {
	return errors.Join(k.fail["Add"], k.orElse("Add", func() error { return k.Kernel.Add(fd, tag, mask) }))
}

func (k *kernel) Mod(fd int, tag uint64, mask uint32) error {
	k.mods++
	return errors.Join(k.fail["Mod"], k.orElse("Mod", func() error { return k.Kernel.Mod(fd, tag, mask) }))
}

func (k *kernel) orElse(call string, do func() error) error {
	if k.fail[call] != nil {
		return nil
	}
	return do()
}

func (k *kernel) Read(fd int, b []byte) (int, error) {
	if err := k.fail["Read"]; err != nil {
		return 0, err
	}
	return k.Kernel.Read(fd, b)
}

func (k *kernel) Send(fd int, b []byte) (int, error) {
	if err := k.fail["Send"]; err != nil {
		return 0, err
	}
	return k.Kernel.Send(fd, b)
}

func (k *kernel) Sendv(fd int, parts [][]byte) (int, error) {
	k.vectors++
	return k.Kernel.Sendv(fd, parts)
}

// side is one connection: its peer, what the session saw and how the session behaves.
type side struct {
	slot   uint32
	peer   *simkernel.Peer
	got    []byte   // input used
	events []string // in words, Closed with its reason
	open   bool
	wire   []byte              // what the peer has read
	take   func(b []byte) int  // nil uses all
	on     map[Event]func()    // what the session does when it hears of something
	bye    func(record.Reason) // likewise for Closed
}

// testLoop is a loop ticked by hand, with this test as its session and its tenant.
type testLoop struct {
	*Loop
	t        testing.TB
	k        *kernel
	listener int // descriptor
	dialled  []*simkernel.Peer
	sides    map[uint32]*side // by slot
	all      []*side
	ticket   uint32
	staged   int
	fates    map[uint32][]record.Fate
	settled  func(ticket uint32, f record.Fate)
	work     func() time.Duration
	buffers  int64
}

func newLoop(t testing.TB, o simkernel.Options, cfg Config) *testLoop { return seeded(t, 1, o, cfg) }

func seeded(t testing.TB, seed uint64, o simkernel.Options, cfg Config) *testLoop {
	tl := &testLoop{
		t: t, k: &kernel{Kernel: simkernel.New(seed, o), fail: map[string]error{}}, buffers: mem.BufferBytes(),
		sides: map[uint32]*side{}, fates: map[uint32][]record.Fate{},
	}
	tl.Loop = New(tl.k, cfg)
	tl.Speak(record.HTTP1, tl)
	tl.Speak(record.Client, tl)
	tl.Host(tl)
	tl.listener = tl.k.Listen()
	if _, err := tl.Listen(tl.listener, record.HTTP1, 0); err != nil {
		t.Fatal(err)
	}
	return tl
}

func (tl *testLoop) Received(slot uint32, b []byte) int {
	s := tl.sides[slot]
	n := len(b)
	if s.take != nil {
		n = s.take(b)
	}
	s.got = append(s.got, b[:n]...)
	return n
}

var eventNames = [...]string{Opened: "opened", HungUp: "hungup", Ended: "ended", Drained: "drained", Expired: "expired"}

func (tl *testLoop) Happened(slot uint32, e Event) {
	s := tl.sides[slot]
	if e == Opened {
		if s != nil {
			tl.t.Fatalf("slot %d opened twice", slot)
		}
		s = &side{slot: slot, open: true, on: map[Event]func(){}}
		if len(tl.dialled) > 0 {
			s.peer, tl.dialled = tl.dialled[0], tl.dialled[1:]
		}
		tl.sides[slot], tl.all = s, append(tl.all, s)
	}
	s.events = append(s.events, eventNames[e])
	if f := s.on[e]; f != nil {
		f()
	}
}

func (tl *testLoop) Closed(slot uint32, why record.Reason) {
	s := tl.sides[slot]
	if s == nil {
		tl.t.Fatalf("slot %d closed, but it is not open", slot)
	}
	s.open = false
	s.events = append(s.events, why.String())
	delete(tl.sides, slot)
	if s.bye != nil {
		s.bye(why)
	}
}

func (tl *testLoop) Work(int64) time.Duration {
	if tl.work != nil {
		return tl.work()
	}
	return -1
}

func (tl *testLoop) Settled(ticket uint32, f record.Fate) {
	tl.fates[ticket] = append(tl.fates[ticket], f)
	if tl.settled != nil {
		tl.settled(ticket, f)
	}
}

// dial begins a connection, connect waits until it is there.
func (tl *testLoop) dial() *simkernel.Peer {
	p := tl.k.Dial(tl.listener)
	tl.dialled = append(tl.dialled, p)
	return p
}

func (tl *testLoop) connect() *side {
	tl.t.Helper()
	p := tl.dial()
	for range 20 {
		tl.Tick()
		if n := len(tl.all); n > 0 && tl.all[n-1].peer == p {
			return tl.all[n-1]
		}
	}
	tl.t.Fatal("the connection was not accepted")
	return nil
}

// do runs f where the gateway would: in the middle of a tick.
func (tl *testLoop) do(f func()) {
	tl.t.Helper()
	if !tl.Post(f) {
		tl.t.Fatal("post refused")
	}
	tl.Tick()
}

func (tl *testLoop) ticks(n int) {
	for range n {
		tl.Tick()
	}
}

// rest ticks until nothing can happen before time passes, and fails if that is never.
func (tl *testLoop) rest() {
	tl.t.Helper()
	for range 100_000 {
		tl.Tick()
		if tl.k.Idle() {
			return
		}
	}
	tl.t.Fatal("the loop never rests")
}

// elapse lets exactly this time pass, in steps with a few ticks in each.
func (tl *testLoop) elapse(d, step time.Duration) {
	for range d / step {
		tl.k.Advance(step)
		for range 3 {
			tl.k.Wake()
			tl.Tick()
		}
	}
}

// frame makes a message of data between brackets: in three pieces when it is large.
func frame(dst []byte, p *mem.Payload) ([]byte, int) { return append(dst, "<>"...), 1 }

func payload(data string) *mem.Payload {
	p := mem.NewPayload(len(data))
	p.Append([]byte(data))
	return p
}

// push sends one message, from inside a tick, and notes its fate if it has one at once.
func (tl *testLoop) push(s *side, data string) (ticket uint32) { return tl.pushBy(tl.Push, s, data) }

// pushBy pushes with Push or PushAnswer.
func (tl *testLoop) pushBy(by func(uint32, *mem.Payload, *mem.Frame, uint32) record.Fate, s *side, data string) (ticket uint32) {
	tl.ticket++
	p := payload(data)
	fate := by(s.slot, p, p.Frame(0, frame), tl.ticket)
	p.Release()
	if fate == record.Staged {
		tl.staged++
	} else {
		tl.fates[tl.ticket] = append(tl.fates[tl.ticket], fate)
	}
	return tl.ticket
}

func (tl *testLoop) wantFates(tickets []uint32, want ...record.Fate) {
	tl.t.Helper()
	for i, ticket := range tickets {
		if got := tl.fates[ticket]; len(got) != 1 || got[0] != want[min(i, len(want)-1)] {
			tl.t.Errorf("fates of message %d: %v, want %v", ticket, got, want[min(i, len(want)-1)])
		}
	}
}

func (tl *testLoop) wantEvents(s *side, want string) {
	tl.t.Helper()
	if got := strings.Join(s.events, " "); got != want {
		tl.t.Errorf("events: %s, want %s", got, want)
	}
}

func (s *side) read() string {
	s.wire = append(s.wire, s.peer.Read()...)
	return string(s.wire)
}

func (tl *testLoop) wantWire(s *side, want string) {
	tl.t.Helper()
	if got := s.read(); got != want {
		tl.t.Errorf("on the wire: %q, want %q", clip(got), clip(want))
	}
}

func clip(s string) string {
	if len(s) > 200 {
		return s[:100] + "…" + s[len(s)-100:]
	}
	return s
}

func (tl *testLoop) wantPeer(s *side, how simkernel.How) {
	tl.t.Helper()
	if _, got := s.peer.Closed(); got != how {
		tl.t.Errorf("the peer sees it %v, want %v", got, how)
	}
}

// end stops the loop and looks for what it left behind.
func (tl *testLoop) end() {
	tl.t.Helper()
	tl.Stop()
	if err := tl.Run(); err != nil {
		tl.t.Errorf("the loop failed: %v", err)
	}
	tl.wantNothingLeft()
	if open := tl.k.Leaks(); len(open) > 0 {
		tl.t.Errorf("descriptors left: %v", open)
	}
	if n := tl.cfg.Conns.Load(); n != 0 {
		tl.t.Errorf("connections counted: %d", n)
	}
	for _, s := range tl.all {
		if s.open || len(s.events) < 2 || s.events[0] != "opened" || slices.Contains(s.events[1:], "opened") {
			tl.t.Errorf("slot %d heard %v", s.slot, s.events)
		}
	}
	told := 0
	for ticket, f := range tl.fates {
		if told++; len(f) != 1 || f[0] == record.Staged {
			tl.t.Errorf("fates of message %d: %v", ticket, f)
		}
	}
	if told != int(tl.ticket) {
		tl.t.Errorf("%d messages, %d fates", tl.ticket, told)
	}
}

// wantNothingLeft is how a loop without connections should look.
func (tl *testLoop) wantNothingLeft() {
	tl.t.Helper()
	f := func(what string, n int) {
		tl.t.Helper()
		if n != 0 {
			tl.t.Errorf("%s left: %d", what, n)
		}
	}
	g := tl.Gauge()
	f("records", tl.records.Live())
	f("queues", g.QueuedConns)
	f("queued bytes", g.QueuedBytes)
	f("kept inputs", g.KeptInputs)
	f("timers", tl.wheel.Len())
	f("connections", int(tl.Stats.Conns))
	f("fates to tell", len(tl.Loop.fates))
	f("buffer bytes", int(mem.BufferBytes()-tl.buffers))
}

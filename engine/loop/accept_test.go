package loop

import (
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

func TestAcceptsPerTickAreBounded(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{AcceptsPerTick: 10})
	for range 35 {
		tl.dial()
	}
	for i, want := range []int64{10, 20, 30, 35, 35} {
		if tl.Tick(); tl.Stats.Conns != want {
			t.Errorf("after tick %d: %d connections, want %d", i, tl.Stats.Conns, want)
		}
	}
	tl.end()
}

func TestExhaustionPausesAccepting(t *testing.T) {
	f := func(name string, err unix.Errno, counted func(*Stats) uint64) {
		t.Run(name, func(t *testing.T) {
			tl := newLoop(t, simkernel.Options{}, Config{})
			old := tl.connect()
			tl.k.FailAccepts(1_000_000, err)
			tl.dial()
			tl.Tick()
			waits, began := tl.k.waits, tl.k.Now()
			for tl.k.Now()-began < int64(time.Second) {
				tl.Tick()
			}
			if n := tl.k.waits - waits; n > 30 {
				t.Errorf("%d waits in a second: the loop spins", n)
			}
			if counted(&tl.Stats) == 0 {
				t.Error("not counted")
			}
			old.peer.Write([]byte("x"))
			tl.Tick()
			if string(old.got) != "x" {
				t.Error("those already here are not served")
			}
			tl.k.FailAccepts(0, 0)
			began = tl.k.Now()
			for tl.Stats.Conns < 2 {
				if tl.Tick(); tl.k.Now()-began > int64(time.Second) {
					t.Fatal("accepting goes on too late")
				}
			}
			tl.end()
		})
	}
	exhausted := func(s *Stats) uint64 { return s.AcceptsExhausted }
	f("EMFILE", unix.EMFILE, exhausted)
	f("ENFILE", unix.ENFILE, exhausted)
	f("ENOMEM", unix.ENOMEM, exhausted)
	f("ENOBUFS", unix.ENOBUFS, exhausted)
	f("EINVAL", unix.EINVAL, func(s *Stats) uint64 { return s.AcceptsFailed })
}

func TestLostConnectionsDoNotPauseAccepting(t *testing.T) {
	f := func(err unix.Errno) {
		t.Run(err.Error(), func(t *testing.T) {
			tl := newLoop(t, simkernel.Options{}, Config{})
			for range 3 {
				tl.k.Dial(tl.listener)
			}
			tl.k.FailAccepts(2, err)
			tl.Tick()
			want := int64(3)
			if err == unix.ECONNABORTED {
				want = 1 // the others are the ones that were lost
			}
			if tl.Stats.Conns != want || tl.acceptPaused() {
				t.Errorf("%d connections, want %d, paused %v", tl.Stats.Conns, want, tl.acceptPaused())
			}
			tl.end()
		})
	}
	for _, err := range []unix.Errno{unix.ECONNABORTED, unix.EPERM, unix.EPROTO, unix.EINTR, unix.EHOSTUNREACH, unix.ETIMEDOUT} {
		f(err)
	}
}

func TestMaxConnsIsProcessWideWithSpareForPublishers(t *testing.T) {
	conns := new(atomic.Int64)
	cfg := Config{MaxConns: 5, Conns: conns}
	a, b := newLoop(t, simkernel.Options{}, cfg), newLoop(t, simkernel.Options{}, cfg)
	publish := b.k.Listen()
	if _, err := b.Listen(publish, record.HTTP1, 2); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		a.dial()
		b.dial()
	}
	a.Tick()
	b.Tick()
	if a.Stats.Conns != 4 || b.Stats.Conns != 1 {
		t.Fatalf("%d and %d connections, want 4 and 1", a.Stats.Conns, b.Stats.Conns)
	}
	for range 4 {
		b.dialled = append(b.dialled, b.k.Dial(publish))
	}
	b.ticks(5)
	if n := conns.Load(); n != 7 {
		t.Errorf("%d connections with spare ones, want 7", n)
	}
	if b.Stats.AcceptsFull == 0 {
		t.Error("a full house is not counted")
	}
	waits, began := b.k.waits, b.k.Now()
	for b.k.Now()-began < int64(time.Second) {
		b.Tick()
	}
	if n := b.k.waits - waits; n > 40 {
		t.Errorf("%d waits in a second with a full house", n)
	}
	for _, s := range a.all {
		a.Close(s.slot, record.ReasonDone)
	}
	a.ticks(2)
	b.elapse(time.Second, 50*time.Millisecond)
	publishers := 0
	for _, s := range b.all {
		publishers += int(b.At(s.slot).Listener)
	}
	if n := conns.Load(); n < 5 || publishers != 4 {
		t.Errorf("after others left: %d connections, want at least 5; %d publishers, want all 4", n, publishers)
	}
	a.endPart()
	b.end()
}

// endPart stops one of two loops that share counts.
func (tl *testLoop) endPart() {
	tl.Stop()
	if err := tl.Run(); err != nil {
		tl.t.Error(err)
	}
	if n := tl.records.Live(); n != 0 {
		tl.t.Errorf("%d records left", n)
	}
}

func TestNoSlotOrNoRoomInEpollResetsAndPauses(t *testing.T) {
	f := func(name string, cfg Config, addErr error, want int64) {
		t.Run(name, func(t *testing.T) {
			tl := newLoop(t, simkernel.Options{}, cfg)
			if addErr != nil {
				tl.k.fail["Add"] = addErr
			}
			for range 4 {
				tl.dial()
			}
			tl.Tick()
			if tl.Stats.Conns != want || tl.cfg.Conns.Load() != want || !tl.acceptPaused() {
				t.Errorf("%d connections, %d counted, want %d; paused %v",
					tl.Stats.Conns, tl.cfg.Conns.Load(), want, tl.acceptPaused())
			}
			delete(tl.k.fail, "Add")
			tl.end()
		})
	}
	f("slots", Config{MaxSlots: 2}, nil, 2)
	f("epoll", Config{}, unix.ENOSPC, 0)
}

func TestCloseListeners(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	late := tl.dial()
	tl.CloseListeners()
	tl.CloseListeners()
	tl.ticks(3)
	if closed, how := late.Closed(); closed {
		t.Errorf("who waited in the backlog sees it %v", how)
	}
	s.peer.Write([]byte("x"))
	tl.Tick()
	if string(s.got) != "x" {
		t.Error("a connection does not outlive its listener")
	}
	tl.end()
}

func TestCloseListenersInTheMiddleOfAccepting(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	for range 5 {
		tl.dial()
	}
	tl.Speak(record.HTTP1, openedBy{tl, func() { tl.CloseListeners() }})
	tl.ticks(2)
	if tl.Stats.Conns != 5 {
		t.Errorf("%d connections, want all that waited", tl.Stats.Conns)
	}
	tl.end()
}

// openedBy is the test's session with something to do when a connection opens.
type openedBy struct {
	*testLoop
	f func()
}

func (o openedBy) Happened(slot uint32, e Event) {
	o.testLoop.Happened(slot, e)
	if e == Opened {
		o.f()
	}
}

func TestListenersAreNumberedInEightBits(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	for i := 1; i < 256; i++ {
		if index, err := tl.Listen(tl.k.Listen(), record.HTTP1, 0); err != nil || index != i {
			t.Fatal(index, err)
		}
	}
	fd := tl.k.Listen()
	if _, err := tl.Listen(fd, record.HTTP1, 0); err == nil {
		t.Error("a listener too many was taken: records could not tell it from the first")
	}
	tl.k.Close(fd, 0)
	tl.end()
}

func TestAdoptCountsAndSpeaks(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	fd, peer := tl.k.Connect()
	slot, ok := tl.Adopt(fd, record.Client)
	if !ok || tl.cfg.Conns.Load() != 1 || tl.At(slot).Kind != record.Client || tl.FD(slot) != fd {
		t.Fatal(slot, ok, tl.cfg.Conns.Load())
	}
	peer.Write([]byte("hello"))
	tl.Tick()
	if s := tl.sides[slot]; string(s.got) != "hello" {
		t.Errorf("got %q", s.got)
	}
	tl.end()
}

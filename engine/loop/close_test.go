package loop

import (
	"strings"
	"testing"
	"time"

	"holdfast/engine/epoll"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
	"holdfast/registry"
)

// RFC 9112 §9.6: "the server initially closes only its side of the connection, and then continues reading".
func TestCloseAfterWriteSendsAllThenReadsOn(t *testing.T) {
	for name, o := range map[string]simkernel.Options{"fair": {}, "small": {SendBuffer: 100}, "rough": simkernel.Rough()} {
		t.Run(name, func(t *testing.T) {
			tl := newLoop(t, o, Config{})
			s := tl.connect()
			answer := strings.Repeat("answer ", 1000)
			s.peer.Write([]byte("request"))
			tl.do(func() { tl.Write(s.slot, []byte(answer)); tl.CloseAfterWrite(s.slot) })
			tl.rest()
			tl.wantWire(s, answer)
			tl.wantPeer(s, simkernel.Fin)
			tl.wantEvents(s, "opened drained")
			s.peer.Write([]byte(" and more"))
			tl.rest()
			if string(s.got) != "request and more" {
				t.Errorf("read on: %q", s.got)
			}
			tl.do(func() { tl.CloseAfterWrite(s.slot); tl.WantDrained(s.slot) })
			s.peer.CloseWrite()
			s.on[Ended] = func() { tl.Close(s.slot, record.ReasonDone) }
			tl.rest()
			tl.wantEvents(s, "opened drained hungup ended done")
			tl.wantPeer(s, simkernel.Fin)
			tl.end()
		})
	}
}

func TestCloseAfterWriteToAPeerThatReadsNothing(t *testing.T) {
	tl := newLoop(t, simkernel.Options{SendBuffer: 10}, Config{})
	s := tl.connect()
	s.peer.Stall()
	tl.do(func() { tl.Write(s.slot, []byte("does not fit there")); tl.CloseAfterWrite(s.slot) })
	tl.ticks(3)
	tl.wantEvents(s, "opened")
	tl.wantPeer(s, simkernel.Open)
	tl.elapse(tl.cfg.StallTimeout+2*sweepEvery, sweepEvery)
	tl.wantEvents(s, "opened slow")
	tl.end()
}

func TestCloseIsDeferredInEveryCallback(t *testing.T) {
	for _, e := range []Event{Opened, HungUp, Ended, Drained, Expired} {
		t.Run(eventNames[e], func(t *testing.T) {
			tl := newLoop(t, simkernel.Options{}, Config{})
			var s *side
			act := func() {
				tl.Close(s.slot, record.ReasonGone)
				if r := tl.At(s.slot); !r.Closing || !tl.Live(tl.Handle(s.slot)) || s.open != true {
					t.Error("closed under the callback's feet")
				}
				tl.Write(s.slot, []byte("late"))
				tl.push(s, "late")
				tl.Pause(s.slot)
				tl.Resume(s.slot)
				tl.CloseAfterWrite(s.slot)
				tl.SetDeadline(s.slot, tl.Now())
				tl.Close(s.slot, record.ReasonDone) // the first reason stays
			}
			if e == Opened {
				tl.Speak(record.HTTP1, openedBy{tl, func() { s = tl.all[0]; act() }})
			}
			s = tl.connect()
			if e != Opened {
				s.on[e] = act
				tl.do(func() { tl.WantDrained(s.slot); tl.SetDeadline(s.slot, tl.Now()+1) })
			}
			s.peer.CloseWrite()
			tl.rest()
			tl.rest()
			if got := s.events[len(s.events)-1]; got != "gone" || s.open {
				t.Errorf("heard %v", s.events)
			}
			tl.wantWire(s, "")
			tl.end()
		})
	}
}

func TestClosedMayCloseOthersAndOpenNew(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	var sides []*side
	for range 5 {
		sides = append(sides, tl.connect())
	}
	for i, s := range sides[:4] {
		s.bye = func(record.Reason) {
			next := sides[i+1]
			tl.Write(next.slot, []byte("you are next"))
			tl.CloseAfterWrite(next.slot)
			tl.Close(next.slot, record.ReasonShutdown)
		}
	}
	var adopted uint32
	sides[4].bye = func(record.Reason) {
		fd, _ := tl.k.Connect()
		adopted, _ = tl.Adopt(fd, record.Client)
	}
	tl.do(func() { tl.Close(sides[0].slot, record.ReasonDone) })
	for i, s := range sides[1:] {
		if s.open {
			t.Errorf("connection %d is open after the tick", i+1)
		}
	}
	if !tl.records.Used(adopted) || tl.Stats.Conns != 1 {
		t.Errorf("adopted %d, %d connections", adopted, tl.Stats.Conns)
	}
	tl.ticks(2)
	tl.end()
}

func TestHowTheSystemIsToldDependsOnTheReason(t *testing.T) {
	for why := range record.Reasons {
		tl := newLoop(t, simkernel.Options{}, Config{})
		s := tl.connect()
		tl.do(func() { tl.Write(s.slot, []byte("answer")) })
		tl.do(func() { tl.Close(s.slot, why) })
		want := simkernel.Fin
		if why == record.ReasonSlow || why == record.ReasonReset || why == record.ReasonTimeout {
			want = simkernel.Rst
		}
		tl.wantPeer(s, want)
		tl.wantEvents(s, "opened "+why.String())
		if tl.Stats.Closed[why] != 1 {
			t.Errorf("closed: %v", tl.Stats.Closed)
		}
		tl.end()
	}
}

func TestHandlesGoStale(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{ID: 3})
	s := tl.connect()
	h := tl.Handle(s.slot)
	f := func(what string, want bool) {
		t.Helper()
		if got := tl.Live(h); got != want {
			t.Errorf("%s: live %v", what, got)
		}
	}
	f("open", true)
	if h.Loop() != 3 {
		t.Errorf("loop %d", h.Loop())
	}
	tl.Turn(s.slot)
	f("turned", false)
	h = tl.Handle(s.slot)
	f("the next exchange", true)
	tl.Close(s.slot, record.ReasonDone)
	f("closing", true)
	tl.Tick()
	f("closed", false)
	next := tl.connect()
	if next.slot != s.slot {
		t.Fatal("the slot was not used again")
	}
	f("another one's", false)

	chain, ok := tl.Chain(next.slot)
	h = tl.Handle(chain)
	if r := tl.At(chain); !ok || r.Kind != record.Chain || r.Owner != next.slot || tl.Stats.Chained != 1 {
		t.Errorf("chain: %+v", r)
	}
	f("chained", true)
	tl.Unchain(chain)
	f("unchained", false)

	other := newLoop(t, simkernel.Options{}, Config{ID: 4})
	for range 3 {
		other.connect()
	}
	h = tl.Handle(next.slot)
	for other.Handle(h.Slot()).Gen() != h.Gen() {
		other.Turn(h.Slot())
	}
	if other.Live(h) {
		t.Error("a handle of another loop is live here")
	}
	for _, h := range []uint64{0, 1, 1<<64 - 1} {
		if tl.Live(registry.Handle(h)) {
			t.Errorf("handle %x is live", h)
		}
	}
	other.end()
	tl.end()
}

func TestStaleEventsAreIgnored(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	a, b := tl.connect(), tl.connect()
	stale := epoll.NewEvent(tagOf(a.slot, tl.whole(a).fd), epoll.In|epoll.Out|epoll.RdHup|epoll.Hup|epoll.Err)
	tl.do(func() {
		tl.Close(a.slot, record.ReasonDone)
		tl.dispatch(&stale) // closing
	})
	tl.dispatch(&stale) // free
	otherFD := epoll.NewEvent(tagOf(b.slot, tl.whole(b).fd+1), epoll.RdHup|epoll.Hup)
	tl.dispatch(&otherFD) // used again
	never := epoll.NewEvent(tagOf(4_000_000, 5), epoll.Hup)
	tl.dispatch(&never)
	tl.ticks(2)
	tl.wantEvents(a, "opened done")
	tl.wantEvents(b, "opened")
	tl.end()
}

func TestEachVisitsLiveConnectionsInPieces(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	want := map[uint32]bool{}
	for range 10 {
		want[tl.connect().slot] = true
	}
	chain, _ := tl.Chain(1)
	tl.Close(5, record.ReasonDone)
	delete(want, 5)
	for limit := 1; limit <= 12; limit++ {
		seen, calls, after := map[uint32]bool{}, 0, uint32(0)
		for first := true; first || after != 0; first = false {
			n := 0
			after = tl.Each(after, limit, func(slot uint32, r *record.Record) {
				n++
				if seen[slot] || !want[slot] || r.Kind != record.HTTP1 {
					t.Errorf("limit %d: slot %d of kind %d", limit, slot, r.Kind)
				}
				seen[slot] = true
			})
			if calls++; n > limit || calls > 20 {
				t.Fatalf("limit %d: %d visits in call %d", limit, n, calls)
			}
		}
		if len(seen) != len(want) {
			t.Errorf("limit %d: %d of %d seen", limit, len(seen), len(want))
		}
	}
	tl.Unchain(chain)
	tl.end()
}

// A million connections come, ask, and go in every way; nothing of them stays.
func TestAMillionConnectionsLeaveNothing(t *testing.T) {
	const total, batch = churnTotal, 16
	k := &kernel{Kernel: simkernel.New(1, simkernel.Options{SendBuffer: 64}), fail: nil}
	c := &churn{}
	c.Loop = New(k, Config{})
	c.Speak(record.HTTP1, c)
	c.Host(c)
	listener := k.Listen()
	if _, err := c.Listen(listener, record.HTTP1, 0); err != nil {
		t.Fatal(err)
	}
	var peers [batch]*simkernel.Peer
	for range total / batch {
		for i := range peers {
			peers[i] = k.Dial(listener)
			peers[i].Write([]byte("request"))
			if i%4 == 1 {
				peers[i].Stall()
			}
		}
		c.Tick()
		c.Tick()
		for i, p := range peers {
			if p.Read(); i%2 == 0 {
				p.CloseWrite()
			} else {
				p.Reset()
			}
		}
		c.Tick()
		c.Tick()
	}
	if c.opened < total-batch || c.opened != c.closed || c.staged != c.settled {
		t.Errorf("%d opened, %d closed; %d staged, %d settled", c.opened, c.closed, c.staged, c.settled)
	}
	g := c.Gauge()
	if g.QueuedConns+g.QueuedBytes+g.KeptInputs+c.wheel.Len()+c.records.Live() != 0 || c.Stats.Conns != 0 ||
		c.cfg.Conns.Load() != 0 {
		t.Errorf("left: %+v, %d timers, %d records, %d connections", g, c.wheel.Len(), c.records.Live(), c.Stats.Conns)
	}
	if n := len(c.queues.all) + len(c.inputs.bufs) + c.records.Bytes()>>10; n > 4*batch+200 {
		t.Errorf("pools grew with the connections: %d queues, %d inputs, %d KiB of records",
			len(c.queues.all), len(c.inputs.bufs), c.records.Bytes()>>10)
	}
	if gen := c.records.Gen(1); int(gen) < total/batch {
		t.Errorf("slot 1 is at generation %d", gen)
	}
	if open := k.Leaks(); len(open) != 1 {
		t.Errorf("descriptors: %v", open)
	}
}

// churn answers each request with a message, keeps a part of the input, and sets a deadline.
type churn struct {
	*Loop
	opened, closed, staged, settled int
}

func (c *churn) Received(slot uint32, b []byte) int {
	p := payload(strings.Repeat("m", 100))
	if c.Push(slot, p, p.Frame(0, frame), 1) == record.Staged {
		c.staged++
	}
	p.Release()
	return len(b) - 1
}

func (c *churn) Happened(slot uint32, e Event) {
	switch e {
	case Opened:
		c.opened++
		c.SetDeadline(slot, c.Now()+int64(c.cfg.StallTimeout))
	case Ended:
		c.Close(slot, record.ReasonDone)
	default:
	}
}

func (c *churn) Closed(uint32, record.Reason)         { c.closed++ }
func (c *churn) Work(int64) time.Duration             { return -1 }
func (c *churn) Settled(ticket uint32, _ record.Fate) { c.settled++ }

// Holds with many keys must not take the slots that connections need.
func TestChainsLeaveRoomForConnections(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{MaxSlots: 160})
	owner := tl.connect()
	var chains []uint32
	for {
		chain, ok := tl.Chain(owner.slot)
		if !ok {
			break
		}
		chains = append(chains, chain)
	}
	if len(chains) != 160-10-1 {
		t.Errorf("%d chained records", len(chains))
	}
	for range 10 {
		if s := tl.connect(); !s.open {
			t.Error("no room for a connection")
		}
	}
	for _, chain := range chains {
		tl.Unchain(chain)
	}
	tl.end()
}

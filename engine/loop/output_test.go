package loop

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

func TestWritesOfOneTickLeaveInOneSend(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	sends := tl.k.Sends()
	tl.do(func() {
		tl.Write(s.slot, []byte("head "))
		tl.push(s, "a")
		tl.Write(s.slot, nil)
		tl.push(s, "b")
		tl.Write(s.slot, []byte(" tail"))
		tl.Write(s.slot, []byte("!"))
		if n := tl.Queued(s.slot); n != 17 {
			t.Errorf("%d bytes queued, want 17", n)
		}
		if n := len(tl.queues.all[tl.whole(s).out].items); n != 4 {
			t.Errorf("%d pieces, want 4: writes go together", n)
		}
	})
	tl.wantWire(s, "head <a><b> tail!")
	if n := tl.k.Sends() - sends; n != 1 || tl.Stats.BytesOut != 17 {
		t.Errorf("%d sends, %d bytes", n, tl.Stats.BytesOut)
	}
	tl.wantFates([]uint32{1, 2}, record.Delivered)
	tl.end()
}

// whole is all of the record of a side.
func (tl *testLoop) whole(s *side) *conn { return tl.records.At(s.slot) }

func TestWhatLeavesIsWhatWasQueuedInOrder(t *testing.T) {
	weather := map[string]simkernel.Options{
		"fair":         {SendBuffer: 1 << 20},
		"small":        {SendBuffer: 700},
		"rough":        simkernel.Rough(),
		"byte by byte": {ShortSend: 1},
		"refusing":     {Refuse: 0.7, Delay: 2},
	}
	for name, o := range weather {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				wireOrder(t, seed, o)
			}
		})
	}
}

func wireOrder(t *testing.T, seed uint64, o simkernel.Options) {
	tl := seeded(t, seed, o, Config{QueueBytes: 1 << 20})
	rng := rand.New(rand.NewPCG(seed, 1))
	s := tl.connect()
	var want strings.Builder
	for range 12 {
		tl.do(func() {
			for range rng.IntN(12) {
				text := strings.Repeat(string(rune('a'+rng.IntN(26))), 1+rng.IntN(1<<rng.IntN(13)))
				if rng.IntN(3) == 0 {
					tl.Write(s.slot, []byte(text))
					want.WriteString(text)
				} else {
					tl.push(s, text)
					want.WriteString("<" + text + ">")
				}
			}
		})
		if rng.IntN(3) == 0 {
			tl.ticks(rng.IntN(10))
		}
	}
	tl.rest()
	if got := s.read(); got != want.String() {
		t.Errorf("seed %d: the wire differs after %d of %d bytes", seed, same(got, want.String()), want.Len())
	}
	tl.end()
}

func same(a, b string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// Every send of a scenario is refused once, and in another run reset.
func TestEveryKthSendRefusedOrReset(t *testing.T) {
	play := func(o simkernel.Options) (tl *testLoop, s *side) {
		tl = newLoop(t, o, Config{})
		s = tl.connect()
		for i := range 6 {
			tl.do(func() {
				if !s.open {
					return
				}
				tl.Write(s.slot, []byte("head:"))
				tl.push(s, fmt.Sprint(i))
				tl.push(s, strings.Repeat("x", 6000))
			})
		}
		tl.rest()
		return tl, s
	}
	first, s := play(simkernel.Options{})
	want, sends, ops := s.read(), first.k.Sends(), first.k.Ops()
	first.end()
	for k := 1; k <= sends; k++ {
		tl, s := play(simkernel.Options{EAGAINAt: k})
		tl.wantWire(s, want)
		pending := 0
		for _, f := range tl.fates {
			if f[0] == record.Pending {
				pending++
			}
		}
		if pending != 2 {
			t.Errorf("send %d refused: %d messages pending, want the 2 of its tick", k, pending)
		}
		tl.end()
	}
	for k := 1; k <= ops; k++ {
		tl, s := play(simkernel.Options{ResetAt: k})
		if got := s.read(); !strings.HasPrefix(want, got) {
			t.Errorf("reset at %d: the wire is no beginning of what was sent", k)
		}
		if tl.Stats.Closed[record.ReasonReset] != 1 {
			t.Errorf("reset at %d: %v", k, s.events)
		}
		tl.end()
	}
}

func TestMoreThanOneCallCarriesIsDeliveredInTheSameTick(t *testing.T) {
	tl := newLoop(t, simkernel.Options{SendBuffer: 1 << 20}, Config{})
	s := tl.connect()
	var tickets []uint32
	tl.do(func() {
		for range 3 * partsPerSend {
			tickets = append(tickets, tl.push(s, "m"))
		}
	})
	tl.wantFates(tickets, record.Delivered)
	tl.wantWire(s, strings.Repeat("<m>", 3*partsPerSend))
	tl.end()
}

func TestWhatIsBehindABegunMessageLeavesWithItsRest(t *testing.T) {
	tl := newLoop(t, simkernel.Options{SendBuffer: 100_000}, Config{QueueBytes: 1 << 20})
	s := tl.connect()
	s.peer.Stall()
	tl.do(func() {
		tl.push(s, strings.Repeat("b", 100_010))
		for range 3 * partsPerSend {
			tl.push(s, "m")
		}
	})
	s.peer.Resume()
	tl.Tick()
	if n := tl.Queued(s.slot); n != 0 {
		t.Errorf("%d bytes wait after a tick in which the socket took all", n)
	}
	tl.end()
}

func TestLargeMessagesGoByVectorAndSmallByCopy(t *testing.T) {
	f := func(size, messages, vectors int) {
		t.Helper()
		tl := newLoop(t, simkernel.Options{SendBuffer: 1 << 20}, Config{})
		s := tl.connect()
		text := strings.Repeat("z", size)
		tl.do(func() {
			for range messages {
				tl.push(s, text)
			}
		})
		tl.rest()
		tl.wantWire(s, strings.Repeat("<"+text+">", messages))
		if tl.k.vectors != vectors {
			t.Errorf("%d messages of %d bytes: %d calls of Sendv, want %d", messages, size, tl.k.vectors, vectors)
		}
		tl.end()
	}
	f(10, 1, 0)
	f(10, 10, 0)
	f(4096, 1, 0)
	f(4097, 1, 0)
	f(4097, 3, 0)
	f(4000, 4, 0)
	f(5000, 4, 1)
	f(100_000, 1, 1)
	f(500_000, 2, 2) // the first makes room for the second
}

func TestDrainedComesOnceAndOnlyWhenAsked(t *testing.T) {
	tl := newLoop(t, simkernel.Options{SendBuffer: 100}, Config{})
	s := tl.connect()
	tl.do(func() { tl.Write(s.slot, []byte("x")) })
	tl.wantEvents(s, "opened")
	s.peer.Stall()
	tl.do(func() { tl.Write(s.slot, make([]byte, 500)); tl.WantDrained(s.slot) })
	tl.ticks(5)
	tl.wantEvents(s, "opened")
	s.peer.Resume()
	tl.rest()
	tl.wantEvents(s, "opened drained")
	tl.do(func() { tl.WantDrained(s.slot) })
	tl.wantEvents(s, "opened drained drained")
	tl.end()
}

func TestAnEmptyMessageIsDelivered(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	tl.do(func() {
		p := payload("")
		f := p.Frame(1, func(dst []byte, _ *mem.Payload) ([]byte, int) { return dst, -1 })
		if fate := tl.Push(s.slot, p, f, 99); fate != record.Delivered {
			t.Errorf("fate %v", fate)
		}
		p.Release()
	})
	tl.end()
}

func TestErrorsOfSending(t *testing.T) {
	f := func(err unix.Errno, want string, fate record.Fate, fatal bool) {
		t.Run(err.Error(), func(t *testing.T) {
			tl := newLoop(t, simkernel.Options{}, Config{})
			s, neighbour := tl.connect(), tl.connect()
			tl.k.fail["Send"] = err
			tl.do(func() { tl.push(s, "m") })
			tl.k.fail = map[string]error{}
			tl.wantEvents(s, want)
			tl.wantEvents(neighbour, "opened")
			tl.wantFates([]uint32{1}, fate)
			if (tl.fatal != nil) != fatal {
				t.Errorf("fatal: %v", tl.fatal)
			}
			tl.fatal = nil
			tl.end()
		})
	}
	f(unix.EAGAIN, "opened", record.Pending, false)
	f(unix.EPIPE, "opened reset", record.DroppedGone, false)
	f(unix.ECONNRESET, "opened reset", record.DroppedGone, false)
	f(unix.ENOBUFS, "opened internal", record.DroppedGone, false)
	f(unix.EBADF, "opened internal", record.DroppedGone, true)
}

func TestErrorsOfEpoll(t *testing.T) {
	tl := newLoop(t, simkernel.Options{SendBuffer: 10}, Config{})
	s := tl.connect()
	s.peer.Stall()
	tl.k.fail["Mod"] = unix.ENOMEM
	tl.do(func() { tl.push(s, "does not fit there") })
	tl.wantEvents(s, "opened internal")
	tl.wantFates([]uint32{1}, record.Pending)
	tl.k.fail["Wait"] = unix.EBADF
	if err := tl.Run(); !errors.Is(err, unix.EBADF) || !strings.Contains(err.Error(), "cannot wait") {
		t.Errorf("Run: %v", err)
	}
	tl.fatal = nil
	tl.end()
}

func TestABlockedSocketIsNotAskedAgainBeforeItSaysSo(t *testing.T) {
	tl := newLoop(t, simkernel.Options{SendBuffer: 100}, Config{})
	s := tl.connect()
	s.peer.Stall()
	tl.do(func() { tl.Write(s.slot, make([]byte, 200)) })
	sends, mods := tl.k.Sends(), tl.k.mods
	for range 10 {
		tl.do(func() { tl.push(s, "m") })
	}
	if n := tl.k.Sends() - sends; n != 0 || tl.k.mods != mods {
		t.Errorf("%d vain sends, %d calls of Mod", n, tl.k.mods-mods)
	}
	s.peer.Resume()
	tl.rest()
	tl.wantWire(s, string(make([]byte, 200))+strings.Repeat("<m>", 10))
	if r := tl.whole(s); r.mask != epoll.In|epoll.RdHup || r.out != 0 {
		t.Errorf("mask %x and queue %d after everything was sent", r.mask, r.out)
	}
	tl.end()
}

package loop

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// lines is a session's Received that uses whole lines only.
func lines(b []byte) int { return bytes.LastIndexByte(b, '\n') + 1 }

func TestInputIsKeptUntilItIsWhole(t *testing.T) {
	const text = "one\ntwo\nthree and a half"
	for split := range len(text) {
		tl := newLoop(t, simkernel.Options{}, Config{})
		s := tl.connect()
		s.take = lines
		for _, piece := range []string{text[:split], text[split:], "\n"} {
			s.peer.Write([]byte(piece))
			tl.Tick()
		}
		if string(s.got) != text+"\n" || tl.Kept(s.slot) != 0 {
			t.Errorf("split at %d: got %q, %d kept", split, s.got, tl.Kept(s.slot))
		}
		tl.end()
	}
}

func TestKeptInputGrowsByteByByte(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	s.take = lines
	want := strings.Repeat("0123456789", 200)
	for i := range want {
		s.peer.Write([]byte{want[i]})
		if tl.Tick(); tl.Kept(s.slot) != i+1 {
			t.Fatalf("after %d bytes %d are kept", i+1, tl.Kept(s.slot))
		}
	}
	s.peer.Write([]byte("\nrest"))
	tl.Tick()
	if string(s.got) != want+"\n" || tl.Kept(s.slot) != 4 || tl.Gauge().KeptInputs != 1 {
		t.Errorf("got %d bytes, kept %d", len(s.got), tl.Kept(s.slot))
	}
	s.peer.Reset()
	tl.Tick()
	tl.end()
}

func TestInputThatNobodyUsesEndsTheConnection(t *testing.T) {
	tl := newLoop(t, simkernel.Options{RecvBuffer: 1 << 20}, Config{})
	s := tl.connect()
	s.take = func([]byte) int { return 0 }
	s.peer.Write(make([]byte, 2*scratchBytes))
	tl.rest()
	tl.wantEvents(s, "opened internal")
	tl.end()
}

func TestReadsAreBoundedAndBulkOnesLarger(t *testing.T) {
	f := func(flags uint16, kept, want int) {
		t.Helper()
		tl := newLoop(t, simkernel.Options{RecvBuffer: 1 << 20}, Config{ReadBytes: 1000})
		s := tl.connect()
		if kept > 0 {
			s.take = func([]byte) int { return 0 }
			s.peer.Write(make([]byte, kept))
			tl.Tick()
		}
		tl.At(s.slot).Flags = flags
		sizes := []int(nil)
		s.take = func(b []byte) int { sizes = append(sizes, len(b)); return len(b) }
		s.peer.Write(make([]byte, 10_000))
		if tl.Tick(); len(sizes) != 1 || sizes[0] != want {
			t.Errorf("flags %x, %d kept: read %v in one tick, want %d", flags, kept, sizes, want)
		}
		tl.end()
	}
	f(0, 0, 1000)
	f(record.FlagBulk, 0, 4000)
	f(0, 10, 1010)
	f(record.FlagBulk, 10, 1010)
}

func TestPausedInputWaitsAndDoesNotSpin(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	s.take = func(b []byte) int { tl.Pause(s.slot); return 1 }
	s.peer.Write([]byte("abc"))
	tl.Tick()
	s.peer.Write([]byte("def"))
	tl.Tick()
	mods := tl.k.mods
	s.peer.Write([]byte("ghi"))
	tl.ticks(20)
	if !tl.k.Idle() || tl.k.timeout >= 0 || tl.k.mods != mods {
		t.Errorf("a paused connection with bytes waiting: idle %v, timeout %v, %d calls of Mod",
			tl.k.Idle(), tl.k.timeout, tl.k.mods-mods)
	}
	if string(s.got) != "a" || tl.Kept(s.slot) != 2 {
		t.Errorf("got %q, %d kept", s.got, tl.Kept(s.slot))
	}
	s.take = nil
	tl.do(func() { tl.Resume(s.slot) })
	tl.rest()
	if string(s.got) != "abcdefghi" {
		t.Errorf("after Resume: %q", s.got)
	}
	tl.end()
}

func TestResumeWithNothingKept(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	tl.do(func() { tl.Pause(s.slot); tl.Resume(s.slot); tl.Resume(s.slot) })
	s.peer.Write([]byte("x"))
	tl.Tick()
	if string(s.got) != "x" {
		t.Errorf("got %q", s.got)
	}
	tl.end()
}

func TestResumedThenPausedAgain(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	s.take = func([]byte) int { tl.Pause(s.slot); return 0 }
	s.peer.Write([]byte("kept"))
	tl.Tick()
	s.take = nil
	tl.do(func() { tl.Resume(s.slot); tl.Pause(s.slot) })
	tl.rest()
	if len(s.got) != 0 || tl.Kept(s.slot) != 4 {
		t.Errorf("a paused session was given %q", s.got)
	}
	tl.do(func() { tl.Resume(s.slot) })
	tl.rest()
	if string(s.got) != "kept" {
		t.Errorf("got %q", s.got)
	}
	tl.end()
}

func TestResumedThenClosedInTheSameTick(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	s.take = func([]byte) int { tl.Pause(s.slot); return 0 }
	s.peer.Write([]byte("kept"))
	tl.Tick()
	tl.dial() // takes the slot in the next tick
	tl.do(func() { tl.Resume(s.slot); tl.Close(s.slot, record.ReasonDone) })
	tl.ticks(3)
	tl.wantEvents(s, "opened done")
	if next := tl.all[1]; len(next.got) != 0 {
		t.Errorf("another connection was given %q", next.got)
	}
	tl.end()
}

func TestHungUpIsToldOnceAndEndedBehindTheInput(t *testing.T) {
	f := func(name string, play func(tl *testLoop, s *side), want string) {
		t.Run(name, func(t *testing.T) {
			tl := newLoop(t, simkernel.Options{}, Config{ReadBytes: 10})
			s := tl.connect()
			s.peer.Write([]byte(strings.Repeat("x", 55)))
			s.peer.CloseWrite()
			play(tl, s)
			tl.rest()
			tl.wantEvents(s, want)
			if len(s.got) != 55 {
				t.Errorf("got %d bytes of 55", len(s.got))
			}
			tl.end()
		})
	}
	f("reading", func(*testLoop, *side) {}, "opened hungup ended")
	f("paused", func(tl *testLoop, s *side) {
		tl.Pause(s.slot)
		tl.rest()
		tl.wantEvents(s, "opened hungup")
		tl.do(func() { tl.Resume(s.slot) })
	}, "opened hungup ended")
	f("paused and resumed often", func(tl *testLoop, s *side) {
		for range 5 {
			tl.Pause(s.slot)
			tl.ticks(3)
			tl.Resume(s.slot)
			tl.Tick()
		}
		tl.rest()
		tl.Pause(s.slot)
		tl.ticks(2)
		tl.do(func() { tl.Resume(s.slot) })
	}, "opened hungup ended")
}

func TestKeptInputGoesBeforeTheEnd(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{})
	s := tl.connect()
	s.take = func([]byte) int { tl.Pause(s.slot); return 0 }
	s.peer.Write([]byte("kept"))
	tl.Tick()
	s.peer.CloseWrite()
	tl.rest()
	s.take = func(b []byte) int { s.events = append(s.events, string(b)); return len(b) }
	tl.do(func() { tl.Resume(s.slot) })
	tl.rest()
	tl.wantEvents(s, "opened hungup kept ended")
	tl.end()
}

func TestEveryEndOfAConnection(t *testing.T) {
	f := func(name string, play func(tl *testLoop, s *side), want string) {
		t.Run(name, func(t *testing.T) {
			tl := newLoop(t, simkernel.Options{}, Config{})
			s := tl.connect()
			play(tl, s)
			waits := tl.k.waits
			tl.ticks(20)
			if n := tl.k.waits - waits; !tl.k.Idle() {
				t.Errorf("the loop spins: %d waits", n)
			}
			tl.wantEvents(s, want)
			if len(s.got) != 0 {
				t.Errorf("input after the end: %q", s.got)
			}
			tl.end()
		})
	}
	f("reset", func(tl *testLoop, s *side) { s.peer.Reset() }, "opened hungup reset")
	f("reset while paused", func(tl *testLoop, s *side) {
		tl.Pause(s.slot)
		s.peer.Reset()
	}, "opened hungup reset")
	f("reset behind the end of input", func(tl *testLoop, s *side) {
		s.peer.CloseWrite()
		tl.ticks(3)
		tl.wantEvents(s, "opened hungup ended")
		s.peer.Reset()
	}, "opened hungup ended reset")
	f("both sides end in good order", func(tl *testLoop, s *side) {
		s.peer.CloseWrite()
		tl.ticks(3)
		tl.do(func() { tl.CloseAfterWrite(s.slot) })
	}, "opened hungup ended drained done")
	f("ended first by us", func(tl *testLoop, s *side) {
		tl.do(func() { tl.CloseAfterWrite(s.slot) })
		tl.ticks(3)
		s.peer.CloseWrite()
	}, "opened drained hungup ended done")
	f("closed when it hangs up", func(tl *testLoop, s *side) {
		s.on[HungUp] = func() { tl.Close(s.slot, record.ReasonGone) }
		s.peer.Write([]byte("unread"))
		s.peer.CloseWrite()
	}, "opened hungup gone")
	f("closed when it opens", func(tl *testLoop, s *side) {
		tl.do(func() { tl.Close(s.slot, record.ReasonDone); tl.Close(s.slot, record.ReasonGone) })
	}, "opened done")
	f("closed while it is read", func(tl *testLoop, s *side) {
		s.take = func(b []byte) int { tl.Close(s.slot, record.ReasonProtocol); return 0 }
		s.peer.Write([]byte("rubbish"))
	}, "opened protocol")
}

func TestErrorsOfReading(t *testing.T) {
	f := func(err unix.Errno, want string, fatal bool) {
		t.Run(err.Error(), func(t *testing.T) {
			tl := newLoop(t, simkernel.Options{}, Config{})
			s := tl.connect()
			s.peer.Write([]byte("x"))
			tl.k.fail["Read"] = err
			tl.Tick()
			tl.wantEvents(s, want)
			if (tl.fatal != nil) != fatal || tl.stopped != fatal {
				t.Errorf("fatal %v, stopped %v", tl.fatal, tl.stopped)
			}
			tl.fatal = nil
			tl.end()
		})
	}
	f(unix.EAGAIN, "opened", false)
	f(unix.ECONNRESET, "opened reset", false)
	f(unix.ETIMEDOUT, "opened reset", false)
	f(unix.ENOMEM, "opened internal", false)
	f(unix.EBADF, "opened internal", true)
}

// A session may push to others while it reads its input in place.
func TestPushingWhileReadingLeavesTheInputAlone(t *testing.T) {
	tl := newLoop(t, simkernel.Options{}, Config{QueueBytes: 300})
	to, from := tl.connect(), tl.connect()
	input := strings.Repeat("the publisher's input ", 20)
	var seen string
	from.take = func(b []byte) int {
		for i := range 10 {
			tl.push(to, fmt.Sprint(i, strings.Repeat("-", 60)))
		}
		seen = string(b)
		return len(b)
	}
	from.peer.Write([]byte(input))
	tl.Tick()
	if seen != input {
		t.Errorf("the input became %q", clip(seen))
	}
	tl.end()
}

package simkernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
)

// established is a connection that the loop's side watches with tag 1.
func established(t *testing.T, k *Kernel) (fd int, p *Peer) {
	t.Helper()
	fd, p = k.Connect()
	if err := k.Add(fd, 1, epoll.In|epoll.Out|epoll.RdHup); err != nil {
		t.Fatal(err)
	}
	return fd, p
}

func wantPanic(t *testing.T, text string, call func()) {
	t.Helper()
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, text) {
			t.Errorf("panic %q, want %q", got, text)
		}
	}()
	call()
}

// Linux would answer EBADF, or worse, reach whoever has the number now.
func TestClosedDescriptorPanics(t *testing.T) {
	f := func(call string, use func(k *Kernel, fd int)) {
		t.Helper()
		k := New(1, Options{})
		fd, _ := k.Connect()
		k.Close(fd, epoll.Now)
		want := fmt.Sprintf("%s of closed fd %d", call, fd)
		wantPanic(t, want, func() { use(k, fd) })
		wantPanic(t, call+" of closed fd -1", func() { use(k, -1) })
		wantPanic(t, call+" of closed fd 99", func() { use(k, 99) })
	}
	f("Add", func(k *Kernel, fd int) { k.Add(fd, 1, 0) })
	f("Mod", func(k *Kernel, fd int) { k.Mod(fd, 1, 0) })
	f("Del", func(k *Kernel, fd int) { k.Del(fd) })
	f("Accept", func(k *Kernel, fd int) { k.Accept(fd) })
	f("Read", func(k *Kernel, fd int) { k.Read(fd, nil) })
	f("Send", func(k *Kernel, fd int) { k.Send(fd, nil) })
	f("Sendv", func(k *Kernel, fd int) { k.Sendv(fd, nil) })
	f("Close", func(k *Kernel, fd int) { k.Close(fd, epoll.Now) })
	f("Close", func(k *Kernel, fd int) { k.Close(fd, epoll.Write) })
	f("Dial", func(k *Kernel, fd int) { k.Dial(fd) })

	k := New(1, Options{})
	wantPanic(t, "Read of listener 3", func() { k.Read(k.Listen(), nil) })
}

// The lowest number is the next, so a number kept too long is soon a stranger's.
func TestDescriptorsAreReused(t *testing.T) {
	k := New(1, Options{})
	for want := 3; want < 7; want++ {
		if got := k.Listen(); got != want {
			t.Fatalf("opened %d, want %d", got, want)
		}
	}
	k.Close(5, epoll.Now)
	k.Close(3, epoll.Now)
	if got := k.Leaks(); !slices.Equal(got, []int{4, 6}) {
		t.Errorf("open: %v", got)
	}
	for _, want := range []int{3, 5, 7} {
		if got, _ := k.Connect(); got != want {
			t.Errorf("opened %d, want %d", got, want)
		}
	}
	for _, fd := range k.Leaks() {
		k.Close(fd, epoll.Now)
	}
	if got := k.Leaks(); got != nil {
		t.Errorf("open at the end: %v", got)
	}
}

func TestTimePassesInWait(t *testing.T) {
	events := make([]epoll.Event, 4)
	f := func(o Options, timeout, want time.Duration) {
		t.Helper()
		k := New(1, o)
		before := k.Now()
		if n, err := k.Wait(events, timeout); n != 0 || err != nil {
			t.Errorf("Wait(%v) = %d, %v", timeout, n, err)
		}
		if got := time.Duration(k.Now() - before); got != want+waitCosts {
			t.Errorf("Wait(%v) lets %v pass, want %v", timeout, got, want)
		}
		if k.Idle() != (timeout != 0) {
			t.Errorf("Wait(%v): Idle = %v", timeout, k.Idle())
		}
	}
	f(Options{}, 0, 0)
	f(Options{}, 1, time.Millisecond)
	f(Options{}, time.Millisecond, time.Millisecond)
	f(Options{}, 20*time.Millisecond+1, 21*time.Millisecond)
	f(Options{}, time.Hour, time.Second)
	f(Options{}, -1, time.Second)
	f(Options{Nap: time.Minute}, time.Hour, time.Minute)
	f(Options{Nap: time.Minute}, -1, time.Minute)

	k := New(1, Options{})
	before := k.Now()
	k.Advance(time.Hour)
	if k.Now()-before != int64(time.Hour) {
		t.Error("Advance does not advance")
	}
}

// With something to report, woken, or with input still on its way, no timer may believe that time has passed.
func TestTimeStandsStillWhenBusy(t *testing.T) {
	events := make([]epoll.Event, 4)
	f := func(name string, o Options, prepare func(k *Kernel)) {
		t.Helper()
		k := New(1, o)
		prepare(k)
		before := k.Now()
		k.Wait(events, time.Second)
		if k.Now()-before > int64(waitCosts) || k.Idle() {
			t.Errorf("%s: %v passed, Idle = %v", name, time.Duration(k.Now()-before), k.Idle())
		}
	}
	f("ready", Options{}, func(k *Kernel) { established(t, k) })
	f("woken", Options{}, func(k *Kernel) { k.Wake() })
	f("interrupted", Options{Interrupt: 1}, func(k *Kernel) {})
	f("more to come", Options{InputPieces: 1}, func(k *Kernel) {
		_, p := k.Connect()
		p.Write(make([]byte, 10))
	})
	f("refusing", Options{Refuse: 1, Delay: 1000}, func(k *Kernel) {
		fd, _ := k.Connect()
		k.Send(fd, []byte("x"))
	})
}

func TestIdleEndsWhenSomebodyActs(t *testing.T) {
	f := func(name string, act func(k *Kernel, p *Peer)) {
		t.Helper()
		k := New(1, Options{})
		_, p := k.Connect()
		k.Wait(make([]epoll.Event, 1), time.Second)
		if !k.Idle() {
			t.Fatal("not idle at first")
		}
		act(k, p)
		if k.Idle() {
			t.Errorf("idle after %s", name)
		}
	}
	f("Write", func(_ *Kernel, p *Peer) { p.Write([]byte("x")) })
	f("CloseWrite", func(_ *Kernel, p *Peer) { p.CloseWrite() })
	f("Close", func(_ *Kernel, p *Peer) { p.Close() })
	f("Reset", func(_ *Kernel, p *Peer) { p.Reset() })
	f("Drain", func(_ *Kernel, p *Peer) { p.Drain(1) })
	f("Resume", func(_ *Kernel, p *Peer) { p.Resume() })
	f("Dial", func(k *Kernel, _ *Peer) { k.Dial(k.Listen()) })
	f("Advance", func(k *Kernel, _ *Peer) { k.Advance(1) })
	f("Wake", func(k *Kernel, _ *Peer) { k.Wake() })
}

func TestEventsAreShuffledAndCut(t *testing.T) {
	const conns = 6
	firsts := make(map[uint64]int)
	events := make([]epoll.Event, 2)
	k := New(7, Options{})
	for tag := range uint64(conns) {
		fd, _ := k.Connect()
		if err := k.Add(fd, tag, epoll.Out); err != nil {
			t.Fatal(err)
		}
	}
	for range 600 {
		if n, err := k.Wait(events, 0); n != 2 || err != nil || events[0].Tag() == events[1].Tag() {
			t.Fatalf("Wait = %d, %v, tags %d and %d", n, err, events[0].Tag(), events[1].Tag())
		}
		firsts[events[0].Tag()]++
	}
	for tag := range uint64(conns) {
		if firsts[tag] < 50 {
			t.Errorf("tag %d comes first in %d of 600", tag, firsts[tag])
		}
	}
}

func TestConnect(t *testing.T) {
	k := New(1, Options{})
	fd, p := k.Connect()
	if n, err := k.Send(fd, []byte("GET /")); n != 5 || err != nil {
		t.Errorf("Send = %d, %v", n, err)
	}
	p.Write([]byte("200"))
	b := make([]byte, 8)
	if n, err := k.Read(fd, b); string(b[:n]) != "200" || err != nil {
		t.Errorf("Read = %q, %v", b[:n], err)
	}
	if got := p.Read(); string(got) != "GET /" {
		t.Errorf("the peer got %q", got)
	}
}

func TestAcceptLimits(t *testing.T) {
	k := New(1, Options{MaxFiles: 3})
	l := k.Listen()
	accept := func(want unix.Errno) {
		t.Helper()
		if fd, err := k.Accept(l); want == 0 && err != nil || want != 0 && (err != want || fd != -1) {
			t.Errorf("Accept = %d, %v; want %v", fd, err, want)
		}
	}
	accept(unix.EAGAIN)
	peers := make([]*Peer, 4)
	for i := range peers {
		peers[i] = k.Dial(l)
	}

	k.FailAccepts(2, unix.ENFILE)
	accept(unix.ENFILE)
	accept(unix.ENFILE)
	k.FailAccepts(1, unix.ECONNABORTED)
	accept(unix.ECONNABORTED) // peers[0] is gone
	accept(0)
	accept(0)
	accept(unix.EMFILE)
	k.Close(4, epoll.Now)
	accept(0)
	k.Close(5, epoll.Now)
	accept(unix.EAGAIN)

	for i, want := range []How{Rst, Fin, Fin, Open} {
		if _, got := peers[i].Closed(); got != want {
			t.Errorf("peer %d is %v, want %v", i, got, want)
		}
	}
}

func TestClosingListenerResetsBacklog(t *testing.T) {
	k := New(1, Options{})
	l := k.Listen()
	p := k.Dial(l)
	p.Write([]byte("hello"))
	k.Close(l, epoll.Now)
	if closed, how := p.Closed(); !closed || how != Rst {
		t.Errorf("a client in the backlog is %v, %v", closed, how)
	}
}

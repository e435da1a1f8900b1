package simkernel

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
)

// kernel is what the loop asks for, and what the fake must do as the real one does.
type kernel interface {
	Add(fd int, tag uint64, mask uint32) error
	Mod(fd int, tag uint64, mask uint32) error
	Del(fd int) error
	Wait(events []epoll.Event, timeout time.Duration) (int, error)
	Wake()
	Accept(listener int) (fd int, err error)
	Read(fd int, b []byte) (int, error)
	Send(fd int, b []byte) (int, error)
	Sendv(fd int, parts [][]byte) (int, error)
	Close(fd int, how epoll.Closing)
	Now() int64
}

var (
	_ kernel = (*epoll.Kernel)(nil)
	_ kernel = (*Kernel)(nil)
)

// client is the Peer's verbs, over the fake or over a real socket.
type client interface {
	Write(b []byte)
	Read() []byte
	Closed() (bool, How)
	CloseWrite()
	Close()
	Reset()
	Stall()
	Resume()
}

// socketClient is a client on loopback. The system takes for it what it does not Read.
type socketClient struct {
	t   *testing.T
	k   *epoll.Kernel
	fd  int
	end How
}

func (c *socketClient) Write(b []byte) {
	// The other side may have reset: a write that fails then is one that a Peer would have lost.
	if n, err := c.k.Send(c.fd, b); n != len(b) && epoll.Classify(err) != epoll.CloseConn {
		c.t.Fatalf("client sent %d of %d bytes: %v", n, len(b), err)
	}
}

func (c *socketClient) Read() []byte {
	var all []byte
	b := make([]byte, 64<<10)
	for {
		n, err := c.k.Read(c.fd, b)
		all = append(all, b[:n]...)
		switch {
		case err == unix.EAGAIN:
			return all
		case err != nil:
			c.end = Rst
			return all
		case n == 0:
			c.end = max(c.end, Fin)
			return all
		}
	}
}

func (c *socketClient) Closed() (bool, How) { return c.end != Open, c.end }
func (c *socketClient) CloseWrite()         { c.k.Close(c.fd, epoll.Write) }
func (c *socketClient) Close()              { c.k.Close(c.fd, epoll.Now); c.fd = -1 }
func (c *socketClient) Reset()              { c.k.Close(c.fd, epoll.Reset); c.fd = -1 }
func (c *socketClient) Stall()              {}
func (c *socketClient) Resume()             {}

// world is one kernel, one listener, and a way to connect to it.
type world struct {
	t        *testing.T
	k        kernel
	listener int
	dial     func() client
	rest     func() // gives the network time between two looks

	fd int    // the connection that the verbs below are about
	p  client // its other end
}

func realWorld(t *testing.T) *world {
	k, err := epoll.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Free)
	listener, at, err := epoll.Listen(netip.MustParseAddrPort("127.0.0.1:0"), epoll.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dial := func() client {
		fd, err := epoll.Connect(netip.Addr{}, at)
		if err != nil {
			t.Fatal(err)
		}
		c := &socketClient{t: t, k: k, fd: fd}
		t.Cleanup(func() {
			if c.fd >= 0 {
				unix.Close(c.fd)
			}
		})
		return c
	}
	return &world{t: t, k: k, listener: listener, dial: dial, rest: func() { time.Sleep(time.Millisecond) }}
}

func fakeWorld(t *testing.T, seed uint64, o Options) *world {
	k := New(seed, o)
	listener := k.Listen()
	return &world{t: t, k: k, listener: listener, dial: func() client { return k.Dial(listener) }, rest: func() {}}
}

// eventually tries again until done says so.
func (w *world) eventually(done func() bool) bool {
	for range 5000 {
		if done() {
			return true
		}
		w.rest()
	}
	return false
}

func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	if !w.eventually(done) {
		w.t.Fatal(what)
	}
}

// look is one Wait: what it says of this tag.
func (w *world) look(tag uint64) (mask uint32) {
	events := make([]epoll.Event, 8)
	n, err := w.k.Wait(events, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range events[:n] {
		if events[i].Tag() == tag {
			mask = events[i].Mask()
		}
	}
	return mask
}

// shows waits until exactly this is reported of the connection, twice: level-triggered, it stays.
func (w *world) shows(mask uint32) {
	w.t.Helper()
	var got uint32
	for range 2 {
		if !w.eventually(func() bool { got = w.look(1); return got == mask }) {
			w.t.Fatalf("events %#x, want %#x", got, mask)
		}
	}
}

// accept takes a connection, with everything watched.
func (w *world) accept() {
	w.t.Helper()
	w.until("nobody to accept", func() bool {
		fd, err := w.k.Accept(w.listener)
		if err != nil && err != unix.EAGAIN {
			w.t.Fatal(err)
		}
		w.fd = fd
		return err == nil
	})
	if err := w.k.Add(w.fd, 1, epoll.In|epoll.Out|epoll.RdHup); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) watch(mask uint32) {
	if err := w.k.Mod(w.fd, 1, mask); err != nil {
		w.t.Fatal(err)
	}
}

// reads takes all of want, and no more.
func (w *world) reads(want string) {
	w.t.Helper()
	var got []byte
	w.until(fmt.Sprintf("no %q to read", want), func() bool {
		b := make([]byte, len(want)-len(got))
		n, err := w.k.Read(w.fd, b)
		if err != nil && err != unix.EAGAIN || n == 0 && err == nil {
			w.t.Fatalf("Read = %d, %v after %q of %q", n, err, got, want)
		}
		got = append(got, b[:n]...)
		w.look(0)
		return len(got) == len(want)
	})
	if string(got) != want {
		w.t.Errorf("read %q, want %q", got, want)
	}
}

// fails is a Read that moves nothing: nil is the end of input.
func (w *world) fails(want error) {
	w.t.Helper()
	if n, err := w.k.Read(w.fd, make([]byte, 8)); n != 0 || !errors.Is(err, want) {
		w.t.Errorf("Read = %d, %v; want %v", n, err, want)
	}
}

// sends puts all of s into the connection.
func (w *world) sends(s string) {
	w.t.Helper()
	rest := []byte(s)
	w.until("cannot send", func() bool {
		n, err := w.k.Send(w.fd, rest)
		if err != nil && err != unix.EAGAIN {
			w.t.Fatal(err)
		}
		rest = rest[n:]
		w.look(0)
		return len(rest) == 0
	})
}

func (w *world) sendFails(want error) {
	w.t.Helper()
	if n, err := w.k.Send(w.fd, []byte("x")); n != 0 || err != want {
		w.t.Errorf("Send = %d, %v; want %v", n, err, want)
	}
}

// hears waits until the client has got this, and this end of it.
func (w *world) hears(want string, end How) {
	w.t.Helper()
	var got []byte
	var how How
	if !w.eventually(func() bool {
		got = append(got, w.p.Read()...)
		_, how = w.p.Closed()
		return string(got) == want && how == end
	}) {
		w.t.Fatalf("client has %q and is %v, want %q and %v", got, how, want, end)
	}
}

// fill sends until the system takes no more and says so, and returns what it took.
func (w *world) fill() []byte {
	w.t.Helper()
	var sent []byte
	block := make([]byte, 32<<10)
	w.until("never full", func() bool {
		for i := range block {
			block[i] = byte(len(sent) + i>>3)
		}
		n, err := w.k.Send(w.fd, block)
		if err != nil && err != unix.EAGAIN {
			w.t.Fatal(err)
		}
		sent = append(sent, block[:n]...)
		refused := err == unix.EAGAIN
		for range 8 { // in bad weather a refusal may wear off
			refused = refused && w.look(1) == 0
		}
		return refused
	})
	return sent
}

// everywhere runs a scenario in reality, in the fake at its best, and in the fake at its worst.
func everywhere(t *testing.T, scenario func(w *world)) {
	t.Helper()
	run := func(name string, build func(t *testing.T) *world) {
		t.Run(name, func(t *testing.T) {
			w := build(t)
			w.p = w.dial()
			scenario(w)
			if w.fd > 0 {
				w.k.Close(w.fd, epoll.Now)
			}
			w.k.Close(w.listener, epoll.Now)
			if sim, ok := w.k.(*Kernel); ok && len(sim.Leaks()) > 0 {
				t.Errorf("open at the end: %v", sim.Leaks())
			}
		})
	}
	run("linux", realWorld)
	run("fake", func(t *testing.T) *world { return fakeWorld(t, 1, Options{}) })
	for seed := range uint64(20) {
		run(fmt.Sprint("rough", seed), func(t *testing.T) *world { return fakeWorld(t, seed, Rough()) })
	}
}

// same says whether the client got exactly these bytes.
func (w *world) same(want []byte) {
	w.t.Helper()
	var got []byte
	w.until("the client waits for more", func() bool {
		got = append(got, w.p.Read()...)
		w.look(0)
		return len(got) >= len(want)
	})
	if !bytes.Equal(got, want) {
		w.t.Errorf("the client got %d bytes that differ from the %d sent", len(got), len(want))
	}
}

package simkernel

import (
	"bytes"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
)

func TestInputPieces(t *testing.T) {
	f := func(pieces int) {
		t.Helper()
		k := New(3, Options{InputPieces: pieces})
		fd, p := established(t, k)
		sent := bytes.Repeat([]byte("0123456789"), 20)
		p.Write(sent)
		p.CloseWrite()
		var got []byte
		var sizes []int
		b := make([]byte, 512)
		for waits := 0; ; waits++ {
			k.Wait(make([]epoll.Event, 1), 0)
			n, err := k.Read(fd, b)
			if n == 0 && err == nil {
				break
			}
			if n > pieces || waits > 2000 {
				t.Fatalf("pieces of at most %d: %d arrived at once, %d Waits", pieces, n, waits)
			}
			if n > 0 {
				sizes = append(sizes, n)
				got = append(got, b[:n]...)
			}
			if _, err := k.Read(fd, b); err != unix.EAGAIN && len(got) < len(sent) {
				t.Fatalf("the end comes after %d of %d bytes: %v", len(got), len(sent), err)
			}
		}
		slices.Sort(sizes)
		if !bytes.Equal(got, sent) || len(slices.Compact(sizes)) != pieces {
			t.Errorf("pieces of at most %d: %d bytes in sizes %v", pieces, len(got), sizes)
		}
	}
	f(1)
	f(2)
	f(5)
}

func TestReceiveBufferIsBounded(t *testing.T) {
	k := New(1, Options{RecvBuffer: 100})
	fd, p := established(t, k)
	p.Write(make([]byte, 250))
	if got := p.Unsent(); got != 150 {
		t.Errorf("%d bytes unsent, want 150", got)
	}
	if n, _ := k.Read(fd, make([]byte, 40)); n != 40 || p.Unsent() != 110 {
		t.Errorf("after a Read of %d: %d unsent, want 110", n, p.Unsent())
	}
	if n, _ := k.Read(fd, make([]byte, 500)); n != 100 || p.Unsent() != 10 {
		t.Errorf("after a Read of %d: %d unsent, want 10", n, p.Unsent())
	}
}

func TestStallAndDrain(t *testing.T) {
	k := New(1, Options{SendBuffer: 90})
	fd, p := established(t, k)
	events := make([]epoll.Event, 1)
	send := func(size, want int, wantErr error) {
		t.Helper()
		if n, err := k.Send(fd, make([]byte, size)); n != want || err != wantErr {
			t.Errorf("Send of %d = %d, %v; want %d, %v", size, n, err, want, wantErr)
		}
	}
	ready := func(want bool) {
		t.Helper()
		if n, _ := k.Wait(events, 0); (n == 1) != want {
			t.Errorf("ready to send: %v, want %v", n == 1, want)
		}
	}
	p.Stall()
	send(60, 60, nil)
	ready(true)
	send(60, 30, nil)
	send(1, 0, unix.EAGAIN)
	ready(false)
	if got := p.Drain(29); got != 29 {
		t.Errorf("drained %d", got)
	}
	ready(false) // there is room, and a send would do, but Linux waits for a third of the buffer
	send(2, 2, nil)
	p.Drain(3)
	ready(true)
	if got := len(p.Read()); got != 32 {
		t.Errorf("the peer got %d bytes", got)
	}
	k.Close(fd, epoll.Now)
	if closed, _ := p.Closed(); closed {
		t.Error("the end overtakes what the peer has not taken")
	}
	p.Drain(1)
	if closed, _ := p.Closed(); closed {
		t.Error("the end overtakes what the peer has not taken all of")
	}
	p.Resume()
	if _, how := p.Closed(); how != Fin || len(p.Read()) != 60 {
		t.Errorf("the peer is %v and has not got all", how)
	}
}

// A peer that has reset hears no more, whatever the loop does.
func TestNothingReachesPeerAfterReset(t *testing.T) {
	f := func(name string, last func(k *Kernel, fd int)) {
		t.Helper()
		k := New(1, Options{})
		fd, p := established(t, k)
		p.Stall()
		if n, err := k.Send(fd, []byte("on its way")); n != 10 || err != nil {
			t.Fatalf("Send = %d, %v", n, err)
		}
		p.Reset()
		last(k, fd)
		p.Resume()
		p.Write([]byte("lost"))
		if closed, how := p.Closed(); closed || len(p.Read()) > 0 || p.Unsent() > 0 {
			t.Errorf("%s: the peer is %v, or got something", name, how)
		}
	}
	f("nothing", func(*Kernel, int) {})
	f("Send", func(k *Kernel, fd int) { k.Send(fd, []byte("x")); k.Send(fd, []byte("x")) })
	f("Write", func(k *Kernel, fd int) { k.Close(fd, epoll.Write) })
	f("Now", func(k *Kernel, fd int) { k.Close(fd, epoll.Now) })
	f("Reset", func(k *Kernel, fd int) { k.Close(fd, epoll.Reset) })
}

// Every send of a conversation is refused once, each in a run of its own.
func TestEAGAINAtEverySend(t *testing.T) {
	for at := 1; ; at++ {
		k := New(1, Options{EAGAINAt: at})
		fd, p := established(t, k)
		refused := 0
		for i := range 5 {
			for {
				n, err := k.Send(fd, []byte{byte('0' + i)})
				if n == 1 {
					break
				}
				if err != unix.EAGAIN {
					t.Fatal(err)
				}
				refused++
				if k.sends != at {
					t.Errorf("send %d is refused, not %d", k.sends, at)
				}
				if _, err := k.Send(fd, []byte("x")); err != unix.EAGAIN {
					t.Errorf("sent to a socket that has just refused: %v", err)
				}
				if n, _ := k.Wait(make([]epoll.Event, 1), 0); n != 1 {
					t.Error("it stays refused")
				}
			}
		}
		if got := string(p.Read()); got != "01234" {
			t.Errorf("the peer got %q", got)
		}
		if at > k.Sends() {
			if refused != 0 || at != 6 {
				t.Errorf("ended at send %d, refused %d", at, refused)
			}
			return
		}
		if refused != 1 {
			t.Errorf("send %d was refused %d times", at, refused)
		}
	}
}

// The same for resets: before every operation once.
func TestResetAtEveryOperation(t *testing.T) {
	f := func(at int, wantSends, wantReads int) {
		t.Helper()
		k := New(1, Options{ResetAt: at})
		fd, p := established(t, k)
		p.Write([]byte("ab"))
		b := make([]byte, 1)
		sends, reads := 0, 0
		for range 2 {
			if _, err := k.Send(fd, b); err == nil {
				sends++
			}
			if _, err := k.Read(fd, b); err == nil {
				reads++
			}
		}
		if sends != wantSends || reads != wantReads || k.Ops() != 4 {
			t.Errorf("reset at %d: %d sends, %d reads of %d operations", at, sends, reads, k.Ops())
		}
		if _, how := p.Closed(); (how == Rst) != (at <= 4) {
			t.Errorf("reset at %d: the peer is %v", at, how)
		}
		p.Write([]byte("into the void"))
	}
	f(1, 0, 2) // what had arrived is still read
	f(2, 1, 2)
	f(3, 1, 2)
	f(4, 2, 2)
	f(5, 2, 2)
}

// A reset is on its way for a while, and may overtake input.
func TestResetInBadWeather(t *testing.T) {
	lost, whole := 0, 0
	for seed := range uint64(200) {
		k := New(seed, Options{InputPieces: 4})
		fd, p := established(t, k)
		p.Write([]byte("12345678"))
		p.Reset()
		var got []byte
		b := make([]byte, 16)
		for {
			k.Wait(make([]epoll.Event, 1), 0)
			n, err := k.Read(fd, b)
			got = append(got, b[:n]...)
			if err == unix.ECONNRESET {
				break
			}
		}
		if !bytes.HasPrefix([]byte("12345678"), got) {
			t.Fatalf("received %q", got)
		}
		if len(got) == 8 {
			whole++
		} else {
			lost++
		}
	}
	if lost < 20 || whole < 20 {
		t.Errorf("of 200 conversations %d lost input to the reset, %d did not", lost, whole)
	}
}

func TestPeerMisuse(t *testing.T) {
	k := New(1, Options{})
	_, p := k.Connect()
	p.CloseWrite()
	wantPanic(t, "after its end", func() { p.Write([]byte("x")) })
	if Open.String() == Fin.String() || Fin.String() == Rst.String() {
		t.Error("two ends have one name")
	}
}

package epoll

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func accept(t *testing.T, k *Kernel, listener int) int {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		fd, err := k.Accept(listener)
		if err == nil {
			return fd
		}
		if err != unix.EAGAIN {
			t.Fatal(err)
		}
	}
	t.Fatal("nobody to accept")
	return -1
}

// pair is a connection over loopback, both ends of it.
func pair(t *testing.T, k *Kernel) (server, client int) {
	t.Helper()
	listener, at, err := Listen(loopback4, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(listener)
	client, err = Connect(loopback4.Addr(), at)
	if err != nil {
		t.Fatal(err)
	}
	server = accept(t, k, listener)
	t.Cleanup(func() {
		for _, fd := range []int{server, client} { // a test that closed one may see EBADF here: nothing opens files meanwhile
			unix.Close(fd)
		}
	})
	return server, client
}

func mustSend(t *testing.T, k *Kernel, fd int, s string) {
	t.Helper()
	if n, err := k.Send(fd, []byte(s)); n != len(s) || err != nil {
		t.Fatalf("Send = %d, %v", n, err)
	}
}

// readAll reads until the end of input or an error other than EAGAIN.
func readAll(t *testing.T, k *Kernel, fd int) ([]byte, error) {
	t.Helper()
	var all []byte
	b := make([]byte, 64<<10)
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		n, err := k.Read(fd, b)
		all = append(all, b[:n]...)
		switch {
		case err == unix.EAGAIN:
			time.Sleep(time.Millisecond)
		case n == 0 || err != nil:
			return all, err
		}
	}
	t.Fatal("input does not end")
	return nil, nil
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestAcceptedSocket(t *testing.T) {
	k := newKernel(t)
	server, _ := pair(t, k)
	f := func(name string, got int, err error, want int) {
		t.Helper()
		if err != nil || got&want != want {
			t.Errorf("%s = %#x, %v; want %#x", name, got, err, want)
		}
	}
	v, err := unix.FcntlInt(uintptr(server), unix.F_GETFL, 0)
	f("flags", v, err, unix.O_NONBLOCK)
	v, err = unix.FcntlInt(uintptr(server), unix.F_GETFD, 0)
	f("descriptor flags", v, err, unix.FD_CLOEXEC)
	v, err = unix.GetsockoptInt(server, unix.IPPROTO_TCP, unix.TCP_NODELAY)
	f("TCP_NODELAY", v, err, 1)
}

func TestAcceptErrors(t *testing.T) {
	k := newKernel(t)
	listener, _ := listenOn(t, loopback4, Options{})
	server, _ := pair(t, k)
	f := func(fd int, want error, class ErrorClass) {
		t.Helper()
		got, err := k.Accept(fd)
		if got != -1 || err != want || Classify(err) != class {
			t.Errorf("Accept = %d, %v (%v); want %v (%v)", got, err, Classify(err), want, class)
		}
	}
	f(listener, unix.EAGAIN, Retry)
	f(server, unix.EINVAL, StopLoop)
	f(-1, unix.EBADF, StopLoop)
	f(k.epfd, unix.ENOTSOCK, StopLoop)
}

// With no descriptor left the connection stays in the backlog, and is there when one is free again.
func TestAcceptExhausted(t *testing.T) {
	k := newKernel(t)
	listener, at := listenOn(t, loopback4, Options{})
	dial(t, at)
	if err := k.Add(listener, 7, In); err != nil {
		t.Fatal(err)
	}
	await(t, k, 7, In)

	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	next, err := unix.Dup(listener)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(next)
	tight := unix.Rlimit{Cur: uint64(next), Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &tight); err != nil {
		t.Fatal(err)
	}
	_, err = k.Accept(listener)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err != unix.EMFILE || Classify(err) != Exhausted {
		t.Errorf("Accept without a free descriptor: %v", err)
	}
	await(t, k, 7, In)
	k.Close(accept(t, k, listener), Now)
}

// A reader that does not read makes sends short and then EAGAIN; all of it arrives, once and in order.
func TestSendShort(t *testing.T) {
	f := func(name string, send func(k *Kernel, fd int, b []byte) (int, error)) {
		t.Helper()
		k := newKernel(t)
		server, client := pair(t, k)
		unix.SetsockoptInt(server, unix.SOL_SOCKET, unix.SO_SNDBUF, 128<<10)
		if err := k.Add(server, 1, Out); err != nil {
			t.Fatal(err)
		}
		sent := make([]byte, 16<<20)
		rand.NewChaCha8([32]byte{1}).Read(sent)
		var got []byte
		rest, short, full := sent, 0, 0
		b := make([]byte, 1<<20)
		for len(got) < len(sent) {
			for len(rest) > 0 {
				n, err := send(k, server, rest)
				if err == unix.EAGAIN {
					full++
					break
				}
				if err != nil || n <= 0 {
					t.Fatalf("%s = %d, %v", name, n, err)
				}
				if n < len(rest) {
					short++
				}
				rest = rest[n:]
			}
			n, err := k.Read(client, b)
			if err != nil && err != unix.EAGAIN {
				t.Fatal(err)
			}
			got = append(got, b[:n]...)
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("%s: what arrived differs", name)
		}
		if short == 0 || full == 0 {
			t.Errorf("%s: %d short sends, %d times EAGAIN: the test tests nothing", name, short, full)
		}
		await(t, k, 1, Out)
	}
	f("Send", (*Kernel).Send)
	f("Sendv", func(k *Kernel, fd int, b []byte) (int, error) {
		return k.Sendv(fd, [][]byte{b[:len(b)/3], b[len(b)/3 : len(b)/2], b[len(b)/2:]})
	})
}

func TestSendv(t *testing.T) {
	k := newKernel(t)
	server, client := pair(t, k)
	many := make([][]byte, maxParts+10)
	for i := range many {
		many[i] = []byte{byte(i)}
	}
	b := make([]byte, 1<<10)
	f := func(parts [][]byte, taken int) {
		t.Helper()
		want := bytes.Join(parts[:taken], nil)
		if n, err := k.Sendv(server, parts); n != len(want) || err != nil {
			t.Errorf("Sendv = %d, %v; want %d", n, err, len(want))
		}
		if k.parts != [maxParts]unix.Iovec{} {
			t.Error("the pieces are still referred to")
		}
		if len(want) == 0 {
			return
		}
		if err := arrived(client); err != nil {
			t.Fatal(err)
		}
		if n, _ := k.Read(client, b); !bytes.Equal(b[:n], want) {
			t.Errorf("received %q, want %q", b[:n], want)
		}
	}
	f(nil, 0)
	f([][]byte{nil, {}}, 2)
	f([][]byte{[]byte("one")}, 1)
	f([][]byte{[]byte("one"), []byte("two"), []byte("three")}, 3)
	f([][]byte{nil, []byte("one"), {}, []byte("two"), nil}, 5)
	f(many[:maxParts], maxParts)
	f(many, maxParts)
}

// arrived blocks until fd has input.
func arrived(fd int) error {
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 5000)
	return err
}

func TestCallsOnClosed(t *testing.T) {
	k := newKernel(t)
	f := func(name string, err, want error) {
		t.Helper()
		if err != want || Classify(err) != StopLoop {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	_, err := k.Read(-1, make([]byte, 1))
	f("Read", err, unix.EBADF)
	_, err = k.Send(-1, []byte("x"))
	f("Send", err, unix.EBADF)
	_, err = k.Sendv(-1, [][]byte{[]byte("x")})
	f("Sendv", err, unix.EBADF)
}

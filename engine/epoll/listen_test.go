package epoll

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var (
	loopback4 = netip.MustParseAddrPort("127.0.0.1:0")
	loopback6 = netip.MustParseAddrPort("[::1]:0")
)

func newKernel(t *testing.T) *Kernel {
	t.Helper()
	k, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Free)
	return k
}

func listenOn(t *testing.T, addr netip.AddrPort, o Options) (int, netip.AddrPort) {
	t.Helper()
	fd, actual, err := Listen(addr, o)
	if err != nil {
		t.Fatalf("Listen(%v): %v", addr, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd, actual
}

func groupOn(t *testing.T, addr netip.AddrPort, n int) ([]int, netip.AddrPort) {
	t.Helper()
	fds, actual, err := ListenGroup(addr, n, Options{})
	if err != nil {
		t.Fatalf("ListenGroup(%v): %v", addr, err)
	}
	t.Cleanup(func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	})
	return fds, actual
}

func dial(t *testing.T, addr netip.AddrPort) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr.String(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

func TestListenChoosesPort(t *testing.T) {
	f := func(addr string, wantIP string) {
		t.Helper()
		_, actual := listenOn(t, netip.MustParseAddrPort(addr), Options{})
		if actual.Port() == 0 || actual.Addr() != netip.MustParseAddr(wantIP) {
			t.Errorf("Listen(%s) is on %v", addr, actual)
		}
	}
	f("127.0.0.1:0", "127.0.0.1")
	f("127.0.0.7:0", "127.0.0.7")
	f("[::1]:0", "::1")
	f("[::ffff:127.0.0.1]:0", "127.0.0.1")
	f("0.0.0.0:0", "0.0.0.0")
}

func TestListenRefuses(t *testing.T) {
	_, taken := listenOn(t, loopback4, Options{})
	f := func(addr netip.AddrPort, o Options, want error) {
		t.Helper()
		if fd, _, err := Listen(addr, o); !errors.Is(err, want) || fd != -1 {
			t.Errorf("Listen(%v) = %d, %v; want %v", addr, fd, err, want)
		}
	}
	f(netip.AddrPort{}, Options{}, unix.EINVAL)
	f(taken, Options{}, unix.EADDRINUSE)
	f(taken, Options{ReusePort: true}, unix.EADDRINUSE)
	f(netip.MustParseAddrPort("192.0.2.1:0"), Options{}, unix.EADDRNOTAVAIL)
}

// The unspecified IPv6 address takes both kinds of client, unless told not to.
func TestListenBothFamilies(t *testing.T) {
	f := func(o Options, want4 bool) {
		t.Helper()
		_, actual := listenOn(t, netip.MustParseAddrPort("[::]:0"), o)
		dial(t, netip.AddrPortFrom(loopback6.Addr(), actual.Port()))
		c, err := net.Dial("tcp4", netip.AddrPortFrom(loopback4.Addr(), actual.Port()).String())
		if got := err == nil; got != want4 {
			t.Errorf("%+v: an IPv4 client gets %v", o, err)
		}
		if err == nil {
			c.Close()
		}
	}
	f(Options{}, true)
	f(Options{OnlyV6: true}, false)
}

// An address is taken while anybody listens there, whatever they would share, and free as soon as nobody does.
func TestListenGroupNeedsFreeAddress(t *testing.T) {
	single, at := listenOn(t, loopback4, Options{ReusePort: true})
	if fds, _, err := ListenGroup(at, 2, Options{}); !errors.Is(err, unix.EADDRINUSE) || fds != nil {
		t.Errorf("a group where a shared socket listens: %v, %v", fds, err)
	}
	unix.Close(single)
	for range 2 {
		fds, _, err := ListenGroup(at, 2, Options{})
		if err != nil {
			t.Errorf("a group where nobody listens: %v", err)
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
}

// A connection that we closed first leaves its address in TIME_WAIT; a restart must not wait a minute for that.
func TestListenDespiteTimeWait(t *testing.T) {
	k := newKernel(t)
	fd, at := listenOn(t, loopback4, Options{})
	c := dial(t, at)
	server := accept(t, k, fd)
	k.Close(server, Now)
	c.Read(make([]byte, 1))
	c.Close()
	k.Close(fd, Now)
	groupOn(t, at, 2)
}

func TestListenGroupShares(t *testing.T) {
	for _, addr := range []netip.AddrPort{loopback4, loopback6} {
		k := newKernel(t)
		fds, at := groupOn(t, addr, 4)
		for range 200 {
			dial(t, at)
		}
		for i, fd := range fds {
			got := 0
			for {
				c, err := k.Accept(fd)
				if err != nil {
					break
				}
				got++
				k.Close(c, Now)
			}
			if got < 20 {
				t.Errorf("%v: listener %d of 4 got %d of 200 connections", addr, i, got)
			}
		}
	}
}

func TestListenGroupKeepsOthersOut(t *testing.T) {
	_, at := groupOn(t, loopback4, 2)
	if fds, _, err := ListenGroup(at, 2, Options{}); !errors.Is(err, unix.EADDRINUSE) || fds != nil {
		t.Errorf("a second group: %v, %v", fds, err)
	}
	if fd, _, err := Listen(at, Options{}); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("an ordinary socket on a group's address: %d, %v", fd, err)
	}
}

// Two processes that start at once on a free port: exactly one may have it, whoever is faster.
func TestListenGroupRace(t *testing.T) {
	for range 200 {
		free, at := listenOn(t, loopback4, Options{})
		unix.Close(free)
		type outcome struct {
			fds []int
			err error
		}
		done := make(chan outcome, 2)
		for range 2 {
			go func() {
				fds, _, err := ListenGroup(at, 2, Options{})
				done <- outcome{fds, err}
			}()
		}
		winners := 0
		for range 2 {
			o := <-done
			if o.err == nil {
				winners++
			} else if !errors.Is(o.err, unix.EADDRINUSE) {
				t.Fatal(o.err)
			}
			defer func() {
				for _, fd := range o.fds {
					unix.Close(fd)
				}
			}()
		}
		if winners == 0 && taken(at) {
			continue // a connection of another process on this machine got the port in between
		}
		if winners != 1 {
			t.Fatalf("%d of two groups listen on one address", winners)
		}
	}
}

// taken reports whether somebody else has the address.
func taken(at netip.AddrPort) bool {
	fd, _, err := Listen(at, Options{})
	if err == nil {
		unix.Close(fd)
	}
	return errors.Is(err, unix.EADDRINUSE)
}

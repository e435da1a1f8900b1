package epoll

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestConnect(t *testing.T) {
	f := func(local string, to netip.AddrPort) {
		t.Helper()
		k := newKernel(t)
		listener, at := listenOn(t, to, Options{})
		var from netip.Addr
		if local != "" {
			from = netip.MustParseAddr(local)
		}
		client, err := Connect(from, at)
		if err != nil {
			t.Fatalf("Connect(%q, %v): %v", local, at, err)
		}
		defer unix.Close(client)
		if err := k.Add(client, 1, Out); err != nil {
			t.Fatal(err)
		}
		await(t, k, 1, Out)
		if err := ConnectError(client); err != nil {
			t.Errorf("ConnectError = %v", err)
		}
		server := accept(t, k, listener)
		defer unix.Close(server)
		if got := PeerAddr(client); got != at {
			t.Errorf("connected to %v, want %v", got, at)
		}
		if got := PeerAddr(server); local != "" && got.Addr() != from || got.Port() == 0 {
			t.Errorf("connected from %v, want %q", got, local)
		}
		if v, err := unix.GetsockoptInt(client, unix.IPPROTO_TCP, unix.TCP_NODELAY); v != 1 || err != nil {
			t.Errorf("TCP_NODELAY = %d, %v", v, err)
		}
		late, err := unix.GetsockoptInt(client, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT)
		if (late == 1) != (local != "") || err != nil {
			t.Errorf("from %q: IP_BIND_ADDRESS_NO_PORT = %d, %v", local, late, err)
		}
	}
	f("", loopback4)
	f("127.0.0.1", loopback4)
	f("127.0.0.9", loopback4)
	f("", loopback6)
	f("::1", loopback6)
}

func TestConnectFails(t *testing.T) {
	k := newKernel(t)
	gone, at := listenOn(t, loopback4, Options{})
	unix.Close(gone)
	f := func(local netip.Addr, to netip.AddrPort, want error) {
		t.Helper()
		fd, err := Connect(local, to)
		if err == nil {
			defer unix.Close(fd)
			if err := k.Add(fd, 1, Out); err != nil {
				t.Fatal(err)
			}
			await(t, k, 1, Out|Hup|Err)
			err = ConnectError(fd)
			if again := ConnectError(fd); again != nil {
				t.Errorf("told twice: %v", again)
			}
		} else if fd != -1 {
			t.Errorf("fd %d with error %v", fd, err)
		}
		if !errors.Is(err, want) {
			t.Errorf("Connect(%v, %v): %v, want %v", local, to, err, want)
		}
	}
	f(netip.Addr{}, at, unix.ECONNREFUSED)
	f(loopback4.Addr(), at, unix.ECONNREFUSED)
	f(netip.Addr{}, netip.AddrPort{}, unix.EINVAL)
	f(netip.MustParseAddr("192.0.2.1"), at, unix.EADDRNOTAVAIL)
	f(loopback6.Addr(), at, unix.EAFNOSUPPORT)
	if err := ConnectError(-1); err != unix.EBADF {
		t.Errorf("ConnectError(-1) = %v", err)
	}
}

// An IPv4 client of an IPv6 socket goes by its plain address, or rules about addresses would miss it.
func TestPeerAddrIsPlain(t *testing.T) {
	k := newKernel(t)
	listener, at := listenOn(t, netip.MustParseAddrPort("[::]:0"), Options{})
	dial(t, netip.AddrPortFrom(loopback4.Addr(), at.Port()))
	server := accept(t, k, listener)
	defer unix.Close(server)
	if got := PeerAddr(server).Addr(); got != loopback4.Addr() {
		t.Errorf("PeerAddr = %v", got)
	}
	if got := PeerAddr(listener); got.IsValid() {
		t.Errorf("a listener has peer %v", got)
	}
}

func TestAddressRoundTrip(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		sa, err := socketAddress(netip.MustParseAddrPort(in))
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		if got := addrPort(sa); got != netip.MustParseAddrPort(want) {
			t.Errorf("%s became %v, want %s", in, got, want)
		}
	}
	f("127.0.0.1:80", "127.0.0.1:80")
	f("[2001:db8::1]:65535", "[2001:db8::1]:65535")
	f("[::ffff:10.0.0.1]:1", "10.0.0.1:1")
	f("[fe80::1%3]:80", "[fe80::1%3]:80")
	f("[fe80::1%lo]:80", fmt.Sprintf("[fe80::1%%%d]:80", 1)) // lo is interface 1 everywhere

	if _, err := socketAddress(netip.MustParseAddrPort("[fe80::1%nowhere]:80")); err == nil {
		t.Error("an interface that does not exist was found")
	}
	if got := addrPort(&unix.SockaddrUnix{Name: "/x"}); got != (netip.AddrPort{}) {
		t.Errorf("a unix socket has address %v", got)
	}
}

func TestSetUserTimeout(t *testing.T) {
	k := newKernel(t)
	server, _ := pair(t, k)
	f := func(d time.Duration, want int) {
		t.Helper()
		if err := SetUserTimeout(server, d); err != nil {
			t.Fatal(err)
		}
		if got, err := unix.GetsockoptInt(server, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != want || err != nil {
			t.Errorf("SetUserTimeout(%v) set %d ms, %v; want %d", d, got, err, want)
		}
	}
	f(30*time.Second, 30_000)
	f(time.Millisecond+1, 2)
	f(0, 0)
	f(-1, 0)
	if err := SetUserTimeout(-1, 0); err != unix.EBADF {
		t.Errorf("on a closed socket: %v", err)
	}
}

func TestDeferAccept(t *testing.T) {
	k := newKernel(t)
	listener, at := listenOn(t, loopback4, Options{DeferAccept: 1500 * time.Millisecond})
	c := dial(t, at)
	time.Sleep(20 * time.Millisecond)
	if _, err := k.Accept(listener); err != unix.EAGAIN {
		t.Errorf("a silent client is there already: %v", err)
	}
	c.Write([]byte("x"))
	k.Close(accept(t, k, listener), Now)
}

func TestRaiseNoFile(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	low := unix.Rlimit{Cur: limit.Max / 2, Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := RaiseNoFile(); got != limit.Max || err != nil {
			t.Errorf("RaiseNoFile = %d, %v; want %d", got, err, limit.Max)
		}
	}
	var now unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &now); now.Cur != limit.Max {
		t.Errorf("the limit is %d, want %d", now.Cur, limit.Max)
	}
}

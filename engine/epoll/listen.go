package epoll

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Options shape a listening socket. The zero value is an ordinary one.
type Options struct {
	// ReusePort shares the address with other sockets of the same user that set it too; the system spreads new
	// connections over them.
	ReusePort bool
	// Backlog is how many connections may wait to be accepted; 0 means the system's own limit (net.core.somaxconn).
	Backlog int
	// DeferAccept keeps a connection from Accept until its first byte has come, or for about this long, in whole
	// seconds rounded up. It spares wake-ups for clients that connect and say nothing; 0 is off.
	DeferAccept time.Duration
	// OnlyV6 keeps IPv4 clients out of an IPv6 socket on the unspecified address, which takes both otherwise.
	OnlyV6 bool
}

// Listen opens one listening socket that does not block. Actual is addr with the port that port 0 stood for.
func Listen(addr netip.AddrPort, o Options) (fd int, actual netip.AddrPort, err error) {
	fd, err = bind(addr, o)
	if err != nil {
		return -1, netip.AddrPort{}, err
	}
	actual, err = listen(fd, o)
	if err != nil {
		unix.Close(fd)
		return -1, netip.AddrPort{}, err
	}
	return fd, actual, nil
}

// Two that start on one address in the same moment can each see the other's first socket about to listen, and both be
// refused. So who is refused tries again, after a pause that chance makes unequal.
const (
	groupTries = 4
	groupPause = time.Millisecond
)

// ListenGroup opens n listening sockets on one address, one for each loop. It fails with EADDRINUSE if anybody listens
// there already, another Holdfast included.
//
// ReusePort alone would let a second process of the same user in, to take a share of the connections in silence. So the
// first socket binds and listens without it, which the system refuses if the address is taken, and from then on keeps
// others out; then it is turned on, for the rest of the group to join. There is no moment at which a second process
// doing the same could slip in. SO_REUSEADDR keeps old connections in TIME_WAIT from counting as somebody.
func ListenGroup(addr netip.AddrPort, n int, o Options) (fds []int, actual netip.AddrPort, err error) {
	for try := 1; ; try++ {
		fds, actual, err = listenGroup(addr, n, o)
		if !errors.Is(err, unix.EADDRINUSE) || try == groupTries {
			return fds, actual, err
		}
		time.Sleep(rand.N(groupPause))
	}
}

func listenGroup(addr netip.AddrPort, n int, o Options) (fds []int, actual netip.AddrPort, err error) {
	o.ReusePort = false
	for range n {
		fd, bound, err := Listen(addr, o)
		if err != nil {
			return nil, netip.AddrPort{}, closeAll(fds, err)
		}
		fds = append(fds, fd)
		if len(fds) == 1 {
			addr, actual, o.ReusePort = bound, bound, true
			if err := setOption(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
				return nil, netip.AddrPort{}, closeAll(fds, err)
			}
		}
	}
	return fds, actual, nil
}

// closeAll gives up what was opened before err, which it returns.
func closeAll(fds []int, err error) error {
	for _, fd := range fds {
		unix.Close(fd)
	}
	return err
}

func bind(addr netip.AddrPort, o Options) (int, error) {
	sa, err := socketAddress(addr)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(family(addr.Addr()), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, err
	}
	if err := prepare(fd, addr.Addr(), o); err != nil {
		unix.Close(fd)
		return -1, err
	}
	if err := unix.Bind(fd, sa); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// prepare sets what must be set before bind.
func prepare(fd int, a netip.Addr, o Options) error {
	if err := setOption(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if o.ReusePort {
		if err := setOption(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return err
		}
	}
	if family(a) == unix.AF_INET6 {
		only := int32(0)
		if o.OnlyV6 {
			only = 1
		}
		if err := setOption(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			return err
		}
	}
	if o.DeferAccept > 0 {
		seconds := (o.DeferAccept + time.Second - 1) / time.Second
		return setOption(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, int32(seconds))
	}
	return nil
}

func listen(fd int, o Options) (netip.AddrPort, error) {
	backlog := o.Backlog
	if backlog <= 0 {
		backlog = 1<<31 - 1 // the system cuts it to somaxconn
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return netip.AddrPort{}, err
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return addrPort(sa), nil
}

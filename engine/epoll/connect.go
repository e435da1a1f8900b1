package epoll

import (
	"math"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Connect begins a connection and does not wait for it: when epoll reports Out, ConnectError tells how it went. A valid
// local address is where it comes from; the port is chosen when the destination is known, so that one local address
// gives a full range of ports to each destination, not to all of them together.
func Connect(local netip.Addr, remote netip.AddrPort) (fd int, err error) {
	to, err := socketAddress(remote)
	if err != nil {
		return -1, err
	}
	fd, err = unix.Socket(family(remote.Addr()), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, err
	}
	if err := connect(fd, local, to); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func connect(fd int, local netip.Addr, to unix.Sockaddr) error {
	if err := setOption(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	if local.IsValid() {
		if err := setOption(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return err
		}
		from, err := socketAddress(netip.AddrPortFrom(local, 0))
		if err != nil {
			return err
		}
		if err := unix.Bind(fd, from); err != nil {
			return err
		}
	}
	err := unix.Connect(fd, to)
	if err == unix.EINPROGRESS || err == unix.EINTR { // interrupted, it goes on all the same: connect(2)
		return nil
	}
	return err
}

// ConnectError is what became of a Connect whose socket is ready, nil if it stands. Asking clears it.
func ConnectError(fd int) error {
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	return result(unix.Errno(errno))
}

// PeerAddr is who is at the other end, the zero AddrPort if nobody is any more.
func PeerAddr(fd int) netip.AddrPort {
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPort(sa)
}

// SetUserTimeout ends the connection with ETIMEDOUT when what was sent is not acknowledged for this long (RFC 5482, in
// whole ms rounded up), which is how a stream that only sends learns that its client is gone. 0 is the system's patience.
func SetUserTimeout(fd int, d time.Duration) error {
	ms := min(max(milliseconds(d), 0), math.MaxInt32)
	return setOption(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int32(ms))
}

// SetKeepAlive makes the system ask a peer that has been silent for this long, in whole seconds rounded up, whether it
// is still there, and end the connection when three questions half a minute apart go unanswered. A connection that
// sends nothing, such as a long-poll, learns in no other way that its peer has vanished. 0 asks never.
func SetKeepAlive(fd int, idle time.Duration) error {
	if idle <= 0 {
		return setOption(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	}
	const interval, count = 30, 3
	seconds := min((idle+time.Second-1)/time.Second, math.MaxInt16)
	for _, o := range []struct{ level, name, value int }{
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(seconds)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, interval},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, count},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
	} {
		if err := setOption(fd, o.level, o.name, int32(o.value)); err != nil {
			return err
		}
	}
	return nil
}

// RaiseNoFile lifts the process's limit of open files as far as it may, and returns it: each connection is one.
func RaiseNoFile() (soft uint64, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	if limit.Cur < limit.Max {
		raised := unix.Rlimit{Cur: limit.Max, Max: limit.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err != nil {
			return limit.Cur, err
		}
	}
	return limit.Max, nil
}

package epoll

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxParts bounds the pieces of one Sendv, and so the Kernel's size: a frame has three, a queue rarely more than a few.
const maxParts = 64

// Closing says how Close ends a socket.
type Closing uint8

const (
	// Now closes: what was sent is still delivered, by the system.
	Now Closing = iota
	// Reset closes and forgets what was sent: the other side sees an RST, and the system keeps nothing.
	Reset
	// Write ends output only, with a FIN; the socket stays open for input.
	Write
)

// Accept takes a connection from a listening socket, which must not block; the new one does not either. Small writes
// leave at once: the loop gathers what belongs together itself.
func (k *Kernel) Accept(listener int) (fd int, err error) {
	r, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	fd = int(r)
	setOption(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // not TCP, or already gone: the next call will tell
	return fd, nil
}

// Read takes input that has arrived. It returns 0 and no error at the end of input.
func (k *Kernel) Read(fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// Send gives output to the system, which may take less than all of it.
func (k *Kernel) Send(fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// Sendv is Send of several pieces as one. It looks at the first 64 only, and then returns short.
func (k *Kernel) Sendv(fd int, parts [][]byte) (int, error) {
	parts = parts[:min(len(parts), maxParts)]
	for i, p := range parts {
		k.parts[i].Base = unsafe.SliceData(p)
		k.parts[i].SetLen(len(p))
	}
	k.header.Iov = &k.parts[0]
	k.header.SetIovlen(len(parts))
	n, errno := k.sendmsg(fd)
	clear(k.parts[:len(parts)]) // a payload must not outlive its last holder here
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}

func (k *Kernel) sendmsg(fd int) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&k.header)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// Close ends a socket, or with Write its output. It reports nothing: whatever goes wrong, the socket is over.
func (k *Kernel) Close(fd int, how Closing) {
	switch how {
	case Write:
		unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
		return
	case Reset:
		linger := unix.Linger{Onoff: 1}
		unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_LINGER,
			uintptr(unsafe.Pointer(&linger)), unsafe.Sizeof(linger), 0)
	case Now:
	}
	// After EINTR the number is free all the same: a second close could hit somebody else's.
	unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

func setOption(fd, level, name int, value int32) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value), 0)
	return result(errno)
}

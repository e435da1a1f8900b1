// Package epoll is the Linux calls a loop makes, thin enough to read beside the manual pages: one Kernel per loop, plain
// file descriptors, bare errno values. It imports nothing of ours, decides nothing, and must never block anywhere but
// in a Wait that was asked to.
//
// Read kernel.go (waiting), wake.go (being woken by others), socket.go (bytes), listen.go and connect.go (where sockets
// come from), then errno.go (what an error means for the loop).
package epoll

import (
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What an event says about its file descriptor, and what Add and Mod ask for. Err and Hup come unasked.
const (
	In    uint32 = unix.EPOLLIN    // there is input, or its end
	Out   uint32 = unix.EPOLLOUT   // there is room for output
	RdHup uint32 = unix.EPOLLRDHUP // the other side has sent its last byte
	Err   uint32 = unix.EPOLLERR   // the connection failed, or was reset
	Hup   uint32 = unix.EPOLLHUP   // both directions are over
)

// Event is what epoll says of one file descriptor, in the kernel's own layout.
type Event unix.EpollEvent

// NewEvent is an event as the kernel would have written it, for fakes.
func NewEvent(tag uint64, mask uint32) Event {
	return Event{Events: mask, Fd: int32(tag), Pad: int32(tag >> 32)}
}

// Tag is the number that the file descriptor was added with.
func (e *Event) Tag() uint64 { return uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32 }

// Mask is the set of conditions that hold: In, Out, RdHup, Err, Hup.
func (e *Event) Mask() uint32 { return e.Events }

// Kernel is one epoll and the calls that a loop makes beside it. All but Wake belong to the loop's goroutine.
type Kernel struct {
	waker waker
	_     [64]byte // posters read the waker: keep the loop's own writes out of its cache line

	epfd   int
	header unix.Msghdr // of Sendv
	parts  [maxParts]unix.Iovec
}

// New makes a Kernel with an epoll and an eventfd of its own.
func New() (*Kernel, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	k := &Kernel{epfd: epfd}
	if err := k.waker.open(epfd); err != nil {
		unix.Close(epfd)
		return nil, err
	}
	return k, nil
}

// Free closes the epoll and its eventfd; sockets are the caller's. Wake may still be called and does nothing.
func (k *Kernel) Free() {
	k.waker.close()
	unix.Close(k.epfd)
	k.epfd = -1
}

// Add watches fd, level-triggered: as long as a condition of mask holds, every Wait reports it with this tag. The tag
// of all ones is taken.
func (k *Kernel) Add(fd int, tag uint64, mask uint32) error {
	return control(k.epfd, unix.EPOLL_CTL_ADD, fd, NewEvent(tag, mask))
}

// Mod changes what fd is watched for, and its tag.
func (k *Kernel) Mod(fd int, tag uint64, mask uint32) error {
	return control(k.epfd, unix.EPOLL_CTL_MOD, fd, NewEvent(tag, mask))
}

// Del stops watching fd. Closing a socket does that too.
func (k *Kernel) Del(fd int) error {
	return control(k.epfd, unix.EPOLL_CTL_DEL, fd, Event{})
}

func control(epfd, op, fd int, e Event) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL,
		uintptr(epfd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&e)), 0, 0)
	return result(errno)
}

// Wait fills events and says how many there are. It waits for the first at most timeout, for ever below 0, and not at
// all at 0; it may return early with none, for a Wake or a signal.
func (k *Kernel) Wait(events []Event, timeout time.Duration) (int, error) {
	n, errno := wait(k.epfd, events, milliseconds(timeout))
	if errno == unix.EINTR {
		return 0, nil
	}
	if errno != 0 {
		return 0, errno
	}
	for i := range events[:n] {
		if events[i].Tag() == wakeTag {
			k.waker.rearm()
			n--
			events[i] = events[n]
			break
		}
	}
	return n, nil
}

// wait tells the scheduler before it blocks. A raw call would not: the collector would wait for this thread, and it
// for the next event. With nothing to wait for, the raw call saves what telling costs.
func wait(epfd int, events []Event, ms int) (int, unix.Errno) {
	if ms == 0 {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd),
			uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
		return int(n), errno
	}
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(ms), 0, 0)
	return int(n), errno
}

// milliseconds rounds up: a wait that ended before its timer was due would be repeated at once, with 0, until it is.
func milliseconds(d time.Duration) int {
	switch {
	case d < 0:
		return -1
	case d > math.MaxInt32*time.Millisecond:
		return math.MaxInt32
	default:
		return int((d + time.Millisecond - 1) / time.Millisecond)
	}
}

// Now is monotonic time in ns, the same for all Kernels of the process and never 0.
func (k *Kernel) Now() int64 { return int64(time.Since(epoch)) }

var epoch = time.Now().Add(-time.Second)

func result(errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

package epoll

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wakeTag marks the eventfd's events, which Wait keeps to itself.
const wakeTag = ^uint64(0)

// waker lets any goroutine end a Wait, by one write however many ask.
//
// Pending means that a write to the eventfd has been or is about to be made, and that no Wait has returned since. The
// eventfd is edge-triggered and never read: each write is reported once, so there is nothing to drain, and no moment
// between draining and clearing pending (nor, the other way round, between clearing and draining, when a drain would
// swallow the write of a Wake that has just set pending, and leave it set with nothing to clear it: deaf for ever).
// Clearing pending is then the whole of rearm, and a Wake falls on one side of it:
//   - before: it writes nothing, but this Wait is about to return, and what was posted before the Wake is seen after it;
//   - after: it sets pending and writes, and the next Wait returns at once.
//
// The counter would overflow after 2^64 writes.
type waker struct {
	pending atomic.Bool

	mu sync.Mutex // taken by the one Wake that writes: close must not hand it a number that has been reused
	fd int        // -1 once closed
}

func (w *waker) open(epfd int) error {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return err
	}
	if err := control(epfd, unix.EPOLL_CTL_ADD, fd, NewEvent(wakeTag, unix.EPOLLIN|unix.EPOLLET)); err != nil {
		unix.Close(fd)
		return err
	}
	w.fd = fd
	return nil
}

func (w *waker) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	unix.Close(w.fd)
	w.fd = -1
}

func (w *waker) rearm() { w.pending.Store(false) }

// Wake makes the current Wait, or else the next one, return. Any goroutine may call it.
func (k *Kernel) Wake() {
	w := &k.waker
	// Looking first keeps a storm of posters from passing the cache line around.
	if w.pending.Load() || !w.pending.CompareAndSwap(false, true) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd < 0 {
		return
	}
	one := uint64(1)
	unix.RawSyscall(unix.SYS_WRITE, uintptr(w.fd), uintptr(unsafe.Pointer(&one)), 8)
}

package epoll

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestClassify(t *testing.T) {
	f := func(want ErrorClass, errs ...error) {
		t.Helper()
		for _, err := range errs {
			if got := Classify(err); got != want {
				t.Errorf("%v is classed %q, want %q", err, got, want)
			}
		}
	}
	f(Retry, unix.EAGAIN, unix.EWOULDBLOCK, unix.EINTR)
	f(CloseConn, unix.ECONNRESET, unix.EPIPE, unix.ETIMEDOUT, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.ENOTCONN, unix.ECONNREFUSED)
	f(Transient, unix.ECONNABORTED, unix.EPERM, unix.EPROTO, unix.ENETDOWN, unix.EOPNOTSUPP)
	f(Exhausted, unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.ENOSPC)
	f(StopLoop, unix.EBADF, unix.EINVAL, unix.EFAULT, unix.ENOTSOCK, unix.EEXIST, unix.ENOENT)

	// An errno that no manual page announced costs one connection, not the loop.
	f(CloseConn, unix.EXDEV, unix.Errno(133), unix.Errno(4095), unix.Errno(1<<40))
	// Wrapped it is the same.
	f(Exhausted, fmt.Errorf("accept: %w", unix.EMFILE), os.NewSyscallError("accept4", unix.EMFILE))
	// What is no errno cannot have come from a call of ours.
	f(StopLoop, errors.New("else"), nil)
}

func TestErrorClassNames(t *testing.T) {
	seen := make(map[string]bool)
	for c := CloseConn; c <= StopLoop; c++ {
		seen[c.String()] = true
	}
	if len(seen) != 5 {
		t.Errorf("names of classes: %v", seen)
	}
}

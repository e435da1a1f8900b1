package epoll

import (
	"errors"

	"golang.org/x/sys/unix"
)

// ErrorClass is what a loop should do about an error.
type ErrorClass uint8

const (
	// CloseConn means that this connection is over, and nothing else is.
	CloseConn ErrorClass = iota
	// Retry means that nothing is wrong: call again, at once or when epoll says so.
	Retry
	// Transient means that one connection was lost while being accepted: accept the next.
	Transient
	// Exhausted means that the process or the system has no more to give: stop taking on work for a while.
	Exhausted
	// StopLoop means that the loop's own books are wrong: whatever it did next might hit a stranger's socket.
	StopLoop
)

// classes has a line for each error that the manual pages of the calls here name. One that is not here costs the
// connection it happened on.
var classes = [...]ErrorClass{
	unix.EAGAIN: Retry, // nothing to read, no room to send, nobody to accept: wait for epoll
	unix.EINTR:  Retry, // a signal came first

	unix.ECONNABORTED: Transient, // the client gave up while it waited in the backlog
	unix.EPERM:        Transient, // a firewall rule forbids this client
	unix.EPROTO:       Transient, // the client's handshake failed
	unix.ENOPROTOOPT:  Transient, // accept(2) passes on errors of the new connection's network, here and below
	unix.ENETDOWN:     Transient, // likewise: its interface went down
	unix.ENONET:       Transient, // likewise: its host is not on the network
	unix.EOPNOTSUPP:   Transient, // likewise; Listen makes no socket that cannot accept at all

	unix.EMFILE:  Exhausted, // the process has all the files it may
	unix.ENFILE:  Exhausted, // the system has
	unix.ENOBUFS: Exhausted, // no memory for socket buffers
	unix.ENOMEM:  Exhausted, // no memory at all
	unix.ENOSPC:  Exhausted, // epoll watches all it may (fs.epoll.max_user_watches)

	unix.ECONNRESET:    CloseConn, // the other side sent an RST
	unix.EPIPE:         CloseConn, // sent after the end: ours, or after its RST
	unix.ETIMEDOUT:     CloseConn, // no acknowledgement for TCP_USER_TIMEOUT, or for the system's patience
	unix.EHOSTUNREACH:  CloseConn, // no way to its host
	unix.EHOSTDOWN:     CloseConn, // its host does not answer on the link
	unix.ENETUNREACH:   CloseConn, // no way to its network
	unix.ENOTCONN:      CloseConn, // it was reset before we looked
	unix.ECONNREFUSED:  CloseConn, // nobody listens there
	unix.EADDRNOTAVAIL: CloseConn, // no local port is left for that destination

	unix.EBADF:    StopLoop, // that descriptor is closed: somebody closed it twice, or kept it too long
	unix.EINVAL:   StopLoop, // not an epoll, or not a listener any more
	unix.EFAULT:   StopLoop, // we gave an address that is not ours
	unix.ENOTSOCK: StopLoop, // the number was reused for something else
	unix.EEXIST:   StopLoop, // added to epoll twice: a descriptor was taken for a new one
	unix.ENOENT:   StopLoop, // not in epoll: a descriptor was taken for a known one
	unix.ELOOP:    StopLoop, // an epoll was put into itself
}

// Classify says what a loop should do about an error of one of its system calls. What is not an errno is a mistake of
// ours and stops the loop.
func Classify(err error) ErrorClass {
	if errno, ok := err.(unix.Errno); ok {
		return classOf(errno)
	}
	var errno unix.Errno
	if errors.As(err, &errno) {
		return classOf(errno)
	}
	return StopLoop
}

func classOf(errno unix.Errno) ErrorClass {
	if int(errno) >= len(classes) {
		return CloseConn
	}
	return classes[errno]
}

func (c ErrorClass) String() string {
	return [...]string{"close the connection", "retry", "transient", "exhausted", "stop the loop"}[c]
}

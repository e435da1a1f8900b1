package loop

import (
	"time"

	"holdfast/engine/epoll"
)

// Poller is what a loop asks of epoll. Only Wake may be called by other goroutines.
type Poller interface {
	Add(fd int, tag uint64, mask uint32) error // level-triggered
	Mod(fd int, tag uint64, mask uint32) error
	Del(fd int) error
	Wait(events []epoll.Event, timeout time.Duration) (int, error) // below 0 waits for ever, 0 only looks
	Wake()
}

// Sockets is what a loop asks of non-blocking sockets. Errors are bare errno values.
type Sockets interface {
	Accept(listener int) (fd int, err error)
	Read(fd int, b []byte) (int, error) // 0, nil at the end of input
	Send(fd int, b []byte) (int, error)
	Sendv(fd int, parts [][]byte) (int, error)
	Close(fd int, how epoll.Closing)
}

// Kernel is everything a loop asks of the system: engine/epoll is the real one, engine/simkernel the fake one.
type Kernel interface {
	Poller
	Sockets
	Now() int64 // monotonic, ns
}

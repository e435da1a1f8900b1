package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
)

// mark begins every message, and nothing else that a server sends holds it: so a delivery is one such byte, however it is
// cut.
const mark = '~'

// crowd is many subscribers of one server. They read only when told to, after a server has sent: a sleeping reader would
// have to be woken by the server's own send, which on loopback is charged to the server and from afar is not.
type crowd struct {
	kernel  *epoll.Kernel
	fds     []int
	pending int // of them, those whose keys other nodes could not find yet when the answer came
	events  []epoll.Event
	scratch []byte
}

const (
	connecting = 128              // clients that may wait for their answer at once, fewer than any server's backlog
	joinWait   = 30 * time.Second // without any progress
)

func newCrowd() (*crowd, error) {
	k, err := epoll.New()
	if err != nil {
		return nil, err
	}
	return &crowd{kernel: k, scratch: make([]byte, 64<<10)}, nil
}

// joined is a crowd of n subscribers that are held.
func joined(ctx context.Context, s *server, n int, key func(i int) string) (*crowd, error) {
	c, err := newCrowd()
	if err != nil {
		return nil, err
	}
	if err := c.join(ctx, s, n, key); err != nil {
		c.leave()
		return nil, err
	}
	return c, nil
}

// join connects n more subscribers at full pace and returns when the server has answered each.
func (c *crowd) join(ctx context.Context, s *server, n int, key func(i int) string) error {
	events := make([]epoll.Event, connecting)
	base := len(c.fds)
	done := 0
	progress := time.Now()
	for done < n {
		for len(c.fds)-base < min(n, done+connecting) {
			fd, err := epoll.Connect(source(len(c.fds)), s.subscribe)
			if err != nil {
				return fmt.Errorf("connect: %w", err)
			}
			c.fds = append(c.fds, fd)
			if err := c.kernel.Add(fd, uint64(len(c.fds)-1), epoll.Out); err != nil {
				return err
			}
		}
		ready, err := c.kernel.Wait(events, time.Second)
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if ready == 0 && time.Since(progress) > joinWait {
			return fmt.Errorf("%d of %d subscribers have no answer", n-done, n)
		}
		for i := range events[:ready] {
			at := int(events[i].Tag())
			held, err := c.step(s, at, key(at-base), events[i].Mask())
			if err != nil {
				return err
			}
			if held {
				done++
				progress = time.Now()
			}
		}
	}
	return nil
}

// source spreads subscribers over addresses: each has its own range of ports to a server, of which others may use many.
func source(i int) netip.Addr {
	const addresses = 8
	return netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i%addresses)})
}

// step sends the request of a client that is connected, and reports whether the answer has come. From then on epoll does
// not watch the client any more.
func (c *crowd) step(s *server, at int, key string, mask uint32) (held bool, err error) {
	fd := c.fds[at]
	if mask&epoll.In == 0 {
		if err := epoll.ConnectError(fd); err != nil {
			return false, fmt.Errorf("connect: %w", err)
		}
		request := "GET " + s.subPath + key + " HTTP/1.1\r\nHost: compare\r\nAccept: text/event-stream\r\n\r\n"
		if _, err := c.kernel.Send(fd, []byte(request)); err != nil {
			return false, fmt.Errorf("subscribe: %w", err)
		}
		return false, c.kernel.Mod(fd, uint64(at), epoll.In)
	}
	n, err := c.kernel.Read(fd, c.scratch)
	if err != nil {
		return false, fmt.Errorf("subscribe: %w", err)
	}
	if !bytes.HasPrefix(c.scratch[:n], []byte("HTTP/1.1 200")) {
		line, _, _ := bytes.Cut(c.scratch[:n], []byte("\r\n"))
		return false, fmt.Errorf("a subscriber was answered %q", line)
	}
	if bytes.Contains(c.scratch[:n], []byte("Push-Claim: pending")) {
		c.pending++
	}
	return true, c.kernel.Del(fd)
}

// watch has epoll look at every subscriber, or no more: for arrived.
func (c *crowd) watch(on bool) error {
	for i, fd := range c.fds {
		var err error
		if on {
			err = c.kernel.Add(fd, uint64(i), epoll.In)
		} else {
			err = c.kernel.Del(fd)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// arrived reads, without waiting, what has come for those that are watched, and tells for whom there were messages.
func (c *crowd) arrived(told func(at, messages int) error) error {
	if c.events == nil {
		c.events = make([]epoll.Event, connecting)
	}
	ready, err := c.kernel.Wait(c.events, 0)
	if err != nil {
		return err
	}
	for i := range c.events[:ready] {
		at := int(c.events[i].Tag())
		n, err := c.kernel.Read(c.fds[at], c.scratch)
		if err == unix.EAGAIN {
			continue
		}
		if err != nil || n == 0 {
			return errLost
		}
		if messages := bytes.Count(c.scratch[:n], []byte{mark}); messages > 0 {
			if err := told(at, messages); err != nil {
				return err
			}
		}
	}
	return nil
}

// errLost means that a server has ended a subscriber's connection.
var errLost = errors.New("a subscriber was disconnected")

// read takes whatever has arrived and returns how many messages there were.
func (c *crowd) read() (messages int, err error) {
	for _, fd := range c.fds {
		for {
			n, err := c.kernel.Read(fd, c.scratch)
			if err == unix.EAGAIN {
				break
			}
			if err != nil || n == 0 {
				return messages, errLost
			}
			messages += bytes.Count(c.scratch[:n], []byte{mark})
			if n < len(c.scratch) {
				break
			}
		}
	}
	return messages, nil
}

// readAll reads until so many messages have come, but not for ever: an error tells of those that are missing.
func (c *crowd) readAll(want int) error {
	got := 0
	for begun := time.Now(); ; {
		n, err := c.read()
		if err != nil {
			return err
		}
		if got += n; got == want {
			return nil
		}
		if got > want || time.Since(begun) > joinWait {
			return fmt.Errorf("%d messages came where %d were due", got, want)
		}
		time.Sleep(time.Millisecond)
	}
}

// leave resets every connection: so many in TIME_WAIT would be in the way of those to come.
func (c *crowd) leave() {
	for _, fd := range c.fds {
		c.kernel.Close(fd, epoll.Reset)
	}
	c.fds = nil
	c.kernel.Free()
}

// groupKey is the key that all of a group subscribe to.
const groupKey = "group"

func sameKey(int) string { return groupKey }

// ownKey is the key of a subscriber with one of its own.
func ownKey(i int) string { return "key-" + strconv.Itoa(i) }

package compare

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/codec/h1"
	"holdfast/engine/epoll"
)

// callers are keep-alive connections that push, each one push at a time.
type callers struct {
	kernel  *epoll.Kernel
	lines   []line
	events  []epoll.Event
	head    h1.Response
	request []byte
	target  *server
	body    string
}

// line is one connection of callers.
type line struct {
	fd   int
	in   []byte // an answer that has not come whole
	busy bool
}

// maxAnswer bounds what a server may say to one push.
const maxAnswer = 64 << 10

// call connects n callers to a server, for messages of that size.
func call(s *server, n, size int) (*callers, error) {
	k, err := epoll.New()
	if err != nil {
		return nil, err
	}
	c := &callers{kernel: k, target: s, body: string(mark) + strings.Repeat(".", max(size, 1)-1)}
	for range n {
		if err := c.dial(s.publish); err != nil {
			c.hangUp()
			return nil, err
		}
	}
	return c, nil
}

// dial adds a line, which may lead to another server of the same kind.
func (c *callers) dial(to netip.AddrPort) error {
	fd, err := connected(c.kernel, to)
	if err != nil {
		return fmt.Errorf("connect to publish: %w", err)
	}
	c.lines, c.events = append(c.lines, line{fd: fd}), append(c.events, epoll.Event{})
	return c.kernel.Mod(fd, uint64(len(c.lines)-1), epoll.In)
}

// connected is a connection that stands, watched for output.
func connected(k *epoll.Kernel, to netip.AddrPort) (int, error) {
	fd, err := epoll.Connect(netip.Addr{}, to)
	if err != nil {
		return -1, err
	}
	events := make([]epoll.Event, 1)
	err = k.Add(fd, 0, epoll.Out)
	for n := 0; err == nil && n == 0; {
		n, err = k.Wait(events, -1) // the system gives up some day
	}
	if err == nil {
		err = epoll.ConnectError(fd)
	}
	if err != nil {
		k.Close(fd, epoll.Now)
		return -1, err
	}
	return fd, nil
}

func (c *callers) hangUp() {
	for _, l := range c.lines {
		c.kernel.Close(l.fd, epoll.Reset)
	}
	c.lines = nil
	c.kernel.Free()
}

// push sends a message to a key over line i, which must be free.
func (c *callers) push(i int, key string) error {
	l := &c.lines[i]
	b := append(c.request[:0], "POST "+c.target.pushPath...)
	b = append(b, key...)
	b = append(b, " HTTP/1.1\r\nHost: compare\r\nContent-Type: text/plain\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(c.body)), 10)
	b = append(append(b, "\r\n\r\n"...), c.body...)
	c.request = b
	n, err := c.kernel.Send(l.fd, b)
	if err == nil && n < len(b) {
		err = unix.EAGAIN
	}
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	l.busy = true
	return nil
}

// look waits at most so long, and calls answered for each line whose push was accepted. Anything else is an error.
func (c *callers) look(timeout time.Duration, answered func(i int) error) error {
	n, err := c.kernel.Wait(c.events, timeout)
	if err != nil {
		return err
	}
	for e := range c.events[:n] {
		i := int(c.events[e].Tag())
		done, err := c.input(&c.lines[i])
		if err != nil {
			return err
		}
		if done {
			c.lines[i].busy = false
			if err := answered(i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *callers) input(l *line) (done bool, err error) {
	if cap(l.in) == 0 {
		l.in = make([]byte, 0, 1024)
	}
	if len(l.in) == cap(l.in) {
		if len(l.in) >= maxAnswer {
			return false, fmt.Errorf("an answer of more than %d bytes", maxAnswer)
		}
		l.in = append(make([]byte, 0, 2*cap(l.in)), l.in...)
	}
	n, err := c.kernel.Read(l.fd, l.in[len(l.in):cap(l.in)])
	if err == unix.EAGAIN {
		return false, nil
	}
	switch {
	case err != nil:
		return false, fmt.Errorf("a publisher's connection failed: %w", err)
	case n == 0:
		return false, errors.New("a publisher's connection was closed")
	case !l.busy:
		return false, errUnasked
	}
	l.in = l.in[:len(l.in)+n]
	done, err = c.whole(l.in)
	if done {
		l.in = l.in[:0]
	}
	return done, err
}

// errUnasked means that a server answers more than it is asked.
var errUnasked = errors.New("a publisher was answered without having asked")

// whole reports whether b is a complete answer. One that is no 2xx is an error: what is not delivered must not be cheap.
func (c *callers) whole(b []byte) (bool, error) {
	c.head.Reset(h1.AskedOther)
	used, done, err := c.head.Parse(b, &h1.DefaultLimits)
	if err != nil || !done {
		return false, err
	}
	if c.head.Status/100 != 2 {
		return false, fmt.Errorf("a push was answered %q", b)
	}
	body := c.head.Body()
	for {
		ev, _, n, err := body.Next(b[used:], &h1.DefaultLimits)
		used += n
		switch {
		case err != nil || ev == h1.NeedMore:
			return false, err
		case ev == h1.End && used < len(b):
			return false, errUnasked
		case ev == h1.End:
			return true, nil
		}
	}
}

// ask pushes over line 0 and waits for the answer. It returns how long that took.
func (c *callers) ask(key string, patience time.Duration) (time.Duration, error) {
	begun := time.Now()
	if err := c.push(0, key); err != nil {
		return 0, err
	}
	var took time.Duration
	for took == 0 {
		if time.Since(begun) > patience {
			return 0, fmt.Errorf("no answer to a push after %v", patience)
		}
		if err := c.look(100*time.Millisecond, func(int) error {
			took = time.Since(begun)
			return nil
		}); err != nil {
			return 0, err
		}
	}
	return took, nil
}

package simkernel

import (
	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
)

const maxParts = 64 // of one Sendv, as in epoll

// Accept takes the first connection of the backlog.
func (k *Kernel) Accept(listener int) (fd int, err error) {
	f := k.file(listener, "Accept")
	if f.conn != nil {
		return -1, unix.EINVAL
	}
	if k.acceptFails > 0 && len(f.backlog) > 0 {
		k.acceptFails--
		if k.acceptErr == unix.ECONNABORTED {
			f.backlog[0].cut()
			f.backlog = f.backlog[1:]
		}
		return -1, k.acceptErr
	}
	switch {
	case k.full():
		return -1, unix.EMFILE // Linux looks for a descriptor before it looks for a connection
	case len(f.backlog) == 0:
		return -1, unix.EAGAIN
	}
	c := f.backlog[0]
	f.backlog = f.backlog[1:]
	return k.open(&file{conn: c}), nil
}

// Read takes input that has arrived, in the order in which tcp_recvmsg looks: data, end, error.
func (k *Kernel) Read(fd int, b []byte) (int, error) {
	c := k.operate(fd, "Read")
	switch {
	case len(b) == 0:
		return 0, nil
	case len(c.input) > 0:
		n := copy(b, c.input)
		c.input = c.input[n:]
		c.settle() // there is room again
		return n, nil
	case c.finCame:
		return 0, nil
	case c.err != 0:
		return 0, c.tell()
	case c.rstCame:
		return 0, nil
	}
	return 0, unix.EAGAIN
}

// Send gives output to the system, as far as its buffer and the Options let it.
func (k *Kernel) Send(fd int, b []byte) (int, error) {
	return k.send(fd, "Send", len(b), b)
}

// Sendv is Send of several pieces, of the first 64 if there are more.
func (k *Kernel) Sendv(fd int, parts [][]byte) (int, error) {
	parts = parts[:min(len(parts), maxParts)]
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	return k.send(fd, "Sendv", size, parts...)
}

func (k *Kernel) send(fd int, call string, size int, parts ...[]byte) (int, error) {
	c := k.operate(fd, call)
	k.sends++
	switch {
	case c.err != 0:
		return 0, c.tell()
	case c.shut || c.rstCame:
		return 0, unix.EPIPE
	case size == 0:
		return 0, nil
	case c.peerGone:
		c.reset() // the answer to it
		return size, nil
	}
	n := min(size, k.o.SendBuffer-len(c.output))
	if n == 0 || c.choked > 0 || k.sends == k.o.EAGAINAt || k.chance(k.o.Refuse) {
		c.choke(n > 0)
		return 0, unix.EAGAIN
	}
	if k.chance(k.o.ShortSend) {
		n = min(n, 1+k.rng.IntN(2)*k.rng.IntN(n))
	}
	left := n
	for _, p := range parts {
		p = p[:min(len(p), left)]
		c.output = append(c.output, p...)
		left -= len(p)
	}
	c.flow()
	return n, nil
}

// choke keeps a socket that has refused from taking more, and from being reported, for some Waits: at least until the
// next if it refused for no reason, because Linux does not report Out of a socket that has just refused.
func (c *conn) choke(forNoReason bool) {
	if c.choked > 0 {
		return
	}
	c.choked = c.k.rng.IntN(c.k.o.Delay + 1)
	if forNoReason {
		c.choked++
	}
}

// Close ends a socket, or with Write its output.
func (k *Kernel) Close(fd int, how epoll.Closing) {
	f := k.file(fd, "Close")
	c := f.conn
	if how == epoll.Write && c != nil {
		c.shut = true
		c.flow()
		return
	}
	k.files[fd] = nil
	if c == nil {
		for _, c := range f.backlog {
			c.cut()
		}
		return
	}
	c.loopGone = true
	if how == epoll.Reset || len(c.input) > 0 || len(c.flight) > 0 {
		c.cut() // closing with input unread resets too: RFC 2525, section 2.17
		return
	}
	c.shut = true
	c.flow()
}

// operate is the beginning of every call that moves bytes.
func (k *Kernel) operate(fd int, call string) *conn {
	c := k.socket(fd, call)
	k.ops++
	if k.ops == k.o.ResetAt {
		c.rstSent, c.peerGone = true, true
		c.end = Rst // the network did it, to both
		c.reset()
	}
	return c
}

// tell gives up the pending error.
func (c *conn) tell() error {
	err := c.err
	c.err = 0
	return err
}

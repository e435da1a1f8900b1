package origin

import (
	"context"
	"errors"
	"net"
	"time"

	"holdfast/codec/h1"
)

const (
	readBytes  = 16 << 10  // a connection's first buffer
	drainBytes = 256 << 10 // unread body taken to keep a connection; more is not worth it
	lingerTime = time.Second
)

// How a connection ends, as handlers say it.
var (
	errClose = errors.New("close in good order")
	errReset = errors.New("close with a reset")
	errGone  = errors.New("the peer is gone or too slow")
	errFull  = errors.New("a message longer than its bound")
)

// conn is one connection. Its goroutine owns everything here.
type conn struct {
	srv      *Server
	nc       net.Conn
	number   int64 // which connection of the server's this is, from 1
	requests int64 // heads read on it

	lim   h1.Limits
	req   h1.Request
	buf   []byte
	r, w  int // unread input is buf[r:w]
	bound int // the longest buf may grow: one message must fit
	out   []byte
}

func newConn(s *Server, nc net.Conn, number int64) *conn {
	c := &conn{srv: s, nc: nc, number: number, lim: h1.DefaultLimits, buf: make([]byte, readBytes)}
	c.lim.Body = int64(s.cfg.BodyBytes)
	c.bound = c.lim.HeadBytes + readBytes
	return c
}

// serve answers requests until one of the two wants no more. A server that has been shut before it was admitted has
// ended ctx.
func (c *conn) serve(ctx context.Context) {
	for ctx.Err() == nil {
		x, err := c.next(ctx)
		if err == nil {
			err = x.handle()
		}
		if err == nil {
			err = x.drain()
		}
		var bad *h1.Error
		switch {
		case err == nil:
			continue
		case errors.As(err, &bad):
			c.srv.Malformed.Add(1)
			c.refuse(bad)
			c.linger()
		case errors.Is(err, errReset):
			if tcp, ok := c.nc.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // if it fails the peer sees a plain close
			}
		case errors.Is(err, errClose):
			c.linger()
		}
		return
	}
}

// next reads the head of a request.
func (c *conn) next(ctx context.Context) (*exchange, error) {
	c.req.Reset()
	for {
		n, done, err := c.req.Parse(c.unread(), &c.lim)
		switch {
		case err != nil:
			return nil, err
		case done:
			c.requests++
			c.srv.Requests.Add(1)
			x := newExchange(ctx, c, c.unread()[:n])
			c.r += n
			return x, nil
		}
		if err := c.fill(c.srv.cfg.IdleTimeout); err != nil {
			return nil, errGone
		}
	}
}

func (c *conn) unread() []byte { return c.buf[c.r:c.w] }

// fill reads more input behind what is unread, which may move.
func (c *conn) fill(patience time.Duration) error {
	if c.r > 0 {
		c.w = copy(c.buf, c.unread())
		c.r = 0
	}
	if c.w == len(c.buf) {
		if c.w >= c.bound {
			return errFull
		}
		c.buf = append(c.buf, make([]byte, min(len(c.buf), c.bound-len(c.buf)))...)
	}
	if err := c.nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	n, err := c.nc.Read(c.buf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	return err
}

// wait lets time pass, unless the peer leaves meanwhile. What it sends ahead is kept.
func (c *conn) wait(ctx context.Context, d time.Duration) error {
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		var timeout net.Error
		switch err := c.fill(left); {
		case errors.Is(err, errFull):
			if !pause(ctx, left) {
				return errGone
			}
		case errors.As(err, &timeout) && timeout.Timeout():
			return nil
		case err != nil:
			return errGone
		}
	}
}

// flush sends what is staged.
func (c *conn) flush() error {
	out := c.out
	c.out = c.out[:0]
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.srv.cfg.SendTimeout)); err != nil {
		return errGone
	}
	if _, err := c.nc.Write(out); err != nil {
		return errGone
	}
	return nil
}

// refuse answers what could not be understood.
func (c *conn) refuse(bad *h1.Error) {
	c.out = h1.AppendStatusLine(c.out[:0], 1, bad.Status)
	c.out = h1.AppendField(c.out, "Connection", "close")
	c.out = h1.AppendField(c.out, "Content-Type", "text/plain")
	c.out = h1.AppendContentLength(c.out, int64(len(bad.Reason)+1))
	c.out = append(c.out, h1.CRLF+bad.Reason+"\n"...)
	_ = c.flush() // the connection ends either way
}

// linger closes our side and reads what still comes, so that no reset overtakes the answer.
func (c *conn) linger() {
	tcp, ok := c.nc.(*net.TCPConn)
	if !ok || tcp.CloseWrite() != nil || c.nc.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	for taken := 0; taken < drainBytes; {
		n, err := c.nc.Read(c.buf)
		if err != nil {
			return
		}
		taken += n
	}
}

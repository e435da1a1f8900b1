package directory

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// watchedConn is a connection whose beginning and end put the store's identity in doubt: a server that was restarted, or
// another in its place, can be met only by a new one.
type watchedConn struct {
	net.Conn
	r          *Redis
	ofSentinel bool
	ended      sync.Once
}

// dial is how the client makes each of its connections.
func (r *Redis) dial(ctx context.Context, address string, d *net.Dialer, secure *tls.Config) (net.Conn, error) {
	var conn net.Conn
	var err error
	if secure != nil {
		conn, err = (&tls.Dialer{NetDialer: d, Config: secure}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = d.DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	if tcp, ok := raw(conn).(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // what is not delivered when it is closed must not be later
	}
	c := &watchedConn{Conn: conn, r: r, ofSentinel: d.KeepAlive == sentinelKeepAlive}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conns == nil {
		conn.Close()
		return nil, net.ErrClosed
	}
	r.conns[c] = struct{}{}
	if c.ofSentinel {
		r.ident.sentinels.Add(1)
	} else {
		r.doubt()
	}
	return c, nil
}

// raw is the connection below TLS, if there is any.
func raw(conn net.Conn) net.Conn {
	if secure, ok := conn.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return conn
}

// Read reads, and an error is the connection's end.
func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.end()
	}
	return n, err
}

// Close closes the connection, and is its end.
func (c *watchedConn) Close() error {
	c.end()
	return c.Conn.Close()
}

func (c *watchedConn) end() {
	c.ended.Do(func() {
		c.r.mu.Lock()
		delete(c.r.conns, c)
		c.r.mu.Unlock()
		if c.ofSentinel {
			c.r.ident.sentinels.Add(-1)
		} else {
			c.r.doubt()
		}
	})
}

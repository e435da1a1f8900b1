// Package origin is a small backend to test proxies against: it echoes what it was asked, serves pages, streams and
// WebSockets, and misbehaves on request. One goroutine a connection keeps it plain: it is a tool for tests and load
// runs on a closed network, never a server for the world, and must never use net/http, whose tidiness would hide what
// a proxy sent and could not break the rules that /fault is there to break.
//
// Read origin.go (accepting), conn.go (requests in), reply.go (responses out), then pages.go, echo.go, fault.go and
// websocket.go for what is served.
package origin

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Config bounds a Server. Zero means the default, a negative value too.
type Config struct {
	MaxConns    int           // open connections, default 4,096: one more is closed at once, so memory is bounded
	IdleTimeout time.Duration // wait for a request or its next bytes, default 60 s
	SendTimeout time.Duration // wait for the peer to take bytes, default 30 s: a client that does not read holds nothing
	BodyBytes   int           // longest request body taken, default 1 GiB
	Message     int           // longest WebSocket message echoed, default 1 MiB
}

// Filled is the config with its defaults in place.
func (c Config) Filled() Config {
	if c.MaxConns <= 0 {
		c.MaxConns = 4096
	}
	if c.IdleTimeout <= 0 {
		c.IdleTimeout = 60 * time.Second
	}
	if c.SendTimeout <= 0 {
		c.SendTimeout = 30 * time.Second
	}
	if c.BodyBytes <= 0 {
		c.BodyBytes = 1 << 30
	}
	if c.Message <= 0 {
		c.Message = 1 << 20
	}
	return c
}

// Server is one running backend. Its counters may be read at any time.
type Server struct {
	cfg Config

	Conns     atomic.Int64 // accepted so far
	Refused   atomic.Int64 // closed at once: MaxConns was reached
	Requests  atomic.Int64 // heads read so far
	Malformed atomic.Int64 // connections ended because the codec refused what came: a proxy let it through

	mu   sync.Mutex
	open map[net.Conn]struct{}
}

// New makes a server; Serve starts it.
func New(cfg Config) *Server {
	return &Server{cfg: cfg.Filled(), open: make(map[net.Conn]struct{})}
}

// Serve answers on ln, which it owns, until ctx ends: then it cuts every connection, waits for their goroutines and
// returns nil. It returns an error if it cannot accept any longer.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { s.shut(ln) })
	defer stop()
	var conns sync.WaitGroup
	defer conns.Wait()
	defer cancel()
	for {
		nc, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // out of descriptors, or a client that left: neither ends the server, and neither may spin
			if !pause(ctx, 10*time.Millisecond) {
				return nil
			}
			continue
		}
		if !s.admit(nc) {
			s.Refused.Add(1)
			nc.Close()
			continue
		}
		number := s.Conns.Add(1)
		conns.Go(func() {
			defer s.forget(nc)
			newConn(s, nc, number).serve(ctx)
		})
	}
}

func (s *Server) admit(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= s.cfg.MaxConns {
		return false
	}
	s.open[nc] = struct{}{}
	return true
}

func (s *Server) forget(nc net.Conn) {
	nc.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, nc)
}

// shut closes everything. A connection admitted after it is met by its own context being over.
func (s *Server) shut(ln net.Listener) {
	ln.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for nc := range s.open {
		nc.Close()
	}
}

// pause waits, and reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package peer

import (
	"net"
	"slices"
	"sync"
)

// halfOpen are accepted connections that have not proved anything yet, oldest first.
type halfOpen struct {
	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

// enter takes one in; false after close. When it is one too many the oldest goes: an honest handshake is over in
// milliseconds.
func (h *halfOpen) enter(c net.Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	if len(h.conns) >= maxHalfOpen {
		_ = h.conns[0].Close()
		h.conns = slices.Delete(h.conns, 0, 1)
	}
	h.conns = append(h.conns, c)
	return true
}

// leave takes one out, whatever became of it.
func (h *halfOpen) leave(c net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.conns, c); i >= 0 {
		h.conns = slices.Delete(h.conns, i, i+1)
	}
}

// close ends them all.
func (h *halfOpen) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, c := range h.conns {
		_ = c.Close()
	}
}

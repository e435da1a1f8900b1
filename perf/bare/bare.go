// Package bare is the floor of a fan-out: a server that knows no keys, no forms and no limits, and sends one prepared
// frame to every connection in a plain loop of send(2). Whatever a push server does beyond that is its own cost. It must
// never be made cleverer than such a loop, nor be used for anything but to compare with.
package bare

import (
	"context"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
)

// Server holds whoever asks with GET, and sends the frame to all of them for each request that begins with a P.
type Server struct {
	kernel   *epoll.Kernel
	listener int
	addr     netip.AddrPort
	frame    []byte
	held     []int32 // descriptors
	place    []int32 // in held plus one, by descriptor; 0 is not held
	scratch  []byte
	short    int // sends of the current trigger that the system took no or not all bytes of
}

const (
	head   = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	failed = "HTTP/1.1 500 Not Everybody\r\nContent-Length: 0\r\n\r\n"
)

// Frame is a message of so many bytes as an event stream would carry it in a chunk, id and all: what is sent must be as
// long as what the servers beside it send. A tilde marks it for those who count.
func Frame(size int) []byte {
	data := make([]byte, max(size, 1))
	for i := range data {
		data[i] = '.'
	}
	data[0] = '~'
	event := fmt.Sprintf("id: ABCDEFGHI-12345\ndata: %s\n\n", data)
	return fmt.Appendf(nil, "%X\r\n%s\r\n", len(event), event)
}

// Listen opens the server's listening socket; port 0 takes a free one.
func Listen(addr netip.AddrPort, frame []byte) (*Server, error) {
	k, err := epoll.New()
	if err != nil {
		return nil, err
	}
	fd, actual, err := epoll.Listen(addr, epoll.Options{})
	if err == nil {
		err = k.Add(fd, uint64(fd), epoll.In)
	}
	if err != nil {
		k.Free()
		return nil, fmt.Errorf("bare: listen on %s: %w", addr, err)
	}
	return &Server{kernel: k, listener: fd, addr: actual, frame: frame, scratch: make([]byte, 64<<10)}, nil
}

// Addr is where the server listens.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// Serve runs until ctx ends, and closes everything.
func (s *Server) Serve(ctx context.Context) error {
	defer s.free()
	defer context.AfterFunc(ctx, s.kernel.Wake)()
	events := make([]epoll.Event, 256)
	for ctx.Err() == nil {
		n, err := s.kernel.Wait(events, -1)
		if err != nil {
			return fmt.Errorf("bare: %w", err)
		}
		for i := range events[:n] {
			if fd := int(events[i].Tag()); fd == s.listener {
				s.accept()
			} else {
				s.input(fd)
			}
		}
	}
	return nil
}

func (s *Server) free() {
	for _, fd := range s.held {
		s.kernel.Close(int(fd), epoll.Now)
	}
	s.kernel.Close(s.listener, epoll.Now)
	s.kernel.Free()
}

func (s *Server) accept() {
	for {
		fd, err := s.kernel.Accept(s.listener)
		if err != nil {
			return // nobody is waiting, or no descriptor is left: those who wait go on waiting
		}
		if s.kernel.Add(fd, uint64(fd), epoll.In|epoll.RdHup) != nil {
			s.kernel.Close(fd, epoll.Now)
		}
	}
}

// input looks at no more than the first byte: G holds the connection, P sends to all who are held, the end ends it.
func (s *Server) input(fd int) {
	n, err := s.kernel.Read(fd, s.scratch)
	switch {
	case err == unix.EAGAIN:
	case err != nil || n == 0:
		s.leave(fd)
		s.kernel.Close(fd, epoll.Now)
	case s.scratch[0] == 'G':
		s.join(fd)
	case s.scratch[0] == 'P':
		s.sendAll()
		if s.short > 0 {
			_, _ = s.kernel.Send(fd, []byte(failed)) // whoever asked and left needs no answer, here and below
			return
		}
		_, _ = s.kernel.Send(fd, []byte(answer))
	}
}

func (s *Server) join(fd int) {
	if _, err := s.kernel.Send(fd, []byte(head)); err != nil || s.kernel.Mod(fd, uint64(fd), epoll.RdHup) != nil {
		return // its end will be reported
	}
	for fd >= len(s.place) {
		s.place = append(s.place, 0)
	}
	if s.place[fd] == 0 {
		s.held = append(s.held, int32(fd))
		s.place[fd] = int32(len(s.held))
	}
}

func (s *Server) leave(fd int) {
	if fd >= len(s.place) || s.place[fd] == 0 {
		return
	}
	last := s.held[len(s.held)-1]
	s.held[s.place[fd]-1] = last
	s.place[last] = s.place[fd]
	s.place[fd] = 0
	s.held = s.held[:len(s.held)-1]
}

// sendAll is the loop that all of this is for.
func (s *Server) sendAll() {
	s.short = 0
	for _, fd := range s.held {
		if n, err := s.kernel.Send(int(fd), s.frame); err != nil || n < len(s.frame) {
			s.short++
		}
	}
}

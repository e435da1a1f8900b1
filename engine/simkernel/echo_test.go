package simkernel

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
)

// echo is the smallest honest server: it sends back what it reads, keeps what is not taken, and ends when its client
// has ended.
type echo struct {
	k        *Kernel
	listener int
	conns    map[int]*echoConn
	trace    []byte // of everything the kernel said
}

type echoConn struct {
	queue []byte
	ended bool
}

const everything = epoll.In | epoll.Out | epoll.RdHup

func newEcho(k *Kernel) *echo {
	s := &echo{k: k, listener: k.Listen(), conns: make(map[int]*echoConn)}
	if err := k.Add(s.listener, 0, epoll.In); err != nil {
		panic(err)
	}
	return s
}

func (s *echo) tick() {
	events := make([]epoll.Event, 3)
	n, _ := s.k.Wait(events, time.Second)
	for i := range events[:n] {
		fd, mask := int(events[i].Tag()), events[i].Mask()
		s.trace = fmt.Appendf(s.trace, "%d %d %x\n", s.k.Now(), fd, mask)
		if fd == 0 {
			s.accept()
		} else if s.conns[fd] != nil {
			s.serve(fd, s.conns[fd])
		}
	}
}

func (s *echo) accept() {
	fd, err := s.k.Accept(s.listener)
	if err != nil {
		return
	}
	if err := s.k.Add(fd, uint64(fd), everything); err != nil {
		panic(err)
	}
	s.conns[fd] = &echoConn{}
}

func (s *echo) serve(fd int, c *echoConn) {
	b := make([]byte, 64)
	n, err := s.k.Read(fd, b)
	c.queue = append(c.queue, b[:n]...)
	c.ended = c.ended || n == 0 && err == nil
	if err == nil || err == unix.EAGAIN {
		if len(c.queue) > 0 {
			n, err = s.k.Send(fd, c.queue)
			c.queue = c.queue[n:]
		} else {
			err = nil
		}
	}
	mask := everything
	if c.ended {
		mask &^= epoll.In | epoll.RdHup
	}
	if len(c.queue) == 0 {
		mask &^= epoll.Out
	}
	switch {
	case err != nil && err != unix.EAGAIN:
		s.k.Close(fd, epoll.Reset)
		delete(s.conns, fd)
	case c.ended && len(c.queue) == 0:
		s.k.Close(fd, epoll.Now)
		delete(s.conns, fd)
	default:
		if err := s.k.Mod(fd, uint64(fd), mask); err != nil {
			panic(err)
		}
	}
}

// converse lets clients come, talk, stall and go, all by the seed.
func converse(t *testing.T, seed uint64, o Options) (trace []byte, ops int) {
	t.Helper()
	type talker struct {
		*Peer
		sent, got []byte
	}
	k := New(seed, o)
	rng := rand.New(rand.NewPCG(seed, 1))
	s := newEcho(k)
	talkers := make([]*talker, 6)
	for i := range talkers {
		talkers[i] = &talker{Peer: k.Dial(s.listener)}
	}
	for range 60 {
		c := talkers[rng.IntN(len(talkers))]
		switch rng.IntN(4) {
		case 0:
			c.Stall()
		case 1:
			c.Drain(rng.IntN(100))
			c.Resume()
		default:
			b := make([]byte, 1+rng.IntN(200))
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			c.sent = append(c.sent, b...)
			c.Write(b)
		}
		s.tick()
	}
	for _, c := range talkers {
		c.Resume()
		c.CloseWrite()
	}
	for ticks := 0; !k.Idle(); ticks++ {
		if ticks > 50_000 {
			t.Fatalf("seed %d: it does not come to rest", seed)
		}
		s.tick()
	}
	for i, c := range talkers {
		c.got = append(c.got, c.Read()...)
		closed, how := c.Closed()
		if how == Fin && !bytes.Equal(c.got, c.sent) || !closed || !bytes.HasPrefix(c.sent, c.got) || how == Rst && o.ResetAt == 0 {
			t.Errorf("seed %d, %+v: client %d sent %d bytes, got %d, and is %v", seed, o, i, len(c.sent), len(c.got), how)
		}
	}
	k.Close(s.listener, epoll.Now)
	if open := k.Leaks(); open != nil {
		t.Errorf("seed %d, %+v: open at the end: %v", seed, o, open)
	}
	return s.trace, k.Ops()
}

// In any weather every byte arrives once and in order, and everybody gets to the end.
func TestNothingIsLostOrInvented(t *testing.T) {
	for seed := range Seeds(300, testing.Short()) {
		converse(t, seed, Rough())
	}
	converse(t, 1, Options{})
	converse(t, 1, Options{SendBuffer: 1, RecvBuffer: 1})
}

// A reset before any one operation costs one connection and nobody else anything.
func TestResetAnywhere(t *testing.T) {
	o := Rough()
	step := 7
	if testing.Short() {
		step = 31
	}
	for o.ResetAt = 1; ; o.ResetAt += step {
		if _, ops := converse(t, 5, o); ops < o.ResetAt {
			return
		}
	}
}

func TestSeedReplays(t *testing.T) {
	digest := func(seed uint64) uint64 {
		trace, _ := converse(t, seed, Rough())
		h := fnv.New64a()
		h.Write(trace)
		return h.Sum64()
	}
	seen := make(map[uint64]bool)
	for seed := range uint64(20) {
		a, b := digest(seed), digest(seed)
		if a != b {
			t.Errorf("seed %d tells two stories", seed)
		}
		seen[a] = true
	}
	if len(seen) != 20 {
		t.Errorf("20 seeds tell %d stories", len(seen))
	}
}

package loop

import (
	"errors"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
	"holdfast/engine/record"
)

const (
	listenerTag = uint64(1) << 63
	acceptRetry = 100 * time.Millisecond // how soon a paused listener is tried again
	lastAccepts = 4096                   // taken from a listener's backlog when it closes
)

// listener is a listening socket of this loop.
type listener struct {
	fd      int
	kind    record.Kind
	spare   int64 // connections it may take beyond MaxConns: keeps publishers in when clients fill the house
	paused  bool
	retryAt int64
	closed  bool
}

// Listen takes connections of this kind from a listening socket, which the loop then owns: at most 256 of them.
// Connections beyond MaxConns are left in the backlog, but for spare ones. On the loop, or before Run.
func (l *Loop) Listen(fd int, kind record.Kind, spare int) (index int, err error) {
	index = len(l.listeners)
	if index > math.MaxUint8 {
		return 0, unix.ENOSPC
	}
	if err := l.k.Add(fd, listenerTag|uint64(index), epoll.In); err != nil {
		return 0, err
	}
	l.listeners = append(l.listeners, listener{fd: fd, kind: kind, spare: int64(spare)})
	return index, nil
}

// CloseListeners stops accepting for good. Who was let into the backlog is taken first, because the kernel would reset
// them with their requests; at most lastAccepts, so that a connect flood cannot hold up the end.
func (l *Loop) CloseListeners() {
	if l.leaving {
		return // a session that was opened here asked again
	}
	l.leaving = true
	for i := range l.listeners {
		l.accept(i, lastAccepts)
	}
	l.closeListeners()
}

func (l *Loop) closeListeners() {
	for i := range l.listeners {
		if ln := &l.listeners[i]; !ln.closed {
			ln.closed = true
			l.k.Close(ln.fd, epoll.Now)
		}
	}
}

// accept takes at most so many connections from one listener.
func (l *Loop) accept(index, most int) {
	for range most {
		ln := &l.listeners[index] // a session that was opened may have added one
		if ln.closed || ln.paused {
			return
		}
		if l.cfg.Conns.Add(1) > l.cfg.MaxConns+ln.spare {
			l.cfg.Conns.Add(-1)
			l.Stats.AcceptsFull++
			l.pauseAccept(index)
			return
		}
		fd, err := l.k.Accept(ln.fd)
		if err == nil {
			if _, ok := l.open(fd, ln.kind, uint8(index)); !ok {
				l.pauseAccept(index) // the next one would fare no better
			}
			continue
		}
		l.cfg.Conns.Add(-1)
		if errors.Is(err, unix.EAGAIN) {
			return
		}
		switch epoll.Classify(err) {
		case epoll.Exhausted:
			l.Stats.AcceptsExhausted++
			l.pauseAccept(index)
		case epoll.Retry, epoll.Transient, epoll.CloseConn:
			// that one connection is lost, not the listener
		default:
			l.Stats.AcceptsFailed++
			l.pauseAccept(index)
		}
	}
}

// pauseAccept takes the listener out of epoll: with nothing to accept into, its level-triggered event would spin.
func (l *Loop) pauseAccept(index int) {
	ln := &l.listeners[index]
	ln.paused = true
	ln.retryAt = l.now + int64(acceptRetry)
	if err := l.k.Del(ln.fd); err != nil {
		l.Stats.AcceptsFailed++
	}
}

// resumeAccept tries paused listeners again after a while.
func (l *Loop) resumeAccept() {
	for i := range l.listeners {
		ln := &l.listeners[i]
		if !ln.paused || ln.closed || l.now < ln.retryAt {
			continue
		}
		if err := l.k.Add(ln.fd, listenerTag|uint64(i), epoll.In); err != nil {
			ln.retryAt = l.now + int64(acceptRetry)
			continue
		}
		ln.paused = false
	}
}

func (l *Loop) acceptPaused() bool {
	for i := range l.listeners {
		if l.listeners[i].paused && !l.listeners[i].closed {
			return true
		}
	}
	return false
}

// open gives a socket its record. When there is none to be had, or no room in epoll, it is reset.
func (l *Loop) open(fd int, kind record.Kind, listener uint8) (slot uint32, ok bool) {
	slot, ok = l.records.Alloc()
	if !ok {
		l.Stats.AcceptsFull++
		l.refuse(fd)
		return 0, false
	}
	r := l.records.At(slot)
	r.fd = int32(fd)
	r.Kind = kind
	r.Listener = listener
	r.Born = l.Seconds()
	r.Wrote = r.Born
	r.mask = epoll.In | epoll.RdHup
	if err := l.k.Add(fd, tagOf(slot, r.fd), r.mask); err != nil {
		l.records.Free(slot)
		l.Stats.AcceptsExhausted++
		l.refuse(fd)
		return 0, false
	}
	l.Stats.Accepted++
	l.Stats.Conns++
	l.protocols[kind].Happened(slot, Opened)
	return slot, true
}

func (l *Loop) refuse(fd int) {
	l.k.Close(fd, epoll.Reset)
	l.cfg.Conns.Add(-1)
}

// Adopt makes a connection out of a socket that somebody else opened, such as one being connected. It counts as one.
func (l *Loop) Adopt(fd int, kind record.Kind) (slot uint32, ok bool) {
	l.cfg.Conns.Add(1)
	return l.open(fd, kind, 0)
}

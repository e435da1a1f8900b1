// Package simkernel is a fake of engine/epoll for tests of the loop and its sessions: the same methods over a network,
// peers and a clock that exist only in memory. Everything is decided by the seed, so a failure is replayed by its seed.
// It must never be kinder than Linux: what it reports, refuses, loses and resets is held against the real thing by
// TestConformance, and a call on a closed descriptor, which Linux would answer or misdirect, panics.
//
// One goroutine uses it: the test makes something happen through a Peer, then lets the loop tick. Only Wake may come
// from elsewhere.
//
// Read options.go (what can go wrong), seeds.go (how often it does), peer.go (what a test does), conn.go (how TCP
// behaves), then kernel.go and socket.go (what the loop sees).
package simkernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
)

const (
	firstFile = 3                     // as in a process with its standard files
	waitCosts = 10 * time.Microsecond // a busy loop must still get on in time, or its timers would starve
)

// file is an open descriptor: a listener, or the server's end of a conn.
type file struct {
	fd      int
	conn    *conn // nil for a listener
	backlog []*conn

	watched bool
	tag     uint64
	mask    uint32
}

// Kernel has the methods of epoll.Kernel.
type Kernel struct {
	o     Options
	rng   *rand.Rand
	now   int64
	files []*file // by descriptor, nil if closed
	woken atomic.Bool

	acceptErr   unix.Errno // of the next acceptFails accepts
	acceptFails int
	ops, sends  int
	idle        bool
	ready       []epoll.Event
}

// New makes a kernel whose every choice follows from the seed.
func New(seed uint64, o Options) *Kernel {
	o.fill()
	return &Kernel{o: o, rng: rand.New(rand.NewPCG(seed, 0)), now: int64(time.Second)}
}

// Now is virtual time in ns; it moves in Advance and Wait only.
func (k *Kernel) Now() int64 { return k.now }

// Advance lets virtual time pass.
func (k *Kernel) Advance(d time.Duration) {
	k.idle = false
	k.now += int64(d)
}

// Wake makes the next Wait return without waiting.
func (k *Kernel) Wake() { k.woken.Store(true) }

// Add watches fd as epoll does, level-triggered.
func (k *Kernel) Add(fd int, tag uint64, mask uint32) error {
	f := k.file(fd, "Add")
	if f.watched {
		return unix.EEXIST
	}
	f.watched, f.tag, f.mask = true, tag, mask
	return nil
}

// Mod changes what fd is watched for.
func (k *Kernel) Mod(fd int, tag uint64, mask uint32) error {
	f := k.file(fd, "Mod")
	if !f.watched {
		return unix.ENOENT
	}
	f.tag, f.mask = tag, mask
	return nil
}

// Del stops watching fd.
func (k *Kernel) Del(fd int) error {
	f := k.file(fd, "Del")
	if !f.watched {
		return unix.ENOENT
	}
	f.watched = false
	return nil
}

// Wait never blocks. What is on its way arrives; then it returns what is ready, in an order of the seed's, or else lets
// the time pass that the caller was prepared to wait, at most Options.Nap.
func (k *Kernel) Wait(events []epoll.Event, timeout time.Duration) (int, error) {
	if len(events) == 0 {
		return 0, unix.EINVAL
	}
	underWay := k.arrive()
	woken := k.woken.Swap(false)
	k.idle = false
	k.now += int64(waitCosts)
	if !woken && timeout != 0 && k.chance(k.o.Interrupt) {
		return 0, nil
	}
	k.ready = k.ready[:0]
	for _, f := range k.files {
		if f == nil || !f.watched {
			continue
		}
		if mask := f.state() & (f.mask | epoll.Err | epoll.Hup); mask != 0 {
			k.ready = append(k.ready, epoll.NewEvent(f.tag, mask))
		}
	}
	if len(k.ready) == 0 && !woken && !underWay {
		k.idle = timeout != 0
		k.now += int64(k.nap(timeout))
		return 0, nil
	}
	k.rng.Shuffle(len(k.ready), func(i, j int) { k.ready[i], k.ready[j] = k.ready[j], k.ready[i] })
	return copy(events, k.ready), nil
}

// nap is how long an idle Wait lasts: rounded up to ms, as epoll's.
func (k *Kernel) nap(timeout time.Duration) time.Duration {
	if timeout < 0 || timeout > k.o.Nap {
		return k.o.Nap
	}
	return (timeout + time.Millisecond - 1).Truncate(time.Millisecond)
}

// arrive moves what is on its way on every conn that the loop has, and says whether some still is.
func (k *Kernel) arrive() (underWay bool) {
	for _, f := range k.files {
		if f != nil && f.conn != nil {
			f.conn.arrive()
			underWay = underWay || f.conn.underWay()
		}
	}
	return underWay
}

// Idle says whether the last Wait was prepared to wait, had nothing to report and nothing on its way, and nobody has
// done anything since: the loop has done all it can until more time passes or a Peer acts.
func (k *Kernel) Idle() bool { return k.idle && !k.woken.Load() }

// Leaks lists the descriptors that are open, lowest first. After everything was shut down there should be none.
func (k *Kernel) Leaks() []int {
	var open []int
	for fd, f := range k.files {
		if f != nil {
			open = append(open, fd)
		}
	}
	return open
}

// Ops counts calls of Read, Send and Sendv so far: what Options.ResetAt counts.
func (k *Kernel) Ops() int { return k.ops }

// Sends counts calls of Send and Sendv so far: what Options.EAGAINAt counts.
func (k *Kernel) Sends() int { return k.sends }

// open gives f the lowest free number, as Linux does: a number kept too long is soon somebody else's.
func (k *Kernel) open(f *file) int {
	fd := firstFile
	for fd < len(k.files) && k.files[fd] != nil {
		fd++
	}
	if fd >= len(k.files) {
		k.files = append(k.files, slices.Repeat([]*file{nil}, fd+1-len(k.files))...)
	}
	k.files[fd], f.fd = f, fd
	return fd
}

func (k *Kernel) full() bool {
	return k.o.MaxFiles > 0 && len(k.Leaks()) >= k.o.MaxFiles
}

func (k *Kernel) file(fd int, call string) *file {
	if fd < 0 || fd >= len(k.files) || k.files[fd] == nil {
		panic(fmt.Sprintf("simkernel: %s of closed fd %d", call, fd))
	}
	return k.files[fd]
}

func (k *Kernel) socket(fd int, call string) *conn {
	f := k.file(fd, call)
	if f.conn == nil {
		panic(fmt.Sprintf("simkernel: %s of listener %d", call, fd))
	}
	return f.conn
}

func (k *Kernel) chance(p float64) bool { return p > 0 && k.rng.Float64() < p }

// state is every condition that holds, asked for or not.
func (f *file) state() uint32 {
	if f.conn != nil {
		return f.conn.state()
	}
	if len(f.backlog) > 0 {
		return epoll.In
	}
	return 0
}

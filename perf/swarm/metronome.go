package swarm

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// metronome wakes a loop on time. The loop's own wait is counted in whole milliseconds, which is longer than most of
// the latencies that are to be measured.
type metronome struct {
	now  func() int64
	wake func()
	due  atomic.Int64 // when to wake next, monotonic ns; 0 never
	ends func()       // nil unless it runs
}

// The least and the most that the metronome sleeps between two looks.
const (
	shortNap = 50 * time.Microsecond
	longNap  = time.Millisecond
	punctual = time.Microsecond // how late the kernel may be, to wake several sleepers at once; the default is 50 µs
)

func newMetronome(now func() int64, wake func()) *metronome {
	return &metronome{now: now, wake: wake}
}

// next says when the loop wants to be woken. What it said before is forgotten.
func (m *metronome) next(at int64) { m.due.Store(at) }

// run begins to wake the loop, until stop.
func (m *metronome) run() {
	if m.ends != nil {
		return
	}
	var ended atomic.Bool
	var running sync.WaitGroup
	running.Go(func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its slack with it
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(punctual), 0, 0, 0)
		var woken int64
		for !ended.Load() {
			due, now := m.due.Load(), m.now()
			if due <= now && due != woken {
				m.wake()
				woken = due
			}
			nap := longNap
			if due > now {
				nap = min(max(time.Duration(due-now), shortNap), longNap)
			} else if due == woken && due != 0 {
				nap = shortNap // the loop is about to say what is next
			}
			sleep(nap)
		}
	})
	m.ends = func() {
		ended.Store(true)
		running.Wait()
	}
}

// stop returns when no more wakes will come.
func (m *metronome) stop() {
	if m.ends != nil {
		m.ends()
		m.ends = nil
	}
}

// sleep is exact to some µs; the runtime's timers are to a millisecond when nothing else happens.
func sleep(d time.Duration) {
	left := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&left, nil) // interrupted it is early, and looks again
}

package epoll

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// writes is how often the eventfd was written; it is never drained, so it counts them all.
func writes(t *testing.T, k *Kernel) int {
	t.Helper()
	var b [8]byte
	if _, err := unix.Read(k.waker.fd, b[:]); err == unix.EAGAIN {
		return 0
	} else if err != nil {
		t.Fatal(err)
	}
	return int(binary.NativeEndian.Uint64(b[:]))
}

func TestWakeEndsWait(t *testing.T) {
	k := newKernel(t)
	events := make([]Event, 4)
	f := func(name string, delay time.Duration, times int) {
		t.Helper()
		var woken atomic.Bool
		wake := func() {
			woken.Store(true)
			for range times {
				k.Wake()
			}
		}
		if delay == 0 {
			wake()
		} else {
			time.AfterFunc(delay, wake)
		}
		start := time.Now()
		for !woken.Load() || k.waker.pending.Load() { // a signal may end a Wait before the wake-up does
			if n, err := k.Wait(events, 5*time.Second); n != 0 || err != nil || time.Since(start) > 4*time.Second {
				t.Fatalf("%s: Wait = %d, %v after %v", name, n, err, time.Since(start))
			}
		}
		if n, _ := wait(k.epfd, events, 0); n != 0 {
			t.Errorf("%s: a second Wait would be woken too", name)
		}
	}
	f("woken before", 0, 1)
	f("woken often", 0, 100)
	f("woken while waiting", 20*time.Millisecond, 1)
	if got := writes(t, k); got != 3 {
		t.Errorf("%d writes for three wake-ups", got)
	}
}

// The wake-up is not an event, and takes no event's place for good.
func TestWakeAmongEvents(t *testing.T) {
	for room := 1; room <= 4; room++ {
		k := newKernel(t)
		for tag := range uint64(3) {
			server, _ := pair(t, k)
			if err := k.Add(server, tag, Out); err != nil {
				t.Fatal(err)
			}
		}
		heard := make(map[uint64]bool)
		events := make([]Event, room)
		for range 12 {
			k.Wake()
			n, err := k.Wait(events, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			for i := range events[:n] {
				if events[i].Mask() != Out {
					t.Errorf("tag %#x reports %#x", events[i].Tag(), events[i].Mask())
				}
				heard[events[i].Tag()] = true
			}
		}
		if len(heard) != 3 || !heard[0] || !heard[1] || !heard[2] {
			t.Errorf("room for %d: heard %v", room, heard)
		}
	}
}

// Eight posters, some of which wait for an answer to each letter: if one wake-up were lost, nobody would post again and
// the loop, which waits for ever, would never answer.
func TestNoWakeIsLost(t *testing.T) {
	const posters, letters = 8, 4000
	k := newKernel(t)
	var (
		mu     sync.Mutex
		box    []chan struct{} // whom to answer; nil asks for no answer
		posted sync.WaitGroup
		taken  atomic.Int64
		sleeps int
	)
	for p := range posters {
		posted.Go(func() {
			answer := make(chan struct{}, 1)
			for i := range letters {
				ask := answer
				if p%2 == 0 && i%16 != 0 {
					ask = nil
				}
				mu.Lock()
				box = append(box, ask)
				mu.Unlock()
				k.Wake()
				if ask != nil {
					<-answer
				}
			}
		})
	}
	looped := make(chan struct{})
	go func() {
		defer close(looped)
		events := make([]Event, 4)
		for taken.Load() < posters*letters {
			if n, err := k.Wait(events, -1); n != 0 || err != nil {
				t.Errorf("Wait = %d, %v", n, err)
				return
			}
			sleeps++
			mu.Lock()
			mail := box
			box = nil
			mu.Unlock()
			for _, answer := range mail {
				if answer != nil {
					answer <- struct{}{}
				}
			}
			taken.Add(int64(len(mail)))
		}
	}()
	select {
	case <-looped:
	case <-time.After(60 * time.Second):
		t.Fatalf("asleep with %d of %d letters taken", taken.Load(), posters*letters)
	}
	posted.Wait()
	if n := writes(t, k); n > sleeps+1 {
		t.Errorf("%d writes for %d wake-ups", n, sleeps)
	}
}

// A poster may know a loop that has ended. Its wake-up must not be written into whatever file got the number since.
func TestWakeAfterFree(t *testing.T) {
	for range 200 {
		k, err := New()
		if err != nil {
			t.Fatal(err)
		}
		var posters sync.WaitGroup
		for range 4 {
			posters.Go(func() {
				for range 20 {
					k.Wake()
					k.waker.rearm()
				}
			})
		}
		k.Free()
		var heirs [2]int // of the epoll and of the eventfd
		for i := range heirs {
			if heirs[i], err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
				t.Fatal(err)
			}
		}
		posters.Wait()
		for _, fd := range heirs {
			var b [8]byte
			if _, err := unix.Read(fd, b[:]); err != unix.EAGAIN {
				t.Errorf("fd %d was written to", fd)
			}
			unix.Close(fd)
		}
	}
}

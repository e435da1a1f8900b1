//go:build !race

// The race detector's pools drop what they are given, so allocations are counted without it.

package loop

import (
	"strings"
	"testing"
	"time"

	"holdfast/engine/epoll"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

const churnTotal = 1_000_000

func TestNothingIsAllocatedPerMessageReadOrConnection(t *testing.T) {
	f := func(name string, play func(q *quiet, k *nothing) func()) {
		t.Run(name, func(t *testing.T) {
			q, k := quietLoop(t)
			once := play(q, k)
			for range 100 {
				once()
			}
			if n := testing.AllocsPerRun(1000, once); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
	push := func(size int) func(q *quiet, k *nothing) func() {
		return func(q *quiet, _ *nothing) func() {
			q.deliver(payload(strings.Repeat("m", size)))
			return q.Tick
		}
	}
	f("push of a small message", push(100))
	f("push of a large message", push(10_000))
	f("ten pushes in a tick", func(q *quiet, _ *nothing) func() {
		p := payload("message")
		q.work = func() {
			for range 10 {
				q.Push(q.slot, p, p.Frame(0, frame), 1)
			}
		}
		return q.Tick
	})
	f("write", func(q *quiet, _ *nothing) func() {
		b := make([]byte, 300)
		q.work = func() { q.Write(q.slot, b); q.Write(q.slot, b) }
		return q.Tick
	})
	read := func(use int) func(q *quiet, k *nothing) func() {
		return func(q *quiet, k *nothing) func() {
			k.input = make([]byte, 200)
			tag := tagOf(q.slot, q.records.At(q.slot).fd)
			return func() {
				q.use = use
				k.ready, k.event = true, epoll.NewEvent(tag, epoll.In)
				q.Tick()
				q.use = -1
				k.ready, k.event = true, epoll.NewEvent(tag, epoll.In)
				q.Tick()
			}
		}
	}
	f("input used at once", read(-1))
	f("input kept and used later", read(10))
	f("accept, deadline and close", func(q *quiet, k *nothing) func() {
		return func() {
			q.SetDeadline(q.slot, q.Now()+int64(time.Minute))
			q.Close(q.slot, record.ReasonDone)
			q.connect(k)
		}
	})
	f("an idle tick", func(q *quiet, _ *nothing) func() { return q.Tick })
}

func TestABlockedConnectionCostsNoAllocationPerMessageDropped(t *testing.T) {
	tl := newLoop(t, simkernel.Options{SendBuffer: 10}, Config{StallTimeout: time.Hour})
	tl.SetPolicies([]record.SlowPolicy{{Action: record.SlowOldest}})
	s := tl.connect()
	s.peer.Stall()
	p := payload(strings.Repeat("m", 500))
	tl.work = func() time.Duration {
		tl.Push(s.slot, p, p.Frame(0, frame), 0)
		return -1
	}
	tl.ticks(500)
	tl.fates = nil
	tl.Host(&quiet{Loop: tl.Loop, work: func() { tl.work() }})
	if n := testing.AllocsPerRun(1000, tl.Tick); n != 0 {
		t.Errorf("%v allocations", n)
	}
	p.Release()
	tl.Host(tl)
	tl.work = nil
	tl.do(func() { tl.Close(s.slot, record.ReasonSlow) })
	tl.wantNothingLeft()
}

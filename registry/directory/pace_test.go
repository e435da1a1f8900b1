package directory

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// A pace rises while writes are quick, falls once for each slow one that has seen the last fall, and keeps its bounds.
func TestPace(t *testing.T) {
	p, now := newPace(1000), time.Hour
	heed := func(after, took time.Duration, failed bool) int {
		now += after
		p.heed(now, took, failed)
		return int(p.now() + 0.5)
	}
	f := func(got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%d keys a second, want %d", got, want)
		}
	}
	f(int(p.now()), 100)
	f(heed(50*time.Millisecond, time.Millisecond, false), 200) // the first one, after a long time
	f(heed(50*time.Millisecond, time.Millisecond, false), 250)
	f(heed(time.Minute, 20*time.Millisecond, false), 350) // a long silence counts little
	for range 10 {
		heed(100*time.Millisecond, time.Millisecond, false)
	}
	f(int(p.now()), 1000)
	f(heed(time.Second, 50*time.Millisecond, false), 500)
	f(heed(20*time.Millisecond, 50*time.Millisecond, false), 500) // began before the fall
	f(heed(50*time.Millisecond, 50*time.Millisecond, false), 250)
	f(heed(time.Second, 0, true), 125) // it was refused
	f(heed(time.Second, time.Second, false), 63)
	f(heed(time.Second, time.Second, false), 50)
	f(heed(time.Second, time.Second, false), 50)
	p.begin()
	f(int(p.now()), 100)
	f(heed(time.Second, 80*time.Millisecond, false), 200) // another store, which is far away: not slow
	f(heed(time.Second, 180*time.Millisecond, false), 300)
	f(heed(time.Second, 190*time.Millisecond, false), 150)
}

// server is what takes claims of all nodes, one after another.
type server struct {
	mu     sync.Mutex
	each   time.Duration // for a claim
	free   time.Time     // when it has done what it was given
	queues []time.Duration
}

// work is the time until a number of claims is done.
func (s *server) work(claims int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := max(0, time.Until(s.free))
	s.queues = append(s.queues, wait)
	wait += time.Duration(claims) * s.each
	s.free = time.Now().Add(wait)
	return wait
}

// busy is a node's view of a store whose server takes its time.
type busy struct {
	Store
	server *server
}

func (b *busy) Claim(ctx context.Context, owner Instance, changes []Change) {
	if !pause(ctx, b.server.work(len(changes))) {
		for i := range changes {
			changes[i].Err = ErrStore
		}
		return
	}
	b.Store.Claim(ctx, owner, changes)
}

// A store that is asked by many for more than it can do is not flooded, and works all the time.
func TestReclaimSparesASlowStore(t *testing.T) {
	const nodes, keys, each = 20, 500, 500 * time.Microsecond
	s := &server{}
	bubble(t, nodes, func(t *testing.T, m *Memory, n []*node) {
		for _, a := range n {
			for i := range keys {
				a.join(fmt.Sprint(a.cfg.Self.Instance, " ", i))
			}
		}
		quiet(2 * time.Second)
		s.mu.Lock()
		s.each, s.queues = each, nil
		s.mu.Unlock()
		m.Wipe()
		start := time.Now()
		for m.Claims() < nodes*keys && time.Since(start) < time.Minute {
			time.Sleep(10 * time.Millisecond)
		}
		took, sum := time.Since(start), time.Duration(0)
		s.mu.Lock()
		for _, wait := range s.queues {
			sum += wait
		}
		mean := sum / time.Duration(len(s.queues))
		s.mu.Unlock()
		t.Logf("%v at least, took %v; queue %v on average", nodes*keys*each, took, mean)
		if took > 2*nodes*keys*each || mean > 150*time.Millisecond {
			t.Errorf("took %v; writes waited %v", took, mean)
		}
	}, func(c *Config) {
		c.ReclaimRate = 1000
		f := c.Store.(*faulty)
		f.Store = &busy{f.Store, s}
	})
}

// One that is fast is filled at the full rate.
func TestReclaimFillsAFastStore(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		for i := range 5000 {
			n[0].join(fmt.Sprint(i))
		}
		quiet(time.Second)
		m.Wipe()
		quiet(2500 * time.Millisecond) // noticed, and up to speed
		before := m.Claims()
		quiet(time.Second)
		if got := m.Claims() - before; got < 950 || got > 1050 || n[0].Stats().Pace != 1000 {
			t.Errorf("%d claims in a second; pace %d", got, n[0].Stats().Pace)
		}
	}, func(c *Config) { c.ReclaimRate = 1000 })
}

// New claims go before those that are made again, but do not keep them from it.
func TestNewClaimsGoFirst(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		for i := range 300 {
			a.join(fmt.Sprint("old ", i))
		}
		quiet(time.Second)
		a.store.set(func(f *faulty) { f.slow = 100 * time.Millisecond })
		for i := range 300 {
			a.writers[0].rewrite(fmt.Append(nil, "old ", i), later, 0)
		}
		quiet(10 * time.Millisecond) // a batch is on its way
		a.store.set(func(f *faulty) { f.claims = nil })
		for i := range 200 {
			a.join(fmt.Sprint("new ", i))
		}
		quiet(150 * time.Millisecond)
		a.store.set(func(f *faulty) {
			made, again := 0, 0
			for _, c := range f.claims[0] {
				if a.isNew(c.Hash, 200) {
					made++
				} else {
					again++
				}
			}
			if made != 175 || again != 25 {
				t.Errorf("a batch has %d new claims and %d others", made, again)
			}
		})
		quiet(time.Second)
		if s := a.Stats(); s.Dirty != 0 || m.Claims() != 500 {
			t.Errorf("%d claims, %d wait", m.Claims(), s.Dirty)
		}
	}, func(c *Config) { c.Writers = 1 })
}

func (n *node) isNew(h Hash, many int) bool {
	for i := range many {
		if h == sum(fmt.Sprint("new ", i)) {
			return true
		}
	}
	return false
}

// Whoever waits for a claim that is to be made again has it made first.
func TestAwaitedClaimsGoFirst(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		for i := range 1000 {
			a.join(fmt.Sprint(i))
		}
		quiet(time.Second)
		a.store.set(func(f *faulty) { f.slow = 100 * time.Millisecond })
		for i := range 1000 {
			a.writers[0].rewrite(fmt.Append(nil, i), later, 0)
		}
		quiet(10 * time.Millisecond)
		stands, ticket := a.join("999")
		if stands {
			t.Error("stands though it is in doubt")
		}
		quiet(200 * time.Millisecond)
		if a.readied(ticket) != 1 {
			t.Error("not told")
		}
	}, func(c *Config) { c.Writers = 1 })
}

package directory

import (
	"fmt"
	"testing"
	"time"
)

// "A hold's head is sent when its claims are acknowledged."
func TestAwaitFollowsTheClaim(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		stands, ticket := a.join("k")
		if stands || a.readied(ticket) != 0 {
			t.Error("acknowledged before it was written")
		}
		quiet(5 * time.Millisecond)
		a.want(m, "k", true)
		if a.readied(ticket) != 1 {
			t.Errorf("told %d times", a.readied(ticket))
		}
		if stands, _ := a.join("k"); !stands {
			t.Error("the claim of a second holder does not stand")
		}
		if w := a.store.written("k"); w != 1 {
			t.Errorf("written %d times", w)
		}
	})
}

// Those who come while the claim is written are all told, once, and not before.
func TestAwaitTellsAllOnce(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(f *faulty) { f.slow = 50 * time.Millisecond })
		var tickets []Ticket
		for range 20 {
			stands, ticket := a.join("k")
			if stands {
				t.Error("stands before the store has answered")
			}
			tickets = append(tickets, ticket)
			quiet(2 * time.Millisecond)
		}
		for _, ticket := range tickets {
			if a.readied(ticket) != 0 {
				t.Error("told before the store has answered")
			}
		}
		quiet(time.Second)
		for _, ticket := range tickets {
			if a.readied(ticket) != 1 {
				t.Errorf("ticket %d: told %d times", ticket.Task, a.readied(ticket))
			}
		}
	})
}

// A key that is left while its claim is being written is claimed and removed, in this order.
func TestLeftWhileWritten(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(f *faulty) { f.slow = 50 * time.Millisecond })
		a.join("k")
		quiet(10 * time.Millisecond)
		a.leaveKey("k")
		quiet(100 * time.Millisecond)
		a.want(m, "k", true) // it lingers
		quiet(2 * time.Second)
		a.want(m, "k", false)
	})
}

// A key that comes back while its removal is being written is claimed again, and told of only then.
func TestBackWhileRemoved(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.join("k")
		quiet(10 * time.Millisecond)
		a.leaveKey("k")
		a.store.set(func(f *faulty) { f.slow = 50 * time.Millisecond })
		quiet(time.Second + 20*time.Millisecond) // the removal is under way
		stands, ticket := a.join("k")
		if stands {
			t.Error("stands while it is removed")
		}
		quiet(45 * time.Millisecond)
		if a.readied(ticket) != 0 {
			t.Error("told of the removal")
		}
		quiet(100 * time.Millisecond)
		a.want(m, "k", true)
		if a.readied(ticket) != 1 {
			t.Errorf("told %d times", a.readied(ticket))
		}
	})
}

// So is one for which only the Touch has come by then, or only a second holder's Await.
func TestBackWhileRemovedInParts(t *testing.T) {
	f := func(back func(a *node)) {
		t.Helper()
		bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
			a := n[0]
			a.join("k")
			quiet(10 * time.Millisecond)
			a.leaveKey("k")
			a.store.set(func(f *faulty) { f.slow = 50 * time.Millisecond })
			quiet(time.Second + 20*time.Millisecond) // the removal is under way
			back(a)
			quiet(200 * time.Millisecond)
			a.want(m, "k", true)
		})
	}
	f(func(a *node) {
		a.table.add("k", 1)
		a.Touch([]byte("k"))
	})
	f(func(a *node) {
		a.table.add("k", 2) // the first holder's Touch is on its way
		a.Await([]byte("k"), sum("k"), Ticket{})
	})
}

// Batches: many keys in a burst are few writes, and none is larger than allowed.
func TestBatches(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		for i := range 5000 {
			n[0].join(fmt.Sprint("key ", i))
		}
		quiet(20 * time.Millisecond)
		if m.Claims() != 5000 {
			t.Errorf("%d claims", m.Claims())
		}
		n[0].store.set(func(f *faulty) {
			if len(f.claims) > 5000/200*3 {
				t.Errorf("%d writes", len(f.claims))
			}
			for _, b := range f.claims {
				if len(b) > 200 {
					t.Errorf("%d changes in one write", len(b))
				}
			}
		})
	})
}

// A claim that fails is written again, less and less often, until it stands; others do not wait for it.
func TestFailedClaims(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(f *faulty) { f.refuse = map[Hash]bool{sum("bad"): true} })
		_, bad := a.join("bad")
		quiet(3 * time.Second)
		_, good := a.join("good")
		quiet(60 * time.Millisecond)
		if a.readied(good) != 1 {
			t.Error("a good claim waits for a bad one")
		}
		if a.readied(bad) != 0 || !a.Behind() || a.Complete() != "" {
			t.Error("a claim that was refused counts")
		}
		if w := a.store.written("bad"); w < 5 || w > 12 {
			t.Errorf("written %d times in 3 s", w)
		}
		a.store.set(func(f *faulty) { f.refuse = nil })
		quiet(1100 * time.Millisecond)
		if a.readied(bad) != 1 || a.Behind() || a.Complete() == "" {
			t.Error("a claim that was acknowledged at last does not count")
		}
	})
}

// While the store is away nothing spins, and all is written when it is back.
func TestStoreAway(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(f *faulty) { f.down = true })
		for i := range 3000 {
			a.join(fmt.Sprint("key ", i))
			quiet(time.Millisecond)
		}
		a.store.set(func(f *faulty) {
			if len(f.claims) > 500 {
				t.Errorf("%d writes in 3 s", len(f.claims))
			}
			f.down = false
		})
		if !a.Behind() {
			t.Error("not behind")
		}
		quiet(2 * time.Second)
		if a.Behind() || m.Claims() != 3000 {
			t.Errorf("behind: %v, %d claims", a.Behind(), m.Claims())
		}
	})
}

// A write of which only the answer was lost may have been taken: what is written next is the state of then.
func TestAnswerLost(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(f *faulty) { f.mute = true })
		_, ticket := a.join("k")
		quiet(10 * time.Millisecond)
		a.want(m, "k", true)
		a.leaveKey("k")
		quiet(10 * time.Millisecond)
		if a.readied(ticket) != 0 {
			t.Error("told without an answer")
		}
		a.store.set(func(f *faulty) { f.mute = false })
		quiet(2 * time.Second)
		a.want(m, "k", false)
	})
}

// More keys than there is room for are found again in the table.
func TestTooManyDirty(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(f *faulty) { f.down = true })
		for i := range 1000 {
			a.join(fmt.Sprint("key ", i))
		}
		if s := a.Stats(); s.Dirty > 100 {
			t.Errorf("%d wait", s.Dirty)
		}
		a.store.set(func(f *faulty) { f.down = false })
		quiet(3 * time.Second)
		if a.Behind() || m.Claims() != 1000 {
			t.Errorf("behind: %v, %d claims", a.Behind(), m.Claims())
		}
	}, func(c *Config) { c.MaxDirty = 100 })
}

// Touch and Await do not block while the store does.
func TestLoopsNeverWait(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(f *faulty) { f.slow = time.Hour })
		start := time.Now()
		for i := range 1000 {
			a.join(fmt.Sprint("key ", i))
			a.Peek(sum("k"))
			a.Ask(sum("k"), true, time.Now().Add(time.Second), func(Answer) {})
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("waited %v", took)
		}
	})
}

// Settled keys cost neither memory nor work.
func TestSettledKeysAllocateNothing(t *testing.T) {
	m := NewMemory()
	a := newNode(t, m, 1)
	for a.Behind() {
		time.Sleep(time.Millisecond)
	}
	a.join("k")
	for !a.idle() {
		time.Sleep(time.Millisecond)
	}
	key, h := []byte("k"), sum("k")
	if n := testing.AllocsPerRun(1000, func() { a.Await(key, h, Ticket{}) }); n != 0 {
		t.Errorf("Await allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() { a.Touch(key); a.Peek(h) }); n >= 1 {
		t.Errorf("Touch and Peek allocate %v times", n)
	}
}

package directory

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An answer names the owners on every node.
func TestAskFindsOwners(t *testing.T) {
	bubble(t, 2, func(t *testing.T, m *Memory, n []*node) {
		n[0].join("both")
		n[1].join("both")
		n[1].join("one")
		quiet(10 * time.Millisecond)
		f := func(key string, fresh, certain bool, want ...Instance) {
			t.Helper()
			a := n[0].ask(key, fresh)
			got := slices.Sorted(slices.Values(a.Owners))
			if !slices.Equal(got, want) || a.Certain != certain || a.Err != nil {
				t.Errorf("%q: %+v; want %v", key, a, want)
			}
		}
		f("both", true, true, 1, 2)
		f("one", true, true, 2)
		f("nobody's", true, true)
		f("both", false, false, 1, 2)
		f("nobody's", false, false)
	})
}

// "A lookup that finds nobody is certain only if: asked freshly from the primary; incarnation known and the same before
// and after; mark == incarnation; and this node's own view is younger than half a lease."
func TestAskIsCertainOnly(t *testing.T) {
	f := func(name string, want bool, spoil func(m *Memory, a *node)) {
		t.Helper()
		bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
			spoil(m, n[0])
			if a := n[0].ask("k", true); a.Certain != want {
				t.Errorf("%s: %+v", name, a)
			}
		})
	}
	f("all is well", true, func(*Memory, *node) {})
	f("the incarnation is in doubt", false, func(m *Memory, a *node) { a.store.doubt = true })
	f("it has changed and nobody knows yet", false, func(m *Memory, a *node) { m.Wipe() })
	f("it is not marked", false, func(m *Memory, a *node) { m.Wipe(); quiet(2 * time.Second) })
	f("it is marked again", true, func(m *Memory, a *node) { m.Wipe(); quiet(3 * lease) })
	f("the view is old", false, func(m *Memory, a *node) {
		a.store.set(func(s *faulty) { s.down = true })
		quiet(lease/2 + 100*time.Millisecond)
		a.store.set(func(s *faulty) { s.down = false })
	})
	f("the store fails", false, func(m *Memory, a *node) { a.store.down = true })
}

// A change of incarnation while the lookup is under way makes it uncertain.
func TestAskSeesAChangeUnderWay(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		n[0].store.set(func(s *faulty) { s.slow = 100 * time.Millisecond })
		go func() {
			time.Sleep(50 * time.Millisecond)
			m.Wipe()
		}()
		if a := n[0].ask("k", true); a.Certain {
			t.Errorf("%+v", a)
		}
	})
}

// Equal asks are one question, but none is answered by what was read before it came.
func TestAsksCoalesce(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(s *faulty) { s.slow = 100 * time.Millisecond })
		var mu sync.Mutex
		var order []int
		ask := func(i int, fresh bool) {
			a.Ask(sum("k"), fresh, time.Now().Add(time.Minute), func(Answer) {
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
			})
		}
		for i := range 10 {
			ask(i, i%3 == 2)
		}
		synctest.Wait()
		quiet(50 * time.Millisecond) // the first question is under way
		for i := range 10 {
			ask(10+i, i == 5)
		}
		quiet(time.Second)
		if !slices.IsSorted(order) || len(order) != 20 {
			t.Errorf("answered in the order %d", order)
		}
		if len(a.store.looked) != 2 {
			t.Errorf("asked %d times", len(a.store.looked))
		}
		if s := a.Stats(); s.Asks != 20 || s.Coalesced != 18 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Who asks afresh gets a fresh answer, whoever asked before and did not.
func TestFreshAsksJoinOthers(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		var answers []Answer
		ask := func(fresh bool) {
			a.Ask(sum("k"), fresh, time.Now().Add(time.Minute), func(a Answer) { answers = append(answers, a) })
		}
		a.store.set(func(s *faulty) { s.slow = 100 * time.Millisecond })
		ask(false)
		quiet(10 * time.Millisecond)
		ask(false)
		ask(true)
		quiet(time.Second)
		if len(answers) != 3 || answers[0].Certain || !answers[2].Certain || len(a.store.looked) != 2 {
			t.Errorf("%+v in %d lookups", answers, len(a.store.looked))
		}
	})
}

// Whatever comes, answers for one key keep the order of asks, and each comes once.
func TestAskOrder(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		rng := seeded(t)
		a := n[0]
		var mu sync.Mutex
		got := map[string][]int{}
		for i := range 5000 {
			a.store.set(func(s *faulty) { s.slow = time.Duration(rng.IntN(5)) * time.Millisecond })
			key := fmt.Sprint("key ", rng.IntN(20))
			ok := a.Ask(sum(key), rng.IntN(3) == 0, time.Now().Add(time.Minute), func(Answer) {
				mu.Lock()
				defer mu.Unlock()
				got[key] = append(got[key], i)
			})
			if !ok {
				t.Fatal("refused")
			}
			if rng.IntN(10) == 0 {
				quiet(time.Duration(rng.IntN(1000)) * time.Microsecond)
			}
		}
		quiet(time.Second)
		all := 0
		for key, order := range got {
			all += len(order)
			if !slices.IsSorted(order) {
				t.Errorf("%q: %d", key, order)
			}
		}
		if all != 5000 {
			t.Errorf("%d answers", all)
		}
	})
}

// Who waits too long is told so in time, once; a question that nobody waits for is not asked.
func TestAskDeadline(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(s *faulty) { s.slow = 10 * time.Second })
		var mu sync.Mutex
		answers := map[int]time.Duration{}
		start := time.Now()
		for i := range 300 {
			wait := time.Duration(1+(i*7)%50) * 10 * time.Millisecond
			a.Ask(sum(fmt.Sprint(i%150)), true, start.Add(wait), func(answer Answer) {
				mu.Lock()
				defer mu.Unlock()
				if _, twice := answers[i]; twice || !errors.Is(answer.Err, ErrStore) {
					t.Errorf("%d: %+v, twice: %v", i, answer, twice)
				}
				if answers[i] = time.Since(start); answers[i] != wait {
					t.Errorf("%d: after %v; want %v", i, answers[i], wait)
				}
			})
		}
		quiet(time.Second)
		a.store.set(func(s *faulty) { s.slow = 0; s.looked = nil })
		quiet(20 * time.Second)
		if len(answers) != 300 {
			t.Errorf("%d answers", len(answers))
		}
		if len(a.store.looked) > 0 || len(a.asks.byHash) > 0 {
			t.Errorf("asked %d times for nobody, %d keys kept", len(a.store.looked), len(a.asks.byHash))
		}
	})
}

// A question behind another one is not asked either if nobody waits for it any more.
func TestAskDeadlineInTheQueue(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(s *faulty) { s.slow = 500 * time.Millisecond })
		var answers atomic.Int32
		a.Ask(sum("k"), true, time.Now().Add(time.Minute), func(Answer) { answers.Add(1) })
		quiet(10 * time.Millisecond)
		a.Ask(sum("k"), true, time.Now().Add(100*time.Millisecond), func(Answer) { answers.Add(1) })
		quiet(2 * time.Second)
		if answers.Load() != 2 || len(a.store.looked) != 1 || len(a.asks.byHash) != 0 {
			t.Errorf("%d answers, asked %d times", answers.Load(), len(a.store.looked))
		}
	})
}

// Those who wait are bounded, and the lookups under way are.
func TestAsksAreBounded(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(s *faulty) { s.slow = 900 * time.Millisecond })
		answers := make(chan Answer, 1000)
		ok := 0
		for i := range 1000 {
			if a.Ask(sum(fmt.Sprint(i)), false, time.Now().Add(time.Minute), func(a Answer) { answers <- a }) {
				ok++
			}
			quiet(time.Millisecond / 2)
		}
		synctest.Wait()
		a.store.set(func(s *faulty) {
			if ok != 500 || len(s.looked) > askWorkers {
				t.Errorf("%d taken, %d lookups", ok, len(s.looked))
			}
		})
		quiet(time.Minute)
		if s := a.Stats(); len(answers) != 500 || s.AsksRefused != 500 {
			t.Errorf("%d answers, %d refused", len(answers), s.AsksRefused)
		}
		if answer := a.ask("k", false); answer.Err != nil {
			t.Errorf("afterwards: %+v", answer)
		}
	}, func(c *Config) { c.MaxAsks = 500 })
}

// keeper is a store that keeps answers.
type keeper struct {
	*faulty
	kept map[Hash]Owners
}

func (k keeper) Peek(h Hash) (Owners, bool) {
	owners, ok := k.kept[h]
	return owners, ok
}

// What is kept is used while the view is current, and not longer.
func TestPeek(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		f := func(what, key string, want bool) {
			t.Helper()
			if _, ok := a.Peek(sum(key)); ok != want {
				t.Errorf("%s: %q is kept: %v", what, key, ok)
			}
		}
		f("all is well", "k", true)
		f("all is well", "l", false)
		a.store.set(func(s *faulty) { s.down = true })
		quiet(lease/2 + time.Millisecond)
		f("the view is old", "k", false)
		if s := a.Stats(); s.PeeksHit != 1 || s.PeeksMissed != 2 {
			t.Errorf("%+v", s)
		}
	}, func(c *Config) {
		c.Store = keeper{c.Store.(*faulty), map[Hash]Owners{sum("k"): {1}}}
	})
}

// Claims of an instance that has ended are removed, those of others are not.
func TestDisown(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.join("k 7")
		quiet(10 * time.Millisecond)
		m.mu.Lock()
		for i := range 1000 {
			for dead := range 3 {
				m.set(Instance(100+dead), Change{Hash: sum(fmt.Sprint("k ", i)), Held: true})
			}
		}
		m.mu.Unlock()
		for i := range 1000 {
			a.Disown(sum(fmt.Sprint("k ", i)), 100)
			a.Disown(sum(fmt.Sprint("k ", i)), Instance(101+i%2))
			a.Disown(sum(fmt.Sprint("k ", i)), 1)
		}
		quiet(10 * time.Millisecond)
		for i := range 1000 {
			want := Owners{Instance(102 - i%2)}
			if i == 7 {
				want = Owners{1, want[0]}
			}
			if got := m.claims[sum(fmt.Sprint("k ", i))]; !slices.Equal(got, want) {
				t.Errorf("k %d: %v; want %v", i, got, want)
			}
		}
		if s := a.Stats(); s.Disowned != 2000 {
			t.Errorf("%d disowned", s.Disowned)
		}
	})
}

// Disowning never blocks, and is bounded.
func TestDisownIsBounded(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		n[0].store.set(func(s *faulty) { s.slow = time.Second })
		for range 10 * maxDisowned {
			n[0].Disown(sum("k"), 9)
		}
		if len(n[0].disowned) > maxDisowned {
			t.Errorf("%d wait", len(n[0].disowned))
		}
	})
}

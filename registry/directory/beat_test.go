package directory

import (
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// A new cluster is marked after two leases: who was there before is not known.
func TestFirstMarkWaits(t *testing.T) {
	bubble(t, 0, func(t *testing.T, m *Memory, _ []*node) {
		start := time.Now()
		a := newNode(t, m, 1)
		for !a.Nodes().Marked && time.Since(start) < time.Minute {
			quiet(10 * time.Millisecond)
		}
		if took := time.Since(start); took < 2*lease || took > 2*lease+2*time.Second {
			t.Errorf("marked after %v", took)
		}
		if a.Behind() || a.Complete() != "memory-0" {
			t.Error("not complete")
		}
		b := newNode(t, m, 2)
		quiet(200 * time.Millisecond)
		if !b.Nodes().Marked || b.Behind() {
			t.Error("a node that joins a marked store does not see it")
		}
		a.Close(ended())
		b.Close(ended())
	})
}

// A node that the store has lost and that has not come back keeps the mark away, until it is known to have ended.
func TestLostNodeKeepsTheMarkAway(t *testing.T) {
	bubble(t, 2, func(t *testing.T, m *Memory, n []*node) {
		n[1].store.set(func(s *faulty) { s.down = true })
		m.Wipe()
		quiet(10 * lease)
		nodes := n[0].Nodes()
		if nodes.Marked || nodes.All[2] == nil || !nodes.All[2].Lapsed {
			t.Fatalf("marked: %v, b is %+v", nodes.Marked, nodes.All[2])
		}
		n[0].Bury(2)
		quiet(2 * time.Second)
		if nodes := n[0].Nodes(); !nodes.Marked || nodes.All[2] != nil {
			t.Errorf("marked: %v, b is %+v", nodes.Marked, nodes.All[2])
		}
	})
}

// So does one whose claims are not all made again.
func TestBehindNodeKeepsTheMarkAway(t *testing.T) {
	bubble(t, 2, func(t *testing.T, m *Memory, n []*node) {
		n[1].join("k")
		quiet(time.Second)
		n[1].store.set(func(s *faulty) { s.refuse = map[Hash]bool{sum("k"): true} })
		m.Wipe()
		quiet(10 * lease)
		if n[0].Nodes().Marked || !n[1].Behind() {
			t.Error("marked though a claim is missing")
		}
		n[1].store.set(func(s *faulty) { s.refuse = nil })
		quiet(4 * time.Second)
		if !n[0].Nodes().Marked || n[1].Behind() {
			t.Error("not marked though all is there")
		}
	})
}

// A node whose view was old when the store was lost does not know who came meanwhile, and gives them time.
func TestMarkAfterALongAbsence(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(s *faulty) { s.down = true })
		quiet(2 * lease)
		m.Wipe()
		a.store.set(func(s *faulty) { s.down = false })
		quiet(2*lease - time.Second)
		if a.Nodes().Marked {
			t.Error("marked too early")
		}
		quiet(4 * time.Second)
		if !a.Nodes().Marked {
			t.Error("not marked")
		}
	})
}

// The store has forgotten claims, and its table stands: nobody is missing, and all is claimed again.
func TestClaimsLostAndTheTableNot(t *testing.T) {
	bubble(t, 3, func(t *testing.T, m *Memory, n []*node) {
		n[0].join("k")
		n[2].store.set(func(s *faulty) { s.refuse = map[Hash]bool{sum("l"): true} })
		n[2].join("l")
		quiet(time.Second)
		m.mu.Lock()
		clear(m.claims)
		m.wipes++
		m.mu.Unlock()
		quiet(1300 * time.Millisecond)
		n[0].want(m, "k", true)
		for id, seen := range n[0].Nodes().All {
			if seen.Lapsed {
				t.Errorf("%d is taken for lost", id)
			}
		}
		quiet(2 * lease)
		if n[0].Nodes().Marked {
			t.Error("marked though a claim is missing")
		}
		n[2].store.set(func(s *faulty) { s.refuse = nil })
		quiet(2 * lease)
		for _, a := range n {
			if nodes := a.Nodes(); !nodes.Marked || nodes.Incarnation != "memory-1" || len(nodes.All) != 3 {
				t.Errorf("%+v", nodes)
			}
		}
	})
}

// What beats say of the table is the table, whatever changes and whoever misses beats: what was shown bit by bit is what
// the store has.
func TestNewsAddUpToTheTable(t *testing.T) {
	for seed := range uint64(20) {
		bubble(t, 2, func(t *testing.T, m *Memory, n []*node) {
			random := rand.New(rand.NewPCG(seed, 1))
			s := m.Join()
			for range 300 {
				b := Beat{Node: row(Instance(3+random.IntN(8)), "x"), Lease: time.Hour, Leave: random.IntN(4) == 0}
				b.Node.Complete = Incarnation('a' + rune(random.IntN(3)))
				beat(t, s, b)
				away := random.IntN(8) == 0
				n[random.IntN(2)].store.set(func(s *faulty) { s.down = away })
				time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
			}
			for _, a := range n {
				a.store.set(func(s *faulty) { s.down = false })
			}
			quiet(2 * lease)
			for _, a := range n {
				all := a.Nodes().All
				if len(all) != len(m.rows) {
					t.Errorf("%d rows, of %d", len(all), len(m.rows))
				}
				for id, r := range m.rows {
					if all[id] == nil || all[id].Node != r.node || all[id].Lapsed {
						t.Errorf("%d: %+v; want %+v", id, all[id], r.node)
					}
				}
			}
		})
	}
}

// A beat that fails is no reason to be behind, half a lease without one is.
func TestBeatsFail(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(s *faulty) { s.down = true })
		quiet(1100 * time.Millisecond)
		if s := a.Stats(); a.Behind() || s.BeatsFailed == 0 || s.Failing == "" {
			t.Errorf("behind: %v, %+v", a.Behind(), s)
		}
		quiet(lease / 2)
		if s := a.Stats(); !a.Behind() || a.Complete() != "" || s.LastBeat < lease/2 {
			t.Errorf("behind: %v, last beat %v ago", a.Behind(), s.LastBeat)
		}
		a.store.set(func(s *faulty) { s.down = false; s.beats = nil })
		quiet(1200 * time.Millisecond)
		if s := a.Stats(); a.Behind() || a.Complete() == "" || s.Failing != "" {
			t.Error("still behind")
		}
		a.store.set(func(s *faulty) {
			if len(s.beats) > 3 {
				t.Errorf("%d beats in the time of one", len(s.beats))
			}
		})
	})
}

// Nothing is written before the store has answered once, and what waited is written then.
func TestStoreAwayAtTheStart(t *testing.T) {
	bubble(t, 0, func(t *testing.T, m *Memory, _ []*node) {
		m.Wipe()
		a := newNode(t, m, 1, func(c *Config) { c.Store.(*faulty).down = true })
		_, ticket := a.join("k")
		quiet(3 * lease)
		if len(a.store.claims) > 0 || !a.Behind() || len(a.Nodes().All) != 0 {
			t.Error("it went on without a store")
		}
		a.store.set(func(s *faulty) { s.down = false })
		quiet(1300 * time.Millisecond)
		a.want(m, "k", true)
		if a.readied(ticket) != 1 || a.Behind() {
			t.Errorf("told %d times, behind: %v", a.readied(ticket), a.Behind())
		}
		a.Close(ended())
	})
}

// Close takes back what it can and leaves the cluster.
func TestClose(t *testing.T) {
	bubble(t, 2, func(t *testing.T, m *Memory, n []*node) {
		for _, key := range []string{"held", "left"} {
			n[0].join(key)
			n[1].join(key)
		}
		quiet(10 * time.Millisecond)
		n[0].leaveKey("left")
		n[0].Close(t.Context())
		for _, key := range []string{"held", "left"} {
			n[0].want(m, key, false)
			n[1].want(m, key, true)
		}
		if m.mu.Lock(); len(m.rows) != 1 {
			t.Errorf("%d rows", len(m.rows))
		}
		m.mu.Unlock()
		if n[0].Ask(sum("held"), true, time.Now().Add(time.Second), func(Answer) {}) {
			t.Error("asks after its end")
		}
		n[0].Close(t.Context()) // again
		n[0].Touch([]byte("held"))
	})
}

// Close ends although the store does not answer, when its time is over.
func TestCloseWithoutAStore(t *testing.T) {
	f := func(spoil func(*faulty), within time.Duration) {
		t.Helper()
		bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
			n[0].join("k")
			quiet(10 * time.Millisecond)
			n[0].store.set(spoil)
			answers := 0
			n[0].Ask(sum("k"), true, time.Now().Add(time.Hour), func(Answer) { answers++ })
			start := time.Now()
			n[0].Close(t.Context())
			if took := time.Since(start); took > within {
				t.Errorf("took %v", took)
			}
			if answers != 1 {
				t.Errorf("%d answers", answers)
			}
		})
	}
	f(func(*faulty) {}, 100*time.Millisecond)
	f(func(s *faulty) { s.down = true }, lease)
	f(func(s *faulty) { s.slow = time.Hour }, lease)
}

// Nothing goes on after the end.
func TestCloseLeavesNobody(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	n := newNode(t, NewMemory(), 1)
	n.join("k")
	n.ask("k", true)
	n.Close(t.Context())
}

// A node that stood still, or was away from the store, for so long that its claims may have run out claims all anew, and
// is not complete until it has, though the store is the same.
func TestClaimsRunOutWhileAway(t *testing.T) {
	f := func(away time.Duration, anew bool) {
		t.Helper()
		bubble(t, 2, func(t *testing.T, m *Memory, n []*node) {
			n[0].join("k")
			quiet(time.Second)
			rounds := n[0].Stats().Rounds
			n[0].store.set(func(s *faulty) { s.down = true })
			quiet(away)
			m.mu.Lock()
			clear(m.claims)
			m.mu.Unlock()
			n[0].store.set(func(s *faulty) { s.down = false })
			quiet(3 * lease)
			if again := n[0].Stats().Rounds > rounds; again != anew || n[0].Behind() {
				t.Errorf("away for %v: claimed all anew: %v; want %v; behind: %v", away, again, anew, n[0].Behind())
			}
			if anew {
				n[0].want(m, "k", true)
			}
		}, func(c *Config) { c.Refresh = time.Minute })
	}
	f(10*time.Second, false)
	f(2*time.Minute, true)
}

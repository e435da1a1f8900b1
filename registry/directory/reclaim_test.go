package directory

import (
	"fmt"
	"testing"
	"time"
)

// "When the incarnation changes every node re-claims all its keys (from its own table, paced), then reports Complete; a
// node which sees all nodes it knows complete sets the mark."
func TestWipedStoreIsFilledAgain(t *testing.T) {
	bubble(t, 3, func(t *testing.T, m *Memory, n []*node) {
		for _, a := range n {
			for i := range 1000 {
				a.join(fmt.Sprint("key ", i, " of ", a.cfg.Self.Name))
			}
			a.join("everybody's")
		}
		quiet(time.Second)
		m.Wipe()
		quiet(2 * time.Second)
		if m.Claims() != 3001 {
			t.Errorf("%d claims after two seconds", m.Claims())
		}
		for _, a := range n {
			a.want(m, "everybody's", true)
			if a.Behind() || a.Complete() != "memory-1" || a.Nodes().Incarnation != "memory-1" {
				t.Errorf("%d is behind: %v, complete in %q", a.cfg.Self.Instance, a.Behind(), a.Complete())
			}
			if a.Nodes().Marked {
				t.Error("marked while nodes that came last may not be known")
			}
		}
		quiet(lease)
		for _, a := range n {
			if !a.Nodes().Marked {
				t.Error("not marked after a lease")
			}
			if s := a.Stats(); s.Turns != 1 || s.Reclaimed < 1001 {
				t.Errorf("%+v", s)
			}
		}
	})
}

// A round is paced.
func TestReclaimIsPaced(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		for i := range 3000 {
			n[0].join(fmt.Sprint("key ", i))
		}
		quiet(time.Second)
		m.Wipe()
		quiet(1600 * time.Millisecond) // a beat notices it within 1.1 s
		if c := m.Claims(); c < 100 || c > 1400 {
			t.Errorf("%d claims", c)
		}
		if !n[0].Behind() || n[0].Complete() != "" {
			t.Error("complete while claims are missing")
		}
		quiet(4 * time.Second)
		if m.Claims() != 3000 || n[0].Behind() {
			t.Errorf("%d claims, behind: %v", m.Claims(), n[0].Behind())
		}
	}, func(c *Config) { c.ReclaimRate = 1000 })
}

// "For one lease after a change of incarnation a node treats acknowledgements as not given."
func TestHushAfterAChange(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.join("k")
		quiet(time.Second)
		m.Wipe()
		quiet(1200 * time.Millisecond)
		_, ticket := a.join("new")
		for range 18 {
			if stands, _ := a.join("k"); stands {
				t.Fatal("acknowledged within a lease")
			}
			quiet(200 * time.Millisecond)
		}
		a.want(m, "new", true)
		if a.readied(ticket) != 0 {
			t.Error("told within a lease")
		}
		quiet(1500 * time.Millisecond)
		for _, key := range []string{"k", "new"} {
			if stands, _ := a.join(key); !stands {
				t.Errorf("%q does not stand after a lease", key)
			}
		}
	})
}

// Nor does an acknowledgement count for those who waited since before the change.
func TestHushForThoseWhoWait(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(f *faulty) { f.refuse = map[Hash]bool{sum("k"): true} })
		_, ticket := a.join("k")
		quiet(time.Second)
		m.Wipe()
		quiet(1500 * time.Millisecond)
		a.store.set(func(f *faulty) { f.refuse = nil })
		quiet(time.Second)
		if a.want(m, "k", true); a.readied(ticket) != 0 {
			t.Error("told within a lease")
		}
	})
}

// While a round is under way, what has not been claimed in it does not stand; asking for it makes haste.
func TestAwaitWhileReclaiming(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		for i := range 3000 {
			a.join(fmt.Sprintf("key %04d", i))
		}
		quiet(time.Second)
		m.Wipe()
		quiet(lease + 1200*time.Millisecond)
		if !a.Behind() {
			t.Fatal("the round is over")
		}
		stands, ticket := a.join("key 2999")
		if stands {
			t.Error("a claim that is missing stands")
		}
		quiet(10 * time.Millisecond)
		if a.want(m, "key 2999", true); a.readied(ticket) != 1 {
			t.Error("not told")
		}
	}, func(c *Config) { c.ReclaimRate = 300 })
}

// A claim that is in the table but not in the store any more is back within Refresh, and refreshing disturbs nobody.
func TestRefresh(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		for i := range 100 {
			a.join(fmt.Sprint("key ", i))
		}
		quiet(time.Minute) // a pass that knows how many there are
		before := a.Stats()
		m.mu.Lock()
		clear(m.claims)
		m.mu.Unlock()
		for range 12 {
			quiet(5 * time.Second)
			if a.Behind() || a.Complete() == "" {
				t.Error("behind")
			}
		}
		if m.Claims() != 100 {
			t.Errorf("%d claims", m.Claims())
		}
		if got := a.Stats().Refreshed - before.Refreshed; got < 100 || got > 200 {
			t.Errorf("%d refreshed in the time of one pass", got)
		}
	}, func(c *Config) { c.Refresh = time.Minute })
}

// A refresh is spread evenly.
func TestRefreshIsSpread(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		for i := range 1000 {
			a.join(fmt.Sprint("key ", i))
		}
		quiet(2 * time.Minute)
		for range 20 {
			before := a.Stats().Refreshed
			quiet(5 * time.Second)
			if got := a.Stats().Refreshed - before; got < 50 || got > 250 {
				t.Errorf("%d refreshed in 5 s of 45", got)
			}
		}
	}, func(c *Config) { c.Refresh = time.Minute })
}

// A doubt that passes costs no round: the writes wait.
func TestDoubtPasses(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(f *faulty) { f.doubt = true })
		_, ticket := a.join("k")
		quiet(2 * time.Second)
		if a.want(m, "k", false); a.readied(ticket) != 0 {
			t.Error("told in doubt")
		}
		a.store.set(func(f *faulty) { f.doubt = false })
		quiet(100 * time.Millisecond)
		if a.want(m, "k", true); a.readied(ticket) != 1 {
			t.Error("not told after the doubt")
		}
		if s := a.Stats(); s.Rounds != 1 {
			t.Errorf("%d rounds", s.Rounds)
		}
	})
}

// Nor does an acknowledgement count if the store came to be in doubt while it was on its way.
func TestDoubtWhileWriting(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(f *faulty) { f.slow = 50 * time.Millisecond })
		_, ticket := a.join("k")
		quiet(10 * time.Millisecond)
		a.store.set(func(f *faulty) { f.doubt = true })
		quiet(100 * time.Millisecond)
		if a.readied(ticket) != 0 {
			t.Error("told in doubt")
		}
		a.store.set(func(f *faulty) { f.doubt = false })
		quiet(300 * time.Millisecond)
		if a.want(m, "k", true); a.readied(ticket) != 1 {
			t.Error("not told after the doubt")
		}
	})
}

// A round that begins while a claim is being written has it written again, even before the walker comes by.
func TestRoundWhileWriting(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		for i := range 100 {
			a.join(fmt.Sprint("a ", i))
		}
		quiet(time.Second)
		a.store.set(func(f *faulty) { f.slow = 50 * time.Millisecond })
		_, ticket := a.join("k")
		quiet(10 * time.Millisecond)
		a.lose()
		quiet(45 * time.Millisecond)
		if a.readied(ticket) != 0 {
			t.Error("told of a claim of the round before")
		}
		quiet(100 * time.Millisecond)
		if w := a.store.written("k"); w < 2 || a.readied(ticket) != 1 {
			t.Errorf("written %d times, told %d times", w, a.readied(ticket))
		}
	}, func(c *Config) { c.ReclaimRate = 100 })
}

// A store that stays in doubt, as one that may forget does, gets claims but no trust.
func TestDoubtStays(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(f *faulty) { f.doubt = true })
		_, ticket := a.join("k")
		quiet(3 * lease)
		a.want(m, "k", true)
		_, second := a.join("l")
		quiet(3 * time.Second)
		a.want(m, "l", true)
		if a.readied(ticket)+a.readied(second) != 0 || !a.Behind() || a.Complete() != "" {
			t.Error("trusted")
		}
		if s := a.Stats(); s.Dirty != 0 {
			t.Errorf("%d wait", s.Dirty)
		}
		m.mu.Lock()
		clear(m.claims)
		m.mu.Unlock()
		quiet(2 * time.Minute)
		a.want(m, "k", true) // refreshed all the same
		a.store.set(func(f *faulty) { f.doubt = false })
		quiet(2 * time.Second)
		if a.Behind() || a.Complete() == "" {
			t.Error("not trusted after the doubt")
		}
	}, func(c *Config) { c.Refresh = time.Minute })
}

// Another node found a claim of ours that is not true, or missed one.
func TestRepair(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.join("held")
		quiet(10 * time.Millisecond)
		m.mu.Lock()
		m.set(1, Change{Hash: sum("held")})
		m.set(1, Change{Hash: sum("not held"), Held: true})
		m.mu.Unlock()
		a.Repair([]byte("held"))
		a.Repair([]byte("not held"))
		quiet(10 * time.Millisecond)
		a.want(m, "held", true)
		a.want(m, "not held", false)
		if s := a.Stats(); s.Repairs != 2 {
			t.Errorf("%d repairs", s.Repairs)
		}
	})
}

// What is being repaired is not believed to stand, even if it lingers.
func TestRepairOfWhatLingers(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.join("k")
		quiet(10 * time.Millisecond)
		a.leaveKey("k")
		m.mu.Lock()
		clear(m.claims)
		m.mu.Unlock()
		a.Repair([]byte("k"))
		if stands, _ := a.join("k"); stands {
			t.Error("stands though it is in doubt")
		}
		quiet(10 * time.Millisecond)
		a.want(m, "k", true)
	})
}

// Repairs are bounded, and leave room for what loops have to say.
func TestRepairsAreBounded(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(f *faulty) { f.slow = time.Second })
		for i := range 1000 {
			a.Repair(fmt.Append(nil, i))
		}
		if s := a.Stats(); s.Dirty > 50 || s.Repairs > 50 {
			t.Errorf("%d wait", s.Dirty)
		}
		quiet(10 * time.Second)
		if s := a.Stats(); s.Dirty > 0 || s.Rounds != 1 {
			t.Errorf("%d wait, %d rounds", s.Dirty, s.Rounds)
		}
	}, func(c *Config) { c.MaxDirty = 100 })
}

// A repair that comes while the claim is being written is not lost.
func TestRepairWhileWriting(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.store.set(func(f *faulty) { f.slow = 50 * time.Millisecond })
		a.join("k")
		quiet(10 * time.Millisecond)
		a.Repair([]byte("k"))
		quiet(200 * time.Millisecond)
		if w := a.store.written("k"); w != 2 {
			t.Errorf("written %d times", w)
		}
	})
}

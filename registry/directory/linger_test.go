package directory

import (
	"fmt"
	"testing"
	"time"
)

// A poll that comes back within the second costs no write, and is acknowledged at once.
func TestLinger(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.join("k")
		quiet(10 * time.Millisecond)
		for range 20 {
			a.leaveKey("k")
			quiet(700 * time.Millisecond)
			a.want(m, "k", true)
			if stands, _ := a.join("k"); !stands {
				t.Error("does not stand though it lingered")
			}
			quiet(300 * time.Millisecond)
		}
		if w := a.store.written("k"); w != 1 {
			t.Errorf("written %d times", w)
		}
		a.leaveKey("k")
		quiet(1100 * time.Millisecond)
		a.want(m, "k", false)
	})
}

// What is gone does not stand: who comes after the removal waits for a new claim.
func TestLingerEnds(t *testing.T) {
	f := func(after time.Duration) {
		t.Helper()
		bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
			a := n[0]
			a.join("k")
			quiet(10 * time.Millisecond)
			a.leaveKey("k")
			quiet(after)
			a.want(m, "k", false)
			stands, ticket := a.join("k")
			if stands {
				t.Error("stands though it was removed")
			}
			quiet(10 * time.Millisecond)
			a.want(m, "k", true)
			if a.readied(ticket) != 1 {
				t.Errorf("told %d times", a.readied(ticket))
			}
		})
	}
	f(1100 * time.Millisecond) // it is remembered as gone
	f(5 * time.Second)         // nothing is remembered
}

// A second holder may come before the first one's Touch: a key that was removed a moment ago does not stand.
func TestSecondHolderComesBeforeTouch(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.join("k")
		quiet(10 * time.Millisecond)
		a.leaveKey("k")
		quiet(1100 * time.Millisecond)
		a.table.add("k", 2) // the first one's loop has not called yet
		if a.Await([]byte("k"), sum("k"), Ticket{Task: 77}) {
			t.Error("stands though it was removed")
		}
		quiet(10 * time.Millisecond)
		a.want(m, "k", true)
		if a.readied(Ticket{Task: 77}) != 1 {
			t.Error("not told")
		}
		a.Touch([]byte("k"))
		quiet(10 * time.Millisecond)
		a.want(m, "k", true)
	})
}

// A Touch that comes late, of a holder who left long ago, makes nothing stand that does not.
func TestLateTouch(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.join("k")
		quiet(10 * time.Millisecond)
		a.leaveKey("k")
		quiet(1100 * time.Millisecond)
		a.Touch([]byte("k"))
		if stands, _ := a.join("k"); stands {
			t.Error("stands though it was removed")
		}
	})
}

// What lingers is bounded: beyond it, claims go at once.
func TestLingerIsBounded(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		for i := range 100 {
			a.join(fmt.Sprint("key ", i))
		}
		quiet(20 * time.Millisecond)
		for i := range 100 {
			a.leaveKey(fmt.Sprint("key ", i))
		}
		quiet(20 * time.Millisecond)
		if s := a.Stats(); s.Lingering > 8 || m.Claims() != s.Lingering {
			t.Errorf("%d linger, %d claims", s.Lingering, m.Claims())
		}
	}, func(c *Config) { c.MaxLinger = 8 })
}

// Without lingering a claim goes with its last holder.
func TestNoLinger(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.join("k")
		quiet(10 * time.Millisecond)
		a.leaveKey("k")
		quiet(10 * time.Millisecond)
		a.want(m, "k", false)
	}, func(c *Config) { c.Linger = -1 })
}

// A claim that lingers through the loss of the store stands no longer.
func TestLingerThroughAWipe(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		a := n[0]
		a.join("k")
		quiet(10 * time.Millisecond)
		a.leaveKey("k")
		m.Wipe()
		quiet(lease + 2*time.Second) // the acknowledgements count again
		if stands, _ := a.join("k"); stands {
			t.Error("stands in a store that has lost it")
		}
		quiet(10 * time.Millisecond)
		a.want(m, "k", true)
	}, func(c *Config) { c.Linger = time.Hour })
}

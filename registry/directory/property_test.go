package directory

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// seeded is a source of randomness that SEED repeats.
func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("SEED=%d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, seed))
}

// hold is one holder of a key.
type hold struct {
	n      *node
	key    string
	ticket Ticket
	left   bool
	told   int  // times that Ready came
	stands bool // it was acknowledged
}

// model runs nodes through joins, leaves and faults, and checks every acknowledgement.
type model struct {
	t      *testing.T
	rng    *rand.Rand
	memory *Memory
	nodes  []*node
	holds  []*hold // that have not left

	mu       sync.Mutex
	byTicket map[Ticket]*hold
}

// acknowledged checks that the store has a claim that is acknowledged now. A store that was emptied a moment ago has
// none, and the node learns it with its next beat.
func (m *model) acknowledged(h *hold) {
	h.stands = true
	m.memory.mu.RLock()
	in := m.memory.incarnation()
	m.memory.mu.RUnlock()
	if !h.left && h.n.incarnation() == in && !h.n.claimed(m.memory, h.key) {
		m.t.Errorf("%q was acknowledged by %d and is not in the store", h.key, h.n.cfg.Self.Instance)
	}
}

func (m *model) ready(ticket Ticket) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.byTicket[ticket]
	if h.told++; h.told > 1 || h.stands {
		m.t.Errorf("%q: told %d times", h.key, h.told)
	}
	m.acknowledged(h)
}

func (m *model) join() {
	h := &hold{n: m.nodes[m.rng.IntN(len(m.nodes))], key: fmt.Sprint("key ", m.rng.IntN(30))}
	m.holds = append(m.holds, h)
	h.ticket = Ticket{Task: uint32(len(m.byTicket))}
	m.mu.Lock()
	m.byTicket[h.ticket] = h
	m.mu.Unlock()
	if h.n.joinAs(h.key, h.ticket) {
		m.mu.Lock()
		m.acknowledged(h)
		m.mu.Unlock()
	}
}

func (m *model) leave() {
	if len(m.holds) == 0 {
		return
	}
	i := m.rng.IntN(len(m.holds))
	h := m.holds[i]
	m.holds[i] = m.holds[len(m.holds)-1]
	m.holds = m.holds[:len(m.holds)-1]
	m.mu.Lock()
	h.left = true
	m.mu.Unlock()
	h.n.leaveKey(h.key)
}

// fault breaks or mends something.
func (m *model) fault() {
	n := m.nodes[m.rng.IntN(len(m.nodes))]
	n.store.set(func(f *faulty) {
		switch m.rng.IntN(8) {
		case 0:
			f.down = true
		case 1:
			f.mute = true
		case 2:
			f.doubt = true
		case 3:
			f.slow = time.Duration(m.rng.IntN(800)) * time.Millisecond
		default:
			f.down, f.mute, f.doubt, f.slow = false, false, false, 0
		}
	})
	if m.rng.IntN(12) == 0 {
		m.memory.Wipe()
	}
}

func (m *model) run(steps int, faults bool) {
	for range steps {
		switch m.rng.IntN(5) {
		case 0, 1:
			m.join()
		case 2, 3:
			m.leave()
		default:
			quiet(time.Duration(m.rng.ExpFloat64() * float64(100*time.Millisecond)))
		}
		if faults && m.rng.IntN(20) == 0 {
			m.fault()
		}
	}
}

// settled checks that the store has what the tables have, and no more unless leaves may have been lost sight of.
func (m *model) settled(lost bool) {
	for _, n := range m.nodes {
		if n.Behind() || !n.Nodes().Marked || len(n.Nodes().All) != len(m.nodes) {
			m.t.Errorf("%d is behind: %v, %+v", n.cfg.Self.Instance, n.Behind(), n.Stats())
		}
		for k := range 30 {
			key := fmt.Sprint("key ", k)
			if held := n.table.Held([]byte(key)); held || !lost {
				n.want(m.memory, key, held)
			}
		}
	}
	for _, h := range m.holds {
		if stands := h.n.Await([]byte(h.key), sum(h.key), Ticket{}); !stands {
			m.t.Errorf("%q does not stand on %d", h.key, h.n.cfg.Self.Instance)
		}
	}
}

// A claim is acknowledged only if the store has it; after a quiet time the store is the union of the tables; and when
// nothing fails, everybody who waits is told.
func TestClaimsFollowTables(t *testing.T) {
	rng := seeded(t)
	rounds := 24
	if testing.Short() {
		rounds = 8
	}
	for round := range rounds {
		synctest.Test(t, func(t *testing.T) {
			faults, small := round%2 == 1, round%3 == 2
			m := &model{t: t, rng: rng, memory: NewMemory(), byTicket: map[Ticket]*hold{}}
			for i := range 3 {
				m.nodes = append(m.nodes, newNode(t, m.memory, Instance(i+1), func(c *Config) {
					c.Ready = m.ready
					if small {
						c.MaxDirty, c.MaxLinger = 8, 4
					}
					if round%4 == 3 {
						c.Writers, c.Batch = 2, 3
					}
				}))
			}
			quiet(3 * lease)
			m.run(600, faults)
			for _, n := range m.nodes {
				n.store.set(func(f *faulty) { f.down, f.mute, f.doubt, f.slow = false, false, false, 0 })
			}
			quiet(6 * lease)
			m.settled(small)
			for _, h := range m.holds {
				if !faults && !small && !h.stands {
					t.Errorf("%q was never acknowledged", h.key)
				}
			}
			for _, n := range m.nodes {
				n.Close(ended())
			}
		})
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

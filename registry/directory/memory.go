package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory is a store within one process: all that a single node needs, and what several in one process can share. It
// forgets everything with the process, which is right, as then no connection is left to claim either.
type Memory struct {
	now       func() time.Time // the store's clock
	forgetRow time.Duration    // after a lease has lapsed for so long, its row goes

	mu      sync.RWMutex
	claims  map[Hash]Owners // an Owners that is here never changes: it is replaced
	rows    map[Instance]memoryRow
	version uint64
	mark    Incarnation
	wipes   int
}

// memoryRow is a row of the node table and the end of its lease.
type memoryRow struct {
	node Node
	ends time.Time
}

// NewMemory is an empty store.
func NewMemory() *Memory {
	return &Memory{
		now: time.Now, forgetRow: DefaultClaimTTL,
		claims: make(map[Hash]Owners), rows: make(map[Instance]memoryRow), version: 1,
	}
}

// Join is one node's view of the store.
func (m *Memory) Join() Store { return &memoryView{Memory: m} }

// Wipe empties the store, as a restart of a server would: its incarnation is another from now on.
func (m *Memory) Wipe() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.claims)
	clear(m.rows)
	m.mark = ""
	m.version++
	m.wipes++
}

// Claims counts the keys that somebody claims.
func (m *Memory) Claims() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.claims)
}

func (m *Memory) incarnation() Incarnation { return Incarnation(fmt.Sprint("memory-", m.wipes)) }

// set writes one claim. The caller has locked mu.
func (m *Memory) set(owner Instance, c Change) {
	owners := m.claims[c.Hash]
	at := slices.Index(owners, owner)
	switch {
	case c.Held == (at >= 0):
	case c.Held:
		m.claims[c.Hash] = append(slices.Clip(owners), owner)
	case len(owners) == 1:
		delete(m.claims, c.Hash)
	default:
		m.claims[c.Hash] = slices.Delete(slices.Clone(owners), at, at+1)
	}
}

// beat does what Store.Beat says. The caller has locked mu.
func (m *Memory) beat(b Beat) View {
	now, before := m.now(), maps.Clone(m.rows)
	for _, ended := range b.Bury {
		delete(m.rows, ended)
	}
	if b.Leave {
		delete(m.rows, b.Node.Instance)
	} else {
		m.rows[b.Node.Instance] = memoryRow{node: b.Node, ends: now.Add(b.Lease)}
	}
	maps.DeleteFunc(m.rows, func(_ Instance, r memoryRow) bool { return now.Sub(r.ends) > m.forgetRow })
	if !maps.EqualFunc(m.rows, before, func(a, b memoryRow) bool { return a.node == b.node }) {
		m.version++
	}
	if b.Mark != "" {
		m.mark = b.Mark
	}

	v := View{Version: m.version, Incarnation: m.incarnation(), Marked: m.mark}
	if b.Known != m.version {
		v.Nodes = make([]Node, 0, len(m.rows))
	}
	for _, id := range slices.Sorted(maps.Keys(m.rows)) {
		if b.Known != m.version {
			v.Nodes = append(v.Nodes, m.rows[id].node)
		}
		if !now.Before(m.rows[id].ends) {
			v.Lapsed = append(v.Lapsed, id)
		}
	}
	return v
}

// memoryView is the Store of one node.
type memoryView struct {
	*Memory
	closed bool // under mu
}

// unable is why a call cannot be served, if it cannot. The caller has locked mu.
func (v *memoryView) unable(ctx context.Context) error {
	if v.closed {
		return fmt.Errorf("%w: it was closed", ErrStore)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return nil
}

func (v *memoryView) Claim(ctx context.Context, owner Instance, changes []Change) {
	v.mu.Lock()
	defer v.mu.Unlock()
	err := v.unable(ctx)
	for i := range changes {
		if changes[i].Err = err; err == nil {
			v.set(owner, changes[i])
		}
	}
}

func (v *memoryView) Lookup(ctx context.Context, keys []Hash, _ bool, found []Found) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	err := v.unable(ctx)
	for i, key := range keys {
		if found[i] = (Found{Err: err}); err == nil {
			found[i].Owners = v.claims[key]
		}
	}
}

func (v *memoryView) Beat(ctx context.Context, b Beat) (View, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.unable(ctx); err != nil {
		return View{}, err
	}
	return v.beat(b), nil
}

func (v *memoryView) Incarnation() (Incarnation, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.incarnation(), !v.closed
}

func (v *memoryView) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
}

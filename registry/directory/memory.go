package directory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
	gone    map[Instance]uint64 // the version at which a row was taken out
	version uint64
	floor   uint64 // of versions before it not all that is gone is known
	mark    Incarnation
	wipes   int
}

// memoryRow is a row of the node table, the version at which it changed last, and the end of its lease.
type memoryRow struct {
	node    Node
	changed uint64
	ends    time.Time
}

// maxGone bounds the rows that are remembered as taken out. Who was away while more were is shown the whole table.
const maxGone = 1000

// NewMemory is an empty store.
func NewMemory() *Memory {
	return &Memory{
		now: time.Now, forgetRow: DefaultClaimTTL,
		claims: make(map[Hash]Owners), rows: make(map[Instance]memoryRow), gone: make(map[Instance]uint64), version: 1, floor: 1,
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
	clear(m.gone)
	m.mark = ""
	m.version++
	m.floor = m.version
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

// put writes a row if it is another than before. The caller has locked mu.
func (m *Memory) put(n Node, ends time.Time) {
	r, is := m.rows[n.Instance]
	if !is || r.node != n {
		m.version++
		r.node, r.changed = n, m.version
		delete(m.gone, n.Instance)
	}
	r.ends = ends
	m.rows[n.Instance] = r
}

// take removes a row, and remembers that. The caller has locked mu.
func (m *Memory) take(id Instance) {
	if _, is := m.rows[id]; !is {
		return
	}
	m.version++
	delete(m.rows, id)
	m.gone[id] = m.version
	if len(m.gone) > maxGone {
		oldest := id
		for other, at := range m.gone {
			if at < m.gone[oldest] {
				oldest = other
			}
		}
		m.floor = m.gone[oldest]
		delete(m.gone, oldest)
	}
}

// beat does what Store.Beat says. The caller has locked mu.
func (m *Memory) beat(b Beat) View {
	now := m.now()
	for _, ended := range b.Bury {
		m.take(ended)
	}
	if b.Leave {
		m.take(b.Node.Instance)
	} else {
		m.put(b.Node, now.Add(b.Lease))
	}
	v := View{Incarnation: m.incarnation()}
	for id, r := range m.rows {
		switch {
		case now.Sub(r.ends) > m.forgetRow:
			m.take(id)
		case !now.Before(r.ends):
			v.Lapsed = append(v.Lapsed, id)
		}
	}
	slices.SortFunc(v.Lapsed, func(a, b Instance) int {
		return cmp.Or(m.rows[a].ends.Compare(m.rows[b].ends), cmp.Compare(a, b))
	})
	v.Lapsed = v.Lapsed[:min(len(v.Lapsed), MaxLapsed)]
	if b.Mark != "" {
		m.mark = b.Mark
	}
	v.Marked = m.mark
	m.show(&v, b.Known)
	return v
}

// show lists what has changed in the table since a version. The caller has locked mu.
func (m *Memory) show(v *View, known Version) {
	v.Version = Version(strconv.FormatUint(m.version, 10))
	since, err := strconv.ParseUint(string(known), 10, 64)
	if v.Full = err != nil || since < m.floor; v.Full {
		since = 0
	}
	for _, id := range slices.Sorted(maps.Keys(m.rows)) {
		if r := m.rows[id]; r.changed > since {
			v.Nodes = append(v.Nodes, r.node)
		}
	}
	for id, at := range m.gone {
		if at > since && !v.Full {
			v.Gone = append(v.Gone, id)
		}
	}
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

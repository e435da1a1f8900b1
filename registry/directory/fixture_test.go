package directory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const lease = 5 * time.Second

var hasher = NewHasher([]byte("a secret of the cluster"))

func sum(key string) Hash { return hasher.Sum([]byte(key)) }

// tableau is a node's key table: a map and a mutex.
type tableau struct {
	mu   sync.Mutex
	keys map[string]int // holders
}

func (t *tableau) Held(key []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keys[string(key)] > 0
}

func (t *tableau) Range(cursor uint64, limit int, fn func(key []byte)) uint64 {
	t.mu.Lock()
	names := slices.Sorted(maps.Keys(t.keys))
	t.mu.Unlock()
	from := min(int(cursor), len(names))
	to := min(from+limit, len(names))
	for _, name := range names[from:to] {
		fn([]byte(name))
	}
	if to == len(names) {
		return 0
	}
	return uint64(to)
}

// add changes the holders of a key, and reports whether the key has got its first or lost its last.
func (t *tableau) add(key string, n int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.keys[key]
	if t.keys[key] += n; t.keys[key] <= 0 {
		delete(t.keys, key)
	}
	return (was > 0) != (was+n > 0)
}

// faulty is a store that can be made to fail.
type faulty struct {
	Store
	mu     sync.Mutex
	down   bool          // nothing reaches it
	mute   bool          // everything reaches it, no answer comes back
	doubt  bool          // its incarnation is not known
	slow   time.Duration // each call
	refuse map[Hash]bool // claims of these keys
	claims [][]Change
	looked [][]Hash
	beats  []Beat
}

func (f *faulty) set(change func(f *faulty)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// pass waits and tells which of the calls' halves work.
func (f *faulty) pass(ctx context.Context) (there, back bool) {
	f.mu.Lock()
	there, back = !f.down, !f.down && !f.mute
	slow := f.slow
	f.mu.Unlock()
	if slow > 0 && !pause(ctx, slow) {
		back = false
	}
	return there, back
}

func (f *faulty) Claim(ctx context.Context, owner Instance, changes []Change) {
	f.set(func(f *faulty) { f.claims = append(f.claims, slices.Clone(changes)) })
	there, back := f.pass(ctx)
	if there {
		f.Store.Claim(ctx, owner, changes)
	}
	for i := range changes {
		if f.refuse[changes[i].Hash] || !back {
			changes[i].Err = ErrStore
		}
	}
}

func (f *faulty) Lookup(ctx context.Context, keys []Hash, fresh bool, found []Found) {
	f.set(func(f *faulty) { f.looked = append(f.looked, slices.Clone(keys)) })
	if _, back := f.pass(ctx); back {
		f.Store.Lookup(ctx, keys, fresh, found)
		return
	}
	for i := range found {
		found[i] = Found{Err: ErrStore}
	}
}

func (f *faulty) Beat(ctx context.Context, b Beat) (v View, err error) {
	f.set(func(f *faulty) { f.beats = append(f.beats, b) })
	there, back := f.pass(ctx)
	if there {
		v, err = f.Store.Beat(ctx, b)
	}
	if !back {
		return View{}, ErrStore
	}
	return v, err
}

func (f *faulty) Incarnation() (Incarnation, bool) {
	in, ok := f.Store.Incarnation()
	f.mu.Lock()
	defer f.mu.Unlock()
	return in, ok && !f.doubt
}

// written counts the changes of a key that were sent.
func (f *faulty) written(key string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, batch := range f.claims {
		for _, c := range batch {
			if c.Hash == sum(key) {
				n++
			}
		}
	}
	return n
}

// node is one node of a cluster in a test.
type node struct {
	*Directory
	t       *testing.T
	table   tableau
	store   *faulty
	mu      sync.Mutex
	ready   map[Ticket]int
	changes int
	tickets uint32
}

// newNode joins a node to a store. It ends with the test's bubble.
func newNode(t *testing.T, m *Memory, id Instance, adapt ...func(*Config)) *node {
	n := &node{t: t, store: &faulty{Store: m.Join()}, ready: map[Ticket]int{}}
	n.table.keys = map[string]int{}
	cfg := Config{
		Store: n.store, Hash: hasher.Sum, Keys: &n.table, Lease: lease,
		Self: Node{Instance: id, Name: string('a' + rune(id)), Address: "127.0.0.1:1"},
		Ready: func(t Ticket) {
			n.mu.Lock()
			n.ready[t]++
			n.mu.Unlock()
		},
		Changed: func() {
			n.mu.Lock()
			n.changes++
			n.mu.Unlock()
		},
	}
	for _, f := range adapt {
		f(&cfg)
	}
	n.Directory = Open(cfg)
	t.Cleanup(func() { n.Close(ended()) })
	return n
}

// ended is a context that leaves no time.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// join adds a holder to a key. It returns whether its claim stood at once, and its ticket.
func (n *node) join(key string) (bool, Ticket) {
	n.tickets++
	t := Ticket{Loop: uint32(n.cfg.Self.Instance), Task: n.tickets}
	return n.joinAs(key, t), t
}

func (n *node) joinAs(key string, t Ticket) bool {
	if n.table.add(key, 1) {
		n.Touch([]byte(key))
	}
	return n.Await([]byte(key), sum(key), t)
}

func (n *node) leaveKey(key string) {
	if n.table.add(key, -1) {
		n.Touch([]byte(key))
	}
}

func (n *node) readied(t Ticket) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ready[t]
}

// claimed reports whether the store has the node's claim of a key.
func (n *node) claimed(m *Memory, key string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Contains(m.claims[sum(key)], n.cfg.Self.Instance)
}

// want checks claims in the store against the node's own.
func (n *node) want(m *Memory, key string, claimed bool) {
	n.t.Helper()
	if got := n.claimed(m, key); got != claimed {
		n.t.Errorf("%q is claimed by %d: %v; want %v", key, n.cfg.Self.Instance, got, claimed)
	}
}

// bubble runs a test with a clock of its own, on one memory store and so many nodes that have settled.
func bubble(t *testing.T, nodes int, f func(t *testing.T, m *Memory, n []*node), adapt ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		var all []*node
		for i := range nodes {
			all = append(all, newNode(t, m, Instance(i+1), adapt...))
		}
		quiet(3 * lease)
		for _, n := range all {
			if n.Behind() {
				t.Fatalf("%d has not settled: %+v", n.cfg.Self.Instance, n.Stats())
			}
		}
		f(t, m, all)
		for _, n := range all {
			n.Close(ended())
		}
	})
}

// ask asks and waits for the answer.
func (n *node) ask(key string, fresh bool) Answer {
	n.t.Helper()
	c := make(chan Answer, 1)
	if !n.Ask(sum(key), fresh, time.Now().Add(time.Second), func(a Answer) { c <- a }) {
		n.t.Fatal("the ask was refused")
	}
	return <-c
}

// quiet lets time pass in a bubble, and waits until nobody does anything.
func quiet(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

package directory

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Keys is the node's own table as the directory sees it.
type Keys interface {
	// Held reports whether anybody holds key. It is called under a lock, and must not block or call the directory.
	Held(key []byte) bool
	// Range calls fn for some limit keys from cursor on, and returns where to go on: 0 at the end, and at the start. A
	// key that stays is listed once.
	Range(cursor uint64, limit int, fn func(key []byte)) (next uint64)
}

// Config is what a directory needs. Zero numbers mean the default.
type Config struct {
	Store Store
	Hash  func(key []byte) Hash
	Keys  Keys
	Self  Node // Complete is the directory's to fill

	Lease   time.Duration // after which a silent node is in doubt: 5 s
	Beat    time.Duration // between renewals: Lease/5
	Refresh time.Duration // within which every claim is rewritten, spread evenly: 900 s, half the store's time to live

	Batch       int           // changes in one write: 200
	Writers     int           // writes under way, each for its part of the hashes: 4
	MaxDirty    int           // keys that wait to be written: 1 Mi. Beyond it the node is behind, and claims all again
	Linger      time.Duration // that a claim outlives its last holder, for polls and reconnects: 1 s; negative: none
	MaxLinger   int           // claims that do: 64 Ki; beyond it they go at once
	ReclaimRate int           // keys a second at most when claims are made again: 20,000; fewer while the store is slow
	MaxAsks     int           // questions that wait: 64 Ki, a bound on what a slow store costs in memory

	// Ready tells that a claim which Await was asked for is acknowledged; Changed that Nodes or Behind are others than
	// before. They are called on goroutines of the directory, and must not block. Either may be nil.
	Ready   func(Ticket)
	Linked  func(Instance) bool // there is a link to the instance; it must not block; default: to none
	Changed func()
}

func (c *Config) fill() {
	def(&c.Lease, 5*time.Second)
	def(&c.Beat, c.Lease/5)
	def(&c.Refresh, DefaultClaimTTL/2)
	def(&c.Batch, 200)
	def(&c.Writers, 4)
	def(&c.MaxDirty, 1<<20)
	def(&c.Linger, time.Second)
	def(&c.MaxLinger, 64<<10)
	def(&c.ReclaimRate, 20_000)
	def(&c.MaxAsks, 64<<10)
	if c.Ready == nil {
		c.Ready = func(Ticket) {}
	}
	if c.Linked == nil {
		c.Linked = func(Instance) bool { return false }
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	c.Self.Complete = ""
}

func def[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Directory is one node's part in the cluster's directory: it keeps the node's claims in the store, its lease alive and
// its view of the other nodes fresh, and asks the store who else holds a key. Its exported methods may be called from
// any goroutine; only Close blocks.
type Directory struct {
	cfg        Config
	start      time.Time
	peeker     Peeker // nil: the store keeps no answers
	writers    []*writer
	asks       *asks
	disowned   chan disowned
	pace       *pace // of rounds
	dirtyRoom  int   // of each writer
	lingerRoom int

	// any goroutine, atomic
	wanted  atomic.Uint64 // the round of claims that has to be made: a new one begins when claims may be missing
	done    atomic.Uint64 // the last round in which all of the table was queued; when it is wanted, what is settled stands
	hush    atomic.Bool   // acknowledgements do not count: others may still look at the store of before
	closing atomic.Bool
	seen    atomic.Int64 // begin of the last beat that was answered, after start; 0: none
	behind  atomic.Bool
	whole   atomic.Pointer[Incarnation] // the store's, as of the last beat; "" before the first
	nodes   atomic.Pointer[Nodes]
	tally   tally // counts of events

	mu     sync.Mutex // the cluster as the beats show it, see beat.go; never held across a call to the store
	roster roster
	course course

	urge     chan struct{} // beat soon
	walk     chan struct{} // the walker has something to do
	ctx      context.Context
	end      context.CancelFunc
	beating  context.Context // ends before ctx does
	endBeats context.CancelFunc
	beaten   chan struct{} // closed when no beat is under way any more
	running  sync.WaitGroup
	closedBy sync.Once
}

// Open starts a directory. It never fails: a store that cannot be reached is asked again and again.
func Open(cfg Config) *Directory {
	cfg.fill()
	d := &Directory{
		cfg: cfg, start: time.Now(),
		disowned:   make(chan disowned, maxDisowned),
		pace:       newPace(cfg.ReclaimRate),
		dirtyRoom:  max(cfg.MaxDirty/cfg.Writers, 1),
		lingerRoom: cfg.MaxLinger / cfg.Writers,
		urge:       make(chan struct{}, 1),
		walk:       make(chan struct{}, 1),
		beaten:     make(chan struct{}),
	}
	d.ctx, d.end = context.WithCancel(context.Background())
	d.beating, d.endBeats = context.WithCancel(d.ctx)
	d.peeker, _ = cfg.Store.(Peeker)
	d.wanted.Store(1)
	d.behind.Store(true)
	d.whole.Store(new(Incarnation))
	d.roster = roster{rows: make(map[Instance]*Member), lost: make(map[Instance]bool), linked: cfg.Linked}
	d.nodes.Store(&Nodes{Self: cfg.Self.Instance})
	d.asks = newAsks(d)
	for range cfg.Writers {
		w := newWriter(d)
		d.writers = append(d.writers, w)
		d.run(w.run)
	}
	d.run(d.keepBeating)
	d.run(d.keepWatch)
	d.run(d.keepWalking)
	d.run(d.keepDisowning)
	for range askWorkers {
		d.run(d.asks.work)
	}
	d.run(d.asks.expire)
	return d
}

func (d *Directory) run(f func()) {
	d.running.Add(1)
	go f()
}

// now is the time since the start, by a clock that only goes forward. It is never 0.
func (d *Directory) now() time.Duration { return time.Since(d.start) + 1 }

func (d *Directory) writer(h Hash) *writer {
	return d.writers[binary.LittleEndian.Uint64(h[8:])%uint64(len(d.writers))]
}

// incarnation is the store's, as the last beat showed it.
func (d *Directory) incarnation() Incarnation { return *d.whole.Load() }

// current reports whether the view is younger than half a lease.
func (d *Directory) current(now time.Duration) bool {
	seen := time.Duration(d.seen.Load())
	return seen != 0 && now-seen < d.cfg.Lease/2
}

// lose notes that claims may be missing from the store: all of the table is to be claimed again.
func (d *Directory) lose() {
	d.wanted.Add(1)
	poke(d.walk)
}

// hurry asks for a beat soon.
func (d *Directory) hurry() { poke(d.urge) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Peek returns the owners of a key if the store keeps them and the view is current. It never blocks or allocates.
func (d *Directory) Peek(h Hash) (Owners, bool) {
	if d.peeker != nil && d.current(d.now()) {
		if owners, ok := d.peeker.Peek(h); ok {
			d.tally.hits.Add(1)
			return owners, true
		}
	}
	d.tally.misses.Add(1)
	return nil, false
}

// Repair writes a key's state again, whatever is believed to stand: for when another node found a claim of this one
// that is not true. It never blocks, and copies key.
func (d *Directory) Repair(key []byte) {
	if d.writer(d.cfg.Hash(key)).rewrite(key, queued, 0) {
		d.tally.repairs.Add(1)
	}
}

// Close takes back the claims of the node as far as ctx leaves time for it, ends its lease, and stops. Without a
// deadline it takes a lease at most. The store is not closed.
func (d *Directory) Close(ctx context.Context) {
	d.closedBy.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, d.cfg.Lease)
		defer cancel()
		d.release(ctx)
		d.leave(ctx)
		d.asks.stop()
		d.end()
	})
	d.running.Wait()
}

// jitter is about t, so that nodes that began together do not go on together.
func jitter(t time.Duration) time.Duration { return t*9/10 + rand.N(t/5+1) }

package directory

import (
	"container/heap"
	"context"
	"fmt"
	"sync"
	"time"
)

// Answer is what became of an Ask.
type Answer struct {
	Owners  Owners
	Certain bool  // nobody besides Owners holds the key with a claim that was acknowledged
	Err     error // the owners are unknown
}

// The errors of asks that the store did not answer.
var (
	errLate   = fmt.Errorf("%w: it did not answer in time", ErrStore)
	errClosed = fmt.Errorf("%w: this node is stopping", ErrStore)
)

const (
	askWorkers = 8 // lookups under way
	gatherTime = 500 * time.Microsecond
)

// asks are the questions that wait for the store. A key has at most one question under way and one behind it that
// gathers askers: so equal asks are one, no ask is answered by what was read before it came, and answers keep the order
// of asks.
type asks struct {
	d *Directory

	mu     sync.Mutex
	byHash map[Hash]*asked
	kept   []*question // to be asked, in order; an answer that the store has kept will do
	fresh  []*question
	due    askers // by deadline
	busy   int    // workers under way
	ended  bool
	more   sync.Cond     // there is something to ask
	sooner chan struct{} // there is an earlier deadline
}

// asked is what is going on about one key.
type asked struct{ underway, next *question }

// question is one key in one lookup.
type question struct {
	hash   Hash
	fresh  bool
	askers []*asker
	live   int // askers that still wait
}

// asker is one who waits for an answer.
type asker struct {
	done     func(Answer) // nil: answered
	deadline time.Time
	place    int // in due
	of       *question
}

func newAsks(d *Directory) *asks {
	a := &asks{d: d, byHash: make(map[Hash]*asked), sooner: make(chan struct{}, 1)}
	a.more.L = &a.mu
	return a
}

// Ask asks the store who holds a key: with fresh, the primary server itself. It returns false if too many wait. Else
// done is called exactly once, on a goroutine of the directory, by the deadline or little later; it must not block.
func (d *Directory) Ask(h Hash, fresh bool, deadline time.Time, done func(Answer)) bool {
	a := d.asks
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended || len(a.due) >= d.cfg.MaxAsks { // a bound on the memory that a store which is away costs
		d.tally.refused.Add(1)
		return false
	}
	d.tally.asks.Add(1)
	q := a.question(h, fresh)
	k := &asker{done: done, deadline: deadline, of: q}
	q.askers = append(q.askers, k)
	q.live++
	heap.Push(&a.due, k)
	if k.place == 0 {
		poke(a.sooner)
	}
	return true
}

// question is the one that gathers askers for a key.
func (a *asks) question(h Hash, fresh bool) *question {
	key := a.byHash[h]
	if key == nil {
		key = &asked{}
		a.byHash[h] = key
	}
	q := key.next
	switch {
	case q == nil:
		q = &question{hash: h, fresh: fresh}
		key.next = q
		if key.underway == nil {
			a.queue(q)
		}
	case fresh && !q.fresh: // a fresh answer will do for those who are there, too
		a.d.tally.coalesced.Add(1)
		q.fresh = true
		if key.underway == nil {
			a.queue(q)
		}
	default:
		a.d.tally.coalesced.Add(1)
	}
	return q
}

func (a *asks) queue(q *question) {
	if q.fresh {
		a.fresh = append(a.fresh, q)
	} else {
		a.kept = append(a.kept, q)
	}
	a.more.Signal()
}

// work is the goroutine of a worker: it asks the store one batch after another.
func (a *asks) work() {
	defer a.d.running.Done()
	var b batch
	for a.take(&b) {
		a.ask(&b)
	}
}

// batch is what one lookup asks.
type batch struct {
	fresh     bool
	questions []*question
	keys      []Hash
	found     []Found
}

// take fills a batch. While others are under way it waits a little for more to come. It is false at the end.
func (a *asks) take(b *batch) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for b.questions = b.questions[:0]; len(b.questions) == 0; {
		for len(a.fresh)+len(a.kept) == 0 && !a.ended {
			a.more.Wait()
		}
		if a.ended {
			return false
		}
		if a.busy > 0 && len(a.fresh) < a.d.cfg.Batch && len(a.kept) < a.d.cfg.Batch {
			a.mu.Unlock()
			time.Sleep(gatherTime)
			a.mu.Lock()
		}
		if b.fresh = len(a.fresh) > 0; b.fresh {
			a.fresh = a.fill(b, a.fresh)
		} else {
			a.kept = a.fill(b, a.kept)
		}
	}
	a.busy++
	return true
}

// fill moves questions from a queue to a batch and returns the rest.
func (a *asks) fill(b *batch, from []*question) []*question {
	for len(from) > 0 && len(b.questions) < a.d.cfg.Batch {
		q := from[0]
		from[0] = nil
		from = from[1:]
		key := a.byHash[q.hash]
		switch {
		case key == nil || key.next != q || q.fresh != b.fresh: // nobody waits for it, or it is in the other queue
		default:
			key.underway, key.next = q, nil
			b.questions = append(b.questions, q)
		}
	}
	if len(from) == 0 {
		return nil
	}
	return from
}

// ask looks a batch up and answers it.
func (a *asks) ask(b *batch) {
	d := a.d
	b.keys = b.keys[:0]
	for _, q := range b.questions {
		b.keys = append(b.keys, q.hash)
	}
	clear(b.found)
	b.found = append(b.found[:0], make([]Found, len(b.keys))...)
	ctx, cancel := context.WithDeadline(d.ctx, a.latest(b))
	defer cancel()
	before, sure := d.cfg.Store.Incarnation()
	start := d.now()
	d.cfg.Store.Lookup(ctx, b.keys, b.fresh, b.found)
	d.tally.lookups.observe(d.now() - start)
	after, still := d.cfg.Store.Incarnation()
	certain := b.fresh && sure && still && before == after && d.allStand(before)
	for i, q := range b.questions {
		f := b.found[i]
		a.answer(q, Answer{Owners: f.Owners, Certain: certain && f.Err == nil, Err: f.Err})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy--
	for _, q := range b.questions {
		key := a.byHash[q.hash]
		if key.underway = nil; key.next != nil {
			a.queue(key.next)
		} else {
			delete(a.byHash, q.hash)
		}
	}
	clear(b.questions)
}

// allStand reports whether every claim that was acknowledged is in the store in an incarnation, as far as a view shows
// that is current.
func (d *Directory) allStand(in Incarnation) bool {
	n := d.nodes.Load()
	return in != "" && n.Marked && n.Incarnation == in && d.current(d.now())
}

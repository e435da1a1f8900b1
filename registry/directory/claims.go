package directory

import (
	"sync"
	"time"
)

// writer brings a part of the keys, by hash, to the store: one batch at a time, so that the writes of one key are
// ordered. Loops tell it of keys, and its goroutine writes them.
type writer struct {
	d    *Directory
	kick chan struct{}

	mu sync.Mutex // held by loops: never across a call to the store
	slots

	// owned by the writer's goroutine
	batch      []int32
	hashes     []Hash
	batchKeys  [][]byte
	changes    []Change
	round      uint64 // when the batch was written
	ready      []Ticket
	pause      time.Duration // nothing is written until then
	fails      int           // batches that failed whole, one after another
	doubtSince time.Duration // since when the store's incarnation is in doubt; 0: it is not
	blind      bool          // the batch is written although it is
}

func newWriter(d *Directory) *writer {
	w := &writer{d: d, kick: make(chan struct{}, 1)}
	w.reset()
	return w
}

// Touch tells that a key has got its first holder or lost its last one. What is written is what Keys says later, so
// calls for one key may come in any order. It never blocks, and copies key.
func (d *Directory) Touch(key []byte) {
	h := d.cfg.Hash(key)
	w := d.writer(h)
	now := d.now()
	w.mu.Lock()
	before, lingers := w.toWrite(), w.lists[lingering].n
	w.touch(h, key, now)
	wake := w.wakes(before, lingers)
	w.mu.Unlock()
	if wake {
		w.wake()
	}
}

func (w *writer) touch(h Hash, key []byte, now time.Duration) {
	// Under the lock: whoever changes the table after this look calls Touch after it, too.
	held := w.d.cfg.Keys.Held(key)
	round := w.d.wanted.Load()
	i := w.byHash[h]
	if i == 0 {
		if !held && w.d.done.Load() == round && w.mayLinger() {
			i = w.add(h, key, lingering, now)
			w.all[i].stands = round
			w.all[i].due = now + w.d.cfg.Linger
			return
		}
		w.enqueue(h, key, now)
		return
	}
	switch c := &w.all[i]; {
	case c.phase == flying:
		c.touched = true
	case c.phase == lingering && held && c.stands == round:
		w.settle(i)
	case (c.phase == lingering || c.phase == gone || c.phase == later) && held:
		w.move(i, queued, now)
	}
}

// enqueue makes an unsettled key of a settled one. It returns 0 if too many wait: then the key is lost sight of, and
// all of the table is to be claimed again. A claim that should have been removed then stays until its time to live runs
// out, or until somebody who finds it calls Repair.
func (w *writer) enqueue(h Hash, key []byte, now time.Duration) int32 {
	if w.waiting() >= w.d.dirtyRoom {
		w.d.lose()
		return 0
	}
	return w.add(h, key, queued, now)
}

func (w *writer) mayLinger() bool {
	return !w.d.closing.Load() && w.d.cfg.Linger > 0 && w.lists[lingering].n+w.lists[gone].n < w.d.lingerRoom
}

// Await reports whether the claim of a key stands acknowledged. If not, Ready(t) follows once it does: at most once,
// and maybe never. It is called by whoever has just come to hold the key, and never blocks.
func (d *Directory) Await(key []byte, h Hash, t Ticket) bool {
	if d.hush.Load() {
		return false
	}
	w := d.writer(h)
	w.mu.Lock()
	before, lingers := w.toWrite(), w.lists[lingering].n
	stands := w.await(h, key, t)
	wake := w.wakes(before, lingers)
	w.mu.Unlock()
	if wake {
		w.wake()
	}
	return stands
}

func (w *writer) await(h Hash, key []byte, t Ticket) bool {
	round := w.d.wanted.Load()
	i := w.byHash[h]
	if i == 0 {
		if w.d.done.Load() == round {
			return true
		}
		if i = w.enqueue(h, key, w.d.now()); i == 0 {
			return false
		}
	}
	c := &w.all[i]
	switch {
	case c.phase != flying && c.phase != gone && c.stands == round:
		return true
	case c.phase == lingering, c.phase == gone, c.phase == later: // the first holder's Touch is on its way; or somebody waits
		w.move(i, queued, w.d.now())
	}
	c.tickets = w.tickets.put(c.tickets, t)
	return false
}

// rewrite writes a key's state again although it may well stand: stands is the round in which it is known to, or 0. The
// phase says how urgent it is. It is false if there is no room now: half of it is for loops.
func (w *writer) rewrite(key []byte, p phase, stands uint64) bool {
	h := w.d.cfg.Hash(key)
	now := w.d.now()
	w.mu.Lock()
	before, lingers := w.toWrite(), w.lists[lingering].n
	i := w.byHash[h]
	switch {
	case i == 0 && w.waiting() >= max(w.d.dirtyRoom/2, 1):
		w.mu.Unlock()
		return false
	case i == 0:
		i = w.add(h, key, p, now)
		w.all[i].stands = stands
	case w.all[i].phase == flying:
		w.all[i].again = true
	case w.all[i].phase == lingering || w.all[i].phase == gone:
		w.move(i, p, now)
	}
	if stands == 0 {
		w.all[i].stands = 0
	}
	wake := w.wakes(before, lingers)
	w.mu.Unlock()
	if wake {
		w.wake()
	}
	return true
}

// wakes reports whether the writer has to be woken, given what there was before: when there is something to
// do at all, and when a batch is full.
func (w *writer) wakes(wasToWrite, wasLingering int) bool {
	n := w.toWrite()
	return n > wasToWrite && (wasToWrite == 0 || n == w.d.cfg.Batch) || wasLingering == 0 && w.lists[lingering].n > 0
}

func (w *writer) wake() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

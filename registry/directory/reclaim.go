package directory

import (
	"context"
	"time"
)

// Claims are made again in rounds. A round begins when claims may be missing from the store: at the start, with each new
// incarnation, and when more keys were waiting than there is room for. Then the walker goes through all of the table,
// as fast as the store bears, and when it has been through, and what it queued has reached the store, the node is
// complete. Between rounds it goes through the table slowly, so that no claim's time to live runs out.

const (
	walkStep    = 10 * time.Millisecond  // between two helpings in a round
	refreshStep = 250 * time.Millisecond // between two helpings of a refresh
	crowd       = 4                      // batches of claims to make again that may wait at a writer
)

// walker goes through the table.
type walker struct {
	d      *Directory
	cursor uint64
	round  uint64        // that it walks for; 0: it refreshes
	began  time.Duration // this pass
	keys   int           // of this pass
	last   int           // keys of the last pass, which tell how fast a refresh has to go
	served time.Duration // the last helping
	credit float64       // keys that the pace of a round allows
	text   []byte        // the keys of a helping, one behind the other
	ends   []int
}

// keepWalking is the walker's goroutine.
func (d *Directory) keepWalking() {
	defer d.running.Done()
	w := &walker{d: d, began: d.now()}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for d.ctx.Err() == nil {
		timer.Reset(w.step(d.now()))
		select {
		case <-timer.C:
		case <-d.walk:
		case <-d.ctx.Done():
		}
	}
}

// step takes a helping of keys and returns the time until the next one.
func (w *walker) step(now time.Duration) time.Duration {
	d := w.d
	if d.incarnation() == "" || d.closing.Load() {
		return refreshStep
	}
	round := d.wanted.Load()
	wanted := round != d.done.Load()
	switch {
	case !wanted || round == w.round:
	case d.mayWalk():
		*w = walker{d: d, round: round, began: now, served: now, text: w.text, ends: w.ends}
		d.pace.begin()
	case w.round != 0:
		w.next(now)
	}
	switch {
	case w.round != 0:
		w.credit += d.pace.now() * min(now-w.served, 10*walkStep).Seconds()
		w.served = now
		n := int(w.credit)
		if n == 0 || d.crowded() {
			w.credit -= float64(n)
			return walkStep
		}
		if w.credit -= float64(n); w.serve(n, 0) {
			return walkStep
		}
		d.walked(w.round, now)
		w.next(now)
	case now-w.served >= refreshStep && !d.crowded():
		w.served = now
		if n := w.helping(now); n > 0 && !w.serve(n, d.done.Load()) {
			w.next(now)
		}
	}
	if wanted {
		return walkStep
	}
	return refreshStep
}

// next begins a refresh.
func (w *walker) next(now time.Duration) {
	w.round, w.cursor, w.last, w.keys, w.began = 0, 0, w.keys, 0, now
}

// helping is how many keys a refresh takes now: so many that the pass, if it is as long as the last one, takes three
// quarters of the time. If it is longer, the rest goes at full speed.
func (w *walker) helping(now time.Duration) int {
	d := w.d
	took := now - w.began
	full := max(d.cfg.ReclaimRate/int(time.Second/refreshStep), 1)
	if took > d.cfg.Refresh*3/4 {
		return full
	}
	due := int(float64(w.last) * float64(took) / float64(d.cfg.Refresh*3/4))
	return min(due-w.keys, full)
}

// serve queues some n keys, and returns false after the last one of the table.
func (w *walker) serve(n int, stands uint64) bool {
	w.text, w.ends = w.text[:0], w.ends[:0]
	w.cursor = w.d.cfg.Keys.Range(w.cursor, n, func(key []byte) {
		w.text = append(w.text, key...)
		w.ends = append(w.ends, len(w.text))
	})
	from := 0
	for _, to := range w.ends {
		key := w.text[from:to]
		from = to
		for !w.d.writer(w.d.cfg.Hash(key)).rewrite(key, later, stands) {
			if !pause(w.d.ctx, walkStep) {
				return true
			}
		}
	}
	w.keys += len(w.ends)
	if w.round != 0 {
		w.d.tally.reclaimed.Add(uint64(len(w.ends)))
	} else {
		w.d.tally.refreshed.Add(uint64(len(w.ends)))
	}
	return w.cursor != 0
}

// pause waits, and is false when ctx ends first.
func pause(ctx context.Context, t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// mayWalk reports whether a round has a chance: the store is the one that the cluster knows, and the writers have room.
func (d *Directory) mayWalk() bool {
	have, sure := d.cfg.Store.Incarnation()
	if !sure || have != d.incarnation() {
		return false
	}
	for _, w := range d.writers {
		if n, _, _ := w.load(); n > d.dirtyRoom/2 {
			return false
		}
	}
	return true
}

// crowded reports whether a writer has enough to write again.
func (d *Directory) crowded() bool {
	for _, w := range d.writers {
		w.mu.Lock()
		n := w.lists[later].n
		w.mu.Unlock()
		if n >= crowd*d.cfg.Batch {
			return true
		}
	}
	return false
}

// walked notes that all of the table was queued in a round.
func (d *Directory) walked(round uint64, now time.Duration) {
	d.done.Store(round)
	d.tally.rounds.Add(1)
	d.mu.Lock()
	d.course.walked, d.course.walkedAt = round, tick(now/tickLength)
	d.mu.Unlock()
}

// load is how many keys wait, how many linger, and since when the oldest waits, or -1.
func (w *writer) load() (waiting, lingers int, oldest tick) {
	w.mu.Lock()
	defer w.mu.Unlock()
	oldest = -1
	if at, any := w.ages.oldest(); any {
		oldest = at
	}
	return w.waiting(), w.lists[lingering].n, oldest
}

// release takes back what claims there are, while ctx lasts but for what leaving takes.
func (d *Directory) release(ctx context.Context) {
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithTimeout(ctx, time.Until(deadline)*3/4)
	defer cancel()
	d.closing.Store(true)
	if d.incarnation() == "" {
		return // nothing was ever claimed
	}
	for _, w := range d.writers {
		w.wake()
	}
	for cursor, more := uint64(0), true; more && ctx.Err() == nil; more = cursor != 0 {
		cursor = d.cfg.Keys.Range(cursor, 1000, func(key []byte) {
			for !d.writer(d.cfg.Hash(key)).rewrite(key, later, 0) && pause(ctx, walkStep) {
			}
		})
	}
	for !d.idle() && pause(ctx, walkStep) {
	}
}

// idle reports whether nothing waits or lingers.
func (d *Directory) idle() bool {
	for _, w := range d.writers {
		if n, lingers, _ := w.load(); n+lingers > 0 {
			return false
		}
	}
	return true
}

package directory

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	fillTime = time.Millisecond // that a batch waits to fill
	never    = time.Duration(math.MaxInt64)
	maxTries = 200 // so that the count does not run over
)

// run is the writer's goroutine: it writes what is queued until the directory ends.
func (w *writer) run() {
	defer w.d.running.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for w.d.ctx.Err() == nil {
		wait, full := w.promote(w.d.now())
		if wait > 0 {
			timer.Reset(wait)
			w.rest(timer)
			continue
		}
		if !full {
			timer.Reset(fillTime)
			w.rest(timer)
		}
		if w.sure() {
			w.take()
			w.write()
			w.land()
		}
	}
}

// rest waits for the timer, or for somebody who wakes the writer.
func (w *writer) rest(timer *time.Timer) {
	select {
	case <-w.kick:
	case <-timer.C:
	case <-w.d.ctx.Done():
	}
}

// promote queues what is due, and returns how long there is nothing to write, and whether a batch is full.
func (w *writer) promote(now time.Duration) (wait time.Duration, full bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.d.closing.Load() {
		for w.lists[lingering].n > 0 {
			w.move(w.lists[lingering].head, queued, now)
		}
	}
	next := never
	for p := lingering; int(p) < listCount; p++ {
		for range w.d.cfg.Batch {
			i := w.lists[p].head
			if i == 0 {
				break
			}
			if due := w.all[i].due; due > now {
				next = min(next, due)
				break
			}
			if p == gone {
				w.settle(i)
			} else {
				w.move(i, queued, now)
			}
		}
		if i := w.lists[p].head; i != 0 {
			next = min(next, w.all[i].due)
		}
	}
	n := w.toWrite()
	switch {
	case n > 0 && w.d.incarnation() != "":
		next = w.pause
	case n > 0:
		next = min(next, now+firstWait) // until the first beat nothing is known of the store
	}
	if next == never {
		return never, false
	}
	return next - now, n >= w.d.cfg.Batch
}

// sure asks whether the store is the one that the cluster knows. If it is not, the writer waits for a beat to tell;
// but where the doubt stays, as with a store that may forget, it goes on, blind: better some claims than none.
func (w *writer) sure() bool {
	now := w.d.now()
	if have, ok := w.d.cfg.Store.Incarnation(); ok && have == w.d.incarnation() {
		w.doubtSince, w.blind = 0, false
		return true
	}
	if w.doubtSince == 0 {
		w.doubtSince = now
	}
	w.d.hurry()
	if w.blind = now-w.doubtSince >= w.d.cfg.Lease; w.blind {
		return true
	}
	w.pause = now + firstWait
	return false
}

// reserve is the part of a batch that is left to claims which are made again, however many others there are.
const reserve = 8

// take makes a batch of what is to be written.
func (w *writer) take() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.d.now()
	w.batch, w.hashes, w.batchKeys = w.batch[:0], w.hashes[:0], w.batchKeys[:0]
	most := w.d.cfg.Batch
	fresh := most - min(most/reserve, w.lists[later].n)
	for len(w.batch) < most && w.toWrite() > 0 {
		i := w.lists[queued].head
		if i == 0 || len(w.batch) >= fresh && w.lists[later].n > 0 {
			i = w.lists[later].head
		}
		w.move(i, flying, now)
		w.all[i].touched, w.all[i].again = false, false
		w.batch = append(w.batch, i)
		w.hashes = append(w.hashes, w.all[i].hash)
		w.batchKeys = append(w.batchKeys, w.keys.get(w.all[i].name))
	}
}

// write tells the store each key's state as it is now.
func (w *writer) write() {
	d := w.d
	if w.blind {
		d.lose() // what is written now does not count
	}
	w.round = d.wanted.Load()
	w.changes = w.changes[:0]
	for k, key := range w.batchKeys {
		held := !d.closing.Load() && d.cfg.Keys.Held(key)
		w.changes = append(w.changes, Change{Hash: w.hashes[k], Held: held})
	}
	ctx, cancel := context.WithTimeout(d.ctx, d.cfg.Lease)
	defer cancel()
	start := d.now()
	d.cfg.Store.Claim(ctx, d.cfg.Self.Instance, w.changes)
	took := d.now() - start
	d.tally.claims.observe(took)
	d.tally.written.Add(uint64(len(w.changes)))
	d.pace.heed(start+took, took, !slices.ContainsFunc(w.changes, func(c Change) bool { return c.Err == nil }))
	if have, ok := d.cfg.Store.Incarnation(); !w.blind && (!ok || have != d.incarnation()) {
		for k := range w.changes { // it may have been another store that took them
			w.changes[k].Err = ErrStore
		}
	}
}

// land gives each key of the batch its next phase, and tells those who wait for a claim that stands.
func (w *writer) land() {
	failures := w.landAll()
	d := w.d
	d.tally.failed.Add(uint64(failures))
	d.tally.acknowledged.Add(uint64(len(w.batch) - failures))
	for _, t := range w.ready {
		d.cfg.Ready(t)
	}
	w.ready = w.ready[:0]
}

func (w *writer) landAll() (failures int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, first := w.d.now(), false
	stale := w.round != w.d.wanted.Load()
	for k, i := range w.batch {
		switch c := &w.all[i]; {
		case w.changes[k].Err != nil:
			failures++
			first = first || c.tries == 0
			w.landFailed(i, w.changes[k].Held, now)
		case c.again, stale && !w.blind:
			c.tries, c.stands = 0, 0
			w.move(i, queued, now)
		case w.changes[k].Held:
			w.landClaimed(i, w.batchKeys[k], now)
		default:
			w.landRemoved(i, w.batchKeys[k], now)
		}
	}
	switch {
	case failures < len(w.batch):
		w.fails = 0
	case first:
		w.pause = now + backoff(w.fails)
		w.fails = min(w.fails+1, maxTries)
	default: // what failed before failed again; others may have more luck
		w.pause = now + backoff(0)
	}
	return failures
}

// backoff is the time to wait after n failures before the last one.
func backoff(n int) time.Duration {
	wait := firstWait << min(n, backoffs-1)
	return wait*3/4 + rand.N(wait/2)
}

func (w *writer) landFailed(i int32, held bool, now time.Duration) {
	c := &w.all[i]
	if !held {
		c.stands = 0 // it may have been removed all the same
	}
	if now-time.Duration(c.since)*tickLength > w.d.cfg.Lease {
		w.tickets.drop(c.tickets)
		c.tickets = 0
	}
	p := failed + phase(min(c.tries, backoffs-1))
	c.due = now + backoff(int(c.tries)) // jitter puts a list out of order by as much, which delays some a little
	c.tries = min(c.tries+1, maxTries)
	w.move(i, p, now)
}

// landClaimed goes on with a key whose claim was acknowledged.
func (w *writer) landClaimed(i int32, key []byte, now time.Duration) {
	c := &w.all[i]
	if !w.blind && !w.d.hush.Load() {
		w.ready = w.tickets.take(w.ready, c.tickets)
	} else {
		w.tickets.drop(c.tickets)
	}
	c.tickets, c.tries = 0, 0
	if !c.touched || w.d.cfg.Keys.Held(key) {
		w.settle(i)
		return
	}
	if w.blind || !w.mayLinger() {
		w.renew(i, now)
		w.move(i, queued, now)
		return
	}
	c.stands = w.round
	c.due = now + w.d.cfg.Linger
	w.move(i, lingering, now)
}

// landRemoved goes on with a key whose claim is no longer there.
func (w *writer) landRemoved(i int32, key []byte, now time.Duration) {
	c := &w.all[i]
	c.stands, c.tries = 0, 0
	switch {
	case c.touched, c.tickets != 0 && w.d.cfg.Keys.Held(key):
		w.renew(i, now)
		w.move(i, queued, now)
	case w.mayLinger():
		w.tickets.drop(c.tickets)
		c.tickets = 0
		c.due = now + w.d.cfg.Linger
		w.move(i, gone, now)
	default:
		w.settle(i)
	}
}

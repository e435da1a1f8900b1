package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// course is what the beats have to remember. Under Directory.mu.
type course struct {
	known     Version       // of the node table that the roster has
	marked    Incarnation   // as of the last beat
	complete  Incarnation   // in which all claims of this node stand
	walked    uint64        // the last round in which all of the table was queued,
	walkedAt  tick          // and when
	hushUntil time.Duration // acknowledgements do not count before
	markFrom  time.Duration // no mark is set before: somebody may not be known yet
	bury      []Instance    // to be taken out of the node table with the next beat
	namesake  Instance      // a live instance with our name,
	sinceWhen time.Duration // and since when it is seen
	warning   string
	failing   error     // of the last beat
	wall      time.Time // of the last beat that was answered, by the clock on the wall: it goes on while a host sleeps
}

// settleTime is how long the state of claims may lag behind before the node says that it is behind.
const settleTime = 100 * time.Millisecond

// watchStep is how often the state is looked at between beats.
const watchStep = 50 * time.Millisecond

// keepBeating is the goroutine that renews the lease.
func (d *Directory) keepBeating() {
	defer d.running.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer close(d.beaten)
	for d.beating.Err() == nil {
		d.beat()
		// At most ten urgent ones in the time of one.
		if !pause(d.beating, d.cfg.Beat/10) {
			return
		}
		timer.Reset(jitter(d.cfg.Beat * 9 / 10))
		select {
		case <-timer.C:
		case <-d.urge:
		case <-d.beating.Done():
		}
	}
}

// beat renews the lease and takes over what the store shows.
func (d *Directory) beat() {
	d.mu.Lock()
	b := d.nextBeat()
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(d.beating, d.cfg.Lease/2)
	defer cancel()
	start := d.now()
	v, err := d.cfg.Store.Beat(ctx, b)
	d.tally.beating.observe(d.now() - start)

	d.mu.Lock()
	d.course.failing = err
	if err == nil {
		d.course.bury = slices.DeleteFunc(d.course.bury, func(i Instance) bool { return slices.Contains(b.Bury, i) })
		d.apply(v, start)
	} else {
		d.tally.beatsFailed.Add(1)
	}
	d.mu.Unlock()
	d.reckon()
}

// nextBeat is what the store is to be told now. The caller has locked mu.
func (d *Directory) nextBeat() Beat {
	b := Beat{Node: d.cfg.Self, Lease: d.cfg.Lease, Known: d.course.known, Bury: slices.Clone(d.course.bury)}
	b.Node.Complete = d.course.complete
	if d.mayMark(d.now()) {
		b.Mark = d.course.complete
	}
	return b
}

// mayMark reports whether every node that this one knows has all of its claims in the store as it is now, and whether
// it knows all. The caller has locked mu.
func (d *Directory) mayMark(now time.Duration) bool {
	c := &d.course
	return c.complete != "" && c.complete == d.incarnation() && c.marked != c.complete && now >= c.markFrom &&
		d.roster.complete(c.complete)
}

// apply takes over a view that was asked for at start. The caller has locked mu.
func (d *Directory) apply(v View, start time.Duration) {
	c := &d.course
	if was := d.incarnation(); v.Incarnation != "" && v.Incarnation != was {
		d.turn(v, was == "")
	}
	now, wall := d.now(), time.Now().Round(0)
	if was := time.Duration(d.seen.Load()); was > 0 && (start-was > d.cfg.Refresh || wall.Sub(c.wall) > d.cfg.Refresh) {
		c.complete = "" // this process stood still, or its host slept: its claims may have run out
		d.lose()
		poke(d.walk)
	}
	c.wall = wall
	d.seen.Store(int64(start))
	c.known = v.Version
	if c.marked = ""; v.Incarnation == d.incarnation() {
		c.marked = v.Marked
	}
	d.roster.apply(v, time.Now(), 2*d.cfg.Refresh)
	d.watchName(now)
	if d.mayMark(now) {
		d.hurry()
	}
}

// turn begins another incarnation. The caller has locked mu.
func (d *Directory) turn(v View, first bool) {
	c, now := &d.course, d.now()
	recent := now-time.Duration(d.seen.Load()) < d.cfg.Lease
	switch {
	case first && v.Marked == v.Incarnation:
		c.markFrom = 0
	case first || !recent:
		// Who was there before the accident is not known, or only as of long ago: the others get time to come back.
		c.markFrom = now + 2*d.cfg.Lease
	default:
		// Who came after our last beat before the accident is known to nobody, but beats well within a lease.
		c.markFrom = now + d.cfg.Lease
	}
	if !first {
		c.hushUntil = now + d.cfg.Lease
		d.hush.Store(true)
		d.tally.turns.Add(1)
	}
	c.complete = ""
	d.lose() // before the writers see the new incarnation: what they wrote before counts for nothing
	d.whole.Store(new(v.Incarnation))
	poke(d.walk)
	for _, w := range d.writers {
		w.wake()
	}
}

// watchName looks for another node that bears our name. One that has just ended may show for a lease.
func (d *Directory) watchName(now time.Duration) {
	c := &d.course
	if other := d.roster.namesake(d.cfg.Self); other != c.namesake {
		c.namesake, c.sinceWhen = other, now
	}
	c.warning = ""
	if c.namesake != 0 && now-c.sinceWhen > 2*d.cfg.Lease {
		c.warning = fmt.Sprintf("two nodes are named %q, the other one at %s: give each its own --node",
			d.cfg.Self.Name, d.roster.rows[c.namesake].Address)
	}
}

// keepWatch is the goroutine that notices what time alone changes.
func (d *Directory) keepWatch() {
	defer d.running.Done()
	for pause(d.ctx, watchStep) {
		d.reckon()
	}
}

// reckon works out where the node stands, and tells who wants to know if that has changed.
func (d *Directory) reckon() {
	d.mu.Lock()
	now, c := d.now(), &d.course
	oldest := tick(-1)
	for _, w := range d.writers {
		if _, _, at := w.load(); at >= 0 && (oldest < 0 || at < oldest) {
			oldest = at
		}
	}
	if now >= c.hushUntil {
		d.hush.Store(false)
	}
	round := d.wanted.Load()
	if c.walked == round && c.complete == "" && (oldest < 0 || oldest > c.walkedAt) {
		c.complete = d.incarnation()
		d.hurry()
	}
	behind := c.complete == "" || d.done.Load() != round || !d.current(now) ||
		oldest >= 0 && now-time.Duration(oldest)*tickLength > settleTime
	changed := d.behind.Swap(behind) != behind
	if next := d.view(now); !next.equal(d.nodes.Load()) {
		d.nodes.Store(next)
		changed = true
	}
	d.mu.Unlock()
	if changed {
		d.cfg.Changed()
	}
}

// view is the cluster as it looks now. The caller has locked mu.
func (d *Directory) view(now time.Duration) *Nodes {
	in := d.incarnation()
	return &Nodes{
		Self: d.cfg.Self.Instance, Incarnation: in,
		Marked:  in != "" && d.course.marked == in,
		Current: d.current(now),
		All:     maps.Clone(d.roster.rows),
	}
}

// leave ends the lease, if there is one. No beat may come after it: it would begin another one.
func (d *Directory) leave(ctx context.Context) {
	d.endBeats()
	<-d.beaten
	if d.incarnation() == "" {
		return
	}
	_, err := d.cfg.Store.Beat(ctx, Beat{Node: d.cfg.Self, Lease: d.cfg.Lease, Leave: true})
	if err != nil {
		d.tally.beatsFailed.Add(1)
	}
}

// Bury tells that an instance is known to have ended: it is taken out of the node table.
func (d *Directory) Bury(i Instance) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i == d.cfg.Self.Instance || d.roster.rows[i] == nil {
		return
	}
	if !slices.Contains(d.course.bury, i) {
		d.course.bury = append(d.course.bury, i)
	}
	d.roster.bury(i)
	d.hurry()
}

// Nodes is the latest view of the cluster. Nobody changes it.
func (d *Directory) Nodes() *Nodes { return d.nodes.Load() }

// Behind reports whether claims of this node may be missing from the store, or the store cannot be reached. The node may
// then hold any key, as far as others can know.
func (d *Directory) Behind() bool { return d.behind.Load() }

// Complete is the incarnation in which all claims of this node stand; "" while it is behind.
func (d *Directory) Complete() Incarnation {
	if d.behind.Load() {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.course.complete
}

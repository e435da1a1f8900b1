package directory

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// LatencyBuckets is the number of buckets of a latency histogram: bucket i counts calls that took less than 2^i µs, the
// last one all others.
const LatencyBuckets = 26

// Latency is how long calls to the store took.
type Latency struct {
	Buckets [LatencyBuckets]uint64
	Sum     time.Duration
}

// Stats are counts since the start, and how things stand.
type Stats struct {
	Written      uint64 // changes of claims sent to the store
	Acknowledged uint64
	Failed       uint64 // not acknowledged, to be written again
	Reclaimed    uint64 // claims made again in a round
	Refreshed    uint64
	Repairs      uint64 // claims written again because another node found them wrong
	Disowned     uint64 // claims of ended instances removed
	Rounds       uint64 // times that all of the table was claimed, the start included
	Turns        uint64 // changes of the store's incarnation

	Asks, Coalesced, AsksRefused, AsksFailed uint64
	PeeksHit, PeeksMissed                    uint64

	Beats, BeatsFailed uint64
	LastBeat           time.Duration // age of the last one that was answered; negative: none was

	Pace      int // keys a second at which a round claims now
	Dirty     int // keys that wait to be written
	Lingering int // claims that outlive their last holder
	Waiting   int // asks without an answer
	Behind    bool

	Claims, Lookups, Beating Latency // of calls to the store

	Failing string // why the last beat failed; "" if it did not
	Warning string // what somebody should mend
}

// tally is what Stats counts, for any goroutine.
type tally struct {
	written, acknowledged, failed, reclaimed, refreshed, repairs, disowned, turns, rounds atomic.Uint64
	asks, coalesced, refused, asksFailed, hits, misses, beatsFailed                       atomic.Uint64

	claims, lookups, beating latency
}

type latency struct {
	buckets [LatencyBuckets]atomic.Uint64
	sum     atomic.Int64
	n       atomic.Uint64
}

func (l *latency) observe(took time.Duration) {
	us := uint64(max(took.Microseconds(), 0))
	l.buckets[min(bits.Len64(us), LatencyBuckets-1)].Add(1)
	l.sum.Add(int64(took))
	l.n.Add(1)
}

func (l *latency) read() (r Latency) {
	for i := range l.buckets {
		r.Buckets[i] = l.buckets[i].Load()
	}
	r.Sum = time.Duration(l.sum.Load())
	return r
}

// Stats reads the counts. It takes short locks, one after another.
func (d *Directory) Stats() Stats {
	t := &d.tally
	s := Stats{
		Written: t.written.Load(), Acknowledged: t.acknowledged.Load(), Failed: t.failed.Load(),
		Reclaimed: t.reclaimed.Load(), Refreshed: t.refreshed.Load(), Repairs: t.repairs.Load(),
		Disowned: t.disowned.Load(), Rounds: t.rounds.Load(), Turns: t.turns.Load(),
		Asks: t.asks.Load(), Coalesced: t.coalesced.Load(), AsksRefused: t.refused.Load(), AsksFailed: t.asksFailed.Load(),
		PeeksHit: t.hits.Load(), PeeksMissed: t.misses.Load(),
		Beats: t.beating.n.Load(), BeatsFailed: t.beatsFailed.Load(), LastBeat: -1,
		Pace:    int(d.pace.now()),
		Waiting: d.asks.waiting(), Behind: d.behind.Load(),
		Claims: t.claims.read(), Lookups: t.lookups.read(), Beating: t.beating.read(),
	}
	if seen := time.Duration(d.seen.Load()); seen != 0 {
		s.LastBeat = d.now() - seen
	}
	for _, w := range d.writers {
		dirty, lingers, _ := w.load()
		s.Dirty += dirty
		s.Lingering += lingers
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Warning = d.course.warning
	if err := d.course.failing; err != nil {
		s.Failing = err.Error()
	}
	return s
}

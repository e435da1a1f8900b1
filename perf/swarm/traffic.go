package swarm

import (
	"math"
	"time"

	"holdfast/perf/hist"
)

// traffic is a worker's share of one load. Keys are dealt to workers in turn, and a key's clients and publishers are on
// its worker: all that is known of a push is known in one place.
type traffic struct {
	*Load
	index   int      // of the load
	stride  int      // how many workers have a share; key k of this one is key k*stride + offset of the load
	offset  int      // which of these this is
	members []uint32 // clients subscribed, by key of this worker
	conns   int      // clients

	first, pubs int      // this share's publishers in worker.publishers
	idle        []uint32 // of these, by index in worker.publishers: those that could push
	closed      int      // of these, those without connection
	reopenAt    int64    // monotonic ns, not before which they are connected

	plan   hist.Schedule // of the load
	next   int64         // number of the next push of this worker
	limit  int64         // how many there will be, known once the duration is over
	seqs   []uint32      // the last sequence number of each publisher to each key
	tracks []track       // of each client from each publisher
	ledger *ledger

	lateness, answers, arrivals *hist.Recorder // nil until pushing begins
	status                      map[int]int64
}

// takeShare gives a worker its part of load i, if there is one.
func (w *worker) takeShare(i int) {
	l := &w.cfg.Loads[i]
	workers, rank := min(w.cfg.Loops, l.Keys), w.index/len(w.cfg.Loads)
	if w.index%len(w.cfg.Loads) != i || rank >= workers {
		return
	}
	t := &traffic{Load: l, index: i, stride: workers, offset: rank, first: len(w.publishers), ledger: new(ledger), status: make(map[int]int64)}
	t.members = make([]uint32, share(l.Keys, workers, rank))
	for n := range l.Conns {
		if key := n % l.Keys; key%workers == rank {
			w.clients = append(w.clients, client{load: uint8(len(w.loads)), key: uint32(key / workers), member: uint32(t.conns)})
			t.conns++
		}
	}
	if l.Publishers > 0 {
		t.pubs = max(share(l.Publishers, workers, rank), 1)
		t.closed = t.pubs
		t.seqs = make([]uint32, t.pubs*len(t.members))
		t.tracks = make([]track, t.pubs*t.conns)
		t.ledger = newLedger(t.missed)
	}
	for range t.pubs {
		w.publishers = append(w.publishers, publisher{load: uint8(len(w.loads))})
	}
	w.loads = append(w.loads, t)
}

// globalKey is the load's number of a key of this worker.
func (t *traffic) globalKey(key uint32) uint32 { return key*uint32(t.stride) + uint32(t.offset) }

func (t *traffic) start(at int64) {
	t.limit = math.MaxInt64
	t.plan = hist.Every(at, int64(t.Rate), time.Second)
	t.lateness, t.answers, t.arrivals = hist.New(at), hist.New(at), hist.New(at)
}

// flat says that publishers push as fast as they get answers, without a schedule.
func (t *traffic) flat() bool { return t.Rate == 0 }

// intended is when push number n of this worker is meant to be sent.
func (t *traffic) intended(n int64) int64 { return t.plan.At(n*int64(t.stride) + int64(t.offset)) }

// due is how many of this worker's pushes should have been sent by now.
func (t *traffic) due(now int64) int64 {
	if t.flat() {
		return t.limit
	}
	return min(t.limit, int64(share(int(t.plan.Due(now)), t.stride, t.offset)))
}

// target is the key that push number n goes to: any of them, by a fixed scatter (splitmix64).
func (t *traffic) target(n int64) uint32 {
	return uint32(scatter(uint64(n)) % uint64(len(t.members)))
}

func scatter(n uint64) uint64 {
	z := (n + 1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// cease settles what is to be sent yet: what was due by now.
func (t *traffic) cease(now int64) {
	if t.pubs > 0 {
		t.limit = max(min(t.due(now), t.limit), t.next)
		if t.flat() {
			t.limit = t.next
		}
	}
}

// backlog is how many pushes were due before the end and are not sent yet.
func (t *traffic) backlog() int64 {
	if t.pubs == 0 || t.answers == nil {
		return 0
	}
	return t.limit - t.next
}

// giveUp counts the backlog as never sent: each such push waited at least until now.
func (t *traffic) giveUp(now int64) {
	for range t.backlog() {
		t.ledger.books.Unsent++
		t.answers.Abandon(t.intended(t.next), now)
		t.next++
	}
}

// missed takes what did not come into the latencies: it waited until now at least.
func (t *traffic) missed(intended, now int64, verdict bool, messages uint32) {
	if verdict {
		t.answers.Abandon(intended, now)
	}
	for range messages {
		t.arrivals.Abandon(intended, now)
	}
}

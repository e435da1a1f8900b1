package swarm

import (
	"errors"
	"sync/atomic"
	"time"

	"holdfast/perf/hist"
)

// Counts is how far a run is. Any goroutine may read it while the run goes on.
type Counts struct {
	Subscribed atomic.Int64 // clients that were subscribed
	Failed     atomic.Int64 // clients that never got so far
	Lost       atomic.Int64 // of the subscribed, those whose connection ended before the run did
	Sent       atomic.Int64 // pushes
	Answered   atomic.Int64 // pushes with a verdict
	Refused    atomic.Int64 // of these, with a status of 300 or above
	Arrived    atomic.Int64 // messages that reached their client
	Deflated   atomic.Int64 // WebSockets whose server took the offer to deflate
	Foreign    atomic.Int64 // messages that are none of this run: old ones replayed, goodbyes
	Errors     atomic.Int64 // things that went wrong with a connection; Result.Troubles tells which
}

// Result is what a run found.
type Result struct {
	*Counts
	Troubles map[string]int64 // what went wrong with connections, by kind
	Connect  hist.Summary     // from the intended time of connecting to the subscription
	Took     time.Duration    // from the first connecting to the last subscription
	Loads    []LoadResult     // in the order of Config.Loads
}

// LoadResult is what a run found of one load. The summaries are empty unless there was pushing.
type LoadResult struct {
	Load
	Books
	Status   map[int]int64 // verdicts by status
	Lateness hist.Summary  // from the intended time of a push to its sending: the tool's own error
	Answer   hist.Summary  // from the intended time of a push to its verdict
	Arrival  hist.Summary  // from the intended time of a push to its arrival; what was lost counts as waiting
}

// EstablishRate is subscriptions per second, over all of connecting.
func (r *Result) EstablishRate() float64 {
	if r.Took <= 0 {
		return 0
	}
	return float64(r.Subscribed.Load()) / r.Took.Seconds()
}

// Totals adds up the books of all loads.
func (r *Result) Totals() (sum Books) {
	for i := range r.Loads {
		sum.add(&r.Loads[i].Books)
	}
	return sum
}

// result adds up what the workers found.
func (s *shared) result(workers []*worker) (*Result, error) {
	r := &Result{Counts: s.counts, Troubles: make(map[string]int64), Loads: make([]LoadResult, len(s.cfg.Loads))}
	bad := make([]error, 0, len(workers)+len(r.Loads))
	connects := hist.New(s.begin)
	for _, w := range workers {
		r.Took = max(r.Took, time.Duration(w.subscribed-s.begin))
		for kind, n := range w.troubles {
			r.Troubles[kind] += n
		}
		bad = append(bad, connects.Merge(w.connects))
	}
	r.Connect = connects.Summary()
	for i := range r.Loads {
		var shares []*traffic
		for _, w := range workers {
			for _, t := range w.loads {
				if t.index == i {
					shares = append(shares, t)
				}
			}
		}
		bad = append(bad, r.Loads[i].sum(&s.cfg.Loads[i], shares))
	}
	return r, errors.Join(bad...)
}

func (l *LoadResult) sum(load *Load, shares []*traffic) error {
	l.Load, l.Status = *load, make(map[int]int64)
	for _, t := range shares {
		l.add(&t.ledger.books)
		for status, n := range t.status {
			l.Status[status] += n
		}
	}
	first := shares[0]
	if first.answers == nil {
		return nil // stopped before any push
	}
	var bad []error
	for _, t := range shares[1:] {
		bad = append(bad, first.lateness.Merge(t.lateness), first.answers.Merge(t.answers), first.arrivals.Merge(t.arrivals))
	}
	l.Lateness, l.Answer, l.Arrival = first.lateness.Summary(), first.answers.Summary(), first.arrivals.Summary()
	return errors.Join(bad...)
}

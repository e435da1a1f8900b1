package peer

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// LinkStats is one link as an operator sees it.
type LinkStats struct {
	Node
	State      State
	Since      time.Time // of the state
	Status     Status    // as last told
	Release    string    // of its software; "" while unknown
	InFlight   int       // requests without report
	Queued     int       // bytes waiting to be written or being written
	Sent       uint64    // bytes, all connections that this node dialled
	Received   uint64
	Reconnects uint64
	Serving    int           // its requests that this node works on
	RoundTrip  time.Duration // of the last ping; 0: none yet
	Error      string        // why it is not up; "" while it is
}

// Stats are all links, by name and instance.
func (m *Mesh) Stats() []LinkStats {
	links := *m.links.Load()
	out := make([]LinkStats, 0, len(links))
	for _, k := range links {
		out = append(out, k.stats())
	}
	slices.SortFunc(out, func(a, b LinkStats) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Instance, b.Instance))
	})
	for i := range out {
		for _, g := range *m.guests.Load() {
			if g != nil && g.them.Instance == out[i].Instance {
				out[i].Serving += int(g.served.Load())
			}
		}
	}
	return out
}

func (k *link) stats() LinkStats {
	k.mu.Lock()
	s := LinkStats{
		Node: k.node, State: State(k.state.Load()), Since: k.since, Status: k.status.Load().Status, Release: k.release,
		Sent: k.sent, Received: k.received, Reconnects: k.reconnects, Error: k.lastError,
	}
	k.mu.Unlock()
	if l := k.line.Load(); l != nil {
		l.mu.Lock()
		s.InFlight, s.Queued = l.flight.live, l.queued
		l.mu.Unlock()
		s.Sent += l.sent.Load()
		s.Received += l.received.Load()
		s.RoundTrip = time.Duration(l.trip.Load())
	}
	return s
}

// faultCounts are how often each fault was met, and when it was last spoken of.
type faultCounts [faults]struct {
	count atomic.Uint64
	told  atomic.Int64 // mesh time + 1
}

// fault counts why a connection was refused or ended, and speaks of it now and then.
func (m *Mesh) fault(peer Node, err error) {
	f := &m.faults[faultOf(err)]
	f.count.Add(1)
	if m.cfg.Trouble == nil || faultOf(err) == Ended {
		return
	}
	now, last := int64(m.now())+1, f.told.Load()
	if (last == 0 || now-last >= int64(time.Second)) && f.told.CompareAndSwap(last, now) {
		m.cfg.Trouble(peer, err)
	}
}

// Faults are how often connections were refused or ended, by reason.
func (m *Mesh) Faults() map[Fault]uint64 {
	out := make(map[Fault]uint64, faults)
	for f := range m.faults {
		out[Fault(f)] = m.faults[f].count.Load()
	}
	return out
}

package gateway

import (
	"math/bits"
	"time"

	"holdfast/engine/exchange"
	"holdfast/engine/record"
	"holdfast/registry/peer"
)

// LatencyBuckets is the number of buckets of a latency histogram: bucket i counts pushes that took less than 2^i µs,
// the last one all others.
const LatencyBuckets = 26

// Stats are a gateway's own counts. Read them on its loop.
type Stats struct {
	Holds       [exchange.Forms]int64 // held now, by form
	Held        int64
	Messages    [record.Fates]uint64 // deliveries by fate at verdict
	Unknown     uint64               // reports that did not come in time
	Refused     uint64               // parts of pushes for which a queue was full
	Pushes      Verdicts             // verdicts by status
	Latency     [LatencyBuckets]uint64
	LatencySum  time.Duration
	LateReports uint64
	BoxesFull   uint64
	IDs         uint64
	Errands     uint64 // requests of other nodes
	Duplicates  uint64 // keys of pushes whose id was seen before
	Inbound     uint64 // messages of WebSockets' clients that were pushed
	InboundLost uint64 // of them, that found too many pushes under way
	Unclaimed   uint64 // holds whose head was sent before other nodes could find them
}

// Verdicts counts verdicts by status.
type Verdicts struct{ OK, Accepted, Nobody, Unsupported, Unavailable, Timeout uint64 }

func (s *Stats) count(p *op, took time.Duration) {
	if p.verb != peer.Push && p.verb != peer.Close {
		return // a question, or keys that change
	}
	c := &p.counts
	for i := range c.fate {
		s.Messages[i] += uint64(c.fate[i])
	}
	s.Unknown += uint64(c.unknown)
	s.Refused += uint64(c.busy)
	switch c.status() {
	case 200:
		s.Pushes.OK++
	case 202:
		s.Pushes.Accepted++
	case 404:
		s.Pushes.Nobody++
	case 415:
		s.Pushes.Unsupported++
	case 503:
		s.Pushes.Unavailable++
	default:
		s.Pushes.Timeout++
	}
	us := uint64(max(took.Microseconds(), 0))
	s.Latency[min(bits.Len64(us), LatencyBuckets-1)]++
	s.LatencySum += took
}

// Depths are the lengths of a gateway's queues at one moment.
type Depths struct {
	Mail    int // letters waiting
	Fanouts int // under way or waiting
	Pushes  int // waiting for verdicts
	Bodies  int // bytes set aside for publish bodies that are not dispatched
}

// Depths measures the queues. On the gateway's loop only.
func (g *Gateway) Depths() Depths {
	return Depths{
		Mail:    g.shared.boxes[g.id].Len() + len(g.mail.letters) - g.mail.read,
		Fanouts: g.jobs.walks,
		Pushes:  g.ops.waiting,
		Bodies:  g.tasks.kept,
	}
}

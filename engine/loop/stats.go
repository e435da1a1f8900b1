package loop

import "holdfast/engine/record"

// Stats are a loop's own counts. They are plain numbers: read them on the loop, or through Post.
type Stats struct {
	Ticks            uint64
	BusyNanos        uint64 // time spent outside the wait
	Accepted         uint64
	AcceptsFull      uint64 // accepting paused: MaxConns or MaxSlots
	AcceptsExhausted uint64 // accepting paused: no descriptors or memory
	AcceptsFailed    uint64 // other errors of accepting
	Conns            int64
	Chained          int64 // records of further keys
	Closed           [record.Reasons]uint64
	Evicted          uint64 // connections ended for not reading
	Dropped          uint64 // messages dropped from slow connections' queues
	BytesIn          uint64
	BytesOut         uint64
}

// Gauges are sizes at one moment.
type Gauges struct {
	QueuedConns int // connections with output waiting
	QueuedBytes int
	KeptInputs  int // connections with unfinished input
	RecordBytes int // of the slab
}

// Gauge measures the loop's sizes; it costs time in proportion to the queues in use. On the loop only.
func (l *Loop) Gauge() Gauges {
	g := Gauges{QueuedConns: l.queues.live, RecordBytes: l.records.Bytes()}
	for _, q := range l.queues.all[1:] {
		g.QueuedBytes += q.bytes
	}
	g.KeptInputs = len(l.inputs.bufs) - 1 - len(l.inputs.free)
	return g
}

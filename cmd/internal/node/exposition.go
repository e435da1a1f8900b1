package node

import (
	"context"
	"strconv"

	"holdfast/cmd/internal/metrics"
	"holdfast/engine"
	"holdfast/engine/exchange"
	"holdfast/engine/gateway"
	"holdfast/engine/http1"
	"holdfast/engine/record"
)

// Metrics asks every loop for its numbers and writes them as families.
func (n *Node) Metrics(_ context.Context, w *metrics.Writer) error {
	s, err := n.engine.Stats()
	if err != nil {
		return err
	}
	e := exposition{Writer: w, stats: &s}
	e.conns()
	e.traffic()
	e.multiplexed()
	e.sockets()
	e.holds()
	e.pushes()
	e.loops()
	if s.Cluster != nil {
		e.cluster()
	}
	return nil
}

type exposition struct {
	*metrics.Writer
	stats *engine.Stats
}

// perLoop writes a family with one sample for each loop.
func (e *exposition) perLoop(name string, kind metrics.Kind, help string, of func(*engine.LoopStats) float64) {
	e.Family(name, kind, help)
	for i := range e.stats.Loops {
		e.Sample(of(&e.stats.Loops[i]), "loop", strconv.Itoa(i))
	}
}

// sum adds up one number over all loops.
func (e *exposition) sum(of func(*engine.LoopStats) uint64) (total uint64) {
	for i := range e.stats.Loops {
		total += of(&e.stats.Loops[i])
	}
	return total
}

// part is one sample of a family that divides a number by a label.
type part struct {
	value string
	of    func(*engine.LoopStats) uint64
}

func (e *exposition) parts(label string, parts ...part) {
	for _, p := range parts {
		e.Count(e.sum(p.of), label, p.value)
	}
}

func (e *exposition) conns() {
	e.perLoop(metrics.Conns, metrics.Gauge, "Open client connections.",
		func(l *engine.LoopStats) float64 { return float64(l.Loop.Conns) })
	e.Family(metrics.ConnStates, metrics.Gauge, "Open client connections, by what their current request is doing.")
	for state := range http1.States {
		var conns int64
		for i := range e.stats.Loops {
			conns += e.stats.Loops[i].HTTP1.States[state]
		}
		e.Sample(float64(conns), "state", http1.StateName(state))
	}
	e.One(metrics.ConnBytes, metrics.Gauge, "Memory of this process for one idle connection: connection records, key table, names and groups, "+
		"divided by open connections; 0 without any. Records and table count as mapped, so that it is high on a node that is not full. "+
		"Buffers of requests and of slow readers, the program itself and the kernel's part are left out.", e.connBytes())
	e.perLoop(metrics.Accepted, metrics.Counter, "Connections accepted.",
		func(l *engine.LoopStats) float64 { return float64(l.Loop.Accepted) })
	e.Family(metrics.AcceptPauses, metrics.Counter, "Times that accepting paused or failed, by reason.")
	e.parts("reason",
		part{"full", func(l *engine.LoopStats) uint64 { return l.Loop.AcceptsFull }},
		part{"exhausted", func(l *engine.LoopStats) uint64 { return l.Loop.AcceptsExhausted }},
		part{"failed", func(l *engine.LoopStats) uint64 { return l.Loop.AcceptsFailed }})
	e.Family(metrics.Closed, metrics.Counter, "Connections that ended, by reason.")
	for why := range record.Reasons {
		e.Count(e.sum(func(l *engine.LoopStats) uint64 { return l.Loop.Closed[why] }), "reason", why.String())
	}
}

// connBytes is what an idle connection costs on average.
func (e *exposition) connBytes() float64 {
	r := &e.stats.Registry
	bytes, conns := r.TableBytes+r.NameBytes+r.GroupBytes, int64(0)
	for i := range e.stats.Loops {
		bytes += e.stats.Loops[i].Gauges.RecordBytes
		conns += e.stats.Loops[i].Loop.Conns
	}
	if conns == 0 {
		return 0
	}
	return float64(bytes) / float64(conns)
}

func (e *exposition) traffic() {
	e.Family(metrics.Requests, metrics.Counter, "Requests begun, by protocol.")
	e.parts("protocol",
		part{"http1", func(l *engine.LoopStats) uint64 { return l.HTTP1.Requests }},
		part{"http2", func(l *engine.LoopStats) uint64 { return l.HTTP2.Requests }})
	e.Family("holdfast_requests_refused_total", metrics.Counter, "Requests ended for their form, by reason.")
	e.parts("reason",
		part{"malformed", func(l *engine.LoopStats) uint64 { return l.HTTP1.BadHeads + l.HTTP2.Malformed }},
		part{"timeout", func(l *engine.LoopStats) uint64 { return l.HTTP1.Timeouts + l.HTTP2.Timeouts }},
		part{"crowded", func(l *engine.LoopStats) uint64 { return l.HTTP2.Refused }},
		part{"pipelined", func(l *engine.LoopStats) uint64 { return l.HTTP1.Pipelined }})
	e.perLoop(metrics.ReceivedBytes, metrics.Counter, "Bytes received from clients.",
		func(l *engine.LoopStats) float64 { return float64(l.Loop.BytesIn) })
	e.perLoop(metrics.SentBytes, metrics.Counter, "Bytes that the kernel took for clients.",
		func(l *engine.LoopStats) float64 { return float64(l.Loop.BytesOut) })
	e.perLoop(metrics.QueuedConns, metrics.Gauge, "Connections with output waiting for a slow reader.",
		func(l *engine.LoopStats) float64 { return float64(l.Gauges.QueuedConns) })
	e.perLoop(metrics.QueuedBytes, metrics.Gauge, "Output waiting for slow readers.",
		func(l *engine.LoopStats) float64 { return float64(l.Gauges.QueuedBytes) })
	e.perLoop("holdfast_kept_inputs", metrics.Gauge, "Connections with an unfinished request in memory.",
		func(l *engine.LoopStats) float64 { return float64(l.Gauges.KeptInputs) })
}

func (e *exposition) holds() {
	e.Family(metrics.Holds, metrics.Gauge, "Exchanges that wait for messages, by wire form.")
	for form := exchange.NoForm + 1; form < exchange.Forms; form++ {
		var held int64
		for i := range e.stats.Loops {
			held += e.stats.Loops[i].Gateway.Holds[form]
		}
		e.Sample(float64(held), "form", form.String())
	}
	r := &e.stats.Registry
	e.One(metrics.Keys, metrics.Gauge, "Keys that have a holder.", float64(r.Keys))
	e.One("holdfast_key_groups", metrics.Gauge, "Keys that have, or had, several holders at once.", float64(r.Groups))
	e.Family("holdfast_key_bytes", metrics.Gauge, "Memory of the key table, by what it holds.")
	e.Sample(float64(r.TableBytes), "of", "table")
	e.Sample(float64(r.NameBytes), "of", "names")
	e.Sample(float64(r.GroupBytes), "of", "groups")
	e.perLoop("holdfast_record_bytes", metrics.Gauge, "Memory of connection records.",
		func(l *engine.LoopStats) float64 { return float64(l.Gauges.RecordBytes) })
}

func (e *exposition) pushes() {
	e.Family(metrics.Pushes, metrics.Counter, "Messages published, by verdict.")
	e.parts("verdict",
		part{"delivered", func(l *engine.LoopStats) uint64 { return l.Gateway.Pushes.OK }},
		part{"pending", func(l *engine.LoopStats) uint64 { return l.Gateway.Pushes.Accepted }},
		part{"nobody", func(l *engine.LoopStats) uint64 { return l.Gateway.Pushes.Nobody }},
		part{"unsupported", func(l *engine.LoopStats) uint64 { return l.Gateway.Pushes.Unsupported }},
		part{"unavailable", func(l *engine.LoopStats) uint64 { return l.Gateway.Pushes.Unavailable }},
		part{"unknown", func(l *engine.LoopStats) uint64 { return l.Gateway.Pushes.Timeout }})
	e.Family(metrics.Deliveries, metrics.Counter, "Messages to single holders, by fate when the verdict was given.")
	for fate := record.Staged + 1; fate < record.Fates; fate++ {
		e.Count(e.sum(func(l *engine.LoopStats) uint64 { return l.Gateway.Messages[fate] }), "fate", fate.String())
	}
	e.Family("holdfast_push_trouble_total", metrics.Counter, "Parts of pushes that loops did not report or take, by reason.")
	e.parts("reason",
		part{"unknown", func(l *engine.LoopStats) uint64 { return l.Gateway.Unknown }},
		part{"refused", func(l *engine.LoopStats) uint64 { return l.Gateway.Refused }},
		part{"late", func(l *engine.LoopStats) uint64 { return l.Gateway.LateReports }},
		part{"mailbox full", func(l *engine.LoopStats) uint64 { return l.Gateway.BoxesFull }})
	e.perLoop("holdfast_push_duplicates_total", metrics.Counter, "Keys of pushes that were not delivered, because a push with the same Push-Id was.",
		func(l *engine.LoopStats) float64 { return float64(l.Gateway.Duplicates) })
	e.FamilyHistogram(metrics.PushSeconds, "Time from a message's last byte to its verdict.")
	e.Histogram(latency(e.stats.Loops))
}

// latency adds up the loops' histograms, whose bucket i counts what took less than 2^i µs.
func latency(loops []engine.LoopStats) metrics.Histogram {
	h := doubling(gateway.LatencyBuckets)
	for i := range loops {
		for bucket, n := range loops[i].Gateway.Latency {
			h.Counts[bucket] += n
		}
		h.Sum += loops[i].Gateway.LatencySum.Seconds()
	}
	return h
}

// doubling is a histogram of that many buckets, of which the first has what took less than 1 µs.
func doubling(buckets int) metrics.Histogram {
	bounds := make([]float64, buckets-1)
	for i := range bounds {
		bounds[i] = float64(uint64(1)<<i) / 1e6
	}
	return metrics.NewHistogram(bounds...)
}

func (e *exposition) loops() {
	e.perLoop(metrics.LoopBusySeconds, metrics.Counter, "Time that a loop spent outside its wait.",
		func(l *engine.LoopStats) float64 { return float64(l.Loop.BusyNanos) / 1e9 })
	e.perLoop(metrics.LoopTicks, metrics.Counter, "Rounds of a loop.",
		func(l *engine.LoopStats) float64 { return float64(l.Loop.Ticks) })
	e.perLoop("holdfast_loop_mail", metrics.Gauge, "Letters from other loops that wait.",
		func(l *engine.LoopStats) float64 { return float64(l.Depths.Mail) })
	e.perLoop("holdfast_loop_fanouts", metrics.Gauge, "Fan-outs under way or waiting.",
		func(l *engine.LoopStats) float64 { return float64(l.Depths.Fanouts) })
	e.perLoop("holdfast_loop_body_bytes", metrics.Gauge, "Bytes of publishers' requests that have not come whole.",
		func(l *engine.LoopStats) float64 { return float64(l.Depths.Bodies) })
	e.perLoop("holdfast_loop_pushes_waiting", metrics.Gauge, "Pushes that wait for other loops.",
		func(l *engine.LoopStats) float64 { return float64(l.Depths.Pushes) })
}

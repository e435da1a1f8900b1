package gateway

import (
	"strconv"

	"holdfast/codec/ndjson"
	"holdfast/engine/exchange"
	"holdfast/engine/record"
)

const ndjsonType = "application/x-ndjson"

// What stands around the verdicts of a batch.
var (
	batchFirst = []byte("[")
	batchNext  = []byte(",")
	batchLast  = []byte("]\n")
)

// verdict gives a publisher what became of one push.
func (g *Gateway) verdict(t *task, p *op) {
	x := g.view(t)
	switch t.kind {
	case taskRaw, taskClose:
		g.scratch.out = append(g.appendVerdict(g.scratch.out[:0], p, -1), '\n')
		g.answerVerdict(x, p.status())
	case taskRekey:
		g.answerRekey(x, p)
	case taskCount:
		g.scratch.out = g.appendPresence(g.scratch.out[:0], p)
		g.answerVerdict(x, p.status())
	case taskBatch, taskLines, taskParts:
		t.flying--
		g.say(x, t, p)
		if !t.pumping {
			g.pump(x, t)
		}
	case taskEcho, taskPage, taskStream, taskHold:
	}
}

// answerVerdict sends what scratch.out was made into; one that may be better soon says when to ask again.
func (g *Gateway) answerVerdict(x exchange.Exchange, status int) {
	fields := g.scratch.fields[:0]
	if status == 503 {
		fields = append(fields, retryAfter)
	}
	g.scratch.fields = fields
	g.scratch.response = exchange.Response{Status: status, Type: jsonType, Fields: fields, Body: g.scratch.out}
	x.Respond(&g.scratch.response)
}

// say writes one verdict line of a stream, or one element of a batch's array. A publisher that writes on and does not
// read gets counts instead, past a backlog: neither side waits for the other for ever.
func (g *Gateway) say(x exchange.Exchange, t *task, p *op) {
	if g.unread(t) {
		t.collapsed.add(&p.counts)
		t.collapsed.items++
		return
	}
	g.sayCollapsed(x, t)
	g.sayLine(x, t, g.appendVerdict(g.scratch.out[:0], p, p.item))
}

// unread reports whether a stream's publisher is too far behind with reading its verdicts. A batch waits for it instead.
func (g *Gateway) unread(t *task) bool {
	return t.kind != taskBatch && g.space.Queued(t.slot) > g.cfg.VerdictBacklog
}

// sayError is the verdict on an item that could not be read.
func (g *Gateway) sayError(x exchange.Exchange, t *task, index int, err error) {
	if g.unread(t) {
		t.collapsed.items++
		t.collapsed.failed++
		return
	}
	g.sayCollapsed(x, t)
	g.sayFailure(x, t, index, err)
}

func (g *Gateway) sayFailure(x exchange.Exchange, t *task, index int, err error) {
	status, text := statusOf(err)
	b := append(g.scratch.out[:0], `{"index":`...)
	b = strconv.AppendInt(b, int64(index), 10)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"error":`...)
	b, _ = ndjson.AppendString(b, []byte(text))
	g.sayLine(x, t, append(b, '}'))
}

// sayLine frames and sends what scratch.out was made into.
func (g *Gateway) sayLine(x exchange.Exchange, t *task, b []byte) {
	lead := batchNext
	if !t.opened {
		lead = batchFirst
	}
	g.openStream(x, t)
	if t.kind == taskBatch {
		x.Write(lead)
	} else {
		b = append(b, '\n')
	}
	x.Write(b)
	g.scratch.out = b
}

func (g *Gateway) openStream(x exchange.Exchange, t *task) {
	if t.opened {
		return
	}
	t.opened = true
	kind := ndjsonType
	if t.kind == taskBatch {
		kind = jsonType
	}
	g.scratch.response = exchange.Response{Status: 200, Type: kind}
	x.Open(&g.scratch.response)
}

// sayCollapsed tells what was not told line by line.
func (g *Gateway) sayCollapsed(x exchange.Exchange, t *task) {
	if t.collapsed.items == 0 {
		return
	}
	b := append(g.scratch.out[:0], `{"collapsed":`...)
	b = strconv.AppendInt(b, int64(t.collapsed.items), 10)
	if t.collapsed.failed > 0 {
		b = append(b, `,"failed":`...)
		b = strconv.AppendInt(b, int64(t.collapsed.failed), 10)
	}
	b = append(b, ',')
	b = g.appendCounts(b, &t.collapsed.counts)
	b = g.appendNode(b, g.cfg.Node)
	t.collapsed = collapsed{}
	g.sayLine(x, t, append(b, '}'))
}

// settleStream ends the answer of a stream or batch whose items all have their verdicts.
func (g *Gateway) settleStream(x exchange.Exchange, t *task) {
	if !t.done || t.flying > 0 || t.batch.left() > 0 {
		return
	}
	g.sayCollapsed(x, t)
	if t.kind == taskBatch {
		if !t.opened {
			g.openStream(x, t)
			x.Write(batchFirst)
		}
		x.Write(batchLast)
	}
	g.openStream(x, t)
	x.End()
}

// appendVerdict writes the verdict; index below 0 leaves it out.
func (g *Gateway) appendVerdict(b []byte, p *op, index int) []byte {
	b = append(b, '{')
	if index >= 0 {
		b = append(b, `"index":`...)
		b = strconv.AppendInt(b, int64(index), 10)
		b = append(b, `,"status":`...)
		b = strconv.AppendInt(b, int64(p.status()), 10)
		b = append(b, ',')
	}
	b = append(b, `"id":`...)
	if out, ok := ndjson.AppendString(b, p.id); ok {
		b = out
	} else {
		b = append(b, `""`...)
	}
	b = append(b, ',')
	b = g.appendCounts(b, &p.counts)
	switch {
	case len(p.nodes) == 1 && !p.here: // the verdict is the owner's
		b = g.appendNode(b, p.nodes[0])
	case len(p.nodes) > 0:
		b = g.appendNode(b, g.cfg.Node)
		b = append(b, `,"nodes":`...)
		b = g.appendNodes(b, p)
	default:
		b = g.appendNode(b, g.cfg.Node)
	}
	return append(b, '}')
}

func (g *Gateway) appendNode(b []byte, name string) []byte {
	b = append(b, `,"node":`...)
	b, _ = ndjson.AppendString(b, []byte(name))
	return b
}

// appendCounts writes the verdict's numbers. The reasons of drops stand there only when there are some.
func (g *Gateway) appendCounts(b []byte, c *counts) []byte {
	number := func(name string, n uint32) {
		b = append(b, name...)
		b = strconv.AppendUint(b, uint64(n), 10)
	}
	number(`"delivered":`, c.fate[record.Delivered])
	number(`,"pending":`, c.fate[record.Pending])
	number(`,"stored":`, 0)
	number(`,"dropped":`, c.dropped())
	number(`,"unknown":`, c.unknown)
	if c.dropped() > 0 {
		b = append(b, `,"reasons":{`...)
		for f := record.DroppedSlow; f <= record.DroppedForm; f++ {
			if c.fate[f] > 0 {
				b = append(b, '"')
				b = append(b, f.String()...)
				number(`":`, c.fate[f])
				b = append(b, ',')
			}
		}
		b[len(b)-1] = '}'
	}
	if c.busy > 0 {
		number(`,"refused":`, c.busy)
	}
	if c.closed > 0 {
		number(`,"closed":`, c.closed)
	}
	if c.unreached > 0 {
		number(`,"unreached":`, c.unreached)
	}
	if c.duplicate > 0 {
		number(`,"duplicate":`, c.duplicate)
	}
	return b
}

package gateway

import (
	"holdfast/codec/field"
	"holdfast/codec/key"
	"holdfast/codec/multipart"
	"holdfast/codec/ndjson"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/route"
	"holdfast/registry/peer"
)

// itemRoom is what an item's line or part may need beyond its message: escapes, names, keys.
const itemRoom = 64 << 10

// manyParts lifts the parser's bound on the parts of one body: a publisher's stream may live for days, and what it
// costs is bounded by the items that wait for a verdict.
const manyParts = 1 << 62

// longestItem is the longest line or element, bytes: every byte of the message may be escaped.
func longestItem(policy *route.Policy) int { return 2*policy.MaxPayload + itemRoom }

// beginLines starts a stream of JSON lines.
func (g *Gateway) beginLines(x exchange.Exchange, h *exchange.Head, policy *route.Policy) {
	t := g.newTask(x, taskLines, policy)
	t.sized = h.Length >= 0
	t.lines = ndjson.Splitter{MaxLine: longestItem(policy)}
	x.Patience(g.cfg.ItemTimeout)
}

// beginParts starts a stream of multipart parts.
func (g *Gateway) beginParts(x exchange.Exchange, h *exchange.Head, policy *route.Policy, contentType []byte) {
	boundary, err := multipart.Boundary(contentType)
	if err != nil {
		g.fail(x, 400, "multipart needs a boundary parameter of 1 to 70 bytes")
		return
	}
	t := g.newTask(x, taskParts, policy)
	t.sized = h.Length >= 0
	t.parts = new(multipart.Parser)
	t.parts.Start(boundary, multipart.Config{MaxParts: manyParts})
	x.Patience(g.cfg.ItemTimeout)
}

// joined is what was kept of the stream with b behind it.
func (t *task) joined(b []byte) []byte {
	if t.body == nil || len(t.body.B) == 0 {
		return b
	}
	t.body.Grow(len(b))
	t.body.B = append(t.body.B, b...)
	return t.body.B
}

// keep stores the rest of a stream that cannot be judged yet; rest may be the end of what joined returned.
func (t *task) keep(rest []byte) {
	if t.body == nil {
		if len(rest) == 0 {
			return
		}
		t.body = mem.Get(len(rest))
	}
	if len(rest) == 0 {
		t.body.Release()
		t.body = nil
		return
	}
	if n := copy(t.body.B[:cap(t.body.B)], rest); n == len(rest) {
		t.body.B = t.body.B[:n]
		return
	}
	t.body.B = t.body.B[:0]
	t.body.Grow(len(rest))
	t.body.B = append(t.body.B, rest...)
}

// full reports whether as many of the task's items wait for their verdict as may.
func (t *task) full() bool { return t.flying >= t.policy.MaxItemsFlying }

// takeLines dispatches whole lines until too many wait for their verdict; pump goes on with the rest.
func (g *Gateway) takeLines(x exchange.Exchange, t *task, b []byte) {
	b = t.joined(b)
	t.pumping = true
	for !t.full() {
		line, n, ok, err := t.lines.Next(b, false)
		if err != nil {
			g.cutStream(x, t, err)
			return
		}
		if ok {
			g.takeLine(x, t, line)
		}
		b = b[n:]
		if !ok {
			break
		}
	}
	t.pumping = false
	t.keep(b)
	g.pace(x, t, len(b) > 0)
}

// lastLine ends a stream of lines; the last one may do without a line break.
func (g *Gateway) lastLine(x exchange.Exchange, t *task) {
	if t.body != nil {
		t.pumping = true
		line, _, ok, err := t.lines.Next(t.body.B, true)
		if err != nil {
			g.sayError(x, t, t.items, err)
		} else if ok {
			g.takeLine(x, t, line)
		}
		t.pumping = false
		t.keep(nil)
	}
	g.settleStream(x, t)
}

// takeLine dispatches one JSON line. A bad one has a verdict of its own; the stream goes on.
func (g *Gateway) takeLine(x exchange.Exchange, t *task, line []byte) {
	it, err := decodeItem(line)
	g.takeItem(x, t, it, err)
}

// takeItem dispatches an item of a stream of lines or a batch.
func (g *Gateway) takeItem(x exchange.Exchange, t *task, it *item, err error) {
	index := t.items
	t.items++
	var p *mem.Payload
	t.keySet = t.emptied()
	if err == nil {
		err = t.addItemKeys(it)
	}
	if err == nil {
		p, err = it.payload(t.policy.MaxPayload)
	}
	if err != nil {
		g.sayError(x, t, index, err)
		return
	}
	g.pushItem(x, t, index, p)
	p.Release()
}

func (t *task) addItemKeys(it *item) error {
	names := it.Keys
	if it.Key != "" {
		names = append(names, it.Key)
	}
	if len(names) == 0 {
		return errNoKey
	}
	if len(names) > t.policy.MaxKeys {
		return key.ErrTooMany
	}
	return t.addAll(names)
}

// pushItem dispatches one message to the keys collected in the task.
func (g *Gateway) pushItem(x exchange.Exchange, t *task, index int, p *mem.Payload) {
	ref, ok := g.newOp(peer.Push, g.asker(t), index, g.now)
	if !ok {
		g.sayError(x, t, index, errBusy)
		return
	}
	t.flying++
	op := g.ops.all[ref.index]
	g.setID(op, p)
	op.homes = 1
	for i := range t.ends {
		g.dispatch(ref, t.key(i), p)
	}
	g.report(ref, &account{home: true})
	g.watch(ref)
}

// part is the multipart item being read.
type part struct {
	payload *mem.Payload
	err     error
	open    bool
}

func (p *part) release() {
	if p.payload != nil {
		p.payload.Release()
	}
	*p = part{}
}

// takeParts dispatches whole parts until too many wait for their verdict; pump goes on with the rest.
func (g *Gateway) takeParts(x exchange.Exchange, t *task, b []byte) {
	b = t.joined(b)
	t.pumping = true
	for !t.full() {
		ev, n, err := t.parts.Next(b)
		if err != nil {
			g.cutStream(x, t, err)
			return
		}
		g.takePart(x, t, &ev)
		b = b[n:]
		if ev.Kind == multipart.NeedMore {
			break
		}
	}
	t.pumping = false
	t.keep(b)
	g.pace(x, t, t.part.open || len(b) > 0)
}

func (g *Gateway) takePart(x exchange.Exchange, t *task, ev *multipart.Event) {
	switch ev.Kind {
	case multipart.PartBegin:
		t.part = part{payload: mem.NewPayload(0), open: true}
		t.keySet = t.emptied()
		t.part.err = t.describePart(ev.Fields)
	case multipart.Data:
		switch {
		case t.part.err != nil:
		case len(t.part.payload.Data)+len(ev.Data) > t.policy.MaxPayload:
			t.part.err = errPayload
		default:
			t.part.payload.Append(ev.Data)
		}
	case multipart.PartEnd:
		index := t.items
		t.items++
		if t.part.err != nil {
			g.sayError(x, t, index, t.part.err)
		} else {
			g.pushItem(x, t, index, t.part.payload)
		}
		t.part.release()
	case multipart.NeedMore, multipart.End:
	}
}

// describePart reads a part's keys and names. In multipart/form-data the field's name is the key, unless Push-Key says
// otherwise.
func (t *task) describePart(fields []field.Field) error {
	list, ok := field.Get(fields, "push-key")
	if !ok {
		disposition, _ := field.Get(fields, "content-disposition")
		if list, ok = multipart.DispositionName(disposition); !ok {
			return errNoKey
		}
	}
	if _, err := t.addList(key.NewList(list, t.policy.MaxKeys)); err != nil {
		return err
	}
	return describe(t.part.payload, fields)
}

// lastPart ends a stream of parts.
func (g *Gateway) lastPart(x exchange.Exchange, t *task) {
	if err := t.parts.Finish(); err != nil {
		g.sayError(x, t, t.items, err)
		t.part.release()
	}
	g.settleStream(x, t)
}

// pace holds back a publisher that is far ahead of its verdicts, and says how long its next bytes may take: between
// items as long as an idle connection may live, inside one not long, and neither before the first nor in a body of known
// length, which has no reason to wait.
func (g *Gateway) pace(x exchange.Exchange, t *task, inside bool) {
	patience := g.cfg.ItemTimeout
	if t.items > 0 && !inside && !t.sized {
		patience = g.cfg.StreamIdle
	}
	x.Patience(patience)
	switch full := t.full(); {
	case full && !t.paused:
		t.paused = true
		x.Pause()
	case !full && t.paused:
		t.paused = false
		if t.ended {
			g.completeBody(x, g.index(t))
			return
		}
		x.Resume()
	}
	g.settleStream(x, t)
}

// pump goes on with a batch or stream when verdicts have come in.
func (g *Gateway) pump(x exchange.Exchange, t *task) {
	g.goOnReading(x, t)
	g.weigh(x, t)
}

func (g *Gateway) goOnReading(x exchange.Exchange, t *task) {
	switch {
	case t.kind == taskBatch:
		g.moreOfBatch(x, t)
	case t.cut, !t.paused, t.flying > t.policy.MaxItemsFlying/2:
	case t.kind == taskLines:
		g.takeLines(x, t, nil)
		return
	case t.kind == taskParts:
		g.takeParts(x, t, nil)
		return
	}
	g.settleStream(x, t)
}

// cutStream reads no more of a stream whose items can no longer be told apart, says so, and ends it when those that were
// dispatched have their verdicts.
func (g *Gateway) cutStream(x exchange.Exchange, t *task, err error) {
	t.pumping = false
	t.cut, t.done = true, true
	t.part.release()
	t.keep(nil)
	g.sayCollapsed(x, t)
	g.sayFailure(x, t, t.items, err)
	x.Pause()
	g.settleStream(x, t)
}

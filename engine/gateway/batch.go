package gateway

import (
	"bytes"

	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/route"
)

const (
	maxBatchItems = 64 << 10 // elements of one batch, 413 beyond: an item costs some 300 bytes, however few it has
	turnItems     = 64       // elements that all batches of a loop dispatch between two of its Works, under 1 ms
	turnBytes     = 64 << 10 // and how much of them is looked at, some 0.2 ms: neighbours wait no longer
)

// batch is a JSON array of items. Its outline is followed while it comes, and once more to cut it when it is whole.
type batch struct {
	seen outline
	cut  outline
	from int // where in the body the element to be cut next begins
	read int // how far the search for its end has come
}

// turn is what batches have left to spend until the loop's next Work.
type turn struct{ items, bytes int }

func (u *turn) spent() bool { return u.items >= turnItems || u.bytes >= turnBytes }

// left is how many elements have not been dispatched.
func (b *batch) left() int { return b.seen.elements - b.cut.elements }

// follow looks at the next piece of an array. It refuses what can be none, and too many elements.
func (b *batch) follow(piece []byte) error {
	for len(piece) > 0 {
		n, e := b.seen.next(piece)
		if e == edgeBad {
			return errArray
		}
		if b.seen.elements > maxBatchItems {
			return errBatch
		}
		piece = piece[n:]
	}
	return nil
}

// next cuts the next element from a body that was followed to its end. A long one's end may not be found in one turn.
func (b *batch) next(body []byte, u *turn) (element []byte, ok bool) {
	n, e := b.cut.next(body[b.read:min(len(body), b.read+turnBytes-u.bytes)])
	b.read += n
	u.bytes += n
	if e != edgeElement {
		return nil, false
	}
	u.items++
	element = body[b.from : b.read-1]
	b.from = b.read
	return element, true
}

// outline finds the ends of a JSON array's elements, cut into pieces at whatever byte. It knows only quotes, brackets
// and commas: what an element holds is for its decoder to judge. All of a piece costs a nanosecond per byte.
type outline struct {
	elements int // whose end was found
	depth    int
	quoted   bool
	escaped  bool // the byte before was a string's backslash
	filled   bool // something stands behind the array's bracket
	over     bool // the array is whole
}

// edge is what stopped an outline.
type edge uint8

const (
	edgeNone    edge = iota // the end of the piece
	edgeElement             // the comma or bracket behind an element, which was read
	edgeBad                 // this is no array
)

// next goes on to the next edge in b and returns how many bytes it read.
func (o *outline) next(b []byte) (int, edge) {
	for i, c := range b {
		if o.quoted {
			switch {
			case o.escaped:
				o.escaped = false
			case c == '\\':
				o.escaped = true
			case c == '"':
				o.quoted = false
			}
			continue
		}
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			continue
		case o.over || o.depth == 0 && c != '[', o.depth == 1 && c == '}':
			return i, edgeBad
		case o.depth == 1 && (c == ',' || c == ']' && (o.filled || o.elements > 0)):
			o.over = c == ']'
			o.elements++
			return i + 1, edgeElement
		case o.depth == 1 && c == ']':
			o.over = true
			continue
		case c == '[' || c == '{':
			o.depth++
		case c == ']' || c == '}':
			o.depth--
		case c == '"':
			o.quoted = true
		}
		o.filled = o.depth > 1 || c != '['
	}
	return len(b), edgeNone
}

// beginBatch starts a JSON batch: it is read whole, then dispatched in turns.
func (g *Gateway) beginBatch(x exchange.Exchange, h *exchange.Head, policy *route.Policy) {
	if h.Length > int64(g.cfg.MaxBatch) {
		g.refuse(x, errBatch)
		return
	}
	t := g.newTask(x, taskBatch, policy)
	t.body = mem.Get(headStart(h))
	g.weigh(x, t)
}

// takeBatch keeps the next piece of a batch.
func (g *Gateway) takeBatch(x exchange.Exchange, t *task, b []byte) {
	if len(t.body.B)+len(b) > g.cfg.MaxBatch {
		g.refuse(x, errBatch)
		return
	}
	if err := t.batch.follow(b); err != nil {
		g.refuse(x, err)
		return
	}
	t.body.Grow(len(b))
	t.body.B = append(t.body.B, b...)
}

func (g *Gateway) startBatch(x exchange.Exchange, t *task) {
	if !t.batch.seen.over {
		g.refuse(x, errArray)
		return
	}
	t.batch.from = bytes.IndexByte(t.body.B, '[') + 1
	g.moreOfBatch(x, t)
	g.settleStream(x, t)
}

// moreOfBatch dispatches items while few enough wait for their verdict and the loop's batches have not had their turn.
// It goes on when the verdicts are sent: neither a long batch nor a publisher that does not read them costs more than a
// turn's worth at a time. Batches that come at once are served in the order in which they came.
func (g *Gateway) moreOfBatch(x exchange.Exchange, t *task) {
	u := &g.tasks.turn
	t.pumping = true
	for t.batch.left() > 0 && !t.full() && !t.resting {
		if u.spent() || g.space.Queued(t.slot) > g.cfg.VerdictBacklog {
			t.resting = true
			x.WantDrained()
			break
		}
		if element, ok := t.batch.next(t.body.B, u); ok {
			it, err := t.decodeElement(element)
			g.takeItem(x, t, it, err)
		}
	}
	t.pumping = false
}

// decodeElement reads one item of a batch, if it is no longer than a line of a stream may be.
func (t *task) decodeElement(element []byte) (*item, error) {
	if len(element) > longestItem(t.policy) {
		return nil, errPayload
	}
	return decodeItem(element)
}

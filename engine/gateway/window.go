package gateway

import (
	"hash/maphash"
	"sync"
	"time"
)

// mark stands for a key and a push id: 128 bits of a hash that nobody outside can aim at.
type mark [2]uint64

// sighting is what the window says of a mark.
type sighting uint8

const (
	unseen  sighting = iota // now noted
	running                 // its first push has no verdict, or one that left something unknown
	taken                   // somebody has the first one's message, or will have it
)

// window remembers the push ids of a while, so that a publisher that asks again, because it has not heard the verdict,
// does not make a message arrive twice. All loops share it: a retry may come in on any of them. A push without an id
// never looks at it.
type window struct {
	seeds [2]maphash.Seed
	parts [16]windowPart
	span  int64 // ns
	most  int   // marks in each part
}

// windowPart is one lock's share, held for a few map operations.
type windowPart struct {
	mu    sync.Mutex
	seen  map[mark]noted
	order []dated // oldest first, from first on
	first int
}

type noted struct {
	born  int64
	taken bool
}

type dated struct {
	mark mark
	born int64
}

// init sets the bounds; below 0 the span turns the window off. Before any loop runs.
func (w *window) init(span time.Duration, most int) {
	w.span = int64(span)
	w.most = max(most/len(w.parts), 1)
	for i := range w.seeds {
		w.seeds[i] = maphash.MakeSeed()
	}
	for i := range w.parts {
		w.parts[i].seen = make(map[mark]noted)
	}
}

func (w *window) mark(key, id []byte) (m mark) {
	for i := range m {
		var h maphash.Hash
		h.SetSeed(w.seeds[i])
		h.Write(key)
		h.WriteByte(0xff) // no key ends where an id begins
		h.WriteByte(byte(len(id)))
		h.Write(id)
		m[i] = h.Sum64()
	}
	return m
}

// begin says what is known of a mark at this time, and notes it when that is nothing.
func (w *window) begin(m mark, now int64) sighting {
	p := &w.parts[m[0]%uint64(len(w.parts))]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(now-w.span, w.most)
	switch n, ok := p.seen[m]; {
	case !ok:
	case n.taken:
		return taken
	default:
		return running
	}
	p.seen[m] = noted{born: now}
	p.order = append(p.order, dated{m, now})
	return unseen
}

// settle says how the push that noted a mark ended: one that nobody took may be tried again.
func (w *window) settle(m mark, took bool) {
	p := &w.parts[m[0]%uint64(len(w.parts))]
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.seen[m]
	switch {
	case !ok: // forgotten meanwhile
	case took:
		n.taken = true
		p.seen[m] = n
	default:
		delete(p.seen, m)
	}
}

// forget drops what is older than the given time, and makes room for one more. Marks that were settled without having
// been taken leave their dates behind, which are bounded too.
func (p *windowPart) forget(before int64, most int) {
	for p.first < len(p.order) && (p.order[p.first].born < before || len(p.seen) >= most || len(p.order)-p.first >= 4*most) {
		old := p.order[p.first]
		if n, ok := p.seen[old.mark]; ok && n.born == old.born { // else noted anew since
			delete(p.seen, old.mark)
		}
		p.first++
	}
	if p.first > 1024 && p.first*2 > len(p.order) {
		p.order = append(p.order[:0], p.order[p.first:]...)
		p.first = 0
	}
}

// repeated reports whether a push to a key is a publisher's retry, and says so to the push's op; else it notes the push.
func (g *Gateway) repeated(ref Ref, p *op, key, id []byte) bool {
	if len(id) == 0 || g.shared.window.span < 0 || p.asker.foreign && !p.asker.once {
		return false
	}
	m := g.shared.window.mark(key, id)
	switch g.shared.window.begin(m, g.now) {
	case taken:
		g.Stats.Duplicates++
		g.report(ref, &account{home: true, counts: counts{duplicate: 1}})
		return true
	case running:
		g.Stats.Duplicates++
		g.report(ref, &account{home: true, counts: counts{unknown: 1}})
		return true
	case unseen:
		p.marks = append(p.marks, m)
	}
	return false
}

// settleMarks closes what a push noted in the window. With something unknown, its marks stay as they are: it may have
// been taken.
func (g *Gateway) settleMarks(p *op) {
	for _, m := range p.marks {
		if p.taken() || p.unknown == 0 {
			g.shared.window.settle(m, p.taken())
		}
	}
}

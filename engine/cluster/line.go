package cluster

import (
	"sync"

	"holdfast/registry/directory"
)

const (
	lineParts = 64   // spread the locks of lines
	mostLined = 4096 // pushes to one key that wait for the directory; beyond, they are refused (503)
	sentOn    = 32   // of them that are sent on under one hold of the lock: loops wait for it
)

// lines are the pushes that wait for the directory, by key: those to one key are sent on in the order in which they came.
type lines struct {
	mu    sync.Mutex // held by loops: for a few sends at most
	byKey map[directory.Hash]*line
}

// line is of one key. It exists while its answer is awaited or given out: who comes meanwhile goes behind.
type line struct {
	waiting []*inquiry
}

func (c *Cluster) linesOf(h directory.Hash) *lines { return &c.lines[h[0]%lineParts] }

// wait puts a push at the end of its key's line, of which the first asks the directory for all. Under l.mu.
func (c *Cluster) wait(l *lines, at *line, q *inquiry) {
	switch {
	case at == nil:
		l.byKey[q.hash] = &line{waiting: []*inquiry{q}}
		c.askFor(l, q)
	case len(at.waiting) >= mostLined:
		q.refuse()
	default:
		at.waiting = append(at.waiting, q)
	}
}

// askFor asks for the owners of a line's key. Under l.mu.
func (c *Cluster) askFor(l *lines, first *inquiry) {
	h := first.hash
	if c.dir.Ask(h, false, first.lookupBy(), func(a directory.Answer) { c.answerLine(h, a) }) {
		return
	}
	refused := l.byKey[h].waiting
	delete(l.byKey, h)
	for _, q := range refused {
		q.refuse()
	}
}

// answerLine sends on all that waited for a key's owners, in order. Who came while it did asks anew.
func (c *Cluster) answerLine(h directory.Hash, a directory.Answer) {
	l := c.linesOf(h)
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.byKey[h]
	for left := len(at.waiting); left > 0; {
		now := at.waiting[:min(left, sentOn)]
		at.waiting = at.waiting[len(now):]
		left -= len(now)
		p := c.picture.Load()
		for _, q := range now {
			if a.Err != nil {
				q.beginBlind(p)
			} else {
				q.begin(p, a.Owners)
			}
		}
		l.mu.Unlock() // loops have their turn
		l.mu.Lock()
	}
	if len(at.waiting) == 0 {
		delete(l.byKey, h)
		return
	}
	at.waiting = append([]*inquiry(nil), at.waiting...) // what is sent is not kept
	c.askFor(l, at.waiting[0])
}

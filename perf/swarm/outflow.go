package swarm

import (
	"holdfast/codec/h2"
)

// goOn sends what waits for a window.
func (w *worker) goOn(l *link) {
	if !l.blocked {
		return
	}
	l.blocked = false
	for i := range l.open {
		w.goOnWith(l, &l.open[i])
	}
}

// goOnWith sends as much of a push's message as the windows allow.
func (w *worker) goOnWith(l *link, s *stream) {
	p := &w.publishers[s.who]
	for left := w.cfg.Size - p.sent; left > 0; left = w.cfg.Size - p.sent {
		n := int(min(int64(left), l.window, int64(s.window), int64(l.peer.Frame)))
		if n <= 0 {
			l.blocked = true
			return
		}
		b := h2.AppendDataHeader(w.loop.Compose(), s.id, n, n == left)
		w.loop.Write(l.slot, w.appendMessage(b, p, n))
		p.sent += n
		l.window -= int64(n)
		s.window -= int32(n)
	}
}

// appendMessage appends the next n bytes of a push's message: its stamp, and then padding.
func (w *worker) appendMessage(b []byte, p *publisher, n int) []byte {
	from := p.sent
	if from < MinSize {
		head := p.stamp[from:min(MinSize, from+n)]
		b = append(b, head...)
		n, from = n-len(head), MinSize
	}
	return append(b, w.words.padding[from-MinSize:][:n]...)
}

// pushed goes on after a verdict.
func (w *worker) pushed(l *link, s *stream) {
	p := &w.publishers[s.who]
	if p.sent < w.cfg.Size { // the server has answered early: the rest is of no use
		w.loop.Write(l.slot, h2.AppendReset(w.loop.Compose(), s.id, h2.Cancel))
	}
	i := s.who
	l.remove(s.id)
	w.judge(p)
	t := w.loads[p.load]
	t.idle = append(t.idle, i)
}

// unheard goes on after a push whose verdict will never come.
func (w *worker) unheard(i uint32) {
	p := &w.publishers[i]
	p.busy = false
	t := w.loads[p.load]
	t.ledger.lapse(p.number, w.kernel.Now())
	t.idle = append(t.idle, i)
}

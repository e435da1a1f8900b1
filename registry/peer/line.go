package peer

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// line is one connection after its handshake, dialled or accepted: a goroutine that reads it and one that writes it.
// Whoever has something to say adds it to the batch that waits; the writer takes all of it at once and writes it with
// as few system calls as it takes, so many requests of one moment share one.
type line struct {
	// Set before the goroutines start.
	mesh  *Mesh
	conn  io.ReadWriter // the socket, or TLS over it
	raw   net.Conn      // the socket: closing TLS politely may block
	them  hello
	plain bool // without TLS the count of written bytes is exact
	birth time.Duration
	frame func(kind byte, body []byte) error // what the owner makes of a frame that is not the line's own business

	heard    atomic.Bool // something was read since the clock looked
	sent     atomic.Uint64
	received atomic.Uint64
	trip     atomic.Int64 // the last ping's way there and back, ns

	wake    chan struct{}
	written chan struct{} // closed when the writer has ended

	// Owned by the clock.
	silent, pinged time.Duration

	mu     sync.Mutex
	next   batch
	spare  batch // the writer's, while it is idle
	queued int   // bytes of next and of what is being written
	asleep bool  // the writer waits for a wake
	why    error // set once: the line has ended
	flight flight
}

func newLine(m *Mesh, conn io.ReadWriter, raw net.Conn, them hello) *line {
	now := m.now()
	return &line{
		mesh: m, conn: conn, raw: raw, them: them, plain: conn == io.ReadWriter(raw),
		birth: now, silent: now, pinged: now,
		wake: make(chan struct{}, 1), written: make(chan struct{}),
	}
}

// run works the line until it ends and says why. Requests without a report are for the caller to end.
func (l *line) run() error {
	go l.write()
	l.end(l.read())
	<-l.written
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}

// end ends the line, for the first reason given.
func (l *line) end(why error) {
	l.mu.Lock()
	first := l.why == nil
	if first {
		l.why = why
	}
	l.mu.Unlock()
	if first {
		_ = l.raw.Close()
		l.rouse()
	}
}

// rouse wakes the writer.
func (l *line) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// say adds a frame that add appends, unless the line has ended.
func (l *line) say(add func(b []byte) []byte) {
	l.mu.Lock()
	if l.why == nil {
		l.append(add)
	}
	l.unlockAndWake()
}

// append adds to the batch under the lock.
func (l *line) append(add func(b []byte) []byte) {
	before := len(l.next.bytes)
	l.next.bytes = add(l.next.bytes)
	l.grew(len(l.next.bytes) - before)
}

func (l *line) grew(n int) {
	l.next.size += n
	l.queued += n
}

func (l *line) unlockAndWake() {
	asleep := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if asleep {
		l.rouse()
	}
}

// ask adds a request. Nothing of it is kept when that fails.
func (l *line) ask(r *Request, done func(Report, error), now time.Duration) error {
	cfg := &l.mesh.cfg
	size := requestSize(r)
	if size > cfg.MaxFrame {
		return ErrLarge
	}
	l.mu.Lock()
	if l.why != nil {
		l.mu.Unlock()
		return ErrDown
	}
	if l.flight.live >= cfg.MaxFlight || l.queued > 0 && l.queued+size > cfg.MaxQueued {
		l.mu.Unlock()
		return ErrBusy
	}
	id := l.flight.add(done, now+r.Within)
	b := &l.next
	m := mark{id: id, start: len(b.bytes)}
	b.bytes = appendRequest(b.bytes, id, r)
	grew := 0
	if p := r.Payload; p != nil {
		if len(p.Data) > directOver {
			p.Retain()
			m.payload, grew = p, len(p.Data)
		} else {
			b.bytes = append(b.bytes, p.Data...)
		}
	}
	m.end = len(b.bytes)
	b.marks = append(b.marks, m)
	l.grew(grew + m.end - m.start)
	l.unlockAndWake()
	return nil
}

// answered ends a request with its report; a report for nobody is ignored.
func (l *line) answered(id uint64, r Report) {
	l.mu.Lock()
	done := l.flight.take(id)
	l.mu.Unlock()
	if done != nil {
		done(r, nil)
	}
}

// drop ends all requests of a line that has ended.
func (l *line) drop() {
	l.mu.Lock()
	all := l.flight.all()
	l.mu.Unlock()
	tell(all)
}

func tell(all []ended) {
	for _, e := range all {
		e.done(Report{}, e.err)
	}
}

func (l *line) read() error {
	r := newReader(l.conn, l.mesh.cfg.MaxFrame, &l.heard, &l.received)
	defer r.close()
	for {
		kind, body, err := r.next()
		if err != nil {
			return err
		}
		if err := l.take(kind, body); err != nil {
			return err
		}
	}
}

// take handles a frame of either end, or hands it to the owner.
func (l *line) take(kind byte, body []byte) error {
	switch kind {
	case framePing:
		token, err := parsePing(body)
		if err != nil {
			return err
		}
		return l.sayBounded(func(b []byte) []byte { return appendPing(b, framePong, token) })
	case framePong:
		token, err := parsePing(body)
		if err != nil {
			return err
		}
		if trip := l.mesh.now() - time.Duration(token); trip > 0 && trip < l.mesh.cfg.Dead {
			l.trip.Store(int64(trip))
		}
		return nil
	case frameStatus:
		s, turn, err := parseStatus(body)
		if err != nil {
			return err
		}
		l.mesh.told(l.them.Instance, s, turn)
		return nil
	}
	if handled, err := l.mine(kind, body); handled || err != nil {
		return err
	}
	if kind&skippable != 0 {
		return nil
	}
	return faulty(UnknownFrame, "a frame that this release does not know: bring this cluster's nodes within one release")
}

// mine offers a frame to the owner.
func (l *line) mine(kind byte, body []byte) (handled bool, err error) {
	if kind != frameRequest && kind != frameReport || l.frame == nil {
		return false, nil
	}
	return true, l.frame(kind, body)
}

// sayBounded answers what the other end asked; one that asks and never reads must not fill our memory.
func (l *line) sayBounded(add func(b []byte) []byte) error {
	l.mu.Lock()
	if l.queued > l.mesh.cfg.MaxQueued {
		l.mu.Unlock()
		return faulty(Unread, "the other end asks and does not read the answers")
	}
	l.append(add)
	l.unlockAndWake()
	return nil
}

// write writes what waits until the line ends.
func (l *line) write() {
	defer close(l.written)
	w := newWriter(l.conn)
	defer w.close()
	for {
		b, ok := l.waitBatch()
		if !ok {
			l.discard()
			return
		}
		n, err := w.send(&b)
		l.sent.Add(uint64(n))
		l.wrote(&b, n, err)
		if err != nil {
			l.end(err)
		}
	}
}

// waitBatch takes all that waits, and notes which requests are on their way from now on.
func (l *line) waitBatch() (b batch, ok bool) {
	l.mu.Lock()
	for l.next.size == 0 && l.why == nil {
		l.asleep = true
		l.mu.Unlock()
		<-l.wake
		l.mu.Lock()
	}
	defer l.mu.Unlock()
	if l.why != nil {
		return b, false
	}
	b, l.next, l.spare = l.next, l.spare, batch{}
	for i := range b.marks {
		m := &b.marks[i]
		if s := l.flight.get(m.id); s != nil {
			s.sent = true
		} else {
			m.drop = true // nobody waits for it any more
		}
	}
	return b, true
}

// wrote gives a batch back. After an error the requests of which no byte left are known to be unsent. TLS may have
// handed on more than it counted.
func (l *line) wrote(b *batch, n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && l.plain {
		l.unsend(b, n)
	}
	l.queued -= b.size
	b.clear()
	l.spare = *b
}

// unsend finds the requests behind the first n bytes that were written.
func (l *line) unsend(b *batch, n int) {
	shift := 0 // of positions in bytes against those on the wire
	for _, m := range b.marks {
		if m.drop {
			shift -= m.end - m.start
			continue
		}
		if m.start+shift >= n {
			if s := l.flight.get(m.id); s != nil {
				s.sent = false
			}
		}
		if m.payload != nil {
			shift += len(m.payload.Data)
		}
	}
}

// discard gives back what was never written.
func (l *line) discard() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queued -= l.next.size
	l.next.clear()
}

// tick is the clock's: it ends what is overdue, asks a silent line whether it is there, and ends one that does not
// answer. slept is time in which this process itself did not run: silence then says nothing of the other end.
func (l *line) tick(now, slept time.Duration, out []ended) []ended {
	cfg := &l.mesh.cfg
	l.silent += slept
	if l.heard.Load() {
		l.heard.Store(false)
		l.silent = now
	}
	switch quiet := now - l.silent; {
	case quiet >= cfg.Dead:
		l.end(faulty(Silent, "nothing was heard for too long"))
	case quiet >= cfg.Ping && now-l.pinged >= cfg.Ping:
		l.pinged = now
		l.say(func(b []byte) []byte { return appendPing(b, framePing, uint64(now)) })
	}
	l.mu.Lock()
	out = l.flight.expire(now, out)
	l.mu.Unlock()
	return out
}

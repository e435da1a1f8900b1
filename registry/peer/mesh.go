package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Node is one instance of a node, as the others reach it.
type Node struct {
	Instance uint64 // never 0
	Name     string // at most 256 bytes
	Address  string // HOST:PORT, at most 256 bytes
}

// Status is what a node tells its peers about its claims.
type Status struct {
	Complete string // the incarnation of the store in which all its claims stand
	Behind   bool   // its claims are not all in the store: ask it about every key
}

// State is what is known of the way to a node.
type State uint8

// The states of a link.
const (
	Down    State = iota // no connection: not tried yet, cut, or silent; the node may live
	Up                   // requests can be sent
	Refused              // that instance has ended: its host says that nobody listens there, or another one does
)

// String is the state's name in tables and metrics.
func (s State) String() string {
	switch s {
	case Down:
		return "down"
	case Up:
		return "up"
	case Refused:
		return "refused"
	}
	return "unknown"
}

// Handler is the node behind the mesh.
type Handler interface {
	// Serve begins a request from a peer. The request, its key and its payload are good until it returns; Retain the
	// payload to keep it. It must not block, and is answered by exactly one [Mesh.Reply], from any goroutine. Requests
	// of one peer begin in the order in which it sent them.
	Serve(from uint64, id Origin, r *Request)
	// LinkChanged: the state of the link to a node changed, or a node told another status; [Mesh.Peer] has it. It must
	// not block, and is called by several goroutines.
	LinkChanged(instance uint64)
}

// Mesh is a node's end of all links. Its methods may be called from any goroutine, and from Handler and done functions
// too, save Close.
type Mesh struct {
	cfg      Config
	key      []byte
	listener net.Listener
	start    time.Time
	ctx      context.Context
	stop     context.CancelFunc
	work     sync.WaitGroup // every goroutine
	half     halfOpen
	faults   faultCounts
	closing  atomic.Bool

	// Replaced, never changed, under mu; read by any goroutine.
	links  atomic.Pointer[map[uint64]*link]
	guests atomic.Pointer[[]*guest] // nil: a free place
	lines  atomic.Pointer[[]*line]

	mu     sync.Mutex
	gen    uint32
	status Status
	turn   uint64
}

// Open listens and starts. Links begin with Keep.
func Open(cfg Config) (*Mesh, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	m := &Mesh{cfg: cfg, key: deriveKey(cfg.Secret), start: time.Now()}
	m.links.Store(&map[uint64]*link{})
	m.guests.Store(&[]*guest{})
	m.lines.Store(&[]*line{})
	m.ctx, m.stop = context.WithCancel(context.Background())
	var err error
	if m.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		m.stop()
		return nil, fmt.Errorf("cannot listen for peers on %s: choose a free --peer-listen address of this host: %w", cfg.Listen, err)
	}
	m.work.Add(1)
	go m.accept()
	m.work.Go(m.clock)
	return m, nil
}

// now is the time since the mesh was opened.
func (m *Mesh) now() time.Duration { return time.Since(m.start) }

// Addr is the address on which peers are awaited.
func (m *Mesh) Addr() net.Addr { return m.listener.Addr() }

// introduction is this node's side of a handshake that begins now.
func (m *Mesh) introduction() *introduction {
	in := &introduction{key: m.key, self: hello{oldest: oldest, newest: newest, Node: m.cfg.Self, release: m.cfg.Release}}
	in.newNonce()
	return in
}

// Keep keeps a link to each of these nodes and ends all others. It costs little when nothing changes.
func (m *Mesh) Keep(nodes []Node) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing.Load() {
		return
	}
	old := *m.links.Load()
	next := make(map[uint64]*link, len(nodes))
	same := true
	for _, n := range nodes {
		if n.Instance == m.cfg.Self.Instance || n.Instance == 0 || next[n.Instance] != nil {
			continue
		}
		k := old[n.Instance]
		if k == nil || k.node != n {
			same = false
			k = newLink(m, n)
			m.inherit(k)
			m.work.Add(1)
			go k.run()
		}
		next[n.Instance] = k
	}
	if same && len(next) == len(old) {
		return
	}
	m.links.Store(&next)
	for id, k := range old {
		if next[id] != k {
			k.stop()
		}
	}
}

// inherit gives a new link what its node told before.
func (m *Mesh) inherit(k *link) {
	for _, g := range *m.guests.Load() {
		if g != nil && g.them.Instance == k.node.Instance {
			t := g.status.Load()
			k.hear(t.Status, t.turn)
		}
	}
}

// Ask sends a request to a node and never blocks. When it returns nil, done is called exactly once, on a goroutine of
// the mesh, which it must not block: with the report, ErrUnsent or ErrUnknown. ErrDown, ErrBusy and ErrLarge mean that
// nothing was sent and done is not called. The request's key and payload are the caller's again when Ask returns.
func (m *Mesh) Ask(to uint64, r *Request, done func(Report, error)) error {
	k := (*m.links.Load())[to]
	if k == nil {
		return ErrDown
	}
	l := k.line.Load()
	if l == nil || m.closing.Load() {
		return ErrDown
	}
	return l.ask(r, done, m.now())
}

// Reply answers a request that Serve was given. It never blocks; when the asker has gone, nothing happens.
func (m *Mesh) Reply(o Origin, r *Report) {
	guests := *m.guests.Load()
	if int(o.Link) >= len(guests) {
		return
	}
	if g := guests[o.Link]; g != nil && g.gen == o.Gen {
		g.reply(o.ID, r)
	}
}

// Announce tells a status to every peer, now and on each new link.
func (m *Mesh) Announce(s Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.status == s && m.turn > 0 {
		return
	}
	m.status = s
	m.turn++
	for _, l := range *m.lines.Load() {
		m.tell(l)
	}
}

func (m *Mesh) tell(l *line) {
	l.say(func(b []byte) []byte { return appendStatus(b, m.status, m.turn) })
}

// Peer is the link to a node and its status as last told; false when there is none to be kept.
func (m *Mesh) Peer(instance uint64) (State, Status, bool) {
	k := (*m.links.Load())[instance]
	if k == nil {
		return Down, Status{}, false
	}
	return State(k.state.Load()), k.status.Load().Status, true
}

// told takes in what a node told about itself, on either connection.
func (m *Mesh) told(instance uint64, s Status, turn uint64) {
	for _, g := range *m.guests.Load() {
		if g != nil && g.them.Instance == instance {
			g.status.Store(&told{s, turn})
		}
	}
	if k := (*m.links.Load())[instance]; k != nil && k.hear(s, turn) {
		m.cfg.Handler.LinkChanged(instance)
	}
}

// join makes a line known to the clock and to Announce; its first frame is the status.
func (m *Mesh) join(l *line) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		l.end(faulty(Ended, "this node ended the link"))
		return
	}
	m.tell(l)
	old := *m.lines.Load()
	next := append(old[:len(old):len(old)], l)
	m.lines.Store(&next)
}

// leave forgets a line.
func (m *Mesh) leave(l *line) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := *m.lines.Load()
	next := make([]*line, 0, len(old))
	for _, o := range old {
		if o != l {
			next = append(next, o)
		}
	}
	m.lines.Store(&next)
}

// seat gives a guest its place. An older connection of the same instance goes: a node dials anew only when it has given
// up the other. The guest shows that its node is there, so the link the other way need not wait any longer.
func (m *Mesh) seat(g *guest) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return false
	}
	m.gen++
	g.gen = m.gen
	next := append([]*guest(nil), *m.guests.Load()...)
	free := -1
	for i, o := range next {
		switch {
		case o == nil:
			free = i
		case o.them.Instance == g.them.Instance:
			o.end(faulty(Superseded, "its node has dialled anew"))
		}
	}
	if free < 0 {
		free = len(next)
		next = append(next, nil)
	}
	g.at = uint32(free)
	next[free] = g
	m.guests.Store(&next)
	if k := (*m.links.Load())[g.them.Instance]; k != nil {
		select {
		case k.poke <- struct{}{}:
		default:
		}
	}
	return true
}

func (m *Mesh) unseat(g *guest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := append([]*guest(nil), *m.guests.Load()...)
	next[g.at] = nil
	m.guests.Store(&next)
}

// clock looks at every line each tick, until the mesh ends.
func (m *Mesh) clock() {
	ticker := time.NewTicker(wheelTick)
	defer ticker.Stop()
	last := m.now()
	var out []ended
	for {
		select {
		case <-ticker.C:
		case <-m.ctx.Done():
			return
		}
		now := m.now()
		slept := now - last
		last = now
		if slept < m.cfg.Dead/2 {
			slept = 0 // no more than a busy machine
		}
		for _, l := range *m.lines.Load() {
			out = l.tick(now, slept, out)
		}
		tell(out)
		clear(out)
		out = out[:0]
	}
}

// Close ends the mesh. Requests in flight may finish until the context ends; then each is told ErrUnsent or
// ErrUnknown. It returns when every goroutine of the mesh has ended.
func (m *Mesh) Close(ctx context.Context) {
	m.mu.Lock()
	m.closing.Store(true)
	m.mu.Unlock()
	waitFor(ctx, m.quiet)
	_ = m.listener.Close()
	if ctx.Err() == nil {
		m.part(ctx)
	}
	m.mu.Lock()
	m.stop()
	m.half.close()
	for _, l := range *m.lines.Load() {
		l.end(faulty(Ended, "this node ended the link"))
	}
	m.mu.Unlock()
	m.work.Wait()
}

// partTime is how long peers have to read the last reports and to end their side.
const partTime = 200 * time.Millisecond

// part says that nothing more will come, and leaves the end to the peers: a connection that is closed while something
// lies unread in it is reset, and takes along the reports that are on their way.
func (m *Mesh) part(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	for _, l := range *m.lines.Load() {
		if c, ok := l.raw.(*net.TCPConn); ok {
			_ = c.CloseWrite()
		}
	}
	waitFor(ctx, func() bool { return len(*m.lines.Load()) == 0 })
}

// waitFor looks now and then, until it is so or the context ends.
func waitFor(ctx context.Context, so func() bool) {
	for ctx.Err() == nil && !so() {
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// quiet says that nothing is in flight either way.
func (m *Mesh) quiet() bool {
	for _, g := range *m.guests.Load() {
		if g != nil && g.served.Load() > 0 {
			return false
		}
	}
	for _, l := range *m.lines.Load() {
		l.mu.Lock()
		busy := l.flight.live > 0 || l.queued > 0
		l.mu.Unlock()
		if busy {
			return false
		}
	}
	return true
}

var errConfig = errors.New("peer links cannot be set up")

// shake does a TLS handshake and gives what only its two ends know of the connection.
func shake(c *tls.Conn) ([]byte, error) {
	if err := c.Handshake(); err != nil {
		if e := slowOrCut(err); faultOf(e) == Slow {
			return nil, e
		}
		return nil, faulty(BadCertificate, err.Error())
	}
	state := c.ConnectionState()
	return state.ExportKeyingMaterial("EXPORTER-holdfast-peer", nil, 32)
}

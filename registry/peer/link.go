package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// link keeps a dialled connection to one instance, for as long as the mesh is told to.
type link struct {
	mesh *Mesh
	node Node
	ctx  context.Context
	stop context.CancelFunc
	poke chan struct{} // dial now: it has shown that it is there

	line   atomic.Pointer[line] // nil: no connection now
	state  atomic.Uint32
	status atomic.Pointer[told]

	mu         sync.Mutex
	since      time.Time // of the state
	reconnects uint64
	up         bool // it was up before
	release    string
	sent       uint64 // by lines that have ended
	received   uint64
	lastError  string
}

// told is a status as a node told it.
type told struct {
	Status
	turn uint64
}

func newLink(m *Mesh, n Node) *link {
	k := &link{mesh: m, node: n, poke: make(chan struct{}, 1), since: time.Now()}
	k.ctx, k.stop = context.WithCancel(m.ctx)
	k.status.Store(&told{})
	return k
}

// run dials, works the connection until it ends, and dials again: at once after a connection that stood, else after a
// growing wait, so that a cluster that comes back is not met by all its nodes in the same moment.
func (k *link) run() {
	defer k.mesh.work.Done()
	defer k.stop()
	cfg := &k.mesh.cfg
	wait := time.Duration(0)
	for k.pause(wait) {
		stood, err := k.once()
		if k.ctx.Err() != nil || k.mesh.closing.Load() {
			return
		}
		k.mesh.fault(k.node, err)
		k.note(err)
		switch {
		case stood >= cfg.MaxBackoff:
			wait = 0
		case wait == 0:
			wait = cfg.Backoff
		default:
			wait = min(2*wait, cfg.MaxBackoff)
		}
	}
}

// pause waits around d, or until the node has shown itself; false when the link is over.
func (k *link) pause(d time.Duration) bool {
	if d <= 0 {
		return k.ctx.Err() == nil
	}
	timer := time.NewTimer(d/2 + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-k.poke:
	case <-k.ctx.Done():
		return false
	}
	return true
}

// once dials and works one connection, and says how long it stood.
func (k *link) once() (stood time.Duration, err error) {
	l, first, err := k.dial()
	if err != nil {
		k.set(k.stateOf(err))
		return 0, err
	}
	l.frame = func(kind byte, body []byte) error {
		if kind != frameReport {
			return faulty(UnknownFrame, "a request on a connection that this node dialled")
		}
		id, r, err := parseReport(body)
		if err == nil {
			l.answered(id, r)
		}
		return err
	}
	k.mesh.told(k.node.Instance, first.Status, first.turn)
	stop := context.AfterFunc(k.ctx, func() { l.end(faulty(Ended, "this node ended the link")) })
	defer stop()
	k.mesh.join(l)
	k.opened(l)
	k.line.Store(l)
	k.set(Up)
	err = l.run()
	k.line.Store(nil)
	k.mesh.leave(l)
	k.closed(l)
	k.set(Down)
	l.drop()
	return k.mesh.now() - l.birth, err
}

// stateOf is what a failed dial says of the node. Only proof makes it Refused: the host itself says that nobody listens
// there, or another instance, which knows the secret, answers from that address.
func (k *link) stateOf(err error) State {
	if errors.Is(err, syscall.ECONNREFUSED) || faultOf(err) == OtherNode {
		return Refused
	}
	return Down
}

// dial makes a connection and its handshake, up to the first status.
func (k *link) dial() (*line, told, error) {
	raw, err := k.connect()
	if err != nil {
		return nil, told{}, fmt.Errorf("%w: %w", faulty(Unreachable, "it cannot be dialled"), err)
	}
	stop := context.AfterFunc(k.ctx, func() { _ = raw.Close() })
	defer stop()
	l, first, err := k.greet(raw)
	if err != nil {
		_ = raw.Close()
	}
	return l, first, err
}

func (k *link) greet(raw net.Conn) (*line, told, error) {
	cfg := &k.mesh.cfg
	if err := raw.SetDeadline(time.Now().Add(cfg.DialTimeout)); err != nil {
		return nil, told{}, err
	}
	conn, in := raw, k.mesh.introduction()
	in.self.wanted = k.node.Instance
	if cfg.TLS != nil {
		secure := tls.Client(raw, clientTLS(cfg.TLS, k.node.Address))
		channel, err := shake(secure)
		if err != nil {
			return nil, told{}, err
		}
		conn, in.channel = secure, channel
	}
	them, err := in.dial(conn)
	if err != nil {
		return nil, told{}, err
	}
	s, turn, err := readStatus(conn)
	if err != nil {
		return nil, told{}, err
	}
	if err := raw.SetDeadline(time.Time{}); err != nil {
		return nil, told{}, err
	}
	return newLine(k.mesh, conn, raw, them), told{s, turn}, nil
}

// connect dials every address that the name stands for. It is refused only when each of them refuses.
func (k *link) connect() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(k.ctx, k.mesh.cfg.DialTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(k.node.Address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	if _, err := netip.ParseAddr(host); err == nil {
		return d.DialContext(ctx, "tcp", k.node.Address)
	}
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	var other, refused error
	for _, a := range addrs {
		conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(a, port))
		switch {
		case err == nil:
			return conn, nil
		case errors.Is(err, syscall.ECONNREFUSED):
			refused = err
		default:
			other = err
		}
	}
	if other != nil {
		return nil, other
	}
	return nil, refused
}

// set changes the state and says so.
func (k *link) set(s State) {
	if State(k.state.Swap(uint32(s))) == s {
		return
	}
	k.mu.Lock()
	k.since = time.Now()
	k.mu.Unlock()
	if k.ctx.Err() == nil {
		k.mesh.cfg.Handler.LinkChanged(k.node.Instance)
	}
}

func (k *link) opened(l *line) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.up {
		k.reconnects++
	}
	k.up, k.release, k.lastError = true, l.them.release, ""
}

func (k *link) closed(l *line) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sent += l.sent.Load()
	k.received += l.received.Load()
}

func (k *link) note(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lastError = err.Error()
}

// hear takes a status in, unless a later one is known; true when it says something new.
func (k *link) hear(s Status, turn uint64) bool {
	for {
		old := k.status.Load()
		if turn < old.turn {
			return false
		}
		if k.status.CompareAndSwap(old, &told{s, turn}) {
			return old.Status != s
		}
	}
}

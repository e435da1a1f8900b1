// Package engine assembles the data plane: kernels, loops, sessions and gateways, one of each per core, over one key
// table. It starts and stops them, gives them snapshots, and asks them for numbers; what they do is in the packages
// below. It must never serve anything itself.
//
// Read config.go (what it is told), engine.go (how it starts), stop.go (how it ends), stats.go and inspect.go (what
// it can be asked).
package engine

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/engine/cluster"
	"holdfast/engine/epoll"
	"holdfast/engine/exchange"
	"holdfast/engine/gateway"
	"holdfast/engine/http1"
	"holdfast/engine/http2"
	"holdfast/engine/loop"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/websocket"
	"holdfast/registry"
)

// Engine is a running data plane.
type Engine struct {
	cfg       Config
	shared    *gateway.Shared
	cluster   *cluster.Cluster // nil: this node is alone
	units     []*unit
	conns     *atomic.Int64
	addresses []netip.AddrPort
	sockets   []int // listening; the loops' own once they run
	started   time.Time
	done      sync.WaitGroup
	failed    chan error
}

// unit is what one core runs.
type unit struct {
	kernel   *epoll.Kernel
	loop     *loop.Loop
	gateway  *gateway.Gateway
	sessions *http1.Sessions     // where every connection begins
	streams  *http2.Sessions     // connections that went on in HTTP/2
	sockets  *websocket.Sessions // connections that became WebSockets
}

// Start opens the listeners of cfg.Snapshot and runs the loops. An error says which address could not be had and why.
func Start(cfg Config) (*Engine, error) {
	cfg.fill()
	if cfg.Loops > registry.MaxLoops {
		return nil, fmt.Errorf("%d loops are more than the %d that one process can have", cfg.Loops, registry.MaxLoops)
	}
	e := &Engine{cfg: cfg, started: time.Now(), conns: new(atomic.Int64), failed: make(chan error, cfg.Loops)}
	table := cfg.registry()
	if cfg.Cluster.Store != nil {
		table.Changed = func(key []byte) { e.cluster.Changed(key) }
	}
	e.shared = gateway.NewShared(cfg.Loops, registry.New(table))
	e.shared.Snapshot.Store(cfg.Snapshot)
	boundary := "hf-" + rand.Text()
	for i := range cfg.Loops {
		u, err := e.newUnit(i, boundary)
		if err != nil {
			e.abandon()
			return nil, err
		}
		e.units = append(e.units, u)
	}
	for i := range cfg.Snapshot.Listeners {
		if err := e.listen(&cfg.Snapshot.Listeners[i]); err != nil {
			e.abandon()
			return nil, err
		}
	}
	if err := e.join(); err != nil {
		e.abandon()
		return nil, err
	}
	e.sockets = nil
	for _, u := range e.units {
		e.done.Go(func() {
			if err := u.loop.Run(); err != nil {
				e.failed <- err
			}
		})
	}
	return e, nil
}

func (c *Config) fill() {
	if c.Loops <= 0 {
		c.Loops = min(runtime.NumCPU(), registry.MaxLoops)
	}
	if c.MaxConns <= 0 {
		c.MaxConns = 1 << 20
	}
	if c.SpareConns <= 0 {
		c.SpareConns = 1024
	}
	if c.UserTimeout == 0 {
		c.UserTimeout = time.Minute
	}
	if c.KeepAlive == 0 {
		c.KeepAlive = 2 * time.Minute
	}
	if c.Node == "" {
		c.Node = "local"
	}
	if c.Snapshot == nil {
		c.Snapshot = BuiltIn(BuiltInConfig{Public: "127.0.0.1:8080", Publish: "127.0.0.1:8081"})
	}
}

func (e *Engine) newUnit(id int, boundary string) (*unit, error) {
	k, err := epoll.New()
	if err != nil {
		return nil, fmt.Errorf("loop %d cannot have an epoll: %w", id, err)
	}
	lc := e.cfg.Loop
	lc.ID = id
	lc.Conns = e.conns
	lc.MaxConns = int64(e.cfg.MaxConns)
	gc := e.cfg.Gateway
	gc.Node = e.cfg.Node
	u := &unit{kernel: k, loop: loop.New(k, lc)}
	space := exchange.NewSpace(u.loop)
	u.gateway = gateway.New(e.shared, space, u.loop.Wake, gc)
	u.sessions = http1.New(u.loop, u.gateway, e.cfg.HTTP1, boundary)
	space.Speak(record.HTTP1, u.sessions)
	u.loop.Speak(record.HTTP1, u.sessions)
	h2c := e.cfg.HTTP2
	h2c.Connect = true // for WebSockets
	u.streams = http2.New(u.loop, u.gateway, h2c, boundary)
	space.Speak(record.Stream, u.streams)
	u.loop.Speak(record.HTTP2, u.streams)
	u.loop.Speak(record.Stream, u.streams)
	u.sessions.Multiplex(u.streams)
	u.sockets = websocket.New(u.loop, u.gateway, e.cfg.WebSocket)
	u.sockets.SetPolicies(socketPolicies(e.cfg.Snapshot))
	space.Speak(record.WebSocket, u.sockets)
	u.loop.Speak(record.WebSocket, u.sockets)
	u.sessions.Upgrade(u.sockets)
	u.streams.Sockets(u.sockets)
	u.loop.Host(u.gateway)
	u.loop.SetPolicies(slowPolicies(e.cfg.Snapshot))
	return u, nil
}

// listen opens one listener on every loop.
func (e *Engine) listen(ln *route.Listener) error {
	addr, err := netip.ParseAddrPort(ln.Address)
	if err != nil {
		return fmt.Errorf("the %s listener's address %q is not IP:PORT, such as 127.0.0.1:8080 or [::]:8080", ln.Name, ln.Address)
	}
	fds, actual, err := epoll.ListenGroup(addr, len(e.units), epoll.Options{Backlog: e.cfg.Backlog})
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("the %s listener cannot have %s: another process listens there; stop it or choose another port", ln.Name, addr)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("the %s listener may not have %s: ports below 1024 need CAP_NET_BIND_SERVICE", ln.Name, addr)
	case err != nil:
		return fmt.Errorf("the %s listener cannot have %s: %w", ln.Name, addr, err)
	}
	e.sockets = append(e.sockets, fds...)
	e.addresses = append(e.addresses, actual)
	spare := 0
	if ln.Publish {
		spare = e.cfg.SpareConns
	}
	for i, fd := range fds {
		// Accepted sockets inherit both.
		if err := epoll.SetUserTimeout(fd, max(e.cfg.UserTimeout, 0)); err != nil {
			return fmt.Errorf("the %s listener cannot set TCP_USER_TIMEOUT: %w", ln.Name, err)
		}
		if err := epoll.SetKeepAlive(fd, e.cfg.KeepAlive); err != nil {
			return fmt.Errorf("the %s listener cannot set SO_KEEPALIVE: %w", ln.Name, err)
		}
		if _, err := e.units[i].loop.Listen(fd, record.HTTP1, spare); err != nil {
			return fmt.Errorf("the %s listener cannot be watched: %w", ln.Name, err)
		}
	}
	return nil
}

// join enters the cluster, if there is one. Boxes take what other nodes ask until the loops run.
func (e *Engine) join() (err error) {
	if e.cfg.Cluster.Store != nil {
		e.cluster, err = cluster.Open(e.cfg.Node, e.cfg.Cluster, e.shared)
	}
	return err
}

// Addresses are where the snapshot's listeners listen, in its order, with the ports that 0 stood for.
func (e *Engine) Addresses() []netip.AddrPort { return e.addresses }

// Failed gives an error when a loop could not go on; the process should then end.
func (e *Engine) Failed() <-chan error { return e.failed }

// abandon gives up an engine whose loops never ran: clients must not wait in the backlog of a socket that nobody serves.
func (e *Engine) abandon() {
	for _, fd := range e.sockets {
		unix.Close(fd)
	}
	e.free()
}

func (e *Engine) free() {
	for _, u := range e.units {
		u.kernel.Free()
	}
}

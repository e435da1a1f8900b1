package peer

import (
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"holdfast/engine/mem"
)

// guest is a connection that another node dialled: its requests are served here.
type guest struct {
	*line
	at     uint32 // place in the mesh's table
	gen    uint32
	served atomic.Int64 // requests begun and not yet answered
	status atomic.Pointer[told]

	// Owned by the reading goroutine.
	request Request
	message message
}

// handshakeTime bounds a half-open connection, and maxHalfOpen how many there are: a stranger who connects and says
// nothing costs little, and cannot keep nodes out, because the oldest goes when a new one comes.
const (
	handshakeTime = 2 * time.Second
	maxHalfOpen   = 256
)

// accept takes connections until the mesh closes. It must never end before: a node whose host refuses connections
// counts as dead.
func (m *Mesh) accept() {
	defer m.work.Done()
	pause := time.Duration(0)
	for {
		raw, err := m.listener.Accept()
		if err == nil {
			pause = 0
			m.work.Go(func() { m.receive(raw) })
			continue
		}
		if errors.Is(err, net.ErrClosed) || m.ctx.Err() != nil {
			return
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second) // no descriptors left: the backlog waits with us
		select {
		case <-time.After(pause):
		case <-m.ctx.Done():
		}
	}
}

// receive does the handshake of an accepted connection and serves it until it ends.
func (m *Mesh) receive(raw net.Conn) {
	defer raw.Close()
	if !m.half.enter(raw) {
		return
	}
	conn, them, err := m.welcome(raw)
	m.half.leave(raw)
	if err != nil {
		m.fault(Node{Name: them.Name, Address: raw.RemoteAddr().String()}, err)
		return
	}
	g := &guest{line: newLine(m, conn, raw, them)}
	g.frame = g.take
	g.status.Store(&told{})
	if !m.seat(g) {
		return
	}
	m.join(g.line)
	err = g.run()
	m.leave(g.line)
	m.unseat(g)
	m.fault(them.Node, err)
}

func (m *Mesh) welcome(raw net.Conn) (conn net.Conn, them hello, err error) {
	if err := raw.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return nil, them, err
	}
	conn = raw
	in := m.introduction()
	if m.cfg.TLS != nil {
		secure := tls.Server(raw, serverTLS(m.cfg.TLS))
		if in.channel, err = shake(secure); err != nil {
			return nil, them, err
		}
		conn = secure
	}
	if them, err = in.accept(conn); err != nil {
		return nil, them, err
	}
	return conn, them, raw.SetDeadline(time.Time{})
}

// take begins one request. One too many is answered at once: there was no room.
func (g *guest) take(kind byte, body []byte) error {
	if kind != frameRequest {
		return faulty(UnknownFrame, "a report on a connection that this node did not dial")
	}
	r, m := &g.request, &g.message
	id, err := parseRequest(body, r, m)
	if err != nil {
		return err
	}
	if r.Verb > Count || g.served.Load() >= int64(g.mesh.cfg.MaxServed) || g.mesh.closing.Load() {
		return g.sayBounded(func(b []byte) []byte { return appendReport(b, id, &Report{Refused: 1}) })
	}
	if r.Verb == Push {
		p := mem.NewPayload(len(m.data))
		p.Append(m.data)
		p.SetID(m.id)
		p.SetEvent(m.event)
		p.SetType(m.kind)
		r.Payload = p
		defer p.Release()
	}
	g.served.Add(1)
	g.mesh.cfg.Handler.Serve(g.them.Instance, Origin{Link: g.at, Gen: g.gen, ID: id}, r)
	return nil
}

// reply answers one request.
func (g *guest) reply(id uint64, r *Report) {
	g.served.Add(-1)
	if err := g.sayBounded(func(b []byte) []byte { return appendReport(b, id, r) }); err != nil {
		g.end(err)
	}
}

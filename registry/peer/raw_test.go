package peer

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"
)

// raw is a node whose frames the test writes and reads by hand.
type raw struct {
	t *testing.T
	net.Conn
	them hello
}

// rawListener is where a raw node can be dialled.
func rawListener(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func rawIntroduction(instance uint64) *introduction {
	in := &introduction{self: hello{oldest: oldest, newest: newest, Node: Node{Instance: instance, Name: "raw"}}, key: deriveKey(testSecret)}
	in.newNonce()
	return in
}

// rawAccept takes a mesh's dial as instance 2, up to both statuses.
func rawAccept(t *testing.T, ln net.Listener) *raw {
	t.Helper()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := &raw{t: t, Conn: conn}
	r.deadline()
	if r.them, err = rawIntroduction(2).accept(conn); err != nil {
		t.Fatal(err)
	}
	r.write(appendStatus(nil, Status{}, 1))
	r.want(frameStatus)
	return r
}

// rawDial dials a mesh, up to both statuses.
func rawDial(t *testing.T, m *Mesh, instance uint64) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", m.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := &raw{t: t, Conn: conn}
	r.deadline()
	if r.them, err = rawIntroduction(instance).dial(conn); err != nil {
		t.Fatal(err)
	}
	r.write(appendStatus(nil, Status{}, 1))
	r.want(frameStatus)
	return r
}

func (r *raw) deadline() {
	if err := r.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) write(b []byte) {
	r.t.Helper()
	if _, err := r.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

// frame reads one frame of any size; false at the end of the connection.
func (r *raw) frame() (kind byte, body []byte, ok bool) {
	r.t.Helper()
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, false
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(r, b); err != nil {
		return 0, nil, false
	}
	return b[0], b[1:], true
}

// want reads up to a frame of this kind, past pings.
func (r *raw) want(kind byte) []byte {
	r.t.Helper()
	for {
		got, body, ok := r.frame()
		if !ok || got != kind && got != framePing {
			r.t.Fatalf("got a frame of type %d, %v; want %d", got, ok, kind)
		}
		if got == kind {
			return body
		}
	}
}

// request reads the next request and its id.
func (r *raw) request() (id uint64, req Request, m message) {
	r.t.Helper()
	id, err := parseRequest(r.want(frameRequest), &req, &m)
	if err != nil {
		r.t.Fatal(err)
	}
	return id, req, m
}

// ended waits for the mesh to end the connection.
func (r *raw) ended() {
	r.t.Helper()
	for {
		kind, _, ok := r.frame()
		if !ok {
			return
		}
		if kind != framePing && kind != frameReport {
			r.t.Fatalf("a frame of type %d, not the end", kind)
		}
	}
}

// dialled is a mesh of instance 1 and the raw node of instance 2 that it has dialled.
func dialled(t *testing.T, change func(*Config)) (*Mesh, *raw, net.Listener) {
	t.Helper()
	m, _ := open(t, 1, change)
	ln := rawListener(t)
	m.Keep([]Node{{Instance: 2, Name: "raw", Address: ln.Addr().String()}})
	r := rawAccept(t, ln)
	waitState(t, m, 2, Up)
	return m, r, ln
}

// frameOf is a frame of any type around a body.
func frameOf(kind byte, body []byte) []byte {
	return closeFrame(append(openFrame(nil, kind), body...), 0, 0)
}

func faultsOf(m *Mesh, f Fault) uint64 { return m.Faults()[f] }

package chaos

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// relay stands between nodes and a server and makes it slow: every piece of what passes is late by the delay, and
// pieces do not wait for each other.
type relay struct {
	addr  string
	delay atomic.Int64 // nanoseconds, each way
}

// newRelay listens beside the bridge, where every host reaches it.
func newRelay(t *testing.T, n *network, server string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", n.gateway()+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &relay{addr: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go r.carry(conn, server)
			}
		}
	}()
	return r
}

func (r *relay) slow(each time.Duration) { r.delay.Store(int64(each)) }

func (r *relay) carry(conn net.Conn, server string) {
	there, err := net.DialTimeout("tcp", server, time.Second)
	if err != nil {
		conn.Close()
		return
	}
	go r.copy(there, conn)
	r.copy(conn, there)
}

// copy passes pieces on in order, each at its time. The end of one direction is the end of both.
func (r *relay) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	type piece struct {
		data []byte
		due  time.Time
	}
	late := make(chan piece, 4096)
	defer close(late)
	go func() {
		for p := range late {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.data); err != nil {
				to.Close()
				from.Close()
			}
		}
	}()
	for {
		data := make([]byte, 16<<10)
		n, err := from.Read(data)
		if err != nil {
			return
		}
		late <- piece{data: data[:n], due: time.Now().Add(time.Duration(r.delay.Load()))}
	}
}

func TestRelayDelays(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	echo, err := net.Listen("tcp", n.gateway()+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn) }()
		}
	}()
	r := newRelay(t, n, echo.Addr().String())
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	f := func(each, least, most time.Duration) {
		t.Helper()
		r.slow(each)
		start := time.Now()
		if _, err := conn.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < least || took > most {
			t.Errorf("with %v each way: %v, want %v to %v", each, took, least, most)
		}
	}
	f(0, 0, 200*time.Millisecond)
	f(250*time.Millisecond, 500*time.Millisecond, 2*time.Second)
	f(0, 0, 200*time.Millisecond)
}

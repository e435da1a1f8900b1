package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// line is an open connection of a client. Its reader writes down what comes; closing it is the client's to do.
type line struct {
	*hold
	conn net.Conn
	gone chan struct{} // closed when nothing can come any more
	lock sync.Mutex    // orders the end that the client wants and the end that it meets
}

// headPatience is how long a client waits for its head before it tries another node.
const headPatience = 3 * time.Second

// open connects a client to a node and waits for the head. An error means that there is no line, or that it was given up.
func (l *lab) open(key string, n *node) (*line, error) {
	conn, err := net.DialTimeout("tcp", n.public, time.Second)
	if err != nil {
		return nil, err
	}
	x := &line{hold: &hold{key: key, node: n.name, asked: l.now()}, conn: conn, gone: make(chan struct{})}
	_ = conn.SetDeadline(time.Now().Add(headPatience))
	in := bufio.NewReaderSize(conn, 1024)
	_, err = fmt.Fprintf(conn, "GET /sub/%s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", key, n.public)
	if err != nil {
		conn.Close()
		return nil, err
	}
	resp, err := http.ReadResponse(in, nil)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	if err != nil { // it was asked for, so a push may have been sent there
		x.closing, x.ended = l.now(), l.now()
		l.history.addHold(x.hold)
		conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	x.headed, x.pending = l.now(), resp.Header.Get("Push-Claim") == "pending"
	l.history.addHold(x.hold)
	l.background.Go(func() { x.read(l, bufio.NewReaderSize(resp.Body, 512)) })
	return x, nil
}

func (x *line) read(l *lab, body *bufio.Reader) {
	defer close(x.gone)
	for {
		text, err := body.ReadString('\n')
		if err != nil {
			break
		}
		if id, ok := strings.CutPrefix(strings.TrimRight(text, "\n"), "data: "); ok && id != "{}" { // which a goaway says
			x.got = append(x.got, receipt{id: id, at: l.now()})
		}
	}
	x.conn.Close()
	x.lock.Lock()
	defer x.lock.Unlock()
	x.ended = l.now()
}

// close is the client's own end of the line.
func (x *line) close(l *lab) {
	x.lock.Lock()
	if x.ended == 0 {
		x.closing = l.now()
	}
	x.lock.Unlock()
	x.conn.Close()
	<-x.gone
}

// habit is how a client behaves.
type habit struct {
	stay    func(*rand.Rand) time.Duration // before it moves to another node; nil: until it is thrown out
	overlap bool                           // it connects there before it leaves here
}

var (
	settled = habit{}
	roaming = habit{stay: func(r *rand.Rand) time.Duration { return 200*time.Millisecond + time.Duration(r.ExpFloat64()*2e9) }}
	hopping = habit{stay: func(r *rand.Rand) time.Duration { return time.Duration(r.ExpFloat64() * 20e6) }} // faster than anything replicates
)

// client holds a key until the context ends, wherever it can.
func (l *lab) client(ctx context.Context, key string, rng *rand.Rand, h habit) {
	var here *line
	leave := func() {
		if here != nil {
			here.close(l)
			here = nil
		}
	}
	defer leave()
	for ctx.Err() == nil {
		if !h.overlap {
			leave()
		}
		next, err := l.open(key, l.nodes[rng.IntN(len(l.nodes))])
		leave()
		if err != nil {
			pause(ctx, time.Duration(20+rng.IntN(60))*time.Millisecond)
			continue
		}
		here = next
		var move <-chan time.Time
		if h.stay != nil {
			move = time.After(h.stay(rng))
		}
		select {
		case <-ctx.Done():
		case <-move:
			if l.frozen.Load() {
				<-ctx.Done()
			}
		case <-here.gone: // thrown out: anywhere else, at once
		}
	}
}

// pause waits, unless the context ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

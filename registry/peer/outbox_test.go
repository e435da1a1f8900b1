package peer

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/engine/mem"
)

var errFull = errors.New("the other end takes no more")

// limited takes so many bytes and then no more.
type limited struct {
	bytes.Buffer
	left int
}

func (l *limited) Write(b []byte) (int, error) {
	n := min(len(b), l.left)
	l.left -= n
	l.Buffer.Write(b[:n])
	if n < len(b) {
		return n, errFull
	}
	return n, nil
}

// mixed is a line with a batch of everything: frames without mark, small and large requests, and some that nobody waits
// for any more. wire is what must be written, starts where each request that is still wanted begins in it.
func mixed(t *testing.T) (l *line, wire []byte, starts map[uint64]int) {
	t.Helper()
	m := &Mesh{cfg: Config{MaxFrame: 1 << 20, MaxFlight: 100, MaxQueued: 1 << 20}, start: time.Now()}
	l = newLine(m, &limited{}, nil, hello{})
	starts = map[uint64]int{}
	var dropped []uint64
	for i, size := range []int{10, 5000, 0, 5000, 20, 9000, 30, 5000} {
		r := push(fmt.Sprint("key", i), strings.Repeat("d", size))
		if err := l.ask(r, func(Report, error) {}, time.Hour); err != nil {
			t.Fatal(err)
		}
		mk := l.next.marks[len(l.next.marks)-1]
		if i%3 == 0 {
			dropped = append(dropped, mk.id)
		} else {
			starts[mk.id] = len(wire)
			wire = append(appendRequest(wire, mk.id, r), r.Payload.Data...)
		}
		r.Payload.Release()
		if i%2 == 0 {
			l.say(func(b []byte) []byte { return appendPing(b, framePing, uint64(i)+1) })
			wire = appendPing(wire, framePing, uint64(i)+1)
		}
	}
	for _, id := range dropped {
		if l.flight.take(id) == nil {
			t.Fatal("a request is missing")
		}
	}
	return l, wire, starts
}

// What is written is exactly what is still wanted, in order.
func TestBatchIsWrittenWhole(t *testing.T) {
	before := mem.BufferBytes()
	l, wire, _ := mixed(t)
	out := &limited{left: 1 << 20}
	w := newWriter(out)
	b, ok := l.waitBatch()
	n, err := w.send(&b)
	l.wrote(&b, n, err)
	w.close()
	if !ok || err != nil || n != len(wire) || !bytes.Equal(out.Bytes(), wire) {
		t.Errorf("%d bytes were written, %v; want %d", n, err, len(wire))
	}
	if l.queued != 0 || l.next.size != 0 {
		t.Errorf("%d bytes are queued still", l.queued)
	}
	if after := mem.BufferBytes(); after != before {
		t.Errorf("%d bytes of payloads are not given back", after-before)
	}
}

// Wherever a write ends, the requests of which no byte was written are unsent, and no others.
func TestUnsentAtEveryByte(t *testing.T) {
	_, wire, _ := mixed(t)
	for cut := 0; cut < len(wire); cut += 1 + cut%7*13 {
		l, _, starts := mixed(t)
		l.plain = true
		w := newWriter(&limited{left: cut})
		b, _ := l.waitBatch()
		n, err := w.send(&b)
		if n != cut || !errors.Is(err, errFull) {
			t.Fatalf("%d bytes were written, %v; want %d", n, err, cut)
		}
		l.wrote(&b, n, err)
		w.close()
		for id, at := range starts {
			if s := l.flight.get(id); s == nil || s.sent != (at < cut) {
				t.Fatalf("cut at %d: the request at %d is %+v", cut, at, s)
			}
		}
	}
}

// Under TLS the count of written bytes is no proof: all that was handed over may have been sent.
func TestNothingIsUnsentUnderTLS(t *testing.T) {
	l, _, starts := mixed(t)
	w := newWriter(&limited{left: 0})
	defer w.close()
	b, _ := l.waitBatch()
	n, err := w.send(&b)
	l.wrote(&b, n, err)
	for id := range starts {
		if s := l.flight.get(id); s == nil || !s.sent {
			t.Errorf("%+v", s)
		}
	}
}

// Everything at once, for the race detector: links that come and go, statuses, questions and an inspecting operator.
func TestManyThingsAtOnce(t *testing.T) {
	a, b, _, bn := pair(t, quick)
	bn.onQuietly(nil)
	stop := time.Now().Add(300 * time.Millisecond)
	var all sync.WaitGroup
	forAWhile := func(f func(i int)) {
		all.Go(func() {
			for i := 0; time.Now().Before(stop); i++ {
				f(i)
			}
		})
	}
	var answered sync.WaitGroup
	for range 2 {
		forAWhile(func(int) {
			answered.Add(1)
			if err := a.Ask(2, count("k", time.Second), func(Report, error) { answered.Done() }); err != nil {
				answered.Done()
				time.Sleep(time.Millisecond)
			}
		})
	}
	forAWhile(func(i int) {
		a.Keep([]Node{nodeOf(b)}[:i%2])
		time.Sleep(15 * time.Millisecond)
	})
	forAWhile(func(i int) {
		b.Announce(Status{Complete: fmt.Sprint(i)})
		_, _, _ = a.Peer(2)
		_, _ = a.Stats(), b.Faults()
		time.Sleep(time.Millisecond)
	})
	all.Wait()
	answered.Wait()
	a.Keep([]Node{nodeOf(b)})
	waitState(t, a, 2, Up)
	if got := ask(t, a, 2, count("k", 10*time.Second)); got.err != nil {
		t.Error(got.err)
	}
}

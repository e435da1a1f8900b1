package e2e

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// Connections that trickle a request byte by byte are cut when their head is overdue; 2,000 idle holds and everybody who
// asks meanwhile notice nothing.
func TestTricklersAmongHolds(t *testing.T) {
	t.Parallel()
	const holds, tricklers = 2000, 200
	d := serve(t)
	probe := d.subscribe(t, "sse", "probe")
	idle := make([]*wire, holds)
	for i := range idle {
		idle[i] = d.subscribe(t, "sse", "idle")
	}
	d.held(t, "idle", holds)

	began := time.Now()
	var all sync.WaitGroup
	cut := make([]time.Duration, tricklers)
	said := make([]string, tricklers)
	for i := range tricklers {
		w := dial(t, d.public)
		all.Go(func() { said[i], cut[i] = w.trickle(began) })
	}
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	slowest := time.Duration(0)
	for probes, going := 0, true; going; probes++ {
		asked := time.Now()
		if v := d.push(t, "probe", []byte("still there")); v.Delivered != 1 {
			t.Fatalf("probe %d: %+v", probes, v)
		}
		probe.hears(t, "data: still there\n\n")
		slowest = max(slowest, time.Since(asked))
		select {
		case <-over:
			going = false
		case <-time.After(50 * time.Millisecond):
		}
	}
	if slowest > 3*time.Second { // 10 ms on a quiet machine
		t.Errorf("a probe took %v", slowest)
	}
	for i := range tricklers {
		if cut[i] < 9*time.Second || cut[i] > 11500*time.Millisecond {
			t.Fatalf("trickler %d was cut after %v", i, cut[i])
		}
		if !strings.HasPrefix(said[i], "HTTP/1.1 408 ") {
			t.Fatalf("trickler %d was told %q", i, said[i])
		}
	}
	if got := d.holders(t, "idle"); got != holds {
		t.Errorf("%d of %d holds are left", got, holds)
	}
	if v := d.push(t, "idle", []byte("x")); v.Delivered != holds {
		t.Errorf("%+v", v)
	}
	t.Logf("the slowest probe took %v", slowest)
}

// trickle sends a byte of a head each second until the other side has had enough.
func (w *wire) trickle(began time.Time) (said string, took time.Duration) {
	const head = "GET /sub/slow HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n"
	for i := 0; time.Since(began) < 2*patience; i++ {
		_, _ = w.Write([]byte{head[i%len(head)]}) // the reader finds out
		if w.more(time.Now().Add(time.Second)) != nil && len(w.heard) > 0 {
			break
		}
	}
	return string(w.heard), time.Since(began)
}

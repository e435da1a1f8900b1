package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/cmd/internal/admin"
	"holdfast/cmd/internal/metrics"
)

// neighbour reads everything that it is sent and counts it.
type neighbour struct{ got atomic.Int64 }

func (n *neighbour) Write(b []byte) (int, error) {
	n.got.Add(int64(len(b)))
	return len(b), nil
}

// crowd subscribes clients that read, and leave when they are asked to.
func (d *daemon) crowd(t *testing.T, key string, size int) []*neighbour {
	t.Helper()
	all := make([]*neighbour, size)
	for i := range all {
		all[i] = new(neighbour)
		w := d.subscribe(t, "sse", key)
		go func() {
			_, _ = io.Copy(all[i], w) // to the end, whatever that is
			w.Close()
		}()
	}
	return all
}

// conns lists connections by the admin listener.
func (d *daemon) conns(t *testing.T, query string) admin.ConnPage {
	t.Helper()
	status, body := get(t, d.admin+"/v1/conns?"+query)
	var page admin.ConnPage
	if err := json.Unmarshal([]byte(body), &page); err != nil || status != 200 {
		t.Fatalf("/v1/conns?%s: %d %s %v", query, status, body, err)
	}
	return page
}

// stalled subscribes a client that reads nothing, and pushes until some of that waits in its queue.
func (d *daemon) stalled(t *testing.T, message []byte) (client *wire, sent int) {
	t.Helper()
	client = d.subscribe(t, "sse", "key")
	d.held(t, "key", 21)
	for ; sent < 2000; sent++ {
		if v := d.push(t, "key", message); v.Pending > 0 {
			if v.Status != 200 || v.Pending != 1 || v.Delivered != 20 || v.Dropped != 0 {
				t.Errorf("the first push that waits: %+v", v)
			}
			return client, sent + 1
		}
	}
	t.Fatal("the kernel took everything for a client that does not read")
	return nil, 0
}

// A client that stops reading costs its queue and then its connection; 20 others get every byte, and the verdicts, the
// metrics and the listing tell the truth all along.
func TestSlowReaderIsEvicted(t *testing.T) {
	t.Parallel()
	d := serve(t)
	others := d.crowd(t, "key", 20)
	message := bytes.Repeat([]byte("x"), 16<<10)
	_, sent := d.stalled(t, message)

	page := d.conns(t, "min_queued=1")
	if len(page.Conns) != 1 || page.Conns[0].QueuedBytes == 0 || page.Conns[0].QueuedBytes > 64<<10 || page.Conns[0].Form != "sse" {
		t.Errorf("connections with a queue: %+v", page)
	}
	if m := d.metrics(t); m.Sum(metrics.QueuedConns) != 1 || m.Sum(metrics.QueuedBytes) != float64(page.Conns[0].QueuedBytes) {
		t.Errorf("%v connections queue %v bytes", m.Sum(metrics.QueuedConns), m.Sum(metrics.QueuedBytes))
	}
	for waiting := 1; ; waiting++ {
		sent++
		v := d.push(t, "key", message)
		if v.Delivered != 20 || v.Pending+v.Dropped != 1 || waiting > 5 {
			t.Fatalf("after %d that wait: %+v", waiting, v)
		}
		if v.Dropped == 1 {
			if v.Reasons["slow"] != 1 {
				t.Errorf("%+v", v)
			}
			break
		}
	}
	d.held(t, "key", 20)
	if m := d.metrics(t); m.Sum(metrics.Closed, "reason", "slow") != 1 || m.Sum(metrics.QueuedBytes) != 0 {
		t.Errorf("%v closed for slowness, %v bytes queued", m.By(metrics.Closed, "reason"), m.Sum(metrics.QueuedBytes))
	}
	least := int64(sent * len(message))
	for i, n := range others {
		if !eventually(func() bool { return n.got.Load() >= least }) {
			t.Errorf("neighbour %d got %d bytes of %d", i, n.got.Load(), least)
		}
	}
}

// A queue that does not move for --stall-timeout ends its connection, though nothing more is pushed.
func TestStalledReaderIsEvicted(t *testing.T) {
	t.Parallel()
	d := serve(t, "--stall-timeout", "700ms")
	d.crowd(t, "key", 20)
	d.stalled(t, bytes.Repeat([]byte("x"), 16<<10))
	began := time.Now()
	d.held(t, "key", 20)
	if took := time.Since(began); took < 400*time.Millisecond || took > 4*time.Second {
		t.Errorf("evicted after %v", took)
	}
}

// A slow reader's connection outlives its messages when the policy says so.
func TestSlowReaderKeepsTheLatest(t *testing.T) {
	t.Parallel()
	d := serve(t, "--slow-policy", "latest-only", "--stall-timeout", "1m")
	d.crowd(t, "key", 20)
	message := bytes.Repeat([]byte("x"), 16<<10)
	slow, _ := d.stalled(t, message)
	for range 12 {
		if v := d.push(t, "key", message); v.Delivered != 20 || v.Pending != 1 {
			t.Fatalf("%+v", v)
		}
	}
	if v := d.push(t, "key", []byte("the last")); v.Pending != 1 {
		t.Errorf("%+v", v)
	}
	d.held(t, "key", 21)
	said := slow.hears(t, "data: the last\n\n")
	if !strings.HasPrefix(said, "HTTP/1.1 200 OK\r\n") || strings.Count(said, "xdata") > 0 {
		t.Error("messages were torn")
	}
}

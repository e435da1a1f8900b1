package scenario

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/engine/gateway"
	"holdfast/engine/simkernel"
)

// A publisher that writes its whole stream before it reads a byte is answered in the end, and its backlog stays bounded.
func TestPublisherThatReadsLast(t *testing.T) {
	n := newNode(t, 2, config{loops: 2, weather: simkernel.Options{SendBuffer: 4 << 10, Nap: time.Millisecond}, gateway: gateway.Config{VerdictBacklog: 8 << 10}})
	holder := n.units[1].subscribe("far", sse)
	n.rest()
	const items = 5_000
	line := `{"key":"far","data":"m"}` + "\n"
	publisher := n.units[0].dial(n.units[0].publish, "POST /push HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
	publisher.Stall()
	for i := 0; i < items; i += 100 {
		body := strings.Repeat(line, 100)
		publisher.Write(fmt.Appendf(nil, "%x\r\n%s\r\n", len(body), body))
		for range 6 {
			for _, u := range n.units {
				u.loop.Tick()
			}
		}
	}
	publisher.Write([]byte("0\r\n\r\n"))
	for range 200 {
		for _, u := range n.units {
			u.loop.Tick()
		}
	}
	if unsent := publisher.Unsent(); unsent > 0 {
		t.Fatalf("%d bytes of the request are not taken: a deadlock", unsent)
	}
	if g := n.units[0].loop.Gauge(); g.QueuedBytes > 10<<10 {
		t.Errorf("%d bytes of verdicts are queued", g.QueuedBytes)
	}
	publisher.Resume()
	n.rest()
	if got := bytes.Count(holder.read(), []byte("\ndata: m\n\n\r\n")); got != items {
		t.Errorf("%d messages", got)
	}
	wire := string(publisher.read())
	if !strings.HasSuffix(wire, "0\r\n\r\n") || !strings.Contains(wire, `{"collapsed":`) {
		t.Errorf("the answer ends in %q", wire[max(0, len(wire)-300):])
	}
	n.end()
}

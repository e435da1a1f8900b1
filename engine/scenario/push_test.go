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

// One-key pushes are answered within two ticks while a fan-out to 17,000 connections is under way on the same loop.
func TestPushDuringLargeFanout(t *testing.T) {
	n := newNode(t, 1, config{loops: 1, weather: simkernel.Options{}})
	u := n.units[0]
	members := 17_000
	if testing.Short() {
		members = 2_000
	}
	for range members {
		u.subscribe("large", sse)
	}
	u.subscribe("alice", sse)
	n.rest()
	publisher := u.push("/push/nobody", "")
	n.rest()
	publisher.Read()
	large := u.push("/push/large", "m")
	u.loop.Tick()
	u.loop.Tick()
	most, pushes, ticks := 0, 0, 2
	for ; len(large.read()) == 0; pushes++ {
		publisher.Write([]byte(post("/push/alice", "m")))
		waited := 0
		for len(publisher.Read()) == 0 {
			u.loop.Tick()
			waited++
		}
		most = max(most, waited)
		ticks += waited
	}
	v, _ := large.verdict()
	t.Logf("%d deliveries in %d ticks; %d pushes meanwhile, the slowest took %d ticks", members, ticks, pushes, most)
	if v.Delivered != members || most > 2 || ticks < members/128 {
		t.Errorf("%v; the slowest push took %d ticks of %d", v, most, ticks)
	}
	n.end()
}

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

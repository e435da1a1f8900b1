package top

import (
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/metrics"
)

// node is a made-up node whose numbers can be moved.
type node struct {
	conns, accepted, delivered, notFound float64
	busy                                 [2]float64 // seconds
	waits                                []uint64   // pushes by latency: up to 1 ms, up to 10 ms, more
}

func (n *node) text() string {
	var w metrics.Writer
	w.Family(metrics.Conns, metrics.Gauge, "x")
	w.Sample(n.conns, "loop", "0")
	w.Sample(1, "loop", "1")
	w.Family(metrics.ConnStates, metrics.Gauge, "x")
	w.Sample(90_001, "state", "held")
	w.Sample(0, "state", "head")
	w.Sample(29_999, "state", "idle")
	w.One(metrics.Accepted, metrics.Counter, "x", n.accepted)
	w.Family(metrics.Holds, metrics.Gauge, "x")
	w.Sample(90_000, "form", "sse")
	w.Sample(1234, "form", "poll")
	w.Sample(0, "form", "raw")
	w.Family(metrics.Pushes, metrics.Counter, "x")
	w.Sample(n.delivered, "verdict", "delivered")
	w.Sample(n.notFound, "verdict", "nobody")
	w.Family(metrics.LoopBusySeconds, metrics.Counter, "x")
	w.Sample(n.busy[0], "loop", "0")
	w.Sample(n.busy[1], "loop", "1")
	w.FamilyHistogram(metrics.PushSeconds, "x")
	w.Histogram(metrics.Histogram{Bounds: []float64{0.001, 0.01}, Counts: n.waits})
	w.One(metrics.QueuedBytes, metrics.Gauge, "x", 1536)
	w.One(metrics.ProcessRSS, metrics.Gauge, "x", 200<<20)
	return string(w.Bytes())
}

func (n *node) reading(t *testing.T, at int) Reading {
	t.Helper()
	samples, err := metrics.Read(n.text())
	if err != nil {
		t.Fatal(err)
	}
	return Reading{At: time.Unix(int64(at), 0), Samples: samples}
}

// line finds the row of a view that begins with a title.
func line(t *testing.T, text, title string) string {
	t.Helper()
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, title+" ") {
			return strings.TrimSpace(strings.TrimPrefix(l, title))
		}
	}
	t.Errorf("no row %q in:\n%s", title, text)
	return ""
}

func TestViewShowsRates(t *testing.T) {
	first := node{conns: 119_999, accepted: 100, delivered: 10, waits: []uint64{5, 5, 0}}
	before := first.reading(t, 10)
	second := node{conns: 119_999, accepted: 300, delivered: 2010, notFound: 4, busy: [2]float64{1, 0.1}, waits: []uint64{105, 5, 0}}
	text := View(second.reading(t, 12), before)

	f := func(title, want string) {
		t.Helper()
		if got := line(t, text, title); got != want {
			t.Errorf("%s:\n got %q\nwant %q", title, got, want)
		}
	}
	f("Connections", "120,000   opened 100/s   closed 0/s   requests 0/s")
	f("  by state", "held 90,001   idle 29,999")
	f("Holds", "91,234   keys 0")
	f("  by form", "sse 90,000   poll 1,234")
	f("Queued", "1.5 KiB in 0 connections")
	f("Pushes", "1,002/s")
	f("  by verdict", "delivered 1,000/s   nobody 2/s")
	f("Latency", "p50 500 µs   p90 900 µs   p99 990 µs   p99.9 999 µs   (push taken to verdict)")
	f("Loop 0", "[###############...............]  50 % busy   119,999 conns   0 ticks/s")
	f("Loop 1", "[##............................]   5 % busy   1 conns   0 ticks/s")
	if got := line(t, text, "Process"); !strings.HasPrefix(got, "resident 200 MiB ") {
		t.Errorf("Process: %q", got)
	}
}

func TestViewOfOneReadingHasNoRates(t *testing.T) {
	n := node{conns: 5, accepted: 100, delivered: 100, busy: [2]float64{9, 9}, waits: []uint64{5, 5, 5}}
	r := n.reading(t, 10)
	text := View(r, r)
	f := func(title, want string) {
		t.Helper()
		if got := line(t, text, title); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q in it", title, got, want)
		}
	}
	f("Connections", "6   opened 0/s")
	f("  by verdict", nothing)
	f("Latency", nothing)
	f("Loop 0", "  0 % busy")
}

func TestViewOfARestartedNode(t *testing.T) {
	old := node{accepted: 1e6, delivered: 1e6, busy: [2]float64{1e4, 1e4}, waits: []uint64{100, 100, 100}}
	young := node{accepted: 3, delivered: 3, waits: []uint64{1, 0, 0}}
	text := View(young.reading(t, 11), old.reading(t, 10))
	if strings.Contains(text, "-1") || strings.Contains(text, "-9") {
		t.Errorf("negative rates in:\n%s", text)
	}
	if got := line(t, text, "Pushes"); got != "0/s" {
		t.Errorf("pushes %q", got)
	}
}

func TestViewOfNothing(t *testing.T) {
	text := View(Reading{}, Reading{})
	if got := line(t, text, "Connections"); got != "0   opened 0/s   closed 0/s   requests 0/s" {
		t.Errorf("connections %q", got)
	}
}

func TestNumbersForPeople(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(count(0), "0")
	f(count(0.25), "0.2")
	f(count(7), "7")
	f(count(999), "999")
	f(count(1000), "1,000")
	f(count(1234567), "1,234,567")
	f(size(0), "0 B")
	f(size(999), "999 B")
	f(size(1000), "0.9766 KiB")
	f(size(3<<20), "3 MiB")
	f(size(5000<<30), "5000 GiB")
	f(span(0.0000123), "12.3 µs")
	f(span(0.0123), "12.3 ms")
	f(span(1.5), "1.5 s")
}

func TestViewOfACluster(t *testing.T) {
	reading := func(at, forwards, behind float64) Reading {
		t.Helper()
		var w metrics.Writer
		w.Family(metrics.Nodes, metrics.Gauge, "x")
		w.Sample(3, "lease", "live")
		w.Sample(1, "lease", "lapsed")
		w.Family(metrics.Links, metrics.Gauge, "x")
		w.Sample(2, "state", "up")
		w.Sample(1, "state", "refused")
		w.One(metrics.Behind, metrics.Gauge, "x", behind)
		w.One(metrics.Forwards, metrics.Counter, "x", forwards)
		w.One(metrics.Claims, metrics.Counter, "x", 10*forwards)
		w.One(metrics.Lookups, metrics.Counter, "x", 2*forwards)
		samples, err := metrics.Read(string(w.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		return Reading{At: time.Unix(int64(at), 0), Samples: samples}
	}
	f := func(text, want string) {
		t.Helper()
		if got := line(t, text, "Cluster"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(View(reading(2, 300, 0), reading(1, 100, 0)), "nodes 3 live of 4   links 2 up of 3   forwards 200/s   lookups 400/s   claims 2,000/s, complete")
	f(View(reading(2, 100, 1), reading(1, 100, 0)), "nodes 3 live of 4   links 2 up of 3   forwards 0/s   lookups 0/s   claims 0/s, BEHIND")
	if text := View(Reading{}, Reading{}); strings.Contains(text, "Cluster") {
		t.Errorf("a node that is alone shows a cluster:\n%s", text)
	}
}

func TestLoopsAreInOrder(t *testing.T) {
	var w metrics.Writer
	w.Family(metrics.LoopBusySeconds, metrics.Counter, "x")
	for _, id := range []string{"10", "2", "0"} {
		w.Sample(1, "loop", id)
	}
	samples, err := metrics.Read(string(w.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	text := View(Reading{Samples: samples}, Reading{})
	zero, two, ten := strings.Index(text, "Loop 0"), strings.Index(text, "Loop 2"), strings.Index(text, "Loop 10")
	if zero < 0 || two < zero || ten < two {
		t.Errorf("loops at %d, %d, %d in:\n%s", zero, two, ten, text)
	}
}

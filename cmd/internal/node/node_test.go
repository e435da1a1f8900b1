package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/admin"
	"holdfast/cmd/internal/metrics"
	"holdfast/engine"
	"holdfast/engine/cluster"
)

// fake is an engine whose state is given.
type fake struct {
	stats engine.Stats
	conns []engine.ConnInfo
	keys  []engine.KeyInfo
	err   error
	asked engine.ConnFilter

	owners    []string
	ownersErr error
	cutOff    error
}

func (f *fake) Cluster() *cluster.Stats { return f.stats.Cluster }

func (f *fake) Owners(context.Context, string) ([]string, error) { return f.owners, f.ownersErr }

func (f *fake) Ready() error { return f.cutOff }

func (f *fake) Stats() (engine.Stats, error) { return f.stats, f.err }

func (f *fake) Conns(filter engine.ConnFilter) ([]engine.ConnInfo, error) {
	f.asked = filter
	return f.conns[:min(len(f.conns), filter.Limit)], f.err
}

func (f *fake) Key(name string) (engine.KeyInfo, bool) {
	for _, k := range f.keys {
		if k.Key == name {
			return k, true
		}
	}
	return engine.KeyInfo{}, false
}

// Keys uses the position in the list as its cursor.
func (f *fake) Keys(cursor uint64, limit int) ([]engine.KeyInfo, uint64) {
	rest := f.keys[min(int(cursor), len(f.keys)):]
	if limit >= len(rest) {
		return rest, 0
	}
	return rest[:limit], cursor + uint64(limit)
}

var _ admin.Source = (*Node)(nil)

func TestReadyUntilDrained(t *testing.T) {
	f := &fake{}
	n := New(f)
	if err := n.Ready(); err != nil {
		t.Errorf("a new node: %v", err)
	}
	f.cutOff = errors.New("cut off")
	if err := n.Ready(); !errors.Is(err, f.cutOff) {
		t.Errorf("a node that is cut off: %v", err)
	}
	n.Drain()
	if err := n.Ready(); err == nil || !strings.Contains(err.Error(), "draining") {
		t.Errorf("a node that drains: %v", err)
	}
}

func TestConnsAreTranslated(t *testing.T) {
	f := &fake{conns: []engine.ConnInfo{{
		ID: 255, Loop: 1, Listener: "public", Peer: "192.0.2.1:5", Form: "sse", Keys: []string{"a,b", "\xff"},
		Age: 90 * time.Second, LastSent: 3 * time.Second, Queued: 7,
	}, {Age: time.Second, LastSent: 2 * time.Second}}}
	list, more, err := New(f).Conns(t.Context(), admin.ConnFilter{Key: []byte("a,b"), Form: "sse", MinAge: time.Minute, MinQueued: 7}, 5)
	if err != nil || more || len(list) != 2 {
		t.Fatalf("%v, more %v, %v", list, more, err)
	}
	const want = `{ff 1 public 192.0.2.1:5 sse [a%2Cb %FF] 90 3 7}`
	if got := fmt.Sprint(list[0]); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if list[1].SentSeconds != -1 {
		t.Errorf("nothing was sent, but %d s ago", list[1].SentSeconds)
	}
	if want := (engine.ConnFilter{Key: "a,b", Form: "sse", MinAge: time.Minute, MinQueued: 7, Limit: 6}); f.asked != want {
		t.Errorf("asked %+v, want %+v", f.asked, want)
	}
}

func TestConnsSayWhetherThereAreMore(t *testing.T) {
	f := &fake{conns: make([]engine.ConnInfo, 3)}
	for limit, want := range map[int]string{2: "2 true", 3: "3 false", 4: "3 false"} {
		list, more, err := New(f).Conns(t.Context(), admin.ConnFilter{}, limit)
		if got := fmt.Sprint(len(list), more); got != want || err != nil {
			t.Errorf("limit %d of 3: %s, %v; want %s", limit, got, err, want)
		}
	}
	f.err = errors.New("silent")
	if _, _, err := New(f).Conns(t.Context(), admin.ConnFilter{}, 1); !errors.Is(err, f.err) {
		t.Errorf("a silent loop is told as %v", err)
	}
}

func TestKeysComeOnceInPages(t *testing.T) {
	f := &fake{}
	for i := range 100 {
		f.keys = append(f.keys, engine.KeyInfo{Key: fmt.Sprintf("%c-%d", "ab"[i%2], i), Connections: i})
	}
	n := New(f)
	pages := func(prefix string, limit int) (got []string) {
		t.Helper()
		for after := ""; ; {
			list, next, err := n.Keys(t.Context(), []byte(prefix), after, limit)
			if err != nil || len(list) > limit {
				t.Fatalf("%d keys of %d, %v", len(list), limit, err)
			}
			for _, k := range list {
				got = append(got, k.Key)
			}
			if next == "" {
				return got
			}
			after = next
		}
	}
	for _, limit := range []int{1, 7, 50, 100, 1000} {
		for prefix, want := range map[string]int{"": 100, "b-": 50} {
			got := pages(prefix, limit)
			slices.Sort(got)
			if n := len(got); n != want || len(slices.Compact(got)) != want {
				t.Errorf("limit %d: %d keys begin with %q, want each of %d once", limit, n, prefix, want)
			}
		}
	}
	if got := pages("c", 10); len(got) != 0 {
		t.Errorf("keys that begin with c: %q", got)
	}
}

func TestStrangeCursorsAreRefused(t *testing.T) {
	for _, after := range []string{"0", "x", "-1", "1ffffffffffffffff"} {
		if _, _, err := New(&fake{}).Keys(t.Context(), nil, after, 1); !errors.Is(err, admin.ErrCursor) {
			t.Errorf("cursor %q: %v", after, err)
		}
	}
}

func TestHolders(t *testing.T) {
	f := &fake{keys: []engine.KeyInfo{{Key: "a b", Connections: 2}}, conns: make([]engine.ConnInfo, 2)}
	h, err := New(f).Holders(t.Context(), []byte("a b"), 1)
	if err != nil || h.Key.Key != "a%20b" || h.Holders != 2 || len(h.Conns) != 1 || f.asked.Key != "a b" {
		t.Errorf("%+v, %v, asked %+v", h, err, f.asked)
	}
	if h, err = New(f).Holders(t.Context(), []byte("x"), 1); err != nil || h.Holders != 0 {
		t.Errorf("a key that nobody holds: %+v, %v", h, err)
	}
	f.owners, f.ownersErr = []string{"b"}, errors.New("not sure")
	if h, err = New(f).Holders(t.Context(), []byte("x"), 1); err != nil || h.Holders != 0 || h.Nodes[0] != "b" || h.Doubt != "not sure" {
		t.Errorf("a key that another node claims: %+v, %v", h, err)
	}
}

func TestMetricsTellEveryNumber(t *testing.T) {
	f := &fake{stats: engine.Stats{Loops: make([]engine.LoopStats, 2)}}
	r := &f.stats.Registry
	r.Keys, r.TableBytes, r.NameBytes, r.GroupBytes = 9, 500, 60, 7
	for i := range f.stats.Loops {
		l := &f.stats.Loops[i]
		l.Loop.Conns, l.Loop.Accepted, l.Loop.BusyNanos = int64(10+i), 100, 5e8
		l.Loop.Closed[2] = 4 // reset
		l.Gauges.RecordBytes = 1000 * (i + 1)
		l.HTTP1.States[0], l.HTTP1.States[4] = 5, int64(5+i)
		l.Gateway.Holds[2] = 3
		l.Gateway.Pushes.Nobody = 6
		l.Gateway.Messages[1] = 8
		l.Gateway.Latency[0], l.Gateway.Latency[10], l.Gateway.Latency[25] = 1, 2, 3
		l.Gateway.LatencySum = time.Second
	}
	var w metrics.Writer
	if err := New(f).Metrics(t.Context(), &w); err != nil {
		t.Fatal(err)
	}
	all, err := metrics.Read(string(w.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	is := func(got, want float64) {
		t.Helper()
		if got != want {
			t.Errorf("got %v, want %v in:\n%s", got, want, w.Bytes())
		}
	}
	is(all.Sum(metrics.Conns, "loop", "1"), 11)
	is(all.Sum(metrics.Conns), 21)
	is(all.Sum(metrics.ConnStates, "state", "idle"), 10)
	is(all.Sum(metrics.ConnStates, "state", "held"), 11)
	is(all.Sum(metrics.ConnStates), 21)
	is(all.Sum(metrics.ConnBytes), 3567.0/21)
	is(all.Sum(metrics.Accepted), 200)
	is(all.Sum(metrics.LoopBusySeconds), 1)
	is(all.Sum(metrics.Closed, "reason", "reset"), 8)
	is(all.Sum(metrics.Closed), 8)
	is(all.Sum(metrics.Holds, "form", "sse"), 6)
	is(all.Sum(metrics.Keys), 9)
	is(all.Sum(metrics.Pushes, "verdict", "nobody"), 12)
	is(all.Sum(metrics.Deliveries, "fate", "delivered"), 16)
	h := all.Buckets(metrics.PushSeconds)
	is(float64(h.Total()), 12)
	is(h.Sum, 2)
	is(float64(h.Counts[10]), 4)
	is(h.Bounds[10], 0.001024)
	is(float64(h.Counts[len(h.Counts)-1]), 6)
	f.stats.Loops = nil
	w = metrics.Writer{}
	if err := New(f).Metrics(t.Context(), &w); err != nil {
		t.Error(err)
	}
	if all, err = metrics.Read(string(w.Bytes())); err != nil {
		t.Error(err)
	}
	is(all.Sum(metrics.ConnBytes), 0)
	f.err = errors.New("silent")
	if err := New(f).Metrics(t.Context(), &metrics.Writer{}); !errors.Is(err, f.err) {
		t.Errorf("a silent loop is told as %v", err)
	}
}

// What HTTP/2 and WebSockets count is told under the names that their dashboards use.
func TestMetricsTellOfProtocols(t *testing.T) {
	f := &fake{stats: engine.Stats{Loops: make([]engine.LoopStats, 2)}}
	for i := range f.stats.Loops {
		l := &f.stats.Loops[i]
		l.HTTP1.Requests, l.HTTP2.Requests = 1, 2
		l.HTTP2.Conns, l.HTTP2.Streams[0], l.HTTP2.Streams[1] = 3, 4, 5
		l.HTTP2.ResetsIn, l.HTTP2.GoawaysIn, l.HTTP2.Goaways[11], l.HTTP2.Abuse[6] = 6, 7, 8, 9
		l.Sockets.Open, l.Sockets.Opened, l.Sockets.Deflating, l.Sockets.Floods = 10, 12, 11, 13
		l.Gateway.Inbound = 14
	}
	var w metrics.Writer
	if err := New(f).Metrics(t.Context(), &w); err != nil {
		t.Fatal(err)
	}
	text := string(w.Bytes())
	for _, line := range []string{
		`holdfast_requests_total{protocol="http2"} 4`,
		`holdfast_h2_conns{loop="1"} 3`,
		`holdfast_h2_streams{loop="0"} 9`,
		`holdfast_h2_resets_total{by="client"} 12`,
		`holdfast_h2_goaways_total{by="us"} 16`,
		`holdfast_h2_abuse_total{kind="reset"} 18`,
		`holdfast_ws_open{loop="0"} 10`,
		`holdfast_ws_opened_total{deflate="no"} 2`,
		`holdfast_ws_opened_total{deflate="yes"} 22`,
		`holdfast_ws_ended_total{reason="flood"} 26`,
		`holdfast_inbound_total{result="pushed"} 28`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}

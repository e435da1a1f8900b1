package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/metrics"
	"holdfast/engine"
	"holdfast/engine/cluster"
	"holdfast/registry/directory"
	"holdfast/registry/peer"
)

// crowd is a cluster of this node and others.
func crowd(others ...cluster.NodeInfo) *fake {
	s := &cluster.Stats{Lease: 5 * time.Second, Incarnation: "i", Marked: true, Current: true}
	s.Nodes = append([]cluster.NodeInfo{{Name: "a", Instance: 0x1f, Self: true, Link: "self"}}, others...)
	return &fake{stats: engine.Stats{Loops: make([]engine.LoopStats, 2), Cluster: s, Uptime: time.Minute}}
}

func TestNodesOfOneAlone(t *testing.T) {
	if list := New(&fake{}).Nodes(); list.Cluster || len(list.Nodes) != 0 || list.Lease != "" {
		t.Errorf("%+v", list)
	}
}

func TestNodesAreTranslated(t *testing.T) {
	now := time.Now()
	f := func(info cluster.NodeInfo, want string) {
		t.Helper()
		if got := fmt.Sprintf("%v", member(&info, now)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(cluster.NodeInfo{Name: "a", Instance: 0x1f, Address: "h:1", Release: "r", Self: true, Link: "self"},
		"{a 000000000000001f h:1 r true live 0 complete self  0 0 0 0 0 0 0 0}")
	f(cluster.NodeInfo{Name: "a", Self: true, Link: "self", Lapsed: true, Behind: true},
		"{a 0000000000000000   true lapsed -1 behind self  0 0 0 0 0 0 0 0}")
	f(cluster.NodeInfo{
		Name: "b", Instance: 2, Address: "h:2", Link: "refused", Lapsed: true, Since: now.Add(-7 * time.Second),
		Stats: peer.LinkStats{
			Since: now.Add(-9 * time.Second), Release: "r2", InFlight: 1, Queued: 2, Sent: 3, Received: 4, Reconnects: 5, Serving: 6,
			RoundTrip: 250 * time.Millisecond, Error: "nobody listens",
		},
	}, "{b 0000000000000002 h:2 r2 false lapsed 7 complete refused nobody listens 9 0.25 1 2 3 4 5 6}")
}

func TestRemarksSayWhatToLookAt(t *testing.T) {
	f := func(want string, change func(*cluster.Stats)) {
		t.Helper()
		e := crowd()
		change(e.stats.Cluster)
		if got := strings.Join(New(e).Nodes().Remarks, "; "); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("", func(*cluster.Stats) {})
	f("has not answered yet", func(s *cluster.Stats) { s.Directory.LastBeat, s.Current = -1, false })
	f("has not answered for 12.3s", func(s *cluster.Stats) { s.Directory.LastBeat, s.Current = 12345*time.Millisecond, false })
	f("answered 503", func(s *cluster.Stats) { s.Marked = false })
	f("out of memory", func(s *cluster.Stats) { s.Directory.Failing = "out of memory" })
	f(`two nodes are named "a"`, func(s *cluster.Stats) { s.Directory.Warning = `two nodes are named "a"` })
}

func TestBrokenLinksAreRemarkedOn(t *testing.T) {
	f := func(want string, others ...cluster.NodeInfo) {
		t.Helper()
		if got := strings.Join(New(crowd(others...)).Nodes().Remarks, "; "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	up := cluster.NodeInfo{Name: "b", Address: "h:1", Link: "up"}
	down := cluster.NodeInfo{Name: "c", Address: "h:2", Link: "down", Stats: peer.LinkStats{Error: "silent"}}
	f("", up)
	f("no link to c at h:2: silent", up, down)
	f("", up, cluster.NodeInfo{Name: "b", Link: "refused", Lapsed: true}) // it was restarted
	f(`two nodes are named "b": give each its own --node`, up, up)
	f(`two nodes are named "a": give each its own --node`, cluster.NodeInfo{Name: "a", Link: "up"}, up)
	f(strings.Repeat("no link to c at h:2: silent; ", maxBroken)+"no link to 2 more", slices.Repeat([]cluster.NodeInfo{down}, maxBroken+2)...)
}

// A wrong secret looks like a network that cuts; the refusals tell. Long after, with all links up, they are no news.
func TestWrongSecretsAreRemarkedOn(t *testing.T) {
	f := func(want int, others ...cluster.NodeInfo) {
		t.Helper()
		e := crowd(others...)
		e.stats.Cluster.Faults = map[peer.Fault]uint64{peer.BadProof: 7}
		if got := strings.Join(New(e).Nodes().Remarks, "; "); strings.Count(got, "7 connections to the peer listener were refused") != want {
			t.Errorf("got %q, want %d remarks on them", got, want)
		}
	}
	f(1, cluster.NodeInfo{Name: "b", Link: "down", Stats: peer.LinkStats{Error: "EOF"}})
	f(0, cluster.NodeInfo{Name: "b", Link: "up"})
}

// read scrapes a node.
func read(t *testing.T, f *fake) metrics.Samples {
	t.Helper()
	var w metrics.Writer
	if err := New(f).Metrics(t.Context(), &w); err != nil {
		t.Fatal(err)
	}
	all, err := metrics.Read(string(w.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMetricsOfTheCluster(t *testing.T) {
	f := crowd(
		cluster.NodeInfo{Name: "b", Link: "down", Lapsed: true, Behind: true, Stats: peer.LinkStats{InFlight: 2, RoundTrip: time.Second}},
		cluster.NodeInfo{Name: "b", Link: "up", Stats: peer.LinkStats{InFlight: 3, RoundTrip: 2 * time.Second, Queued: 9, Sent: 10, Received: 11, Reconnects: 12, Serving: 13}},
		cluster.NodeInfo{Name: "c", Link: "up"})
	s := f.stats.Cluster
	s.Pushes, s.Local, s.Forwards, s.Relayed, s.Fallback, s.NotMine = 1, 2, 3, 4, 5, 6
	s.Unreached, s.Unknown, s.Refused, s.Served, s.PassedOn, s.Kept = 7, 8, 9, 10, 11, 12
	s.Faults = map[peer.Fault]uint64{peer.Silent: 13, peer.BadProof: 14}
	s.Directory = directory.Stats{
		Acknowledged: 20, Failed: 21, Reclaimed: 22, Refreshed: 23, Repairs: 24, Disowned: 25, Rounds: 26, Turns: 27,
		Asks: 40, Coalesced: 10, AsksRefused: 28, AsksFailed: 29, PeeksHit: 30, PeeksMissed: 31,
		Beats: 50, BeatsFailed: 8, LastBeat: 1500 * time.Millisecond, Dirty: 32, Lingering: 33, Waiting: 34, Behind: true,
	}
	s.Directory.Claims.Buckets[10], s.Directory.Claims.Sum = 3, time.Second
	for i := range f.stats.Loops {
		g := &f.stats.Loops[i].Gateway
		g.Errands, g.Duplicates, g.Unclaimed = 1, 2, 3
	}
	all := read(t, f)
	is := func(want float64, name string, labels ...string) {
		t.Helper()
		if got := all.Sum(name, labels...); got != want || all[name] == nil {
			t.Errorf("%s %q is %v, want %v", name, labels, got, want)
		}
	}
	is(3, metrics.Nodes, "lease", "live")
	is(1, metrics.Nodes, "lease", "lapsed")
	is(1, "holdfast_nodes_behind")
	is(2, metrics.Links, "state", "up")
	is(1, metrics.Links, "state", "down")
	is(0, metrics.Links, "state", "refused")
	is(1, metrics.Behind)
	is(20, metrics.Claims, "result", "acknowledged")
	is(21, metrics.Claims, "result", "failed")
	is(22, "holdfast_claims_again_total", "reason", "reclaim")
	is(23, "holdfast_claims_again_total", "reason", "refresh")
	is(24, "holdfast_claims_again_total", "reason", "repair")
	is(25, "holdfast_claims_disowned_total")
	is(26, "holdfast_claim_rounds_total")
	is(27, "holdfast_directory_turns_total")
	is(30, metrics.Lookups, "from", "kept")
	is(30, metrics.Lookups, "from", "server")
	is(10, metrics.Lookups, "from", "shared")
	is(31, "holdfast_lookups_not_kept_total")
	is(28, "holdfast_lookup_trouble_total", "reason", "refused")
	is(29, "holdfast_lookup_trouble_total", "reason", "failed")
	is(34, "holdfast_lookups_waiting")
	is(12, "holdfast_lookups_kept")
	is(32, "holdfast_claims_dirty")
	is(33, "holdfast_claims_lingering")
	is(42, "holdfast_beats_total", "result", "answered")
	is(8, "holdfast_beats_total", "result", "failed")
	is(1.5, metrics.LastBeat)
	is(1, "holdfast_directory_current")
	is(1, "holdfast_directory_marked")
	is(1, "holdfast_cluster_pushes_total")
	is(2, "holdfast_cluster_pushes_local_total")
	is(3, metrics.Forwards, "way", "link")
	is(4, metrics.Forwards, "way", "relay")
	is(5, "holdfast_forwards_fallback_total")
	is(6, "holdfast_forwards_not_mine_total")
	is(7, "holdfast_cluster_trouble_total", "reason", "unreached")
	is(8, "holdfast_cluster_trouble_total", "reason", "unknown")
	is(9, "holdfast_cluster_trouble_total", "reason", "refused")
	is(10, "holdfast_served_total", "as", "owner")
	is(11, "holdfast_served_total", "as", "relay")
	is(13, "holdfast_link_faults_total", "reason", "silent")
	is(14, "holdfast_link_faults_total", "reason", "proof")
	is(5, "holdfast_link_in_flight", "peer", "b")
	is(2, "holdfast_link_round_trip_seconds", "peer", "b")
	is(9, "holdfast_link_queued_bytes", "peer", "b")
	is(10, "holdfast_link_sent_bytes_total", "peer", "b")
	is(11, "holdfast_link_received_bytes_total", "peer", "b")
	is(12, "holdfast_link_reconnects_total", "peer", "b")
	is(13, "holdfast_link_serving", "peer", "b")
	is(0, "holdfast_link_in_flight", "peer", "c")
	is(1, "holdfast_errands_total", "loop", "1")
	is(4, "holdfast_push_duplicates_total")
	is(6, "holdfast_heads_unclaimed_total")
	h := all.Buckets(metrics.DirectorySeconds, "call", "claim")
	if h.Total() != 3 || h.Sum != 1 || h.Counts[10] != 3 {
		t.Errorf("calls that claim: %+v", h)
	}
}

func TestMetricsOfOneAloneHaveNoCluster(t *testing.T) {
	f := &fake{stats: engine.Stats{Loops: make([]engine.LoopStats, 1)}}
	for name := range read(t, f) {
		for _, word := range []string{"claim", "link_", "cluster", "lookup", "beat", "holdfast_nodes"} {
			if strings.Contains(name, word) {
				t.Errorf("%s on a node that is alone", name)
			}
		}
	}
}

// A beat that never came must not look like one that has just come.
func TestLastBeatOfANodeThatHadNone(t *testing.T) {
	f := crowd()
	f.stats.Cluster.Directory.LastBeat = -1
	if got := read(t, f).Sum(metrics.LastBeat); got != 60 {
		t.Errorf("%v, want the age of the process", got)
	}
	if got := New(f).Nodes().BeatSeconds; got != -1 {
		t.Errorf("beat_seconds %v", got)
	}
}

func TestSeriesOfPeersAreBounded(t *testing.T) {
	var others []cluster.NodeInfo
	for i := range 100 {
		n := cluster.NodeInfo{Name: fmt.Sprintf("n%03d", i), Link: "up", Stats: peer.LinkStats{InFlight: 1}}
		others = append(others, n, n) // two instances each
	}
	all := read(t, crowd(others...))
	const name = "holdfast_link_in_flight"
	if got := len(all[name]); got != maxPeers+1 {
		t.Errorf("%d series", got)
	}
	f := func(peer string, want float64) {
		t.Helper()
		if got := all.Sum(name, "peer", peer); got != want {
			t.Errorf("%s: %v, want %v", peer, got, want)
		}
	}
	f("n000", 2)
	f("n063", 2)
	f(otherPeers, 72)
	if got := all.Sum(name); got != 200 {
		t.Errorf("%v in all", got)
	}
}

package node

import (
	"maps"
	"slices"

	"holdfast/cmd/internal/metrics"
	"holdfast/engine"
	"holdfast/engine/cluster"
	"holdfast/registry/directory"
	"holdfast/registry/peer"
)

// cluster writes what the node's part in its cluster is. A node that is alone has none of these families.
func (e *exposition) cluster() {
	s := e.stats.Cluster
	e.members(s)
	e.claims(&s.Directory)
	e.lookups(s)
	e.directory(s)
	e.forwards(s)
	e.links(s.Nodes)
	e.Family("holdfast_link_faults_total", metrics.Counter, "Connections between nodes that this one refused, could not make, or ended, by reason.")
	for _, f := range slices.Sorted(maps.Keys(s.Faults)) {
		e.Count(s.Faults[f], "reason", f.String())
	}
}

func (e *exposition) flag(name, help string, is bool) {
	value := 0.0
	if is {
		value = 1
	}
	e.One(name, metrics.Gauge, help, value)
}

// members are the nodes by state.
func (e *exposition) members(s *cluster.Stats) {
	var live, lapsed, behind float64
	links := map[string]float64{}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if n.Lapsed {
			lapsed++
		} else {
			live++
		}
		if n.Behind {
			behind++
		}
		if !n.Self {
			links[n.Link]++
		}
	}
	e.Family(metrics.Nodes, metrics.Gauge, "Nodes of the cluster that this one knows, itself included, by their lease.")
	e.Sample(live, "lease", "live")
	e.Sample(lapsed, "lease", "lapsed")
	e.One("holdfast_nodes_behind", metrics.Gauge, "Nodes whose claims are not all in the directory: each is asked about every key.", behind)
	e.Family(metrics.Links, metrics.Gauge, "Links from this node to others, by state.")
	for _, state := range []peer.State{peer.Up, peer.Down, peer.Refused} {
		e.Sample(links[state.String()], "state", state.String())
	}
	e.flag(metrics.Behind, "1 while claims of this node are not all in the directory, or the directory cannot be reached.", s.Directory.Behind)
}

func (e *exposition) claims(d *directory.Stats) {
	e.Family(metrics.Claims, metrics.Counter, "Claims, and ends of claims, that were written to the directory, by what it answered. Failed ones are written again.")
	e.Count(d.Acknowledged, "result", "acknowledged")
	e.Count(d.Failed, "result", "failed")
	e.Family("holdfast_claims_again_total", metrics.Counter, "Claims written again though nothing had changed here, by reason.")
	e.Count(d.Reclaimed, "reason", "reclaim")
	e.Count(d.Refreshed, "reason", "refresh")
	e.Count(d.Repairs, "reason", "repair")
	e.One("holdfast_claim_rounds_total", metrics.Counter, "Times that every key of this node was claimed, the start included.", float64(d.Rounds))
	e.One("holdfast_claims_disowned_total", metrics.Counter, "Claims of ended instances that this node removed.", float64(d.Disowned))
	e.One("holdfast_claims_dirty", metrics.Gauge, "Keys whose claim waits to be written.", float64(d.Dirty))
	e.One("holdfast_claims_lingering", metrics.Gauge, "Claims kept for clients that may come back.", float64(d.Lingering))
	e.perLoop("holdfast_heads_unclaimed_total", metrics.Counter, "Streams whose head was sent before other nodes could find their keys.",
		func(l *engine.LoopStats) float64 { return float64(l.Gateway.Unclaimed) })
}

func (e *exposition) lookups(s *cluster.Stats) {
	d := &s.Directory
	e.Family(metrics.Lookups, metrics.Counter, "Lookups of a key's owners, by where they were answered: from what is kept here, by the directory's server, or by a question to it that was waiting already.")
	e.Count(d.PeeksHit, "from", "kept")
	e.Count(d.Asks-min(d.Coalesced, d.Asks), "from", "server")
	e.Count(d.Coalesced, "from", "shared")
	e.One("holdfast_lookups_not_kept_total", metrics.Counter, "Lookups that found no kept answer and went on to the directory's server.", float64(d.PeeksMissed))
	e.Family("holdfast_lookup_trouble_total", metrics.Counter, "Lookups without an answer, by reason.")
	e.Count(d.AsksFailed, "reason", "failed")
	e.Count(d.AsksRefused, "reason", "refused")
	e.One("holdfast_lookups_waiting", metrics.Gauge, "Lookups that wait for the directory's server.", float64(d.Waiting))
	e.One("holdfast_lookups_kept", metrics.Gauge, "Answers of the directory that are kept until it invalidates them.", float64(s.Kept))
}

func (e *exposition) directory(s *cluster.Stats) {
	d := &s.Directory
	e.FamilyHistogram(metrics.DirectorySeconds, "Time of calls to the directory's server, failed ones too, by call.")
	for _, call := range []struct {
		name string
		took *directory.Latency
	}{{"claim", &d.Claims}, {"lookup", &d.Lookups}, {"beat", &d.Beating}} {
		h := doubling(directory.LatencyBuckets)
		copy(h.Counts, call.took.Buckets[:])
		h.Sum = call.took.Sum.Seconds()
		e.Histogram(h, "call", call.name)
	}
	e.Family("holdfast_beats_total", metrics.Counter, "Renewals of this node's lease, by result.")
	e.Count(d.Beats-min(d.BeatsFailed, d.Beats), "result", "answered")
	e.Count(d.BeatsFailed, "result", "failed")
	age := d.LastBeat
	if age < 0 {
		age = e.stats.Uptime
	}
	e.One(metrics.LastBeat, metrics.Gauge, "Age of the last renewal that was answered; before the first, of the process.", age.Seconds())
	e.flag("holdfast_directory_current", "1 while what is known of the other nodes is younger than half a lease.", s.Current)
	e.flag("holdfast_directory_marked", "1 while each node's claims stand in the directory, so that it can say for certain that nobody holds a key.", s.Marked)
	e.One("holdfast_directory_turns_total", metrics.Counter, "Times that the directory's contents may have been lost: restarts, failovers.", float64(d.Turns))
}

func (e *exposition) forwards(s *cluster.Stats) {
	e.One("holdfast_cluster_pushes_total", metrics.Counter, "Pushes, and questions and ends, that were looked up in the cluster.", float64(s.Pushes))
	e.One("holdfast_cluster_pushes_local_total", metrics.Counter, "Of them, those for which a kept answer named no other node.", float64(s.Local))
	e.Family(metrics.Forwards, metrics.Counter, "Requests sent to other nodes, over their own link or through a third node.")
	e.Count(s.Forwards, "way", "link")
	e.Count(s.Relayed, "way", "relay")
	e.One("holdfast_forwards_fallback_total", metrics.Counter, "Of those over links, to nodes that were asked because the directory could not tell.", float64(s.Fallback))
	e.One("holdfast_forwards_not_mine_total", metrics.Counter, "Reports of nodes that had nobody: what had named them was stale.", float64(s.NotMine))
	e.Family("holdfast_cluster_trouble_total", metrics.Counter, "Pushes for which the cluster could not be asked whole, by reason.")
	e.Count(s.Unreached, "reason", "unreached")
	e.Count(s.Unknown, "reason", "unknown")
	e.Count(s.Refused, "reason", "refused")
	e.Family("holdfast_served_total", metrics.Counter, "Requests of other nodes, by what this one did: took them, or passed them on as a relay.")
	e.Count(s.Served, "as", "owner")
	e.Count(s.PassedOn, "as", "relay")
	e.perLoop("holdfast_errands_total", metrics.Counter, "Requests of other nodes that a loop worked on.",
		func(l *engine.LoopStats) float64 { return float64(l.Gateway.Errands) })
}

// maxPeers bounds the nodes that have series of their own: more would be many series for whoever scrapes every node.
const maxPeers = 64

// otherPeers is the label of the nodes beyond.
const otherPeers = "others"

// peerLinks are the links to one name: a node that was restarted may have two for a while.
type peerLinks struct {
	name string
	sum  peer.LinkStats
}

// byPeer adds the links up by name; they come in the order of names.
func byPeer(nodes []cluster.NodeInfo) (all []peerLinks) {
	for i := range nodes {
		n := &nodes[i]
		if n.Self {
			continue
		}
		last := len(all) - 1
		if last < 0 || all[last].name != n.Name && last+1 <= maxPeers {
			name := n.Name
			if len(all) == maxPeers {
				name = otherPeers
			}
			all = append(all, peerLinks{name: name})
			last++
		}
		t, l := &all[last].sum, &n.Stats
		t.InFlight += l.InFlight
		t.Queued += l.Queued
		t.Sent += l.Sent
		t.Received += l.Received
		t.Reconnects += l.Reconnects
		t.Serving += l.Serving
		t.RoundTrip = max(t.RoundTrip, l.RoundTrip)
	}
	return all
}

func (e *exposition) links(nodes []cluster.NodeInfo) {
	peers := byPeer(nodes)
	per := func(name string, kind metrics.Kind, help string, of func(*peer.LinkStats) float64) {
		e.Family(name, kind, help)
		for i := range peers {
			e.Sample(of(&peers[i].sum), "peer", peers[i].name)
		}
	}
	per("holdfast_link_in_flight", metrics.Gauge, "Requests to a node that wait for its report.",
		func(l *peer.LinkStats) float64 { return float64(l.InFlight) })
	per("holdfast_link_queued_bytes", metrics.Gauge, "Output that waits on the link to a node.",
		func(l *peer.LinkStats) float64 { return float64(l.Queued) })
	per("holdfast_link_serving", metrics.Gauge, "Requests of a node that this one works on.",
		func(l *peer.LinkStats) float64 { return float64(l.Serving) })
	per("holdfast_link_round_trip_seconds", metrics.Gauge, "Time of the last ping over the link to a node; 0 before the first.",
		func(l *peer.LinkStats) float64 { return l.RoundTrip.Seconds() })
	per("holdfast_link_sent_bytes_total", metrics.Counter, "Bytes sent on links that this node dialled.",
		func(l *peer.LinkStats) float64 { return float64(l.Sent) })
	per("holdfast_link_received_bytes_total", metrics.Counter, "Bytes received on links that this node dialled.",
		func(l *peer.LinkStats) float64 { return float64(l.Received) })
	per("holdfast_link_reconnects_total", metrics.Counter, "Times that the link to a node was made anew.",
		func(l *peer.LinkStats) float64 { return float64(l.Reconnects) })
}

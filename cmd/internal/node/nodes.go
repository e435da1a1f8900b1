package node

import (
	"cmp"
	"fmt"
	"time"

	"holdfast/cmd/internal/admin"
	"holdfast/engine/cluster"
	"holdfast/registry/peer"
)

// Nodes lists the cluster as this node sees it.
func (n *Node) Nodes() admin.NodeList {
	s := n.engine.Cluster()
	if s == nil {
		return admin.NodeList{}
	}
	list := admin.NodeList{
		Cluster: true, Lease: s.Lease.String(), Incarnation: string(s.Incarnation), Marked: s.Marked, Current: s.Current,
		BeatSeconds: s.Directory.LastBeat.Seconds(), Dirty: s.Directory.Dirty, Remarks: remarks(s),
	}
	if s.Directory.LastBeat < 0 {
		list.BeatSeconds = -1
	}
	now := time.Now()
	for i := range s.Nodes {
		list.Nodes = append(list.Nodes, member(&s.Nodes[i], now))
	}
	return list
}

func member(info *cluster.NodeInfo, now time.Time) admin.Node {
	l := &info.Stats
	m := admin.Node{
		Name: info.Name, Instance: fmt.Sprintf("%016x", uint64(info.Instance)), Address: info.Address,
		Release: cmp.Or(info.Release, l.Release), Self: info.Self, Lease: "live", Claims: "complete",
		Link: info.Link, LinkError: l.Error, RoundTripSeconds: l.RoundTrip.Seconds(), InFlight: l.InFlight, QueuedBytes: l.Queued,
		SentBytes: l.Sent, ReceivedBytes: l.Received, Reconnects: l.Reconnects, Serving: l.Serving,
	}
	switch {
	case info.Lapsed && info.Since.IsZero():
		m.Lease, m.LapsedSeconds = "lapsed", -1
	case info.Lapsed:
		m.Lease, m.LapsedSeconds = "lapsed", int64(now.Sub(info.Since)/time.Second)
	}
	if info.Behind {
		m.Claims = "behind"
	}
	if !l.Since.IsZero() {
		m.LinkSeconds = int64(now.Sub(l.Since) / time.Second)
	}
	return m
}

// remarks are what the table does not say, or what it should not be believed for.
func remarks(s *cluster.Stats) (all []string) {
	d := &s.Directory
	switch {
	case d.LastBeat < 0:
		all = append(all, "the directory has not answered yet: other nodes than those to whom there are links are not known")
	case !s.Current:
		all = append(all, fmt.Sprintf("the directory has not answered for %v: leases and claims are as they were then", d.LastBeat.Round(time.Second/10)))
	case !s.Marked:
		all = append(all, "not all claims are in the directory yet: pushes to keys that nobody has are answered 503 until they are")
	}
	for _, text := range []string{d.Failing, d.Warning} {
		if text != "" {
			all = append(all, text)
		}
	}
	if name := namesake(s.Nodes); name != "" && d.Warning == "" {
		all = append(all, fmt.Sprintf("two nodes are named %q: give each its own --node", name))
	}
	links := broken(s.Nodes)
	if n := s.Faults[peer.BadProof]; n > 0 && len(links) > 0 {
		all = append(all, fmt.Sprintf("%d connections to the peer listener were refused since the start: they did not know this node's --cluster-secret-file", n))
	}
	return append(all, links...)
}

// namesake is a name that two nodes bear that are both there: what was restarted has no link to its old instance.
func namesake(nodes []cluster.NodeInfo) string {
	last := "" // of those that are there; they come by name
	for i := range nodes {
		switch n := &nodes[i]; {
		case !n.Self && n.Link != peer.Up.String():
		case n.Name == last:
			return n.Name
		default:
			last = n.Name
		}
	}
	return ""
}

// maxBroken bounds the links that are remarked on: where more are down, they are down for one reason.
const maxBroken = 8

// broken says why links are not up.
func broken(nodes []cluster.NodeInfo) (all []string) {
	more := 0
	for i := range nodes {
		switch n := &nodes[i]; {
		case n.Link == peer.Up.String() || n.Stats.Error == "":
		case len(all) == maxBroken:
			more++
		default:
			all = append(all, fmt.Sprintf("no link to %s at %s: %s", n.Name, n.Address, n.Stats.Error))
		}
	}
	if more > 0 {
		all = append(all, fmt.Sprintf("no link to %d more", more))
	}
	return all
}

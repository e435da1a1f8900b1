package cluster

import (
	"time"

	"holdfast/registry/directory"
	"holdfast/registry/peer"
)

// Stats are this node's numbers in its cluster: counts since its start, and how things stand.
type Stats struct {
	Pushes   uint64 // pushes, questions and ends that asked whether other nodes hold the key
	Local    uint64 // of them: the directory's kept answer named nobody else
	Forwards uint64 // requests sent to other nodes over their own links
	Fallback uint64 // of them: to nodes that were asked because the directory could not tell
	Relayed  uint64 // requests sent through a third node
	NotMine  uint64 // reports of nodes that had nobody: their claims were stale
	Served   uint64 // other nodes' requests that this one took
	PassedOn uint64 // requests that this one relayed

	Unreached uint64 // pushes for which some node, or the directory, could not be asked
	Unknown   uint64 // pushes for which some node was asked and did not report
	Refused   uint64 // pushes for which some queue was full

	Lease       time.Duration
	Incarnation directory.Incarnation // of the directory's store; "" before the first beat
	Marked      bool                  // each node's claims stand in it
	Current     bool                  // what is known of the other nodes is not old
	Kept        int                   // answers of the directory that are kept
	Directory   directory.Stats
	Nodes       []NodeInfo
	Faults      map[peer.Fault]uint64 // links that were refused or ended, by reason
}

// Stats reads all of them, at about one moment.
func (c *Cluster) Stats() *Stats {
	t, known := &c.stats, c.dir.Nodes()
	s := &Stats{
		Pushes: t.pushes.Load(), Local: t.local.Load(), Forwards: t.forwards.Load(), Fallback: t.fallback.Load(),
		Relayed: t.relayed.Load(), NotMine: t.notMine.Load(), Served: t.served.Load(), PassedOn: t.passedOn.Load(),
		Unreached: t.unreached.Load(), Unknown: t.unknown.Load(), Refused: t.refused.Load(),
		Lease: c.cfg.Lease, Incarnation: known.Incarnation, Marked: known.Marked, Current: known.Current,
		Directory: c.dir.Stats(), Faults: c.mesh.Faults(),
	}
	if store, ok := c.cfg.Store.(interface{ Cached() int }); ok {
		s.Kept = store.Cached()
	}
	s.Nodes = c.list(known, s.Directory, c.mesh.Stats())
	return s
}

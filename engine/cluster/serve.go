package cluster

import (
	"errors"

	"holdfast/registry/peer"
)

// Serve begins another node's request: one of our loops takes it, or, as a relay, the node that it is meant for. What is
// passed on is not passed on again.
func (c *Cluster) Serve(_ uint64, o peer.Origin, r *peer.Request) {
	if r.Relay != 0 && r.Relay != uint64(c.self.Instance) {
		c.passOn(o, r)
		return
	}
	c.stats.served.Add(1)
	c.repair(r)
	if !c.shared.Serve(o, r) {
		c.mesh.Reply(o, &peer.Report{Refused: 1})
	}
}

// repair writes the claim of a key that is looked for here in vain: the store may have one that is out of date, as after a
// failover that lost its removal. A node that is behind is asked for any key, and repairs nothing.
func (c *Cluster) repair(r *peer.Request) {
	if r.All || c.dir.Behind() {
		return
	}
	if _, held := c.shared.Table.Lookup(r.Key); !held && !c.own(r.Key) {
		c.dir.Repair(r.Key)
	}
}

// passOn relays a request to the node that it is meant for.
func (c *Cluster) passOn(o peer.Origin, r *peer.Request) {
	c.stats.passedOn.Add(1)
	to := r.Relay
	r.Relay = 0
	err := c.mesh.Ask(to, r, func(report peer.Report, err error) {
		switch {
		case errors.Is(err, peer.ErrUnsent):
			report = peer.Report{Unreached: 1}
		case err != nil:
			report = peer.Report{Unknown: 1}
		}
		c.mesh.Reply(o, &report)
	})
	switch {
	case errors.Is(err, peer.ErrBusy), errors.Is(err, peer.ErrLarge):
		c.mesh.Reply(o, &peer.Report{Refused: 1})
	case err != nil:
		c.mesh.Reply(o, &peer.Report{Unreached: 1})
	}
}

// Answer tells the node that asked what became of its request.
func (c *Cluster) Answer(o peer.Origin, r *peer.Report) { c.mesh.Reply(o, r) }

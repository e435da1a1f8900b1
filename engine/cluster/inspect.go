package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/registry/directory"
	"holdfast/registry/peer"
)

// NodeInfo is one instance of a node, as this node sees it.
type NodeInfo struct {
	Name     string
	Instance directory.Instance
	Address  string // where its peer listener is reached
	Release  string
	Self     bool // this node

	Lapsed bool      // its lease has run out
	Since  time.Time // when that was first seen; zero while it lives, or when it never had one
	Behind bool      // its claims are not all in the directory, as far as is known

	Link  string         // from here to it: self, up, down or refused
	Stats peer.LinkStats // of that link; zero for Self
}

// Nodes lists every instance that is known, by name, this one included.
func (c *Cluster) Nodes() []NodeInfo {
	return c.list(c.dir.Nodes(), c.dir.Stats(), c.mesh.Stats())
}

func (c *Cluster) list(known *directory.Nodes, s directory.Stats, links []peer.LinkStats) []NodeInfo {
	to := make(map[directory.Instance]*peer.LinkStats, len(links))
	for i := range links {
		to[directory.Instance(links[i].Instance)] = &links[i]
	}
	all := []NodeInfo{c.selfInfo(s)}
	for id, m := range known.All {
		if id == known.Self {
			continue
		}
		n := NodeInfo{
			Name: m.Name, Instance: id, Address: m.Address, Release: m.Release,
			Lapsed: m.Lapsed, Since: m.Since, Link: peer.Down.String(),
		}
		complete := m.Complete
		if l := to[id]; l != nil {
			n.Link, n.Stats = l.State.String(), *l
			if l.State == peer.Up { // it has told us itself, which is newer than the table
				complete = directory.Incarnation(l.Status.Complete)
				n.Behind = l.Status.Behind
			}
		}
		n.Behind = n.Behind || complete == "" || complete != known.Incarnation
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b NodeInfo) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Instance, b.Instance))
	})
	return all
}

// selfInfo is this node's own row, which the directory may not have yet, or any more.
func (c *Cluster) selfInfo(s directory.Stats) NodeInfo {
	n := NodeInfo{
		Name: c.self.Name, Instance: c.self.Instance, Address: c.self.Address, Release: c.self.Release,
		Self: true, Behind: s.Behind, Link: "self",
	}
	switch {
	case s.LastBeat < 0:
		n.Lapsed = true // it never had one
	case s.LastBeat > c.cfg.Lease:
		n.Lapsed, n.Since = true, time.Now().Add(c.cfg.Lease-s.LastBeat)
	}
	return n
}

// Ready is nil unless this node is cut off from the cluster that it has known: nobody should send it new clients then,
// because pushes from other nodes cannot reach them. A node that has met no other stands alone, and serves who comes.
func (c *Cluster) Ready() error {
	if p := c.picture.Load(); p.stray != "" && p.kin == 0 {
		return fmt.Errorf("node %s has another cluster secret, and no node has this one's: clients here would not be found; give each node the same --cluster-secret-file", p.stray)
	}
	s := c.dir.Stats()
	if !s.Behind || s.LastBeat <= c.cfg.Lease {
		return nil
	}
	p := c.picture.Load()
	others := len(p.links)
	if others == 0 || len(p.up) > 0 {
		return nil
	}
	why := ""
	if s.Failing != "" {
		why = " (" + s.Failing + ")"
	}
	return fmt.Errorf("cut off from the cluster: the directory has not answered for %v%s, and there is no link to any of the %d other nodes; look at this host's network",
		s.LastBeat.Round(100*time.Millisecond), why, others)
}

// errUncertain says that the directory's answer may leave out nodes.
var errUncertain = errors.New("the directory is not sure that it knows all claims now; ask again when no node is behind")

// Owners names the nodes that claim a key, as the directory has it at this moment, and the one that made it: that one
// claims nothing, and may hold it or not. With an error there may be others.
func (c *Cluster) Owners(ctx context.Context, key []byte) ([]string, error) {
	var made directory.Owners
	if by, ok := c.shared.Maker(key); ok {
		made = directory.Owners{directory.Instance(by)}
		if _, held := c.shared.Table.Lookup(key); !held && c.own(key) {
			made = nil
		}
	}
	by := time.Now().Add(c.cfg.LookupTimeout)
	if end, ok := ctx.Deadline(); ok && end.Before(by) {
		by = end
	}
	answer := make(chan directory.Answer, 1)
	if !c.dir.Ask(c.hash.Sum(key), true, by, func(a directory.Answer) { answer <- a }) {
		return nil, errors.New("the directory has as many questions waiting as it may; ask again")
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case a := <-answer:
		err := a.Err
		if err == nil && !a.Certain {
			err = errUncertain
		}
		return c.names(append(made, a.Owners...)), err
	}
}

// names are those of instances; one that is in no table is told by its number.
func (c *Cluster) names(owners directory.Owners) []string {
	known := c.dir.Nodes()
	names := make([]string, 0, len(owners))
	for _, id := range owners {
		switch m := known.All[id]; {
		case id == c.self.Instance:
			names = append(names, c.self.Name)
		case m != nil:
			names = append(names, m.Name)
		default:
			names = append(names, fmt.Sprintf("unknown instance %016x", uint64(id)))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

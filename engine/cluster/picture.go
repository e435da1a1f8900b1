package cluster

import (
	"slices"
	"sync"
	"time"

	"holdfast/registry/directory"
	"holdfast/registry/peer"
)

// picture is what is known of the other nodes at one moment: immutable, drawn anew when something changes.
type picture struct {
	nodes *directory.Nodes
	links map[directory.Instance]peer.State
	up    []directory.Instance // nodes with a link
	// behind are those of up whose claims are not all in the store, as far as they or we know: each of them may hold any
	// key.
	behind []directory.Instance
	// stray is a node that hashes keys otherwise, if there is one: what it holds cannot be found, and nobody else's by it.
	stray string
	kin   int // other nodes that hash them as this one does
}

// outdate has the picture drawn anew soon. It never blocks.
func (c *Cluster) outdate() {
	select {
	case c.redraw <- struct{}{}:
	default:
	}
}

// LinkChanged hears of each link that comes or goes, and of what a node says of its claims.
func (c *Cluster) LinkChanged(uint64) { c.outdate() }

// keepPicture is a goroutine of its own: it draws, keeps links to whom the directory knows, and tells them about us.
func (c *Cluster) keepPicture() {
	for {
		select {
		case <-c.stop:
			return
		case <-c.redraw:
		}
		nodes := c.dir.Nodes()
		keep := make([]peer.Node, 0, len(nodes.All))
		for id, m := range nodes.All {
			if id != nodes.Self {
				keep = append(keep, peer.Node{Instance: uint64(id), Name: m.Name, Address: m.Address})
			}
		}
		c.mesh.Keep(keep)
		c.mesh.Announce(peer.Status{Complete: string(c.dir.Complete()), Behind: c.dir.Behind()})
		c.strangers.left(c.picture.Load().nodes, nodes)
		c.picture.Store(c.draw(nodes))
	}
}

// draw looks at every node. A node whose lease has run out and whose host says that nobody listens there has ended: its
// claims are void.
func (c *Cluster) draw(nodes *directory.Nodes) *picture {
	p := &picture{nodes: nodes, links: make(map[directory.Instance]peer.State, len(nodes.All))}
	for id, m := range nodes.All {
		if id == nodes.Self {
			continue
		}
		if m.Check == c.self.Check {
			p.kin++
		} else {
			p.stray = m.Name
		}
		state, status, _ := c.mesh.Peer(uint64(id))
		p.links[id] = state
		switch {
		case state == peer.Up:
			p.up = append(p.up, id)
			if status.Behind || directory.Incarnation(status.Complete) != nodes.Incarnation {
				p.behind = append(p.behind, id)
			}
		case state == peer.Refused && m.Lapsed:
			c.dir.Bury(id)
		}
	}
	slices.Sort(p.up)
	slices.Sort(p.behind)
	return p
}

// fate of an owner that the directory names.
type standing uint8

const (
	reachable   standing = iota // there is a link to it
	unreachable                 // it may live: what it holds is in doubt
	ended                       // its claims are void
)

// standing says what is known of an instance that claims a key.
func (c *Cluster) standing(p *picture, id directory.Instance) standing {
	m := p.nodes.All[id]
	switch state := p.links[id]; {
	case m == nil:
		if c.strangers.ended(id, p.nodes.Current, 2*c.cfg.Lease/5) {
			return ended
		}
		return unreachable
	case state == peer.Up:
		return reachable
	case state == peer.Refused && m.Lapsed:
		return ended
	}
	return unreachable
}

// strangers are instances that claim keys and are in no node table: they have ended, or joined so lately that this node
// has not heard of them.
type strangers struct {
	mu    sync.Mutex
	since map[directory.Instance]time.Time // when a claim was first met; zero: it was in the table, and left it
}

// mostStrangers bounds what is remembered of them; they are forgotten all together, and are in doubt anew.
const mostStrangers = 64 << 10

// left notes who is not in the table any more: it has ended.
func (s *strangers) left(was, now *directory.Nodes) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range was.All {
		if now.All[id] == nil && len(s.since) < mostStrangers {
			s.since[id] = time.Time{}
		}
	}
	for id := range now.All {
		delete(s.since, id)
	}
}

// ended reports whether an instance has been a stranger for so long that a table read meanwhile would know it.
func (s *strangers) ended(id directory.Instance, current bool, after time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	since, known := s.since[id]
	if !known {
		if len(s.since) >= mostStrangers {
			clear(s.since)
		}
		s.since[id] = time.Now()
		return false
	}
	return current && time.Since(since) > after
}

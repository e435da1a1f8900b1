package directory

import (
	"maps"
	"slices"
	"time"
)

// Nodes is the cluster as this node sees it. It never changes: each change makes another one.
type Nodes struct {
	Self        Instance
	Incarnation Incarnation // "" until the store has answered once
	Marked      bool        // every node's claims stand in this incarnation
	Current     bool        // the last beat that was answered was younger than half a lease
	All         map[Instance]*Member
}

// Member is one instance. Those that the store forgot in an accident are among them, as lapsed, until they come back or
// are known to have ended.
type Member struct {
	Node
	Lapsed bool
	Since  time.Time // first seen lapsed
}

// roster remembers who belongs to the cluster: the store's table and, after the store has lost it, the memory of it.
type roster struct {
	rows map[Instance]*Member // a Member that is here never changes: it is replaced
	lost map[Instance]bool    // rows that the store does not have, though nobody has taken them out

	linked func(Instance) bool // there is a link to it: it lives, whatever the store says
}

// apply takes over what a beat has shown. Rows that were taken out of the table have ended; those that a whole table
// lacks are lost, whatever the reason, and are forgotten when so much time has passed that no claim of theirs can be left.
// Who is linked stays: the store takes out also those that have not reached it for long.
func (r *roster) apply(v View, now time.Time, forget time.Duration) {
	if v.Full {
		r.lost = make(map[Instance]bool, len(r.rows))
		for id := range r.rows {
			r.lost[id] = true
		}
	}
	for _, n := range v.Nodes {
		delete(r.lost, n.Instance)
		row := &Member{Node: n}
		if m := r.rows[n.Instance]; m != nil {
			row.Lapsed, row.Since = m.Lapsed, m.Since
		}
		r.rows[n.Instance] = row
	}
	for _, id := range v.Gone {
		if r.rows[id] != nil && r.linked(id) {
			r.lost[id] = true
			continue
		}
		r.bury(id)
	}
	lapsed := make(map[Instance]bool, len(v.Lapsed))
	for _, id := range v.Lapsed {
		lapsed[id] = true
	}
	for id, m := range r.rows {
		switch is := lapsed[id] || r.lost[id]; {
		case is && !m.Lapsed:
			r.rows[id] = &Member{Node: m.Node, Lapsed: true, Since: now}
		case !is && m.Lapsed:
			r.rows[id] = &Member{Node: m.Node}
		case r.lost[id] && now.Sub(m.Since) > forget && !r.linked(id):
			r.bury(id)
		}
	}
}

// bury forgets an instance that has ended.
func (r *roster) bury(id Instance) {
	delete(r.rows, id)
	delete(r.lost, id)
}

// complete reports whether every claim of every node stands in an incarnation.
func (r *roster) complete(in Incarnation) bool {
	for id, m := range r.rows {
		if r.lost[id] || m.Complete != in {
			return false
		}
	}
	return len(r.rows) > 0
}

// namesake is a live instance with the name of self, 0 if there is none.
func (r *roster) namesake(self Node) Instance {
	for _, id := range slices.Sorted(maps.Keys(r.rows)) {
		if m := r.rows[id]; m.Name == self.Name && id != self.Instance && !m.Lapsed {
			return id
		}
	}
	return 0
}

func (n *Nodes) equal(o *Nodes) bool {
	return n.Incarnation == o.Incarnation && n.Marked == o.Marked && n.Current == o.Current &&
		maps.EqualFunc(n.All, o.All, func(a, b *Member) bool { return *a == *b })
}

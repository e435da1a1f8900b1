package directory

import (
	"slices"
	"testing"
	"time"
)

// A roster remembers who was there before the store lost its table, and only those.
func TestRosterRemembers(t *testing.T) {
	now := time.Unix(1000, 0)
	a, b := Node{Instance: 1, Name: "a"}, Node{Instance: 2, Name: "b"}
	linked := false
	r := roster{rows: map[Instance]*Member{}, lost: map[Instance]bool{}, linked: func(Instance) bool { return linked }}
	f := func(what string, v View, want ...Instance) {
		t.Helper()
		r.apply(v, now, time.Hour)
		var got []Instance
		for id, m := range r.rows {
			if m.Lapsed {
				id = -id
			}
			got = append(got, id)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d; want %d", what, int64s(got), int64s(want))
		}
		now = now.Add(time.Second)
	}
	const gone2 = ^Instance(0) - 1 // 2, lapsed: so that it shows as -2
	f("both there", View{Full: true, Nodes: []Node{a, b}}, 1, 2)
	f("nothing new", View{}, 1, 2)
	f("one lapsed", View{Lapsed: []Instance{2}}, 1, gone2)
	f("it is back", View{}, 1, 2)
	f("one left", View{Gone: []Instance{2}}, 1)
	f("one came", View{Nodes: []Node{b}}, 1, 2)
	f("the table was lost", View{Full: true, Nodes: []Node{a}}, 1, gone2)
	f("and stays so", View{}, 1, gone2)
	f("one came back", View{Nodes: []Node{b}}, 1, 2)
	f("and left", View{Gone: []Instance{2}}, 1)
	f("came again", View{Nodes: []Node{b}}, 1, 2)
	f("lost again", View{Full: true, Nodes: []Node{a}}, 1, gone2)
	r.bury(2)
	f("known to have ended", View{}, 1)
	f("came again", View{Nodes: []Node{b}}, 1, 2)
	f("lost again", View{Full: true, Nodes: []Node{a}}, 1, gone2)
	now = now.Add(time.Hour)
	f("so long that no claim is left", View{}, 1)
	f("nobody lost", View{Full: true, Nodes: []Node{a}}, 1)

	// A node that has not reached the store for long is taken out there. One that is linked lives all the same.
	f("came again", View{Nodes: []Node{b}}, 1, 2)
	linked = true
	f("taken out, but linked", View{Gone: []Instance{2}}, 1, gone2)
	now = now.Add(2 * time.Hour)
	f("for very long", View{}, 1, gone2)
	f("it is back", View{Nodes: []Node{b}}, 1, 2)
	f("taken out again", View{Gone: []Instance{2}}, 1, gone2)
	linked = false
	now = now.Add(2 * time.Hour)
	f("and the link has ended", View{}, 1)
}

func int64s(ids []Instance) (out []int64) {
	for _, id := range ids {
		out = append(out, int64(id))
	}
	return out
}

// Since is when a node was first seen lapsed, whatever else changes.
func TestRosterSince(t *testing.T) {
	r := roster{rows: map[Instance]*Member{}, linked: func(Instance) bool { return false }}
	b := Node{Instance: 2, Name: "b"}
	first := time.Unix(1000, 0)
	r.apply(View{Nodes: []Node{b}, Lapsed: []Instance{2}}, first, time.Hour)
	b.Complete = "x"
	r.apply(View{Nodes: []Node{b}, Lapsed: []Instance{2}}, first.Add(time.Minute), time.Hour)
	if m := r.rows[2]; !m.Lapsed || !m.Since.Equal(first) || m.Complete != "x" {
		t.Errorf("%+v", m)
	}
	r.apply(View{}, first.Add(2*time.Minute), time.Hour)
	r.apply(View{Lapsed: []Instance{2}}, first.Add(3*time.Minute), time.Hour)
	if m := r.rows[2]; !m.Since.Equal(first.Add(3 * time.Minute)) {
		t.Errorf("%+v", m)
	}
}

// A mark needs every node that is known, lapsed and lost ones included.
func TestRosterComplete(t *testing.T) {
	f := func(want bool, lost Instance, complete ...Incarnation) {
		t.Helper()
		r := roster{rows: map[Instance]*Member{}, lost: map[Instance]bool{lost: true}, linked: func(Instance) bool { return false }}
		for i, c := range complete {
			r.rows[Instance(i+1)] = &Member{Node: Node{Complete: c}, Lapsed: i == 1}
		}
		if r.complete("x") != want {
			t.Errorf("%q, lost %d: want %v", complete, lost, want)
		}
	}
	f(false, 0)
	f(true, 0, "x")
	f(true, 0, "x", "x", "x")
	f(false, 0, "x", "")
	f(false, 0, "x", "x", "w")
	f(false, 2, "x", "x", "x")
}

// Nodes see each other come, leave and fall silent.
func TestNodesSeeEachOther(t *testing.T) {
	bubble(t, 2, func(t *testing.T, m *Memory, n []*node) {
		f := func(what string, lapsed bool, all int) {
			t.Helper()
			nodes := n[0].Nodes()
			b := nodes.All[2]
			if len(nodes.All) != all || b != nil && (b.Lapsed != lapsed || b.Since.IsZero() == lapsed) {
				t.Errorf("%s: %d nodes, b is %+v", what, len(nodes.All), b)
			}
		}
		f("at first", false, 2)
		n[1].store.set(func(s *faulty) { s.down = true })
		quiet(lease + 1500*time.Millisecond)
		f("b is silent", true, 2)
		if !n[1].Behind() || n[1].Nodes().Current {
			t.Error("b does not know that it is cut off")
		}
		n[1].store.set(func(s *faulty) { s.down = false })
		quiet(2500 * time.Millisecond)
		f("b is back", false, 2)
		if n[1].Behind() || !n[1].Nodes().Current {
			t.Error("b does not know that it is back")
		}
		before := n[0].Nodes()
		n[1].Close(t.Context())
		quiet(1200 * time.Millisecond)
		f("b has left", false, 1)
		if before.All[2] == nil {
			t.Error("a view has changed")
		}
	})
}

// Changed is called when something has changed, and not when nothing has.
func TestChanged(t *testing.T) {
	bubble(t, 2, func(t *testing.T, m *Memory, n []*node) {
		f := func(what string, want bool) {
			t.Helper()
			n[0].mu.Lock()
			defer n[0].mu.Unlock()
			if got := n[0].changes > 0; got != want {
				t.Errorf("%s: %d calls", what, n[0].changes)
			}
			n[0].changes = 0
		}
		f("at the start", true)
		n[0].join("k")
		quiet(10 * lease)
		f("in quiet", false)
		n[1].Close(t.Context())
		quiet(1200 * time.Millisecond)
		f("a node left", true)
		n[0].store.set(func(s *faulty) { s.down = true })
		quiet(lease)
		f("the store is away", true)
	})
}

// A dead node is buried, once; one that lives after all comes back by itself.
func TestBury(t *testing.T) {
	bubble(t, 3, func(t *testing.T, m *Memory, n []*node) {
		n[1].store.set(func(s *faulty) { s.down = true })
		n[0].Bury(2)
		n[0].Bury(1) // itself
		n[0].Bury(9) // nobody
		quiet(1500 * time.Millisecond)
		for _, a := range []*node{n[0], n[2]} {
			if all := a.Nodes().All; len(all) != 2 || all[2] != nil {
				t.Errorf("%d still sees %d nodes", a.cfg.Self.Instance, len(all))
			}
		}
		n[1].store.set(func(s *faulty) { s.down = false })
		quiet(2500 * time.Millisecond)
		if all := n[0].Nodes().All; all[2] == nil || all[2].Lapsed {
			t.Errorf("b lives, and is %+v", all[2])
		}
		n[0].store.set(func(s *faulty) {
			buried := 0
			for _, b := range s.beats {
				buried += len(b.Bury)
			}
			if buried != 1 {
				t.Errorf("%d buried", buried)
			}
		})
	})
}

// "A row with our name but another instance that is live": somebody has to mend it. One that has just ended is none.
func TestTwoNodesOfOneName(t *testing.T) {
	bubble(t, 1, func(t *testing.T, m *Memory, n []*node) {
		second := newNode(t, m, 2, func(c *Config) { c.Self.Name = n[0].cfg.Self.Name })
		quiet(lease)
		if w := n[0].Stats().Warning; w != "" {
			t.Errorf("too early: %s", w)
		}
		quiet(2 * lease)
		if n[0].Stats().Warning == "" || second.Stats().Warning == "" {
			t.Error("not told")
		}
		second.Close(t.Context())
		quiet(2 * time.Second)
		if w := n[0].Stats().Warning; w != "" {
			t.Errorf("still told: %s", w)
		}
	})
}

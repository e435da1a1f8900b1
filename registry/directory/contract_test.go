package directory

import (
	"cmp"
	"slices"
	"testing"
	"time"
)

// testContract holds a kind of store to what Store says. Each part gets an empty store.
func testContract(t *testing.T, open func() Store) {
	f := func(name string, part func(*testing.T, Store)) {
		t.Run(name, func(t *testing.T) {
			s := open()
			defer s.Close()
			part(t, s)
		})
	}
	f("claims", contractClaims)
	f("many", contractMany)
	f("table", contractTable)
	f("news", contractNews)
	f("leases", contractLeases)
	f("marks", contractMarks)
}

func contractClaims(t *testing.T, s Store) {
	f := func(owner Instance, held bool, want ...Instance) {
		t.Helper()
		claim(t, s, owner, Hash{1}, held)
		if got := lookup(t, s, Hash{1}); !slices.Equal(got, want) {
			t.Fatalf("owners %v, want %v", got, want)
		}
	}
	f(7, true, 7)
	f(7, true, 7)
	f(8, true, 7, 8)
	f(1<<63+5, true, 7, 8, 1<<63+5)
	f(7, false, 8, 1<<63+5)
	f(7, false, 8, 1<<63+5)
	f(8, false, 1<<63+5)
	f(1<<63+5, false)
	f(9, false)
	if got := lookup(t, s, Hash{2}); got != nil {
		t.Errorf("a key that nobody claimed has owners %v", got)
	}
}

func contractMany(t *testing.T, s Store) {
	const n = 700
	changes, keys, found := make([]Change, n), make([]Hash, n), make([]Found, n)
	for i := range n {
		keys[i] = Hash{byte(i), byte(i >> 8), '\r', '\n', 0, 255, '{', '}'}
		changes[i] = Change{Hash: keys[i], Held: i%3 != 0}
	}
	s.Claim(t.Context(), 5, changes)
	for i, c := range changes {
		if c.Err != nil {
			t.Fatal(i, c.Err)
		}
	}
	for _, fresh := range []bool{true, false, false} {
		clear(found)
		s.Lookup(t.Context(), keys, fresh, found)
		for i := range n {
			if found[i].Err != nil || slices.Equal(found[i].Owners, Owners{5}) != changes[i].Held {
				t.Fatalf("fresh %v, key %d, held %v: %+v", fresh, i, changes[i].Held, found[i])
			}
		}
	}
}

// namesOf are those of a view's rows.
func namesOf(v View) (names []string) {
	for _, n := range v.Nodes {
		names = append(names, n.Name)
	}
	slices.Sort(names)
	return names
}

// Who knows nothing is shown all of the table.
func contractTable(t *testing.T, s Store) {
	f := func(b Beat, want ...string) {
		t.Helper()
		v := beat(t, s, b)
		if !v.Full || !slices.Equal(namesOf(v), want) || v.Gone != nil || v.Lapsed != nil || v.Version == "" {
			t.Errorf("%+v; want all of %v", v, want)
		}
	}
	f(Beat{Node: row(1, "a"), Lease: time.Minute}, "a")
	f(Beat{Node: row(1<<63+2, "b"), Lease: time.Minute}, "a", "b")
	f(Beat{Node: row(3, "c"), Lease: time.Minute, Known: "nonsense"}, "a", "b", "c")
	f(Beat{Node: row(1, "a"), Lease: time.Minute, Bury: []Instance{1<<63 + 2, 99}}, "a", "c")
	f(Beat{Node: row(3, "c"), Leave: true}, "a")
	f(Beat{Node: row(1, "a"), Leave: true})
}

// Who knows a version is shown what has changed since, each row once and as it is now.
func contractNews(t *testing.T, s Store) {
	first := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute})
	since := func(known View, nodes []Node, gone ...Instance) View {
		t.Helper()
		v := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute, Known: known.Version})
		slices.Sort(v.Gone)
		slices.SortFunc(v.Nodes, func(a, b Node) int { return cmp.Compare(a.Instance, b.Instance) })
		if v.Full || !slices.Equal(v.Nodes, nodes) || !slices.Equal(v.Gone, gone) {
			t.Errorf("%+v; want %v, and %v gone", v, nodes, gone)
		}
		if quiet := nodes == nil && gone == nil; (v.Version == known.Version) != quiet {
			t.Errorf("version %q after %q, changes: %v", v.Version, known.Version, !quiet)
		}
		return v
	}
	b, c := row(2, "b"), row(1<<63+3, "c")
	since(first, nil)
	beat(t, s, Beat{Node: b, Lease: time.Minute})
	second := since(first, []Node{b})
	beat(t, s, Beat{Node: b, Lease: time.Minute}) // as it was
	since(second, nil)
	beat(t, s, Beat{Node: c, Lease: time.Minute})
	b.Complete = "x"
	third := beat(t, s, Beat{Node: b, Lease: time.Minute})
	since(second, []Node{b, c})
	since(first, []Node{b, c})
	beat(t, s, Beat{Node: c, Leave: true})
	fourth := since(third, nil, c.Instance)
	beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute, Bury: []Instance{2, 99}})
	since(fourth, nil, 2)
	since(third, nil, 2, c.Instance)
	beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute, Bury: []Instance{2, 99}}) // is gone
	fifth := since(first, nil, 2, c.Instance)
	beat(t, s, Beat{Node: b, Lease: time.Minute}) // lives after all
	since(fifth, []Node{b})
	since(first, []Node{b}, c.Instance)
}

func contractLeases(t *testing.T, s Store) {
	const short = 50 * time.Millisecond
	beat(t, s, Beat{Node: row(1, "a"), Lease: short})
	beat(t, s, Beat{Node: row(2, "b"), Lease: time.Minute})
	time.Sleep(2 * short)
	if v := beat(t, s, Beat{Node: row(3, "c"), Lease: time.Minute}); !slices.Equal(v.Lapsed, []Instance{1}) || len(v.Nodes) != 3 {
		t.Errorf("one lease has lapsed: %+v", v)
	}
	if v := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute}); v.Lapsed != nil {
		t.Errorf("it was renewed: %+v", v)
	}
}

func contractMarks(t *testing.T, s Store) {
	v := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute})
	if v.Marked != "" || v.Incarnation == "" {
		t.Fatalf("at first: %+v", v)
	}
	if at, certain := s.Incarnation(); at != v.Incarnation || !certain {
		t.Errorf("Incarnation() = %q, %v; the view says %q", at, certain, v.Incarnation)
	}
	beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute, Mark: v.Incarnation})
	if v = beat(t, s, Beat{Node: row(2, "b"), Lease: time.Minute}); v.Marked != v.Incarnation {
		t.Errorf("after the mark: %+v", v)
	}
}

package directory

import (
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

func contractTable(t *testing.T, s Store) {
	names := func(v View) (names []string) {
		for _, n := range v.Nodes {
			names = append(names, n.Name)
		}
		slices.Sort(names)
		return names
	}
	first := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute})
	if !slices.Equal(names(first), []string{"a"}) || first.Nodes[0] != row(1, "a") || first.Lapsed != nil {
		t.Fatalf("one node: %+v", first)
	}
	if v := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute, Known: first.Version}); v.Version != first.Version || v.Nodes != nil {
		t.Errorf("nothing changed, but: %+v", v)
	}
	complete := row(1, "a")
	complete.Complete = "x"
	second := beat(t, s, Beat{Node: complete, Lease: time.Minute, Known: first.Version})
	if second.Version <= first.Version || len(second.Nodes) != 1 || second.Nodes[0] != complete {
		t.Errorf("a row that changed: %+v", second)
	}
	both := beat(t, s, Beat{Node: row(1<<63+2, "b"), Lease: time.Minute})
	if both.Version <= second.Version || !slices.Equal(names(both), []string{"a", "b"}) {
		t.Errorf("two nodes: %+v", both)
	}
	beat(t, s, Beat{Node: row(3, "c"), Lease: time.Minute})
	buried := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute, Known: both.Version, Bury: []Instance{1<<63 + 2, 99}})
	if buried.Version <= both.Version || !slices.Equal(names(buried), []string{"a", "c"}) {
		t.Errorf("one was buried: %+v", buried)
	}
	if v := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute, Known: buried.Version, Bury: []Instance{99}}); v.Nodes != nil {
		t.Errorf("nobody was buried, but: %+v", v)
	}
	left := beat(t, s, Beat{Node: row(3, "c"), Leave: true})
	if left.Version <= buried.Version || !slices.Equal(names(left), []string{"a"}) {
		t.Errorf("one has left: %+v", left)
	}
	if v := beat(t, s, Beat{Node: row(1, "a"), Leave: true}); v.Nodes == nil || len(v.Nodes) != 0 {
		t.Errorf("all have left: %+v", v)
	}
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

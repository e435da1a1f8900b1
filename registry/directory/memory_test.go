package directory

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// lookup asks a store for one key, freshly.
func lookup(t *testing.T, s Store, key Hash) Owners {
	t.Helper()
	var found [1]Found
	s.Lookup(t.Context(), []Hash{key}, true, found[:])
	if found[0].Err != nil {
		t.Fatal("Lookup:", found[0].Err)
	}
	return slices.Sorted(slices.Values(found[0].Owners))
}

// claim writes one key's state.
func claim(t *testing.T, s Store, owner Instance, key Hash, held bool) {
	t.Helper()
	change := []Change{{Hash: key, Held: held}}
	s.Claim(t.Context(), owner, change)
	if change[0].Err != nil {
		t.Fatal("Claim:", change[0].Err)
	}
}

// beat renews a lease.
func beat(t *testing.T, s Store, b Beat) View {
	t.Helper()
	v, err := s.Beat(t.Context(), b)
	if err != nil {
		t.Fatal("Beat:", err)
	}
	return v
}

func row(id Instance, name string) Node {
	return Node{Instance: id, Name: name, Address: name + ":7000", Release: "1.0"}
}

func TestMemoryKeepsTheContract(t *testing.T) {
	testContract(t, func() Store { return NewMemory().Join() })
}

func TestMemoryIsSharedByItsViews(t *testing.T) {
	m := NewMemory()
	a, b := m.Join(), m.Join()
	claim(t, a, 1, Hash{9}, true)
	claim(t, b, 2, Hash{9}, true)
	if got := lookup(t, a, Hash{9}); !slices.Equal(got, Owners{1, 2}) {
		t.Errorf("owners %v, want both views' claims", got)
	}
	a.Close()
	if _, certain := a.Incarnation(); certain {
		t.Error("a closed view is certain")
	}
	if _, err := a.Beat(t.Context(), Beat{}); !errors.Is(err, ErrStore) {
		t.Errorf("a closed view's Beat: %v", err)
	}
	if got := lookup(t, b, Hash{9}); len(got) != 2 {
		t.Errorf("owners %v after the other view closed", got)
	}
}

func TestMemoryOwnersAreNeverChanged(t *testing.T) {
	s := NewMemory().Join()
	for id := range Instance(4) {
		claim(t, s, id+1, Hash{1}, true)
	}
	kept := lookup(t, s, Hash{1})
	var found [1]Found
	s.Lookup(t.Context(), []Hash{{1}}, true, found[:])
	claim(t, s, 2, Hash{1}, false)
	claim(t, s, 9, Hash{1}, true)
	if !slices.Equal(found[0].Owners, kept) {
		t.Errorf("an answer that was given changed to %v", found[0].Owners)
	}
}

func TestMemoryWiped(t *testing.T) {
	m := NewMemory()
	s := m.Join()
	first := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Second, Mark: "memory-0"})
	claim(t, s, 1, Hash{1}, true)
	m.Wipe()
	if got := m.Claims(); got != 0 {
		t.Errorf("%d claims are left", got)
	}
	after := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Second, Known: first.Version})
	if after.Incarnation == first.Incarnation || after.Marked != "" || !after.Full || len(after.Nodes) != 1 {
		t.Errorf("after %+v came %+v", first, after)
	}
}

func TestMemoryForgetsRowsOfOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewMemory().Join()
		beat(t, s, Beat{Node: row(1, "a"), Lease: time.Second})
		time.Sleep(DefaultClaimTTL)
		if v := beat(t, s, Beat{Node: row(2, "b"), Lease: time.Second}); len(v.Nodes) != 2 || !slices.Equal(v.Lapsed, []Instance{1}) {
			t.Errorf("within the time: %+v", v)
		}
		time.Sleep(2 * time.Second)
		if v := beat(t, s, Beat{Node: row(2, "b"), Lease: time.Second}); len(v.Nodes) != 1 || v.Lapsed != nil {
			t.Errorf("after the time: %+v", v)
		}
	})
}

func TestMemoryHearsOfAnEndedContext(t *testing.T) {
	s := NewMemory().Join()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	changes, found := []Change{{Hash: Hash{1}, Held: true}}, make([]Found, 1)
	s.Claim(ctx, 1, changes)
	s.Lookup(ctx, []Hash{{1}}, true, found)
	_, err := s.Beat(ctx, Beat{})
	for _, err := range []error{changes[0].Err, found[0].Err, err} {
		if !errors.Is(err, ErrStore) || !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
	if got := lookup(t, s, Hash{1}); got != nil {
		t.Errorf("a refused claim stands: %v", got)
	}
}

// Who was away while more rows went than are remembered is shown the whole table, as is who knows another table.
func TestMemoryRemembersSomeThatAreGone(t *testing.T) {
	m := NewMemory()
	s := m.Join()
	first := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute})
	var second View
	for i := range maxGone + 1 {
		id := Instance(i + 10)
		beat(t, s, Beat{Node: row(id, "b"), Lease: time.Minute})
		beat(t, s, Beat{Node: row(id, "b"), Leave: true})
		if i == 0 {
			second = beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute})
		}
	}
	if v := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute, Known: first.Version}); !v.Full || len(v.Nodes) != 1 {
		t.Errorf("too much has gone since: %+v", v)
	}
	if v := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Minute, Known: second.Version}); v.Full || len(v.Gone) != maxGone {
		t.Errorf("one less: full %v, %d gone", v.Full, len(v.Gone))
	}
}

// "At most MaxLapsed, longest ago first."
func TestMemoryListsSomeThatLapsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewMemory().Join()
		for i := range MaxLapsed + 10 {
			beat(t, s, Beat{Node: row(Instance(1000-i), "b"), Lease: time.Second})
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		v := beat(t, s, Beat{Node: row(1, "a"), Lease: time.Second})
		if len(v.Lapsed) != MaxLapsed || v.Lapsed[0] != 1000 || v.Lapsed[MaxLapsed-1] != 1000-MaxLapsed+1 {
			t.Errorf("%d lapsed: %v", len(v.Lapsed), v.Lapsed)
		}
	})
}

package registry

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// crowd is one loop with slots 1 to n-1 on one key, the highest joined last.
func crowd(t *testing.T, n int) (*Table, *records, *Members) {
	t.Helper()
	tab, r := New(Config{Loops: 2}), newRecords(1, n)
	ms := NewMembers(r)
	for slot := uint32(1); slot < uint32(n); slot++ {
		if err := ms.Join(tab, []byte("k"), slot); err != nil {
			t.Fatal(err)
		}
	}
	return tab, r, ms
}

func TestJoinRefuses(t *testing.T) {
	tab, r, ms := crowd(t, 4)
	f := func(key string, slot uint32, want error) {
		t.Helper()
		before := slices.Clone(r.members)
		if err := ms.Join(tab, []byte(key), slot); !errors.Is(err, want) {
			t.Errorf("Join(%q, %d) = %v, want %v", key, slot, err, want)
		}
		if !slices.Equal(before, r.members) {
			t.Errorf("a refused Join(%q, %d) wrote to a record", key, slot)
		}
	}
	f("k", 0, ErrSlot)
	f("k", 2, ErrJoined)
	f("other", 2, ErrJoined)
	ms.Leave(tab, 2)
	f("", 2, ErrKey)
	r.gens[2] = 0
	f("k", 2, ErrHandle)
}

func TestLeaveClearsItsRecordOnly(t *testing.T) {
	f := func(order ...uint32) {
		t.Helper()
		tab, r, ms := crowd(t, 5)
		if err := ms.Join(tab, []byte("k"), 0); err == nil {
			t.Fatal("slot 0 joined")
		}
		left := []uint32{4, 3, 2, 1}
		for _, slot := range order {
			if !ms.Leave(tab, slot) || ms.Leave(tab, slot) {
				t.Fatalf("%v: slot %d does not leave once", order, slot)
			}
			if r.members[slot] != (Member{}) {
				t.Fatalf("%v: slot %d keeps %+v", order, slot, r.members[slot])
			}
			left = slices.DeleteFunc(left, func(s uint32) bool { return s == slot })
			var got []uint32
			for at := ms.First(tab, []byte("k"), 1); at != 0; at = ms.After(at) {
				got = append(got, at)
			}
			if !slices.Equal(got, left) {
				t.Fatalf("%v: members %v after slot %d, want %v", order, got, slot, left)
			}
		}
		if r.members[0] != (Member{}) {
			t.Fatal("slot 0 was written")
		}
	}
	f(1, 2, 3, 4) // oldest first
	f(4, 3, 2, 1) // newest first
	f(2, 3, 1, 4)
	f(3, 1, 4, 2)
}

// A slot that leaves one key for another takes no neighbour along.
func TestKeysDoNotMix(t *testing.T) {
	tab, r, ms := crowd(t, 4)
	for _, slot := range []uint32{2, 1, 3, 2, 3} {
		ms.Leave(tab, slot)
		r.recycle(slot)
		if err := ms.Join(tab, []byte{'x', byte(slot)}, slot); err != nil {
			t.Fatal(err)
		}
		if got := ms.After(ms.First(tab, []byte{'x', byte(slot)}, 1)); got != 0 {
			t.Fatalf("slot %d brought slot %d along", slot, got)
		}
	}
	if _, ok := tab.Lookup([]byte("k")); ok {
		t.Error("k still has holders")
	}
}

func TestWalkSeesEachMemberThatStays(t *testing.T) {
	f := func(event func(*Table, *Members, uint32), want ...uint32) {
		t.Helper()
		tab, _, ms := crowd(t, 7)
		var w Walk
		var got []uint32
		ms.Start(&w, tab, []byte("k"), 1)
		for slot := ms.Next(&w); slot != 0; slot = ms.Next(&w) {
			got = append(got, slot)
			event(tab, ms, slot)
		}
		if !slices.Equal(got, want) {
			t.Errorf("walked %v, want %v", got, want)
		}
		if ms.Next(&w) != 0 || len(ms.walks) != 0 {
			t.Error("a finished walk goes on")
		}
	}
	leave := func(at uint32, slots ...uint32) func(*Table, *Members, uint32) {
		return func(tab *Table, ms *Members, slot uint32) {
			if slot == at {
				for _, s := range slots {
					ms.Leave(tab, s)
				}
			}
		}
	}
	f(leave(0), 6, 5, 4, 3, 2, 1)
	f(leave(4, 4), 6, 5, 4, 3, 2, 1)       // the visited one
	f(leave(4, 3), 6, 5, 4, 2, 1)          // the next one
	f(leave(4, 3, 2, 4), 6, 5, 4, 1)       // and its next
	f(leave(4, 6, 5), 6, 5, 4, 3, 2, 1)    // visited ones
	f(leave(4, 1, 2, 3), 6, 5, 4)          // all that are left
	f(leave(4, 1, 2, 3, 4, 5, 6), 6, 5, 4) // all
	f(leave(2, 1), 6, 5, 4, 3, 2)
	f(func(tab *Table, ms *Members, slot uint32) { ms.Leave(tab, slot) }, 6, 5, 4, 3, 2, 1)
	f(func(tab *Table, ms *Members, slot uint32) { // newcomers are behind it
		if slot == 4 {
			ms.Leave(tab, 6)
			_ = ms.Join(tab, []byte("k"), 6)
			ms.Leave(tab, 3)
			_ = ms.Join(tab, []byte("k"), 3)
		}
	}, 6, 5, 4, 2, 1)
	f(func(tab *Table, ms *Members, slot uint32) { // the next slot, on another key
		if slot == 4 {
			ms.Leave(tab, 3)
			_ = ms.Join(tab, []byte("other"), 3)
		}
	}, 6, 5, 4, 2, 1)
}

func TestWalksDoNotDisturbEachOther(t *testing.T) {
	tab, _, ms := crowd(t, 5)
	var a, b, none Walk
	ms.Start(&none, tab, []byte("nobody"), 1)
	ms.Start(&a, tab, []byte("k"), 1)
	if ms.Next(&a) != 4 || ms.Next(&none) != 0 {
		t.Fatal("wrong start")
	}
	ms.Start(&b, tab, []byte("k"), 1)
	ms.Leave(tab, 3) // a rests before it, b two before
	if got := ms.Next(&a); got != 2 {
		t.Errorf("a comes to %d", got)
	}
	ms.Stop(&a)
	ms.Stop(&a)
	if ms.Next(&a) != 0 {
		t.Error("a stopped walk goes on")
	}
	for _, want := range []uint32{4, 2, 1, 0} {
		if got := ms.Next(&b); got != want {
			t.Errorf("b comes to %d, want %d", got, want)
		}
	}
	ms.Start(&b, tab, []byte("k"), 1)
	ms.Start(&b, tab, []byte("k"), 1) // again, from the front
	if got := ms.Next(&b); got != 4 || len(ms.walks) != 1 {
		t.Errorf("b starts at %d as one of %d", got, len(ms.walks))
	}
}

// Resting walks beside random joins and leaves, against the plain statement of
// what a walk visits.
func TestWalkModel(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 5))
		tab, r, ms := crowd(t, 30)
		var w Walk
		ms.Start(&w, tab, []byte("k"), 1)
		due := make([]uint32, 0, 29)
		for slot := uint32(29); slot > 0; slot-- {
			due = append(due, slot)
		}
		for len(due) > 0 {
			for range rng.IntN(6) {
				slot := 1 + rng.Uint32N(29)
				if ms.Leave(tab, slot) {
					r.recycle(slot)
					due = slices.DeleteFunc(due, func(s uint32) bool { return s == slot })
				} else if err := ms.Join(tab, []byte("k"), slot); err != nil {
					t.Fatal(err)
				}
			}
			want := uint32(0)
			if len(due) > 0 {
				want, due = due[0], due[1:]
			}
			if got := ms.Next(&w); got != want {
				t.Fatalf("seed %d: walked to %d, want %d", seed, got, want)
			}
		}
		if got := ms.Next(&w); got != 0 {
			t.Fatalf("seed %d: walked on to %d", seed, got)
		}
	}
}

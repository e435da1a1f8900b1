package mem

import (
	"fmt"
	"math/rand/v2"
	"os"
	osmem "runtime/debug"
	"strings"
	"testing"
	"unsafe"
)

// record is as big as a connection's.
type record struct {
	id   uint64
	rest [88]byte
}

func TestNewSlabRefusesPointers(t *testing.T) {
	f := func(t *testing.T, name string, make func(), want bool) {
		t.Helper()
		defer func() {
			t.Helper()
			if got := recover() != nil; got != want {
				t.Errorf("%s: panics: %v, want %v", name, got, want)
			}
		}()
		make()
	}
	f(t, "integer", func() { NewSlab[uint32](1) }, false)
	f(t, "struct of all that is plain", func() {
		NewSlab[struct {
			a bool
			b [3]int16
			c uintptr
			d complex128
			e struct{ f float32 }
		}](1)
	}, false)
	f(t, "array of no pointers", func() {
		NewSlab[struct {
			a int
			b [0]*int
		}](1)
	}, false)
	f(t, "pointer", func() { NewSlab[*int](1) }, true)
	f(t, "string inside", func() { NewSlab[struct{ a struct{ b [2]string } }](1) }, true)
	f(t, "slice", func() { NewSlab[[]byte](1) }, true)
	f(t, "map", func() { NewSlab[map[int]int](1) }, true)
	f(t, "interface", func() { NewSlab[any](1) }, true)
	f(t, "func", func() { NewSlab[func()](1) }, true)
	f(t, "channel", func() { NewSlab[chan int](1) }, true)
	f(t, "unsafe pointer", func() { NewSlab[unsafe.Pointer](1) }, true)
	f(t, "nothing", func() { NewSlab[struct{}](1) }, true)
	f(t, "more than slots", func() { NewSlab[uint32](1 << 31) }, true)
}

func TestSlabHoldsExactlyMax(t *testing.T) {
	for _, limit := range []uint32{0, 1, 2, 62, 63, 64, 65, 1022, 1023, 1024, 1025, 2047, 2048, 5000} {
		s := NewSlab[uint64](limit)
		seen := map[uint32]bool{}
		for slot, ok := s.Alloc(); ok; slot, ok = s.Alloc() {
			if slot == 0 || slot > limit || int(slot) >= s.Cap() || seen[slot] {
				t.Fatalf("max %d: got slot %d", limit, slot)
			}
			seen[slot] = true
		}
		if len(seen) != int(limit) || s.Live() != int(limit) {
			t.Errorf("max %d: got %d slots, live %d", limit, len(seen), s.Live())
		}
		next := uint32(0)
		for slot := s.Next(0); slot != 0; slot = s.Next(slot) {
			next++
			if slot != next {
				t.Fatalf("max %d: Next gives %d for %d", limit, slot, next)
			}
		}
		if next != limit {
			t.Errorf("max %d: Next ends at %d", limit, next)
		}
		if limit > 0 {
			s.Free(limit)
			if slot, ok := s.Alloc(); !ok || slot != limit {
				t.Errorf("max %d: the freed last slot comes back as %d, %v", limit, slot, ok)
			}
		}
	}
}

func TestSlabAnswersForAnySlot(t *testing.T) {
	s := NewSlab[uint64](3000)
	slot, _ := s.Alloc()
	for _, no := range []uint32{0, 2, 1023, 1024, 3000, 3001, 1 << 31, 1<<32 - 1} {
		if s.Used(no) {
			t.Errorf("slot %d is used", no)
		}
		if g := s.Gen(no); (g != 0) != (no == 2 || no == 1023) {
			t.Errorf("slot %d has generation %d", no, g)
		}
		if next := s.Next(no); (next == slot) != (no == 0) {
			t.Errorf("after %d comes %d", no, next)
		}
	}
	if !s.Used(slot) || s.Gen(slot) != 1 {
		t.Errorf("slot %d: used %v, generation %d", slot, s.Used(slot), s.Gen(slot))
	}
}

// TestSlabModel compares a slab under random use with a map.
func TestSlabModel(t *testing.T) {
	const limit = 5 * chunkLen / 2
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s, model := NewSlab[record](limit), map[uint32]uint64{}
		gens, live := map[uint32]uint32{}, []uint32{}
		for step := range uint64(20_000) {
			grow := 9
			if step/4000%2 == 1 {
				grow = 2
			}
			if rng.IntN(10) < grow {
				slot, ok := s.Alloc()
				if ok != (len(live) < limit) {
					t.Fatalf("seed %d step %d: Alloc says %v with %d live", seed, step, ok, len(live))
				}
				if !ok {
					continue
				}
				if _, used := model[slot]; used || slot == 0 {
					t.Fatalf("seed %d step %d: slot %d given twice", seed, step, slot)
				}
				r := s.At(slot)
				if *r != (record{}) {
					t.Fatalf("seed %d step %d: slot %d is not zeroed", seed, step, slot)
				}
				r.id, r.rest[87] = step+1, byte(step)|1
				model[slot] = step + 1
				live = append(live, slot)
			} else if len(live) > 0 {
				i := rng.IntN(len(live))
				slot := live[i]
				live[i] = live[len(live)-1]
				live = live[:len(live)-1]
				if r := s.At(slot); r.id != model[slot] || r.rest[87] != byte(model[slot]-1)|1 {
					t.Fatalf("seed %d step %d: slot %d lost its record", seed, step, slot)
				}
				delete(model, slot)
				s.Free(slot)
				if rng.IntN(2) == 0 {
					s.Bump(slot)
					gens[slot]++
				}
			}
			if step%1000 == 0 {
				checkSlab(t, s, model, gens)
			}
		}
		checkSlab(t, s, model, gens)
	}
}

func checkSlab(t *testing.T, s *Slab[record], model map[uint32]uint64, gens map[uint32]uint32) {
	t.Helper()
	if s.Live() != len(model) {
		t.Fatalf("live %d, want %d", s.Live(), len(model))
	}
	if len(s.open) > len(s.dir) {
		t.Fatalf("%d chunks with free slots of %d chunks", len(s.open), len(s.dir))
	}
	n, last := 0, uint32(0)
	for slot := s.Next(0); slot != 0; slot = s.Next(slot) {
		if _, ok := model[slot]; !ok || slot <= last {
			t.Fatalf("Next(%d) is %d, live: %v", last, slot, ok)
		}
		n, last = n+1, slot
	}
	if n != len(model) {
		t.Fatalf("Next shows %d of %d", n, len(model))
	}
	for slot := range uint32(s.Cap()) {
		_, ok := model[slot]
		if s.Used(slot) != ok {
			t.Fatalf("Used(%d) is %v", slot, !ok)
		}
		if g := s.Gen(slot); g != 0 && g != gens[slot]+1 {
			t.Fatalf("slot %d has generation %d, want %d", slot, g, gens[slot]+1)
		}
	}
}

func TestSlabEachGoesOnWhereItStopped(t *testing.T) {
	s := NewSlab[uint64](5000)
	for range 5000 {
		slot, _ := s.Alloc()
		*s.At(slot) = uint64(slot)
	}
	for slot := uint32(1); slot <= 5000; slot++ {
		if slot%7 != 0 {
			s.Free(slot)
		}
	}
	var seen []uint32
	after, rounds := uint32(0), 0
	for {
		left := 100
		after = s.Each(after, func(slot uint32, r *uint64) bool {
			if *r != uint64(slot) {
				t.Fatalf("slot %d is shown record %d", slot, *r)
			}
			seen = append(seen, slot)
			s.Free(slot)
			left--
			return left > 0
		})
		rounds++
		if after == 0 {
			break
		}
	}
	if len(seen) != 5000/7 || seen[0] != 7 || seen[len(seen)-1] != 4998 || rounds != 8 || s.Live() != 0 {
		t.Errorf("saw %d slots in %d rounds, %d live", len(seen), rounds, s.Live())
	}
}

func TestSlabZeroesAfterLateWriter(t *testing.T) {
	s := NewSlab[record](10)
	slot, _ := s.Alloc()
	r := s.At(slot)
	s.Free(slot)
	r.id = 7
	if again, _ := s.Alloc(); again != slot || *s.At(again) != (record{}) {
		t.Errorf("slot %d reads %v", again, s.At(again).id)
	}
}

func TestGenWraps(t *testing.T) {
	s := NewSlab[uint32](10)
	slot, _ := s.Alloc()
	*s.gen(slot) = genCount - 2
	var got []uint32
	for range 4 {
		got = append(got, s.Gen(slot))
		s.Bump(slot)
	}
	if want := fmt.Sprint([]uint32{1<<30 - 2, 1<<30 - 1, 1, 2}); fmt.Sprint(got) != want {
		t.Errorf("generations %v, want %v", got, want)
	}
	s.Free(slot)
	if again, _ := s.Alloc(); again != slot || s.Gen(slot) != 3 || s.Gen(slot+1) != 1 {
		t.Errorf("slot %d has generation %d, its neighbour %d", slot, s.Gen(slot), s.Gen(slot+1))
	}
}

func TestSlabUsesFreedBeforeNew(t *testing.T) {
	s := NewSlab[record](1 << 20)
	slots := make([]uint32, 10*chunkLen)
	for i := range slots {
		slots[i], _ = s.Alloc()
	}
	was := s.Bytes()
	if perSlot := float64(was) / float64(len(slots)); perSlot > 1.2*(96+4) {
		t.Errorf("%.0f bytes mapped per record of 96", perSlot)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		rng.Shuffle(len(slots), func(i, j int) { slots[i], slots[j] = slots[j], slots[i] })
		for _, slot := range slots[:4000] {
			s.Free(slot)
		}
		for i := range 4000 {
			slots[i], _ = s.Alloc()
		}
	}
	if s.Bytes() != was {
		t.Errorf("mapped %d bytes, were %d before slots were freed and taken again", s.Bytes(), was)
	}
}

// TestSlabResident holds the slab to what a connection may cost: the record, its generation, its bit.
func TestSlabResident(t *testing.T) {
	if debug {
		t.Skip("slabs are on the heap")
	}
	const n = 200_000
	s := NewSlab[record](n)
	before := resident(t)
	for range n {
		slot, _ := s.Alloc()
		s.At(slot).id = 1
		s.Bump(slot)
	}
	if per := float64(resident(t)-before) / n; per < 80 || per > 110 {
		t.Errorf("%.1f resident bytes per record of 96", per)
	}
}

func resident(t *testing.T) int {
	t.Helper()
	osmem.FreeOSMemory() // what earlier tests left must not go away in between
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int
	if _, err := fmt.Fscan(strings.NewReader(string(b)), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func TestSlabDoesNotAllocate(t *testing.T) {
	s := NewSlab[record](100)
	s.Alloc()
	sum := uint64(0)
	if n := testing.AllocsPerRun(100, func() {
		slot, _ := s.Alloc()
		s.At(slot).id++
		s.Bump(slot)
		s.Each(0, func(_ uint32, r *record) bool { sum += r.id; return true })
		s.Free(slot)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSlabAt(b *testing.B) {
	s := NewSlab[record](1 << 16)
	for range 1 << 16 {
		s.Alloc()
	}
	slot, sum := uint32(1), uint64(0)
	for b.Loop() {
		slot = slot*5&(1<<9-1) | 1
		sum += s.At(slot).id
	}
	_ = sum
}

func BenchmarkSlabAllocFree(b *testing.B) {
	s := NewSlab[record](1 << 16)
	for range 1 << 15 {
		s.Alloc()
	}
	for b.Loop() {
		slot, _ := s.Alloc()
		s.Free(slot)
	}
}

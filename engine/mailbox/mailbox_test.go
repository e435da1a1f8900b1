package mailbox

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

func counted(bound, reserve int) (b *Box[int], wakes *int) {
	wakes = new(int)
	return New[int](bound, reserve, func() { *wakes++ }), wakes
}

func TestLettersComeInTheOrderOfPosting(t *testing.T) {
	b, _ := counted(100, 0)
	next := 0
	for _, batch := range []int{1, 0, 3, 50, 0, 2, 100} {
		var want []int
		for range batch {
			if !b.Post(next) {
				t.Fatal("refused")
			}
			want = append(want, next)
			next++
		}
		if got := b.Take(); !slices.Equal(got, want) {
			t.Errorf("took %v, want %v", got, want)
		}
	}
}

func TestTheBoundAndItsReserve(t *testing.T) {
	f := func(bound, reserve, wantOpen, wantReserved int) {
		t.Helper()
		b, _ := counted(bound, reserve)
		open, reserved := 0, 0
		for range bound + 5 {
			if b.Post(1) {
				open++
			}
		}
		for range bound + 5 {
			if b.PostReserved(2) {
				reserved++
			}
		}
		if open != wantOpen || reserved != wantReserved || b.Len() != open+reserved {
			t.Errorf("bound %d, reserve %d: %d and %d taken, %d wait", bound, reserve, open, reserved, b.Len())
		}
		if b.Post(1) || b.PostReserved(1) {
			t.Errorf("bound %d, reserve %d: a full box takes more", bound, reserve)
		}
		if b.Take(); !b.PostReserved(1) || b.Len() != 1 {
			t.Errorf("bound %d, reserve %d: an emptied box takes nothing", bound, reserve)
		}
	}
	f(10, 0, 10, 0)
	f(10, 4, 6, 4)
	f(1, 0, 1, 0)
	f(1, 1, 0, 1)
	f(3, 3, 0, 3)
}

// New work that was let in first may use what is free of the reserve's room, not the other way round.
func TestTheReserveIsNotTakenAway(t *testing.T) {
	b, _ := counted(10, 4)
	for range 3 {
		b.PostReserved(0)
	}
	n := 0
	for b.Post(0) {
		n++
	}
	if n != 3 {
		t.Errorf("%d letters of new work beside 3 others, want 3 of an open part of 6", n)
	}
}

func TestOneWakePerBatch(t *testing.T) {
	b, wakes := counted(4, 1)
	f := func(post func(int) bool, want int) {
		t.Helper()
		if post(1); *wakes != want {
			t.Errorf("%d wakes, want %d", *wakes, want)
		}
	}
	f(b.Post, 1)
	f(b.Post, 1)
	f(b.PostReserved, 1)
	b.Take()
	b.Take()
	f(b.PostReserved, 2)
	f(b.Post, 2)
	b.Take()
	f(b.Post, 3)
	f(b.Post, 3)
	f(b.Post, 3)
	f(b.Post, 3) // refused
}

func TestABatchIsTheOwnersUntilTheNextTake(t *testing.T) {
	b, _ := counted(100, 0)
	b.Post(1)
	b.Post(2)
	batch := b.Take()
	for i := range 50 {
		b.Post(100 + i)
	}
	if !slices.Equal(batch, []int{1, 2}) {
		t.Errorf("the batch became %v", batch)
	}
}

func TestALetterIsForgottenWhenItsBatchIsOver(t *testing.T) {
	b := New[*int](10, 0, func() {})
	for range 5 {
		b.Post(new(int))
	}
	batch := b.Take()
	b.Take()
	for i, p := range batch {
		if p != nil {
			t.Errorf("letter %d is still held", i)
		}
	}
}

// A post from inside wake must find no lock held.
func TestWakeIsCalledOutsideTheLock(t *testing.T) {
	var b *Box[int]
	n := 0
	b = New[int](10, 0, func() {
		if n++; n < 3 {
			b.Take()
			b.Post(n)
		}
	})
	b.Post(0)
	if n != 3 || b.Len() != 1 {
		t.Errorf("%d wakes, %d letters", n, b.Len())
	}
}

// Eight posters and a taker that sleeps until it is woken: each letter comes once, in its poster's order, and no
// wake-up is lost, as a taker asleep with letters in the box would never end this test.
func TestEightPosters(t *testing.T) {
	const posters, each = 8, 20_000
	type letter struct{ from, number int }
	wake := make(chan struct{}, 1)
	b := New[letter](64, 16, func() {
		select {
		case wake <- struct{}{}:
		default: // already pending, as with an eventfd
		}
	})
	var group sync.WaitGroup
	for p := range posters {
		group.Go(func() {
			post := b.Post
			if p%2 == 0 {
				post = b.PostReserved
			}
			for i := 0; i < each; {
				if post(letter{p, i}) {
					i++
				} else {
					time.Sleep(time.Microsecond)
				}
			}
		})
	}
	var next [posters]int
	for got := 0; got < posters*each; {
		select {
		case <-wake:
		case <-time.After(20 * time.Second):
			t.Fatalf("asleep with %d letters in the box after %d", b.Len(), got)
		}
		for _, m := range b.Take() {
			if m.number != next[m.from] {
				t.Fatalf("poster %d: letter %d, want %d", m.from, m.number, next[m.from])
			}
			next[m.from]++
			got++
		}
	}
	group.Wait()
	if b.Len() != 0 {
		t.Errorf("%d letters too many", b.Len())
	}
}

// The box against a plain slice.
func TestModel(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		bound := 1 + rng.IntN(20)
		reserve := rng.IntN(bound + 1)
		b, wakes := counted(bound, reserve)
		var model []int
		wantWakes := 0
		for step := range 500 {
			limit, post := bound, b.PostReserved
			if rng.IntN(2) == 0 {
				limit, post = bound-reserve, b.Post
			}
			if rng.IntN(8) == 0 {
				if got := b.Take(); !slices.Equal(got, model) {
					t.Fatalf("seed %d: took %v, want %v", seed, got, model)
				}
				model = model[:0]
				continue
			}
			if want := len(model) < limit; post(step) != want {
				t.Fatalf("seed %d, step %d: taken %v with %d of %d", seed, step, !want, len(model), limit)
			} else if want {
				if len(model) == 0 {
					wantWakes++
				}
				model = append(model, step)
			}
			if b.Len() != len(model) || *wakes != wantWakes {
				t.Fatalf("seed %d, step %d: %d letters, %d wakes, want %d, %d", seed, step, b.Len(), *wakes, len(model), wantWakes)
			}
		}
	}
}

func TestNothingIsAllocatedInSteadyState(t *testing.T) {
	b, _ := counted(100, 10)
	once := func() {
		for i := range 100 {
			b.Post(i)
		}
		b.Take()
	}
	for range 4 {
		once()
	}
	if n := testing.AllocsPerRun(100, once); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPostAndTake(b *testing.B) {
	box, _ := counted(1000, 0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if !box.Post(i) {
			box.Take()
		}
	}
}

func BenchmarkPostersInParallel(b *testing.B) {
	box := New[int](1000, 0, func() {})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if !box.Post(1) {
				box.Take()
			}
		}
	})
}

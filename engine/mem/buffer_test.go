package mem

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestGetRoom(t *testing.T) {
	f := func(t *testing.T, n, want int) {
		t.Helper()
		before := BufferBytes()
		b := Get(n)
		if len(b.B) != 0 || cap(b.B) != want || BufferBytes()-before != int64(want) {
			t.Errorf("Get(%d): len %d, cap %d, %d counted, want %d", n, len(b.B), cap(b.B), BufferBytes()-before, want)
		}
		b.Release()
		if BufferBytes() != before {
			t.Errorf("Get(%d): %d bytes counted after release", n, BufferBytes()-before)
		}
	}
	f(t, -1, 256)
	f(t, 0, 256)
	f(t, 1, 256)
	f(t, 256, 256)
	f(t, 257, 512)
	f(t, 512, 512)
	f(t, 4096, 4096)
	f(t, 4097, 8192)
	f(t, 1<<20-1, 1<<20)
	f(t, 1<<20, 1<<20)
	f(t, 1<<20+1, 1<<20+1)
	f(t, 3<<20, 3<<20)
}

func TestBufferLargeIsNotPooled(t *testing.T) {
	b := Get(maxClass + 1)
	b.Release()
	if b.B != nil || b.home != nil {
		t.Error("a large buffer's memory is kept after release")
	}
}

func TestBufferOutgrown(t *testing.T) {
	b := Get(10)
	b.B = append(b.B, bytes.Repeat([]byte("x"), 1000)...)
	b.Release()
	if got := Get(10); cap(got.B) != minClass || len(got.B) != 0 {
		t.Errorf("the pool of %d bytes gives len %d, cap %d", minClass, len(got.B), cap(got.B))
	}
}

// TestBufferGrow lets several buffers grow at random beside a plain copy of what they hold.
func TestBufferGrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	before := BufferBytes()
	for range 50 {
		b, want := Get(rng.IntN(600)), []byte(nil)
		for len(want) < rng.IntN(3<<20) {
			piece := bytes.Repeat([]byte{byte(rng.Uint32())}, 1+rng.IntN(1<<uint(1+rng.IntN(18))))
			b.Grow(len(piece))
			if cap(b.B)-len(b.B) < len(piece) {
				t.Fatalf("no room for %d bytes", len(piece))
			}
			b.B = append(b.B, piece...)
			want = append(want, piece...)
		}
		if !bytes.Equal(b.B, want) {
			t.Fatalf("content of %d bytes is lost", len(want))
		}
		if limit := 3 * max(len(want), minClass); cap(b.B) > limit {
			t.Errorf("%d bytes in a buffer of %d", len(want), cap(b.B))
		}
		b.Release()
	}
	if BufferBytes() != before {
		t.Errorf("%d bytes are still counted", BufferBytes()-before)
	}
}

// A message that comes in small pieces must cost time in proportion to its size.
func TestBufferGrowLargeInFewSteps(t *testing.T) {
	b, moves := Get(maxClass), 0
	for b.B = b.B[:maxClass]; len(b.B) < 16<<20; {
		was := cap(b.B)
		b.Grow(4096)
		if cap(b.B) != was {
			moves++
		}
		b.B = b.B[:len(b.B)+4096]
	}
	b.Release()
	if moves > 16 {
		t.Errorf("%d moves from 1 to 16 MiB", moves)
	}
}

func TestBufferDoesNotAllocate(t *testing.T) {
	if debug {
		t.Skip("the race detector makes pools forget")
	}
	if n := testing.AllocsPerRun(1000, func() {
		b := Get(300)
		b.B = append(b.B, "hello"...)
		b.Grow(2000)
		b.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkBufferGetRelease(b *testing.B) {
	for b.Loop() {
		Get(300).Release()
	}
}

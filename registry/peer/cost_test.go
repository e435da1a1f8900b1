package peer

import (
	"sync"
	"testing"
	"time"

	"holdfast/engine/mem"
)

// BenchmarkAsk measures requests over one link between two meshes on loopback, both in this process.
func BenchmarkAsk(b *testing.B) {
	b.Run("one", func(b *testing.B) { benchmarkAsk(b, 1, 100) })
	b.Run("thousand", func(b *testing.B) { benchmarkAsk(b, 1000, 100) })
	b.Run("thousand_10KiB", func(b *testing.B) { benchmarkAsk(b, 1000, 10<<10) })
}

func benchmarkAsk(b *testing.B, inFlight, size int) {
	m, _, _, bn := pair(b, nil)
	bn.onQuietly(nil)
	p := mem.NewPayload(size)
	p.Data = p.Data[:size]
	r := &Request{Verb: Push, Key: []byte("user:0123456789"), Within: 5 * time.Second, Payload: p}
	room := make(chan struct{}, inFlight)
	var all sync.WaitGroup
	done := func(Report, error) {
		<-room
		all.Done()
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		room <- struct{}{}
		all.Add(1)
		if err := m.Ask(2, r, done); err != nil {
			b.Fatal(err)
		}
	}
	all.Wait()
}

// In steady state a request and its report allocate nothing, on either side.
func TestAskDoesNotAllocate(t *testing.T) {
	a, _, _, bn := pair(t, nil)
	bn.onQuietly(nil)
	r := count("user:0123456789", 5*time.Second) // payloads of debug builds are never used again
	answered := make(chan struct{}, 1)
	done := func(Report, error) { answered <- struct{}{} }
	one := func() {
		if err := a.Ask(2, r, done); err != nil {
			t.Fatal(err)
		}
		<-answered
	}
	for range 1000 {
		one()
	}
	if n := testing.AllocsPerRun(2000, one); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

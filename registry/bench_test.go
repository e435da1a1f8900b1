package registry

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/puzpuzpuz/xsync/v4"
)

// The same work on the table, sync.Map and xsync.Map, which map a key to a
// handle and know neither groups nor names: the table is allowed to cost more,
// not to lose. Keys are 16 bytes. Run with -cpu 1,2.

const benchKeys = 1 << 17

type subject interface {
	lookup(key []byte) bool
	cycle(key []byte, h Handle) bool // bind, then release if it is still h's
}

type ourTable struct{ *Table }

func (s ourTable) lookup(key []byte) bool { _, ok := s.Lookup(key); return ok }
func (s ourTable) cycle(key []byte, h Handle) bool {
	n, _, err := s.Bind(key, h)
	return err == nil && s.Release(n, h, 0)
}

type stdMap struct{ sync.Map }

func (s *stdMap) lookup(key []byte) bool { _, ok := s.Load(string(key)); return ok }
func (s *stdMap) cycle(key []byte, h Handle) bool {
	k := string(key)
	s.Store(k, h)
	return s.CompareAndDelete(k, h)
}

type xsyncMap struct{ *xsync.Map[string, Handle] }

func (s xsyncMap) lookup(key []byte) bool { _, ok := s.Load(string(key)); return ok }
func (s xsyncMap) cycle(key []byte, h Handle) bool {
	k := string(key)
	s.Store(k, h)
	_, ok := s.Compute(k, func(old Handle, loaded bool) (Handle, xsync.ComputeOp) {
		if old == h {
			return 0, xsync.DeleteOp
		}
		return old, xsync.CancelOp
	})
	return !ok
}

func subjects(b *testing.B, run func(b *testing.B, s subject)) {
	table, std, other := ourTable{New(Config{Loops: 2})}, &stdMap{}, xsyncMap{xsync.NewMap[string, Handle]()}
	fill(b, table.Table, benchKeys)
	var buf [16]byte
	for i := range uint64(benchKeys) {
		k, h := string(numbered(&buf, i)), NewHandle(0, uint32(i), 1)
		std.Store(k, h)
		other.Store(k, h)
	}
	for _, s := range []subject{table, std, other} {
		b.Run(fmt.Sprintf("%T", s), func(b *testing.B) {
			b.ReportAllocs()
			run(b, s)
		})
	}
}

// parallel runs one call on keys from base on, in a scattered order, a different
// one on each goroutine.
func parallel(b *testing.B, base uint64, call func(key []byte, i uint64) bool) {
	var goroutines atomic.Uint64
	b.RunParallel(func(pb *testing.PB) {
		var buf [16]byte
		i := goroutines.Add(1) << 32
		for pb.Next() {
			i++
			if !call(numbered(&buf, base+i*0x9e3779b97f4a7c15>>20%benchKeys), i) {
				b.Fail()
			}
		}
	})
}

func BenchmarkLookupHit(b *testing.B) {
	subjects(b, func(b *testing.B, s subject) {
		parallel(b, 0, func(key []byte, _ uint64) bool { return s.lookup(key) })
	})
}

func BenchmarkLookupMiss(b *testing.B) {
	subjects(b, func(b *testing.B, s subject) {
		parallel(b, benchKeys, func(key []byte, _ uint64) bool { return !s.lookup(key) })
	})
}

func BenchmarkBindRelease(b *testing.B) {
	subjects(b, func(b *testing.B, s subject) {
		parallel(b, 0, func(key []byte, i uint64) bool {
			key[7] = byte(i >> 32) // a key of this goroutine's own, among those that are there
			return s.cycle(key, NewHandle(int(i>>32)&1, uint32(i), 1))
		})
	})
}

// Readers beside a writer that keeps one loop's worth of keys coming and going.
func BenchmarkLookupBesideChurn(b *testing.B) {
	subjects(b, func(b *testing.B, s subject) {
		var stop atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			var buf [16]byte
			for i := uint64(0); !stop.Load(); i++ {
				s.cycle(numbered(&buf, benchKeys+i%benchKeys), NewHandle(0, uint32(i), 1))
			}
		})
		parallel(b, 0, func(key []byte, _ uint64) bool { return s.lookup(key) })
		stop.Store(true)
		wg.Wait()
	})
}

package wheel

import "testing"

const benchSlots = 1 << 12

func BenchmarkSetCancel(b *testing.B) {
	w, _, now := newWheel(benchSlots)
	i := uint32(0)
	for b.Loop() {
		i++
		slot := i%benchSlots + 1
		w.Set(slot, now+int64(i%6000)*wide)
		w.Cancel(slot)
	}
}

// Each Set of a slot is nearer than the one before, so that the entry moves to another bucket.
func BenchmarkSetNearer(b *testing.B) {
	w, _, now := newWheel(benchSlots)
	at := now + 1<<31*wide
	i := uint32(0)
	for b.Loop() {
		i++
		if at -= wide; at < now {
			at = now + 1<<31*wide // moving back is the lazy case, once in a while
		}
		w.Set(i%benchSlots+1, at)
	}
}

func BenchmarkRefresh(b *testing.B) {
	w, _, now := newWheel(benchSlots)
	at := now + 2000*wide
	i := uint32(0)
	for b.Loop() {
		i++
		at++
		w.Set(i%benchSlots+1, at)
	}
}

func BenchmarkAdvanceIdle(b *testing.B) {
	w, _, now := newWheel(benchSlots)
	for slot := uint32(1); slot <= benchSlots; slot++ {
		w.Set(slot, now+1<<30*wide+int64(slot))
	}
	for b.Loop() {
		w.Advance(now, 256, nil)
		w.Next(now)
	}
}

// One heartbeat: it is filed, filed anew and fired.
func BenchmarkHeartbeat(b *testing.B) {
	w, _, now := newWheel(benchSlots)
	for slot := uint32(1); slot <= benchSlots; slot++ {
		w.Set(slot, now+int64(slot)*wide)
	}
	fired := 0
	fire := func(slot uint32) {
		fired++
		w.Set(slot, now+benchSlots*wide)
	}
	for b.Loop() {
		now += wide
		w.Advance(now, 256, fire)
	}
	b.ReportMetric(float64(fired)/float64(b.N), "fired/op")
}

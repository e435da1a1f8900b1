package mem

import (
	"bytes"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// prefixed is a wire form that puts Data between brackets.
func prefixed(dst []byte, _ *Payload) ([]byte, int) { return append(dst, '<', '>'), 1 }

// upper is a wire form that rewrites Data.
func upper(dst []byte, p *Payload) ([]byte, int) { return append(dst, bytes.ToUpper(p.Data)...), -1 }

// bare is a wire form that is nothing but Data.
func bare(dst []byte, _ *Payload) ([]byte, int) { return dst, 0 }

// short is a wire form without a suffix.
func short(dst []byte, p *Payload) ([]byte, int) {
	dst = append(append(dst, p.ID...), ':')
	return dst, len(dst)
}

// empty is a wire form that has no bytes for this payload, but carries it.
func empty(dst []byte, _ *Payload) ([]byte, int) { return dst, -1 }

func refuse([]byte, *Payload) ([]byte, int) { return nil, -1 }

func frameBytes(f *Frame, p *Payload) []byte { return bytes.Join(f.Parts(nil, p), nil) }

func TestFrame(t *testing.T) {
	f := func(t *testing.T, framer Framer, size, wantParts int, want func(data string) string) {
		t.Helper()
		before := BufferBytes()
		data := strings.Repeat("d", size)
		p := newPayload(data)
		p.SetID([]byte("id"))
		fr := p.Frame(5, framer)
		got := frameBytes(fr, p)
		if string(got) != want(data) || fr.Size(p) != len(got) {
			t.Errorf("%d bytes: size %d, frame %.20q, want %.20q", size, fr.Size(p), got, want(data))
		}
		parts := fr.Parts(nil, p)
		if len(parts) != wantParts {
			t.Errorf("%d bytes: %d parts, want %d", size, len(parts), wantParts)
		}
		for _, part := range parts {
			if len(part) == 0 {
				t.Errorf("%d bytes: an empty part", size)
			}
			if size > SmallFrame && len(part) == size && wantParts > 1 && &part[0] != &p.Data[0] {
				t.Error("large data was copied")
			}
		}
		p.Release()
		if BufferBytes() != before {
			t.Errorf("%d bytes are not given back", BufferBytes()-before)
		}
	}
	brackets := func(d string) string { return "<" + d + ">" }
	same := func(d string) string { return d }
	f(t, prefixed, 0, 1, brackets)
	f(t, prefixed, 10, 1, brackets)
	f(t, prefixed, SmallFrame, 1, brackets)
	f(t, prefixed, SmallFrame+1, 3, brackets)
	f(t, prefixed, 2<<20, 3, brackets)
	f(t, upper, 10, 1, strings.ToUpper)
	f(t, upper, 10_000, 1, strings.ToUpper)
	f(t, bare, 0, 0, same)
	f(t, bare, 10, 1, same)
	f(t, bare, 10_000, 1, same)
	f(t, short, 10, 1, func(d string) string { return "id:" + d })
	f(t, short, 10_000, 2, func(d string) string { return "id:" + d })
	f(t, empty, 10, 0, func(string) string { return "" })
	f(t, refuse, 10, 0, func(string) string { return "" })
}

func TestFrameRoomIsEmptyAndFits(t *testing.T) {
	for _, size := range []int{0, 1, 200, SmallFrame} {
		p := newPayload(strings.Repeat("d", size))
		p.SetEvent([]byte(strings.Repeat("e", 500)))
		p.Frame(0, func(dst []byte, p *Payload) ([]byte, int) {
			if len(dst) != 0 || cap(dst) < size+500+100 {
				t.Errorf("data of %d bytes and 500 of names: dst has len %d, cap %d", size, len(dst), cap(dst))
			}
			return dst, -1
		})
		p.Release()
	}
}

func TestFrameIsMadeOncePerWire(t *testing.T) {
	p := newPayload("data")
	calls := 0
	count := func(framer Framer) Framer {
		return func(dst []byte, p *Payload) ([]byte, int) { calls++; return framer(dst, p) }
	}
	f := func(t *testing.T, wire int, framer Framer, unsupported bool) {
		t.Helper()
		calls = 0
		one, two := p.Frame(wire, count(framer)), p.Frame(wire, count(framer))
		if one != two || calls != 1 || one.Unsupported() != unsupported {
			t.Errorf("wire %d: made %d times, unsupported %v", wire, calls, one.Unsupported())
		}
	}
	f(t, 0, prefixed, false)
	f(t, 1, refuse, true)
	f(t, 2, empty, false)
	f(t, MaxWires-1, upper, false)
	p.Release()
}

// TestFrameShared lets many goroutines ask for the same frames at once.
func TestFrameShared(t *testing.T) {
	before := BufferBytes()
	var made atomic.Int64
	framer := func(dst []byte, p *Payload) ([]byte, int) { made.Add(1); return prefixed(dst, p) }
	for range 200 {
		p := newPayload(strings.Repeat("d", 5000))
		want := "<" + string(p.Data) + ">"
		var loops sync.WaitGroup
		got := make([][MaxWires]*Frame, 8)
		start := make(chan struct{})
		for g := range got {
			p.Retain()
			loops.Go(func() {
				<-start
				for wire := range MaxWires {
					f := framer
					if wire%4 == 3 {
						f = refuse
					}
					fr := p.Frame(wire, f)
					got[g][wire] = fr
					if fr.Unsupported() != (wire%4 == 3) {
						t.Error("the form of another wire")
					}
					if !fr.Unsupported() && (fr.Size(p) != len(want) || string(frameBytes(fr, p)) != want) {
						t.Error("a frame that is not whole")
					}
				}
			})
		}
		close(start)
		loops.Wait()
		for g := range got {
			if got[g] != got[0] {
				t.Error("two frames of one wire form")
			}
			p.Release()
		}
		p.Release()
		if BufferBytes() != before {
			t.Fatalf("%d bytes are not given back", BufferBytes()-before)
		}
	}
	if n := made.Load(); n < 200*18 {
		t.Errorf("framed %d times", n)
	}
}

func BenchmarkFrameCached(b *testing.B) {
	p := newPayload("data")
	parts := make([][]byte, 0, 8)
	for b.Loop() {
		p.Retain()
		parts = p.Frame(1, prefixed).Parts(parts[:0], p)
		p.Release()
	}
}

func BenchmarkPayloadOnePush(b *testing.B) {
	data := bytes.Repeat([]byte("x"), 200)
	parts := make([][]byte, 0, 8)
	for b.Loop() {
		p := NewPayload(len(data))
		p.Append(data)
		parts = p.Frame(1, prefixed).Parts(parts[:0], p)
		p.Release()
	}
}

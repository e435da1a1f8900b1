//go:build race || slabdebug

package mem

import (
	"bytes"
	"strings"
	"testing"
	"unsafe"
)

// panics runs f and wants it to panic with a text that contains want.
func panics(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got, _ := recover().(string); !strings.Contains(got, want) {
			t.Errorf("panic %q, want %q", got, want)
		}
	}()
	f()
}

func TestFreedSlotIsPoisoned(t *testing.T) {
	s := NewSlab[record](10)
	slot, _ := s.Alloc()
	other, _ := s.Alloc()
	r := s.At(slot)
	s.Free(slot)
	if got := unsafe.Slice((*byte)(unsafe.Pointer(r)), unsafe.Sizeof(*r)); !bytes.Equal(got, bytes.Repeat([]byte{0xDB}, 96)) {
		t.Errorf("freed record reads %x", got)
	}
	if *s.At(other) != (record{}) || s.Gen(slot) != 1 {
		t.Error("a neighbour or the generation was poisoned too")
	}
	panics(t, "use of slot 1", func() { s.At(slot) })
	panics(t, "use of slot 0", func() { s.At(0) })
	panics(t, "use of slot 3", func() { s.At(3) })
	panics(t, "free of slot 1", func() { s.Free(slot) })
}

func TestBufferMisuse(t *testing.T) {
	b := Get(10)
	view := append(b.B, "secret"...)
	b.Release()
	if want := bytes.Repeat([]byte{0xDB}, 6); !bytes.Equal(view, want) {
		t.Errorf("released buffer reads %q", view)
	}
	panics(t, "released twice", b.Release)
}

func TestPayloadMisuse(t *testing.T) {
	p := NewPayload(10)
	p.Retain()
	panics(t, "after it was shared", func() { p.Append([]byte("x")) })
	panics(t, "after it was shared", func() { p.SetID([]byte("x")) })
	p.Release()
	p.Release()
	panics(t, "more often than retained", p.Release)
	panics(t, "after its last release", p.Retain)
	panics(t, "after it was shared or released", func() { p.Grow(1) })
}

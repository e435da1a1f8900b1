//go:build !race && !slabdebug

package mem

import "testing"

func TestFreedSlotReadsAsZero(t *testing.T) {
	s := NewSlab[record](10)
	slot, _ := s.Alloc()
	s.At(slot).id = 7
	s.Free(slot)
	s.Free(slot)
	s.Free(0)
	s.Free(9999)
	if *s.At(slot) != (record{}) || s.Live() != 0 {
		t.Errorf("freed record reads %v, %d live", s.At(slot).id, s.Live())
	}
	one, _ := s.Alloc()
	if two, _ := s.Alloc(); one == two {
		t.Errorf("slot %d was freed twice and given twice", one)
	}
}

func TestSecondReleaseOfBufferDoesNothing(t *testing.T) {
	before := BufferBytes()
	b := Get(10)
	b.Release()
	b.Release()
	if one, two := Get(10), Get(10); one == two || BufferBytes() != before+2*minClass {
		t.Errorf("one buffer given to two owners: %v; %d bytes out", one == two, BufferBytes()-before)
	}
}

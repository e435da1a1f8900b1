package registry

import (
	"testing"
	"testing/quick"
)

func TestHandleKeepsItsFields(t *testing.T) {
	f := func(loop int, slot, gen uint32) {
		t.Helper()
		h := NewHandle(loop, slot, gen)
		if h.Loop() != loop || h.Slot() != slot || h.Gen() != gen {
			t.Errorf("NewHandle(%d, %d, %d) = %d, %d, %d", loop, slot, gen, h.Loop(), h.Slot(), h.Gen())
		}
	}
	f(0, 0, 1)
	f(MaxLoops-1, MaxSlot, GenMask)
	f(MaxLoops-1, 0, 1)
	f(0, MaxSlot, 1)
	f(0, 0, GenMask)

	fits := func(loop uint8, slot, gen uint32) bool {
		slot, gen = slot&MaxSlot, gen&GenMask
		h := NewHandle(int(loop), slot, gen)
		return h.Loop() == int(loop) && h.Slot() == slot && h.Gen() == gen
	}
	if err := quick.Check(fits, nil); err != nil {
		t.Error(err)
	}
}

func TestHandleDropsWhatDoesNotFit(t *testing.T) {
	if h := NewHandle(0, MaxSlot+1, 0); h != 0 {
		t.Errorf("slot leaks into the loop: %x", uint64(h))
	}
	if h := NewHandle(0, 0, GenMask+1); h != 0 {
		t.Errorf("generation leaks into the slot: %x", uint64(h))
	}
}

func TestNoLiveHandleLooksLikeAGroup(t *testing.T) {
	never := func(loop uint8, slot, gen uint32, at uint32) bool {
		h := NewHandle(int(loop), slot, max(gen&GenMask, 1))
		g := newGroupRef(addr(at))
		return !isGroup(uint64(h)) && isGroup(uint64(g)) && g.at() == addr(at)
	}
	if err := quick.Check(never, nil); err != nil {
		t.Error(err)
	}
	if isGroup(0) {
		t.Error("an empty value looks like a group")
	}
}

package registry

import (
	"errors"
	"slices"
)

// Errors of Join; nothing has changed when one is returned.
var (
	ErrSlot   = errors.New("registry: slot 0 cannot join a key")
	ErrJoined = errors.New("registry: slot has joined a key already")
)

// Member is the part of a hold's record that belongs to its key. It lives in
// the record, is owned by the record's loop, and is all zeros while the record
// holds no key.
type Member struct {
	Name       Name
	Next, Prev uint32 // neighbours on this loop, older and newer; 0 = none
}

// Slots finds the records of one loop.
type Slots interface {
	Member(slot uint32) *Member
	Handle(slot uint32) Handle
}

// Members keeps one loop's lists: for each key, the loop's holders of it, newest
// first. Slot 0 is nobody. It belongs to its loop; only the Table is shared.
type Members struct {
	slots Slots
	walks []*Walk // unfinished
}

// NewMembers makes the lists of the loop whose records slots finds.
func NewMembers(slots Slots) *Members { return &Members{slots: slots} }

// Join makes slot a holder of key.
func (ms *Members) Join(t *Table, key []byte, slot uint32) error {
	if slot == 0 {
		return ErrSlot
	}
	m := ms.slots.Member(slot)
	if m.Name != 0 {
		return ErrJoined
	}
	n, next, err := t.Bind(key, ms.slots.Handle(slot))
	if err != nil {
		return err
	}
	*m = Member{Name: n, Next: next.Slot()}
	if m.Next != 0 {
		ms.slots.Member(m.Next).Prev = slot
	}
	return nil
}

// Leave ends what Join began, and reports whether slot held a key. Call it
// before the slot's generation changes. Its cost does not depend on the group;
// it looks at the unfinished walks of this loop.
func (ms *Members) Leave(t *Table, slot uint32) bool {
	m := ms.slots.Member(slot)
	if m.Name == 0 {
		return false
	}
	var next Handle
	if m.Next != 0 {
		next = ms.slots.Handle(m.Next)
	}
	if !t.Release(m.Name, ms.slots.Handle(slot), next) {
		return false
	}
	if m.Prev != 0 {
		ms.slots.Member(m.Prev).Next = m.Next
	}
	if m.Next != 0 {
		ms.slots.Member(m.Next).Prev = m.Prev
	}
	for _, w := range ms.walks {
		if w.at == slot {
			w.at = m.Next
		}
	}
	*m = Member{}
	return true
}

// First is the newest member of key on the given loop, which must be this one;
// 0 if there is none.
func (ms *Members) First(t *Table, key []byte, loop int) uint32 {
	return t.Head(key, loop).Slot()
}

// After is the member next to slot, older by one; 0 after the oldest.
func (ms *Members) After(slot uint32) uint32 { return ms.slots.Member(slot).Next }

// Walk is a fan-out on its way through a key's members on one loop. It may rest
// for any number of ticks: it visits each member that was there at its start and
// has not left, once, newest first, and nobody who joined since.
type Walk struct {
	at uint32 // the slot to visit next; Leave moves it on
}

// Start puts w before the newest member of key on the given loop, which must be
// this one. A started walk must be taken to its end, or stopped.
func (ms *Members) Start(w *Walk, t *Table, key []byte, loop int) {
	ms.Stop(w)
	if w.at = ms.First(t, key, loop); w.at != 0 {
		ms.walks = append(ms.walks, w)
	}
}

// Next is the slot to visit, 0 at the end. The visitor may make any slot leave,
// the visited one included.
func (ms *Members) Next(w *Walk) uint32 {
	slot := w.at
	if slot != 0 {
		w.at = ms.After(slot)
	}
	if w.at == 0 {
		ms.Stop(w)
	}
	return slot
}

// Stop ends a walk early; it does nothing to one that is over.
func (ms *Members) Stop(w *Walk) {
	w.at = 0
	if i := slices.Index(ms.walks, w); i >= 0 {
		ms.walks = slices.Delete(ms.walks, i, i+1)
	}
}

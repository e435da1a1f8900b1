package registry

import "sync"

// told are copies of keys on their way to Config.Changed: what is passed to a
// function that the compiler does not know would be allocated anew each time.
var told = sync.Pool{New: func() any { return new([MaxKey]byte) }}

func (t *Table) tell(key []byte) {
	b := told.Get().(*[MaxKey]byte)
	t.changed(b[:copy(b[:], key)])
	told.Put(b)
}

// Bind makes h a holder of key, the newest on its loop. next is the member that
// was the newest of that loop before, 0 if it had none: the caller links h to
// it. Only h's own loop may call.
func (t *Table) Bind(key []byte, h Handle) (n Name, next Handle, err error) {
	switch {
	case !validKey(key):
		return 0, 0, ErrKey
	case h.Gen() == 0 || h.Loop() >= t.loops:
		return 0, 0, ErrHandle
	}
	s, tag := t.place(t.hash(key))
	s.mu.Lock()
	defer s.mu.Unlock()

	i := s.cells.Load().index(&t.arena, tag, key)
	if i < 0 {
		n, err = t.bindFirst(s, tag, key, h)
		if err == nil && t.changed != nil {
			t.tell(key) // before anybody else can be the second holder
		}
		return n, 0, err
	}
	c := &(*s.cells.Load())[i]
	if next, err = t.bindMore(s, c, h); err != nil {
		return 0, 0, err
	}
	return wordName(c.word.Load()), next, nil
}

// bindFirst enters a key that nobody holds.
func (t *Table) bindFirst(s *shard, tag uint32, key []byte, h Handle) (Name, error) {
	if t.keys.Add(1) > t.maxKeys {
		t.keys.Add(-1)
		return 0, ErrFull
	}
	n := t.arena.storeName(key)
	if n == 0 {
		t.keys.Add(-1)
		return 0, ErrFull
	}
	s.makeRoom()
	s.cells.Load().insert(joinWord(tag, n), uint64(h))
	s.count++
	return n, nil
}

// bindMore adds a holder to a key that has one: an inline holder becomes a
// group, and stays one until the key is empty, so that its home does not move.
// Nothing is written to the record of the first holder, who may be on another
// loop: being alone on its loop, it has no links.
func (t *Table) bindMore(s *shard, c *cell, h Handle) (next Handle, err error) {
	value := c.value.Load()
	if !isGroup(value) {
		first := Handle(value)
		if first == h {
			return 0, ErrHandle
		}
		g := t.arena.newGroup(first, h)
		if g == 0 {
			return 0, ErrFull
		}
		c.value.Store(uint64(g))
		if first.Loop() == h.Loop() {
			next = first
		}
		return next, nil
	}

	g := groupRef(value)
	place, next := t.arena.groupFind(g, h.Loop())
	switch {
	case next == h:
		return 0, ErrHandle
	case place == 0: // every place is taken by another loop
		larger := t.arena.growGroup(g)
		if larger == 0 {
			return 0, ErrFull
		}
		c.value.Store(uint64(larger))
		s.version.Add(1)
		t.arena.freeGroup(g)
		g = larger
		place, _ = t.arena.groupFind(g, h.Loop())
	}
	t.arena.groupSet(g, place, h)
	t.arena.groupAdd(g, 1)
	return next, nil
}

// Release takes holder h away from the key named n, if it is there: a stale
// handle takes nothing. next is h's successor on its loop, 0 if none; it is
// used if h was its loop's newest. Only h's own loop may call.
//
// A member that is not its loop's newest is known to its loop alone, so its
// release is believed; Members calls once for each.
func (t *Table) Release(n Name, h, next Handle) bool {
	if h.Gen() == 0 || next != 0 && next.Loop() != h.Loop() {
		return false
	}
	var buf [MaxKey]byte
	key := t.arena.appendName(buf[:0], n)
	if len(key) == 0 {
		return false
	}
	released, last := t.release(key, n, h, next)
	if last && t.changed != nil {
		t.tell(key)
	}
	return released
}

func (t *Table) release(key []byte, n Name, h, next Handle) (released, last bool) {
	s, tag := t.place(t.hash(key))
	s.mu.Lock()
	defer s.mu.Unlock()

	cs := *s.cells.Load()
	i := cs.indexName(tag, n)
	if i < 0 {
		return false, false
	}
	value := cs[i].value.Load()
	if isGroup(value) {
		g := groupRef(value)
		if !t.releaseMember(g, h, next) {
			return false, false
		}
		if t.arena.groupCount(g) > 0 {
			return true, false
		}
	} else if Handle(value) != h {
		return false, false
	}

	s.remove(i)
	if isGroup(value) {
		t.arena.freeGroup(groupRef(value))
	}
	t.arena.freeName(n)
	s.shrink()
	t.keys.Add(-1)
	return true, true
}

// releaseMember counts h out of a group, and puts its successor in front if it
// was the newest of its loop.
func (t *Table) releaseMember(g groupRef, h, next Handle) bool {
	place, head := t.arena.groupFind(g, h.Loop())
	if head == 0 || head != h && head.Slot() == h.Slot() {
		return false
	}
	last := t.arena.groupCount(g) == 1
	switch {
	case head != h && last, head == h && last && next != 0:
		return false // would leave a head without a member, or a member uncounted
	case head == h:
		t.arena.groupSet(g, place, next)
	}
	t.arena.groupAdd(g, -1)
	return true
}

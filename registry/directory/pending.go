package directory

import "time"

// pending is a key whose claim is not settled. A key that is held and has none is settled: its claim stands. It has no
// pointers, and lives in a slot of its writer.
type pending struct {
	hash    Hash
	name    nameRef
	since   tick          // begun to wait to be written; for phases that wait
	due     time.Duration // when a failed, lingering or gone one is looked at again
	stands  uint64        // the round in which its claim is known to be in the store; 0: it is not known to be
	prev    int32
	next    int32
	tickets int32 // the first of those who wait for it
	phase   phase
	tries   uint8 // writes that failed one after another
	touched bool  // changed hands while it was flying
	again   bool  // is to be written again although it is flying
}

// phase is how far a pending key is. One that is touched goes from lingering or gone to queued, or is settled; from
// queued or later to flying; then it is settled, queued again, failed, lingering or gone. Failed and lingering ones are
// queued when they are due, gone ones are forgotten.
type phase uint8

const (
	free      phase = iota
	queued          // is to be written
	later           // is to be written again, after those that changed hands
	flying          // is being written
	lingering       // nobody holds it any more, but somebody may soon again: its claim is left a little longer
	gone            // its claim was removed a moment ago. It is kept to tell a late Touch that nothing stands any more
	failed          // could not be written: failed+n is for n tries before
)

const (
	backoffs  = 6 // failed … failed+5
	listCount = int(failed) + backoffs
	firstWait = 25 * time.Millisecond // doubled with each try, up to 800 ms
)

// waits reports whether the key's state has yet to reach the store.
func (p phase) waits() bool { return p == queued || p == later || p == flying || p >= failed }

// list is a chain of pending keys in one phase, in the order in which they came to it.
type list struct {
	head, tail int32
	n          int
}

// slots are a writer's pending keys. Slot 0 is none.
type slots struct {
	all     []pending
	unused  int32
	lists   [listCount]list
	byHash  map[Hash]int32
	keys    nameBytes
	ages    ages
	tickets ticketPool
}

// shrinkFrom is the number of slots above which empty ones are given back: a burst does not stay for ever.
const shrinkFrom = 16 << 10

func (s *slots) reset() {
	*s = slots{all: make([]pending, 1), byHash: make(map[Hash]int32)}
	s.tickets.nodes = make([]ticketNode, 1)
}

// waiting is how many have yet to reach the store.
func (s *slots) waiting() int {
	return len(s.byHash) - s.lists[lingering].n - s.lists[gone].n
}

// toWrite is how many are to be written as soon as it goes.
func (s *slots) toWrite() int { return s.lists[queued].n + s.lists[later].n }

// add makes a slot for a key in a phase.
func (s *slots) add(h Hash, key []byte, p phase, now time.Duration) int32 {
	i := s.unused
	if i != 0 {
		s.unused = s.all[i].next
	} else {
		i = int32(len(s.all))
		s.all = append(s.all, pending{})
	}
	s.all[i] = pending{hash: h, name: s.keys.put(key)}
	s.byHash[h] = i
	s.enter(i, p, now)
	return i
}

// move changes a key's phase. The time since which it waits stays the same while it waits.
func (s *slots) move(i int32, p phase, now time.Duration) {
	s.unlink(i)
	if was := s.all[i].phase; was.waits() && p.waits() {
		s.link(i, p)
		return
	} else if was.waits() {
		s.ages.remove(s.all[i].since)
	}
	s.enter(i, p, now)
}

// renew lets a key wait from now on: what it waited for has happened.
func (s *slots) renew(i int32, now time.Duration) {
	s.ages.remove(s.all[i].since)
	s.all[i].since = s.ages.add(now)
}

// settle forgets a key: the store has what the table has.
func (s *slots) settle(i int32) {
	c := &s.all[i]
	s.unlink(i)
	if c.phase.waits() {
		s.ages.remove(c.since)
	}
	s.tickets.drop(c.tickets)
	s.keys.drop(c.name)
	delete(s.byHash, c.hash)
	*c = pending{next: s.unused}
	s.unused = i
	if len(s.byHash) == 0 && len(s.all) > shrinkFrom {
		s.reset()
	}
}

func (s *slots) enter(i int32, p phase, now time.Duration) {
	if p.waits() {
		s.all[i].since = s.ages.add(now)
	}
	s.link(i, p)
}

func (s *slots) link(i int32, p phase) {
	c, l := &s.all[i], &s.lists[p]
	c.phase, c.prev, c.next = p, l.tail, 0
	if l.tail != 0 {
		s.all[l.tail].next = i
	} else {
		l.head = i
	}
	l.tail = i
	l.n++
}

func (s *slots) unlink(i int32) {
	c, l := &s.all[i], &s.lists[s.all[i].phase]
	if c.prev != 0 {
		s.all[c.prev].next = c.next
	} else {
		l.head = c.next
	}
	if c.next != 0 {
		s.all[c.next].prev = c.prev
	} else {
		l.tail = c.prev
	}
	l.n--
}

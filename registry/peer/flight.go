package peer

import "time"

// flight is the table of requests without a report on one connection. A request's id is its slot and how often the slot
// was used, so a report that comes too late, or twice, finds nobody. Deadlines hang on a wheel: a request is looked at
// once a turn, and in the tick in which its time is up. Owned by the line's lock.
type flight struct {
	slots []asked
	free  int32 // first free slot + 1, linked by next
	live  int
	wheel [wheelSize]int32 // first slot + 1 of each tick
	swept int64            // the last tick that was looked at
}

const (
	wheelSize = 256
	wheelTick = 20 * time.Millisecond
)

// asked is one request.
type asked struct {
	done       func(Report, error) // nil: the slot is free
	due        int64               // tick
	turn       uint32              // how often the slot was used
	prev, next int32               // on its tick of the wheel, slot + 1
	sent       bool                // a byte of it may be on its way
}

// ended is a request that got its answer, to be told once no lock is held.
type ended struct {
	done func(Report, error)
	err  error
}

func tickOf(t time.Duration) int64 { return int64(t / wheelTick) }

// add takes a slot for a request that nobody waits for after due.
func (f *flight) add(done func(Report, error), due time.Duration) (id uint64) {
	i := f.free
	if i == 0 {
		f.slots = append(f.slots, asked{})
		i = int32(len(f.slots))
	} else {
		f.free = f.slots[i-1].next
	}
	s := &f.slots[i-1]
	s.done, s.sent = done, false
	s.due = max(tickOf(due), f.swept) + 1 // the tick that has passed when due has
	s.turn++
	bucket := &f.wheel[s.due%wheelSize]
	s.prev, s.next = 0, *bucket
	if s.next != 0 {
		f.slots[s.next-1].prev = i
	}
	*bucket = i
	f.live++
	return uint64(s.turn)<<32 | uint64(i)
}

// get is the request with this id, nil if it has its answer.
func (f *flight) get(id uint64) *asked {
	i := id & (1<<32 - 1)
	if i == 0 || i > uint64(len(f.slots)) {
		return nil
	}
	if s := &f.slots[i-1]; s.done != nil && s.turn == uint32(id>>32) {
		return s
	}
	return nil
}

// take ends the request with this id: nil if it has its answer already.
func (f *flight) take(id uint64) func(Report, error) {
	s := f.get(id)
	if s == nil {
		return nil
	}
	return f.remove(int32(id), s)
}

func (f *flight) remove(i int32, s *asked) func(Report, error) {
	if s.prev != 0 {
		f.slots[s.prev-1].next = s.next
	} else {
		f.wheel[s.due%wheelSize] = s.next
	}
	if s.next != 0 {
		f.slots[s.next-1].prev = s.prev
	}
	done := s.done
	s.done = nil
	s.next, f.free = f.free, i
	f.live--
	return done
}

// expire ends the requests whose time is up by now.
func (f *flight) expire(now time.Duration, out []ended) []ended {
	tick := tickOf(now)
	if f.live == 0 {
		f.swept = max(tick, f.swept)
		return out
	}
	for range min(tick-f.swept, wheelSize) { // after a pause one turn finds everything
		f.swept++
		for i := f.wheel[f.swept%wheelSize]; i != 0; {
			s := &f.slots[i-1]
			next := s.next
			if s.due <= tick {
				out = append(out, s.end(f, i))
			}
			i = next
		}
	}
	f.swept = max(tick, f.swept)
	return out
}

// all ends every request: the connection is no more.
func (f *flight) all() []ended {
	out := make([]ended, 0, f.live)
	for i := range f.slots {
		if s := &f.slots[i]; s.done != nil {
			out = append(out, s.end(f, int32(i)+1))
		}
	}
	return out
}

func (s *asked) end(f *flight, i int32) ended {
	err := ErrUnsent
	if s.sent {
		err = ErrUnknown
	}
	return ended{f.remove(i, s), err}
}

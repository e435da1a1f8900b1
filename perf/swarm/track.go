package swarm

// track is what one client has had from one publisher to its key: the highest sequence number, and which of the 64 up
// to it.
type track struct {
	last uint32
	seen uint64 // bit i: last-i has come
}

// arrival is what a sequence number says of the message that bears it.
type arrival uint8

const (
	inOrder arrival = iota // higher than all before; numbers left out may have been dropped, or sent between polls
	late                   // lower than one before, and not seen yet
	doubled                // seen before
)

// take notes a sequence number, from 1 on. One more than 63 below the highest is taken for a late one: nothing is known
// of it any more.
func (t *track) take(seq uint32) arrival {
	if seq > t.last {
		if up := seq - t.last; up < 64 {
			t.seen = t.seen<<up | 1
		} else {
			t.seen = 1
		}
		t.last = seq
		return inOrder
	}
	bit := uint64(1) << min(t.last-seq, 63)
	if t.last-seq < 64 && t.seen&bit != 0 {
		return doubled
	}
	if t.last-seq < 64 {
		t.seen |= bit
	}
	return late
}

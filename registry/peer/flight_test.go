package peer

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"testing"
	"time"
)

// TestFlightAgainstAModel adds, answers and expires requests at random, and compares with a map.
func TestFlightAgainstAModel(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var f flight
		type entry struct {
			due  time.Duration
			sent bool
			n    int
		}
		model := map[uint64]entry{}
		var told []int
		var old []uint64
		now := time.Duration(0)
		for n := range 5000 {
			switch rng.IntN(4) {
			case 0, 1:
				due := now + time.Duration(rng.Int64N(int64(12*time.Second))) // more than two turns of the wheel
				id := f.add(func(Report, error) { told = append(told, n) }, due)
				if _, twice := model[id]; twice {
					t.Fatalf("seed %d: id %x is given twice", seed, id)
				}
				sent := rng.IntN(2) == 0
				f.get(id).sent = sent
				model[id] = entry{due, sent, n}
				old = append(old, id)
			case 2:
				id := old[rng.IntN(max(len(old), 1)):len(old):len(old)]
				if len(id) == 0 {
					continue
				}
				e, live := model[id[0]]
				done := f.take(id[0])
				if (done != nil) != live {
					t.Fatalf("seed %d: request %x is there %v, want %v", seed, id[0], done != nil, live)
				}
				if live {
					done(Report{}, nil)
					if told[len(told)-1] != e.n {
						t.Fatalf("seed %d: another request was answered", seed)
					}
					delete(model, id[0])
				}
			case 3:
				now += time.Duration(rng.Int64N(int64(300 * time.Millisecond)))
				if rng.IntN(50) == 0 {
					now += 8 * time.Second // a pause of the whole process
				}
				for _, e := range f.expire(now, nil) {
					e.done(Report{}, e.err)
					last := told[len(told)-1]
					for id, m := range model {
						if m.n == last {
							if m.due > now || errors.Is(e.err, ErrUnknown) != m.sent {
								t.Fatalf("seed %d: ended at %v, due %v: %v", seed, now, m.due, e.err)
							}
							delete(model, id)
						}
					}
				}
				for id, m := range model {
					if m.due+2*wheelTick < now {
						t.Fatalf("seed %d: request %x is %v late", seed, id, now-m.due)
					}
				}
			}
			if f.live != len(model) {
				t.Fatalf("seed %d: %d live, want %d", seed, f.live, len(model))
			}
		}
		before := len(told)
		tell(f.all())
		if len(told)-before != len(model) || f.live != 0 {
			t.Fatalf("seed %d: %d were told of the end, want %d", seed, len(told)-before, len(model))
		}
	}
}

// A process that slept learns nothing of its peers' silence from that.
func TestSleepIsNotSilence(t *testing.T) {
	m := &Mesh{cfg: Config{Ping: time.Second, Dead: 3 * time.Second, MaxQueued: 1 << 10}, start: time.Now()}
	one, other := net.Pipe()
	defer other.Close()
	l := newLine(m, one, one, hello{})
	defer l.end(faulty(Ended, "the test is over"))
	f := func(now, slept time.Duration, alive bool, pings int) {
		t.Helper()
		l.tick(now*time.Second, slept*time.Second, nil)
		if (l.why == nil) != alive || bytes.Count(l.next.bytes, []byte{framePing, tagID << 1}) != pings {
			t.Errorf("at %d s, of which slept %d: %v, %x was said", now, slept, l.why, l.next.bytes)
		}
	}
	f(2, 0, true, 1)
	f(2, 0, true, 1) // one a second
	f(99, 97, true, 2)
	f(99, 0, true, 2)
	l.heard.Store(true)
	f(104, 0, true, 2)
	f(106, 0, true, 3)
	f(107, 0, false, 3)
}

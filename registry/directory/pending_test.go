package directory

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"
	"unsafe"
)

// The oldest is known whatever order things end in, and what is kept stays in proportion to what waits.
func TestAges(t *testing.T) {
	rng := seeded(t)
	var a ages
	var ticks []tick
	now := time.Duration(0)
	for range 20_000 {
		if rng.IntN(2) == 0 || len(ticks) == 0 {
			now += time.Duration(rng.IntN(30)) * time.Millisecond
			late := time.Duration(rng.IntN(20)) * time.Millisecond // another goroutine's clock
			ticks = append(ticks, a.add(max(now-late, 0)))
		} else {
			i := rng.IntN(len(ticks))
			a.remove(ticks[i])
			ticks = slices.Delete(ticks, i, i+1)
		}
		at, any := a.oldest()
		if any != (len(ticks) > 0) || any && at != slices.Min(ticks) {
			t.Fatalf("oldest: %d, %v; want the least of %d", at, any, ticks)
		}
	}
	for _, at := range ticks {
		a.remove(at)
	}
	stuck := a.add(now)
	for range 10_000 {
		now += tickLength
		a.remove(a.add(now))
	}
	if at, any := a.oldest(); at != stuck || !any || len(a.runs) > 200 {
		t.Errorf("%d, %v; %d runs for one that waits", at, any, len(a.runs))
	}
}

// What is put comes back, whatever is dropped in between, and pages are used again.
func TestNames(t *testing.T) {
	rng := seeded(t)
	var n nameBytes
	type kept struct {
		ref nameRef
		key []byte
	}
	var all []kept
	for i := range 50_000 {
		if len(all) < 1000 || rng.IntN(2) == 0 && len(all) < 3000 {
			key := bytes.Repeat([]byte{byte(i)}, 1+rng.IntN(256))
			all = append(all, kept{n.put(key), key})
			continue
		}
		i := rng.IntN(len(all))
		if got := n.get(all[i].ref); !bytes.Equal(got, all[i].key) || cap(got) != len(got) {
			t.Fatalf("%x; want %x", got, all[i].key)
		}
		n.drop(all[i].ref)
		all[i] = all[len(all)-1]
		all = all[:len(all)-1]
	}
	if len(n.pages) > 200 {
		t.Errorf("%d pages of 16 KiB for 3,000 keys", len(n.pages))
	}
	for _, k := range all {
		n.drop(k.ref)
	}
	memory := 0
	for _, p := range n.pages {
		memory += cap(p.bytes)
	}
	if memory > (maxSpare+1)*namePageSize {
		t.Errorf("%d bytes for no key", memory)
	}
}

// Slots under random moves are what a map and sorted lists would be.
func TestSlots(t *testing.T) {
	rng := seeded(t)
	var s slots
	s.reset()
	type model struct {
		phase   phase
		since   tick
		tickets []Ticket
	}
	all := map[Hash]*model{}
	var order [listCount][]Hash
	now := time.Duration(0)
	phases := []phase{queued, later, flying, lingering, gone, failed, failed + 5}
	for step := range 20_000 {
		now += time.Duration(rng.IntN(5)) * time.Millisecond
		var h Hash
		binary.LittleEndian.PutUint64(h[:], rng.Uint64N(200))
		i, m := s.byHash[h], all[h]
		to := phases[rng.IntN(len(phases))]
		switch {
		case m == nil:
			m = &model{}
			all[h] = m
			i = s.add(h, h[:], to, now)
		case rng.IntN(4) == 0:
			s.settle(i)
			order[m.phase] = drop(order[m.phase], h)
			delete(all, h)
			continue
		case rng.IntN(3) == 0:
			ticket := Ticket{Task: uint32(step)}
			s.all[i].tickets = s.tickets.put(s.all[i].tickets, ticket)
			m.tickets = append(m.tickets, ticket)
			continue
		default:
			s.move(i, to, now)
		}
		if !m.phase.waits() && to.waits() {
			m.since = s.all[i].since
		}
		order[m.phase] = drop(order[m.phase], h)
		order[to] = append(order[to], h)
		m.phase = to
	}
	waiting, oldest := 0, tick(-1)
	for h, m := range all {
		p := s.all[s.byHash[h]]
		if p.phase != m.phase || p.phase.waits() && p.since != m.since || !bytes.Equal(s.keys.get(p.name), h[:]) {
			t.Errorf("%+v; want %+v", p, m)
		}
		if got := s.tickets.take(nil, p.tickets); len(got) != len(m.tickets) {
			t.Errorf("%d tickets; want %d", len(got), len(m.tickets))
		}
		if m.phase.waits() {
			if waiting++; oldest < 0 || m.since < oldest {
				oldest = m.since
			}
		}
	}
	if at, _ := s.ages.oldest(); s.waiting() != waiting || at != oldest || s.tickets.n != 0 {
		t.Errorf("%d wait since %d; want %d since %d", s.waiting(), at, waiting, oldest)
	}
	for p, l := range s.lists {
		var got []Hash
		for i := l.head; i != 0; i = s.all[i].next {
			got = append(got, s.all[i].hash)
		}
		if !slices.Equal(got, order[p]) || l.n != len(got) {
			t.Errorf("phase %d has %d, counted %d; want %d", p, len(got), l.n, len(order[p]))
		}
	}
}

func drop(order []Hash, h Hash) []Hash {
	if i := slices.Index(order, h); i >= 0 {
		return slices.Delete(order, i, i+1)
	}
	return order
}

// A burst leaves no memory behind.
func TestSlotsShrink(t *testing.T) {
	var s slots
	s.reset()
	var h Hash
	for i := range uint64(3 * shrinkFrom) {
		binary.LittleEndian.PutUint64(h[:], i)
		s.add(h, h[:], queued, 0)
	}
	for i := range uint64(3 * shrinkFrom) {
		binary.LittleEndian.PutUint64(h[:], i)
		s.settle(s.byHash[h])
	}
	if len(s.all) != 1 || len(s.keys.pages) != 0 {
		t.Errorf("%d slots, %d pages for no key", len(s.all), len(s.keys.pages))
	}
}

// A key that waits costs at most 100 bytes besides its name and its entry in the map.
func TestPendingIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(pending{}); size > 100 {
		t.Errorf("%d bytes", size)
	}
}

// Tickets are bounded, and those that were dropped are used again.
func TestTicketsAreBounded(t *testing.T) {
	p := ticketPool{nodes: make([]ticketNode, 1)}
	for range 3 {
		var chain int32
		for i := range uint32(maxTickets + 10) {
			chain = p.put(chain, Ticket{Task: i})
		}
		if got := p.take(nil, chain); len(got) != maxTickets || len(p.nodes) != maxTickets+1 {
			t.Errorf("%d tickets, %d nodes", len(got), len(p.nodes))
		}
	}
}

// Backing off grows, with jitter, and stays within its bounds.
func TestBackoff(t *testing.T) {
	f := func(tries int, want time.Duration) {
		t.Helper()
		seen := map[time.Duration]bool{}
		for range 100 {
			got := backoff(tries)
			if seen[got] = true; got < want*3/4 || got > want*5/4 {
				t.Errorf("%d tries: %v; want about %v", tries, got, want)
			}
		}
		if len(seen) < 50 {
			t.Errorf("%d tries: no jitter", tries)
		}
	}
	f(0, 25*time.Millisecond)
	f(1, 50*time.Millisecond)
	f(5, 800*time.Millisecond)
	f(200, 800*time.Millisecond)
}

// BenchmarkTouch is what a loop pays for a key's first holder and its last.
func BenchmarkTouch(b *testing.B) {
	m := NewMemory()
	keys := &tableau{keys: map[string]int{}}
	d := Open(Config{Store: m.Join(), Hash: hasher.Sum, Keys: keys, Self: Node{Instance: 1}})
	defer d.Close(ended())
	names := make([][]byte, 100_000)
	for i := range names {
		names[i] = fmt.Append(nil, "a key of length ", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d.Touch(names[i%len(names)])
	}
}

// BenchmarkAwait is what a loop pays for each further holder.
func BenchmarkAwait(b *testing.B) {
	d := Open(Config{Store: NewMemory().Join(), Hash: hasher.Sum, Keys: &tableau{}, Self: Node{Instance: 1}})
	defer d.Close(ended())
	for d.Behind() {
		time.Sleep(time.Millisecond)
	}
	b.ReportAllocs()
	key, h := []byte("k"), sum("k")
	for b.Loop() {
		if !d.Await(key, h, Ticket{}) {
			b.Fatal("does not stand")
		}
	}
}

package swarm

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"holdfast/engine/epoll"
)

func TestStamps(t *testing.T) {
	f := func(s stamp) {
		t.Helper()
		b := append(s.appendTo(nil), padding(MinSize+9)...)
		if got, ok := stamped(b); !ok || got != s || len(b) != MinSize+9 {
			t.Errorf("%+v came back as %+v, %v from %q", s, got, ok, b)
		}
		for cut := range MinSize {
			if _, ok := stamped(b[:cut]); ok {
				t.Errorf("%q is a stamp", b[:cut])
			}
		}
	}
	f(stamp{})
	f(stamp{1, 2, 3, 4, 5, 6, 7})
	f(stamp{math.MaxUint32, math.MaxUint8, math.MaxUint16, math.MaxUint32, math.MaxUint32, 1<<48 - 1, math.MaxInt64})
	bad := (&stamp{}).appendTo(nil)
	for i := range bad {
		b := slices.Clone(bad)
		b[i] = 'z'
		if _, ok := stamped(b); ok {
			t.Errorf("%q is a stamp", b)
		}
	}
}

func TestKeysAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for run := range uint32(3) {
		for load := range uint8(MaxLoads) {
			for _, key := range []uint32{0, 1, 255, 256, 65536, 1<<30 - 1} {
				name := string(appendKey(nil, run, load, key))
				if len(name) != 16 || seen[name] {
					t.Errorf("run %d, load %d, key %d: %q", run, load, key, name)
				}
				seen[name] = true
			}
		}
	}
}

// A track agrees with a set of everything that has come, as far back as it looks.
func TestTrackAgreesWithASet(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var tr track
		seen := map[uint32]bool{}
		high := uint32(0)
		for range 400 {
			seq := uint32(1 + max(0, int(high)+rnd.IntN(100)-70))
			if rnd.IntN(50) == 0 {
				seq = high + uint32(rnd.IntN(200)) + 1
			}
			want := inOrder
			switch {
			case seq <= high && high-seq < 64 && seen[seq]:
				want = doubled
			case seq <= high:
				want = late
			}
			if got := tr.take(seq); got != want {
				t.Fatalf("%d after %d: %v, want %v", seq, high, got, want)
			}
			seen[seq], high = true, max(high, seq)
		}
	}
}

// modelPush is what the model of a ledger knows of a push.
type modelPush struct {
	state             entryState
	promised, arrived uint32
}

// A ledger agrees with plain sums over all pushes, whatever comes in which order.
func TestLedgerAgreesWithSums(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		verdicts, messages := int64(0), int64(0)
		l := newLedger(func(_, _ int64, verdict bool, n uint32) {
			if verdict {
				verdicts++
			}
			messages += int64(n)
		})
		var all []modelPush
		var passed int64
		for range 500 {
			n := int64(len(all))
			if n == 0 || rnd.IntN(3) == 0 {
				l.send(n, n, n)
				all = append(all, modelPush{})
				continue
			}
			n = rnd.Int64N(n)
			p := &all[n]
			switch {
			case rnd.IntN(2) == 0:
				l.arrive(n)
				p.arrived++
			case p.state != asked:
			case rnd.IntN(9) == 0:
				l.lapse(n, n)
				p.state = silent
			default:
				p.state, p.promised = answered, uint32(rnd.IntN(4))
				members := uint32(rnd.IntN(4))
				l.answer(n, p.promised, members)
				passed += max(int64(members)-int64(p.promised), 0)
			}
			checkOpen(t, l, all)
		}
		l.close(0)
		want := Books{Sent: int64(len(all)), Passed: passed}
		for _, p := range all {
			want.Arrived += int64(p.arrived)
			want.Promised += int64(p.promised)
			if p.state != answered {
				want.Unanswered++
				continue
			}
			want.Lost += max(int64(p.promised)-int64(p.arrived), 0)
			want.Surplus += max(int64(p.arrived)-int64(p.promised), 0)
		}
		if l.books != want || l.open != 0 || verdicts != want.Unanswered || messages != want.Lost {
			t.Fatalf("%+v\nwant %+v, open %d, missed %d %d", l.books, want, l.open, verdicts, messages)
		}
	}
}

func checkOpen(t *testing.T, l *ledger, all []modelPush) {
	t.Helper()
	open := 0
	for _, p := range all {
		if p.state == asked || p.arrived < p.promised {
			open++
		}
	}
	if l.open != open {
		t.Fatalf("%d open, want %d", l.open, open)
	}
}

// What is too old to be remembered was judged by what was known, and a message that comes then is told apart.
func TestLedgerForgetsTheOldest(t *testing.T) {
	l := newLedger(func(int64, int64, bool, uint32) {})
	l.send(0, 0, 0)
	l.answer(0, 1, 1)
	l.send(ledgerPlaces, 0, 0)
	if l.books.Lost != 1 || l.open != 1 || !l.books.Broken() {
		t.Errorf("%+v, open %d", l.books, l.open)
	}
	l.arrive(0)
	l.arrive(-1)
	if l.books.Unchecked != 2 || l.books.Arrived != 2 || l.books.Broken() {
		t.Errorf("%+v", l.books)
	}
	new(ledger).arrive(7) // nobody pushes: nothing is known
}

func TestVerdictsOfSeveralServers(t *testing.T) {
	f := func(text string, want uint32, ok bool) {
		t.Helper()
		if n, is := promisedBy([]byte(text)); n != want || is != ok {
			t.Errorf("%q: %d %v", text, n, is)
		}
	}
	f(`{"id":"","delivered":3,"pending":2,"stored":0,"dropped":0,"unknown":0,"node":"local"}`, 5, true)
	f(`{"delivered": 12}`, 12, true)
	f("queued messages: 5\r\nlast requested: 0 sec. ago\r\nactive subscribers: 17\r\nlast message id: 1:0", 17, true)
	f(`{"messages": 1, "requested": 0, "subscribers": 4, "last_message_id": "1:0" }`, 4, true)
	f(`{"delivered":"many"}`, 0, true)
	f(`{"delivered":99999999999999999999}`, 999999999, true)
	f("created", 0, false)
	f("", 0, false)
}

// A metronome ends a wait of a second when it was told to, to a fraction of a millisecond.
func TestMetronome(t *testing.T) {
	k, err := epoll.New()
	if err != nil {
		t.Fatal(err)
	}
	defer k.Free()
	m := newMetronome(k.Now, k.Wake)
	m.stop()
	m.run()
	m.run()
	events := make([]epoll.Event, 1)
	best := time.Hour
	for range 20 {
		due := k.Now() + int64(3300*time.Microsecond)
		m.next(due)
		for k.Now() < due { // a signal may end a wait early
			if _, err := k.Wait(events, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		best = min(best, time.Duration(k.Now()-due))
	}
	if best > 500*time.Microsecond {
		t.Errorf("always more than %v late", best)
	}
	m.next(k.Now())
	m.stop()
	if m.ends != nil {
		t.Error("it did not stop")
	}
}

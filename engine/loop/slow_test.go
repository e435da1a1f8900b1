package loop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// stalled is a connection whose peer reads nothing, under a policy.
func stalled(t *testing.T, p record.SlowPolicy, sendBuffer int) (*testLoop, *side) {
	tl := newLoop(t, simkernel.Options{SendBuffer: sendBuffer}, Config{})
	tl.SetPolicies([]record.SlowPolicy{{}, p})
	s := tl.connect()
	tl.At(s.slot).Policy = 1
	s.peer.Stall()
	return tl, s
}

func TestSlowCloseEvictsAtTheBound(t *testing.T) {
	tl, s := stalled(t, record.SlowPolicy{}, 1000)
	neighbour := tl.connect()
	text := strings.Repeat("x", 1000-2)
	n := 0
	for s.open && n < 1000 {
		tl.do(func() { tl.push(s, text); tl.push(neighbour, "n") })
		n++
	}
	// The system holds one message, 64 KiB the rest: 1000 bytes and what a piece costs each.
	if want := 1 + 64<<10/(1000+itemBytes) + 1; n != want {
		t.Errorf("evicted by message %d, want %d", n, want)
	}
	tl.wantEvents(s, "opened slow")
	if tl.Stats.Evicted != 1 || tl.Stats.Closed[record.ReasonSlow] != 1 {
		t.Errorf("evicted %d, closed %v", tl.Stats.Evicted, tl.Stats.Closed)
	}
	if _, how := s.peer.Closed(); how != simkernel.Rst {
		t.Errorf("the slow peer sees it %v: its output would stay in the system", how)
	}
	tl.wantWire(neighbour, strings.Repeat("<n>", n))
	tl.wantEvents(neighbour, "opened")
	tl.wantFates([]uint32{1, 3, 5}, delivered, pending)
	tl.wantFates([]uint32{uint32(2*n - 1)}, slow)
	tl.end()
}

func TestTinyMessagesDoNotEscapeTheBound(t *testing.T) {
	tl, s := stalled(t, record.SlowPolicy{}, 1)
	n := 0
	for s.open && n < 10_000 {
		tl.do(func() { tl.push(s, "") })
		n++
	}
	if most := 64<<10/itemBytes + 2; n > most {
		t.Errorf("%d messages of 2 bytes are queued, want at most %d", n, most)
	}
	tl.end()
}

func TestDropOldestKeepsTheNewest(t *testing.T) {
	tl, s := stalled(t, record.SlowPolicy{QueueBytes: 10 * (10 + itemBytes), Action: record.SlowOldest}, 15)
	for i := range 100 {
		tl.do(func() { tl.push(s, fmt.Sprintf("%08d", i)) })
	}
	s.peer.Resume()
	tl.rest()
	var want strings.Builder
	for _, i := range []int{0, 1, 91, 92, 93, 94, 95, 96, 97, 98, 99} { // one gone, one begun, nine that fit
		fmt.Fprintf(&want, "<%08d>", i)
	}
	tl.wantWire(s, want.String())
	if tl.Stats.Dropped != 89 || !s.open {
		t.Errorf("%d dropped, open %v", tl.Stats.Dropped, s.open)
	}
	tl.end()
}

func TestDropsOfOneTickAreToldAsSlow(t *testing.T) {
	f := func(action record.SlowAction, want ...record.Fate) {
		tl, s := stalled(t, record.SlowPolicy{QueueBytes: 3 * (10 + itemBytes), Action: action}, 15)
		tl.do(func() { tl.push(s, "00000000"); tl.push(s, "11111111") })
		tl.do(func() {
			for i := range 4 {
				tl.push(s, fmt.Sprintf("%08d", i))
			}
		})
		for i, w := range want {
			tl.wantFates([]uint32{uint32(i + 1)}, w)
		}
		tl.end()
	}
	f(record.SlowOldest, delivered, pending, slow, slow, pending, pending)
	f(record.SlowLatest, delivered, pending, slow, slow, pending, pending)
	f(record.SlowClose, delivered, pending, slow, slow, slow, gone)
}

func TestLatestOnlyKeepsTheLast(t *testing.T) {
	tl, s := stalled(t, record.SlowPolicy{QueueBytes: 2 * (10 + itemBytes), Action: record.SlowLatest}, 15)
	for i := range 100 {
		tl.do(func() { tl.push(s, fmt.Sprintf("%08d", i)) })
	}
	s.peer.Resume()
	tl.rest()
	tl.wantWire(s, "<00000000><00000001><00000099>")
	tl.end()
}

func TestNoPolicyCutsAMessageOrDropsTheSessionsBytes(t *testing.T) {
	for _, action := range []record.SlowAction{record.SlowOldest, record.SlowLatest} {
		tl, s := stalled(t, record.SlowPolicy{QueueBytes: 600, Action: action}, 15)
		tl.do(func() {
			tl.push(s, strings.Repeat("b", 50)) // begun
			tl.Write(s.slot, []byte("head;"))
		})
		for i := range 50 {
			tl.do(func() { tl.push(s, fmt.Sprintf("%0100d", i)); tl.Write(s.slot, []byte(";")) })
		}
		s.peer.Resume()
		tl.rest()
		got := s.read()
		if !strings.HasPrefix(got, "<"+strings.Repeat("b", 50)+">head;") || strings.Count(got, ";") != 51 ||
			strings.Count(got, "<") != strings.Count(got, ">") {
			t.Errorf("policy %d: %q", action, clip(got))
		}
		tl.end()
	}
}

// A message that has no chance does not push others out.
// An answer that waits is followed by others' answers: without it the client would take each for the one before.
func TestNoPolicyDropsAnAnswer(t *testing.T) {
	for _, action := range []record.SlowAction{record.SlowOldest, record.SlowLatest} {
		tl, s := stalled(t, record.SlowPolicy{QueueBytes: 10 * (10 + itemBytes), Action: action}, 15)
		want := ""
		for i := range 100 {
			answer := fmt.Sprintf("%08d", i)
			tl.do(func() {
				before := len(tl.fates)
				tl.pushBy(tl.PushAnswer, s, answer)
				if len(tl.fates) == before { // it was queued
					want += "<" + answer + ">"
				}
			})
		}
		s.peer.Resume()
		tl.rest()
		if n := strings.Count(want, "<"); n < 10 || n > 15 {
			t.Errorf("policy %d: %d answers were queued", action, n)
		}
		tl.wantWire(s, want)
		tl.end()
	}
}

func TestAMessageThatCannotFitDropsNobodyElse(t *testing.T) {
	tl, s := stalled(t, record.SlowPolicy{QueueBytes: 500, Action: record.SlowOldest}, 15)
	tl.do(func() { tl.push(s, strings.Repeat("b", 50)); tl.push(s, "waits") })
	tl.do(func() { tl.push(s, strings.Repeat("L", 600)) })
	tl.wantFates([]uint32{1, 2, 3}, pending, pending, slow)
	s.peer.Resume()
	tl.rest()
	tl.wantWire(s, "<"+strings.Repeat("b", 50)+"><waits>")
	tl.do(func() { tl.push(s, strings.Repeat("L", 600)) })
	tl.wantFates([]uint32{4}, pending) // an empty queue takes any; the system's buffer is the smaller one here
	tl.end()
}

func TestStalledForLongIsEvictedAndNotBefore(t *testing.T) {
	tl, s := stalled(t, record.SlowPolicy{}, 10)
	reader := tl.connect()
	tl.do(func() { tl.push(s, strings.Repeat("f", 8)) }) // fills the system's buffer
	tl.elapse(time.Minute, time.Second)
	tl.do(func() { tl.push(s, strings.Repeat("x", 40)); tl.push(reader, "fits") })
	tl.elapse(9900*time.Millisecond, 100*time.Millisecond)
	tl.wantEvents(s, "opened")
	s.peer.Drain(5) // the system has room, and so took some: progress
	tl.elapse(9900*time.Millisecond, 100*time.Millisecond)
	tl.wantEvents(s, "opened")
	tl.elapse(600*time.Millisecond, 100*time.Millisecond)
	tl.wantEvents(s, "opened slow")
	tl.wantEvents(reader, "opened")
	if tl.Stats.Evicted != 1 {
		t.Errorf("%d evicted", tl.Stats.Evicted)
	}
	tl.end()
}

func TestStallTimeoutRunsWithoutAnyEvent(t *testing.T) {
	tl, s := stalled(t, record.SlowPolicy{Stall: 2 * time.Second}, 10)
	tl.do(func() { tl.push(s, "does not fit") })
	began, waits := tl.k.Now(), tl.k.waits
	for s.open && tl.k.waits < waits+1000 {
		tl.Tick()
	}
	took, n := time.Duration(tl.k.Now()-began), tl.k.waits-waits
	if took < 2*time.Second || took > 2*time.Second+2*sweepEvery || n > 15 {
		t.Errorf("evicted after %v and %d waits", took, n)
	}
	tl.end()
}

func TestAHealthyConnectionTakesAThousandPushesInATick(t *testing.T) {
	f := func(size int) {
		t.Helper()
		tl := newLoop(t, simkernel.Options{SendBuffer: 4 << 20}, Config{})
		s := tl.connect()
		tl.do(func() {
			for range 1000 {
				tl.push(s, strings.Repeat("x", size))
			}
			tl.push(s, strings.Repeat("L", 50_000)) // more than one send must make room for
		})
		tl.rest()
		tl.wantEvents(s, "opened")
		if n := len(s.read()); n != 1000*(size+2)+50_002 {
			t.Errorf("%d bytes came", n)
		}
		for ticket := uint32(1); ticket <= 1001; ticket++ {
			tl.wantFates([]uint32{ticket}, delivered)
		}
		tl.end()
	}
	f(0)
	f(100)
	f(3000)
}

// Out comes before the tenant's work: what it pushes then must find that the socket takes more again.
func TestWritableAgainIsNotEvicted(t *testing.T) {
	tl, s := stalled(t, record.SlowPolicy{}, 1000)
	text := strings.Repeat("x", 900)
	tl.do(func() { tl.push(s, text); tl.push(s, text) })
	for tl.queues.all[tl.whole(s).out].fits(902, 64<<10) {
		tl.do(func() { tl.push(s, text) })
	}
	s.peer.Resume()
	tl.do(func() { tl.push(s, text) })
	tl.rest()
	tl.wantEvents(s, "opened")
	tl.end()
}

func TestAStalledQueueCostsLittleMoreThanItsBound(t *testing.T) {
	tl, s := stalled(t, record.SlowPolicy{Action: record.SlowOldest}, 100)
	before := mem.BufferBytes()
	for range 10_000 {
		tl.do(func() { tl.push(s, strings.Repeat("x", 198)) })
	}
	q := tl.queues.all[tl.whole(s).out]
	if held := mem.BufferBytes() - before; held > 3*64<<10 || len(q.items) > 300 || cap(q.items) > 600 {
		t.Errorf("%d bytes held, %d items in room for %d", held, len(q.items), cap(q.items))
	}
	tl.end()
}

func TestOnlyAsManyAreDroppedAsMustBe(t *testing.T) {
	const bound = 10 * (10 + itemBytes)
	tl, s := stalled(t, record.SlowPolicy{QueueBytes: bound, Action: record.SlowOldest}, 15)
	for i := range 11 {
		tl.do(func() { tl.push(s, fmt.Sprintf("%08d", i)) })
	}
	tl.do(func() { tl.push(s, strings.Repeat("L", 300)) })
	q := tl.queues.all[tl.whole(s).out]
	used := q.bytes + itemBytes*(len(q.items)-q.head-1) // the newest counts with its bytes alone
	if used > bound || used+10+itemBytes <= bound {
		t.Errorf("%d of %d used after %d were dropped", used, bound, tl.Stats.Dropped)
	}
	tl.end()
}

func TestWhatIsSentOfABegunMessageTakesNoRoom(t *testing.T) {
	tl, s := stalled(t, record.SlowPolicy{QueueBytes: 500, Action: record.SlowOldest}, 390)
	tl.do(func() { tl.push(s, strings.Repeat("b", 400)); tl.push(s, strings.Repeat("w", 98)) })
	tl.do(func() { tl.push(s, strings.Repeat("n", 398)) })
	tl.wantFates([]uint32{1, 2, 3}, pending)
	if n := tl.Queued(s.slot); n != 12+400 || tl.Stats.Dropped != 1 {
		t.Errorf("%d bytes wait, %d dropped", n, tl.Stats.Dropped)
	}
	tl.end()
}

func TestClosedInTheTickOfItsEvictionCountsOnce(t *testing.T) {
	tl, s := stalled(t, record.SlowPolicy{Stall: time.Second}, 10)
	tl.do(func() { tl.push(s, "does not fit") })
	tl.k.Advance(2 * time.Second)
	tl.do(func() { tl.Close(s.slot, record.ReasonDone) })
	tl.wantEvents(s, "opened done")
	if tl.Stats.Evicted != 0 {
		t.Error("counted as evicted")
	}
	tl.end()
}

// A queue that moves but never empties does not grow, and one that grew is not kept for the next connection.
func TestQueuesDoNotKeepWhatTheyOnceHeld(t *testing.T) {
	tl, s := stalled(t, record.SlowPolicy{}, 100)
	for range 200 {
		tl.do(func() {
			for range 10 {
				tl.push(s, "12345678")
			}
		})
		for tl.Queued(s.slot) > 1000 {
			s.peer.Drain(100)
			tl.Tick()
		}
	}
	index := tl.whole(s).out
	if n := cap(tl.queues.all[index].items); n > 512 {
		t.Errorf("room for %d items after 2000 messages, 100 at a time", n)
	}
	s.peer.Resume()
	tl.rest()
	if n := cap(tl.queues.all[index].items); n > queueKeep {
		t.Errorf("room for %d items is kept", n)
	}
	tl.end()
}

package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/engine/exchange"
	"holdfast/engine/record"
	"holdfast/engine/route"
)

// "At most N deliveries per tick": over all fan-outs together.
func TestFanoutIsBoundedPerTick(t *testing.T) {
	w := newWorld(t, 1, Config{FanoutPerTick: 10}, route.Policy{})
	l := w.loops[0]
	for i := range 90 {
		l.sub(fmt.Sprint("k", i%3))
	}
	heard := func() (n int) {
		for _, c := range l.calls[1:] {
			n += len(c.heard)
		}
		return n
	}
	pushes := []*call{l.post("POST /push/k0", "m"), l.post("POST /push/k1,k2", "m"), l.post("POST /push?all", "m")}
	before, ticks := 0, 0
	for ; !pushes[2].over; ticks++ {
		if again := l.tick(); again != 0 && !pushes[2].over {
			t.Fatalf("the loop would sleep for %v with a fan-out under way", again)
		}
		if n := heard(); n-before > 10 {
			t.Fatalf("tick %d: %d deliveries", ticks, n-before)
		} else {
			before = n
		}
	}
	if before != 180 || ticks > 30 {
		t.Errorf("%d deliveries in %d ticks", before, ticks)
	}
	pushes[0].wantVerdict("200 delivered 30")
	pushes[1].wantVerdict("200 delivered 60")
	pushes[2].wantVerdict("200 delivered 90")
}

// A small group is not behind a large one, and one key with many pushes has no more than its share.
func TestFanoutsTakeTurns(t *testing.T) {
	w := newWorld(t, 1, Config{FanoutPerTick: 16}, route.Policy{})
	l := w.loops[0]
	for range 1000 {
		l.sub("large")
	}
	l.sub("small")
	l.sub("small")
	for range 5 {
		l.post("POST /push/large", "m")
	}
	l.tick()
	small := l.post("POST /push/small", "m")
	l.tick()
	if !small.over {
		t.Error("the small group waits for the large one")
	}
	w.rest()
	small.wantVerdict("200 delivered 2")
}

// Many pushes to one small group have no more of a tick than one to a large group.
func TestManyFanoutsToOneKeyTakeOneTurn(t *testing.T) {
	w := newWorld(t, 1, Config{FanoutPerTick: 24}, route.Policy{})
	l := w.loops[0]
	for i := range 12 {
		l.sub(fmt.Sprint("k", i/2))
	}
	for range 100 {
		l.post("POST /push/k0", "m")
	}
	var others []*call
	for i := 1; i < 6; i++ {
		others = append(others, l.post(fmt.Sprint("POST /push/k", i), "m"))
	}
	l.tick()
	for i, c := range others {
		if !c.over {
			t.Errorf("k%d waits for k0's hundred", i+1)
		}
	}
	w.rest()
	if first := l.calls[1].heard; len(first) != 100 {
		t.Errorf("k0 heard %d", len(first))
	}
}

// Neighbours' latency does not depend on somebody's group: a push to one holder is answered in its own tick while a
// fan-out to 17,000 is under way, from this loop or another.
func TestOneKeyPushesDuringLargeFanout(t *testing.T) {
	w := newWorld(t, 2, Config{}, route.Policy{})
	const members = 4_000
	for i := range members {
		l := w.loops[i%2]
		c := l.alloc(record.HTTP1)
		c.Form = uint8(exchange.SSE)
		if err := l.g.members.Join(w.shared.Table, []byte("large"), c.slot); err != nil {
			t.Fatal(err)
		}
	}
	w.loops[0].sub("alice")
	large := w.loops[0].post("POST /push/large", "m")
	ticks, pushes := 0, 0
	for ; !large.over; ticks++ {
		near, far := w.loops[0].post("POST /push/alice", "m"), w.loops[1].post("POST /push/alice", "m")
		w.loops[1].tick()
		w.loops[0].tick()
		near.wantVerdict("200 delivered 1")
		w.loops[1].tick()
		far.wantVerdict("200 delivered 1")
		pushes += 2
	}
	large.wantVerdict(fmt.Sprint("200 delivered ", members))
	if ticks < members/2/128 {
		t.Errorf("%d ticks", ticks)
	}
	t.Logf("%d deliveries over 2 loops: %d ticks, %d one-key pushes meanwhile", members, ticks, pushes)
}

func TestFanoutKeepsOrderPerKey(t *testing.T) {
	w := newWorld(t, 2, Config{FanoutPerTick: 3}, route.Policy{})
	var holders []*call
	for i := range 20 {
		holders = append(holders, w.loops[i%2].sub("k"))
	}
	var want []string
	for i := range 6 { // each is on its way before the next
		w.loops[0].post("POST /push/k", fmt.Sprint(i))
		want = append(want, fmt.Sprint(i))
		w.loops[i%2].tick()
	}
	w.rest()
	for _, c := range holders {
		if !slices.Equal(c.heard, want) {
			t.Errorf("slot %d heard %v", c.slot, c.heard)
		}
	}
}

// Polls leave as they are delivered to, and any member may leave while the walk rests in front of it.
func TestMembersLeaveUnderAWalk(t *testing.T) {
	w := newWorld(t, 1, Config{FanoutPerTick: 2}, route.Policy{})
	l := w.loops[0]
	var holders []*call
	for i := range 12 {
		if i%3 == 0 {
			holders = append(holders, l.ask("GET /sub/k"))
			continue
		}
		holders = append(holders, l.sub("k"))
	}
	push := l.post("POST /push/k", "m")
	l.tick()            // the newest two have it
	holders[9].leave()  // the one to be visited next
	holders[11].leave() // one visited
	holders[5].leave()
	late := l.sub("k")
	w.rest()
	push.wantVerdict("200 delivered 10")
	for i, c := range holders {
		want := 1
		if i == 9 || i == 5 {
			want = 0
		}
		if len(c.heard) != want {
			t.Errorf("holder %d heard %v", i, c.heard)
		}
	}
	if len(late.heard) > 0 {
		t.Error("one that joined behind the walk's start heard it")
	}
	if n := l.g.Stats.Held; n != 7 {
		t.Errorf("%d held", n) // 12 less 3 that left, less 3 polls of which holder 9 is one of those that left, plus 1
	}
}

func TestBroadcast(t *testing.T) {
	w := newWorld(t, 3, Config{FanoutPerTick: 4}, route.Policy{})
	var holders []*call
	for i := range 30 {
		holders = append(holders, w.loops[i%3].sub(fmt.Sprintf("k%d,m%d,group", i, i))) // further keys: still once each
	}
	idle := w.loops[0].begin("POST /push/k0") // has a slot, but no hold
	push := w.loops[1].post("POST /push?all", "m")
	w.rest()
	push.wantVerdict("200 delivered 30")
	for _, c := range holders {
		if len(c.heard) != 1 {
			t.Errorf("heard %v", c.heard)
		}
	}
	if idle.answer.Status != 0 {
		t.Errorf("the publisher without a hold was sent %s", idle)
	}
	nobody := newWorld(t, 2, Config{}, route.Policy{})
	push = nobody.loops[0].post("POST /push?all", "m")
	nobody.rest()
	push.wantVerdict("404")
	f := func(request string, lines ...string) {
		t.Helper()
		if c := w.loops[0].post(request, "m", lines...); c.answer.Status != 400 {
			t.Errorf("%s: %s", request, c)
		}
	}
	f("POST /push/k1?all") // its holder would have it twice
	f("POST /push?all", "Push-Key: k1")
}

func TestCloseGroup(t *testing.T) {
	w := newWorld(t, 3, Config{FanoutPerTick: 64}, route.Policy{})
	var holders []*call
	for i := range 3000 {
		holders = append(holders, w.loops[i%3].sub("group"))
	}
	poll := w.loops[0].ask("GET /sub/group,other")
	del := w.loops[2].ask("DELETE /push/group")
	ticks := w.rest()
	del.wantVerdict("200 closed 3001")
	for _, c := range append(holders, poll) {
		if c.byes != 1 || !c.over {
			t.Fatalf("slot %d: told %d times, over %v", c.slot, c.byes, c.over)
		}
	}
	if n := w.shared.Table.Len(); n != 0 {
		t.Errorf("%d keys left", n)
	}
	if ticks < 3000/3/64 {
		t.Errorf("%d ticks: not paced", ticks)
	}
	again := w.loops[2].ask("DELETE /push/group")
	w.rest()
	again.wantVerdict("404")
}

// A key that everybody has left and somebody else holds now is a new one: who joined since does not hear what was on its
// way to those before, least of all behind what came later.
func TestOrderWhenAKeyIsHeldAnew(t *testing.T) {
	play := func(name string, read bool, rejoin func(w *world) *call) {
		t.Helper()
		w := newWorld(t, 2, Config{FanoutPerTick: 1}, route.Policy{})
		a, b, c := w.loops[0].sub("k"), w.loops[1].sub("k"), w.loops[1].sub("k")
		for i := range 3 {
			w.loops[0].post("POST /push/k", fmt.Sprint(i))
		}
		if read { // the first is walked, one delivery far, and the others wait behind it; else all are still in the mail
			w.loops[1].tick()
		}
		a.leave()
		b.leave()
		c.leave()
		anew := rejoin(w)
		w.loops[anew.loop.id].post("POST /push/k", "later")
		anew.loop.flush()
		w.rest()
		later := slices.Index(anew.heard, "later")
		if later != len(anew.heard)-1 {
			t.Errorf("%s: heard %v", name, anew.heard)
		}
		for _, l := range w.loops {
			if d := l.g.Depths(); d != (Depths{}) {
				t.Errorf("%s: loop %d is left with %+v", name, l.id, d)
			}
		}
	}
	f := func(name string, rejoin func(w *world) *call) {
		t.Helper()
		play(name, true, rejoin)
		play(name+", in the mail", false, rejoin)
	}
	f("on the old home", func(w *world) *call { return w.loops[0].sub("k") })
	f("on another loop, alone", func(w *world) *call { return w.loops[1].sub("k") })
	f("on another loop, as a group", func(w *world) *call { w.loops[1].sub("k"); return w.loops[1].sub("k") })
	f("under another name", func(w *world) *call { w.loops[1].sub("x"); return w.loops[1].sub("k") })
	f("home comes back later", func(w *world) *call { w.loops[0].sub("k"); return w.loops[1].sub("k") })
}

func TestSettledWithoutATicket(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{})
	c := w.loops[0].ask("GET /sub", "Accept: text/event-stream")
	w.rest() // the key event's fate is nobody's business
	if key := c.field("push-key"); len(c.heard) != 1 || c.heard[0] != key || strings.ContainsAny(key, "=+/ ,%") {
		t.Errorf("key %q, heard %q", key, c.heard)
	}
}

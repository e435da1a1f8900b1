package gateway

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/registry/peer"
)

// "A publisher's retry with the same Push-Id within a window is delivered once", on whatever loop it comes in.
func TestRetryIsDeliveredOnce(t *testing.T) {
	w := newWorld(t, 2, Config{IDWindow: time.Minute}, route.Policy{})
	a, b := w.loops[0].sub("a"), w.loops[1].sub("b")
	f := func(loop int, target, id, want string) {
		t.Helper()
		c := w.loops[loop].post("POST /push/"+target, "m", "Push-Id: "+id)
		w.rest()
		c.wantVerdict(want)
	}
	f(0, "a", "1", "200 delivered 1")
	f(1, "a", "1", "200")
	f(0, "a", "1", "200")
	f(0, "a", "2", "200 delivered 1") // another message
	f(0, "b", "1", "200 delivered 1") // another key
	f(1, "a,b", "1", "200")
	f(1, "a,b", "3", "200 delivered 2")
	f(0, "nobody", "1", "404")
	w.now += int64(time.Minute)
	f(1, "a", "1", "200 delivered 1") // another minute
	if len(a.heard) != 4 || len(b.heard) != 2 {
		t.Errorf("heard %q and %q", a.heard, b.heard)
	}
	if n := w.loops[0].g.Stats.Duplicates + w.loops[1].g.Stats.Duplicates; n != 4 {
		t.Errorf("%d duplicates", n)
	}
}

// A push that nobody took may be tried again; one whose fate is not known yet may not.
func TestRetryAfterFailure(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{})
	l := w.loops[0]
	a := l.sub("a")
	push := func() *call { return l.post("POST /push/a", "m", "Push-Id: 1") }
	a.fate = record.DroppedSlow
	c := push()
	w.rest()
	c.wantVerdict("503 dropped 1")
	a.fate = record.Pending
	first, second := push(), push() // the first has no verdict yet
	w.rest()
	first.wantVerdict("202 pending 1")
	second.wantVerdict("504 unknown 1")
	c = push()
	w.rest()
	c.wantVerdict("200")
	if len(a.heard) != 1 {
		t.Errorf("heard %q", a.heard)
	}
}

// A retry of another node's publisher is known by the window of the node that delivers.
func TestErrandIsDeliveredOnce(t *testing.T) {
	w, e := newClusterWorld(t, 2, Config{})
	a := w.loops[1].sub("a")
	r := peer.Request{Verb: peer.Push, Key: []byte("a"), Payload: message("m", "1"), Dedup: true}
	if got := serve(w, e, r); *got != (peer.Report{Delivered: 1}) {
		t.Errorf("%+v", *got)
	}
	if got := serve(w, e, r); *got != (peer.Report{Duplicate: 1}) {
		t.Errorf("again: %+v", *got)
	}
	if len(a.heard) != 1 {
		t.Errorf("heard %q", a.heard)
	}
	r.Dedup = false // the id is only a name
	if got := serve(w, e, r); *got != (peer.Report{Delivered: 1}) {
		t.Errorf("not to be deduplicated: %+v", *got)
	}
}

func TestWindowOff(t *testing.T) {
	w := newWorld(t, 1, Config{IDWindow: -1}, route.Policy{})
	a := w.loops[0].sub("a")
	for range 3 {
		w.loops[0].post("POST /push/a", "m", "Push-Id: 1")
	}
	w.rest()
	if len(a.heard) != 3 {
		t.Errorf("heard %q", a.heard)
	}
}

// The window answers as a map of all that was noted within its span would, and forgets the oldest first when it is full.
func TestWindowModel(t *testing.T) {
	type state struct {
		born  int64
		taken bool
	}
	var w window
	const span, most = 100, 16 * 8
	w.init(span, most)
	model := map[mark]state{}
	rng := rand.New(rand.NewPCG(5, 6))
	now := int64(1000)
	for step := range 200_000 {
		now += rng.Int64N(3)
		m := mark{rng.Uint64N(40), 7} // up to three of a part's eight
		for k, s := range model {
			if s.born < now-span && k[0]%16 == m[0]%16 {
				delete(model, k)
			}
		}
		s, ok := model[m]
		want := unseen
		if ok && s.taken {
			want = taken
		} else if ok {
			want = running
		}
		if got := w.begin(m, now); got != want {
			t.Fatalf("step %d: %v is %d, want %d", step, m, got, want)
		}
		if !ok {
			s = state{born: now}
			model[m] = s
		}
		if !s.taken && rng.IntN(2) == 0 {
			took := rng.IntN(2) == 0
			w.settle(m, took)
			model[m] = state{born: s.born, taken: true}
			if !took {
				delete(model, m)
			}
		}
	}
}

func TestWindowIsBounded(t *testing.T) {
	var w window
	w.init(time.Hour, 16*100)
	for i := range 100_000 {
		w.begin(w.mark([]byte("k"), fmt.Appendf(nil, "%d", i)), int64(i))
	}
	for i := range w.parts {
		p := &w.parts[i]
		if len(p.seen) > 100 || len(p.order)-p.first > 100 || cap(p.order) > 8192 {
			t.Errorf("part %d keeps %d, in order %d of %d", i, len(p.seen), len(p.order)-p.first, cap(p.order))
		}
	}
	last := w.mark([]byte("k"), []byte("99999"))
	if w.begin(last, 100_000) != running {
		t.Error("the newest was forgotten")
	}
}

// Key and id are told apart: no two pairs of them share a mark by how they are put together.
func TestMarksOfPairs(t *testing.T) {
	var w window
	w.init(time.Hour, 1)
	seen := map[mark]string{}
	f := func(key, id string) {
		m := w.mark([]byte(key), []byte(id))
		if other, ok := seen[m]; ok {
			t.Errorf("%q and %q share a mark with %s", key, id, other)
		}
		seen[m] = fmt.Sprintf("%q %q", key, id)
	}
	f("ab", "c")
	f("a", "bc")
	f("abc", "")
	f("", "abc")
	f("a\xff", "bc")
	f("a", "\xffbc")
	f("a\xff\x02", "bc")
	if n := testing.AllocsPerRun(100, func() { w.mark([]byte("key"), []byte("id")) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

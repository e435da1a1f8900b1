package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// invent makes a history that keeps every promise: clients that come, stay and go, and pushes that one step of time
// delivers to whoever is there.
func invent(seed uint64) *history {
	rng := rand.New(rand.NewPCG(seed, 7))
	h := &history{}
	for key := range 4 {
		name := fmt.Sprint("k", key)
		for range 1 + key%2 { // every other key has two devices
			for at := moment(1); at < time.Minute; {
				x := &hold{key: name, node: string(rune('a' + rng.IntN(3))), asked: at}
				x.headed = at + moment(rng.IntN(1e7))
				x.closing = x.headed + moment(5e9+rng.IntN(1e10))
				x.ended = x.closing + moment(rng.IntN(1e6))
				h.addHold(x)
				at = x.ended + noticeGrace + moment(rng.IntN(2e9))
			}
		}
	}
	for i := range 400 {
		p := &push{id: fmt.Sprint("m", i), key: fmt.Sprint("k", rng.IntN(4)), node: "a", invoked: moment(1e6 + int(6e10)/400*i)}
		p.answered = p.invoked + moment(2e6)
		p.status = 404
		for _, x := range h.byKey()[p.key] {
			if x.headed <= p.invoked && p.answered <= x.closing {
				x.got = append(x.got, receipt{id: p.id, at: p.answered + moment(rng.IntN(1e5))})
				p.verdict.Delivered++
				p.status = 200
			}
		}
		h.addPush(p)
	}
	return h
}

// pick finds a push that somebody received in the middle of a hold, and one of those who did.
func pick(h *history, rng *rand.Rand) (*push, *hold, int) {
	for {
		p := h.pushes[rng.IntN(len(h.pushes))]
		for _, x := range h.byKey()[p.key] {
			i := slices.IndexFunc(x.got, func(r receipt) bool { return r.id == p.id })
			if i > 0 && i < len(x.got)-1 && x.closing > p.answered+3*readGrace/2 {
				return p, x, i
			}
		}
	}
}

func TestGoodHistoriesPass(t *testing.T) {
	for seed := range uint64(5) {
		f := check(invent(seed))
		if len(f.violations) > 0 {
			t.Errorf("seed %d: %q", seed, f.violations)
		}
		if f.tried != 400 || f.delivered < 100 || f.nobody < 1 || f.lost+f.duplicated+f.late != 0 {
			t.Errorf("seed %d: %+v", seed, f)
		}
	}
}

func TestSeededViolationsAreFound(t *testing.T) {
	f := func(name, want string, spoil func(h *history, p *push, x *hold, at int)) {
		t.Helper()
		for seed := range uint64(5) {
			h := invent(seed)
			p, x, at := pick(h, rand.New(rand.NewPCG(seed, 9)))
			spoil(h, p, x, at)
			if found := strings.Join(check(h).violations, "\n"); !strings.Contains(found, want) {
				t.Errorf("%s, seed %d: found %q, want %q", name, seed, found, want)
			}
		}
	}
	f("a delivered message never came", "delivered to", func(_ *history, _ *push, x *hold, at int) {
		x.got = slices.Delete(x.got, at, at+1)
	})
	f("a message came twice", "came twice", func(_ *history, _ *push, x *hold, at int) {
		x.got = slices.Insert(x.got, at, x.got[at])
	})
	f("a message came to a stranger", "came to a connection that holds", func(h *history, p *push, x *hold, at int) {
		other := h.holds[slices.IndexFunc(h.holds, func(o *hold) bool { return o.key != p.key })]
		other.got = append(other.got, x.got[at])
	})
	f("nobody there, and it came", "nobody there, and it came", func(_ *history, p *push, _ *hold, _ int) {
		p.status, p.verdict = 404, verdict{}
	})
	f("nobody there, but somebody was", "had a hold from", func(h *history, p *push, _ *hold, _ int) {
		p.status, p.verdict = 404, verdict{}
		for _, x := range h.holds {
			x.got = slices.DeleteFunc(x.got, func(r receipt) bool { return r.id == p.id })
		}
	})
	f("refused, and it came", "was refused", func(_ *history, p *push, _ *hold, _ int) {
		p.status, p.verdict = 503, verdict{}
	})
	f("more than told", "more than told", func(h *history, p *push, x *hold, at int) {
		twin := *x
		twin.got = []receipt{x.got[at]}
		h.addHold(&twin)
	})
	f("messages in another order", "no order explains", func(_ *history, _ *push, x *hold, at int) {
		x.got[at].id, x.got[at+1].id = x.got[at+1].id, x.got[at].id
	})
	f("a message before anybody asked", "no order explains", func(_ *history, _ *push, x *hold, _ int) {
		x.asked = x.got[0].at + 1
		x.headed = x.asked + 1
	})
	f("a question answered wrongly", "had a hold from", func(h *history, p *push, _ *hold, _ int) {
		h.addLook(&push{id: "look", key: p.key, node: "a", invoked: p.invoked, answered: p.answered, status: 404})
	})
	f("an answer nobody knows", "answered 418", func(_ *history, p *push, _ *hold, _ int) { p.status = 418 })
}

func TestExcusesAreNarrow(t *testing.T) {
	ms := func(n int) moment { return moment(n) * time.Millisecond }
	f := func(name string, spoil func(p *push, x *hold), violations, late int) {
		t.Helper()
		x := &hold{key: "k", node: "a", asked: ms(10), headed: ms(20), closing: ms(9000), ended: ms(9001)}
		p := &push{id: "m", key: "k", node: "b", invoked: ms(100), answered: ms(110), status: 404}
		spoil(p, x)
		got := check(&history{holds: []*hold{x}, pushes: []*push{p}})
		if len(got.violations) != violations || got.late != late {
			t.Errorf("%s: late %d, %q", name, got.late, got.violations)
		}
	}
	f("a promised hold", func(*push, *hold) {}, 2, 0) // by the counts, and by the order
	f("a pending hold", func(_ *push, x *hold) { x.pending = true }, 0, 0)
	f("a hold that came meanwhile", func(_ *push, x *hold) { x.headed = ms(105) }, 0, 0)
	f("a hold that left meanwhile", func(_ *push, x *hold) { x.closing = ms(105) }, 0, 0)
	f("a hold whose node was killed meanwhile", func(_ *push, x *hold) { x.down = ms(105) }, 0, 0)
	f("a hold that its node ended some time", func(_ *push, x *hold) { x.closing = 0 }, 0, 0)
	f("in doubt", func(p *push, _ *hold) { p.status = 503 }, 0, 0)
	f("perhaps", func(p *push, _ *hold) { p.status, p.verdict.Unknown = 504, 1 }, 0, 0)
	f("no answer", func(p *push, _ *hold) { p.status = 0 }, 0, 0)
	f("delivered, and never read", func(p *push, _ *hold) { p.status, p.verdict.Delivered = 200, 1 }, 1, 1)
	f("delivered, and the client left before it read", func(p *push, x *hold) {
		p.status, p.verdict.Delivered, x.closing = 200, 1, ms(500)
	}, 0, 0)
}

func TestRecoveryIsTheLastFailure(t *testing.T) {
	ms := func(n int) moment { return moment(n) * time.Millisecond }
	h := &history{holds: []*hold{
		{key: "k", node: "a", asked: 1, headed: 2, closing: ms(60000), ended: ms(60000)},
		{key: "l", node: "b", asked: 1, headed: 2, closing: ms(60000), ended: ms(60000)},
	}}
	for i := range 100 {
		for _, key := range []string{"k", "l"} {
			p := &push{id: fmt.Sprint(key, i), key: key, node: "c", invoked: ms(100 * i), answered: ms(100*i + 10), status: 200}
			if at := 100 * i; at >= 1000 && at < 2500 || key == "l" && at >= 6000 && at < 7000 {
				p.status = 503
			} else {
				x := h.byKey()[key][0]
				x.got = append(x.got, receipt{id: p.id, at: p.answered})
			}
			h.addPush(p)
		}
	}
	f := func(at, want time.Duration, without ...string) {
		t.Helper()
		got := recoveries(h, []fault{{at: at, without: without}}, time.Second, ms(10000))
		if slow := got[0].slow; got[0].tried > 0 && slow != ms(10) {
			t.Errorf("from %v: the slowest took %v, want 10 ms", at, slow)
		}
		if got[0].took != want || (got[0].failed > 0) != (want > 0) {
			t.Errorf("from %v without %q: %v after %d failures, want %v", at, without, got[0].took, got[0].failed, want)
		}
	}
	f(ms(1000), ms(5910))
	h.stalls = []stall{{node: "a", from: ms(1000), to: ms(9000)}, {from: ms(6700), to: ms(7000)}}
	f(ms(1000), ms(5610))
	if got := recoveries(h, []fault{{at: ms(1000)}}, time.Second, ms(10000)); got[0].excused != 3 {
		t.Errorf("%d failures are excused, want 3", got[0].excused)
	}
	h.stalls = nil
	f(ms(1000), ms(1410), "b")
	f(ms(3000), 0, "b")
	f(ms(8000), 0)
	f(ms(1000), 0, "c")
}

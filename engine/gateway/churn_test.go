package gateway

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/simkernel"
)

// churn is holders that come and go and publishers on all loops, in an order of a seed's, and what must be true of it.
type churn struct {
	*world
	holders []*holder
	pushes  []*pushed
	trail   []string
}

type holder struct {
	*call
	keys  []string
	since int // step
}

type pushed struct {
	*call
	key, text string
	from      int
	since     int
}

func (ch *churn) note(format string, args ...any) {
	ch.trail = append(ch.trail, fmt.Sprintf("%d: ", ch.step)+fmt.Sprintf(format, args...))
}

func (ch *churn) key() string { return []string{"k0", "k1", "group"}[ch.rng.IntN(3)] }

func (ch *churn) act() {
	ch.step++
	l := ch.loops[ch.rng.IntN(len(ch.loops))]
	switch n := ch.rng.IntN(100); {
	case n < 25:
		keys := []string{ch.key()}
		target := keys[0]
		if ch.rng.IntN(3) == 0 && keys[0] != "k1" {
			keys = append(keys, "k1")
			target += ",k1"
		}
		mode := []string{"sse", "sse", "poll"}[ch.rng.IntN(3)]
		c := l.ask("GET /sub/" + target + "?mode=" + mode)
		c.fate = []record.Fate{record.Pending, record.DroppedSlow, record.DroppedForm, record.Delivered}[min(ch.rng.IntN(8), 3)]
		ch.holders = append(ch.holders, &holder{call: c, keys: keys, since: ch.step})
		ch.note("loop %d slot %d holds %s as %s (%v)", l.id, c.slot, target, mode, c.fate)
	case n < 48 && len(ch.holders) > 0:
		h := ch.holders[ch.rng.IntN(len(ch.holders))]
		if !h.over {
			h.leave()
			ch.note("loop %d slot %d leaves", h.loop.id, h.slot)
		}
	case n < 75:
		p := &pushed{key: ch.key(), text: fmt.Sprint("m", len(ch.pushes)), from: l.id, since: ch.step}
		ch.note("loop %d pushes %s to %s", l.id, p.text, p.key)
		p.call = l.post("POST /push/"+p.key, p.text)
		ch.pushes = append(ch.pushes, p)
	default:
		ch.note("loop %d ticks", l.id)
		l.tick()
	}
}

// TestChurn holds verdicts and order to what clients saw: every delivered or pending message was taken, and no other;
// whoever held the key from before the push until its answer is counted, and nobody who did not hold it in between;
// nobody hears a message twice; and there is one order of each key's messages that agrees with what every subscriber
// heard, on whatever loop, and with what every loop published.
func TestChurn(t *testing.T) {
	for seed := range simkernel.Seeds(60, testing.Short()) {
		w := newWorld(t, 1+int(seed%4), Config{FanoutPerTick: 1 + int(seed%3)}, route.Policy{})
		ch := &churn{world: w}
		w.rng = rand.New(rand.NewPCG(seed, 7))
		for range 400 {
			ch.act()
		}
		ch.rest()
		ch.checkVerdicts()
		ch.checkOrder()
		for _, h := range ch.holders {
			h.leave()
		}
		ch.rest()
		if n := w.shared.Table.Len(); n != 0 {
			t.Errorf("%d keys left", n)
		}
		for _, l := range w.loops {
			if d := l.g.Depths(); d != (Depths{}) || l.g.Stats.LateReports > 0 {
				t.Errorf("loop %d: %+v late %d", l.id, d, l.g.Stats.LateReports)
			}
		}
		if t.Failed() {
			for _, line := range ch.trail {
				t.Log(line)
			}
			t.Fatalf("seed %d", seed)
		}
	}
}

func (ch *churn) checkVerdicts() {
	for _, p := range ch.pushes {
		var v verdict
		if err := json.Unmarshal(p.answer.Body, &v); err != nil || !p.over {
			ch.t.Errorf("%s: over %v, %v in %s", p.text, p.over, err, p)
			continue
		}
		heard, steady, ever := 0, 0, 0
		for _, h := range ch.holders {
			times := 0
			for _, m := range h.heard {
				if m == p.text {
					times++
				}
			}
			if times > 1 {
				ch.t.Errorf("%s: loop %d slot %d heard it %d times", p.text, h.loop.id, h.slot, times)
			}
			heard += times
			if !slices.Contains(h.keys, p.key) {
				continue
			}
			if h.since < p.since && (!h.over || h.until > p.until) {
				steady++
			}
			if h.since < p.until+1 && (!h.over || h.until >= p.since) {
				ever++
			}
		}
		sum := v.Delivered + v.Pending + v.Dropped
		if heard != v.Delivered+v.Pending || sum < steady || sum > ever {
			ch.t.Errorf("%s at %d to %d: %d heard it, %d held on, %d held at any time: %s", p.text, p.since, p.until, heard, steady, ever, p)
		}
		if v.Unknown+v.Refused > 0 || p.answer.Status == 404 && (steady > 0 || heard > 0) {
			ch.t.Errorf("%s: %s", p.text, p)
		}
	}
}

// checkOrder looks for a cycle among "comes before" of all subscribers and publishers, key by key.
func (ch *churn) checkOrder() {
	before := map[string][]string{}
	lastOf := map[string]string{}
	for _, p := range ch.pushes {
		at := fmt.Sprint(p.key, p.from)
		if last, ok := lastOf[at]; ok {
			before[last] = append(before[last], p.text)
		}
		lastOf[at] = p.text
	}
	keyOf := map[string]string{}
	for _, p := range ch.pushes {
		keyOf[p.text] = p.key
	}
	for _, h := range ch.holders {
		last := map[string]string{}
		for _, m := range h.heard {
			if prev, ok := last[keyOf[m]]; ok {
				before[prev] = append(before[prev], m)
			}
			last[keyOf[m]] = m
		}
	}
	state := map[string]int{} // 1 on the path, 2 done
	var visit func(m string) bool
	visit = func(m string) bool {
		if state[m] != 0 {
			return state[m] == 1
		}
		state[m] = 1
		if slices.ContainsFunc(before[m], visit) {
			ch.t.Errorf("no one order: %s is in a cycle", m)
			return true
		}
		state[m] = 2
		return false
	}
	for _, p := range ch.pushes {
		if visit(p.text) {
			return
		}
	}
}

package gateway

import (
	"fmt"
	"testing"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/route"
)

// "Status by precedence: 200 any delivered · 202 pending or stored · 504 only unknown · 503 · 404 nobody" and 415 "only
// where nobody could take it".
func TestStatusPrecedence(t *testing.T) {
	set := []func(c *counts){ // best first
		func(c *counts) { c.fate[record.Delivered] = 1 },
		func(c *counts) { c.fate[record.Pending] = 1 },
		func(c *counts) { c.unknown = 1 },
		func(c *counts) { c.busy = 1 },
		func(c *counts) { c.fate[record.DroppedSlow] = 1 },
		func(c *counts) { c.fate[record.DroppedForm] = 1 },
		func(c *counts) { c.fate[record.DroppedGone] = 1 },
	}
	status := []int{200, 202, 504, 503, 503, 415, 404}
	for mix := range 1 << len(set) {
		var c counts
		want := 404
		for i := len(set) - 1; i >= 0; i-- {
			if mix&(1<<i) != 0 {
				set[i](&c)
				want = status[i]
			}
		}
		if got := c.status(); got != want {
			t.Errorf("mix %b: status %d, want %d", mix, got, want)
		}
	}
	if c := (counts{closed: 1}); c.status() != 200 {
		t.Errorf("closed: %d", c.status())
	}
}

func TestVerdictOfOneHolder(t *testing.T) {
	f := func(fate record.Fate, want string) {
		t.Helper()
		for publisher := range 2 { // on the holder's loop, and on another
			w := newWorld(t, 2, Config{}, route.Policy{})
			holder := w.loops[0].sub("alice")
			holder.fate = fate
			push := w.loops[publisher].post("POST /push/alice", "hello")
			w.rest()
			push.wantVerdict(want)
			if taken := len(holder.heard) == 1; taken != (fate == record.Delivered || fate == record.Pending) {
				t.Errorf("%v: heard %q", fate, holder.heard)
			}
		}
	}
	f(record.Delivered, "200 delivered 1")
	f(record.Pending, "202 pending 1")
	f(record.DroppedSlow, "503 dropped 1")
	f(record.DroppedForm, "415 dropped 1")
	f(record.DroppedGone, "404 dropped 1")
}

func TestVerdictOfManyHolders(t *testing.T) {
	w := newWorld(t, 3, Config{}, route.Policy{})
	for i := range 30 {
		holder := w.loops[i%3].sub("group:news")
		holder.fate = record.Delivered + record.Fate(i/6)
	}
	push := w.loops[2].post("POST /push/group:news", "hello")
	w.rest()
	push.wantVerdict("200 delivered 6 pending 6 dropped 18")
	want := `"reasons":{"slow":6,"gone":6,"unsupported":6},"node":"node-a"}` + "\n"
	if got := string(push.answer.Body); len(got) < len(want) || got[len(got)-len(want):] != want {
		t.Errorf("verdict %s, want it to end in %s", got, want)
	}
	if push.answer.Type != "application/json" {
		t.Errorf("type %q", push.answer.Type)
	}
}

// A loop that does not tick for VerdictTimeout is unknown, and what it says later is not heard.
func TestVerdictTimeout(t *testing.T) {
	w := newWorld(t, 3, Config{VerdictTimeout: time.Second}, route.Policy{})
	for _, l := range w.loops {
		l.sub("k")
		l.sub("k")
	}
	here := w.loops[0]
	push := here.post("POST /push/k", "m")
	for range 400 {
		here.tick()
		w.loops[1].tick()
	}
	w.now = here.g.ops.all[1].born + int64(time.Second) - int64(2*time.Millisecond)
	if here.tick(); push.over {
		t.Fatalf("answered before the time: %s", push)
	}
	if again := here.tick(); !push.over {
		t.Fatalf("not answered in time; next tick in %v", again)
	}
	push.wantVerdict("200 delivered 4 unknown 1")
	w.rest()
	if here.g.Stats.LateReports != 1 || here.g.Stats.Unknown != 1 {
		t.Errorf("late %d, unknown %d", here.g.Stats.LateReports, here.g.Stats.Unknown)
	}

	w = newWorld(t, 2, Config{VerdictTimeout: time.Second}, route.Policy{})
	here = w.loops[1]
	silent := w.loops[0].sub("k")
	push = here.post("POST /push/k", "m")
	again := here.tick()
	if again < 0 || again > time.Second/8 {
		t.Errorf("a loop that waits for a verdict sleeps for %v", again)
	}
	w.now += int64(time.Second)
	here.tick()
	push.wantVerdict("504 unknown 1")
	w.rest()
	if len(silent.heard) != 1 {
		t.Errorf("the silent loop's holder heard %q", silent.heard)
	}
}

func TestFullBoxRefuses(t *testing.T) {
	w := newWorld(t, 2, Config{MailBound: 8}, route.Policy{})
	w.loops[0].sub("k")
	var pushes []*call
	for range 10 {
		pushes = append(pushes, w.loops[1].post("POST /push/k", "m"))
	}
	for i, p := range pushes {
		if i >= 6 {
			p.wantVerdict("503 refused 1")
		}
	}
	w.rest()
	for _, p := range pushes[:6] {
		p.wantVerdict("200 delivered 1")
	}
	if w.loops[1].g.Stats.BoxesFull != 4 || w.loops[1].g.Stats.Refused != 4 {
		t.Errorf("stats %+v", w.loops[1].g.Stats)
	}
}

func TestTooManyPushes(t *testing.T) {
	w := newWorld(t, 2, Config{MaxOps: 4}, route.Policy{})
	w.loops[0].sub("k")
	var pushes []*call
	for range 6 {
		pushes = append(pushes, w.loops[1].post("POST /push/k", "m"))
	}
	for _, p := range pushes[4:] {
		if p.answer.Status != 503 || p.field("Retry-After") != "1" {
			t.Errorf("%s, retry %q", p, p.field("Retry-After"))
		}
	}
	if d := w.loops[1].g.Depths(); d.Pushes != 4 {
		t.Errorf("depths %+v", d)
	}
	w.rest()
	for _, p := range pushes[:4] {
		p.wantVerdict("200 delivered 1")
	}
}

// A report that finds the publisher's box full, the reserve included, is lost: the publisher hears that, in time.
func TestLostReport(t *testing.T) {
	w := newWorld(t, 2, Config{MailBound: 4, VerdictTimeout: time.Second}, route.Policy{})
	heard := w.loops[0].sub("here")
	w.loops[1].sub("there")
	pushes := []*call{w.loops[1].post("POST /push/here", "m"), w.loops[1].post("POST /push/here", "m")}
	for range 3 {
		w.loops[0].post("POST /push/there", "m")
	}
	w.loops[0].tick() // one report has the reserve
	w.rest()
	pushes[0].wantVerdict("200 delivered 1")
	if pushes[1].over || len(heard.heard) != 2 || w.loops[0].g.Stats.BoxesFull != 1 {
		t.Fatalf("%s, heard %q, boxes full %d", pushes[1], heard.heard, w.loops[0].g.Stats.BoxesFull)
	}
	w.now += int64(time.Second)
	w.rest()
	pushes[1].wantVerdict("504 unknown 1")
}

// Thousands of pushes that wait for a dead loop are given up in their order, and their list is cut.
func TestManyOverdue(t *testing.T) {
	w := newWorld(t, 2, Config{VerdictTimeout: time.Second}, route.Policy{})
	w.loops[1].sub("k")
	l := w.loops[0]
	var pushes []*call
	for i := range 3000 {
		pushes = append(pushes, l.post("POST /push/k", "m"))
		if i%1500 == 1499 {
			w.now += int64(600 * time.Millisecond)
			l.tick()
		}
	}
	if !pushes[1499].over || pushes[1500].over {
		t.Errorf("first half %s, second half %s", pushes[1499], pushes[1500])
	}
	if n := len(l.g.ops.overdue) - l.g.ops.first; n != 1500 {
		t.Errorf("%d are overdue", n)
	}
	w.now += int64(600 * time.Millisecond)
	l.tick()
	pushes[2999].wantVerdict("504 unknown 1")
	if n := len(l.g.ops.overdue); n != 0 || l.g.ops.waiting != 0 {
		t.Errorf("%d are overdue, %d wait", n, l.g.ops.waiting)
	}
}

// Every loop floods every other one with far more than the boxes hold: all ends, and every answer is one of two.
func TestFullBoxesCannotDeadlock(t *testing.T) {
	w := newWorld(t, 4, Config{MailBound: 16, FanoutPerTick: 4, VerdictTimeout: time.Hour}, route.Policy{})
	for i := range 32 {
		w.loops[i%4].sub(fmt.Sprint("k", i%8))
		w.loops[i%4].sub("all")
	}
	var pushes []*call
	for round := range 50 {
		for i, l := range w.loops {
			pushes = append(pushes, l.post(fmt.Sprintf("POST /push/k%d,all,k%d", round%8, (round+i+1)%8), "m"))
		}
		if round%10 == 0 {
			w.loops[round/10%4].tick()
		}
	}
	w.rest()
	lost := uint64(0)
	for _, l := range w.loops {
		lost += l.g.Stats.BoxesFull
	}
	for _, l := range w.loops {
		if d := l.g.Depths(); d.Mail+d.Fanouts > 0 {
			t.Errorf("loop %d: %+v", l.id, d)
		}
	}
	w.now += int64(time.Hour)
	w.rest()
	for _, p := range pushes {
		if s := p.answer.Status; s != 200 && s != 503 && s != 504 {
			t.Errorf("push %s", p)
		}
	}
	if lost == 0 {
		t.Error("no box was ever full: the test shows nothing")
	}
}

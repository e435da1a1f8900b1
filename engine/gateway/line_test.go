package gateway

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/engine/route"
)

// group parks two holders of a key on each of the loops.
func (w *world) group(key string) (holders []*call) {
	w.t.Helper()
	for _, l := range w.loops {
		holders = append(holders, l.sub(key), l.sub(key))
	}
	return holders
}

func TestTooManyFanouts(t *testing.T) {
	w := newWorld(t, 1, Config{MaxJobs: 3}, route.Policy{})
	l := w.loops[0]
	for i := range 5 {
		w.group(fmt.Sprint("k", i))
	}
	var pushes []*call
	for i := range 5 {
		pushes = append(pushes, l.post(fmt.Sprint("POST /push/k", i), "m"))
	}
	pushes[3].wantVerdict("503 refused 1")
	pushes[4].wantVerdict("503 refused 1")
	l.post("POST /push?all", "m").wantVerdict("503 refused 1")
	if d := l.g.Depths(); d.Fanouts != 3 || d.Pushes != 3 {
		t.Errorf("depths %+v", d)
	}
	w.rest()
	for _, p := range pushes[:3] {
		p.wantVerdict("200 delivered 2")
	}
}

// A key that is flooded is refused, whichever loop the flood comes from, and no other key, nor a broadcast: not even in
// part. What is refused at the key's home reached nobody.
func TestOneKeysFloodRefusesThatKeyOnly(t *testing.T) {
	w := newWorld(t, 2, Config{MaxJobs: 80}, route.Policy{})
	flooded := w.group("flood")
	w.group("other")
	for publisher := range w.loops {
		l := w.loops[publisher]
		var taken, refused int
		var pushes []*call
		for range 300 {
			pushes = append(pushes, l.post("POST /push/flood", "m"))
		}
		w.loops[0].g.readMail()
		other, all := l.post("POST /push/other", "m"), l.post("POST /push?all", "m")
		w.rest()
		other.wantVerdict("200 delivered 4")
		all.wantVerdict("200 delivered 8")
		for _, p := range pushes {
			switch p.verdict() {
			case "200 delivered 4":
				taken++
			case "503 refused 1":
				refused++
			default:
				t.Fatalf("from loop %d: %s", publisher, p)
			}
		}
		if taken < 8 || refused < 8 {
			t.Errorf("from loop %d: %d taken, %d refused", publisher, taken, refused)
		}
		for _, c := range flooded {
			if len(c.heard) != taken+1 {
				t.Errorf("from loop %d: heard %d of %d", publisher, len(c.heard), taken)
			}
			c.heard = nil
		}
	}
}

// Nor do many flooded keys fill the loop: what each may have shrinks with what is free, and grows back with it.
func TestManyFloodedKeysLeaveRoom(t *testing.T) {
	w := newWorld(t, 1, Config{MaxJobs: 160}, route.Policy{})
	l := w.loops[0]
	w.group("other")
	for i := range 32 {
		w.group(fmt.Sprint("k", i))
	}
	for range 100 {
		for i := range 32 {
			l.post(fmt.Sprint("POST /push/k", i), "m")
		}
	}
	if n := l.g.Depths().Fanouts; n < 100 || n > 152 {
		t.Errorf("32 flooded keys have %d of 160 places", n)
	}
	other := l.post("POST /push/other", "m")
	w.rest()
	other.wantVerdict("200 delivered 2")
	if len(l.g.jobs.lines) != 0 || l.g.jobs.walks != 0 {
		t.Errorf("%d lines and %d fan-outs are left", len(l.g.jobs.lines), l.g.jobs.walks)
	}
	taken := 0
	for range 100 {
		if p := l.post("POST /push/k0", "m"); !p.over {
			taken++
		}
	}
	if taken < 160/(lineShare+1) {
		t.Errorf("a single key has %d of 160 places once they are free", taken)
	}
	w.rest()
}

// The defaults fit each other: a stream that is as far ahead of its verdicts as it may be is not refused, nor are eight.
func TestStreamsToGroupsAreNotRefused(t *testing.T) {
	w := newWorld(t, 2, Config{}, route.Policy{})
	var streams []*call
	for i := range 8 {
		w.group(fmt.Sprint("k", i))
		c := w.loops[i%2].begin("POST /push", ndjsonLines)
		streams = append(streams, c)
		c.body(strings.Repeat(fmt.Sprintf(`{"key":"k%d","data":"x"}`+"\n", i), 600))
		c.complete()
	}
	w.rest()
	for i, c := range streams {
		for _, v := range c.verdicts() {
			if v.Status != 200 || v.Delivered != 4 {
				t.Fatalf("stream %d: %+v", i, v)
			}
		}
	}
}

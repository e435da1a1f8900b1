package gateway

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/engine/exchange"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/registry"
)

func TestFormOf(t *testing.T) {
	f := func(target, accept string, want exchange.Form) {
		t.Helper()
		w := newWorld(t, 1, Config{}, route.Policy{})
		var lines []string
		if accept != "" {
			lines = append(lines, "Accept: "+accept)
		}
		c := w.loops[0].ask("GET "+target, lines...)
		if got := exchange.Form(c.Form); got != want {
			t.Errorf("%s Accept %q: %v, want %v", target, accept, got, want)
		}
	}
	f("/sub/a", "", exchange.Poll)
	f("/sub/a", "*/*", exchange.Poll) // curl, fetch
	f("/sub/a", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", exchange.Poll)
	f("/sub/a", "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", exchange.Poll)
	f("/sub/a", "application/json", exchange.Poll)
	f("/sub/a", "text/event-stream", exchange.SSE) // EventSource
	f("/sub/a", "Text/Event-Stream; charset=utf-8, */*", exchange.SSE)
	f("/sub/a", "text/event-stream;q=0", exchange.Poll)
	f("/sub/a", "text/*", exchange.Poll)
	f("/sub/a", "application/x-ndjson", exchange.NDJSON)
	f("/sub/a", "text/event-stream;q=0.5, application/x-ndjson", exchange.NDJSON)
	f("/sub/a", "application/x-ndjson, text/event-stream", exchange.SSE) // equals: in our order
	f("/sub/a", "multipart/mixed", exchange.Mixed)
	f("/sub/a", "multipart/x-mixed-replace", exchange.Replace)
	f("/sub/a", "application/octet-stream", exchange.Raw)
	f("/sub/a?mode=stream", "*/*", exchange.Raw)
	f("/sub/a?x=1&mode=replace", "image/*", exchange.Replace)
	f("/sub/a?mode=poll", "text/event-stream", exchange.Poll)
	f("/sub/a?mode=sse", "", exchange.SSE)
	f("/sub/a?mode=ndjson", "", exchange.NDJSON)
	f("/sub/a?mode=multipart", "", exchange.Mixed)
	f("/sub/a?mode=sse&mode=poll", "", exchange.SSE)
	f("/sub/a?model=sse&a", "", exchange.Poll)
}

func TestHoldRefused(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{MaxKeys: 2})
	l := w.loops[0]
	f := func(request string, want int) {
		t.Helper()
		if c := l.ask(request); c.answer.Status != want {
			t.Errorf("%s: %s", request, c)
		}
	}
	f("HEAD /sub/a", 200)
	f("GET /sub/a,b,c", 400)
	f("GET /sub/a,%", 400)
	f("GET /sub/,", 400)
	f("GET /sub/a?mode=nonsense", 400)
	f("GET /sub/a?x&mode=ssee", 400)
	f("GET /sub?mode=", 400)
	if c := l.ask("GET /sub/a?mode=SSE", "Accept: text/event-stream"); c.answer.Status != 400 || !strings.Contains(c.String(), "ndjson") {
		t.Errorf("an unknown mode: %s", c)
	}
	if c := l.begin("GET /sub/a"); c.answer.Status != 400 {
		t.Errorf("with a body: %s", c)
	}
	if w.shared.Table.Len() != 0 || l.g.Stats.Held != 0 {
		t.Errorf("%d keys, %d held", w.shared.Table.Len(), l.g.Stats.Held)
	}
}

func TestKeyTableFull(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{})
	w.shared.Table = registry.New(registry.Config{MaxKeys: 2})
	l := w.loops[0]
	l.sub("a")
	c := l.ask("GET /sub/b,c,d", "Accept: text/event-stream")
	if c.answer.Status != 503 || c.field("retry-after") != "1" || w.shared.Table.Len() != 1 {
		t.Errorf("%s with %d keys", c, w.shared.Table.Len())
	}
	l.sub("b")
}

// Every key of a hold, with the records chained for them, is released at every kind of end.
func TestKeysAreReleased(t *testing.T) {
	ends := map[string]func(w *world, c *call){
		"left":    func(_ *world, c *call) { c.leave() },
		"goaway":  func(w *world, c *call) { w.loops[0].ask("DELETE /push/b"); w.rest() },
		"message": func(w *world, c *call) { w.loops[0].post("POST /push/c", "m"); w.rest() },
		"timeout": func(_ *world, c *call) { c.loop.g.Happened(c.loop.view(c.slot), exchange.TimedOut) },
		"drain":   func(w *world, c *call) { c.loop.g.Drain(0); w.now++; c.loop.tick() },
	}
	for name, end := range ends {
		for _, mode := range []string{"poll", "sse"} {
			w := newWorld(t, 2, Config{}, route.Policy{})
			l := w.loops[1]
			c := l.ask("GET /sub/a,b,c,b,a?mode=" + mode)
			if w.shared.Table.Len() != 3 {
				t.Fatalf("%d keys", w.shared.Table.Len())
			}
			end(w, c)
			stays := mode == "sse" && (name == "message" || name == "timeout")
			if c.over == stays {
				t.Errorf("%s of a %s: over %v", name, mode, c.over)
			}
			c.leave()
			if n := w.shared.Table.Len(); n != 0 || l.g.Stats.Held != 0 || l.g.Stats.Holds != [exchange.Forms]int64{} {
				t.Errorf("%s of a %s: %d keys left, stats %+v", name, mode, n, l.g.Stats)
			}
			for _, c := range l.calls[1:] {
				if c.used {
					t.Errorf("%s of a %s: slot %d of kind %d is left", name, mode, c.slot, c.Kind)
				}
			}
		}
	}
}

func TestGeneratedKeys(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{})
	l := w.loops[0]
	seen := map[string]bool{}
	f := func(mode string, asEvent bool) {
		t.Helper()
		c := l.ask("GET /sub?mode=" + mode)
		l.tick()
		key := c.field("push-key")
		raw, err := base64.RawURLEncoding.DecodeString(key)
		if err != nil || len(raw) != keyRaw || seen[string(raw[1+keyInstance:])] {
			t.Fatalf("%s: key %q %v", mode, key, err)
		}
		seen[string(raw[1+keyInstance:])] = true
		if announced := len(c.heard) == 1 && c.heard[0] == key; announced != asEvent || len(c.heard) > 1 {
			t.Errorf("%s: heard %q", mode, c.heard)
		}
		push := l.post("POST /push/"+key, "m")
		w.rest()
		push.wantVerdict("200 delivered 1")
	}
	f("sse", true)
	f("ndjson", true)
	f("multipart", true)
	f("replace", false) // an image that is replaced by a key would be no image
	f("stream", false)

	// A poll could not be told its key while it waits: it is given one to wait under.
	c := l.ask("GET /sub")
	if key := c.field("push-key"); c.answer.Status != 204 || len(key) != base64.RawURLEncoding.EncodedLen(keyRaw) {
		t.Errorf("poll: %s key %q", c, key)
	}
	if c := l.ask("GET /sub/named", "Accept: text/event-stream"); c.field("push-key") != "" || len(c.heard) > 0 {
		t.Errorf("a named key is announced: %q %q", c.field("push-key"), c.heard)
	}
}

// The bits of generated keys are random: each bit of the random part is set in about half of them.
func TestGeneratedKeysAreUnguessable(t *testing.T) {
	const n = 4000
	m := newKeyMaker()
	var ones [keyRaw * 8]int
	for range n {
		raw, err := base64.RawURLEncoding.AppendDecode(nil, m.appendKey(nil))
		if err != nil {
			t.Fatal(err)
		}
		for i := range ones {
			ones[i] += int(raw[i/8] >> (i % 8) & 1)
		}
	}
	for i := (1 + keyInstance) * 8; i < len(ones); i++ {
		if d := math.Abs(float64(ones[i]) - n/2); d > 6*math.Sqrt(n)/2 { // six sigma
			t.Errorf("bit %d is set in %d of %d keys", i, ones[i], n)
		}
	}
}

// Whoever has the secret can tell where a generated key's holder is; nobody can be led there by a key of his own making.
func TestMakerOfGeneratedKeys(t *testing.T) {
	m, same, other := newKeyMaker(), newKeyMaker(), newKeyMaker()
	secret := []byte("the cluster's own")
	m.be(1234, secret)
	same.be(5678, secret)
	other.be(1234, []byte("another's"))
	key := m.appendKey(nil)
	f := func(name string, by *keyMaker, key []byte, want uint64) {
		t.Helper()
		got, ok := by.maker(key)
		if ok != (want != 0) || got != want {
			t.Errorf("%s: made by %d, %v; want %d", name, got, ok, want)
		}
	}
	f("its own", m, key, 1234)
	f("its peer's", same, key, 1234)
	f("another cluster's", other, key, 0)
	f("a key that only looks so", m, []byte(strings.Repeat("A", keyLen)), 0)
	f("a short one", m, key[:keyLen-1], 0)
	f("a long one", m, append(slices.Clone(key), 'A'), 0)
	f("none", m, nil, 0)
	for i := range key { // each byte matters
		forged := slices.Clone(key)
		forged[i] ^= 1
		if by, ok := m.maker(forged); ok {
			t.Errorf("%s is taken for one made by %d", forged, by)
		}
	}
	if n := testing.AllocsPerRun(100, func() { m.maker(key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHeads(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{RetryHint: 1500 * time.Millisecond})
	l := w.loops[0]
	c := l.sub("a")
	if c.field("cache-control") != "no-store" || c.field("x-accel-buffering") != "no" || string(c.answer.Body) != "retry: 1500\n\n" {
		t.Errorf("fields %q, %s", c.answer.Fields, c)
	}
	if c := l.ask("GET /sub/a?mode=ndjson"); len(c.answer.Body) != 0 || c.field("x-accel-buffering") != "" {
		t.Errorf("fields %q, %s", c.answer.Fields, c)
	}
}

func TestTimeouts(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{PollTimeout: 7 * time.Second, Heartbeat: 100 * time.Second})
	l := w.loops[0]
	poll := l.ask("GET /sub/a")
	if poll.after != 7*time.Second {
		t.Errorf("poll %v", poll.after)
	}
	l.g.Happened(l.view(poll.slot), exchange.TimedOut)
	if poll.answer.Status != 204 || poll.field("cache-control") != "no-store" { // a 204 may be cached, RFC 9110 §15.3.5
		t.Errorf("poll %s", poll)
	}
	least, most := time.Hour, time.Duration(0)
	stream := l.sub("a")
	for i := range 1000 { // spread: who came together does not beat together
		least, most = min(least, stream.after), max(most, stream.after)
		l.g.Happened(l.view(stream.slot), exchange.TimedOut)
		if stream.beats != i+1 {
			t.Fatalf("%d beats", stream.beats)
		}
	}
	if least < 90*time.Second || least > 92*time.Second || most < 108*time.Second || most > 110*time.Second {
		t.Errorf("heartbeats after %v to %v", least, most)
	}
	silent := newWorld(t, 1, Config{}, route.Policy{Heartbeat: -1}).loops[0].sub("a")
	if silent.after != 0 {
		t.Errorf("heartbeat after %v", silent.after)
	}
	idle := l.begin("POST /push/a")
	l.g.Happened(l.view(idle.slot), exchange.TimedOut) // no hold: nothing
	if idle.over {
		t.Errorf("%s", idle)
	}
}

// A drain ends all holds, evenly over its pace, and those that come while it lasts.
func TestDrain(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{})
	l := w.loops[0]
	for i := range 1000 {
		l.sub(fmt.Sprint("k", i%100, ",", "group"))
	}
	l.g.Drain(time.Second)
	for ms := 1; ms <= 900; ms++ {
		if again := l.tick(); again < 0 || again > drainTick {
			t.Fatalf("the next tick is in %v", again)
		}
		if left := int(l.g.Stats.Held); left > 1000-ms || left < 1000-ms-2 {
			t.Fatalf("after %d ms %d are left", ms, left)
		}
	}
	late := l.sub("late")
	for range 110 {
		l.tick()
	}
	if l.g.Stats.Held != 0 || late.byes != 1 || w.shared.Table.Len() != 0 {
		t.Errorf("%d held, %d keys", l.g.Stats.Held, w.shared.Table.Len())
	}
}

func TestEndedTellsNobodyTwice(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{})
	l := w.loops[0]
	c := l.sub("a")
	push := l.post("POST /push/a", "m")
	c.leave() // with the message staged
	w.rest()
	push.wantVerdict("404 dropped 1")
	if l.g.Stats.Messages[record.DroppedGone] != 1 {
		t.Errorf("stats %+v", l.g.Stats)
	}
}

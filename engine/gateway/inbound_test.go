package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/engine/exchange"
	"holdfast/engine/record"
	"holdfast/engine/route"
)

// socket parks a WebSocket.
func (l *fakeLoop) socket(keys string, lines ...string) *call {
	l.t.Helper()
	c := l.ask("GET /sub/"+keys+" as websocket", lines...)
	if c.Form != uint8(exchange.WebSocket) {
		l.t.Fatalf("no WebSocket under %s: %s", keys, c)
	}
	return c
}

// says is a whole message from the client.
func (c *call) says(text bool, data string) {
	b := []byte(data)
	c.loop.g.Message(c.loop.view(c.slot), text, b)
	clear(b) // it is the session's again
}

// A WebSocket is held like any other form, and chosen before Accept and mode.
func TestWebSocketIsHeld(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{})
	l := w.loops[0]
	c := l.socket("a,b", "Accept: text/event-stream")
	push := l.post("POST /push/b", "m")
	w.rest()
	push.wantVerdict("200 delivered 1")
	if !slices.Equal(c.heard, []string{"m"}) {
		t.Errorf("heard %q", c.heard)
	}
	if over := l.ask("CONNECT /sub/c as websocket"); over.Form != uint8(exchange.WebSocket) {
		t.Errorf("over HTTP/2: %s", over)
	}
	if tunnel := l.ask("CONNECT /sub/c"); tunnel.answer.Status != 405 {
		t.Errorf("a tunnel: %s", tunnel)
	}
}

// "The |Origin| header field is used to protect against unauthorized cross-origin use of a WebSocket server by scripts"
// (RFC 6455 §4.1).
func TestOriginOfWebSockets(t *testing.T) {
	f := func(allowed []string, origin string, want int) {
		t.Helper()
		w := newWorld(t, 1, Config{}, route.Policy{Socket: route.Socket{Origins: allowed}})
		var lines []string
		if origin != "" {
			lines = append(lines, "Origin: "+origin)
		}
		c := w.loops[0].ask("GET /sub/a as websocket", lines...)
		if c.answer.Status != want || (want == 403) != (w.shared.Table.Len() == 0) {
			t.Errorf("%q at %q: %s, %d keys", origin, allowed, c, w.shared.Table.Len())
		}
	}
	one := []string{"https://app.example", "https://other.example:8443"}
	f(nil, "https://any.example", 200)
	f(one, "https://app.example", 200)
	f(one, "HTTPS://APP.example", 200)
	f(one, "https://other.example:8443", 200)
	f(one, "https://other.example", 403)
	f(one, "http://app.example", 403)
	f(one, "https://app.example.evil.example", 403)
	f(one, "null", 403)
	f(one, "", 200) // no browser
}

// The server chooses one of the subprotocols that the client offers, or none (RFC 6455 §4.2.2).
func TestSubprotocols(t *testing.T) {
	f := func(ours []string, want string, lines ...string) {
		t.Helper()
		w := newWorld(t, 1, Config{}, route.Policy{Socket: route.Socket{Subprotocols: ours}})
		if c := w.loops[0].socket("a", lines...); string(c.answer.Subprotocol) != want {
			t.Errorf("%q offered %q: chose %q; want %q", ours, lines, c.answer.Subprotocol, want)
		}
	}
	f(nil, "", "Sec-WebSocket-Protocol: a")
	f([]string{"a", "b"}, "a", "Sec-WebSocket-Protocol: b, a")
	f([]string{"a", "b"}, "b", "Sec-WebSocket-Protocol: x,b")
	f([]string{"a", "b"}, "b", "Sec-WebSocket-Protocol: x", "Sec-WebSocket-Protocol: b")
	f([]string{"a"}, "", "Sec-WebSocket-Protocol: A")
	f([]string{"a"}, "", "Sec-WebSocket-Protocol: aa, a a")
	f([]string{"a"}, "")
}

// It survives the wait for claims.
func TestSubprotocolOfLateHead(t *testing.T) {
	w, e := newClusterWorld(t, 1, Config{})
	w.shared.Snapshot.Load().Policies[0].Socket.Subprotocols = []string{"chat"}
	e.known = false
	c := w.loops[0].ask("GET /sub/a as websocket", "Sec-WebSocket-Protocol: chat")
	w.shared.Claimed(e.tickets[0])
	w.rest()
	if string(c.answer.Subprotocol) != "chat" {
		t.Errorf("%q", c.answer.Subprotocol)
	}
}

// What clients say is pushed where the route says, so that an application can hear it.
func TestInboundIsPublished(t *testing.T) {
	w := newWorld(t, 2, Config{}, route.Policy{Socket: route.Socket{Inbound: route.Published, Key: "inbox"}})
	app := w.loops[1].sub("inbox")
	c := w.loops[0].socket("a")
	c.says(true, "hello")
	c.says(false, "\x00\xff")
	c.says(true, `{"subscribe":["x"]}`) // no command here: the route takes none
	w.rest()
	if !slices.Equal(app.heard, []string{"hello", "\x00\xff", `{"subscribe":["x"]}`}) {
		t.Errorf("heard %q", app.heard)
	}
	if n := w.loops[0].g.Stats; n.Inbound != 3 || n.InboundLost != 0 || n.Pushes.OK != 3 {
		t.Errorf("%d pushed, %d lost, %d delivered", n.Inbound, n.InboundLost, n.Pushes.OK)
	}
	if len(c.heard) != 0 {
		t.Errorf("the client heard %q", c.heard)
	}
}

func TestInboundIsBounded(t *testing.T) {
	w := newWorld(t, 2, Config{MaxOps: 1, VerdictTimeout: time.Second}, route.Policy{Socket: route.Socket{Inbound: route.Published, Key: "inbox"}})
	w.loops[1].sub("inbox")
	c := w.loops[0].socket("a")
	for range 3 {
		c.says(true, "m")
	}
	if n := w.loops[0].g.Stats; n.Inbound != 1 || n.InboundLost != 2 {
		t.Errorf("%d pushed, %d lost", n.Inbound, n.InboundLost)
	}
	w.rest()
}

// A client changes its keys by a command where the route allows it, all of it or nothing, and is told what it holds.
func TestClientChangesItsKeys(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{MaxKeys: 3, Socket: route.Socket{ClientKeys: true}})
	l := w.loops[0]
	c := l.socket("a")
	f := func(command, answer, keys string) {
		t.Helper()
		c.heard = nil
		c.says(true, command)
		w.rest()
		if got := strings.Join(c.heard, "|"); !strings.HasPrefix(got, answer) || answer == "" && got != "" {
			t.Errorf("%s: answered %q; want %q", command, got, answer)
		}
		held := l.g.keysOf(c.slot)
		slices.Sort(held)
		if got := strings.Join(held, " "); got != keys || w.shared.Table.Len() != len(held) {
			t.Errorf("%s: holds %q of %d; want %q", command, got, w.shared.Table.Len(), keys)
		}
		for _, key := range []string{"a", "b", "c", "d"} {
			c.heard = nil
			l.post("POST /push/"+key, "m")
			w.rest()
			if heard, want := len(c.heard), strings.Count(keys, key); heard != want {
				t.Errorf("%s: heard %d messages to %s; want %d", command, heard, key, want)
			}
		}
	}
	f(`{"subscribe":["b"]}`, `{"keys":["a","b"]}`, "a b")
	f(`{"subscribe":["b"]}`, `{"keys":["a","b"]}`, "a b")
	f(`{"subscribe":["c"],"unsubscribe":["a"]}`, `{"keys":["c","b"]}`, "b c")
	f(`{"subscribe":["a","d"]}`, `{"error":`, "b c")
	f(`{"subscribe":["a",""]}`, `{"error":`, "b c")
	f(`{"unsubscribe":["b","c"]}`, `{"error":`, "b c")
	f(`{"unsubscribe":["b"]}`, `{"keys":["c"]}`, "c")
	f(`{"subscribe":["a"],"unsubscribe":["c"]}`, `{"keys":["a"]}`, "a")
	f(`{"subscribe":["d","d"],"unsubscribe":["nobody's"]}`, `{"keys":["a","d"]}`, "a d")
	f(`{"subscribe":["b"],"more":1}`, "", "a d")
	f(`{"event":"x"}`, "", "a d")
	f(`hello`, "", "a d")
	f(`{}`, "", "a d")
	c.says(false, `{"subscribe":["b"]}`) // commands are text
	if len(l.g.keysOf(c.slot)) != 2 {
		t.Error("a binary message is obeyed")
	}
	c.leave()
	if w.shared.Table.Len() != 0 {
		t.Errorf("%d keys are left", w.shared.Table.Len())
	}
	for _, other := range l.calls[1:] {
		if other.used && other.Kind == record.Chain {
			t.Errorf("chained slot %d is left", other.slot)
		}
	}
}

// The numbers of members on each key are right after any sequence of commands, joins and leaves.
func TestRekeyModel(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{MaxKeys: 4, Socket: route.Socket{ClientKeys: true}})
	l := w.loops[0]
	names := []string{"a", "b", "c", "d", "e"}
	model := map[*call]map[string]bool{}
	for step := range 3000 {
		var some *call
		for c := range model {
			some = c
			break
		}
		switch n := w.rng.IntN(10); {
		case some == nil || n == 0 && len(model) < 6:
			name := names[w.rng.IntN(5)]
			model[l.socket(name)] = map[string]bool{name: true}
		case n == 1:
			some.leave()
			delete(model, some)
		default:
			add, drop := names[w.rng.IntN(5)], names[w.rng.IntN(5)]
			some.says(true, `{"subscribe":["`+add+`"],"unsubscribe":["`+drop+`"]}`)
			want := map[string]bool{add: true}
			for name := range model[some] {
				if name != drop {
					want[name] = true
				}
			}
			if len(want) <= 4 {
				model[some] = want
			}
		}
		for _, name := range names {
			want := 0
			for _, held := range model {
				if held[name] {
					want++
				}
			}
			if target, _ := w.shared.Table.Lookup([]byte(name)); target.Count != want {
				t.Fatalf("step %d: %d hold %s; want %d", step, target.Count, name, want)
			}
		}
		w.rest()
	}
}

// A publisher changes the keys of any connection of the node, by its id.
func TestPublisherChangesKeys(t *testing.T) {
	w := newWorld(t, 3, Config{}, route.Policy{MaxKeys: 2})
	held := w.loops[1].sub("a")
	idle := w.loops[1].begin("POST /push/x")
	id := func(c *call) string { return fmt.Sprintf("%x", uint64(c.loop.Handle(c.slot))) }
	patch := func(loop int, target, body string) *call {
		c := w.loops[loop].post("PATCH /push?"+target, body)
		w.rest()
		return c
	}
	turn := 0
	f := func(target, body string, status int, keys string) {
		t.Helper()
		turn++ // each loop is asked now and then
		if c := patch(turn%3, target, body); c.answer.Status != status {
			t.Errorf("%s %.40s: %s; want %d", target, body, c, status)
		}
		if got := strings.Join(w.loops[1].g.keysOf(held.slot), " "); got != keys {
			t.Errorf("%s %.40s: holds %q; want %q", target, body, got, keys)
		}
	}
	f("conn="+id(held), `{"subscribe":["b"]}`, 200, "a b")
	f("conn="+id(held), ` {"subscribe":["c"]} `, 400, "a b")
	f("conn="+id(held), `{"unsubscribe":["a"]}`, 200, "b")
	f("conn="+id(held), `{"unsubscribe":["b"]}`, 400, "b")
	f("conn="+id(held), `{"unsubscribe":`, 400, "b")
	f("conn="+id(held), `[]`, 400, "b")
	f("conn="+id(held), ``, 400, "b")
	f("conn="+id(held), `{"subscribe":["`+strings.Repeat("x", 300)+`"]}`, 400, "b")
	f("conn="+id(held), `{"subscribe":["`+strings.Repeat("x", maxCommand)+`"]}`, 413, "b")
	f("conn="+id(idle), `{"subscribe":["c"]}`, 404, "b")
	f("conn=ffffffffffffffff", `{"subscribe":["c"]}`, 404, "b")
	f("conn=0", `{"subscribe":["c"]}`, 404, "b")
	f("conn=x", `{"subscribe":["c"]}`, 400, "b")
	f("", `{"subscribe":["c"]}`, 400, "b")
	for range w.loops {
		f("conn="+id(held), `{"subscribe":["c"],"unsubscribe":["b"]}`, 200, "c")
		f("conn="+id(held), `{"subscribe":["b"],"unsubscribe":["c"]}`, 200, "b")
	}
	gone := id(held)
	held.leave()
	for loop := range w.loops {
		if c := patch(loop, "conn="+gone, `{"subscribe":["c"]}`); c.answer.Status != 404 {
			t.Errorf("after it left: %s", c)
		}
		if n := w.loops[loop].g.ops.waiting; n != 0 {
			t.Errorf("%d pushes wait", n)
		}
	}
}

// The echo action sends each message of a WebSocket back as what it was.
func TestWebSocketEcho(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{Socket: route.Socket{Inbound: route.Echoed}})
	l := w.loops[0]
	for _, path := range []string{"/echo", "/echo/page", "/echo/stream"} {
		c := l.ask("GET " + path + " as websocket")
		if c.answer.Status != 200 || c.Form != uint8(exchange.WebSocket) {
			t.Fatalf("%s: %s", path, c)
		}
		c.says(true, "text")
		kind := string(l.staged[0].p.Type)
		c.says(false, "\x00")
		if other := string(l.staged[1].p.Type); kind != textType || other != binaryType {
			t.Errorf("types %q and %q", kind, other)
		}
		w.rest()
		if !slices.Equal(c.heard, []string{"text", "\x00"}) {
			t.Errorf("%s: heard %q", path, c.heard)
		}
		c.leave()
		if l.g.Stats.Held != 0 {
			t.Errorf("%d are held", l.g.Stats.Held)
		}
	}
}

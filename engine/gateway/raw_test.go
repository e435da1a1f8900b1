package gateway

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/engine/route"
)

func TestKeysOfAPush(t *testing.T) {
	f := func(target string, want string, lines ...string) {
		t.Helper()
		w := newWorld(t, 2, Config{}, route.Policy{MaxKeys: 3})
		a, b, comma := w.loops[0].sub("a"), w.loops[1].sub("b"), w.loops[1].sub("x%2Cy")
		c := w.loops[0].post("POST "+target, "m", lines...)
		w.rest()
		got := fmt.Sprintf("%d %d%d%d", c.answer.Status, len(a.heard), len(b.heard), len(comma.heard))
		if got != want {
			t.Errorf("%s %q: %s, want %s (%s)", target, lines, got, want, c)
		}
	}
	f("/push/a", "200 100")
	f("/push/a,b", "200 110")
	f("/push/a,a,%61", "200 100") // nobody hears it twice for a key named twice
	f("/push/x%2Cy", "200 001")
	f("/push/x,y", "404 000")
	f("/push/a,b,x%2Cy", "200 111")
	f("/push/a,b,c,d", "400 000")
	f("/push/a,", "400 000")
	f("/push/,", "400 000")
	f("/push/a%2", "400 000")
	f("/push/%zz", "400 000")
	f("/push/a%20b", "404 000")
	f("/push/"+strings.Repeat("k", 256), "404 000")
	f("/push/"+strings.Repeat("k", 257), "400 000")
	f("/push", "200 110", "Push-Key: a", "Push-Key: b")
	f("/push", "200 111", "push-key: a , b", "PUSH-KEY: x%2cy")
	f("/push", "200 100", "Push-Key: a", "Push-Key: a")
	f("/push", "400 000", "Push-Key: a,b", "Push-Key: c,d")
	f("/push", "400 000", "Push-Key: ")
	f("/push/", "200 010", "Push-Key: b")
	f("/push/a", "400 000", "Push-Key: b")
	f("/push/a", "400 000", "Push-Key: a")
	f("/push", "400 000")
	f("/push", "400 000", "Content-Type: text/plain")
	f("/push/a", "200 100", "Content-Type: application/json") // a key makes the body one message
	f("/push/a", "200 100", "TTL: 60", "Topic: news", "Urgency: high", "Push-TTL: 60")
}

func TestRawBody(t *testing.T) {
	f := func(sized int64, pieces []string, want int, heard string) {
		t.Helper()
		w := newWorld(t, 1, Config{}, route.Policy{MaxPayload: 8})
		holder := w.loops[0].sub("a")
		c := w.loops[0].beginSized("PUT /push/a", sized)
		for _, p := range pieces {
			c.body(p)
		}
		c.complete()
		w.rest()
		if got := strings.Join(holder.heard, "|"); c.answer.Status != want || got != heard {
			t.Errorf("%d %q: %d %q, want %d %q", sized, pieces, c.answer.Status, got, want, heard)
		}
	}
	f(8, []string{"1234", "5678"}, 200, "12345678")
	f(-1, []string{"1234", "5678"}, 200, "12345678")
	f(-1, nil, 200, "")
	f(0, nil, 200, "")
	f(9, nil, 413, "")                            // before a byte of it
	f(-1, []string{"1234", "5678", "9"}, 413, "") // as soon as it is known
	f(-1, []string{"123456789", "more"}, 413, "")
}

// An empty message is one, in forms that have a frame for it.
func TestEmptyMessage(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{})
	holder := w.loops[0].sub("a")
	c := w.loops[0].post("POST /push/a", "")
	w.rest()
	c.wantVerdict("200 delivered 1")
	if len(holder.heard) != 1 || holder.heard[0] != "" {
		t.Errorf("heard %q", holder.heard)
	}
}

func TestPushIDs(t *testing.T) {
	w := newWorld(t, 2, Config{}, route.Policy{})
	seen := map[string]bool{}
	for i := range 100 {
		c := w.loops[i%2].post("POST /push/nobody", "m")
		id, _, _ := strings.Cut(strings.TrimPrefix(string(c.answer.Body), `{"id":"`), `"`)
		if len(id) < 8 || seen[id] {
			t.Fatalf("id %q in %s", id, c)
		}
		seen[id] = true
	}
	c := w.loops[0].post("POST /push/nobody", "m", "Push-Id: mine")
	want := `{"id":"mine","delivered":0,"pending":0,"stored":0,"dropped":0,"unknown":0,"node":"node-a"}` + "\n"
	if string(c.answer.Body) != want || c.answer.Status != 404 {
		t.Errorf("%s, want %s", c, want)
	}
}

func TestPresence(t *testing.T) {
	w := newWorld(t, 2, Config{}, route.Policy{MaxKeys: 2})
	w.loops[0].sub("a")
	w.loops[1].sub("a")
	w.loops[1].sub("b")
	f := func(request string, status int, want string, lines ...string) {
		t.Helper()
		c := w.loops[0].ask(request, lines...)
		if c.answer.Status != status || want != "" && string(c.answer.Body) != want+"\n" {
			t.Errorf("%s: %s, want %d %s", request, c, status, want)
		}
	}
	f("GET /push/a", 200, `{"connections":2,"nodes":["node-a"]}`)
	f("GET /push/a,b", 200, `{"connections":3,"nodes":["node-a"]}`)
	f("GET /push", 200, `{"connections":1,"nodes":["node-a"]}`, "Push-Key: b")
	f("HEAD /push/b", 200, "")
	f("GET /push/c", 404, `{"connections":0,"nodes":[]}`)
	f("HEAD /push/c", 404, "")
	f("GET /push", 400, "")
	f("GET /push/a%", 400, "")
	f("GET /push/a,b,c", 400, "")
	f("GET /push/a", 400, "", "Push-Key: b")
	f("DELETE /push/c", 400, "", "Push-Key: b")
	f("DELETE /push", 400, "")
	f("DELETE /push/%", 400, "")
	f("DELETE /push/c", 404, "")
	if n := len(w.loops[0].g.tasks.all) - 1 - len(w.loops[0].g.tasks.free); n != 0 {
		t.Errorf("%d tasks left", n)
	}
}

func TestMethods(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{})
	f := func(request string, status int, allow string) {
		t.Helper()
		c := w.loops[0].ask(request)
		if c.answer.Status != status || c.field("allow") != allow {
			t.Errorf("%s: %d allow %q, want %d %q", request, c.answer.Status, c.field("allow"), status, allow)
		}
	}
	f("OPTIONS /push/a", 204, pushMethods)
	f("TRACE /push/a", 405, pushMethods)
	f("OPTIONS /sub/a", 204, "GET, HEAD, OPTIONS")
	f("POST /sub/a", 405, "GET, HEAD, OPTIONS")
	f("DELETE /sub", 405, "GET, HEAD, OPTIONS")
	f("POST /hello", 405, "GET, HEAD")
	f("GET /hello", 200, "")
	f("HEAD /hello", 200, "")
	f("OPTIONS *", 204, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	f("GET /nowhere", 404, "")
	f("GET /pushy", 404, "")
}

func TestEcho(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{})
	l := w.loops[0]
	c := l.begin("PATCH /echo", "Content-Type: a/b")
	c.body("hello ")
	c.body("world")
	c.complete()
	if c.answer.Type != "a/b" || string(c.answer.Body) != "hello world" || !c.over {
		t.Errorf("echo %s", c)
	}
	if c := l.begin("POST /echo/page"); c.answer.Status != 0 || !c.body("heard out") {
		t.Errorf("the page is sent before the request has ended: %s", c)
	} else if c.complete(); len(c.answer.Body) != pageBytes {
		t.Errorf("page after a body: %s", c)
	}
	if c := l.ask("GET /echo/page"); len(c.answer.Body) != pageBytes {
		t.Errorf("page of %d bytes", len(c.answer.Body))
	}
	if c := l.ask("GET /echo/x"); c.answer.Status != 200 || len(c.answer.Body) != 0 {
		t.Errorf("without a body: %s", c)
	}
	if c := l.ask("HEAD /echo/stream"); !c.over {
		t.Error("HEAD of an endless answer does not end")
	}

	c = l.begin("POST /echo")
	c.unread = true
	for c.body(strings.Repeat("x", 1<<10)) {
	}
	if n := len(c.answer.Body); !c.paused || n > echoQueued+1<<10 {
		t.Errorf("paused %v after %d bytes", c.paused, n)
	}
	c.unread, c.queued = false, 0
	if l.tick(); c.paused {
		t.Error("not resumed")
	}
	c.leave()

	c = l.ask("GET /echo/stream")
	for i := range 5 {
		if len(c.answer.Body) < (i+1)*streamBytes {
			t.Errorf("stream of %d bytes after %d ticks", len(c.answer.Body), i)
		}
		l.tick()
	}
	c.leave()
}

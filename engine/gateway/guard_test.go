package gateway

import (
	"strings"
	"testing"

	"holdfast/engine/exchange"
	"holdfast/engine/record"
	"holdfast/engine/route"
)

func TestTokens(t *testing.T) {
	f := func(want int, lines ...string) {
		t.Helper()
		w := newWorld(t, 1, Config{Tokens: []Token{NewToken("first"), NewToken("second")}}, route.Policy{})
		c := w.loops[0].ask("GET /push/a", lines...)
		if c.answer.Status != want || want == 401 && c.field("www-authenticate") != `Bearer realm="publish"` {
			t.Errorf("%q: %s", lines, c)
		}
	}
	f(401)
	f(401, "Authorization: Bearer")
	f(401, "Authorization: Bearer ")
	f(401, "Authorization: Bearer third")
	f(401, "Authorization: Bearer first ")
	f(401, "Authorization: Bearer firs")
	f(401, "Authorization: Basic first")
	f(401, "Authorization: first")
	f(404, "Authorization: Bearer first")
	f(404, "Authorization: bearer second")
	f(404, "authorization: BEARER second")
}

// Browsers say for which page they send a request; a page of another site must not publish through its visitor.
func TestCrossSite(t *testing.T) {
	f := func(want int, lines ...string) {
		t.Helper()
		w := newWorld(t, 1, Config{Hosts: []string{"edge.example"}}, route.Policy{})
		holder := w.loops[0].sub("a")
		c := w.loops[0].post("POST /push/a", "m", lines...)
		w.rest()
		if c.answer.Status != want || (len(holder.heard) == 1) != (want == 200) {
			t.Errorf("%q: %s", lines, c)
		}
	}
	f(200) // no browser
	f(200, "Origin: https://edge.example")
	f(200, "Origin: http://Edge.Example")
	f(403, "Origin: https://evil.example")
	f(403, "Origin: https://edge.example.evil.example")
	f(403, "Origin: https://edge.example:8443")
	f(403, "Origin: null")
	f(403, "Origin: ")
	f(200, "Sec-Fetch-Site: same-origin", "Origin: https://edge.example")
	f(200, "Sec-Fetch-Site: none")
	f(403, "Sec-Fetch-Site: cross-site")
	f(403, "Sec-Fetch-Site: same-site", "Origin: https://edge.example")
	f(403, "Sec-Fetch-Site: ")
}

// A page whose name was pointed at this machine after it was loaded is of this origin, as far as its browser knows.
func TestRebinding(t *testing.T) {
	f := func(want int, cfg Config, authority string, lines ...string) {
		t.Helper()
		w := newWorld(t, 1, cfg, route.Policy{})
		c := w.loops[0].alloc(record.HTTP1)
		w.loops[0].g.Begin(w.loops[0].view(c.slot), &exchange.Head{
			Method: []byte("GET"), Path: []byte("/push/a"), Authority: []byte(authority), Fields: fields(lines...), Listener: 1,
		})
		c.complete()
		if c.answer.Status != want || want == 403 && !strings.Contains(string(c.answer.Body), "--publish-host") {
			t.Errorf("%s, %q: %s", authority, lines, c)
		}
	}
	open, named := Config{}, Config{Hosts: []string{"push.example", "other.example:8081"}}
	const own = "Sec-Fetch-Site: same-origin"
	f(404, open, "rebound.example:8081") // no browser
	f(403, open, "rebound.example:8081", "Origin: http://rebound.example:8081")
	f(403, open, "rebound.example:8081", own)
	f(403, open, "rebound.example:8081", "Sec-Fetch-Site: none")
	f(403, open, "localhost.rebound.example", own)
	f(403, open, "notlocalhost", own)
	f(403, open, "127.0.0.1.rebound.example", own)
	f(403, open, "", own)
	f(404, open, "127.0.0.1:8081", own)
	f(404, open, "192.0.2.7", own)
	f(404, open, "[::1]:8081", own)
	f(404, open, "[::1]", own)
	f(404, open, "localhost:8081", own)
	f(404, open, "LocalHost", own)
	f(404, open, "a.localhost:8081", own)
	f(403, named, "rebound.example", own)
	f(404, named, "Push.Example:8081", own)
	f(404, named, "other.example", own)
	f(401, Config{Tokens: []Token{NewToken("t")}}, "rebound.example", own)
	f(404, Config{Tokens: []Token{NewToken("t")}}, "rebound.example", own, "Authorization: Bearer t")
}

// Tokens and origins guard publish listeners, not holds, and not routes that an operator put on a public one.
func TestGuardIsForPublishListeners(t *testing.T) {
	w := newWorld(t, 1, Config{Tokens: []Token{NewToken("t")}}, route.Policy{})
	l := w.loops[0]
	if c := l.ask("GET /sub/a", "Sec-Fetch-Site: cross-site"); c.Form != uint8(exchange.Poll) {
		t.Errorf("a hold is refused: %s", c)
	}
	c := l.alloc(record.HTTP1)
	l.g.Begin(l.view(c.slot), &exchange.Head{
		Method: []byte("GET"), Path: []byte("/push/a"), Fields: fields("Origin: https://evil.example"),
	})
	c.complete()
	if c.answer.Status != 200 {
		t.Errorf("on a public listener: %s", c)
	}
}

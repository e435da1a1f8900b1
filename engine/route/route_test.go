package route

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// naive is the rule as the comments say it: a prefix that ends in '/' and is not exact matches what is below it, any
// other only itself, and itself wins; the longest prefix wins, and among equals the first.
func naive(s *Snapshot, listener int, path string) (r *Route, rest string) {
	var found []*Route
	for i := range s.Routes {
		c := &s.Routes[i]
		below := !c.Exact && strings.HasSuffix(c.Prefix, "/") && strings.HasPrefix(path, c.Prefix)
		if c.Listener == listener && (below || path == c.Prefix) {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return nil, ""
	}
	slices.SortStableFunc(found, func(a, b *Route) int { return len(b.Prefix) - len(a.Prefix) })
	return found[0], path[len(found[0].Prefix):]
}

func TestMatchAgainstNaive(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	path := func() string {
		s := "/"
		for range rng.IntN(4) {
			s += []string{"a", "b", "/", "%2F", "ab"}[rng.IntN(5)]
		}
		return s
	}
	matched := 0
	for range 20_000 {
		var s Snapshot
		for range rng.IntN(6) {
			s.Routes = append(s.Routes, Route{Listener: rng.IntN(2), Prefix: path(), Exact: rng.IntN(4) == 0})
		}
		if rng.IntN(10) == 0 {
			s.Routes = append(s.Routes, Route{Prefix: ""}) // matches nothing that a request can ask for
		}
		asked, listener := path(), rng.IntN(3)
		want, wantRest := naive(&s, listener, asked)
		got, rest := s.Match(listener, []byte(asked))
		if got != want || string(rest) != wantRest {
			t.Fatalf("%q on %d in %+v: %+v rest %q, want %+v rest %q", asked, listener, s.Routes, got, rest, want, wantRest)
		}
		if got != nil {
			matched++
		}
	}
	if matched < 3_000 {
		t.Errorf("only %d of 20,000 matched", matched)
	}
}

func TestMatch(t *testing.T) {
	s := Snapshot{Routes: []Route{{Prefix: "/sub"}, {Prefix: "/sub/"}, {Prefix: "/sub/deep/"}, {Listener: 1, Prefix: "/"}, {Prefix: "/sub"}, {Listener: 2, Prefix: "/", Exact: true}}}
	f := func(listener int, path string, route int, rest string) {
		t.Helper()
		r, got := s.Match(listener, []byte(path))
		if route < 0 && r != nil || route >= 0 && r != &s.Routes[route] || string(got) != rest {
			t.Errorf("%s on %d: %+v rest %q", path, listener, r, got)
		}
	}
	f(0, "/sub", 0, "")
	f(0, "/sub/", 1, "")
	f(0, "/sub/a/b", 1, "a/b")
	f(0, "/sub/deep", 1, "deep")
	f(0, "/sub/deep/x", 2, "x")
	f(0, "/subway", -1, "")
	f(0, "/Sub", -1, "")
	f(0, "", -1, "")
	f(0, "*", -1, "")
	f(1, "/anything", 3, "anything")
	f(2, "/", 5, "")
	f(2, "/sub", -1, "")
}

func TestMatchDoesNotAllocate(t *testing.T) {
	var s Snapshot
	for i := range 20 {
		s.Routes = append(s.Routes, Route{Prefix: fmt.Sprintf("/r%d/", i)})
	}
	hit, miss := []byte("/r19/key"), []byte("/none")
	if n := testing.AllocsPerRun(100, func() { s.Match(0, hit); s.Match(0, miss) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestFilled(t *testing.T) {
	p := Policy{}.Filled()
	if p.PollTimeout != 30*time.Second || p.Heartbeat != 50*time.Second || p.MaxKeys != 16 || p.MaxPayload != 1<<20 || p.MaxItemsFlying != 256 ||
		p.Socket.MaxInbound != 64<<10 || p.Socket.Rate != 50 || p.Socket.Burst != 100 || p.Socket.Pong != 10*time.Second {
		t.Errorf("defaults %+v", p)
	}
	own := Policy{
		PollTimeout: time.Second, Heartbeat: -1, RetryHint: 1, MaxKeys: 1, MaxPayload: 2, MaxItemsFlying: 3,
		Socket: Socket{MaxInbound: 4, Rate: 5, Burst: 6, Pong: 7},
	}
	if !reflect.DeepEqual(own.Filled(), own) {
		t.Errorf("%+v became %+v", own, own.Filled())
	}
	s := Snapshot{Policies: []Policy{p, own}, Routes: []Route{{Policy: 1}}}
	if s.Policy(&s.Routes[0]) != &s.Policies[1] {
		t.Error("another route's policy")
	}
}

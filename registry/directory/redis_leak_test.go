package directory

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/registry/directory/redistest"
)

// Close leaves no goroutine and no connection, whatever the server does.
func TestRedisLeavesNothing(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	f := func(what string, fault func()) {
		t.Helper()
		before := goleak.IgnoreCurrent()
		r, err := OpenRedis(t.Context(), RedisConfig{URL: urlOf(s), Timeout: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		found := make([]Found, 1)
		r.Lookup(t.Context(), []Hash{{1}}, false, found)
		fault()
		r.Lookup(t.Context(), []Hash{{1}}, false, found)
		r.Beat(t.Context(), Beat{Node: row(1, "a"), Lease: time.Minute})
		start := time.Now()
		r.Close()
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("%s: Close took %v", what, d)
		}
		if err := goleak.Find(before); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	f("well", func() {})
	f("standing still", s.Stop)
	f("standing still from the start", func() {})
	s.Cont()
	f("killed", s.Kill)
	f("gone from the start", func() {})
	s.Restart(true)
	f("back", func() {})
	if clients := s.CLI("CLIENT", "LIST"); strings.Contains(clients, "name=holdfast") {
		t.Errorf("connections are left:\n%s", clients)
	}
}

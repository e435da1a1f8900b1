package directory

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/registry/directory/redistest"
)

func TestRedisRestartedIsAnotherStore(t *testing.T) {
	t.Parallel()
	f := func(persist, empty bool, want Owners) {
		t.Helper()
		s := redistest.Start(t, redistest.Options{Persist: persist})
		r := open(t, RedisConfig{URL: urlOf(s)})
		first := certain(t, r)
		claim(t, r, 1, Hash{1}, true)
		s.Kill()
		eventually(t, "doubt", func() bool { _, ok := r.Incarnation(); return !ok })
		wantAdvice(t, r, "")
		s.Restart(empty)
		if second := certain(t, r); second == first {
			t.Errorf("persist %v: the incarnation is still %q", persist, first)
		}
		if got := lookup(t, r, Hash{1}); !slices.Equal(got, want) {
			t.Errorf("persist %v: owners %v, want %v", persist, got, want)
		}
	}
	f(false, true, nil)
	f(true, false, Owners{1})
}

// A flush leaves the server as it is. Whoever asks after it must not be certain in the old name.
func redisFlushedIsAnotherStore(t *testing.T) {
	single, cluster := redistest.Start(t, redistest.Options{}), redistest.StartCluster(t)
	f := func(r *Redis, flushed *redistest.Server, command string) {
		t.Helper()
		var keys []Hash
		for i := range byte(60) { // some on each master
			keys = append(keys, Hash{i, 1})
			claim(t, r, 1, Hash{i, 1}, true)
		}
		before := certain(t, r)
		flushed.CLI(command)
		found := make([]Found, len(keys))
		r.Lookup(t.Context(), keys, true, found)
		after, ok := r.Incarnation()
		if !slices.ContainsFunc(found, func(f Found) bool { return f.Owners == nil }) {
			t.Fatalf("%s emptied nothing", command)
		}
		if ok && after == before {
			t.Errorf("%s: owners are missing, and it is certain of the incarnation of before", command)
		}
		if after = certain(t, r); after == before {
			t.Errorf("%s: the incarnation is still %q", command, before)
		}
		if v := beat(t, r, Beat{Node: row(1, "a"), Lease: time.Minute}); v.Incarnation != after {
			t.Errorf("%s: the view is of %q, not %q", command, v.Incarnation, after)
		}
	}
	one := open(t, RedisConfig{URL: urlOf(single)})
	f(one, single, "FLUSHALL")
	f(one, single, "FLUSHDB")
	many := open(t, RedisConfig{URL: clusterURL(cluster)})
	for _, s := range cluster {
		f(many, s, "FLUSHALL")
	}
}

func redisThatStandsStill(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	r := open(t, RedisConfig{URL: urlOf(s), Timeout: 300 * time.Millisecond})
	before := certain(t, r)
	claim(t, r, 1, Hash{1}, true)
	s.Stop()
	start := time.Now()
	found := make([]Found, 1)
	r.Lookup(t.Context(), []Hash{{1}}, true, found)
	if d := time.Since(start); !errors.Is(found[0].Err, ErrStore) || d > time.Second {
		t.Errorf("error %v after %v", found[0].Err, d)
	}
	eventually(t, "doubt", func() bool { _, ok := r.Incarnation(); return !ok })
	start = time.Now()
	wantAdvice(t, r, "")
	if d := time.Since(start); d > 4*time.Second {
		t.Errorf("four calls took %v", d)
	}
	s.Cont()
	if after := certain(t, r); after != before {
		t.Errorf("the same process is %q, and was %q", after, before)
	}
	if got := lookup(t, r, Hash{1}); !slices.Equal(got, Owners{1}) {
		t.Errorf("owners %v", got)
	}
}

// What a given-up connection still delivers must not undo what a later call has written.
func TestRedisWriteComesTooLate(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	r := open(t, RedisConfig{URL: urlOf(s)})
	r.calls.Store(7)
	claim(t, r, 1, Hash{1}, true) // call 8
	r.calls.Store(6)
	claim(t, r, 1, Hash{1}, false) // call 7
	if got := lookup(t, r, Hash{1}); !slices.Equal(got, Owners{1}) {
		t.Errorf("owners %v after a late removal", got)
	}
	r.calls.Store(5)
	claim(t, r, 1, Hash{1}, true)  // call 6, which must not make way for
	claim(t, r, 1, Hash{1}, false) // call 7
	if got := lookup(t, r, Hash{1}); !slices.Equal(got, Owners{1}) {
		t.Errorf("owners %v after a late claim and a late removal", got)
	}
	claim(t, r, 1, Hash{1}, false) // call 8 again
	if got := lookup(t, r, Hash{1}); got != nil {
		t.Errorf("owners %v after a removal in time", got)
	}
	claim(t, r, 1, Hash{1}, true)
	// Another process removes the claims of one that has ended, whatever its calls were.
	claim(t, open(t, RedisConfig{URL: urlOf(s)}), 1, Hash{1}, false)
	if got := lookup(t, r, Hash{1}); got != nil {
		t.Errorf("owners %v after the end of their instance", got)
	}
}

func TestRedisFull(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	r := open(t, RedisConfig{URL: urlOf(s)})
	claim(t, r, 1, Hash{1}, true)
	claim(t, r, 1, Hash{2}, true)
	before := certain(t, r)
	s.CLI("CONFIG", "SET", "maxmemory", "1mb")
	refused := []Change{{Hash: Hash{3}, Held: true}, {Hash: Hash{2}, Held: false}}
	r.Claim(t.Context(), 1, refused)
	if err := refused[0].Err; !errors.Is(err, ErrStore) || !strings.Contains(err.Error(), "raise maxmemory") {
		t.Errorf("a claim on a full server: %v", err)
	}
	if refused[1].Err != nil {
		t.Errorf("a removal on a full server: %v", refused[1].Err)
	}
	if v := beat(t, r, Beat{Node: row(1, "a"), Lease: time.Minute, Mark: before}); v.Incarnation != before || len(v.Nodes) != 1 || v.Marked != before {
		t.Errorf("a beat on a full server: %+v", v)
	}
	if got := lookup(t, r, Hash{1}); !slices.Equal(got, Owners{1}) {
		t.Errorf("owners %v", got)
	}
	s.CLI("CONFIG", "SET", "maxmemory", "0")
	claim(t, r, 1, Hash{3}, true)
	if certain(t, r) != before {
		t.Error("fullness changed the incarnation")
	}
}

// A master that is cut from its replicas, and may have been replaced, gives no view that certainty could stand on.
func TestRedisWithoutItsReplicas(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	r := open(t, RedisConfig{URL: urlOf(s)})
	certain(t, r)
	s.CLI("CONFIG", "SET", "min-replicas-to-write", "1")
	refused := []Change{{Hash: Hash{3}, Held: true}}
	r.Claim(t.Context(), 1, refused)
	_, err := r.Beat(t.Context(), Beat{Node: row(1, "a"), Lease: time.Minute})
	for _, err := range []error{refused[0].Err, err} {
		if !errors.Is(err, ErrStore) || !strings.Contains(err.Error(), "too few replicas") {
			t.Errorf("error %v", err)
		}
	}
	s.CLI("CONFIG", "SET", "min-replicas-to-write", "0")
	beat(t, r, Beat{Node: row(1, "a"), Lease: time.Minute})
}

func TestRedisThatEvictsIsNeverCertain(t *testing.T) {
	t.Parallel()
	f := func(policy, limit string, want bool) {
		t.Helper()
		s := redistest.Start(t, redistest.Options{Args: []string{"--maxmemory", limit, "--maxmemory-policy", policy}})
		r := open(t, RedisConfig{URL: urlOf(s)})
		v := beat(t, r, Beat{Node: row(1, "a"), Lease: time.Minute})
		at, ok := r.Incarnation()
		if ok != want || at != v.Incarnation || at == "" || (r.Warning() == "") != want {
			t.Errorf("%s at %s: %q, %v, warning %q", policy, limit, at, ok, r.Warning())
		}
	}
	f("allkeys-lru", "100mb", false)
	f("volatile-ttl", "100mb", false)
	f("noeviction", "100mb", true)
	f("allkeys-lru", "0", true)
}

// Nothing tells that the policy was changed: the servers are asked again after some beats.
func TestRedisSettingsAreReadAgain(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{Args: []string{"--maxmemory", "100mb"}})
	r := open(t, RedisConfig{URL: urlOf(s)})
	certain(t, r)
	s.CLI("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
	for range verifyEach {
		beat(t, r, Beat{Node: row(1, "a"), Lease: time.Minute})
	}
	if _, ok := r.Incarnation(); ok || !strings.Contains(r.Warning(), "allkeys-lfu") {
		t.Errorf("certain %v, warning %q", ok, r.Warning())
	}
}

// The same with a real server that stood still while claims were removed, and went on when they had been made again.
func TestRedisRemovalsOfAGivenUpConnection(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	r := open(t, RedisConfig{URL: urlOf(s), Timeout: 300 * time.Millisecond})
	certain(t, r)
	changes := make([]Change, 4*atOnce)
	write := func(held bool) (failed int) {
		for i := range changes {
			changes[i] = Change{Hash: Hash{byte(i), byte(i >> 8)}, Held: held}
		}
		r.Claim(t.Context(), 1, changes)
		for _, c := range changes {
			if c.Err != nil {
				failed++
			}
		}
		return failed
	}
	if n := write(true); n != 0 {
		t.Fatal(n, "claims failed:", changes[0].Err)
	}
	s.Stop()
	if n := write(false); n != len(changes) {
		t.Fatal(len(changes)-n, "removals were done by a stopped server")
	}
	eventually(t, "doubt", func() bool { _, ok := r.Incarnation(); return !ok })
	s.Cont()
	eventually(t, "all claims again", func() bool { return write(true) == 0 })
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if n := s.CLI("EVAL", "return #redis.call('KEYS', 'hf:k:*')", "0"); n != "1024" {
			t.Fatal(n, "keys of 1024 have a claim")
		}
	}
}

func TestRedisDoubtsWithEachConnection(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	r := open(t, RedisConfig{URL: urlOf(s)})
	certain(t, r)
	f := func(what string, want uint64, do func()) {
		t.Helper()
		before := r.ident.events.Load()
		if do(); r.ident.events.Load() != before+want {
			t.Errorf("%s: %d events, want %d", what, r.ident.events.Load()-before, want)
		}
	}
	var conn net.Conn
	dial := func(address string, d net.Dialer) func() {
		return func() { conn, _ = r.dial(t.Context(), address, &d, nil) }
	}
	f("dialled", 1, dial(s.Addr(), net.Dialer{}))
	f("closed", 1, func() { conn.Close() })
	f("closed twice", 0, func() { conn.Close() })
	f("nobody there", 0, dial("127.0.0.1:1", net.Dialer{}))
	f("a sentinel", 0, dial(s.Addr(), net.Dialer{KeepAlive: sentinelKeepAlive}))
	f("a sentinel goes", 0, func() { conn.Close() })
	f("the other side ends it", 1, func() {
		near, far := net.Pipe()
		far.Close()
		(&watchedConn{Conn: near, r: r}).Read(make([]byte, 1))
	})
}

// Claims that nobody refreshes end, and not all at once.
func TestRedisClaimsEnd(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	r := open(t, RedisConfig{URL: urlOf(s)})
	changes := make([]Change, 500)
	for i := range changes {
		changes[i] = Change{Hash: Hash{byte(i), byte(i >> 8)}, Held: true}
	}
	r.Claim(t.Context(), 1, changes)
	ends := s.CLI("EVAL", `local least, most = 1e9, 0
for _, k in ipairs(redis.call('KEYS', 'hf:k:*')) do
  local ttl = redis.call('TTL', k)
  least, most = math.min(least, ttl), math.max(most, ttl)
end
return least .. ' ' .. most`, "0")
	var least, most int
	if _, err := fmt.Sscan(ends, &least, &most); err != nil || least < 1615 || most > 1980 || most-least < 200 {
		t.Errorf("they end between %d and %d seconds, %v", least, most, err)
	}
	f := func(ttl time.Duration, low, high int64) {
		t.Helper()
		for range 100 {
			if got := dithered(ttl); got < low || got > high {
				t.Fatalf("dithered(%v) = %d", ttl, got)
			}
		}
	}
	f(100*time.Second, 90, 110)
	f(time.Second, 1, 1)
	f(time.Millisecond, 1, 1)
}

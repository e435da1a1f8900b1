package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/registry/directory/redistest"
)

// open makes a store that ends with the test.
func open(t testing.TB, cfg RedisConfig) *Redis {
	t.Helper()
	r, err := OpenRedis(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func urlOf(s *redistest.Server) string { return "redis://" + s.Addr() }

func clusterURL(servers []*redistest.Server) string {
	addresses := make([]string, len(servers))
	for i, s := range servers {
		addresses[i] = s.Addr()
	}
	return "redis-cluster://" + strings.Join(addresses, ",")
}

func sentinelURL(sentinels []*redistest.Server) string {
	return strings.Replace(clusterURL(sentinels), "redis-cluster", "redis-sentinel", 1) + "/" + redistest.MasterName
}

// eventually polls until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never happened: ", what)
		}
	}
}

// certain waits until the store knows who its servers are.
func certain(t testing.TB, s Store) (at Incarnation) {
	t.Helper()
	eventually(t, "a certain incarnation", func() (ok bool) {
		at, ok = s.Incarnation()
		return ok
	})
	return at
}

func TestRedisKeepsTheContract(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	testContract(t, func() Store {
		s.CLI("FLUSHALL")
		r := open(t, RedisConfig{URL: urlOf(s)})
		certain(t, r)
		return r
	})
	if left := s.CLI("KEYS", "*"); !strings.Contains(left, "{hf}:born") {
		t.Errorf("keys %q", left)
	}
}

func TestRedisInADatabaseUnderAPrefix(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	one, other := open(t, RedisConfig{URL: urlOf(s) + "/3", Prefix: "a"}), open(t, RedisConfig{URL: urlOf(s) + "/3", Prefix: "b"})
	claim(t, one, 1, Hash{1}, true)
	if got := lookup(t, other, Hash{1}); got != nil {
		t.Errorf("the other prefix sees %v", got)
	}
	if got := s.CLI("-n", "3", "KEYS", "a:k:*"); len(got) == 0 {
		t.Error("database 3 has no claim")
	}
}

// The user has exactly what the documentation of Redis lists.
const aclUser = "+@hash +@sortedset +@connection +@scripting +expire +info +role +cluster +time"

func TestRedisWithACLUser(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{Password: "admin"})
	s.CLI(slices.Concat([]string{"ACL", "SETUSER", "node", "on", ">s p:c@e", "~hf:*", "~{hf}:*"}, strings.Fields(aclUser))...)
	testContract(t, func() Store {
		s.CLI("FLUSHALL")
		return open(t, RedisConfig{URL: "redis://node:s%20p%3Ac%40e@" + s.Addr()})
	})
}

func TestRedisPasswordFromFile(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{Password: "sesame"})
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, RedisConfig{URL: urlOf(s), PasswordFile: file})
	claim(t, r, 1, Hash{1}, true)
	if _, err := OpenRedis(t.Context(), RedisConfig{URL: urlOf(s), PasswordFile: file + "x"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
}

func TestRedisOverTLS(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{TLS: true})
	testContract(t, func() Store {
		s.CLI("FLUSHALL")
		return open(t, RedisConfig{URL: "rediss://" + s.Addr(), TLS: s.TLS()})
	})
	wantAdvice(t, open(t, RedisConfig{URL: "rediss://" + s.Addr()}), "not trusted")
	wantAdvice(t, open(t, RedisConfig{URL: "rediss://" + s.Addr(), TLS: &tls.Config{RootCAs: s.TLS().RootCAs, ServerName: "other"}}), "not trusted")
}

// wantAdvice makes each kind of call, all of which must fail as the store's and say what to do.
func wantAdvice(t *testing.T, r *Redis, want string) {
	t.Helper()
	changes, found := []Change{{Hash: Hash{1}, Held: true}}, make([]Found, 1)
	r.Claim(t.Context(), 1, changes)
	r.Lookup(t.Context(), []Hash{{1}}, true, found)
	_, err := r.Beat(t.Context(), Beat{Node: row(1, "a"), Lease: time.Minute})
	cached := make([]Found, 1)
	r.Lookup(t.Context(), []Hash{{1}}, false, cached)
	for i, err := range []error{changes[0].Err, found[0].Err, err, cached[0].Err} {
		if !errors.Is(err, ErrStore) || !strings.Contains(err.Error(), want) {
			t.Errorf("call %d: error %v, want %q in it", i, err, want)
		}
	}
	if at, ok := r.Incarnation(); ok {
		t.Errorf("it is certain of %q", at)
	}
}

func TestRedisSaysWhatToDo(t *testing.T) {
	t.Parallel()
	locked := redistest.Start(t, redistest.Options{Password: "sesame"})
	locked.CLI("ACL", "SETUSER", "weak", "on", ">weak", "~hf:*", "+@connection", "+ping")
	plain := redistest.Start(t, redistest.Options{})
	replica := redistest.Start(t, redistest.Options{Args: []string{"--replicaof", "127.0.0.1 " + strconv.Itoa(plain.Port())}})
	gone := redistest.Start(t, redistest.Options{})
	gone.Kill()
	f := func(url, want string) {
		t.Helper()
		wantAdvice(t, open(t, RedisConfig{URL: url, Timeout: 300 * time.Millisecond}), want)
	}
	f("redis://"+gone.Addr(), "nobody listens")
	f("redis-cluster://"+gone.Addr(), "nobody listens")
	f("redis-sentinel://"+gone.Addr()+"/x", "nobody listens")
	f("redis://"+locked.Addr(), "wants a password")
	f("redis://:wrong@"+locked.Addr(), "refuses the user or password")
	f("redis://weak:weak@"+locked.Addr(), "ACL forbids")
	f("redis://"+plain.Addr()+"/99", "no such database")
	f("rediss://"+plain.Addr(), "") // the server waits for the rest of what it takes for a command
	if _, err := open(t, RedisConfig{URL: urlOf(replica)}).Beat(t.Context(), Beat{Node: row(1, "a")}); err == nil || !strings.Contains(err.Error(), "is a replica") {
		t.Errorf("a replica: %v", err)
	}
}

func redisThatComesLater(t *testing.T) {
	for _, scheme := range []string{"redis", "redis-cluster"} {
		var servers []*redistest.Server
		if scheme == "redis" {
			servers = []*redistest.Server{redistest.Start(t, redistest.Options{})}
		} else {
			servers = redistest.StartCluster(t)
		}
		for _, s := range servers {
			s.Kill()
		}
		r := open(t, RedisConfig{URL: scheme + "://" + servers[0].Addr()})
		wantAdvice(t, r, "nobody listens")
		for _, s := range servers {
			s.Restart(false)
		}
		certain(t, r)
		claim(t, r, 1, Hash{1}, true)
	}
}

func TestRedisClosed(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	r := open(t, RedisConfig{URL: urlOf(s), Timeout: 10 * time.Second})
	certain(t, r)
	s.Stop()
	ended := make(chan error)
	go func() {
		_, err := r.Beat(context.Background(), Beat{Node: row(1, "a")})
		ended <- err
	}()
	time.Sleep(50 * time.Millisecond)
	start := time.Now()
	r.Close()
	if err := <-ended; !errors.Is(err, ErrStore) {
		t.Errorf("the call that waited: %v", err)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("Close took %v", d)
	}
	wantAdvice(t, r, "closed")
	r.Close()
}

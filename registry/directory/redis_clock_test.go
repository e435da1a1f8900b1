package directory

import (
	"strconv"
	"testing"
	"time"

	"holdfast/registry/directory/redistest"
)

// forget makes a server seem to have kept its clock's time so much earlier, under each tag that it serves.
func forget(t *testing.T, s *redistest.Server, keys []string, d time.Duration) {
	t.Helper()
	for _, key := range keys {
		if s.CLI("HGET", key, "at") == "" {
			t.Fatal("no clock is kept at ", key)
		}
		s.CLI("HINCRBY", key, "at", millis(-d))
	}
}

// slumber makes a process expect the clocks of some tags to be so much behind, as if its own had stood still.
func slumber(r *Redis, d time.Duration, tags ...int) {
	was := r.ident.now.Load()
	now := *was
	now.clocks = append([]clock(nil), was.clocks...)
	for _, i := range tags {
		now.clocks[i].said -= d
	}
	r.ident.now.Store(&now)
}

// jump makes the only server's clock seem to have jumped ahead for all who know it.
func jump(t *testing.T, s *redistest.Server, d time.Duration, all ...*Redis) {
	t.Helper()
	forget(t, s, []string{"{hf}:born"}, d)
	s.CLI("EVAL", "for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], ARGV[1], id) end",
		"1", "{hf}:leases", millis(-d))
	for _, r := range all {
		slumber(r, d, 0)
	}
}

// clockScene is a server and two nodes that know it and each other, with claims that live for an hour.
func clockScene(t *testing.T) (s *redistest.Server, a, b *Redis, before Incarnation) {
	s = redistest.Start(t, redistest.Options{})
	cfg := RedisConfig{URL: urlOf(s), ClaimTTL: time.Hour}
	a, b = open(t, cfg), open(t, cfg)
	for range 2 {
		beat(t, a, Beat{Node: row(1, "a"), Lease: time.Minute})
		before = beat(t, b, Beat{Node: row(2, "b"), Lease: time.Minute}).Incarnation
	}
	return s, a, b, before
}

// "What the store holds counts as another incarnation", the same one for all nodes; and no lease ends by it.
func TestRedisClockJumps(t *testing.T) {
	t.Parallel()
	f := func(d time.Duration, want bool) {
		t.Helper()
		s, a, b, before := clockScene(t)
		known := beat(t, a, Beat{Node: row(1, "a"), Lease: time.Minute}).Version
		jump(t, s, d, a, b)
		va := beat(t, a, Beat{Node: row(1, "a"), Lease: time.Minute, Known: known})
		vb := beat(t, b, Beat{Node: row(2, "b"), Lease: time.Minute, Known: known})
		again := beat(t, a, Beat{Node: row(1, "a"), Lease: time.Minute, Known: known})
		if jumped := va.Incarnation != before; jumped != want || vb.Incarnation != va.Incarnation || again.Incarnation != va.Incarnation {
			t.Errorf("%v: %q, then %q, %q and %q", d, before, va.Incarnation, vb.Incarnation, again.Incarnation)
		}
		if at, ok := b.Incarnation(); !ok || at != vb.Incarnation {
			t.Errorf("%v: b is certain of %q: %v", d, at, ok)
		}
		for _, v := range []View{va, vb} {
			if want && v.Lapsed != nil || v.Full || v.Nodes != nil || v.Gone != nil {
				t.Errorf("%v: %+v", d, v)
			}
		}
	}
	f(0, false)
	f(14*time.Minute, false)
	f(16*time.Minute, true)
	f(100*time.Hour, true)
	f(-14*time.Minute, false)
	f(-18*time.Minute, true)
	f(-100*time.Hour, true)
}

// Claims have ended by the jump: who finds nobody after it must not be certain in the old name, beat or no beat.
func TestRedisLookupSeesTheJump(t *testing.T) {
	t.Parallel()
	s, a, b, before := clockScene(t)
	key := Hash([]byte("sixteen letters."))
	claim(t, a, 1, key, true)
	jump(t, s, 2*time.Hour, a, b)
	s.CLI("DEL", a.claimKey(key))
	for _, r := range []*Redis{b, a} {
		if got := lookup(t, r, key); got != nil {
			t.Fatal("the claim is there still")
		}
		if at, ok := r.Incarnation(); ok && at == before {
			t.Error("nobody is found, and it is certain of the incarnation of before")
		}
		if after := certain(t, r); after == before {
			t.Error("the incarnation stays")
		}
	}
	if at, ok := a.Incarnation(); !ok || at != certain(t, b) {
		t.Errorf("a is certain of %q: %v", at, ok)
	}
}

// Only what both the server and a node find is a jump.
func TestRedisClockThatOnlyOneFindsOff(t *testing.T) {
	t.Parallel()
	s, a, b, before := clockScene(t)
	f := func(what string, r *Redis, id Instance, jumped bool) {
		t.Helper()
		v := beat(t, r, Beat{Node: row(id, "a"), Lease: time.Minute})
		if (v.Incarnation != before) != jumped {
			t.Errorf("%s: %q after %q", what, v.Incarnation, before)
		}
		before = v.Incarnation
	}
	slumber(a, 2*time.Hour, 0)
	f("a slept", a, 1, false)
	forget(t, s, []string{"{hf}:born"}, 2*time.Hour)
	f("nobody came for long", a, 1, false)
	f("nor does b mind", b, 2, false)

	// One that is new finds a time that was kept long ago. It decides nothing, and leaves it to others to.
	jump(t, s, 2*time.Hour, a, b)
	c := open(t, RedisConfig{URL: urlOf(s), ClaimTTL: time.Hour})
	slumber(c, 0)
	if at := certain(t, c); at != before {
		t.Errorf("new: %q after %q", at, before)
	}
	f("a knows better", a, 1, true)
	f("b agrees", b, 2, false)
	f("c agrees", c, 3, false)
}

// Each master of a cluster has a clock of its own.
func redisClusterClockJumps(t *testing.T) {
	servers := redistest.StartCluster(t)
	a, b := open(t, RedisConfig{URL: clusterURL(servers)}), open(t, RedisConfig{URL: clusterURL(servers)})
	before := certain(t, a)
	if certain(t, b) != before {
		t.Fatal("they do not agree at first")
	}
	var keys []Hash
	var found [90]Found
	for i := range byte(90) {
		keys = append(keys, Hash{i, 4})
	}
	a.Lookup(t.Context(), keys, true, found[:])
	if at, ok := a.Incarnation(); !ok || at != before {
		t.Fatal("in doubt at first")
	}
	masters := a.ident.now.Load().masters
	for i, tag := range a.ident.tags {
		if masters[i] != masters[0] {
			continue
		}
		for _, s := range servers {
			if s.CLI("CLUSTER", "MYID") == masters[0] {
				forget(t, s, []string{a.bornKey(tag)}, 2*time.Hour)
			}
		}
		slumber(a, 2*time.Hour, i)
		slumber(b, 2*time.Hour, i)
	}
	for _, r := range []*Redis{a, b} {
		r.Lookup(t.Context(), keys, true, found[:])
		if at, ok := r.Incarnation(); ok && at == before {
			t.Error("certain of the incarnation of before")
		}
	}
	if at := certain(t, a); at == before || at != certain(t, b) {
		t.Errorf("%q after %q; b says %q", at, before, certain(t, b))
	}
}

func TestClock(t *testing.T) {
	now := time.Now()
	f := func(c clock, t0 time.Time, want time.Duration) {
		t.Helper()
		said := []string{strconv.FormatInt(t0.Unix(), 10), strconv.Itoa(t0.Nanosecond() / 1000)}
		if got := c.off(said); (got - want).Abs() > 50*time.Millisecond {
			t.Errorf("off by %v, want %v", got, want)
		}
	}
	then := clock{time.Duration(now.UnixNano()), now.Add(-time.Minute)}
	f(then, now.Add(time.Minute), 0)
	f(then, now, time.Minute)
	f(then, now.Add(time.Hour+time.Minute), time.Hour)
	f(readClock(millis(time.Duration(now.UnixNano()))), now, 0)
	f(clock{}, now, 0)
	f(readClock("nonsense"), now, 0)
	if c := readClock("5000"); c.expects() < "5000" || c.expects() > "5050" || (clock{}).expects() != "" {
		t.Errorf("it expects %q", c.expects())
	}
}

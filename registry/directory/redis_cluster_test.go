package directory

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"holdfast/registry/directory/redistest"
)

// Servers take their seconds to find each other and to give one up. These parts wait for that side by side, whatever the
// number of cores.
func TestRedisInTime(t *testing.T) {
	t.Parallel()
	var parts sync.WaitGroup
	defer parts.Wait()
	f := func(name string, part func(*testing.T)) { parts.Go(func() { t.Run(name, part) }) }
	f("cluster", redisClusterKeepsTheContract)
	f("cluster fails over", redisClusterFailsOver)
	f("cluster's clock", redisClusterClockJumps)
	f("sentinels", redisUnderSentinels)
	f("later", redisThatComesLater)
	f("still", redisThatStandsStill)
	f("flushed", redisFlushedIsAnotherStore)
}

func redisClusterKeepsTheContract(t *testing.T) {
	servers := redistest.StartCluster(t)
	testContract(t, func() Store {
		for _, s := range servers {
			s.CLI("FLUSHALL")
		}
		r := open(t, RedisConfig{URL: clusterURL(servers[:1])})
		certain(t, r)
		return r
	})
}

func redisClusterFailsOver(t *testing.T) {
	servers := redistest.StartCluster(t)
	servers = append(servers, redistest.StartClusterReplica(t, servers[0]))
	for _, s := range servers {
		s.CLI("CONFIG", "SET", "cluster-require-full-coverage", "no")
	}
	r := open(t, RedisConfig{URL: clusterURL(servers)})
	first := certain(t, r)
	second := masterGivesWay(t, r, servers[3], first)
	eventually(t, "the former master as a replica", func() bool {
		return servers[0].Info("replication", "role") == "slave" && servers[0].Info("replication", "master_link_status") == "up"
	})
	masterDies(t, r, servers[3], servers[0], second)
}

// A replica that takes over while its master lives on makes no connection end.
func masterGivesWay(t *testing.T, r *Redis, replica *redistest.Server, before Incarnation) (after Incarnation) {
	keys, found := make([]Hash, 60), make([]Found, 60)
	for i := range keys {
		keys[i] = Hash{byte(i), 3}
	}
	replica.CLI("CLUSTER", "FAILOVER")
	eventually(t, "promotion", func() bool { return replica.Info("replication", "role") == "master" })
	eventually(t, "lookups of all keys", func() bool {
		r.Lookup(t.Context(), keys, true, found)
		return !slices.ContainsFunc(found, func(f Found) bool { return f.Err != nil })
	})
	if at, ok := r.Incarnation(); ok && at == before {
		t.Error("answers of another master, and it is certain of the incarnation of before")
	}
	if after = certain(t, r); after == before {
		t.Error("the incarnation is the same with another master")
	}
	return after
}

// With a master gone its keys fail, each alone, until its replica stands in; then the store is another.
func masterDies(t *testing.T, r *Redis, master, replica *redistest.Server, before Incarnation) {
	changes, keys, found := make([]Change, 120), make([]Hash, 120), make([]Found, 120)
	for i := range keys {
		keys[i] = Hash{byte(i), 2}
		changes[i] = Change{Hash: keys[i], Held: true}
	}
	r.Claim(t.Context(), 1, changes)
	master.Kill()
	r.Lookup(t.Context(), keys, true, found)
	var lost, there int
	for _, f := range found {
		switch {
		case errors.Is(f.Err, ErrStore):
			lost++
		case slices.Equal(f.Owners, Owners{1}):
			there++
		default:
			t.Errorf("%+v", f)
		}
	}
	if lost == 0 || there == 0 {
		t.Errorf("%d keys failed, %d did not", lost, there)
	}
	eventually(t, "another incarnation", func() bool { at, ok := r.Incarnation(); return ok && at != before })
	if replica.Info("replication", "role") != "master" {
		t.Error("certain before the replica was promoted")
	}
	eventually(t, "all claims again", func() bool {
		r.Claim(t.Context(), 1, changes)
		return !slices.ContainsFunc(changes, func(c Change) bool { return c.Err != nil })
	})
}

func redisUnderSentinels(t *testing.T) {
	master, replica, sentinels := redistest.StartReplicated(t)
	r := open(t, RedisConfig{URL: sentinelURL(sentinels)})
	before := certain(t, r)
	beat(t, r, Beat{Node: row(1, "a"), Lease: time.Minute, Mark: before})
	claim(t, r, 1, Hash{1}, true)
	// An answer by a connection that was not there when the servers were asked is an event.
	standing := *r.ident.now.Load()
	r.ident.now.Store(&standing)
	events := r.ident.events.Load()
	if lookup(t, r, Hash{1}); r.ident.events.Load() != events {
		t.Error("the connection is the same, but there is doubt")
	}
	standing.conn = "id=0"
	if lookup(t, r, Hash{1}); r.ident.events.Load() == events {
		t.Error("another connection answers, and there is no doubt")
	}
	master.CLI("WAIT", "1", "1000")
	master.Kill()
	start := time.Now()
	found := make([]Found, 1)
	r.Lookup(t.Context(), []Hash{{1}}, true, found)
	if at, ok := r.Incarnation(); found[0].Err == nil || ok {
		t.Errorf("without a master: %+v, %q, %v", found[0], at, ok)
	}
	after := certain(t, r)
	t.Log("another master after", time.Since(start))
	if after == before || replica.Info("replication", "role") != "master" {
		t.Errorf("incarnation %q after %q", after, before)
	}
	if got := lookup(t, r, Hash{1}); !slices.Equal(got, Owners{1}) {
		t.Errorf("owners %v", got)
	}
	if v := beat(t, r, Beat{Node: row(1, "a"), Lease: time.Minute}); v.Marked != before || v.Incarnation != after {
		t.Errorf("the mark is of before and does not hold: %+v", v)
	}
	// Nobody is left to tell of the next master, so this one may be the wrong one.
	for _, s := range sentinels {
		s.Kill()
	}
	eventually(t, "doubt", func() bool { _, ok := r.Incarnation(); return !ok })
	claim(t, r, 1, Hash{2}, true)
}

func TestTagsReachAllSlots(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{Args: []string{"--cluster-enabled", "yes"}})
	var slots []int
	r := &Redis{cfg: RedisConfig{Prefix: "hf"}}
	for i, tag := range tagsOfSlots(clusterTags) {
		slot, err := strconv.Atoi(server.CLI("CLUSTER", "KEYSLOT", r.bornKey(tag)))
		if err != nil || slot*clusterTags/(1<<14) != i {
			t.Errorf("tag %d, %q, is of slot %d: %v", i, tag, slot, err)
		}
		slots = append(slots, slot)
	}
	if !slices.IsSorted(slots) {
		t.Error(slots)
	}
	f := func(s string, want uint16) {
		t.Helper()
		if got := crc16(s); got != want {
			t.Errorf("crc16(%q) = %#x, want %#x", s, got, want)
		}
	}
	f("", 0)
	f("123456789", 0x31c3) // the check value of XMODEM's CRC
}

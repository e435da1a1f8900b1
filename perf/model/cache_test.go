package model

import (
	"container/list"
	"math"
	"testing"
	"time"
)

// cacheConfig is small enough to be played key by key.
func cacheConfig() Config {
	c := Default()
	c.Nodes, c.Shards, c.Keys, c.Cache, c.Pushes, c.Tracked = 1, 1, 2000, 300, 1000, 1<<40
	c.Refresh, c.Life, c.Away = 10*time.Second, time.Hour, 0
	return c
}

// The derived hit rate is that of a real cache, least recently used first out, under writes and lookups at random.
func TestCacheAgainstAnExactOne(t *testing.T) {
	f := func(skew, entries int, refresh time.Duration) {
		t.Helper()
		c := cacheConfig()
		c.Skew, c.Cache, c.Refresh = skew, entries, refresh
		k := c.kept()
		hit, there := playCache(&c)
		if math.Abs(k.Hit-hit) > 0.02 || math.Abs(k.Entries-there) > 0.05*there {
			t.Errorf("skew %d, %d entries, %v: hit %.3f with %.0f entries, played %.3f with %.0f", skew, entries, refresh, k.Hit, k.Entries, hit, there)
		}
	}
	f(0, 300, 10*time.Second)
	f(0, 300, time.Hour)        // hardly any write: the size decides
	f(0, 5000, 2*time.Second)   // the writes decide
	f(100, 300, 10*time.Second) // and a few keys are looked up far more
	f(80, 100, time.Hour)
}

// playCache plays a node's cache lookup by lookup, write by write.
func playCache(c *Config) (hit, entries float64) {
	r := newChance(9)
	popular := make([]float64, c.Keys) // running sum
	sum := 0.0
	for i := range popular {
		sum += math.Pow(float64(i+1), -float64(c.Skew)/100)
		popular[i] = sum
	}
	pick := func() int {
		want, low, high := r.Float64()*sum, 0, len(popular)-1
		for low < high {
			if mid := (low + high) / 2; popular[mid] < want {
				low = mid + 1
			} else {
				high = mid
			}
		}
		return low
	}
	writes := float64(c.Keys) * (1/c.Refresh.Seconds() + 2/(c.Life+c.Away).Seconds())
	share := float64(c.Pushes) / (float64(c.Pushes) + writes)
	order, at := list.New(), map[int]*list.Element{}
	const events, settled = 600_000, 100_000
	var hits, lookups, size float64
	for n := range events {
		size += float64(len(at)) / events
		if r.Float64() > share {
			key := r.IntN(int(c.Keys))
			if e := at[key]; e != nil {
				order.Remove(e)
				delete(at, key)
			}
			continue
		}
		key := pick()
		e := at[key]
		if n > settled {
			lookups++
		}
		if e != nil {
			order.MoveToFront(e)
			if n > settled {
				hits++
			}
			continue
		}
		at[key] = order.PushFront(key)
		if len(at) > c.Cache {
			delete(at, order.Remove(order.Back()).(int))
		}
	}
	return hits / lookups, size
}

// A full tracking table forgets as many keys as it learns, and remembers what it can.
func TestTrackingTableIsFull(t *testing.T) {
	c := Default()
	k := c.kept()
	if limit := float64(c.Tracked * c.Shards); math.Abs(k.Tracked-limit) > 1e-3*limit {
		t.Errorf("%.0f keys tracked, the table has room for %.0f", k.Tracked, limit)
	}
	if k.Forced <= 0 || k.Invalidations > float64(c.Pushes) {
		t.Errorf("%.3f forced, %.0f invalidations/s for %d lookups/s", k.Forced, k.Invalidations, c.Pushes)
	}
	c.Tracked = 1 << 40
	if free := c.kept(); free.Forced != 0 || free.Tracked < k.Tracked || free.Hit < k.Hit {
		t.Errorf("with room for all: %+v, without %+v", free, k)
	}
}

func TestBandsHoldAllKeysAndPushes(t *testing.T) {
	for _, skew := range []int{0, 50, 100, 150} {
		c := Default()
		c.Skew = skew
		keys, rate := 0.0, 0.0
		for _, b := range c.bands() {
			keys, rate = keys+b.keys, rate+b.keys*b.rate
		}
		want := float64(c.Pushes) / float64(c.Nodes)
		if keys != float64(c.Keys) || math.Abs(rate-want) > 1e-6*want {
			t.Errorf("skew %d: %.0f keys, %.6f lookups/s of %.6f", skew, keys, rate, want)
		}
	}
}

// More entries, more popular favourites and fewer writes never hit less.
func TestCacheGrowsWithWhatHelps(t *testing.T) {
	f := func(name string, change func(c *Config, n int)) {
		t.Helper()
		last := -1.0
		for n := 1; n <= 6; n++ {
			c := cacheConfig()
			change(&c, n)
			if hit := c.kept().Hit; hit < last-1e-9 || hit < 0 || hit > 1 {
				t.Errorf("%s %d: hit %.4f after %.4f", name, n, hit, last)
			} else {
				last = hit
			}
		}
	}
	f("entries", func(c *Config, n int) { c.Cache = 100 * n })
	f("skew", func(c *Config, n int) { c.Skew = 25 * n })
	f("refresh", func(c *Config, n int) { c.Refresh = time.Duration(n) * time.Second })
	f("room", func(c *Config, n int) { c.Tracked = 100 * n })
}

func TestPings(t *testing.T) {
	f := func(rate, silence, want float64) {
		t.Helper()
		if got := pings(rate, silence); math.Abs(got-want) > 0.02*want+1e-9 {
			t.Errorf("%g/s, silence %gs: %g pings/s, want %g", rate, silence, got, want)
		}
	}
	f(0, 1, 1)
	f(0, 4, 0.25)
	f(0.001, 1, 1)
	f(1000, 1, 0)
	// By chance: in gaps between requests, whole seconds of silence.
	for _, rate := range []float64{0.1, 1, 3} {
		r, now, n := newChance(4), 0.0, 0.0
		for range 200_000 {
			gap := r.ExpFloat64() / rate
			now, n = now+gap, n+math.Floor(gap)
		}
		f(rate, 1, n/now)
	}
}

func TestMeshByHand(t *testing.T) {
	c := Config{Nodes: 3, Pushes: 90, PushBytes: 100, Ping: time.Second, PingBytes: 10, LinkMemory: 1000}
	m := c.mesh()
	// 30 pushes/s come in at a node, two thirds of them for others; it gets as many from them.
	if m.Connections != 4 || m.Memory != 4000 || math.Abs(m.Forwards-20) > 1e-9 || math.Abs(m.PushBytes-4000) > 1e-9 {
		t.Errorf("%+v", m)
	}
	if want := 2 * 10 / math.Expm1(10); math.Abs(m.Pings-want) > 1e-12 || math.Abs(m.PingBytes-20*want) > 1e-9 {
		t.Errorf("%g pings, want %g", m.Pings, want)
	}
}

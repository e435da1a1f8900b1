package model

import "math"

// Kept is what caches of owners do under the store's invalidation, all nodes together.
type Kept struct {
	Hit           float64 // share of lookups that a node answers itself
	Entries       float64 // that a node has
	Tracked       float64 // keys that the store remembers as kept by somebody
	Invalidations float64 // that it sends per second
	Forced        float64 // share of these that a full memory of the store's caused, no write
}

// band is so many keys, each looked up so often per second on one node.
type band struct{ keys, rate float64 }

// bandRatio is the ratio of ranks within which keys count as equally popular.
const bandRatio = 1.02

// bands are the keys by popularity: all alike, or after Zipf's law in bands of ranks.
func (c *Config) bands() []band {
	perNode := float64(c.Pushes) / float64(c.Nodes)
	if c.Skew == 0 {
		return []band{{float64(c.Keys), perNode / float64(c.Keys)}}
	}
	var all []band
	sum, s := 0.0, float64(c.Skew)/100
	for first := int64(1); first <= c.Keys; {
		last := min(max(first, int64(float64(first)*bandRatio)), c.Keys)
		b := band{float64(last - first + 1), math.Pow(math.Sqrt(float64(first)*float64(last)), -s)}
		all, sum = append(all, b), sum+b.keys*b.rate
		first = last + 1
	}
	for i := range all {
		all[i].rate *= perNode / sum
	}
	return all
}

// kept solves for the state in which as much enters the caches as leaves them. An entry is there when its last lookup
// is more recent than the cache's turnover (Che's approximation of least recently used) and no invalidation came since;
// lookups are Poisson, so the share of time that it is there is the share of lookups that hit. Invalidations come from
// writes to the key, and at random from the store when it may remember no more keys.
func (c *Config) kept() Kept {
	bands, nodes := c.bands(), float64(c.Nodes)
	writes := 1/c.Refresh.Seconds() + 2/(c.Life+c.Away).Seconds() // per connected key: refreshed, claimed, removed
	tracked := func(forced float64) (sum float64) {
		for _, b := range bands {
			by := b.rate / (b.rate + writes + forced) // one node; that none of all does:
			sum += -b.keys * math.Expm1(nodes*math.Log1p(-by))
		}
		return sum
	}
	forced := 0.0
	if limit := float64(c.Tracked) * float64(c.Shards); tracked(0) > limit {
		forced = solve(func(f float64) bool { return tracked(f) <= limit })
	}
	gone := writes + forced
	entries := func(turnover float64) (sum float64) {
		for _, b := range bands {
			sum += -b.keys * b.rate / (b.rate + gone) * math.Expm1(-(b.rate+gone)*turnover)
		}
		return sum
	}
	turnover := math.Inf(1)
	if entries(turnover) > float64(c.Cache) {
		turnover = solve(func(t float64) bool { return entries(t) >= float64(c.Cache) })
	}
	k := Kept{Entries: entries(turnover), Tracked: tracked(forced), Forced: forced / gone}
	lookups := 0.0
	for _, b := range bands {
		there := -b.rate / (b.rate + gone) * math.Expm1(-(b.rate+gone)*turnover)
		lookups += b.keys * b.rate
		k.Hit += b.keys * b.rate * there
		k.Invalidations += nodes * b.keys * gone * b.rate / (b.rate + gone)
	}
	if lookups > 0 {
		k.Hit /= lookups
	}
	return k
}

// solve finds the least positive number from which on enough holds.
func solve(enough func(float64) bool) float64 {
	low, high := 0.0, 1e-9
	for !enough(high) && high < 1e12 {
		low, high = high, high*2
	}
	for range 100 {
		if mid := (low + high) / 2; enough(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

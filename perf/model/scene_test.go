package model

import (
	"math"
	"testing"
	"time"
)

// small is a cluster that plays in a moment: costs are light, so that what is tested decides.
func small() Config {
	c := Default()
	c.Nodes, c.Keys, c.Shards, c.Pushes, c.AcceptRate = 20, 200_000, 2, 2000, 5000
	c.Life, c.Away, c.Refresh = 2*time.Minute, 4*time.Second, 60*time.Second
	c.Steady, c.Notice, c.Dither, c.Down, c.Limit = 30*time.Second, 5*time.Second, 2*time.Second, 3*time.Second, 2*time.Minute
	return c
}

// near compares with a tolerance that is a share of what is wanted.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*math.Abs(want) {
		t.Errorf("%s: %.4g, want %.4g ± %.1f %%", what, got, want, 100*tolerance)
	}
}

// run is Run for a configuration that must be good.
func run(t *testing.T, c Config) *Result {
	t.Helper()
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// At every step of every scene each key is in exactly one place, and no count is below zero.
func TestKeysAreConserved(t *testing.T) {
	f := func(name string, fault func(s *scene), change func(c *Config)) {
		t.Helper()
		c := small()
		change(&c)
		s := c.begin()
		s.watch = func(s *scene, n *census) {
			if n.sum() != c.Keys {
				t.Fatalf("%s: %d keys of %d at %v", name, n.sum(), c.Keys, s.now)
			}
			for _, i := range s.alive {
				n := &s.nodes[i]
				for kind := range kinds {
					if n.dirty[kind] < 0 || n.flying[kind] < 0 || n.stuck[kind] < 0 {
						t.Fatalf("%s: node %d: dirty %v flying %v stuck %v", name, i, n.dirty, n.flying, n.stuck)
					}
				}
				if n.held < 0 || n.lingering < 0 || n.piped < 0 || n.walk < 0 {
					t.Fatalf("%s: node %d: %+v", name, i, n)
				}
			}
		}
		s.plans.add(5*time.Second, world, func(s *scene, _ int) { fault(s) })
		if err := s.play(t.Context(), 40*time.Second, nil); err != nil {
			t.Fatal(err)
		}
	}
	lose := func(s *scene) { s.lose(4, 2*time.Second) }
	f("nothing", func(*scene) {}, func(*Config) {})
	f("loss", lose, func(*Config) {})
	f("loss of most", func(s *scene) { s.killed = true; s.lose(17, 0) }, func(*Config) {})
	f("failover", func(s *scene) { s.fail(false) }, func(*Config) {})
	f("both", func(s *scene) { s.fail(true); s.lose(4, 0) }, func(*Config) {})
	f("a slow store", lose, func(c *Config) { c.ShardClaims = 500 })
	f("full queues", lose, func(c *Config) { c.AcceptRate = 300; c.ConnectWait = time.Second })
	f("no linger, one shard", lose, func(c *Config) { c.Linger, c.Shards = 0, 1 })
}

// Little's law: who is connected is how many connect per second times how long they stay.
func TestBalanceObeysLittlesLaw(t *testing.T) {
	c := small()
	r := run(t, c)
	cycle := (c.Life + c.Away).Seconds()
	near(t, "connected", float64(r.Steady.Connected), float64(c.Keys)*c.Life.Seconds()/cycle, 0.01)
	near(t, "connected", float64(r.Steady.Connected), r.Steady.Claims*c.Life.Seconds(), 0.02)
	near(t, "claims", r.Steady.Claims, float64(c.Keys)/cycle, 0.02)
	near(t, "removals", r.Steady.Removals, r.Steady.Claims, 0.02)
	polls := r.Steady.Saved / 2 * c.PollGap.Seconds() / float64(c.Nodes)
	near(t, "lingering", r.Steady.Lingering, r.Steady.Removals*c.Linger.Seconds()/float64(c.Nodes)+polls, 0.1)
}

// Each claim is written once within the time of refresh: K/R writes per second, whoever holds them.
func TestRefreshIsKeysOverTime(t *testing.T) {
	for _, refresh := range []time.Duration{20 * time.Second, time.Minute, 10 * time.Minute} {
		c := small()
		c.Refresh = refresh
		s := run(t, c).Steady
		near(t, refresh.String(), s.Refreshes, float64(s.Connected)/refresh.Seconds(), 0.01)
		near(t, refresh.String()+" bytes of a shard", s.RefreshBytes, s.Refreshes*float64(c.ClaimBytes)/float64(c.Shards), 1e-9)
	}
}

func TestBeatsAndLoadByHand(t *testing.T) {
	c := small()
	c.Beat = 500 * time.Millisecond
	s := run(t, c).Steady
	near(t, "beats", s.Beats, 2*float64(c.Nodes), 0.01)
	near(t, "beat bytes", s.BeatBytes, s.Beats*float64(c.BeatBytes+c.RequestBytes), 1e-9)
	perShard := 1 / float64(c.Shards)
	work := (s.Claims+s.Removals+s.Refreshes)*perShard*c.claimCost().Seconds() + s.Requests*perShard*c.RequestCost.Seconds() +
		s.Lookups*perShard*(c.RequestCost+c.LookupCost).Seconds()
	// Refreshes' requests are not counted among those of claims that come singly; their share is small.
	first := work + s.Beats*(c.RequestCost+c.BeatCost).Seconds()
	near(t, "the first shard's load", s.FirstBusy, first, 0.03)
	near(t, "a shard's load", s.Busy, work+(first-work)*perShard, 0.03)
}

// Without contention the clients of lost nodes are back when the last notice and the last dither say so.
func TestLossWithoutContention(t *testing.T) {
	c := small()
	c.Balancer, c.AcceptRate = 0, 1_000_000
	r := run(t, c)
	silent, killed := &r.Losses[0], &r.Losses[1]
	if !silent.Over || !killed.Over {
		t.Fatal("not everybody is back")
	}
	// The sum of two even spreads has its middle in the middle; one even spread has its nineties at nine tenths.
	near(t, "silent, half", silent.Within(0.5).Seconds(), (c.Notice+c.Dither).Seconds()/2, 0.06)
	near(t, "silent, all", silent.Within(1).Seconds(), (c.Notice + c.Dither).Seconds(), 0.06)
	near(t, "killed, half", killed.Within(0.5).Seconds(), c.Dither.Seconds()/2, 0.25) // a step of notice and one of accept
	near(t, "killed, nine tenths", killed.Within(0.9).Seconds(), 0.9*c.Dither.Seconds(), 0.15)
	var back int64
	for _, b := range silent.back {
		back += b.n
	}
	if back != silent.Keys {
		t.Errorf("%d back of %d", back, silent.Keys)
	}
}

// Where nodes accept slowly, their queues decide: clients over the survivors' rate.
func TestLossIsBoundByAccepting(t *testing.T) {
	c := small()
	c.Balancer, c.Dither, c.ConnectWait, c.AcceptRate, c.Life = 0, 100*time.Millisecond, time.Hour, 100, time.Hour
	l := run(t, c).Losses[1]
	near(t, "nine tenths back", l.Within(0.9).Seconds(), 0.9*float64(l.Keys)/18/100, 0.08)
}

// Where the store is slow, all are back when it has done their claims.
func TestLossIsBoundByTheStore(t *testing.T) {
	c := small()
	c.Balancer, c.Dither, c.AcceptRate, c.Life, c.Refresh = 0, 100*time.Millisecond, 1_000_000, 10*time.Hour, 10*time.Hour
	c.ShardClaims, c.RequestCost, c.LookupCost, c.BeatCost, c.Pushes, c.StoreTimeout = 1000, 0, 0, 0, 10, time.Hour
	l := run(t, c).Losses[1]
	near(t, "all back", l.Within(1).Seconds(), float64(l.Keys)/2/1000, 0.05)
}

// A failover takes: until the replica serves, the walk at its pace, two beats for the report and the mark.
func TestFailoverByHand(t *testing.T) {
	c := small()
	c.Life, c.ReclaimRate, c.Paced = time.Hour, 500, false
	f := run(t, c).Failovers[0]
	walk := float64(c.Keys) / float64(c.Nodes) / 500
	least := c.Down.Seconds() + walk
	if got := f.Marked.Seconds(); !f.Over || got < least || got > least+4*c.Beat.Seconds() {
		t.Errorf("marked after %.1f s, want %.1f and a few beats", got, least)
	}
	near(t, "made again", float64(f.Remade), float64(c.Keys), 0.02)

	c.ReclaimRate = 1_000_000 // then it is the lease in which nothing new is trusted
	f = run(t, c).Failovers[0]
	least = (c.Down + c.Lease).Seconds()
	if got := f.Marked.Seconds(); !f.Over || got < least || got > least+4*c.Beat.Seconds() {
		t.Errorf("marked after %.1f s, want %.1f and a few beats", got, least)
	}
}

// Nodes that heed how long writes take keep a store that cannot do all they could from a queue, and are little later for it.
func TestPaceSparesTheStore(t *testing.T) {
	c := small()
	c.Life, c.ShardClaims, c.ReclaimRate = time.Hour, 5000, 3000
	paced := run(t, c).Failovers[0]
	c.Paced = false
	rushed := run(t, c).Failovers[0]
	if !paced.Over || !rushed.Over || paced.Marked > rushed.Marked*5/4 || paced.LongestWait > rushed.LongestWait/2 {
		t.Errorf("paced: marked after %v, waited %v; rushed: %v, %v", paced.Marked, paced.LongestWait, rushed.Marked, rushed.LongestWait)
	}
}

// A rhythm rises by its full rate in a second, falls by half for each slow write that has seen the last fall, and keeps
// its bounds.
func TestRhythm(t *testing.T) {
	c, now, r := small(), time.Hour, rhythm{}
	c.ReclaimRate = 1000
	f := func(after, took time.Duration, failed bool, want float64) {
		t.Helper()
		now += after
		if r.heed(&c, now, took, failed); math.Abs(r.rate-want) > 0.01 {
			t.Errorf("%.1f claims a second, want %.1f", r.rate, want)
		}
	}
	r.begin(&c)
	f(time.Second, time.Millisecond, false, 200)
	f(50*time.Millisecond, 27*time.Millisecond, false, 250)
	f(time.Second, 30*time.Millisecond, false, 125)
	f(10*time.Millisecond, 30*time.Millisecond, false, 125)
	f(time.Second, 0, true, 62.5)
	f(time.Second, time.Second, false, 50)
	f(time.Second, time.Millisecond, false, 150)
	for range 10 {
		r.heed(&c, now, time.Millisecond, false)
		now += 100 * time.Millisecond
	}
	f(time.Second, time.Millisecond, false, 1000)
	r.begin(&c)
	f(time.Second, 80*time.Millisecond, false, 200) // far away, not slow
	f(time.Second, 180*time.Millisecond, false, 300)
	c.Paced = false
	r.begin(&c)
	f(time.Second, time.Hour, true, 1000)
}

func TestMistakesAreRefused(t *testing.T) {
	f := func(change func(c *Config)) {
		t.Helper()
		c := small()
		change(&c)
		if _, err := Run(t.Context(), c); err == nil {
			t.Error("it was played")
		}
	}
	f(func(c *Config) { c.Nodes = maxNodes + 1 })
	f(func(c *Config) { c.Keys = 0 })
	f(func(c *Config) { c.Away = -1 })
	f(func(c *Config) { c.Polls = 101 })
	f(func(c *Config) { c.Skew = -1 })
	f(func(c *Config) { c.Cache = -1 })
}

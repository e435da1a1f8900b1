package model

import (
	"math"
	"testing"
	"time"
)

// A thousand keys on ten nodes, stood up by hand: what becomes of a push to each of them.
func TestVerdictsByHand(t *testing.T) {
	f := func(name string, set func(s *scene, c *census), want Tally) {
		t.Helper()
		cfg := small()
		cfg.Nodes, cfg.Keys, cfg.Shards, cfg.Pushes, cfg.Step = 10, 1000, 2, 10_000, 100*time.Millisecond // a push a key
		s := cfg.begin()
		s.now, s.cache.Hit = time.Second, 0
		c := census{held: 1000, current: 10}
		set(s, &c)
		s.judge(&c)
		got := s.pushes
		for _, d := range []float64{got.Delivered - want.Delivered, got.Nobody - want.Nobody, got.Doubt - want.Doubt, got.Unknown - want.Unknown} {
			if math.Abs(d) > 1e-6 {
				t.Errorf("%s: %+v, want %+v", name, got, want)
				return
			}
		}
		if math.Abs(got.Sum()-float64(c.sum())) > 1e-6 {
			t.Errorf("%s: %.3f pushes judged of %d", name, got.Sum(), c.sum())
		}
	}
	place := func(c *census, n int64, where *int64) { c.held -= n; *where += n }

	f("all there", func(*scene, *census) {}, Tally{Delivered: 1000})
	f("some away", func(_ *scene, c *census) { place(c, 100, &c.away[churned]) }, Tally{Delivered: 900, Nobody: 100})
	f("in a queue", func(_ *scene, c *census) { place(c, 100, &c.queued[churned]) }, Tally{Delivered: 900, Nobody: 100})
	f("views of half the nodes are old", func(_ *scene, c *census) { c.current = 5; place(c, 100, &c.away[churned]) },
		Tally{Delivered: 900, Nobody: 50, Doubt: 50})
	f("no mark", func(s *scene, c *census) { s.incarnation = 1; place(c, 100, &c.away[churned]) }, Tally{Delivered: 900, Doubt: 100})

	// A claim that is pending is found where the push happens to come in, or by asking the one node that is behind.
	f("pending", func(_ *scene, c *census) { place(c, 100, &c.pending[churned]) }, Tally{Delivered: 910, Nobody: 90})
	f("pending at a node behind", func(_ *scene, c *census) {
		place(c, 100, &c.pending[churned])
		c.pendingBehind[churned], c.behind = 100, 1
	}, Tally{Delivered: 1000})
	f("too many behind", func(s *scene, c *census) {
		place(c, 100, &c.pending[churned])
		c.pendingBehind[churned], c.behind = 100, s.MaxBehind+1
	}, Tally{Delivered: 910, Doubt: 90})

	lost := func(s *scene, c *census, at time.Duration) {
		s.lostNodes, s.lostAt = 1, at
		place(c, 100, &c.away[lost])
	}
	f("silent, asked", func(s *scene, c *census) { lost(s, c, 500*time.Millisecond) }, Tally{Delivered: 900, Unknown: 100})
	f("silent, known", func(s *scene, c *census) { s.now = 9 * time.Second; lost(s, c, 0) }, Tally{Delivered: 900, Doubt: 100})
	f("killed", func(s *scene, c *census) { s.killed = true; lost(s, c, 0) }, Tally{Delivered: 900, Nobody: 100})

	// A shard that is away leaves what is on its keys' own nodes, and what is known without it.
	f("a shard away", func(s *scene, _ *census) { s.shards[0].up = time.Hour }, Tally{Delivered: 550, Doubt: 450})
	f("and all kept", func(s *scene, _ *census) { s.shards[0].up, s.cache.Hit = time.Hour, 1 }, Tally{Delivered: 1000})
	f("and some away", func(s *scene, c *census) { s.shards[0].up = time.Hour; place(c, 100, &c.away[churned]) },
		Tally{Delivered: 495, Nobody: 50, Doubt: 455})
	f("a shard too slow", func(s *scene, _ *census) { s.shards[1].busy = time.Hour }, Tally{Delivered: 550, Doubt: 450})
	f("a shard empty", func(s *scene, _ *census) { // every node is still to hear of it
		s.empty, s.incarnation = true, 1
	}, Tally{Delivered: 550, Doubt: 450})
}

func TestQuantilesByHand(t *testing.T) {
	all := []sample{{30, 1}, {10, 8}, {20, 1}}
	f := func(q float64, want time.Duration) {
		t.Helper()
		if got := quantile(all, q); got != want {
			t.Errorf("%g: %d, want %d", q, got, want)
		}
	}
	f(0, 10)
	f(0.5, 10)
	f(0.8, 10)
	f(0.81, 20)
	f(0.9, 20)
	f(1, 30)
	if quantile(nil, 0.5) != 0 {
		t.Error("nobody took some time")
	}
}

// Who is not back at the limit makes the slow end of the distribution, not a gap in it.
func TestMissingCountAsTheSlowest(t *testing.T) {
	l := Loss{Burden: Burden{Took: time.Minute}, Keys: 10, Missing: 5, back: []sample{{time.Second, 5}}}
	if l.Within(0.5) != time.Second || l.Within(0.6) != time.Minute {
		t.Errorf("half within %v, six tenths within %v", l.Within(0.5), l.Within(0.6))
	}
	if s := summary(l.everybody(), l.Missing, true); s.Count != 10 || s.Unfinished != 5 || s.Max != time.Minute {
		t.Errorf("%+v", s)
	}
}

func TestSummaryCountsEverybodyOnce(t *testing.T) {
	all := []sample{{1500 * time.Millisecond, 3}, {200 * time.Millisecond, 6}, {2 * time.Second, 1}}
	s := summary(all, 0, true)
	var n int64
	for _, p := range s.Points {
		n += p.Count
	}
	if s.Count != 10 || n != 10 || len(s.Points) != 3 || s.Points[0].Count != 6 || s.Min != 200*time.Millisecond || s.Max != 2*time.Second {
		t.Errorf("%+v", s)
	}
	near(t, "mean", s.Mean.Seconds(), (3*1.5+6*0.2+2)/10, 1e-6)
	if q, ok := s.Quantile(0.5); !ok || q != 200*time.Millisecond {
		t.Errorf("half within %v", q)
	}
	if _, ok := s.Quantile(0.99); ok {
		t.Error("ten are too few for a 99th percentile")
	}
	if none := summary(nil, 0, true); none.Count != 0 || none.Points != nil {
		t.Errorf("%+v", none)
	}
}

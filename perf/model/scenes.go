package model

import (
	"context"
	"slices"
	"time"
)

// Result is what a run found.
type Result struct {
	Config    Config
	Kept      Kept
	Mesh      Mesh
	Steady    Steady
	Losses    []Loss
	Failovers []Failover
}

// Steady is the cluster in balance: rates are per second, of the whole cluster unless they say more.
type Steady struct {
	Connected                         int64 // at the end
	Claims, Removals, Refreshes       float64
	Saved                             float64 // writes that lingering saves: polls that come back in time
	Lingering                         float64 // claims, on each node
	Requests, Lookups, NotMine, Beats float64
	RefreshBytes, ShardBytes          float64 // of one shard, on the wire
	BeatBytes                         float64 // of the first shard
	NodeStoreBytes                    float64 // of one node, to and from the store
	Busy, FirstBusy                   float64 // share of its time that a shard works; of the first
	AckMedian, AckSlow                time.Duration
	acks                              []sample
	Pushes                            Tally
}

// Burden is what a fault put on the cluster and its publishers until it was over.
type Burden struct {
	Name        string
	Over        bool          // before the limit
	Took        time.Duration // until it was, or the limit
	Pushes      Tally
	Busiest     float64       // share of its time that the busiest shard worked in the worst second
	LongestWait time.Duration // at a shard
	BeatsFailed int64
	TableBytes  float64 // of the node table, sent with beats, per second
	Wasted      int64   // claims written again, because the answer came too late
	Behind      int     // nodes, at most
	Asks        float64 // of one push, at most
}

// Loss is what it takes to come back after nodes were lost.
type Loss struct {
	Burden
	Keys       int64 // on the lost nodes
	TurnedAway int64 // attempts, by full queues
	Missing    int64 // clients that were not back at the limit
	LostPushes Tally // to these keys
	back       []sample
}

// Within is when a share of the clients of the lost nodes were connected and could be reached again. Those who are
// missing count as back at the limit: leaving them out would hide just the worst.
func (l *Loss) Within(share float64) time.Duration { return quantile(l.everybody(), share) }

func (l *Loss) everybody() []sample { return withMissing(l.back, l.Took, l.Missing) }

func withMissing(there []sample, at time.Duration, n int64) []sample {
	if n == 0 {
		return there
	}
	return append(slices.Clone(there), sample{at, n})
}

// Failover is what it takes until answers are certain again after a shard's replica took over.
type Failover struct {
	Burden
	Marked    time.Duration // from the failure to the mark
	Remade    int64         // claims
	Missing   int           // nodes that were not complete at the limit
	completed []sample      // nodes, from the replica's first moment on
}

// Run plays every scene. It ends early, with an error, when the context does.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	r := &Result{Config: cfg, Kept: cfg.kept(), Mesh: cfg.mesh()}
	var err error
	if r.Steady, err = cfg.steady(ctx); err != nil {
		return nil, err
	}
	if cfg.Lost > 0 {
		for _, killed := range []bool{false, true} {
			l, err := cfg.lossOf(ctx, killed)
			if err != nil {
				return nil, err
			}
			r.Losses = append(r.Losses, l)
		}
	}
	for _, empty := range []bool{false, true} {
		f, err := cfg.failover(ctx, empty)
		if err != nil {
			return nil, err
		}
		r.Failovers = append(r.Failovers, f)
	}
	return r, nil
}

func (c *Config) steady(ctx context.Context) (Steady, error) {
	s := c.begin()
	if err := s.settleDown(ctx); err != nil {
		return Steady{}, err
	}
	from, before := s.now, append([]shard(nil), s.shards...)
	if err := s.play(ctx, warm+s.Steady, nil); err != nil {
		return Steady{}, err
	}
	seconds := (s.now - from).Seconds()
	rate := func(n int64) float64 { return float64(n) / seconds }
	v := &s.seen
	r := Steady{
		Connected: s.last.held, Claims: rate(v.writes[claimChurned]), Removals: rate(v.writes[removal]),
		Refreshes: rate(v.writes[refresh]), Requests: v.requests / seconds, Lookups: v.lookups / seconds,
		NotMine: v.notMine / seconds, Beats: rate(v.beats), Pushes: s.pushes, acks: v.acks,
		AckMedian: quantile(v.acks, 0.5), AckSlow: quantile(v.acks, 0.99),
		Lingering: float64(s.last.lingering) / float64(s.Nodes),
	}
	polls := float64(s.last.held) * float64(s.Polls) / 100 / (s.PollEvery + s.PollGap).Seconds()
	r.Saved = 2 * polls * intime(s.Linger, s.PollGap)
	r.Lingering += polls / float64(s.Nodes) * s.PollGap.Seconds() * intime(s.Linger, s.PollGap)
	shards, nodes := float64(s.Shards), float64(s.Nodes)
	r.RefreshBytes = r.Refreshes * float64(s.ClaimBytes) / shards
	r.BeatBytes = r.Beats*float64(s.BeatBytes+s.RequestBytes) + rate(v.rows)*float64(s.RowBytes)
	all := (r.Claims+r.Removals+r.Refreshes)*float64(s.ClaimBytes) + r.Lookups*float64(s.LookupBytes) +
		(r.Requests+r.Lookups)*float64(s.RequestBytes) + s.cache.Invalidations*float64(s.NoticeBytes)
	r.ShardBytes, r.NodeStoreBytes = all/shards, (all+r.BeatBytes)/nodes
	for i := range s.shards {
		busy := (s.shards[i].spent - before[i].spent).Seconds() / seconds
		if r.Busy += busy / shards; i == 0 {
			r.FirstBusy = busy
		}
	}
	return r, nil
}

func (c *Config) lossOf(ctx context.Context, killed bool) (Loss, error) {
	s := c.begin()
	if err := s.settleDown(ctx); err != nil {
		return Loss{}, err
	}
	s.killed = killed
	name, notice := "hosts fall silent", s.Notice
	if killed {
		name, notice = "processes are killed", 0
	}
	s.lose(max(1, s.Nodes*s.Lost/100), notice)
	err := s.play(ctx, s.lostAt+s.Limit, func() bool { return s.backSum >= s.lostKeys })
	return Loss{
		Burden: s.burden(name, s.lostAt, s.backSum >= s.lostKeys), Keys: s.lostKeys, TurnedAway: s.seen.turnedAway,
		Missing: s.lostKeys - s.backSum, LostPushes: s.lostPushes, back: s.back,
	}, err
}

func (c *Config) failover(ctx context.Context, empty bool) (Failover, error) {
	s := c.begin()
	if err := s.settleDown(ctx); err != nil {
		return Failover{}, err
	}
	name := "a shard fails over"
	if empty {
		name = "a shard comes back empty"
	}
	s.fail(empty)
	err := s.play(ctx, s.failedAt+s.Limit, func() bool { return s.marked > 0 })
	f := Failover{Burden: s.burden(name, s.failedAt, s.marked > 0), Remade: s.seen.remade(), completed: s.completed}
	f.Marked, f.Missing = s.now-s.failedAt, s.Nodes-s.reports
	if s.incarnation == 0 { // the replica did not serve within the limit
		f.Missing = s.Nodes
	}
	return f, err
}

func (v *sights) remade() int64 { return v.writes[reclaim] }

func (s *scene) burden(name string, since time.Duration, over bool) Burden {
	took := s.now - since
	return Burden{
		Name: name, Over: over, Took: took, Pushes: s.pushes, Busiest: s.peak, LongestWait: s.peakWait,
		BeatsFailed: s.seen.beatsFailed, TableBytes: float64(s.seen.rows) * float64(s.RowBytes) / max(took, s.Step).Seconds(),
		Wasted: s.seen.wasted, Behind: s.seen.behind, Asks: s.seen.asks,
	}
}

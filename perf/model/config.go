package model

import (
	"errors"
	"fmt"
	"time"
)

// Config is what a run assumes. Every number is positive unless its comment says more; [Default] fills all.
type Config struct {
	Seed   int64 // of all chance: equal seeds give equal runs
	Nodes  int
	Keys   int64         // one client each: connected, or about to come back
	Shards int           // of the store; the first keeps the node table
	Step   time.Duration // in which a node acts: what happens within one is a single lump

	Life        time.Duration // of a connection, on average
	Away        time.Duration // before a client that left comes back, on average
	Polls       int           // percent of the keys that are held by long-polls
	PollEvery   time.Duration // from one poll's start to its answer
	PollGap     time.Duration // from the answer to the next poll, on average
	AcceptRate  int           // connections that a node accepts per second
	ConnectWait time.Duration // after which a client in a node's queue gives up
	Notice      time.Duration // clients of a host that fell silent learn of it within this, evenly
	Dither      time.Duration // and try again within this, evenly
	Backoff     time.Duration // before a second try; it doubles, and a share of it at random is waited
	MaxBackoff  time.Duration
	Balancer    time.Duration // after which no client is sent to a lost node

	Lease        time.Duration
	Beat         time.Duration
	Refresh      time.Duration // every claim is written again within this
	Linger       time.Duration // a claim outlives its last holder by this
	Batch        int           // claims per write
	Writers      int           // writes of a node in flight
	Flush        time.Duration // that a write waits to fill
	ReclaimRate  int           // claims that a node makes again per second, at most
	Paced        bool          // and fewer while the store is slow
	StoreTimeout time.Duration // of every call
	Cache        int           // owners that a node keeps
	MaxBehind    int           // nodes behind that a push asks besides the owners; with more of them it is in doubt. 0: none

	ShardClaims  int           // claims per second that a shard can do, apart from the cost of requests
	RequestCost  time.Duration // of a shard, for each request that it reads and answers, whatever is in it
	LookupCost   time.Duration // of a shard
	BeatCost     time.Duration // of the first shard
	RowCost      time.Duration // of the first shard, for each row of the node table that a beat returns
	Delta        bool          // a beat returns the rows that changed, instead of all when any did
	RoundTrip    time.Duration // to the store and back, without its work
	Tracked      int           // keys that a shard remembers as kept by nodes; beyond it, it invalidates one
	ClaimBytes   int           // both ways on the wire, as are the next
	LookupBytes  int
	BeatBytes    int
	RowBytes     int
	NoticeBytes  int // of an invalidation
	RequestBytes int // of packet headers

	Pushes    int // per second, all nodes together
	PushBytes int // of a forwarded push and its report
	Skew      int // hundredths of the exponent of Zipf's law for keys' popularity; 0: all alike

	Ping       time.Duration // silence after which a link is asked
	Dead       time.Duration // silence after which it is down
	PingBytes  int           // both ways, packet headers and acknowledgements included
	LinkMemory int           // bytes for each end of a connection

	Steady time.Duration // that is measured before anything is lost
	Lost   int           // percent of the nodes; 0: the scene is left out
	Down   time.Duration // of the first shard until its replica serves
	Limit  time.Duration // after which a scene ends unfinished
}

// Default is the cluster of a thousand nodes: costs of the store as measured on one core of a small machine, except for
// the claims, which are the aim.
func Default() Config {
	return Config{
		Seed: 1, Nodes: 1000, Keys: 100_000_000, Shards: 16, Step: 100 * time.Millisecond,
		Life: 30 * time.Minute, Away: 5 * time.Second, Polls: 10, PollEvery: 30 * time.Second, PollGap: 100 * time.Millisecond,
		AcceptRate: 2000, ConnectWait: 10 * time.Second, Notice: 30 * time.Second, Dither: 10 * time.Second,
		Backoff: time.Second, MaxBackoff: 30 * time.Second, Balancer: 5 * time.Second,
		Lease: 5 * time.Second, Beat: time.Second, Refresh: 900 * time.Second, Linger: time.Second, Batch: 200, Writers: 4,
		Flush: time.Millisecond, ReclaimRate: 20_000, Paced: true, StoreTimeout: 2 * time.Second, Cache: 262_144, MaxBehind: 16,
		ShardClaims: 100_000, RequestCost: 8 * time.Microsecond, LookupCost: time.Microsecond, BeatCost: 33 * time.Microsecond,
		RowCost: 1130 * time.Nanosecond, Delta: true, RoundTrip: 500 * time.Microsecond, Tracked: 1_000_000,
		ClaimBytes: 180, LookupBytes: 80, BeatBytes: 400, RowBytes: 200, NoticeBytes: 60, RequestBytes: 132,
		Pushes: 100_000, PushBytes: 1024, Ping: time.Second, Dead: 3 * time.Second, PingBytes: 240, LinkMemory: 12 << 10,
		Steady: time.Minute, Lost: 10, Down: 15 * time.Second, Limit: 5 * time.Minute,
	}
}

// maxNodes keeps the mesh's squares and the run's time within reason.
const maxNodes = 20_000

// check refuses what the model cannot play.
func (c *Config) check() error {
	var bad []error
	refuse := func(when bool, format string, args ...any) {
		if when {
			bad = append(bad, fmt.Errorf(format, args...))
		}
	}
	refuse(c.Nodes < 2 || c.Nodes > maxNodes, "nodes: %d is not 2 to %d", c.Nodes, maxNodes)
	refuse(c.Keys < 1 || c.Shards < 1 || c.Batch < 1 || c.Writers < 1 || c.ShardClaims < 1 || c.AcceptRate < 1 || c.ReclaimRate < 1,
		"keys, shards, batch, writers, claims, accept and re-claim rates begin at 1")
	refuse(min(c.Step, c.Life, c.PollEvery, c.PollGap, c.Lease, c.Beat, c.Refresh, c.Flush, c.StoreTimeout, c.Ping, c.Steady) <= 0,
		"step, life, polls, lease, beat, refresh, flush, store timeout, ping and steady take some time")
	refuse(min(c.Away, c.ConnectWait, c.Notice, c.Dither, c.Backoff, c.MaxBackoff, c.Balancer, c.Linger, c.Dead, c.Down, c.Limit) < 0 ||
		min(c.RequestCost, c.LookupCost, c.BeatCost, c.RowCost, c.RoundTrip) < 0, "no time is below 0")
	refuse(c.Step > c.Beat, "step: %v is longer than a beat, %v", c.Step, c.Beat)
	refuse(c.Lost < 0 || c.Lost > 90, "lost: %d is not 0 to 90 percent", c.Lost)
	refuse(c.Polls < 0 || c.Polls > 100, "polls: %d is not 0 to 100 percent", c.Polls)
	refuse(c.Skew < 0 || c.Skew > 200, "skew: %d is not 0 to 200 hundredths", c.Skew)
	refuse(min(c.Cache, c.MaxBehind, c.Tracked, c.Pushes, c.PushBytes) < 0, "no count is below 0")
	return errors.Join(bad...)
}

// claimCost is what a shard spends on one claim, apart from its request.
func (c *Config) claimCost() time.Duration { return time.Second / time.Duration(c.ShardClaims) }

// window is how many of a node's claims may be in flight.
func (c *Config) window() int64 { return int64(c.Batch) * int64(c.Writers) }

// steps is how many steps a time takes, rounded up.
func (c *Config) steps(d time.Duration) int { return int((d + c.Step - 1) / c.Step) }

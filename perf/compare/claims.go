package compare

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// nodeClaims connects subscribers at full pace to a node whose keys are claimed in the store, beside one that is alone. Each
// is answered when its claim is acknowledged.
func (r *clusterRun) nodeClaims(ctx context.Context) error {
	r.disband()
	few := func(keys int) bool { return keys < fewKeys }
	if err := r.store.awaitKeys(ctx, few); err != nil {
		return err
	}
	// Clients wait for answers here, and leave the store more of their CPU than the node has of its own.
	if err := moveProcess(r.store.pid(), single(r.cpus.client)); err != nil {
		return err
	}
	defer moveProcess(r.store.pid(), single(r.cpus.server)) // it was there before
	for round := -1; round < r.Rounds; round++ {            // the first warms up and counts for nothing
		var cpu [2]float64
		for i, w := range []struct {
			name string
			on   *server
		}{{aloneWay, r.alone}, {localWay, r.first}} {
			var err error
			if cpu[i], err = r.claimTurn(ctx, w.name, w.on, round >= 0); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			if err := r.store.awaitKeys(ctx, few); err != nil {
				return err
			}
			if _, err := r.bill(); err != nil { // who leaves is not charged to who comes
				return err
			}
		}
		if round >= 0 {
			r.put(localWay, claimNode, cpu[1]-cpu[0])
			fmt.Fprintf(r.Progress, "claims of a node: round %d of %d\n", round+1, r.Rounds)
		}
	}
	return nil
}

// fewKeys is more than the store keeps besides claims.
const fewKeys = 32

// claimTurn returns the node's CPU time per connection, in µs.
func (r *clusterRun) claimTurn(ctx context.Context, way string, s *server, counts bool) (float64, error) {
	before, err := r.bill()
	if err != nil {
		return 0, err
	}
	base, err := r.store.keys()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	c, err := joined(ctx, s, r.Conns, keysOf(s))
	if err != nil {
		return 0, err
	}
	defer c.leave()
	if s != r.alone {
		if err := r.store.awaitKeys(ctx, func(n int) bool { return n >= base+r.Conns }); err != nil {
			return 0, err
		}
	}
	took := time.Since(begun)
	after, err := r.bill()
	if err != nil {
		return 0, err
	}
	spent := after.first - before.first
	if s == r.alone {
		spent = after.alone - before.alone
	}
	each := func(d time.Duration) float64 { return float64(d) / 1e3 / float64(r.Conns) }
	if counts {
		r.put(way, claimArrival, each(spent))
		r.put(way, claimRate, float64(r.Conns)/took.Seconds())
		if s != r.alone {
			r.put(way, claimStore, each(after.store-before.store))
			r.put(way, claimPending, float64(c.pending)/float64(r.Conns)*100)
		}
	}
	return each(spent), nil
}

// claimBatch is how many keys one call to the store claims, about what a node's tick gathers.
const claimBatch = 200

// storeClaims writes claims straight to the store from this process, with one and with four writers in turn. All nodes are
// gone by then, and the store has their CPU to itself.
func (r *clusterRun) storeClaims(ctx context.Context) error {
	r.disband()
	r.stop()
	r.servers = nil
	c, err := r.cfg.Open(ctx, r.store.url())
	if err != nil {
		return err
	}
	defer c.Close()
	writers := []int{1, 4}
	each := max(1, r.cfg.Claims/(len(writers)*(r.Rounds+1))/claimBatch) * claimBatch
	next, memory, keys := 0, 0, 0
	for round := -1; round < r.Rounds; round++ { // the first warms up and counts for nothing
		for _, n := range writers {
			if err := r.storeTurn(ctx, c, n, next, each, round >= 0); err != nil {
				return err
			}
			next += each
		}
		if round >= 0 {
			fmt.Fprintf(r.Progress, "claims without a node: round %d of %d\n", round+1, r.Rounds)
			continue
		}
		if memory, keys, err = r.store.size(); err != nil {
			return err
		}
	}
	grown, more, err := r.store.size()
	if err == nil && more > keys {
		r.put(storeName, storeBytes, float64(grown-memory)/float64(more-keys))
	}
	return err
}

// storeName is what the store alone is called in figures.
const storeName = "Redis"

func (s *store) size() (memory, keys int, err error) {
	if memory, err = s.memory(); err != nil {
		return 0, 0, err
	}
	keys, err = s.keys()
	return memory, keys, err
}

// storeTurn claims n keys from a number on.
func (r *clusterRun) storeTurn(ctx context.Context, c Claimer, writers, from, n int, counts bool) error {
	before, err := settled(r.store.pid())
	if err != nil {
		return err
	}
	own, begun := ownCPU(), time.Now()
	if err := claimAll(ctx, c, writers, from, n); err != nil {
		return err
	}
	took, spent := time.Since(begun), ownCPU()-own
	after, err := settled(r.store.pid())
	if err != nil || !counts {
		return err
	}
	of := fmt.Sprintf("%d writers", writers)
	if writers == 1 {
		of = "1 writer"
	}
	r.put(of, storeRate, float64(n)/took.Seconds())
	r.put(of, storeClient, float64(spent)/1e3/float64(n))
	r.put(of, storeServer, float64(after-before)/1e3/float64(n))
	return nil
}

// claimAll has writers take batches in turn until all keys are claimed.
func claimAll(ctx context.Context, c Claimer, writers, from, n int) error {
	var all sync.WaitGroup
	failed := make([]error, writers)
	for w := range writers {
		all.Go(func() {
			for at := w * claimBatch; at < n && failed[w] == nil; at += writers * claimBatch {
				failed[w] = c.Claim(ctx, from+at, min(claimBatch, n-at))
			}
		})
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// ownCPU is what this process has spent.
func ownCPU() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // of what it is given, only a bad address could fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

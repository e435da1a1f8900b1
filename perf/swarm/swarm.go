// Package swarm holds very many connections for next to nothing, pushes to them, and keeps the books: what was sent,
// what the server said became of it, and what arrived. A client is a record of an event loop and a few dozen bytes, so
// a test machine gives out before its load tool does. Pushes keep to their schedule whatever the server does, and every
// latency counts from the time a push was meant to be sent. It must never wait for the server before it sends what is
// due, leave out what was not answered, or believe a verdict that it can check.
//
// Read config.go (what a run is told), swarm.go (how it goes), result.go (what it found), worker.go (one loop's share),
// then client.go and reader.go (subscribing), publisher.go (pushing), ledger.go, track.go and stamp.go (the books).
package swarm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/engine/epoll"
)

// Moment is a point of a run at which every connection stands and nothing is under way: the time to look at the target.
type Moment uint8

// The moments, in order.
const (
	Ready Moment = iota // every client is subscribed or has failed, and nothing was pushed yet
	Done                // nothing is pushed any more, and what was has had its time to arrive
)

const (
	beginLag   = 20 * time.Millisecond // between telling the workers and the first push, so that all begin together
	retryPost  = time.Millisecond      // a full box is emptied in the loop's next tick
	spareFiles = 64                    // descriptors besides connections: standard ones, epolls, files of the runtime
)

// Run subscribes all clients, pushes for the duration, waits for what is still under way, and closes everything. When
// ctx ends, it stops early and tells what it has found by then. counts may be nil.
func Run(ctx context.Context, cfg Config, counts *Counts) (*Result, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, err
	}
	if err := enoughFiles(&cfg); err != nil {
		return nil, err
	}
	if counts == nil {
		counts = new(Counts)
	}
	n := cfg.workers()
	s := &shared{
		cfg: cfg, counts: counts, run: newRun(),
		ready: make(chan struct{}, n), drained: make(chan struct{}, n), failed: make(chan error, n),
	}
	workers := make([]*worker, n)
	defer func() {
		for _, w := range workers {
			if w != nil {
				w.kernel.Free()
			}
		}
	}()
	for i := range workers {
		if workers[i], err = newWorker(s, i); err != nil {
			return nil, fmt.Errorf("an event loop cannot have an epoll: %w", err)
		}
	}
	return s.conduct(ctx, workers)
}

// enoughFiles refuses a run that would end in failed connections for want of descriptors.
func enoughFiles(cfg *Config) error {
	limit, err := epoll.RaiseNoFile()
	if err != nil {
		return fmt.Errorf("cannot read the limit of open files: %w", err)
	}
	conns, besides := 0, spareFiles+4*cfg.workers()
	for i := range cfg.Loads {
		clients, publishers := cfg.files(&cfg.Loads[i])
		conns += clients
		besides += publishers
	}
	if uint64(conns+besides) > limit {
		return fmt.Errorf("%d connections are more than this process may hold: its limit of open files is %d, and %d of them are "+
			"needed besides; ask for %d at most, raise the limit (ulimit -n), or run several processes, each with source addresses of its own",
			conns, limit, besides, max(int64(limit)-int64(besides), 0))
	}
	return nil
}

// shared is what the workers of a run have in common.
type shared struct {
	cfg    Config
	counts *Counts
	run    uint32 // tells this run's messages from those of others
	begin  int64  // monotonic ns, when connecting begins

	ready, drained chan struct{} // each worker reports once
	failed         chan error    // loops that cannot go on
}

// conduct leads the workers through the phases together.
func (s *shared) conduct(ctx context.Context, workers []*worker) (*Result, error) {
	s.begin = workers[0].kernel.Now()
	var running sync.WaitGroup
	for _, w := range workers {
		w.setOut(s.begin)
		running.Go(func() {
			if err := w.loop.Run(); err != nil {
				s.failed <- err
			}
		})
	}
	err := s.await(ctx, s.ready)
	if err == nil {
		err = pause(ctx, s.cfg.Settle)
	}
	if err == nil {
		s.mark(Ready)
		start := workers[0].kernel.Now() + int64(beginLag)
		each(workers, func(w *worker) { w.start(start) })
		err = s.await(ctx, s.drained)
	}
	if err != nil && ctx.Err() != nil { // stopped early: what is under way may still arrive
		each(workers, (*worker).cease)
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Grace+time.Second)
		err = s.await(late, s.drained)
		cancel()
	}
	if err == nil {
		s.mark(Done)
	}
	each(workers, (*worker).finish)
	running.Wait()
	if err != nil {
		return nil, err
	}
	return s.result(workers)
}

// await returns when every worker has reported, or with the reason why they will not.
func (s *shared) await(ctx context.Context, reports <-chan struct{}) error {
	for range s.cfg.workers() {
		select {
		case <-reports:
		case err := <-s.failed:
			return err
		case <-ctx.Done():
			return errors.New("stopped before it was done")
		}
	}
	return nil
}

func (s *shared) mark(m Moment) {
	if s.cfg.Moment != nil {
		s.cfg.Moment(m)
	}
}

// each runs f for every worker on that worker's loop.
func each(workers []*worker, f func(*worker)) {
	for _, w := range workers {
		for !w.loop.Post(func() { f(w) }) {
			time.Sleep(retryPost)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

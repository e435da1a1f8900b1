// Package swarm holds very many connections for next to nothing and pushes through them: each client is one record of
// an event loop, so a test machine gives out before its load tool does. Pushes keep to their schedule whatever the
// server does, and every latency counts from the time a push was meant to be sent. It must never wait for the server
// before it sends what is due, nor leave out what was not answered.
//
// Read swarm.go (what a run is told and tells), worker.go (one loop's share of it), subscriber.go and publisher.go (what
// is said on the wire), then process.go (what it costs the server).
package swarm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/engine/epoll"
	"holdfast/perf/hist"
)

// Config describes one run. Zero means the default, unless a field says otherwise.
type Config struct {
	Subscribe netip.AddrPort // where clients subscribe
	Publish   netip.AddrPort // where pushes are sent; needed if Rate is above 0
	Sources   []netip.Addr   // local addresses to connect from, in turn: each has a range of ports of its own; none: the system's choice

	SubscribePath string // before the key, default /sub/
	PublishPath   string // before the key, default /push/
	KeyPrefix     string // before a client's number, default load-; unreserved characters only

	Conns       int           // clients, default 1,000
	ConnectRate int           // new clients per second over all loops, default 5,000: a faster rush measures the backlog
	Connecting  int           // clients of one loop that may wait for their response head at once, default 256
	ConnectWait time.Duration // how long one may wait before it counts as failed, default 10 s
	Loops       int           // event loops, default 1

	Duration   time.Duration // how long to hold, and push, once every client is settled; default 10 s
	Rate       int           // pushes per second over all loops, each to one client's key; 0 only holds
	Publishers int           // connections that push, default 64, at least one a loop: a push waits for a free one
	Size       int           // bytes of one message, default 100, at least 19 and at most 512 KiB
	Exact      bool          // keep to the schedule below the millisecond, at the cost of one CPU per loop that never sleeps
	Process    int           // the server's process, if its memory and CPU are to be read; 0: they are not
	Grace      time.Duration // how long to go on at the end with what was due and what is under way, default 2 s
}

// maxPushes bounds a run's memory: a byte is kept for each push.
const maxPushes = 1 << 28

// Filled is the config with its defaults in place; an error says what no default can mend.
func (c Config) Filled() (Config, error) {
	for _, d := range []struct {
		field *int
		value int
	}{{&c.Conns, 1000}, {&c.ConnectRate, 5000}, {&c.Connecting, 256}, {&c.Loops, 1}, {&c.Publishers, 64}, {&c.Size, 100}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&c.ConnectWait, 10 * time.Second}, {&c.Duration, 10 * time.Second}, {&c.Grace, 2 * time.Second}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *string
		value string
	}{{&c.SubscribePath, "/sub/"}, {&c.PublishPath, "/push/"}, {&c.KeyPrefix, "load-"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	c.Loops = min(c.Loops, c.Conns)
	c.Publishers = max(c.Publishers, c.Loops)
	c.Size = max(c.Size, stampBytes)
	switch {
	case !c.Subscribe.IsValid():
		return c, errors.New("no address to subscribe at")
	case c.Rate < 0:
		return c, errors.New("a negative rate")
	case c.Rate > 0 && !c.Publish.IsValid():
		return c, errors.New("no address to publish at")
	case c.Size > lineBytes/2:
		return c, fmt.Errorf("messages of more than %d bytes", lineBytes/2)
	case float64(c.Rate)*c.Duration.Seconds() > maxPushes:
		return c, fmt.Errorf("more than %d pushes in one run", maxPushes)
	}
	return c, nil
}

// Counts is how far a run is. Any goroutine may read it while the run goes on.
type Counts struct {
	Subscribed atomic.Int64 // clients whose response head came
	Failed     atomic.Int64 // clients that never got so far
	Lost       atomic.Int64 // of the subscribed, ended by the server or the network
	Sent       atomic.Int64 // pushes
	Accepted   atomic.Int64 // pushes answered with 2xx
	Refused    atomic.Int64 // pushes answered otherwise
	Unanswered atomic.Int64 // pushes whose connection ended first
	Received   atomic.Int64 // messages that reached their client
	Duplicates atomic.Int64 // messages that came once more, or to the wrong client
}

// Result is what a run found.
type Result struct {
	*Counts
	Unsent  int64       // pushes that were due but never sent: no publisher came free in time
	Missing int64       // pushes that were accepted, but no client received
	Status  map[int]int // answers to pushes by status
	Trouble string      // the first thing that went wrong with a connection, if any
	Server  Readings    // of Config.Process

	Connect hist.Summary // from the intended time of connecting to the response head
	Late    hist.Summary // from the intended time of sending to the sending: the tool's own error
	Answer  hist.Summary // from the intended time of sending to the verdict
	Deliver hist.Summary // from the intended time of sending to the client's receipt; what never came counts as waiting
}

// Run subscribes all clients, holds them for the duration while it pushes, and closes them. It ends early, with what it
// has found by then, when ctx does. counts may be nil.
func Run(ctx context.Context, cfg Config, counts *Counts) (*Result, error) {
	cfg, err := cfg.Filled()
	if err != nil {
		return nil, fmt.Errorf("swarm: %w", err)
	}
	need := uint64(cfg.Conns + cfg.Publishers + 16*cfg.Loops + 64)
	files, err := epoll.RaiseNoFile()
	if err != nil {
		return nil, fmt.Errorf("swarm: limit of open files: %w", err)
	}
	if files < need {
		return nil, fmt.Errorf("swarm: %d connections need %d open files, and the limit is %d", cfg.Conns, need, files)
	}
	if counts == nil {
		counts = new(Counts)
	}
	s := &shared{cfg: cfg, counts: counts}
	if cfg.Process > 0 {
		if s.server.Before, err = readUsage(cfg.Process); err != nil {
			return nil, fmt.Errorf("swarm: %w", err)
		}
	}
	workers := make([]*worker, cfg.Loops)
	for i := range workers {
		if workers[i], err = newWorker(s, i); err != nil {
			for _, w := range workers[:i] {
				w.kernel.Free()
			}
			return nil, fmt.Errorf("swarm: %w", err)
		}
	}
	return s.run(ctx, workers)
}

// shared is what the workers of a run have in common.
type shared struct {
	cfg    Config
	counts *Counts
	ready  atomic.Int32 // workers whose clients are all settled
	start  atomic.Int64 // monotonic ns at which pushing begins; 0 until every worker is ready

	mu      sync.Mutex
	trouble string
	server  Readings
}

func (s *shared) run(ctx context.Context, workers []*worker) (*Result, error) {
	stop := context.AfterFunc(ctx, func() {
		for _, w := range workers {
			for !w.loop.Post(w.finish) { // a full box is emptied in the next tick
				time.Sleep(time.Millisecond)
			}
		}
	})
	defer stop()
	errs := make([]error, len(workers))
	var running sync.WaitGroup
	for i, w := range workers {
		w.loop.Wake() // a loop that nobody wakes does not ask its tenant for work
		running.Go(func() { errs[i] = w.loop.Run() })
	}
	running.Wait()
	for _, w := range workers {
		w.kernel.Free()
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("swarm: %w", err)
	}
	return s.result(workers)
}

// result adds up what the workers found.
func (s *shared) result(workers []*worker) (*Result, error) {
	r := &Result{Counts: s.counts, Status: make(map[int]int), Trouble: s.trouble, Server: s.server}
	connects, late, answers, deliveries := hist.New(0), hist.New(s.start.Load()), hist.New(s.start.Load()), hist.New(s.start.Load())
	for _, w := range workers {
		r.Unsent += w.unsent
		r.Missing += w.missing
		for status, n := range w.status {
			r.Status[status] += n
		}
		if err := connects.Merge(w.connects); err != nil {
			return nil, err
		}
		if w.late == nil {
			continue // the run was cut short before this worker began to push
		}
		if err := errors.Join(late.Merge(w.late), answers.Merge(w.answers), deliveries.Merge(w.deliveries)); err != nil {
			return nil, err
		}
	}
	r.Connect, r.Late = connects.Summary(), late.Summary()
	r.Answer, r.Deliver = answers.Summary(), deliveries.Summary()
	return r, nil
}

// read reads the server's usage, if that is wanted.
func (s *shared) read(into *Usage) {
	if s.cfg.Process == 0 {
		return
	}
	u, err := readUsage(s.cfg.Process)
	if err != nil {
		s.note("the server's usage: %v", err)
	}
	*into = u
}

// note keeps the first trouble that anybody had.
func (s *shared) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble == "" {
		s.trouble = fmt.Sprintf(format, args...)
	}
}

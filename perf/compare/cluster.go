package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"holdfast/engine/epoll"
)

// ClusterConfig describes one measurement of two nodes that share a Redis, beside a node that is alone. Zero means the
// default, unless a field says otherwise.
type ClusterConfig struct {
	Holdfast string                                                 // the daemon's program
	Redis    string                                                 // redis-server
	Holders  []string                                               // the command line of a process that runs Hold; --at, --name and --conns are added
	Open     func(ctx context.Context, url string) (Claimer, error) // the store as nodes use it

	Conns      int           // keys held on each node, one connection each: default 18,000, less where open files are few
	Rounds     int           // turns of each way to push, default 5
	Size       int           // bytes of a message, default 200
	Rate       int           // pushes per second on schedule, default 1,000
	Publishers int           // connections that push flat out, default 16
	Turn       time.Duration // how long a turn of pushing lasts, default 750 ms
	Claims     int           // claims written to the store without a node, default 1,000,000
	Limit      time.Duration // everything ends after this, default 2 min

	Progress io.Writer // told what goes on, a line each; nil: nobody is
}

// Claimer writes claims to a store as a node does.
type Claimer interface {
	// Claim claims n keys from a number on, and returns when the store has acknowledged all. Several may call it at once.
	Claim(ctx context.Context, from, n int) error
	Close()
}

// Filled is the config with its defaults in place, cut down to the open files that a process may have.
func (c ClusterConfig) Filled(files int) (ClusterConfig, error) {
	files -= clientFiles + 3*max(c.Publishers, scheduled)
	for _, d := range []struct {
		field *int
		value int
	}{
		{&c.Conns, min(18_000, files)}, {&c.Rounds, 5}, {&c.Size, 200}, {&c.Rate, 1000}, {&c.Publishers, 16}, {&c.Claims, 1_000_000},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if c.Turn <= 0 {
		c.Turn = 750 * time.Millisecond
	}
	if c.Limit <= 0 {
		c.Limit = 2 * time.Minute
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	switch {
	case c.Holdfast == "" || c.Redis == "" || len(c.Holders) == 0 || c.Open == nil:
		return c, errors.New("no program to measure")
	case c.Conns < 1 || c.Conns > files:
		return c, fmt.Errorf("%d connections need more open files than ulimit -n allows", c.Conns)
	case c.Size > 16<<10:
		return c, errors.New("messages of more than 16 KiB: clients read after the server has sent, and their systems must hold it")
	}
	return c, nil
}

// clusterRun is one measurement under way.
type clusterRun struct {
	*run
	cfg   ClusterConfig
	store *store
	// Messages go to keys of the first node where it matters who holds them: through itself that is local, through the
	// second remote.
	first, second, alone *server
	mine                 *crowd // holds the first node's keys
	others               map[*server]*holders
}

// Ways for a push to come to its key, as figures show them.
const (
	aloneWay  = "alone"  // a node without a cluster
	localWay  = "local"  // through the node that holds the key
	remoteWay = "remote" // through the other one
	randomWay = "random" // through any node to any node's key
)

// RunCluster measures and returns what it found, beside an error too, as Run does. Everything that it starts has ended
// when it returns.
func RunCluster(ctx context.Context, cfg ClusterConfig) (*Result, error) {
	files, err := epoll.RaiseNoFile()
	if err != nil {
		return nil, fmt.Errorf("compare: limit of open files: %w", err)
	}
	cfg, err = cfg.Filled(int(files))
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Limit)
	defer cancel()
	dir, err := os.MkdirTemp("", "holdfast-cluster-")
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	defer os.RemoveAll(dir)
	r := &clusterRun{cfg: cfg, others: make(map[*server]*holders), run: &run{Config: Config{
		Holdfast: cfg.Holdfast, Conns: cfg.Conns, Rounds: cfg.Rounds, Size: cfg.Size, Publishers: cfg.Publishers,
		Turn: cfg.Turn, Rate: cfg.Rate, Progress: cfg.Progress,
	}}}
	if r.cpus, err = divide(); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	defer r.cpus.restore()
	defer r.end()
	begun := loadAverage()
	if err := r.begin(ctx, dir); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	err = conduct(ctx, []experiment{
		{"first pushes to a key", r.firstPushes},
		{"pushes on schedule", r.pacedPushes},
		{"pushes flat out", r.flatPushes},
		{"claims of a node", r.nodeClaims},
		{"claims without a node", r.storeClaims},
	})
	return r.clusterResult(begun), err
}

// clusterResult completes what was measured with where and how.
func (r *clusterRun) clusterResult(loadBefore string) *Result {
	setting := []string{
		fmt.Sprintf("%d keys held on each of two nodes, and on one that is alone; messages of %d bytes, %d rounds in turn", r.Conns, r.Size, r.Rounds),
		fmt.Sprintf("%d pushes/s on schedule, %d publishers flat out, %v a turn; %d claims without a node", r.Rate, r.Publishers, r.Turn, r.cfg.Claims),
		fmt.Sprintf("all nodes, one loop each, on CPU %d, clients on CPU %d; Redis on CPU %d, with the clients for the claims of a node",
			r.cpus.server, r.cpus.client, r.cpus.server),
		fmt.Sprintf("load average %s before, %s after", loadBefore, loadAverage()),
	}
	return &Result{Machine: machine(), Setting: setting, Figures: r.figures, Ratios: ratios(r.figures), Notes: r.notes}
}

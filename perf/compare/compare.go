// Package compare measures Holdfast beside what it could be and what it is used instead of: a bare loop of send(2), and
// nginx with the nchan module; and a cluster of two nodes beside a node that is alone. All servers run on one CPU, the
// clients on another, and take turns round by round, so that whatever else the machine does falls on all of them alike. It
// must never drive two servers at once that are no nodes of one cluster, nor let a client's reading take part in what a
// server is charged.
//
// Read compare.go (what a run is told and tells), servers.go with process.go and cpu.go (who is measured, and how),
// crowd.go and callers.go (the clients), then one file an experiment: fanout.go, onekey.go, arrivals.go, beside.go; in the
// end figures.go and text.go. A cluster begins in cluster.go: nodes.go and holders.go (who is there), paced.go, flat.go and
// claims.go (the experiments). pages.go is a measurement of its own.
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

// Config describes one run. Zero means the default, unless a field says otherwise.
type Config struct {
	Holdfast string   // the daemon's program
	Bare     []string // the command line of the bare server; --size is added
	Nginx    string   // nginx's program; empty compares without

	Conns      int           // subscribers of each server, default 5,000
	Rounds     int           // turns that each server gets in each experiment, default 5
	Pushes     int           // fan-outs of one round, default 10
	Size       int           // bytes of a message, default 200
	Publishers int           // connections that push to one key each, default 16
	Turn       time.Duration // how long a round of one-key pushes lasts, default 2 s
	Group      int           // subscribers of the group beside one-key pushes, default 17,000 less those
	Rate       int           // one-key pushes per second beside a fan-out, default 500
	Limit      time.Duration // everything ends after this, default 10 min

	Progress io.Writer // told what goes on, a line each; nil: nobody is
}

// clientFiles are descriptors of this process for everything but subscribers.
const clientFiles = 256

// Filled is the config with its defaults in place, cut down to the open files that a process may have.
func (c Config) Filled(files int) (Config, error) {
	for _, d := range []struct {
		field *int
		value int
	}{{&c.Conns, 5000}, {&c.Rounds, 5}, {&c.Pushes, 10}, {&c.Size, 200}, {&c.Publishers, 16}, {&c.Rate, 500}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if c.Turn <= 0 {
		c.Turn = 2 * time.Second
	}
	if c.Limit <= 0 {
		c.Limit = 10 * time.Minute
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	files -= clientFiles + 2*c.Publishers
	if c.Group <= 0 {
		c.Group = min(17_000, files) - c.holders()
	}
	switch {
	case c.Holdfast == "" || len(c.Bare) == 0:
		return c, errors.New("no program to measure")
	case 3*c.Conns > files, c.Group+c.holders() > files:
		return c, fmt.Errorf("3 × %d subscribers, or a group of %d, need more open files than ulimit -n allows", c.Conns, c.Group)
	case c.Group < 1:
		return c, errors.New("no open files are left for a group")
	case c.Size > 16<<10:
		return c, errors.New("messages of more than 16 KiB: clients read after the server has sent, and their systems must hold it")
	}
	return c, nil
}

// holders are the subscribers with a key each beside the group.
func (c Config) holders() int { return min(c.Conns, 1000) }

// run is one comparison under way.
type run struct {
	Config
	cpus    cpus
	servers []*server // in the order of their turns
	figures []Figure
	notes   []string
}

// Run measures and returns what it found, beside an error too: when an experiment fails the others go on, and when ctx ends
// or the limit is reached there are the figures until then. Servers that do not start leave no result.
func Run(ctx context.Context, cfg Config) (*Result, error) {
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
	dir, err := os.MkdirTemp("", "holdfast-compare-")
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	defer os.RemoveAll(dir)
	r := &run{Config: cfg}
	if r.cpus, err = divide(); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	defer r.cpus.restore()
	defer r.stop()
	if err := r.start(dir); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	begun := loadAverage()
	err = conduct(ctx, []experiment{
		{"fan-out", r.fanout}, {"one-key pushes", r.oneKey}, {"arrivals", r.arrivals}, {"one-key pushes beside a fan-out", r.beside},
	})
	return r.result(begun), err
}

// experiment is one thing to find out.
type experiment struct {
	name string
	work func(context.Context) error
}

// conduct does one experiment after the other, whatever became of those before.
func conduct(ctx context.Context, all []experiment) error {
	var failed []error
	for _, e := range all {
		if err := e.work(ctx); err != nil {
			failed = append(failed, fmt.Errorf("compare: %s: %w", e.name, err))
			if ctx.Err() != nil {
				break
			}
		}
	}
	return errors.Join(failed...)
}

// turns gives each server its turn in each round, one at a time. Round -1 warms up and counts for nothing.
func (r *run) turns(ctx context.Context, what string, servers []*server, turn func(s *server, counts bool) error) error {
	for round := -1; round < r.Rounds; round++ {
		for _, s := range servers {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := turn(s, round >= 0); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		if round >= 0 {
			fmt.Fprintf(r.Progress, "%s: round %d of %d\n", what, round+1, r.Rounds)
		}
	}
	return nil
}

// notef keeps what a reader of the figures must know.
func (r *run) notef(format string, args ...any) {
	note := fmt.Sprintf(format, args...)
	for _, n := range r.notes {
		if n == note {
			return
		}
	}
	r.notes = append(r.notes, note)
}

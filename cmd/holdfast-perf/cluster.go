package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/flags"
	"holdfast/perf/compare"
	"holdfast/registry/directory"
)

// clustering is what the cluster command can be told.
type clustering struct {
	compare.ClusterConfig
	json string
}

// holdersCommandName is hidden: only the cluster command has a use for it.
const holdersCommandName = "holders"

func newClustering() *clustering {
	s := &clustering{ClusterConfig: compare.ClusterConfig{Redis: "redis-server", Open: openClaims}}
	if me, err := os.Executable(); err == nil {
		s.Holders = []string{me, holdersCommandName}
		s.Holdfast = filepath.Join(filepath.Dir(me), "holdfast")
	}
	const someFiles = 20_000 // the defaults are shown in help; what the system allows is seen when it runs
	s.ClusterConfig, _ = s.Filled(someFiles)
	return s
}

func (s *clustering) table() flags.Table {
	const programs, sizes, report = "Programs", "Sizes", "Report"
	return flags.Table{
		flags.New("holdfast", programs, "file", &s.Holdfast, "The daemon. By default the one that was built beside this program."),
		flags.New("redis", programs, "file", &s.Redis, "The Redis that the nodes share."),
		flags.New("conns", sizes, "connections", &s.Conns, "Keys held on each node, one connection each."),
		flags.New("rounds", sizes, "rounds", &s.Rounds, "How many turns each way to push gets in each experiment, after one to warm up."),
		flags.New("size", sizes, flags.Bytes, &s.Size, "How long a message is."),
		flags.New("rate", sizes, "pushes/s", &s.Rate, "How many pushes per second are sent on schedule, for latencies."),
		flags.New("publishers", sizes, "connections", &s.Publishers, "How many connections push flat out."),
		flags.New("turn", sizes, "duration", &s.Turn, "How long they do so in one round, either way."),
		flags.New("claims", sizes, "keys", &s.Claims, "How many claims are written to the store without a node."),
		flags.New("limit", sizes, "duration", &s.Limit, "After this long the measurement is given up."),
		flags.New("json", report, "file", &s.json, "A file for every round's figures as JSON."),
	}
}

func clusterCommand() *cobra.Command {
	s := newClustering()
	return command("cluster", "Measure two nodes that share a Redis: pushes to the right and the wrong node, and claims", s.table(), s.run)
}

func (s *clustering) run(ctx context.Context, out io.Writer) error {
	s.Progress = out
	r, err := compare.RunCluster(ctx, s.ClusterConfig)
	if r == nil {
		return err
	}
	fmt.Fprintln(out)
	return errors.Join(r.WriteText(out), toFile(s.json, r.WriteJSON), err)
}

// holdersCommand holds keys in a process of its own, which has open files of its own.
func holdersCommand() *cobra.Command {
	const subscribers = "Subscribers"
	at, name, conns := "", "key", 1000
	table := flags.Table{
		flags.New("at", subscribers, "host:port", &at, "Where they subscribe.").OrEmpty(),
		flags.New("name", subscribers, "name", &name, "What the names of their keys begin with."),
		flags.New("conns", subscribers, "connections", &conns, "How many there are."),
	}
	c := command(holdersCommandName, "Hold keys, and read as many messages as each line of input says, for cluster", table,
		func(ctx context.Context, out io.Writer) error {
			to, err := netip.ParseAddrPort(at)
			if err != nil {
				return fmt.Errorf("--at: %w", err)
			}
			return compare.Hold(ctx, os.Stdin, out, to, name, conns)
		})
	c.Hidden = true
	return c
}

// claims writes to the store as a node does that holds keys with numbers for names.
type claims struct {
	store  directory.Store
	hasher *directory.Hasher
}

// openClaims waits until the store can be asked.
func openClaims(ctx context.Context, url string) (compare.Claimer, error) {
	store, err := directory.OpenRedis(ctx, directory.RedisConfig{URL: url})
	if err != nil {
		return nil, err
	}
	c := &claims{store: store, hasher: directory.NewHasher([]byte("of this run"))}
	const patience = 5 * time.Second
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if err = c.Claim(ctx, 0, 1); err == nil {
			return c, nil
		}
		if ctx.Err() != nil || time.Since(begun) > patience {
			c.Close()
			return nil, err
		}
	}
}

// Claim claims n keys from a number on.
func (c *claims) Claim(ctx context.Context, from, n int) error {
	const me directory.Instance = 1
	batch, name := make([]directory.Change, n), make([]byte, 0, 20)
	for i := range batch {
		name = strconv.AppendInt(name[:0], int64(from+i), 10)
		batch[i] = directory.Change{Hash: c.hasher.Sum(name), Held: true}
	}
	c.store.Claim(ctx, me, batch)
	for i := range batch {
		if err := batch[i].Err; err != nil {
			return err
		}
	}
	return nil
}

// Close ends the connection.
func (c *claims) Close() { c.store.Close() }

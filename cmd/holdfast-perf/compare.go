package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/flags"
	"holdfast/perf/bare"
	"holdfast/perf/compare"
)

// comparing is what the compare command can be told.
type comparing struct {
	compare.Config
	json string
}

// bareCommandName is hidden: only the compare command has a use for it.
const bareCommandName = "bare-send"

func newComparing() *comparing {
	s := &comparing{Config: compare.Config{Nginx: "/usr/sbin/nginx"}}
	if me, err := os.Executable(); err == nil {
		s.Bare = []string{me, bareCommandName}
		s.Holdfast = filepath.Join(filepath.Dir(me), "holdfast")
	}
	const someFiles = 20_000 // the defaults are shown in help; what the system allows is seen when it runs
	s.Config, _ = s.Filled(someFiles)
	s.Group = 0
	return s
}

func (s *comparing) table() flags.Table {
	const programs, sizes, report = "Programs", "Sizes", "Report"
	return flags.Table{
		flags.New("holdfast", programs, "file", &s.Holdfast, "The daemon. By default the one that was built beside this program."),
		flags.New("nginx", programs, "file", &s.Nginx, "The nginx whose nchan module is compared with. Empty compares without."),
		flags.New("conns", sizes, "connections", &s.Conns, "Subscribers of each server; all servers' are held at once."),
		flags.New("rounds", sizes, "rounds", &s.Rounds, "How many turns each server gets in each experiment, after one to warm up."),
		flags.New("pushes", sizes, "fan-outs", &s.Pushes, "How many fan-outs a server does in one round."),
		flags.New("size", sizes, flags.Bytes, &s.Size, "How long a message is."),
		flags.New("publishers", sizes, "connections", &s.Publishers, "How many connections push to one key after the other."),
		flags.New("turn", sizes, "duration", &s.Turn, "How long they do so in one round."),
		flags.New("group", sizes, "connections", &s.Group,
			"Subscribers of the group beside which one key is pushed to. 0 is as many as one process may hold, up to 16,000."),
		flags.New("rate", sizes, "pushes/s", &s.Rate, "How many pushes to one key are sent per second beside that group."),
		flags.New("limit", sizes, "duration", &s.Limit, "After this long the comparison is given up."),
		flags.New("json", report, "file", &s.json, "A file for every round's figures as JSON."),
	}
}

func compareCommand() *cobra.Command {
	s := newComparing()
	return command("compare", "Measure Holdfast beside a bare loop of send and beside nginx with nchan, in turn", s.table(), s.run)
}

func (s *comparing) run(ctx context.Context, out io.Writer) error {
	s.Progress = out
	r, err := compare.Run(ctx, s.Config)
	if r == nil {
		return err
	}
	fmt.Fprintln(out)
	return errors.Join(r.WriteText(out), toFile(s.json, r.WriteJSON), err)
}

// bareCommand is the floor that compare starts as a process of its own.
func bareCommand() *cobra.Command {
	size := 200
	table := flags.Table{flags.New("size", "Frame", flags.Bytes, &size, "How long the message in the frame is.")}
	c := command(bareCommandName, "Send one frame to all who are connected, for compare", table, func(ctx context.Context, out io.Writer) error {
		s, err := bare.Listen(netip.MustParseAddrPort("127.0.0.1:0"), bare.Frame(size))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "bare: listening on %s\n", s.Addr())
		return s.Serve(ctx)
	})
	c.Hidden = true
	return c
}

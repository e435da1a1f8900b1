// Command holdfast-perf is the load tool that ships with Holdfast: clients in large numbers, latencies that hide
// nothing, and a backend to proxy to. It must never be pointed at a service that is not yours to load. Each command is
// thin: its flags fill the Config of a package of perf, which does the work.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/flags"
)

// envPrefix begins the environment variables that stand for flags.
const envPrefix = "HOLDFAST_PERF"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "holdfast-perf:", err)
		os.Exit(1)
	}
}

// run is main with its surroundings passed in.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:           "holdfast-perf",
		Short:         "Load tools for Holdfast and what it is compared with",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(holdCommand(), pushCommand(), compareCommand(), clusterCommand(), pagesCommand(), modelCommand(), originCommand(),
		bareCommand(), holdersCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

// command makes a subcommand whose flags and help come from one table.
func command(name, short string, table flags.Table, work func(ctx context.Context, out io.Writer) error) *cobra.Command {
	c := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := table.Env(envPrefix, c.Flags(), os.LookupEnv); err != nil {
				return err
			}
			return work(c.Context(), c.OutOrStdout())
		},
	}
	table.Register(c.Flags())
	c.SetUsageFunc(func(c *cobra.Command) error {
		_, err := fmt.Fprintf(c.OutOrStderr(), "Usage:\n  %s [flags]\n%s", c.CommandPath(), table.Usage(envPrefix))
		return err
	})
	return c
}

// Command holdfast is the daemon and its command line: serve runs a node, the other commands ask one. It must never
// hold behaviour of its own: flags fill the Config of a room, which does the work.
//
// Reading order: main.go, flags.go (every setting), serve.go (a node's life), ask.go (commands that ask a node).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes: scripts tell a push that found nobody from one that could not be made.
const (
	exitFailed = 1
	exitNobody = 3
)

func main() {
	err := run(untilSignal(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, errNobody):
		os.Exit(exitNobody)
	case err != nil:
		fmt.Fprintln(os.Stderr, "holdfast:", err)
		os.Exit(exitFailed)
	}
}

// untilSignal is a context that ends with the first signal. By then a second one ends the process at once: whoever sees
// that the first was heard may rely on it.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals)
		cancel()
	}()
	return ctx
}

// run is main with its surroundings passed in.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:           "holdfast",
		Short:         "Edge push gateway and reverse proxy",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(serveCommand(), pushCommand(), connsCommand(), keysCommand(), nodesCommand(), topCommand(), versionCommand())
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which build this is",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), version())
			return err
		},
	}
}

// version names the module's version and commit as far as the build knew them.
func version() string {
	release, revision := "(devel)", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			release = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value
			}
		}
	}
	return fmt.Sprintf("holdfast %s%s %s %s/%s", release, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

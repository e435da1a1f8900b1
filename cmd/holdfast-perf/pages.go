package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/flags"
	"holdfast/perf/compare"
)

// paging is what the pages command can be told.
type paging struct {
	compare.PagesConfig
	json string
}

func newPaging() *paging {
	s := &paging{PagesConfig: compare.PagesConfig{Nginx: "/usr/sbin/nginx", H2load: "h2load"}}
	if me, err := os.Executable(); err == nil {
		s.Holdfast = filepath.Join(filepath.Dir(me), "holdfast")
	}
	s.PagesConfig, _ = s.Filled() // the defaults, to be shown in help
	return s
}

func (s *paging) table() flags.Table {
	const programs, sizes, report = "Programs", "Sizes", "Report"
	return flags.Table{
		flags.New("holdfast", programs, "file", &s.Holdfast, "The daemon. By default the one that was built beside this program."),
		flags.New("nginx", programs, "file", &s.Nginx, "The nginx to compare with. Empty measures without."),
		flags.New("h2load", programs, "file", &s.H2load, "The program that asks for the page, of Debian's package nghttp2-client."),
		flags.New("path", sizes, "path", &s.Path, "The page of the daemon that is asked for; nginx is told to serve the same bytes there."),
		flags.New("conns", sizes, "connections", &s.Conns, "How many connections h2load has."),
		flags.New("streams", sizes, "requests", &s.Streams, "How many requests are under way on each."),
		flags.New("requests", sizes, "requests", &s.Requests, "How many requests a server gets in one round."),
		flags.New("rounds", sizes, "rounds", &s.Rounds, "How many turns each server gets, after one to warm up."),
		flags.New("limit", sizes, "duration", &s.Limit, "After this long the measurement is given up."),
		flags.New("json", report, "file", &s.json, "A file for every round's figures as JSON."),
	}
}

func pagesCommand() *cobra.Command {
	s := newPaging()
	return command("pages", "Measure a small page over HTTP/2 beside nginx with one worker, in turn, with h2load", s.table(), s.run)
}

func (s *paging) run(ctx context.Context, out io.Writer) error {
	s.Progress = out
	r, err := compare.RunPages(ctx, s.PagesConfig)
	if r == nil {
		return err
	}
	fmt.Fprintln(out)
	return errors.Join(r.WriteText(out), toFile(s.json, r.WriteJSON), err)
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/flags"
	"holdfast/perf/origin"
)

func TestTablesAreComplete(t *testing.T) {
	for _, table := range []flags.Table{
		(&originSettings{Config: origin.Config{}.Filled()}).table(), newHoldSettings().table(), newPushSettings().table(),
		newComparing().table(), newClustering().table(), newPaging().table(),
	} {
		for _, finding := range table.Check() {
			t.Error(finding)
		}
	}
}

func TestHelpNamesEveryCommandAndFlag(t *testing.T) {
	f := func(args string, want ...string) {
		t.Helper()
		var out strings.Builder
		if err := run(t.Context(), strings.Fields(args), &out, io.Discard); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: %q is missing in:\n%s", args, w, out.String())
			}
		}
	}
	f("--help", "hold", "push", "origin")
	f("push --help", "--rate <pushes/s>", "Default 1000", "--conns", "--svg")
	f("cluster --help", "--redis <file>", "Default 18000", "--claims")
	f("pages --help", "--h2load <file>", "Default 200000", "--path")
	f("compare --help", "--holdfast <file>", "Default 5000", "--nginx")
	f("hold --help", "--source", "--json")
	f("origin --help", "--listen <host:port>", "HOLDFAST_PERF_MAX_CONNS", "Default 4096", "127.0.0.1:9100")
}

func TestMistakesAreErrors(t *testing.T) {
	f := func(args, want string) {
		t.Helper()
		err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	f("origins", "unknown command")
	f("origin extra", "unknown command")
	f("origin --listn x", "unknown flag")
	f("origin --max-conns many", "many")
	f("cluster --size 1MiB", "16 KiB")
	f("cluster --redis /nowhere/redis-server", "redis-server")
	f(holdersCommandName, "--at")
	f("pages --path page", "no plain path")
	f("compare --size 1MiB", "16 KiB") // refused before anything is started
	f("origin --listen 127.0.0.1:notaport", "notaport")
	t.Setenv("HOLDFAST_PERF_IDLE_TIMEOUT", "soon")
	f("origin --listen 127.0.0.1:0", "HOLDFAST_PERF_IDLE_TIMEOUT")
}

// The command says where it listens, answers there, and ends with its context.
func TestOriginServesUntilStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"origin", "--listen", "127.0.0.1:0"}, w, io.Discard)
		w.Close()
	}()
	lines := bufio.NewReader(out)
	var addr string
	if _, err := fmt.Fscanf(lines, "origin: listening on %s\n", &addr); err != nil {
		t.Fatal(err)
	}
	r, err := http.Get("http://" + addr + "/page?size=3")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil || string(body) != "the" {
		t.Errorf("%q %v", body, err)
	}
	stop()
	rest, _ := io.ReadAll(lines)
	if string(rest) != "origin: 1 connections, 1 requests, 0 malformed\n" {
		t.Errorf("the last words are %q", rest)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("it did not stop")
	}
}

package swarm

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/perf/origin"
)

// broken runs a few clients against a backend that misbehaves, and gives the result.
func broken(t *testing.T, cfg Config) *Result {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- origin.New(origin.Config{}).Serve(ctx, ln) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	cfg.Subscribe = netip.MustParseAddrPort(ln.Addr().String())
	cfg.Publish = cfg.Subscribe
	cfg.Conns, cfg.ConnectWait, cfg.Duration, cfg.Grace = 4, 150*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond
	return run(t, cfg)
}

func TestClientsOfABrokenServer(t *testing.T) {
	f := func(path, trouble string, failed, lost int64) {
		t.Helper()
		r := broken(t, Config{SubscribePath: path + "k="})
		if r.Failed.Load() != failed || r.Lost.Load() != lost || !strings.Contains(r.Trouble, trouble) {
			t.Errorf("%s: failed %d, lost %d, trouble %q", path, r.Failed.Load(), r.Lost.Load(), r.Trouble)
		}
	}
	f("/sse?", "", 0, 0)
	f("/page?", "", 0, 4)
	f("/fault/refuse?", "no answer: gone", 4, 0)
	f("/fault/garbage?", "broke the protocol", 4, 0)
	f("/fault/reset-headers?", "no answer: reset", 4, 0)
	f("/fault/reset-body?", "lost: reset", 0, 4)
	f("/fault/stall?", "no answer: timeout", 4, 0)
	f("/fault/until-close?", "lost: gone", 0, 4)
	f("/fault/chunked?", "lost: gone", 0, 4)
	f("/nothing?", "answered 404", 4, 0)
}

func TestPublishersOfABrokenServer(t *testing.T) {
	f := func(path string, status int, trouble string) {
		t.Helper()
		r := broken(t, Config{SubscribePath: "/sse?k=", PublishPath: path + "k=", Rate: 50, Publishers: 1})
		if (status > 0) != (r.Status[status] > 0) || (status == 0 && r.Unanswered.Load() == 0) || !strings.Contains(r.Trouble, trouble) {
			t.Errorf("%s: %v, unanswered %d, trouble %q", path, r.Status, r.Unanswered.Load(), r.Trouble)
		}
	}
	f("/echo?", 200, "")
	f("/fault/100?", 200, "")
	f("/fault/until-close?", 200, "")
	f("/fault/early?", 413, "")
	f("/fault/refuse?", 0, "no answer: ")
	f("/fault/garbage?", 0, "broke the protocol")
	f("/fault/reset-body?", 0, "no answer: reset")
}

// A server may not make a client keep a line without end.
func TestLineWithoutEnd(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		_, _ = io.WriteString(nc, "HTTP/1.1 200 OK\r\n\r\ndata: ")
		for err == nil {
			_, err = io.WriteString(nc, strings.Repeat("x", 10_000))
		}
	}()
	r := run(t, Config{Subscribe: netip.MustParseAddrPort(ln.Addr().String()), Conns: 1, Duration: 700 * time.Millisecond})
	if r.Lost.Load() != 1 || !strings.Contains(r.Trouble, "line without end") {
		t.Errorf("lost %d, trouble %q", r.Lost.Load(), r.Trouble)
	}
}

// Messages that are no push of this run do not count as received, wherever their numbers point.
func TestForeignStamps(t *testing.T) {
	w := &worker{shared: &shared{cfg: Config{Loops: 2}, counts: new(Counts)}, fates: make([]fate, 10), next: 2, targets: []uint32{0}}
	for _, number := range []uint64{1, 4, 20, 1<<64 - 2, 1<<64 - 1} {
		w.receive(&client{}, number)
	}
	if w.counts.Received.Load() != 0 || w.counts.Duplicates.Load() != 5 {
		t.Errorf("received %d, duplicates %d", w.counts.Received.Load(), w.counts.Duplicates.Load())
	}
}

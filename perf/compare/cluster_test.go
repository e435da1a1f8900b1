package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// holdWord as the first argument makes the test program a process of holders.
const holdWord = "hold"

// holdAsTold takes the flags in the order in which they are given.
func holdAsTold(args []string) error {
	var at, name string
	var conns int
	if _, err := fmt.Sscanf(strings.Join(args, " "), "--at %s --name %s --conns %d", &at, &name, &conns); err != nil {
		return err
	}
	return Hold(context.Background(), os.Stdin, os.Stdout, netip.MustParseAddrPort(at), name, conns)
}

// noted is a Claimer that keeps account and puts a key into the store for each.
type noted struct {
	store *store
	mu    sync.Mutex
	keys  map[int]int
	err   error
}

func (c *noted) Claim(_ context.Context, from, n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	words := []string{"MSET"}
	for i := range n {
		c.keys[from+i]++
		words = append(words, fmt.Sprintf("claim:%d x", from+i))
	}
	if c.store != nil {
		if _, err := c.store.ask(strings.Join(words, " ")); err != nil {
			return err
		}
	}
	return c.err
}

func (c *noted) Close() {
	if c.store != nil {
		c.store.conn.Close()
	}
}

func notedAt(_ context.Context, url string) (Claimer, error) {
	at, err := netip.ParseAddrPort(strings.TrimPrefix(url, "redis://"))
	if err != nil {
		return nil, err
	}
	s, err := dialStore(at)
	return &noted{store: s, keys: map[int]int{}}, err
}

func smallCluster(t *testing.T) ClusterConfig {
	return ClusterConfig{
		Holdfast: daemon, Redis: "redis-server", Holders: []string{self(t)[0], holdWord}, Open: notedAt,
		Conns: 60, Rounds: 2, Rate: 500, Publishers: 4, Turn: 60 * time.Millisecond, Claims: 5000, Limit: time.Minute,
	}
}

// The whole measurement runs, and every figure has a value of every round.
func TestRunCluster(t *testing.T) {
	var progress bytes.Buffer
	cfg := smallCluster(t)
	cfg.Progress = &progress
	r, err := RunCluster(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	f := func(of string, kinds ...kind) {
		t.Helper()
		for _, k := range kinds {
			if got := find(r.Figures, k, of); got == nil || len(got.Rounds) != 2 || got.Rounds[0] <= 0 || got.Rounds[1] <= 0 {
				t.Errorf("%s of %s: %+v", k.name, of, got)
			}
		}
	}
	f(aloneWay, pacedAnswer50, flatCPU, flatRate, flatP50, claimArrival, claimRate)
	f(localWay, firstAnswer50, pacedAnswer50, pacedArrival50, flatCPU, flatRate, flatPerCPU, claimArrival, claimRate, claimStore)
	f(remoteWay, firstAnswer50, pacedAnswer50, pacedArrival50, flatCPU, flatEntry, flatOwner, flatRate)
	f(randomWay, flatCPU, flatRate)
	f("1 writer", storeRate, storeClient, storeServer)
	f("4 writers", storeRate, storeClient, storeServer)
	if got := find(r.Figures, storeBytes, storeName); got == nil || got.Rounds[0] < 30 || got.Rounds[0] > 1000 {
		t.Errorf("memory of a key: %+v", got)
	}
	sum := find(r.Figures, flatEntry, remoteWay).Rounds[0] + find(r.Figures, flatOwner, remoteWay).Rounds[0]
	if all := find(r.Figures, flatCPU, remoteWay).Rounds[0]; sum < all*0.999 || sum > all*1.001 {
		t.Errorf("a remote push costs %v at two nodes, and %v in all", sum, all)
	}
	if len(r.Ratios) != 7 {
		t.Errorf("ratios: %+v", r.Ratios)
	}
	if !strings.Contains(progress.String(), "claims without a node: round 2 of 2\n") {
		t.Errorf("progress: %s", &progress)
	}
	var text, raw bytes.Buffer
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "remote / local") {
		t.Errorf("%v in %s", err, &text)
	}
	if err := r.WriteJSON(&raw); err != nil || !json.Valid(raw.Bytes()) {
		t.Errorf("%v in %s", err, &raw)
	}
}

// Nothing that a run started outlives it, whenever it ends.
func TestClusterLeavesNobody(t *testing.T) {
	cfg := smallCluster(t)
	cfg.Rounds, cfg.Limit = 1000, 2*time.Second
	var children []int
	cfg.Progress = writer(func() {
		if children == nil {
			children = childrenOf(t)
		}
	})
	if _, err := RunCluster(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Error(err)
	}
	if len(children) < 6 { // a store, three nodes, two processes of holders
		t.Errorf("only %d processes were seen while it ran", len(children))
	}
	for _, pid := range children {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is still there: %v", pid, err)
		}
	}
}

// writer does something whenever something is written.
type writer func()

func (w writer) Write(b []byte) (int, error) {
	w()
	return len(b), nil
}

// childrenOf are the processes that this one has started (proc_pid_children(5)).
func childrenOf(t *testing.T) (pids []int) {
	t.Helper()
	names, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // a thread that has ended since
		}
		for word := range strings.FieldsSeq(string(b)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestClusterThatDoesNotStart(t *testing.T) {
	f := func(change func(*ClusterConfig), want string) {
		t.Helper()
		cfg := smallCluster(t)
		change(&cfg)
		r, err := RunCluster(t.Context(), cfg)
		if r != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v with %+v, want %q", err, r, want)
		}
	}
	f(func(c *ClusterConfig) { c.Redis = "/nowhere/redis-server" }, "install the Debian package redis-server")
	f(func(c *ClusterConfig) { c.Redis = "/bin/false" }, "/bin/false has ended")
	f(func(c *ClusterConfig) { c.Holdfast = "/bin/false" }, "/bin/false has ended")
	f(func(c *ClusterConfig) { c.Holders = []string{"/bin/false"} }, "/bin/false has ended")
	f(func(c *ClusterConfig) { c.Holders = []string{"/bin/echo", "what?"} }, "what?")
	f(func(c *ClusterConfig) { c.Size = 1 << 20 }, "16 KiB")
}

// One experiment that fails takes nothing from the others.
func TestClusterWithoutClaims(t *testing.T) {
	cfg := smallCluster(t)
	cfg.Rounds = 1
	cfg.Open = func(context.Context, string) (Claimer, error) { return nil, errors.New("no such store") }
	r, err := RunCluster(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "claims without a node: no such store") {
		t.Error(err)
	}
	if r == nil || find(r.Figures, claimNode, localWay) == nil || find(r.Figures, storeRate, "1 writer") != nil {
		t.Errorf("%+v", r)
	}
}

func TestClusterConfigIsFilled(t *testing.T) {
	base := ClusterConfig{Holdfast: "h", Redis: "r", Holders: []string{"p"}, Open: notedAt}
	c, err := base.Filled(20_000)
	if err != nil || c.Conns != 18_000 || c.Rounds != 5 || c.Rate != 1000 || c.Claims != 1_000_000 || c.Limit != 2*time.Minute {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := base.Filled(1_000); err != nil || c.Conns < 500 || c.Conns > 700 {
		t.Errorf("few open files: %+v, %v", c, err)
	}
	f := func(files int, change func(*ClusterConfig), want string) {
		t.Helper()
		c := base
		change(&c)
		if _, err := c.Filled(files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(20_000, func(c *ClusterConfig) { c.Redis = "" }, "no program")
	f(20_000, func(c *ClusterConfig) { c.Holders = nil }, "no program")
	f(20_000, func(c *ClusterConfig) { c.Open = nil }, "no program")
	f(20_000, func(c *ClusterConfig) { c.Conns = 19_900 }, "ulimit")
	f(100, func(c *ClusterConfig) {}, "ulimit")
}

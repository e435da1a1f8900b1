package cluster_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/cluster"
	"holdfast/registry/directory"
)

// lease is short, so that what depends on it is soon over.
const lease = 500 * time.Millisecond

var secret = []byte("a secret of the tests")

// flaky is a node's way to the store, which a test can cut or slow down.
type flaky struct {
	directory.Store
	cut   atomic.Bool
	delay atomic.Int64 // ns, of each answer
}

var errCut = fmt.Errorf("%w: cut by the test", directory.ErrStore)

func (f *flaky) wait(ctx context.Context) bool {
	select {
	case <-time.After(time.Duration(f.delay.Load())):
		return !f.cut.Load()
	case <-ctx.Done():
		return false
	}
}

func (f *flaky) Claim(ctx context.Context, owner directory.Instance, changes []directory.Change) {
	if !f.wait(ctx) {
		for i := range changes {
			changes[i].Err = errCut
		}
		return
	}
	f.Store.Claim(ctx, owner, changes)
}

func (f *flaky) Lookup(ctx context.Context, keys []directory.Hash, fresh bool, found []directory.Found) {
	if !f.wait(ctx) {
		for i := range found {
			found[i] = directory.Found{Err: errCut}
		}
		return
	}
	f.Store.Lookup(ctx, keys, fresh, found)
}

func (f *flaky) Beat(ctx context.Context, b directory.Beat) (directory.View, error) {
	if !f.wait(ctx) {
		return directory.View{}, errCut
	}
	return f.Store.Beat(ctx, b)
}

// node is one engine of a cluster within this process.
type node struct {
	t               *testing.T
	name            string
	store           *flaky
	e               *engine.Engine
	public, publish string
}

// newCluster starts nodes a, b, c, … that share a store and waits until each can reach the others.
func newCluster(t *testing.T, n int) (*directory.Memory, []*node) {
	t.Helper()
	memory := directory.NewMemory()
	nodes := make([]*node, n)
	for i := range nodes {
		nodes[i] = join(t, memory, string(rune('a'+i)))
	}
	for _, at := range nodes {
		at.until("every node is linked and claims are complete", func() bool { return at.settled(n) })
	}
	return memory, nodes
}

func join(t *testing.T, memory *directory.Memory, name string) *node {
	t.Helper()
	return joinWith(t, memory, name, secret)
}

func joinWith(t *testing.T, memory *directory.Memory, name string, secret []byte) *node {
	t.Helper()
	n := &node{t: t, name: name, store: &flaky{Store: memory.Join()}}
	var err error
	n.e, err = engine.Start(engine.Config{
		Node: name, Loops: 2,
		Snapshot: engine.BuiltIn(engine.BuiltInConfig{Public: "127.0.0.1:0", Publish: "127.0.0.1:0"}),
		Cluster: cluster.Config{
			Store: n.store, Listen: "127.0.0.1:0", Secret: secret, Lease: lease, Linger: 50 * time.Millisecond,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.stop)
	n.public, n.publish = "http://"+n.e.Addresses()[0].String(), "http://"+n.e.Addresses()[1].String()
	return n
}

func (n *node) stop() {
	if n.e == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n.e.Stop(ctx, 0)
	n.e = nil
}

// settled reports whether a push to a key that nobody has gets a certain answer from as many nodes.
func (n *node) settled(nodes int) bool {
	known := 0
	for _, info := range n.e.Nodes() {
		if info.Self || info.Link == "up" {
			known++
		}
	}
	return known == nodes && n.push("nobody-has-this", "x").status == 404
}

func (n *node) until(what string, done func() bool) {
	n.t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			n.t.Fatalf("%s: not in time: %s", n.name, what)
		}
	}
}

// subscriber is one SSE client.
type subscriber struct {
	cancel  context.CancelFunc
	head    http.Header
	heard   chan string
	pending bool
}

func (n *node) sub(key string) *subscriber {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	n.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", n.public+"/sub/"+key, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	s := &subscriber{cancel: cancel, head: resp.Header, heard: make(chan string, 4096), pending: resp.Header.Get("Push-Claim") != ""}
	go func() {
		defer close(s.heard)
		defer resp.Body.Close()
		for r := bufio.NewScanner(resp.Body); r.Scan(); {
			if text, ok := strings.CutPrefix(r.Text(), "data: "); ok {
				s.heard <- text
			}
		}
	}()
	return s
}

// hears waits for the next message.
func (s *subscriber) hears(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-s.heard:
		if got != want {
			t.Errorf("heard %q; want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("heard nothing; want %q", want)
	}
}

// silent checks that no message has come.
func (s *subscriber) silent(t *testing.T) {
	t.Helper()
	select {
	case got := <-s.heard:
		t.Errorf("heard %q; want nothing", got)
	default:
	}
}

// verdict is a push's answer.
type verdict struct {
	status    int
	retry     string
	Delivered int
	Unknown   int
	Unreached int
	Duplicate int
	Closed    int
	Node      string
	Nodes     []string

	Connections int
}

func (n *node) ask(method, path, body string, lines ...string) verdict {
	n.t.Helper()
	req, err := http.NewRequest(method, n.publish+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, io.EOF) {
		n.t.Fatal(err)
	}
	v := verdict{status: resp.StatusCode, retry: resp.Header.Get("Retry-After")}
	if err := json.Unmarshal(text, &v); err != nil {
		n.t.Fatalf("%s %s: %q: %v", method, path, text, err)
	}
	return v
}

func (n *node) push(key, body string, lines ...string) verdict {
	n.t.Helper()
	return n.ask("POST", "/push/"+key, body, lines...)
}

package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/engine/gateway"
	"holdfast/registry"
	"holdfast/registry/directory"
)

// broken is a store that can be taken away.
type broken struct {
	directory.Store
	gone chan struct{} // closed: nothing is answered
}

func (b *broken) Beat(ctx context.Context, beat directory.Beat) (directory.View, error) {
	select {
	case <-b.gone:
		return directory.View{}, fmt.Errorf("%w: it was taken away", directory.ErrStore)
	default:
		return b.Store.Beat(ctx, beat)
	}
}

func (b *broken) Lookup(ctx context.Context, keys []directory.Hash, fresh bool, found []directory.Found) {
	select {
	case <-b.gone:
		for i := range found {
			found[i].Err = directory.ErrStore
		}
	default:
		b.Store.Lookup(ctx, keys, fresh, found)
	}
}

// member is a node whose loops do not run: it holds no connection, but keys can be bound in its table.
type member struct {
	*Cluster
	store *broken
	table *registry.Table
	ended bool
}

const testLease = 400 * time.Millisecond

func enter(t *testing.T, m *directory.Memory, name string) *member {
	t.Helper()
	n := &member{store: &broken{m.Join(), make(chan struct{})}}
	n.table = registry.New(registry.Config{Loops: 1, Changed: func(key []byte) { n.Changed(key) }})
	var err error
	n.Cluster, err = Open(name, Config{
		Store: n.store, Listen: "127.0.0.1:0", Secret: []byte("a secret for tests only"), Release: "r1", Lease: testLease, Linger: -1,
	}, gateway.NewShared(1, n.table))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.end)
	return n
}

func (n *member) end() {
	if !n.ended {
		n.ended = true
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		n.Close(ctx)
	}
}

// bind makes the node hold a key.
func (n *member) bind(t *testing.T, key string) {
	t.Helper()
	if _, _, err := n.table.Bind([]byte(key), registry.NewHandle(0, 1, 1)); err != nil {
		t.Fatal(err)
	}
}

// comes waits until what is seen is what is wanted.
func comes(t *testing.T, want string, see func() string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got = see(); got == want {
			return
		}
	}
	t.Fatalf("got  %s\nwant %s", got, want)
}

// states are the nodes in few words.
func (n *member) states() string {
	var words []string
	for _, i := range n.Nodes() {
		word := i.Name + " " + i.Link
		if i.Lapsed {
			word += " lapsed"
		}
		if i.Behind {
			word += " behind"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func TestNodesAreSeenByAll(t *testing.T) {
	t.Parallel()
	m := directory.NewMemory()
	b, a := enter(t, m, "b"), enter(t, m, "a")
	comes(t, "a up, b self", b.states)
	comes(t, "a self, b up", a.states)
	comes(t, "true", func() string { return fmt.Sprint(a.Nodes()[1].Stats.RoundTrip > 0) })
	other := a.Nodes()[1]
	if other.Instance != b.self.Instance || other.Address != b.mesh.Addr().String() || other.Release != "r1" || !other.Since.IsZero() {
		t.Errorf("a sees b as %+v", other)
	}
	if link := other.Stats; link.Sent == 0 || link.Received == 0 || link.Since.IsZero() || link.Error != "" {
		t.Errorf("the link to it: %+v", link)
	}
	b.end()
	comes(t, "a self", a.states)
}

func TestNodeThatLeavesWithoutAWordIsShown(t *testing.T) {
	t.Parallel()
	m := directory.NewMemory()
	b, a := enter(t, m, "b"), enter(t, m, "a")
	comes(t, "a self, b up", a.states)
	close(b.store.gone)
	comes(t, "a self, b up lapsed behind", a.states)
	if since := time.Since(a.Nodes()[1].Since); since < 0 || since > 10*time.Second {
		t.Errorf("lapsed since %v", since)
	}
	comes(t, "a up, b self lapsed behind", b.states)
	if s := b.Stats(); s.Current || s.Directory.Failing == "" {
		t.Errorf("b believes its view: %+v", s)
	}
}

func TestReadyUntilCutOff(t *testing.T) {
	t.Parallel()
	m := directory.NewMemory()
	b, a := enter(t, m, "b"), enter(t, m, "a")
	ready := func() string { return fmt.Sprint(a.Ready()) }
	comes(t, "a self, b up", a.states)
	if got := ready(); got != "<nil>" {
		t.Errorf("in the cluster: %s", got)
	}
	close(a.store.gone)
	comes(t, "a self lapsed behind, b up", a.states)
	if got := ready(); got != "<nil>" {
		t.Errorf("with a link, others can be reached: %s", got)
	}
	b.mesh.Close(t.Context())
	const want = "cut off from the cluster: the directory has not answered for "
	comes(t, want, func() string { return ready()[:min(len(ready()), len(want))] })
	if got := ready(); !strings.Contains(got, "taken away") || !strings.Contains(got, "no link to any of the 1 other nodes") {
		t.Errorf("cut off: %s", got)
	}
}

func TestNodeThatHasMetNobodyIsReady(t *testing.T) {
	t.Parallel()
	n := enter(t, directory.NewMemory(), "a")
	comes(t, "a self", n.states)
	close(n.store.gone)
	comes(t, "a self lapsed behind", n.states)
	if err := n.Ready(); err != nil {
		t.Errorf("it stands alone and serves who comes, but %v", err)
	}
}

func TestOwnersAreNamed(t *testing.T) {
	t.Parallel()
	m := directory.NewMemory()
	b, a := enter(t, m, "b"), enter(t, m, "a")
	a.bind(t, "both")
	b.bind(t, "both")
	b.bind(t, "one")
	f := func(n *member, key, want string) {
		t.Helper()
		comes(t, want, func() string { return fmt.Sprint(n.Owners(t.Context(), []byte(key))) })
	}
	f(a, "both", "[a b] <nil>")
	f(a, "one", "[b] <nil>")
	f(b, "one", "[b] <nil>")
	f(b, "none", "[] <nil>")
	stranger := directory.Instance(0xbad)
	change := []directory.Change{{Hash: a.hash.Sum([]byte("one")), Held: true}}
	if m.Join().Claim(t.Context(), stranger, change); change[0].Err != nil {
		t.Fatal(change[0].Err)
	}
	f(a, "one", "[b unknown instance 0000000000000bad] <nil>")

	close(a.store.gone)
	if _, err := a.Owners(t.Context(), []byte("one")); err == nil {
		t.Error("owners without a directory")
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Owners(over, []byte("one")); err == nil {
		t.Error("owners for who has stopped asking")
	}
}

func TestStatsCount(t *testing.T) {
	t.Parallel()
	m := directory.NewMemory()
	b, a := enter(t, m, "b"), enter(t, m, "a")
	comes(t, "a self, b up", a.states)
	b.bind(t, "k")
	comes(t, "[b] <nil>", func() string { return fmt.Sprint(a.Owners(t.Context(), []byte("k"))) })
	a.stats.pushes.Add(3)
	a.stats.relayed.Add(2)
	s := a.Stats()
	if s.Pushes != 3 || s.Relayed != 2 || s.Directory.Asks == 0 || s.Faults == nil || s.Lease != testLease || s.Incarnation == "" || s.Directory.Beats == 0 || len(s.Nodes) != 2 {
		t.Errorf("%+v", s)
	}
	if !slices.ContainsFunc(s.Nodes, func(n NodeInfo) bool { return n.Self }) {
		t.Errorf("no self in %+v", s.Nodes)
	}
	comes(t, "true", func() string { return fmt.Sprint(a.Stats().Marked) })
}

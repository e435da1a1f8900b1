package cluster_test

import (
	"bufio"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/registry/directory"
)

// Any node takes any push; the one that holds the key delivers; the verdict is its own.
func TestPushToTheWrongNode(t *testing.T) {
	t.Parallel()
	_, nodes := newCluster(t, 3)
	a, b, c := nodes[0], nodes[1], nodes[2]
	s := b.sub("alice")
	if s.pending {
		t.Error("the head came before the claim, with the store at hand")
	}
	for _, at := range nodes {
		v := at.push("alice", "from "+at.name)
		if v.status != 200 || v.Delivered != 1 || v.Node != "b" {
			t.Errorf("push to %s: %+v", at.name, v)
		}
		s.hears(t, "from "+at.name)
	}
	if v := c.push("bob", "x"); v.status != 404 || v.Node != "c" {
		t.Errorf("a key that nobody holds: %+v", v)
	}
	if v := a.ask("GET", "/push/alice", ""); v.status != 200 || v.Connections != 1 || !slices.Equal(v.Nodes, []string{"b"}) {
		t.Errorf("presence: %+v", v)
	}
	if v := a.ask("DELETE", "/push/alice", ""); v.status != 200 || v.Closed != 1 {
		t.Errorf("DELETE: %+v", v)
	}
	a.until("the client has been sent away", func() bool {
		_, open := <-s.heard
		return !open
	})
	if v := a.push("alice", "x"); v.status != 404 {
		t.Errorf("after it left: %+v", v)
	}
}

// Several nodes may hold one key: a push reaches all of them, once each, and the verdict adds up.
func TestGroupOverNodes(t *testing.T) {
	t.Parallel()
	_, nodes := newCluster(t, 3)
	var members []*subscriber
	for i := range 12 {
		members = append(members, nodes[i%3].sub("group:news"))
	}
	for _, at := range nodes {
		v := at.push("group:news", "hello")
		if v.status != 200 || v.Delivered != 12 || !slices.Equal(v.Nodes, []string{"a", "b", "c"}) && at.name == "a" || len(v.Nodes) != 3 {
			t.Errorf("push to %s: %+v", at.name, v)
		}
	}
	v := nodes[1].ask("POST", "/push?all", "everybody")
	if v.status != 200 || v.Delivered != 12 {
		t.Errorf("all: %+v", v)
	}
	for _, m := range members {
		for range 3 {
			m.hears(t, "hello")
		}
		m.hears(t, "everybody")
		m.silent(t)
	}
}

// A client that moves is found where it is as soon as it is told that it is subscribed.
func TestClientMoves(t *testing.T) {
	t.Parallel()
	_, nodes := newCluster(t, 3)
	s := nodes[0].sub("rover")
	for i := range 60 {
		next := nodes[(i+1)%3].sub("rover")
		s.cancel()
		text := fmt.Sprintf("message %d", i)
		v := nodes[(i+2)%3].push("rover", text)
		if v.status != 200 || v.Delivered < 1 || next.pending {
			t.Fatalf("move %d: %+v, pending %v", i, v, next.pending)
		}
		next.hears(t, text)
		s = next
	}
}

// Messages to one key, sent through one node, arrive in the order in which they were sent: also when the first of them
// waits for the directory.
func TestOrderThroughAnotherNode(t *testing.T) {
	t.Parallel()
	_, nodes := newCluster(t, 2)
	s := nodes[1].sub("k")
	var body strings.Builder
	const n = 2000
	for i := range n {
		fmt.Fprintf(&body, "{\"key\":\"k\",\"data\":\"%d\"}\n", i)
	}
	resp, err := http.Post(nodes[0].publish+"/push", "application/x-ndjson", strings.NewReader(body.String()))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := 0
	for r := bufio.NewScanner(resp.Body); r.Scan(); lines++ {
		if !strings.Contains(r.Text(), `"status":200`) || !strings.Contains(r.Text(), `"node":"b"`) {
			t.Fatalf("verdict %s", r.Text())
		}
	}
	if lines != n {
		t.Errorf("%d verdicts for %d items", lines, n)
	}
	for i := range n {
		s.hears(t, fmt.Sprint(i))
	}
}

// "A publisher's retry with the same Push-Id within a window is delivered once", through whichever node it comes.
func TestRetryThroughOtherNodes(t *testing.T) {
	t.Parallel()
	_, nodes := newCluster(t, 3)
	s := nodes[2].sub("k")
	first := nodes[0].push("k", "once", "Push-Id: 7")
	if first.status != 200 || first.Delivered != 1 {
		t.Errorf("first: %+v", first)
	}
	for _, at := range nodes {
		if v := at.push("k", "once", "Push-Id: 7"); v.status != 200 || v.Delivered != 0 || v.Duplicate != 1 || v.Node != "c" {
			t.Errorf("again through %s: %+v", at.name, v)
		}
	}
	s.hears(t, "once")
	s.silent(t)
}

// A generated key names its node: it is found through any other without a claim.
func TestGeneratedKeyThroughOtherNodes(t *testing.T) {
	t.Parallel()
	_, nodes := newCluster(t, 3)
	s := nodes[1].sub("")
	key := s.head.Get("Push-Key")
	s.hears(t, key) // the key event
	for _, at := range nodes {
		if v := at.push(key, "hello"); v.status != 200 || v.Delivered != 1 || v.Node != "b" {
			t.Errorf("through %s: %+v", at.name, v)
		}
		s.hears(t, "hello")
	}
	if claims := nodes[1].e.Nodes(); len(claims) != 3 {
		t.Errorf("%d nodes", len(claims))
	}
	// It moves with its client, by way of the directory.
	moved := nodes[2].sub(key)
	s.cancel()
	nodes[0].until("the key is only where its client went", func() bool {
		v := nodes[0].push(key, "moved")
		return v.status == 200 && v.Node == "c"
	})
	moved.hears(t, "moved")
}

// With the store gone, who is here is served, who is elsewhere is found by asking everybody, and nobody is never claimed.
func TestStoreGone(t *testing.T) {
	t.Parallel()
	_, nodes := newCluster(t, 3)
	a, b, c := nodes[0], nodes[1], nodes[2]
	here, there := a.sub("here"), b.sub("there")
	for _, at := range nodes {
		at.store.cut.Store(true)
	}
	late := c.sub("late")
	if !late.pending {
		t.Error("a head says that its claim stands, with the store gone")
	}
	f := func(at *node, s *subscriber, key string) {
		t.Helper()
		if v := at.push(key, "m"); v.status != 200 || v.Delivered != 1 {
			t.Errorf("%s through %s: %+v", key, at.name, v)
		}
		s.hears(t, "m")
	}
	check := func() {
		t.Helper()
		for _, at := range nodes {
			f(at, here, "here")
			f(at, there, "there")
			f(at, late, "late")
			if v := at.push("nobody", "m"); v.status != 503 || v.Unreached == 0 || v.retry == "" {
				t.Errorf("nobody through %s: %+v", at.name, v)
			}
		}
	}
	check()
	time.Sleep(2 * lease) // every lease runs out
	check()
	for _, at := range nodes {
		at.store.cut.Store(false)
	}
	for _, at := range nodes {
		at.until("certainty is back", func() bool { return at.push("nobody", "m").status == 404 })
	}
	f(a, late, "late")
	for _, s := range []*subscriber{here, there, late} {
		s.silent(t)
	}
}

// One node that is cut from the store is found, finds others, and says that its new claims do not stand.
func TestNodeCutFromStore(t *testing.T) {
	t.Parallel()
	_, nodes := newCluster(t, 3)
	a, b, c := nodes[0], nodes[1], nodes[2]
	old, other := b.sub("old"), c.sub("other")
	b.store.cut.Store(true)
	fresh := b.sub("fresh")
	f := func(at *node, key string, s *subscriber) {
		t.Helper()
		if v := at.push(key, key); v.status != 200 || v.Delivered != 1 {
			t.Errorf("%s through %s: %+v", key, at.name, v)
			return
		}
		s.hears(t, key)
	}
	if !fresh.pending {
		t.Error("a head says that its claim stands, with the store cut off")
	}
	a.until("others know that the node is behind", func() bool { return a.push("fresh", "probe").status == 200 })
	<-fresh.heard
	for range 3 {
		for _, at := range nodes {
			f(at, "old", old)
			f(at, "other", other)
		}
		f(a, "fresh", fresh)
		f(b, "fresh", fresh)
		time.Sleep(lease)
	}
	b.store.cut.Store(false)
	for _, at := range nodes {
		at.until("certainty is back", func() bool { return at.push("nobody", "m").status == 404 })
	}
	f(c, "fresh", fresh)
}

// A store that was emptied gives no certain answer until every node has claimed its keys again.
func TestStoreEmptied(t *testing.T) {
	t.Parallel()
	memory, nodes := newCluster(t, 3)
	var subs []*subscriber
	for i := range 30 {
		subs = append(subs, nodes[i%3].sub(fmt.Sprintf("k%d", i)))
	}
	memory.Wipe()
	end := time.Now().Add(2 * lease)
	delivered := 0
	for i := 0; time.Now().Before(end); i++ {
		v := nodes[i%3].push(fmt.Sprintf("k%d", i%30), "m")
		switch v.status {
		case 200:
			delivered++
		case 503:
		default:
			t.Fatalf("%+v", v)
		}
	}
	for i, s := range subs {
		if v := nodes[(i+1)%3].push(fmt.Sprintf("k%d", i), "last"); v.status != 200 {
			t.Errorf("k%d after two leases: %+v", i, v)
		}
		for text := range s.heard {
			if text == "last" {
				break
			}
			delivered--
		}
	}
	if delivered != 0 {
		t.Errorf("%d messages were counted as delivered and not heard, or heard twice", delivered)
	}
	for _, at := range nodes {
		at.until("certainty is back", func() bool { return at.push("nobody", "m").status == 404 })
	}
}

// A slow store delays pushes to other nodes, and nothing else.
func TestSlowStore(t *testing.T) {
	t.Parallel()
	_, nodes := newCluster(t, 2)
	a, b := nodes[0], nodes[1]
	here, there := a.sub("here"), b.sub("there")
	for _, at := range nodes {
		at.store.delay.Store(int64(300 * time.Millisecond))
	}
	began := time.Now()
	late := a.sub("late")
	if took := time.Since(began); took > 250*time.Millisecond || !late.pending {
		t.Errorf("the head came after %v, pending %v", took, late.pending)
	}
	for _, s := range []struct {
		*subscriber
		key string
	}{{here, "here"}, {there, "there"}, {late, "late"}} {
		if v := a.push(s.key, "m"); v.status != 200 || v.Delivered != 1 {
			t.Errorf("%s: %+v", s.key, v)
		}
		s.hears(t, "m")
	}
}

// A node that stops in good order leaves nothing behind: its keys are nobody's at once.
func TestNodeLeaves(t *testing.T) {
	t.Parallel()
	_, nodes := newCluster(t, 3)
	a, b := nodes[0], nodes[1]
	b.sub("k")
	if v := a.push("k", "m"); v.status != 200 {
		t.Fatalf("%+v", v)
	}
	b.stop()
	if v := a.push("k", "m"); v.status != 404 && v.status != 503 {
		t.Errorf("right after: %+v", v)
	}
	a.until("its keys are nobody's", func() bool { return a.push("k", "m").status == 404 })
	moved := nodes[2].sub("k")
	if v := a.push("k", "m"); v.status != 200 || v.Node != "c" || v.Unreached != 0 {
		t.Errorf("after its client has moved: %+v", v)
	}
	moved.hears(t, "m")
}

// A node that joins later is known, and found, within moments.
func TestNodeJoinsLate(t *testing.T) {
	t.Parallel()
	memory, nodes := newCluster(t, 2)
	c := join(t, memory, "c")
	s := c.sub("k")
	nodes[0].until("the new node's key is found", func() bool { return nodes[0].push("k", "m").status == 200 })
	s.hears(t, "m")
	c.until("it finds others", func() bool { return c.settled(3) })
	other := nodes[1].sub("other")
	if v := c.push("other", "m"); v.status != 200 || v.Node != "b" {
		t.Errorf("%+v", v)
	}
	other.hears(t, "m")
}

// A claim that outlived its key in the store, as after a failover that lost its removal, is put right by the first push
// that it leads astray.
func TestStaleClaimIsRepaired(t *testing.T) {
	t.Parallel()
	memory, nodes := newCluster(t, 2)
	a, b := nodes[0], nodes[1]
	var self directory.Instance
	for _, n := range b.e.Nodes() {
		if n.Self {
			self = n.Instance
		}
	}
	store, stale := memory.Join(), directory.Hash{}
	b.sub("k")
	owners := func() directory.Owners {
		found := make([]directory.Found, 1)
		store.Lookup(t.Context(), []directory.Hash{stale}, true, found)
		return found[0].Owners
	}
	stale = directory.NewHasher(secret).Sum([]byte("gone"))
	store.Claim(t.Context(), self, []directory.Change{{Hash: stale, Held: true}})
	if len(owners()) != 1 {
		t.Fatal("no stale claim")
	}
	if v := a.push("gone", "m"); v.status != 404 {
		t.Errorf("%+v", v)
	}
	a.until("the claim is gone", func() bool { return len(owners()) == 0 })
}

// A client that has moved is found through the node that it left, whose claim lingers.
func TestFoundThroughTheNodeThatWasLeft(t *testing.T) {
	t.Parallel()
	_, nodes := newCluster(t, 2)
	a, b := nodes[0], nodes[1]
	for i := range 30 {
		key := fmt.Sprintf("k%d", i)
		s := a.sub(key)
		if v := a.push(key, "m"); v.status != 200 { // a's own claim is kept now
			t.Fatalf("%+v", v)
		}
		s.cancel()
		next := b.sub(key)
		if v := a.push(key, "moved"); v.status != 200 {
			t.Errorf("%s: %+v, pending %v", key, v, next.pending)
		}
	}
}

// A generated key whose maker cannot be asked is looked up like any other: its client may have moved.
func TestGeneratedKeyOfAnUnknownNode(t *testing.T) {
	t.Parallel()
	_, nodes := newCluster(t, 2)
	a, b := nodes[0], nodes[1]
	stranger := join(t, directory.NewMemory(), "x") // of another cluster that has the secret
	key := stranger.sub("").head.Get("Push-Key")
	s := b.sub(key)
	if v := a.push(key, "m"); v.status != 200 || v.Delivered != 1 || v.Node != "b" {
		t.Errorf("%+v", v)
	}
	s.hears(t, "m")
	if v := a.push(stranger.sub("").head.Get("Push-Key"), "m"); v.status != 503 || v.Unreached == 0 {
		t.Errorf("one that may be held by a node not heard of yet: %+v", v)
	}
}

// Who has left the node table has ended: its generated keys are nobody's at once, or whose clients have moved with them.
func TestGeneratedKeyOfANodeThatLeft(t *testing.T) {
	t.Parallel()
	_, nodes := newCluster(t, 3)
	a, b, c := nodes[0], nodes[1], nodes[2]
	kept, moved := b.sub("").head.Get("Push-Key"), b.sub("").head.Get("Push-Key")
	s := c.sub(moved)
	b.stop()
	a.until("the node is known to have left", func() bool { return len(a.e.Nodes()) == 2 })
	time.Sleep(lease / 5)
	if v := a.push(kept, "m"); v.status != 404 {
		t.Errorf("a key of a node that left: %+v", v)
	}
	if v := a.push(moved, "m"); v.status != 200 || v.Unreached != 0 {
		t.Errorf("one that moved: %+v", v)
	}
	s.hears(t, "m")
}

// Nodes with different secrets hash keys differently and cannot find each other's: none of them says that there is nobody.
func TestAnotherSecret(t *testing.T) {
	t.Parallel()
	memory, nodes := newCluster(t, 2)
	a := nodes[0]
	odd := joinWith(t, memory, "odd", []byte("quite another secret"))
	a.until("the node is seen", func() bool { return len(a.e.Nodes()) == 3 })
	odd.sub("k")
	a.until("a doubts", func() bool { return a.push("k", "m").status == 503 })
	odd.until("the odd one doubts", func() bool { return odd.push("nobody", "m").status == 503 })
	if err := odd.e.Ready(); err == nil || !strings.Contains(err.Error(), "--cluster-secret-file") {
		t.Errorf("the odd one is ready: %v", err)
	}
	if err := a.e.Ready(); err != nil {
		t.Errorf("one of two with the same secret is not ready: %v", err)
	}
	here := nodes[1].sub("here")
	if v := a.push("here", "m"); v.status != 200 {
		t.Errorf("among those with the same secret: %+v", v)
	}
	here.hears(t, "m")
}

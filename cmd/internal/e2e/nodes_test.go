package e2e

import (
	"regexp"
	"strings"
	"testing"

	"holdfast/cmd/internal/metrics"
)

// The nodes of a cluster, their leases and links, are seen over HTTP, from the command line and in the metrics.
func TestOperatorsSeeTheCluster(t *testing.T) {
	t.Parallel()
	_, nodes := gather(t, "a", "b", "c")
	a, b := nodes[0], nodes[1]
	b.subscribe(t, "sse", "alice")
	a.held(t, "alice", 1)
	for range 3 {
		if v := verdicts(t, curled(t, a.publish+"/push/alice", "-d", "x"))[0]; v.Delivered != 1 {
			t.Errorf("%+v", v)
		}
	}
	list := a.cluster(t)
	if len(list.Nodes) != 3 || list.Nodes[0].Name != "a" || !list.Nodes[0].Self || list.Nodes[1].Name != "b" || list.Lease != "3s" || len(list.Remarks) != 0 {
		t.Errorf("%+v", list)
	}
	instances := map[string]bool{}
	for i, n := range list.Nodes {
		instances[n.Instance] = true
		if len(n.Instance) != 16 || !strings.HasPrefix(n.Address, "127.0.0.1:") || !strings.HasPrefix(n.Release, "holdfast ") || (i > 0) != (n.SentBytes > 0) {
			t.Errorf("%+v", n)
		}
	}
	if len(instances) != 3 {
		t.Errorf("instances %v", instances)
	}

	f := func(d *daemon, want string, args ...string) {
		t.Helper()
		if code, said := d.ask(t, args...); code != 0 || !regexp.MustCompile(want).MatchString(said) {
			t.Errorf("%q: exit %d: %s, want %s", args, code, said, want)
		}
	}
	f(a, `(?m)^NODE  INSTANCE          ADDRESS +LEASE  CLAIMS    LINK  `, "nodes")
	f(a, `(?m)^a     [0-9a-f]{16}  127\.0\.0\.1:\d+ +live   complete  self  `, "nodes")
	f(a, `(?m)^b     [0-9a-f]{16}  127\.0\.0\.1:\d+ +live   complete  up `, "nodes")
	f(a, `^\{"name":"a",.*\n\{"name":"b",.*"link":"up",.*\n\{"name":"c",.*\}\n$`, "nodes", "--json")
	f(a, `(?s)^alice has 0 holders on this node; claimed by b\n`, "keys", "alice")
	f(b, `(?s)^alice has 1 holders on this node; claimed by b\n.* sse .* alice\n$`, "keys", "alice")
	f(a, `(?m)^Cluster      nodes 3 live of 3   links 2 up of 2   forwards .*, complete$`, "top", "--frames", "1", "--every", "100ms")
	if code, said := a.ask(t, "keys", "nobody"); code != 1 || !strings.Contains(said, "nobody holds this key") {
		t.Errorf("keys nobody: %d %s", code, said)
	}
	a.countsAsAsker(t)
	b.countsAsOwner(t)
}

func (d *daemon) countsAsAsker(t *testing.T) {
	t.Helper()
	m := d.metrics(t)
	f := func(least float64, name string, labels ...string) {
		t.Helper()
		if got := m.Sum(name, labels...); got < least || m[name] == nil {
			t.Errorf("%s %q is %v, want at least %v", name, labels, got, least)
		}
	}
	f(3, metrics.Nodes, "lease", "live")
	f(2, metrics.Links, "state", "up")
	f(3, metrics.Forwards, "way", "link")
	f(3, "holdfast_cluster_pushes_total")
	f(1, metrics.Lookups, "from", "server")
	f(1, "holdfast_beats_total", "result", "answered")
	f(1, "holdfast_directory_marked")
	f(1, "holdfast_link_sent_bytes_total", "peer", "b")
	f(0, "holdfast_link_in_flight", "peer", "c")
	f(1, metrics.DirectorySeconds+"_count", "call", "lookup")
	if age := m.Sum(metrics.LastBeat); age <= 0 || age > 60 {
		t.Errorf("the last beat is %v s old", age)
	}
	if m.Sum(metrics.Behind) != 0 || m.Sum("holdfast_cluster_trouble_total") != 0 || m.Sum("holdfast_nodes_behind") != 0 {
		t.Errorf("trouble in a sound cluster: behind %v, trouble %v, nodes behind %v",
			m.Sum(metrics.Behind), m.Sum("holdfast_cluster_trouble_total"), m.Sum("holdfast_nodes_behind"))
	}
}

func (d *daemon) countsAsOwner(t *testing.T) {
	t.Helper()
	m := d.metrics(t)
	if claims, served, errands := m.Sum(metrics.Claims, "result", "acknowledged"), m.Sum("holdfast_served_total", "as", "owner"),
		m.Sum("holdfast_errands_total"); claims < 1 || served < 3 || errands != served {
		t.Errorf("%v claims, %v requests served, %v errands", claims, served, errands)
	}
}

// A node that drains takes its claims and its lease with it: nothing is left of it in the directory or with the others,
// and its clients' next node is found at once.
func TestNodeThatDrainsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	store, nodes := gather(t, "a", "b")
	a, b := nodes[0], nodes[1]
	c := curl(t, a.public+"/sub/alice?mode=sse")
	b.held(t, "alice", 1)
	if rows, leases := store.CLI("HLEN", "{hf}:nodes"), store.CLI("ZCARD", "{hf}:leases"); rows != "2" || leases != "2" {
		t.Errorf("%s rows and %s leases of two nodes", rows, leases)
	}
	if claims := store.CLI("KEYS", "hf:k:*"); strings.Count(claims, "hf:k:") != 1 || strings.Contains(claims, "alice") {
		t.Errorf("claims: %q", claims)
	}
	a.stop(t)
	if c.wait(t) != 0 {
		t.Errorf("the client was left with %s%s", &c.out, &c.errs)
	}
	if claims, rows, leases := store.CLI("KEYS", "hf:k:*"), store.CLI("HLEN", "{hf}:nodes"), store.CLI("ZCARD", "{hf}:leases"); claims != "" || rows != "1" || leases != "1" {
		t.Errorf("left behind: claims %q, %s rows, %s leases", claims, rows, leases)
	}
	if got := curled(t, "-w", "%{http_code}", b.publish+"/push/alice", "-d", "x"); !strings.HasSuffix(got, "404") {
		t.Errorf("right after the drain: %s", got)
	}
	b.knows(t, 1)
	again := curl(t, b.public+"/sub/alice?mode=sse")
	b.held(t, "alice", 1)
	if v := b.push(t, "alice", []byte("back")); v.Delivered != 1 {
		t.Errorf("%+v", v)
	}
	again.awaits(t, "data: back\n")
}

func TestNodesOfADaemonThatIsAlone(t *testing.T) {
	t.Parallel()
	d := serve(t)
	if list := d.cluster(t); list.Cluster || len(list.Nodes) != 0 {
		t.Errorf("%+v", list)
	}
	if code, said := d.ask(t, "nodes"); code != 0 || said != "holdfast: this node is alone: it was started without --directory\n" {
		t.Errorf("exit %d: %s", code, said)
	}
}

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"holdfast/cmd/internal/admin"
	"holdfast/registry/directory/redistest"
)

// gather starts a Redis and nodes with these names around it, and waits until each of them is sure of the others.
func gather(t *testing.T, names ...string) (*redistest.Server, []*daemon) {
	t.Helper()
	store := redistest.Start(t, redistest.Options{})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("known to all nodes, and to nobody else\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nodes := make([]*daemon, len(names))
	for i, name := range names {
		nodes[i] = serve(t, "--node", name, "--peer-listen", "127.0.0.1:0", "--directory", "redis://"+store.Addr(),
			"--cluster-secret-file", secret, "--lease", "3s", "--claim-linger", "50ms", "--claim-wait", "5s")
	}
	for _, d := range nodes {
		d.knows(t, len(names))
	}
	return store, nodes
}

// cluster is what a node says of its cluster.
func (d *daemon) cluster(t *testing.T) (list admin.NodeList) {
	t.Helper()
	status, body := get(t, d.admin+"/v1/nodes")
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 {
		t.Fatalf("/v1/nodes: %d %s, %v", status, body, err)
	}
	return list
}

// knows waits until a node has links to all nodes of a cluster of this size, and is sure of what the directory says.
func (d *daemon) knows(t *testing.T, size int) {
	t.Helper()
	var list admin.NodeList
	sure := func() bool {
		list = d.cluster(t)
		sure := list.Marked && list.Current && len(list.Nodes) == size
		for _, n := range list.Nodes {
			sure = sure && n.Lease == "live" && n.Claims == "complete" && (n.Link == "up" || n.Self)
		}
		return sure
	}
	together := false
	for range 2 { // a new cluster takes two leases
		together = together || eventually(sure)
	}
	if !together {
		t.Fatalf("the cluster never came together: %+v: %s", list, &d.errs)
	}
}

// far is a verdict with what only a cluster puts there.
type far struct {
	verdict
	Node      string
	Nodes     []string
	Closed    int
	Unreached int
	Unknown   int
	Duplicate int
}

// verdicts reads one verdict, an array of them, or lines, whatever a publisher got.
func verdicts(t *testing.T, text string) (all []far) {
	t.Helper()
	if json.Unmarshal([]byte(text), &all) == nil {
		return all
	}
	for _, line := range splitLines(text) {
		var v far
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, v)
	}
	return all
}

package chaos

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"holdfast/registry/directory"
)

// node is one daemon of the cluster, on a host of its own. A new life has the same name and another instance.
type node struct {
	*process
	t                      *testing.T
	name                   string
	public, publish, admin string // HOST:PORT
	peer                   string
	lives                  int
}

// newNode prepares a daemon; begin starts it.
func newNode(t *testing.T, h *host, directory, secret string, lease time.Duration, flags ...string) *node {
	t.Helper()
	n := &node{
		t: t, name: h.name,
		public: h.addr + ":8080", publish: h.addr + ":8081", admin: h.addr + ":8082", peer: h.addr + ":8083",
	}
	args := []string{
		os.Getenv(programVar), "serve", "--node", n.name, "--listen", n.public, "--publish-listen", n.publish,
		"--admin-listen", n.admin, "--peer-listen", n.peer, "--directory", directory, "--cluster-secret-file", secret,
		"--lease", lease.String(), "--loops", "2", "--drain-pace", "500ms",
	}
	n.process = newProcess(t, h, t.TempDir(), nil, append(args, flags...)...)
	return n
}

// begin starts a life of the daemon and waits until it serves.
func (n *node) begin() {
	n.t.Helper()
	n.lives++
	n.start(n.t)
	if !eventually(func() bool { return n.said("holdfast: ready\n") == n.lives || !n.alive() }) || !n.alive() {
		n.t.Fatalf("%s is not ready: %s", n.name, n.lastWords(20))
	}
}

// drain tells the daemon to end as an operator does, and waits until it has.
func (n *node) drain() {
	n.t.Helper()
	n.signal(syscall.SIGTERM)
	if !eventually(func() bool { return !n.alive() }) {
		n.t.Errorf("%s does not end: %s", n.name, n.lastWords(20))
	}
	n.kill()
}

// isWell wants the daemon to run, and never to have said what only a defect says.
func (n *node) isWell() {
	n.t.Helper()
	if !n.alive() {
		n.t.Errorf("%s has ended by itself", n.name)
	}
	for _, cry := range []string{"DATA RACE", "panic:", "fatal error:", "goroutine "} {
		if times := n.said(cry); times > 0 {
			n.t.Errorf("%s said %q %d times:\n%s", n.name, cry, times, n.lastWords(40))
		}
	}
}

// get asks the admin listener and decodes its answer.
func (n *node) get(path string, into any) error {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + n.admin + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s: %s", n.admin, path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// instance is the number of the daemon's present life.
func (n *node) instance() (directory.Instance, error) {
	var all struct {
		Nodes []struct {
			Name, Instance string
			Self           bool
		}
	}
	if err := n.get("/v1/nodes", &all); err != nil {
		return 0, err
	}
	for _, row := range all.Nodes {
		if row.Name == n.name && row.Self {
			id, err := strconv.ParseUint(row.Instance, 16, 64)
			return directory.Instance(id), err
		}
	}
	return 0, fmt.Errorf("%s does not list itself", n.name)
}

// writeSecret makes the file that all nodes of a cluster share.
func writeSecret(t *testing.T) (file string, secret []byte) {
	t.Helper()
	secret = []byte("a secret of thirty-two characters")
	file = filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, append(secret, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, secret
}

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"holdfast/cmd/internal/metrics"
)

// daemon is a node that serves on ports of its own.
type daemon struct {
	*process
	public, publish, admin string // host:port
}

// anywhere are addresses that clash with nobody's, and a drain that keeps no test waiting.
var anywhere = []string{
	"serve", "--loops", "2", "--listen", "127.0.0.1:0", "--publish-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
	"--drain-timeout", "3s", "--drain-pace", "10ms",
}

// serve starts a node and waits until it is ready. At the end of the test it must drain and end well.
func serve(t *testing.T, args ...string) *daemon {
	t.Helper()
	return serveBy(t, nil, program, append(anywhere[:len(anywhere):len(anywhere)], args...)...)
}

// serveBy is serve with an environment, and with the program run by another one, such as prlimit.
func serveBy(t *testing.T, env []string, name string, args ...string) *daemon {
	t.Helper()
	d := &daemon{process: launch(t, env, name, args...)}
	t.Cleanup(func() { d.stop(t) })
	d.awaits(t, "holdfast: ready\n")
	d.public = d.address(t, "public listener on ")
	d.publish = d.address(t, "publish listener on ")
	d.admin = d.address(t, "admin listener on ")
	return d
}

func (d *daemon) address(t *testing.T, label string) string {
	t.Helper()
	_, rest, ok := strings.Cut(d.out.String(), label+"http://")
	if !ok {
		t.Fatalf("no %q in %s", label, &d.out)
	}
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

// stop ends the node as an operator does. A second call does nothing.
func (d *daemon) stop(t *testing.T) {
	t.Helper()
	select {
	case <-d.ended:
		return
	default:
	}
	d.terminate(t)
	if code := d.wait(t); code != 0 {
		t.Errorf("the node ended with %d: %s", code, &d.errs)
	}
}

// terminate asks the node to drain and end, or, the second time, to end at once.
func (d *daemon) terminate(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// ask runs a command of the program against the node and returns its exit code and what it printed.
func (d *daemon) ask(t *testing.T, args ...string) (int, string) {
	t.Helper()
	env := []string{"HOLDFAST_PUBLISH_URL=http://" + d.publish, "HOLDFAST_ADMIN_URL=http://" + d.admin}
	p := launch(t, env, program, args...)
	p.stdin.Close()
	code := p.wait(t)
	return code, p.out.String() + p.errs.String()
}

// verdict is the answer to a push.
type verdict struct {
	Status  int
	Index   int
	ID      string
	Reasons map[string]int

	Delivered, Pending, Dropped int
}

// push publishes one message to a key, encoded as in paths.
func (d *daemon) push(t *testing.T, key string, data []byte) verdict {
	t.Helper()
	resp, err := http.Post("http://"+d.publish+"/push/"+key, "text/plain", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var v verdict
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	v.Status = resp.StatusCode
	return v
}

// get asks a listener and returns status and body.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// holders is how many connections hold a key.
func (d *daemon) holders(t *testing.T, key string) int {
	t.Helper()
	status, body := get(t, d.publish+"/push/"+key)
	var there struct{ Connections int }
	if err := json.Unmarshal([]byte(body), &there); err != nil || (status == 200) != (there.Connections > 0) {
		t.Fatalf("GET /push/%s: %d %s %v", key, status, body, err)
	}
	return there.Connections
}

// held waits until a key has this many holders.
func (d *daemon) held(t *testing.T, key string, want int) {
	t.Helper()
	got := -1
	if !eventually(func() bool { got = d.holders(t, key); return got == want }) {
		t.Fatalf("%s has %d holders, want %d", key, got, want)
	}
}

// metrics reads the node's numbers.
func (d *daemon) metrics(t *testing.T) metrics.Samples {
	t.Helper()
	_, text := get(t, d.admin+"/metrics")
	all, err := metrics.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// freeRange finds ports that nobody has now, for a script that wants neighbours. They lie below those that the kernel
// gives to clients.
func freeRange(t *testing.T, n int) int {
	t.Helper()
	for range 50 {
		first, free := 12000+rand.IntN(20000-n), true
		for port := first; port < first+n && free; port++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if free = err == nil; free {
				l.Close()
			}
		}
		if free {
			return first
		}
	}
	t.Fatalf("no %d free ports in a row", n)
	return 0
}

// `make cluster` prints what to do; here it is done, line by line.
func TestClusterCommandKeepsItsWord(t *testing.T) {
	t.Parallel()
	tree := t.TempDir() // where the script finds our executable as its own
	for _, dir := range []string{".ci", "bin"} {
		if err := os.Mkdir(filepath.Join(tree, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile("../../../.ci/cluster")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, ".ci/cluster"), script, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(tree, "bin/holdfast")); err != nil {
		t.Fatal(err)
	}
	cluster := launch(t, []string{fmt.Sprint("FIRST=", freeRange(t, 31)), "TMPDIR=" + tree}, filepath.Join(tree, ".ci/cluster"))
	cluster.awaits(t, "cluster: ready")
	var todo []string
	for line := range strings.Lines(cluster.out.String()) {
		if command, ok := strings.CutPrefix(line, "  "); ok {
			todo = append(todo, strings.TrimSpace(command))
		}
	}
	if len(todo) != 6 {
		t.Fatalf("%d commands, want 6: %q", len(todo), todo)
	}
	shell := func(line string) *process {
		return launch(t, nil, "sh", "-c", "cd "+tree+" && exec "+line)
	}
	subscribe := func(line string) *process {
		p := shell(line + " -s -v")
		if !p.warns("200 OK") {
			t.Fatalf("%s: %s", line, &p.errs)
		}
		return p
	}
	push := func(line string) {
		t.Helper()
		p := shell(line + " -s")
		if p.wait(t); !strings.Contains(p.out.String(), `"delivered":1,`) {
			t.Errorf("%s: %s%s", line, &p.out, &p.errs)
		}
	}

	onA := subscribe(todo[0])
	push(todo[1])
	onA.awaits(t, "data: hello\n")
	nodes := shell(todo[2])
	if nodes.wait(t) != 0 || strings.Count(nodes.out.String(), "\n") < 3 {
		t.Errorf("%s: %s%s", todo[2], &nodes.out, &nodes.errs)
	}
	shell("sh -c '" + todo[3] + "'").wait(t)
	onA.wait(t) // its node is gone
	onB := subscribe(todo[4])
	push(todo[5])
	onB.awaits(t, "data: again\n")

	if err := cluster.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := cluster.wait(t); code != 0 {
		t.Errorf("exit code %d: %s", code, &cluster.errs)
	}
	if !eventually(func() bool { return len(left(t, tree)) == 0 }) {
		t.Errorf("still there after Ctrl-C: %q", left(t, tree))
	}
}

// left are command lines of processes that work in, or were started from, a directory.
func left(t *testing.T, dir string) (all []string) {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range found {
		if at, err := os.Readlink(link); err == nil && strings.HasPrefix(at, dir) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(link), "cmdline"))
			all = append(all, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return all
}

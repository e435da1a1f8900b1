package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func newStore(t *testing.T) *store {
	t.Helper()
	s, err := startStore(0, "redis-server", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

func TestStoreIsAsked(t *testing.T) {
	s := newStore(t)
	f := func(command, want, trouble string) {
		t.Helper()
		got, err := s.ask(command)
		if got != want || (err == nil) != (trouble == "") || err != nil && !strings.Contains(err.Error(), trouble) {
			t.Errorf("%s: %q, %v; want %q, %q", command, got, err, want, trouble)
		}
	}
	f("SET a one", "OK", "")
	f("GET a", "one", "")
	f("STRLEN a", "3", "")
	f("GET b", "", "no text")
	f("NONSENSE", "", "unknown command")
	f("PING", "PONG", "") // nothing was left behind
	before, err := s.memory()
	if err != nil {
		t.Fatal(err)
	}
	f("SETRANGE long 99999 x", "100000", "")
	memory, keys, err := s.size()
	if err != nil || keys != 2 || memory-before < 100_000 || memory-before > 300_000 {
		t.Errorf("%d keys, %d bytes more, %v", keys, memory-before, err)
	}
}

func TestStoreIsAwaited(t *testing.T) {
	s := newStore(t)
	asked := 0
	if err := s.awaitKeys(t.Context(), func(n int) bool { asked++; return asked == 3 && n == 0 }); err != nil || asked != 3 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.awaitKeys(ctx, func(int) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.conn.Close()
	if err := s.awaitKeys(t.Context(), func(int) bool { return false }); err == nil {
		t.Error("a connection that is closed goes unnoticed")
	}
}

// A process that runs can be moved to another CPU, with all its threads.
func TestMoveProcess(t *testing.T) {
	all, err := divide()
	if err != nil {
		t.Fatal(err)
	}
	defer all.restore()
	s := newStore(t)
	for _, cpu := range []int{all.server, all.client} {
		if err := moveProcess(s.pid(), single(cpu)); err != nil {
			t.Fatal(err)
		}
		var set unix.CPUSet
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", s.pid()))
		if err != nil || len(tasks) < 2 {
			t.Fatalf("%d threads, %v", len(tasks), err)
		}
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			if err := unix.SchedGetaffinity(tid, &set); err != nil || set != single(cpu) {
				t.Errorf("thread %d is on %d CPUs, %v", tid, set.Count(), err)
			}
		}
	}
	if err := moveProcess(1<<30, single(0)); err == nil {
		t.Error("a process that does not exist was moved")
	}
}

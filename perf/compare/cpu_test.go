package compare

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const spin = "while :; do :; done"

// What a process burns is counted finely, and that a sleeping one costs nothing too.
func TestSpent(t *testing.T) {
	before, err := spent(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var used unix.Rusage
	var at unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &at); err != nil {
		t.Fatal(err)
	}
	cpu := func(u *unix.Rusage) time.Duration { return time.Duration(u.Utime.Nano() + u.Stime.Nano()) }
	for cpu(&used)-cpu(&at) < 60*time.Millisecond {
		if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(5 * time.Millisecond) // a thread's account is exact once it has slept
	after, err := spent(os.Getpid())
	if got := after - before; err != nil || got < 45*time.Millisecond || got > 200*time.Millisecond {
		t.Errorf("60 ms are counted as %v, %v", got, err)
	}
	if _, err := spent(1 << 30); err == nil {
		t.Error("a process that does not exist has spent something")
	}
}

// Two who never sleep wait for each other on one CPU.
func TestWaited(t *testing.T) {
	a, err := launch(0, "/bin/sh", "-c", spin)
	if err != nil {
		t.Fatal(err)
	}
	defer a.stop()
	b, err := launch(0, "/bin/sh", "-c", spin)
	if err != nil {
		t.Fatal(err)
	}
	defer b.stop()
	if !eventually(func() bool { d, err := waited(a.pid()); return err == nil && d > 10*time.Millisecond }) {
		t.Error("it has not waited")
	}
}

func TestReady(t *testing.T) {
	f := func(script string, want bool) {
		t.Helper()
		p, err := launch(0, "/bin/sh", "-c", script)
		if err != nil {
			t.Fatal(err)
		}
		defer p.stop()
		if !eventually(func() bool { return ready(p.pid()) == want }) {
			t.Errorf("%q: ready is never %v", script, want)
		}
	}
	f(spin, true)
	f("sleep 60", false)
}

func TestSettledWaitsForTheEndOfWork(t *testing.T) {
	p, err := launch(0, "/bin/sh", "-c", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo done; sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	got, err := settled(p.pid())
	if err != nil || got < time.Millisecond || !strings.Contains(p.said(), "done") {
		t.Errorf("settled after %v with %q, %v", got, p.said(), err)
	}
}

// A program begins on the CPU that it is given, and whoever starts it stays where it was.
func TestStartOn(t *testing.T) {
	all, err := divide()
	if err != nil {
		t.Fatal(err)
	}
	defer all.restore()
	out := new(strings.Builder)
	cmd := exec.Command("/bin/sh", "-c", "grep Cpus_allowed_list /proc/self/status")
	cmd.Stdout = out
	if err := startOn(all.server, cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(out.String()); len(got) != 2 || got[1] != strconv.Itoa(all.server) {
		t.Errorf("it ran on %q, want %d", got, all.server)
	}
	var here unix.CPUSet
	if err := unix.SchedGetaffinity(0, &here); err != nil || here.Count() != 1 || !here.IsSet(all.client) {
		t.Errorf("this thread is on %d CPUs, %v", here.Count(), err)
	}
	all.restore()
	if err := unix.SchedGetaffinity(0, &here); err != nil || here != all.before {
		t.Errorf("not restored: %d CPUs, %v", here.Count(), err)
	}
}

func TestProcessThatWillNotStop(t *testing.T) {
	p, err := launch(0, "/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.await(func() bool { return strings.Contains(p.said(), "deaf") }); err != nil {
		t.Fatal(err)
	}
	p.patience = 50 * time.Millisecond
	p.stop()
	select {
	case <-p.ended:
	default:
		t.Error("it still runs")
	}
}

func TestMachine(t *testing.T) {
	if got := machine(); !strings.Contains(got, "Linux ") || !strings.Contains(got, "go1.") || strings.Contains(got, "unknown") {
		t.Errorf("machine: %q", got)
	}
	if v, err := strconv.ParseFloat(loadAverage(), 64); err != nil || v < 0 {
		t.Errorf("load %v, %v", v, err)
	}
}

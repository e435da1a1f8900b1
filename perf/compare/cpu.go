package compare

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpus says who runs where. With a single CPU everybody shares it.
type cpus struct {
	before         unix.CPUSet // of this process, to be restored
	client, server int
}

// divide moves this process to the first CPU that it may use, and keeps the last for the servers.
func divide() (cpus, error) {
	var c cpus
	if err := unix.SchedGetaffinity(0, &c.before); err != nil {
		return c, fmt.Errorf("which CPUs may be used: %w", err)
	}
	c.client = -1
	for i := range len(c.before) * 64 {
		if !c.before.IsSet(i) {
			continue
		}
		if c.client < 0 {
			c.client = i
		}
		c.server = i
	}
	return c, moveAll(single(c.client))
}

func (c *cpus) apart() bool { return c.client != c.server }

func (c *cpus) restore() { _ = moveAll(c.before) } // it was allowed before

func single(cpu int) (set unix.CPUSet) {
	set.Set(cpu)
	return set
}

// moveAll moves every thread of this process; new ones follow the thread that starts them. Twice, for those that a thread
// not yet moved has just started.
func moveAll(set unix.CPUSet) error { return moveProcess(os.Getpid(), set) }

// moveProcess moves every thread of a process.
func moveProcess(pid int, set unix.CPUSet) error {
	for range 2 {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return err
		}
		for _, t := range tasks {
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(tid, &set); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// startOn starts a program on one CPU: it inherits the place of the thread that starts it, from its first instruction on,
// so that it also counts that one CPU when it sizes itself.
func startOn(cpu int, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var here unix.CPUSet
	if err := unix.SchedGetaffinity(0, &here); err != nil {
		return err
	}
	there := single(cpu)
	if err := unix.SchedSetaffinity(0, &there); err != nil {
		return err
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &here))
}

// spent is the time that a process's threads were on a CPU, to the nanosecond where they sleep; /proc/PID/stat counts the
// same in steps of 10 ms.
func spent(pid int) (time.Duration, error) { return schedstat(pid, 0) }

// waited is the time that they were ready and had no CPU: where others take it, latencies are not the server's own.
func waited(pid int) (time.Duration, error) { return schedstat(pid, 1) }

// schedstat adds up a field of a process's threads, in ns (the kernel's Documentation/scheduler/sched-stats.rst).
func schedstat(pid, field int) (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	if len(tasks) == 0 {
		return 0, fmt.Errorf("process %d has ended, or the kernel keeps no schedstat", pid)
	}
	var sum time.Duration
	for _, name := range tasks {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // a thread that has ended since
		}
		fields := bytes.Fields(b)
		if len(fields) <= field {
			return 0, fmt.Errorf("%s cannot be understood: %q", name, b)
		}
		ns, err := strconv.ParseInt(string(fields[field]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

const (
	quietFor  = 20 * time.Millisecond
	quietCost = 200 * time.Microsecond // of CPU in that time: timers, no work
	quietWait = 3 * time.Second
)

// settled waits until a process has nothing left to do, and returns what it has spent by then.
func settled(pid int) (time.Duration, error) {
	last, err := spent(pid)
	for begun := time.Now(); err == nil && time.Since(begun) < quietWait; {
		time.Sleep(quietFor)
		var now time.Duration
		if now, err = spent(pid); now-last < quietCost && !ready(pid) {
			return now, err
		}
		last = now
	}
	return last, err
}

// ready says whether a thread of the process is on a CPU or waits for one: on a busy machine that can take longer than
// quiet does, and its accounts stand still meanwhile. The state stands behind the name, which may hold anything
// (proc_pid_stat(5)).
func ready(pid int) bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid)) // the pattern is a good one
	for _, name := range tasks {
		b, err := os.ReadFile(name)
		if at := bytes.LastIndexByte(b, ')'); err == nil && bytes.HasPrefix(b[at+1:], []byte(" R")) {
			return true
		}
	}
	return false
}

// machine says where figures come from.
func machine() string {
	model := "unknown CPU"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(b), "model name"); ok {
			line, _, _ := strings.Cut(rest, "\n")
			model = strings.Join(strings.Fields(strings.TrimLeft(line, " \t:")), " ")
		}
	}
	var u unix.Utsname
	_ = unix.Uname(&u) // of what it is given, only a bad address could fail
	return fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), model, unix.ByteSliceToString(u.Release[:]), runtime.Version())
}

// loadAverage is the machine's over the last minute: above 1, somebody else was at work too.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := bytes.Cut(b, []byte{' '})
	return string(first)
}

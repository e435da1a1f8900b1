package chaos

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// Variables by which the process that builds tells the one inside the namespace.
const (
	programVar = "CHAOS_PROGRAM" // the daemon's executable
	shimVar    = "CHAOS_SHIM"    // the library that moves a server's clock
)

var buildFlags = []string{"build"}

// TestMain builds the daemon, then runs the tests in a process that has a network of its own.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(programVar) != "" {
		if err := flag.Set("test.parallel", fmt.Sprint(rowsAtOnce)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	code, err := buildAndEnter()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		code = 1
	}
	os.Exit(code)
}

func buildAndEnter() (int, error) {
	dir, err := os.MkdirTemp("", "holdfast-chaos-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "holdfast")
	build := exec.Command("go", append(buildFlags, "-o", program, "holdfast/cmd/holdfast")...)
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("go build: %w\n%s", err, out)
	}
	shim, err := buildShim(dir)
	if err != nil {
		return 1, err
	}

	// The kernel ends the inner process when the thread that started it ends: this one stays.
	runtime.LockOSThread()
	inner := exec.Command("/proc/self/exe", os.Args[1:]...)
	inner.Stdout, inner.Stderr = os.Stdout, os.Stderr
	inner.Env = append(inner.Environ(), programVar+"="+program, shimVar+"="+shim)
	inner.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		inner.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		inner.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		inner.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := inner.Start(); err != nil {
		return 1, fmt.Errorf("no network namespace (%w): run as root, or let users have namespaces: sysctl kernel.unprivileged_userns_clone=1", err)
	}
	err = inner.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

// shimSource moves the wall clock of a program that asks the C library for it, by the seconds that a file holds.
const shimSource = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile long long *shift;

__attribute__((constructor)) static void begin(void) {
	int fd = open(getenv("CLOCK_SHIFT"), O_RDONLY);
	shift = fd < 0 ? 0 : mmap(0, sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
}

static long long shifted(void) { return shift && shift != MAP_FAILED ? *shift : 0; }

int clock_gettime(clockid_t id, struct timespec *ts) {
	static int (*real)(clockid_t, struct timespec *);
	if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(id, ts);
	if (!r && id == CLOCK_REALTIME) ts->tv_sec += shifted();
	return r;
}

int gettimeofday(struct timeval *tv, void *zone) {
	struct timespec ts;
	int r = clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return r;
}

time_t time(time_t *t) {
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (t) *t = ts.tv_sec;
	return ts.tv_sec;
}
`

func buildShim(dir string) (string, error) {
	source, shim := filepath.Join(dir, "clock.c"), filepath.Join(dir, "clock.so")
	if err := os.WriteFile(source, []byte(shimSource), 0o600); err != nil {
		return "", err
	}
	if out, err := exec.Command("gcc", "-O1", "-shared", "-fPIC", "-o", shim, source, "-ldl").CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc (run `make deps`): %w\n%s", err, out)
	}
	return shim, nil
}

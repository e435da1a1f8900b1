package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// lifetime is the longest that any process of a test may live.
const lifetime = 90 * time.Second

// patience is how long a test waits for what should come at once: generous, because the machine may be busy.
const patience = 10 * time.Second

// transcript is what a process has said so far.
type transcript struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (s *transcript) Write(b []byte) (int, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.text.Write(b)
}

func (s *transcript) String() string {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.text.String()
}

// process is a program that runs beside the test and does not outlive it.
type process struct {
	cmd       *exec.Cmd
	out, errs transcript
	ended     chan struct{}
	err       error
	stdin     io.WriteCloser
}

// launch starts a program. It is killed at the end of the test, or after its lifetime, if it still runs.
func launch(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	return launchWith(t, nil, env, name, args...)
}

// launchWith is launch with files that the program finds at its descriptors from 3 on.
func launchWith(t *testing.T, files []*os.File, env []string, name string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), lifetime)
	p := &process{cmd: exec.CommandContext(ctx, name, args...), ended: make(chan struct{})}
	p.cmd.ExtraFiles = files
	p.cmd.Env = append(p.cmd.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errs
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		cancel()
		close(p.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	return p
}

// wait is the exit code of a process that ends by itself; -1 is a signal.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(3 * patience):
		t.Fatalf("%q goes on; so far: %s%s", p.cmd.Args, &p.out, &p.errs)
	}
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		t.Fatalf("%q: %v", p.cmd.Args, p.err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// awaits waits until the process has said something.
func (p *process) awaits(t *testing.T, text string) {
	t.Helper()
	if !eventually(func() bool { return strings.Contains(p.out.String(), text) }) {
		t.Fatalf("%q never said %q: %s%s", p.cmd.Args, text, &p.out, &p.errs)
	}
}

// warns says whether the process says something on its standard error, now or soon.
func (p *process) warns(text string) bool {
	return eventually(func() bool { return strings.Contains(p.errs.String(), text) })
}

// eventually tries until something is so, and says whether it ever was.
func eventually(holds func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return true
		}
	}
	return holds()
}

// curl starts curl as a user would, silent but for errors. What it gets is shown as it comes.
func curl(t *testing.T, args ...string) *process {
	t.Helper()
	return launch(t, nil, "curl", append([]string{"-sSN"}, args...)...)
}

// curled runs curl to its end and returns what it printed.
func curled(t *testing.T, args ...string) string {
	t.Helper()
	p := curl(t, args...)
	p.stdin.Close()
	if code := p.wait(t); code != 0 {
		t.Errorf("curl %q: exit %d: %s", args, code, &p.errs)
	}
	return p.out.String()
}

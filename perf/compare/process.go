package compare

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startWait = 10 * time.Second // for a server to be ready
	stopWait  = 5 * time.Second  // for it to end by itself
)

// process is one server's, with what it has printed.
type process struct {
	cmd      *exec.Cmd
	ended    chan struct{}
	patience time.Duration // for it to end by itself

	mu      sync.Mutex
	printed bytes.Buffer
}

// Write keeps what the process prints. The os/exec package calls it.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.printed.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.printed.String()
}

// launch starts a program on a CPU.
func launch(cpu int, name string, args ...string) (*process, error) {
	return launchReading(nil, cpu, name, args...)
}

// launchReading starts a program that reads what it is told; in may be nil.
func launchReading(in *os.File, cpu int, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), ended: make(chan struct{}), patience: stopWait}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if in != nil {
		p.cmd.Stdin = in
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for us, and we stop the whole group
	if err := startOn(cpu, p.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended matters only while it is needed, and then it is missed
		close(p.ended)
	}()
	return p, nil
}

// await waits until ready, which may look at what the process has said.
func (p *process) await(ready func() bool) error { return p.awaitFor(startWait, ready) }

func (p *process) awaitFor(patience time.Duration, ready func() bool) error {
	for begun := time.Now(); time.Since(begun) < patience; {
		if ready() {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s has ended: %s", p.cmd.Path, strings.TrimSpace(p.said()))
		case <-time.After(5 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s is not ready after %v: %s", p.cmd.Path, patience, strings.TrimSpace(p.said()))
}

// stop ends the process and those that it has started, by force if it must.
func (p *process) stop() {
	group := -p.pid()
	_ = syscall.Kill(group, syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(p.patience):
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-p.ended
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// address finds an address in what the process has said, behind a label.
func (p *process) address(label string) (netip.AddrPort, error) {
	_, rest, ok := strings.Cut(p.said(), label)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%s does not say %q", p.cmd.Path, label)
	}
	line, _, _ := strings.Cut(rest, "\n")
	return netip.ParseAddrPort(strings.TrimSpace(line))
}

// freePort finds an address for a program that cannot choose one itself. Nobody keeps it free until then.
func freePort() (netip.AddrPort, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.MustParseAddrPort(l.Addr().String()), l.Close()
}

// answers reports whether anybody listens there.
func answers(at netip.AddrPort) bool {
	c, err := net.DialTimeout("tcp", at.String(), time.Second)
	if err != nil {
		return false
	}
	return c.Close() == nil
}

// exists tells a file that is there from one that is not, or cannot be reached.
func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil || !errors.Is(err, os.ErrNotExist)
}

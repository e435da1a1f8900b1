package chaos

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// logsVar names a directory in which what processes say is kept after the tests.
const logsVar = "CHAOS_LOGS"

// process is a program on a host that can be started, stopped in its tracks, killed, and started again.
type process struct {
	host *host
	args []string
	env  []string
	log  string // file, for all its lives

	lock  sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
}

// newProcess prepares a program; it is killed at the end of the test, whatever its state.
func newProcess(t *testing.T, h *host, dir string, env []string, args ...string) *process {
	t.Helper()
	p := &process{host: h, args: args, env: env, log: filepath.Join(logs(t, dir), filepath.Base(args[0])+"-"+h.name+".log")}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s on %s said last:\n%s", filepath.Base(args[0]), h.name, p.lastWords(12))
		}
	})
	return p
}

func logs(t *testing.T, dir string) string {
	t.Helper()
	if kept := os.Getenv(logsVar); kept != "" {
		dir = filepath.Join(kept, t.Name(), filepath.Base(dir))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// start begins a life of the program.
func (p *process) start(t *testing.T) {
	t.Helper()
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	line := p.host.within(p.args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(cmd.Environ(), p.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%q: %v (run `make deps`)", line, err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed more often than not
		close(ended)
	}()
	p.lock.Lock()
	defer p.lock.Unlock()
	p.cmd, p.ended = cmd, ended
}

// kill ends the program as kill -9 does, and waits until it is gone. A program that is not running stays so.
func (p *process) kill() {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		<-p.ended
		p.cmd = nil
	}
}

// signal sends a signal: SIGSTOP, SIGCONT, SIGTERM.
func (p *process) signal(s syscall.Signal) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

// alive says whether the program runs, stopped or not.
func (p *process) alive() bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// said is how often a text is in what the program has written.
func (p *process) said(text string) int {
	all, err := os.ReadFile(p.log)
	if err != nil {
		return 0
	}
	return strings.Count(string(all), text)
}

func (p *process) lastWords(lines int) string {
	all, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	words := strings.Split(strings.TrimRight(string(all), "\n"), "\n")
	return strings.Join(words[max(0, len(words)-lines):], "\n")
}

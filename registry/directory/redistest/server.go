package redistest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds each wait for a server. The machine may be busy with much else.
const patience = 20 * time.Second

// Options say what is not as usual with a server.
type Options struct {
	Args     []string // of redis-server, as "--maxmemory", "100mb"
	Password string   // of the default user
	Persist  bool     // contents outlive a Kill and a Restart
	TLS      bool     // and nothing else, on the only port
}

// Server is a process of redis-server or redis-sentinel.
type Server struct {
	t        testing.TB
	port     int
	dir      string
	args     []string
	password string
	tls      *tls.Config

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has been waited for
}

// Start runs a server and waits until it answers.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := newServer(t)
	s.password = o.Password
	s.args = []string{"redis-server", "--bind", "127.0.0.1", "--dir", s.dir, "--save", ""}
	if o.Persist {
		s.args = append(s.args, "--appendonly", "yes", "--appendfsync", "always") // else writes may wait behind a sync
	}
	if o.Password != "" {
		s.args = append(s.args, "--requirepass", o.Password, "--masterauth", o.Password)
	}
	if o.TLS {
		s.tls = certify(t, s.dir)
		s.args = append(s.args, "--port", "0", "--tls-port", strconv.Itoa(s.port), "--tls-auth-clients", "no",
			"--tls-cert-file", s.file("cert.pem"), "--tls-key-file", s.file("key.pem"), "--tls-ca-cert-file", s.file("cert.pem"))
	} else {
		s.args = append(s.args, "--port", strconv.Itoa(s.port))
	}
	s.args = append(s.args, o.Args...)
	s.run()
	return s
}

func newServer(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, port: freePort(t), dir: t.TempDir()}
	t.Cleanup(s.Kill)
	return s
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

// Addr is where the server listens, HOST:PORT.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Port is the number in Addr.
func (s *Server) Port() int { return s.port }

// TLS is the configuration of a client that trusts this server; nil if it speaks plainly.
func (s *Server) TLS() *tls.Config { return s.tls }

// PID is the number of the process, which a Restart changes.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd.Process.Pid
}

// run starts the process and waits until it answers.
func (s *Server) run() {
	s.t.Helper()
	path, err := exec.LookPath(s.args[0])
	if err != nil {
		s.t.Fatalf("%s is not installed: run make deps", s.args[0])
	}
	output, err := os.OpenFile(s.file("output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer output.Close()
	cmd, done := exec.Command(path, s.args[1:]...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = output, output
	// It shall not outlive a test binary that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		cmd.Wait()
		close(done)
	}()
	s.mu.Lock()
	s.cmd, s.done = cmd, done
	s.mu.Unlock()
	s.await("answer", s.answers)
}

// answers reports whether somebody on the port replies to PING, be it with a refusal.
func (s *Server) answers() bool {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if s.tls != nil {
		conn = tls.Client(conn, s.tls)
	}
	conn.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprint(conn, "PING\r\n")
	reply := make([]byte, 64)
	n, _ := conn.Read(reply)
	return bytes.HasPrefix(reply[:n], []byte("+PONG")) || bytes.HasPrefix(reply[:n], []byte("-NOAUTH"))
}

// await polls until ok, and fails the test with the server's own words when that takes too long.
func (s *Server) await(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			words, _ := os.ReadFile(s.file("output"))
			s.t.Fatalf("%s at %s: no %s\n%s", s.args[0], s.Addr(), what, words)
		}
	}
}

// Kill ends the process at once, as a crash does, and waits for its end. Killing twice is no mistake.
func (s *Server) Kill() {
	s.mu.Lock()
	cmd, done := s.cmd, s.done
	s.mu.Unlock()
	if cmd != nil {
		cmd.Process.Kill()
		<-done
	}
}

// Stop lets the process stand still: its connections stay and nothing answers, until Cont.
func (s *Server) Stop() { s.signal(syscall.SIGSTOP) }

// Cont lets a process go on that Stop has stopped.
func (s *Server) Cont() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("%v to %s: %v", sig, s.args[0], err)
	}
}

// Restart ends the process and starts another on the same port. Without empty it has the former's contents, if they
// persist.
func (s *Server) Restart(empty bool) {
	s.t.Helper()
	s.Kill()
	if empty {
		os.RemoveAll(s.file("appendonlydir"))
		os.Remove(s.file("dump.rdb"))
	}
	s.run()
}

// CLI runs one command by redis-cli, and fails the test when the server refuses it.
func (s *Server) CLI(args ...string) string {
	s.t.Helper()
	line := []string{"-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-e"}
	if s.password != "" {
		line = append(line, "--no-auth-warning", "-a", s.password)
	}
	if s.tls != nil {
		line = append(line, "--tls", "--cacert", s.file("cert.pem"))
	}
	return s.cli(append(line, args...))
}

func (s *Server) cli(args []string) string {
	s.t.Helper()
	if _, err := exec.LookPath("redis-cli"); err != nil {
		s.t.Fatal("redis-cli is not installed: run make deps")
	}
	for try := 0; ; try++ {
		out, err := exec.Command("redis-cli", args...).CombinedOutput()
		switch {
		case err == nil:
			return strings.TrimSpace(string(out))
		case try == 10 || !strings.Contains(string(out), "closed the connection"): // as a server does that changes its role
			s.t.Fatalf("redis-cli %q: %v\n%s", args, err, out)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Info is one line of INFO, without its name.
func (s *Server) Info(section, name string) string {
	s.t.Helper()
	lines := strings.Fields(s.CLI("INFO", section))
	if at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") }); at >= 0 {
		return lines[at][len(name)+1:]
	}
	s.t.Fatalf("INFO %s says nothing of %s", section, name)
	return ""
}

// freePort finds a port below those that the kernel gives to clients, with room for the cluster bus 10,000 above it.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 11_000 + rand.IntN(11_000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		l.Close()
		return port
	}
	t.Fatal("no free port")
	return 0
}

package chaos

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// topology says how the store is made.
type topology string

const (
	single   topology = "single"
	sentinel topology = "sentinel" // a master, a replica, and one sentinel that decides
	sharded  topology = "cluster"  // three masters
)

// store is all servers of the directory, on one host.
type store struct {
	t       *testing.T
	kind    topology
	host    *host
	servers []*server
	judge   *process // the sentinel
	shift   string   // file of the servers' clocks
}

// server is one Redis process; it keeps nothing on disk, so a new life begins empty.
type server struct {
	*process
	t    *testing.T
	addr string
}

const (
	redisPort    = 6379
	sentinelPort = 26379
)

// newStore starts the servers of a topology.
func newStore(t *testing.T, h *host, kind topology) *store {
	t.Helper()
	s := &store{t: t, kind: kind, host: h, shift: filepath.Join(t.TempDir(), "shift")}
	s.shiftClock(0)
	s.add()
	switch kind {
	case single:
	case sentinel:
		s.add("--replicaof", fmt.Sprintf("%s %d", h.addr, redisPort))
		s.servers[1].awaits("master_link_status:up", "info", "replication")
		s.startSentinel()
	case sharded:
		s.add()
		s.add()
		s.join()
	}
	return s
}

// add starts one more server.
func (s *store) add(args ...string) {
	s.t.Helper()
	port, dir := redisPort+len(s.servers), s.t.TempDir()
	line := []string{
		"redis-server", "--bind", s.host.addr, "--port", fmt.Sprint(port), "--dir", dir, "--save", "", "--appendonly", "no",
		"--protected-mode", "no", "--repl-diskless-sync-delay", "0",
	}
	if s.kind == sharded {
		line = append(line, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no")
	}
	env := []string{"LD_PRELOAD=" + os.Getenv(shimVar), "CLOCK_SHIFT=" + s.shift}
	srv := &server{process: newProcess(s.t, s.host, dir, env, append(line, args...)...), t: s.t, addr: fmt.Sprintf("%s:%d", s.host.addr, port)}
	s.servers = append(s.servers, srv)
	srv.begin()
}

func (r *server) stop() { r.signal(syscall.SIGSTOP) }

func (r *server) cont() { r.signal(syscall.SIGCONT) }

// begin starts the server and waits until it answers.
func (r *server) begin() {
	r.t.Helper()
	r.start(r.t)
	r.awaits("PONG", "ping")
}

// cli asks the server as an operator does.
func (r *server) cli(args ...string) string {
	host, port, _ := strings.Cut(r.addr, ":")
	out, err := exec.Command("timeout", append([]string{"5", "redis-cli", "-h", host, "-p", port}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s%v", out, err)
	}
	return string(out)
}

// does is cli for what must be answered OK.
func (r *server) does(args ...string) {
	r.t.Helper()
	if out := r.cli(args...); !strings.HasPrefix(out, "OK") {
		r.t.Fatalf("%s: %q: %s", r.addr, args, out)
	}
}

// awaits asks until the answer contains something.
func (r *server) awaits(want string, args ...string) {
	r.t.Helper()
	var got string
	if !eventually(func() bool { got = r.cli(args...); return strings.Contains(got, want) }) {
		r.t.Fatalf("%s: %q never answered %q: %s", r.addr, args, want, got)
	}
}

func (s *store) startSentinel() {
	s.t.Helper()
	dir := s.t.TempDir()
	conf := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf(`port %d
bind %s
dir %s
protected-mode no
sentinel monitor main %s %d 1
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 3000
`, sentinelPort, s.host.addr, dir, s.host.addr, redisPort)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.judge = newProcess(s.t, s.host, dir, nil, "redis-server", conf, "--sentinel")
	s.judge.start(s.t)
	s.sentinelSays("num-slaves\n1\n", "sentinel", "master", "main")
}

// sentinelSays asks the sentinel until it answers something.
func (s *store) sentinelSays(want string, args ...string) {
	s.t.Helper()
	r := &server{t: s.t, addr: fmt.Sprintf("%s:%d", s.host.addr, sentinelPort)}
	r.awaits(want, args...)
}

// join makes one cluster of the servers, each with a third of the slots.
func (s *store) join() {
	s.t.Helper()
	const slots = 16384
	for i, r := range s.servers {
		r.does("cluster", "addslotsrange", fmt.Sprint(i*slots/len(s.servers)), fmt.Sprint((i+1)*slots/len(s.servers)-1))
		r.does("cluster", "set-config-epoch", fmt.Sprint(i+1))
		if i > 0 {
			r.does("cluster", "meet", s.host.addr, fmt.Sprint(redisPort))
		}
	}
	for _, r := range s.servers {
		r.awaits("cluster_known_nodes:3", "cluster", "info")
		r.awaits("cluster_slots_ok:16384", "cluster", "info")
		r.awaits("cluster_state:ok", "cluster", "info")
	}
}

// url is what --directory is given.
func (s *store) url() string {
	var all []string
	for _, r := range s.servers {
		all = append(all, r.addr)
	}
	switch s.kind {
	case sentinel:
		return fmt.Sprintf("redis-sentinel://%s:%d/main", s.host.addr, sentinelPort)
	case sharded:
		return "redis-cluster://" + strings.Join(all, ",")
	default:
		return "redis://" + all[0]
	}
}

// masters are the addresses of the servers that hold claims now.
func (s *store) masters() (all []string) {
	for _, r := range s.servers {
		if r.alive() && strings.Contains(r.cli("info", "replication"), "role:master") {
			all = append(all, r.addr)
		}
	}
	return all
}

// shiftClock moves the servers' wall clocks, by which the store judges leases, this far from the machine's. The servers
// have mapped the file, which therefore never shrinks.
func (s *store) shiftClock(by time.Duration) {
	s.t.Helper()
	file, err := os.OpenFile(s.shift, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(by/time.Second)), 0); err != nil {
		s.t.Fatal(err)
	}
}

// isWell wants that no server has ended by a defect of its own, or of ours.
func (s *store) isWell() {
	s.t.Helper()
	for _, r := range s.servers {
		if r.said("BUG REPORT") > 0 {
			s.t.Errorf("%s broke down:\n%s", r.addr, r.lastWords(40))
		}
	}
}

// restartEmpty kills a server and starts it again without anything it knew.
func (r *server) restartEmpty() {
	r.t.Helper()
	r.kill()
	r.begin()
}

// fill leaves no room for another claim.
func (r *server) fill() { r.does("config", "set", "maxmemory", "1") }

// unfill undoes fill.
func (r *server) unfill() { r.does("config", "set", "maxmemory", "0") }

// lockOut refuses everybody who is not told the new password, those who are connected already included.
func (r *server) lockOut() {
	r.does("acl", "setuser", "operator", "on", "nopass", "+@all", "~*", "&*")
	r.does("acl", "setuser", "default", "off")
	r.cli("--user", "operator", "--pass", "x", "--no-auth-warning", "client", "kill", "type", "normal")
}

// letIn undoes lockOut.
func (r *server) letIn() {
	r.does("--user", "operator", "--pass", "x", "--no-auth-warning", "acl", "setuser", "default", "on")
}

func TestStoresFailAsTold(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	s := newStore(t, n.newHost("store", 0), single)
	r := s.servers[0]
	f := func(want string, args ...string) {
		t.Helper()
		if got := r.cli(args...); !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
	f("OK", "set", "k", "v")
	f("v", "get", "k")

	r.fill()
	f("OOM", "set", "k2", "v")
	r.unfill()
	f("OK", "set", "k2", "v")

	r.lockOut()
	f("NOAUTH", "get", "k")
	r.letIn()
	f("v", "get", "k")

	r.signal(syscall.SIGSTOP)
	f("124", "ping")
	r.signal(syscall.SIGCONT)
	r.awaits("PONG", "ping")

	now := time.Now().Unix()
	s.shiftClock(time.Hour)
	var there int64
	if _, err := fmt.Sscan(r.cli("time"), &there); err != nil || there < now+3590 || there > now+3700 {
		t.Errorf("the server's clock is %d s ahead, want an hour (%v)", there-now, err)
	}
	s.shiftClock(0)

	r.restartEmpty()
	f("\n", "get", "k")
}

func TestSentinelFailsOver(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	s := newStore(t, n.newHost("store", 0), sentinel)
	if got := s.masters(); len(got) != 1 || got[0] != s.servers[0].addr {
		t.Errorf("masters %q", got)
	}
	s.servers[0].kill()
	s.servers[1].awaits("role:master", "info", "replication")
	if got := s.masters(); len(got) != 1 || got[0] != s.servers[1].addr {
		t.Errorf("masters after the failover: %q", got)
	}
}

func TestClusterServesEveryShard(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	s := newStore(t, n.newHost("store", 0), sharded)
	if got := len(s.masters()); got != 3 {
		t.Fatalf("%d masters, want 3", got)
	}
	for i := range 20 {
		if out := s.servers[0].cli("-c", "set", fmt.Sprint("key", i), "v"); !strings.Contains(out, "OK") {
			t.Errorf("key%d: %s", i, out)
		}
	}
	s.servers[2].restartEmpty() // it keeps its slots in nodes.conf
	s.servers[0].awaits("cluster_slots_ok:16384", "cluster", "info")
}

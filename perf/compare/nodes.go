package compare

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// begin starts the store and the nodes, and has their keys held.
func (r *clusterRun) begin(ctx context.Context, dir string) (err error) {
	if !r.cpus.apart() {
		r.notef("there is one CPU only: clients and servers share it")
	}
	if r.store, err = startStore(r.cpus.server, r.cfg.Redis, dir); err != nil {
		return err
	}
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("known to each node of this run\n"), 0o600); err != nil {
		return err
	}
	quiet := []string{"--heartbeat", "-1s"} // what is sent by itself is no part of a push
	shared := append(quiet[:len(quiet):len(quiet)], "--directory", r.store.url(), "--peer-listen", "127.0.0.1:0", "--cluster-secret-file", secret,
		"--claim-linger", "100ms") // so that those who leave are gone soon
	for _, n := range []struct {
		at    **server
		name  string
		flags []string
	}{
		{&r.first, "first", append(shared[:len(shared):len(shared)], "--node", "first")},
		{&r.second, "second", append(shared[:len(shared):len(shared)], "--node", "second")},
		{&r.alone, aloneWay, quiet},
	} {
		if *n.at, err = r.startDaemon(n.name, n.flags...); err != nil {
			return err
		}
		r.servers = append(r.servers, *n.at)
	}
	for _, s := range []*server{r.second, r.alone} {
		h, err := startHolders(r.cpus.client, r.cfg.Holders, s, r.Conns)
		if err != nil {
			return err
		}
		r.others[s] = h
	}
	if r.mine, err = joined(ctx, r.first, r.Conns, keysOf(r.first)); err != nil {
		return err
	}
	return r.linked(ctx)
}

// end stops everything that begin started, as far as it came.
func (r *clusterRun) end() {
	r.disband()
	r.stop()
	if r.store != nil {
		r.store.stop()
	}
}

// disband lets all subscribers go.
func (r *clusterRun) disband() {
	if r.mine != nil {
		r.mine.leave()
		r.mine = nil
	}
	for s, h := range r.others {
		h.stop()
		delete(r.others, s)
	}
}

// linked waits until a push comes through from node to node.
func (r *clusterRun) linked(ctx context.Context) error {
	var last error
	for begun := time.Now(); time.Since(begun) < startWait && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		c, err := call(r.second, 1, r.Size)
		if err != nil {
			return err
		}
		_, last = c.ask(keysOf(r.first)(0), time.Second)
		c.hangUp()
		if last == nil {
			return r.mine.readAll(1)
		}
	}
	return fmt.Errorf("no push came through from node to node: %w", errors.Join(last, ctx.Err()))
}

// keysOf names the keys that are held on a server.
func keysOf(s *server) func(i int) string {
	return func(i int) string { return s.name + "-" + strconv.Itoa(i) }
}

// store is a Redis of our own, which keeps nothing on disk.
type store struct {
	*process
	at   netip.AddrPort
	conn net.Conn
	rd   *bufio.Reader
}

func startStore(cpu int, program, dir string) (*store, error) {
	at, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := launch(cpu, program, "--bind", at.Addr().String(), "--port", strconv.Itoa(int(at.Port())), "--dir", dir,
		"--save", "", "--appendonly", "no")
	if err != nil {
		return nil, fmt.Errorf("%w (install the Debian package redis-server)", err)
	}
	var s *store
	if err = p.await(func() bool { return strings.Contains(p.said(), "Ready to accept connections") }); err == nil {
		s, err = dialStore(at)
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	s.process = p
	return s, nil
}

func dialStore(at netip.AddrPort) (*store, error) {
	c, err := net.DialTimeout("tcp", at.String(), time.Second)
	if err != nil {
		return nil, err
	}
	return &store{at: at, conn: c, rd: bufio.NewReader(c)}, nil
}

func (s *store) stop() {
	s.conn.Close()
	s.process.stop()
}

func (s *store) url() string { return "redis://" + s.at.String() }

// ask sends an inline command and returns the answer: a line, or the text that it announces (Redis serialization protocol,
// "Inline commands", "Bulk strings").
func (s *store) ask(command string) (string, error) {
	if err := s.conn.SetDeadline(time.Now().Add(startWait)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(s.conn, command+"\r\n"); err != nil {
		return "", err
	}
	line, err := s.rd.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, said := line[0], strings.TrimSpace(line[1:])
	if kind == '-' {
		return "", fmt.Errorf("redis: %s: %s", command, said)
	}
	if kind != '$' {
		return said, nil
	}
	n, err := strconv.Atoi(said)
	if err != nil || n < 0 {
		return "", fmt.Errorf("redis: %s: no text: %q", command, line)
	}
	text := make([]byte, n+len("\r\n"))
	_, err = io.ReadFull(s.rd, text)
	return string(text[:n]), err
}

// keys is how many keys there are, all claims but for a handful.
func (s *store) keys() (int, error) {
	said, err := s.ask("DBSIZE")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(said)
}

// memory is what it has allocated, in bytes.
func (s *store) memory() (int, error) {
	said, err := s.ask("INFO memory")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(said, "used_memory:")
	line, _, _ := strings.Cut(rest, "\r\n")
	return strconv.Atoi(line)
}

// awaitKeys waits until the number of keys is what the caller wants.
func (s *store) awaitKeys(ctx context.Context, enough func(keys int) bool) error {
	for begun := time.Now(); ; {
		n, err := s.keys()
		if err != nil || enough(n) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Since(begun) > joinWait {
			return fmt.Errorf("after %v the store has %d keys", joinWait, n)
		}
		time.Sleep(time.Millisecond)
	}
}

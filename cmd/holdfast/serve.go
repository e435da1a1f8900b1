package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/admin"
	"holdfast/cmd/internal/node"
	"holdfast/codec/key"
	"holdfast/engine"
	"holdfast/engine/epoll"
	"holdfast/engine/gateway"
	"holdfast/engine/record"
	"holdfast/engine/route"
)

func serveCommand() *cobra.Command {
	s := newServing()
	return s.table().Attach(&cobra.Command{
		Use:   "serve [flags]",
		Short: "Run a node",
		Long: "Serve runs a node until SIGTERM or SIGINT, which drain it; a second signal ends it at once.\n" +
			"Each flag can be given as an environment variable instead; a flag wins over its variable.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.serve(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}, envPrefix)
}

// spareFiles are descriptors for everything but client connections: listeners, epolls, the admin listener, files.
const spareFiles = 256

// serve lives one node's life: prepare, run, drain.
func (s *serving) serve(ctx context.Context, out, warn io.Writer) error {
	if err := s.prepare(warn); err != nil {
		return err
	}
	if err := s.joinCluster(ctx, warn); err != nil {
		return err
	}
	leaveRoom(s.engine.Loops)
	e, err := engine.Start(s.engine)
	if err != nil {
		return err
	}
	n := node.New(e)
	stopAdmin, adminFailed, err := s.serveAdmin(n, out)
	if err != nil {
		s.drain(e, warn)
		return err
	}
	for i, addr := range e.Addresses() {
		fmt.Fprintf(out, "holdfast: %s listener on http://%s\n", s.engine.Snapshot.Listeners[i].Name, addr)
	}
	fmt.Fprint(out, invitation(e.Addresses()[0], e.Addresses()[1], len(s.engine.Gateway.Tokens) > 0))
	fmt.Fprintln(out, "holdfast: ready")

	select {
	case <-ctx.Done():
	case err = <-e.Failed():
	case err = <-adminFailed:
	}
	n.Drain()
	s.drain(e, warn)
	stopAdmin()
	return err
}

// leaveRoom lets one thread more than there are loops run Go code: with all loops busy, collections and the admin
// listener would else wait for one of them to sleep.
func leaveRoom(loops int) {
	if loops <= 0 {
		loops = runtime.NumCPU()
	}
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), loops+1))
}

// invitation is one line to paste for each side.
func invitation(public, publish netip.AddrPort, tokens bool) string {
	auth := ""
	if tokens {
		auth = "-H 'Authorization: Bearer TOKEN' "
	}
	return fmt.Sprintf("holdfast: wait for messages:  curl -N -H 'Accept: text/event-stream' http://%s/sub/alice\n"+
		"holdfast: send one:           curl %s-d hello http://%s/push/alice\n"+
		"holdfast: or in a browser:    http://%s/\n", reachable(public), auth, reachable(publish), reachable(publish))
}

// reachable is an address that a client on this host can use: every address is no address.
func reachable(at netip.AddrPort) netip.AddrPort {
	if at.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	}
	return at
}

// prepare completes the engine's Config and tells what an operator should know before anybody connects.
func (s *serving) prepare(warn io.Writer) error {
	for _, name := range strangers(os.Environ()) {
		fmt.Fprintf(warn, "holdfast: warning: the environment variable %s is no setting and has no effect; serve --help names them all\n", name)
	}
	public, err := resolve("listen", s.listen)
	if err != nil {
		return err
	}
	publish, err := resolve("publish-listen", s.publishListen)
	if err != nil {
		return err
	}
	if s.engine.Gateway.Tokens, err = readTokens(s.tokenFile); err != nil {
		return err
	}
	if len(s.engine.Gateway.Tokens) == 0 && !publish.Addr().IsLoopback() {
		fmt.Fprintf(warn, "holdfast: warning: anyone who reaches %s may publish; set --publish-token-file, or listen on loopback\n", publish)
	}
	actions := map[string]record.SlowAction{"close": record.SlowClose, "drop-oldest": record.SlowOldest, "latest-only": record.SlowLatest}
	action, ok := actions[s.slowPolicy]
	if !ok {
		return fmt.Errorf("--slow-policy %q: want close, drop-oldest or latest-only", s.slowPolicy)
	}
	s.policy.Slow.Action = action
	inbound := map[string]route.Inbound{"ignore": route.Ignored, "refuse": route.Refused, "publish": route.Published}
	if s.policy.Socket.Inbound, ok = inbound[s.inbound]; !ok {
		return fmt.Errorf("--ws-inbound %q: want ignore, refuse or publish", s.inbound)
	}
	if (s.inbound == "publish") != (s.policy.Socket.Key != "") || len(s.policy.Socket.Key) > key.MaxLen {
		return errors.New("--ws-inbound publish and --ws-inbound-key KEY go together; a key has at most 256 bytes")
	}
	s.engine.Snapshot = engine.BuiltIn(engine.BuiltInConfig{
		Public: public.String(), Publish: publish.String(), Page: tryItPage, Echo: s.echo, Policy: s.policy,
	})
	files, err := epoll.RaiseNoFile()
	if want := uint64(s.engine.MaxConns) + uint64(s.engine.SpareConns) + spareFiles; err == nil && files < want {
		fmt.Fprintf(warn, "holdfast: warning: %d open files allowed, so fewer than --max-conns %d connections fit; raise ulimit -n to %d\n",
			files, s.engine.MaxConns, want)
	}
	return err
}

// resolve makes an address that a socket can be bound to. No host means every address of both families, or of IPv4
// where the kernel has no IPv6.
func resolve(flag, text string) (netip.AddrPort, error) {
	addr, err := net.ResolveTCPAddr("tcp", text)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("--%s %q: want HOST:PORT, as in :8080 or 127.0.0.1:8080: %w", flag, text, err)
	}
	if addr.IP == nil {
		addr.IP = net.IPv6unspecified
		if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
			addr.IP = net.IPv4zero
		}
	}
	at := addr.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), nil
}

// readTokens reads one token a line; empty lines and those that begin with # say nothing.
func readTokens(path string) ([]gateway.Token, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--publish-token-file: %w", err)
	}
	var tokens []gateway.Token
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			tokens = append(tokens, gateway.NewToken(line))
		}
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("--publish-token-file %s holds no token: write one a line, or leave the flag out to let everyone publish", path)
	}
	return tokens, nil
}

// serveAdmin starts the admin listener, if there is to be one. What it returns stops it, and tells if it fails.
func (s *serving) serveAdmin(n *node.Node, out io.Writer) (stop func(), failed <-chan error, err error) {
	if s.adminListen == "" {
		return func() {}, nil, nil
	}
	l, err := net.Listen("tcp", s.adminListen)
	if err != nil {
		return nil, nil, fmt.Errorf("the admin listener cannot have %s: %w; choose another with --admin-listen", s.adminListen, err)
	}
	fmt.Fprintf(out, "holdfast: admin listener on http://%s\n", l.Addr())
	server := admin.New(n, admin.Config{Pprof: s.pprof, Hosts: s.engine.Gateway.Hosts})
	failures := make(chan error, 1)
	go func() {
		if err := server.Serve(l); err != nil {
			failures <- fmt.Errorf("the admin listener failed: %w", err)
		}
	}()
	stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.drainTimeout)
		defer cancel()
		_ = server.Shutdown(ctx) // the process ends anyway
	}
	return stop, failures, nil
}

// drain ends the engine in good order and tells how many connections it could not wait for. The pace leaves the last
// holds some time to go.
func (s *serving) drain(e *engine.Engine, warn io.Writer) {
	ctx, cancel := context.WithTimeout(context.Background(), s.drainTimeout)
	defer cancel()
	if cut := e.Stop(ctx, min(s.drainPace, s.drainTimeout*3/4)); cut > 0 {
		fmt.Fprintf(warn, "holdfast: %d connections were still open after --drain-timeout %v and were cut\n", cut, s.drainTimeout)
	}
}

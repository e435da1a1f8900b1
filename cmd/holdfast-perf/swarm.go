package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/flags"
	"holdfast/perf/swarm"
)

// swarmSettings is what hold and push can be told.
type swarmSettings struct {
	swarm.Config
	subscribe, publish string
	sources            []string
	output             output
}

func newSwarmSettings() *swarmSettings {
	s := &swarmSettings{subscribe: "127.0.0.1:8080", publish: "127.0.0.1:8081"}
	s.Config, _ = s.Filled() // the addresses are missing still; the defaults are what is wanted
	return s
}

func (s *swarmSettings) clients() flags.Table {
	const target, clients = "Target", "Clients"
	return flags.Table{
		flags.New("subscribe", target, "host:port", &s.subscribe, "The address at which clients subscribe."),
		flags.New("subscribe-path", target, "path", &s.SubscribePath, "The path to subscribe at, before the key."),
		flags.New("key-prefix", target, "text", &s.KeyPrefix, "What a client's key begins with; its number follows."),
		flags.New("server-pid", target, "process", &s.Process,
			"The server's process on this machine, to report its memory per connection and CPU per push. 0 reports neither."),
		flags.New("conns", clients, "connections", &s.Conns, "How many clients to hold."),
		flags.New("connect-rate", clients, "connections/s", &s.ConnectRate, "How many clients to connect per second."),
		flags.New("connecting", clients, "connections", &s.Connecting, "How many clients of one loop may wait for their answer at once."),
		flags.New("connect-wait", clients, "duration", &s.ConnectWait, "How long a client waits for its answer before it counts as failed."),
		flags.New("sources", clients, "addresses", &s.sources,
			"Local addresses to connect from, in turn: one has about 28,000 ports. On loopback any of 127.0.0.0/8 will do."),
		flags.New("loops", clients, "loops", &s.Loops, "How many event loops share the clients."),
		flags.New("duration", clients, "duration", &s.Duration, "How long to hold once every client is settled."),
	}
}

func (s *swarmSettings) pushes() flags.Table {
	const group = "Pushes"
	return flags.Table{
		flags.New("publish", group, "host:port", &s.publish, "The address at which pushes are published."),
		flags.New("publish-path", group, "path", &s.PublishPath, "The path to publish at, before the key."),
		flags.New("rate", group, "pushes/s", &s.Rate, "How many pushes per second to send, each to one client, whatever the server does."),
		flags.New("publishers", group, "connections", &s.Publishers, "How many connections push; each waits for its verdict."),
		flags.New("size", group, flags.Bytes, &s.Size, "How long a message is."),
		flags.New("exact", group, "switch", &s.Exact, "Send on time to the microsecond, at the cost of one CPU per loop."),
		flags.New("grace", group, "duration", &s.Grace, "How long to go on at the end with what was due and what is under way."),
	}
}

func holdCommand() *cobra.Command {
	s := newSwarmSettings()
	table := append(s.clients(), s.output.table()...)
	return command("hold", "Hold many clients and report how they got in, who was lost, and what they cost", table,
		func(ctx context.Context, out io.Writer) error {
			s.Rate = 0
			return s.run(ctx, out, "Hold "+count(s.Conns)+" connections")
		})
}

func pushCommand() *cobra.Command {
	s := newSwarmSettings()
	s.Rate = 1000
	table := append(append(s.clients(), s.pushes()...), s.output.table()...)
	return command("push", "Hold many clients, push to them at a fixed rate, and report the latency of delivery", table,
		func(ctx context.Context, out io.Writer) error {
			if s.Rate <= 0 {
				return errors.New("--rate must be above 0; to push nothing there is hold")
			}
			return s.run(ctx, out, fmt.Sprintf("Push to %s connections, %s per second", count(s.Conns), count(s.Rate)))
		})
}

func (s *swarmSettings) run(ctx context.Context, out io.Writer, title string) error {
	var err error
	if s.Subscribe, err = resolve(ctx, s.subscribe); err != nil {
		return err
	}
	if s.Rate > 0 {
		if s.Publish, err = resolve(ctx, s.publish); err != nil {
			return err
		}
	}
	for _, text := range s.sources {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("--sources: %w", err)
		}
		s.Sources = append(s.Sources, a)
	}
	counts := new(swarm.Counts)
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(watching, out, counts, s.Rate > 0)
	}()
	r, err := swarm.Run(ctx, s.Config, counts)
	stop()
	<-watched
	if err != nil {
		return err
	}
	return s.output.write(out, s.report(title, r))
}

// resolve turns host:port into an address; of several the first is taken.
func resolve(ctx context.Context, hostport string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddrPort(hostport); err == nil {
		return a, nil
	}
	host, service, err := net.SplitHostPort(hostport)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(port)), nil
}

// watch writes a line a second about how far the run is.
func watch(ctx context.Context, out io.Writer, c *swarm.Counts, pushing bool) {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for begun := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		fmt.Fprintf(out, "%4.0f s  subscribed %d  failed %d  lost %d", time.Since(begun).Seconds(),
			c.Subscribed.Load(), c.Failed.Load(), c.Lost.Load())
		if pushing {
			fmt.Fprintf(out, "  sent %d  accepted %d  refused %d  received %d", c.Sent.Load(), c.Accepted.Load(), c.Refused.Load(), c.Received.Load())
		}
		fmt.Fprintln(out)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"time"

	"holdfast/cmd/internal/flags"
	"holdfast/perf/swarm"
)

// swarmSettings is what hold and push can both be told.
type swarmSettings struct {
	swarm.Config
	url, publishURL string
	form, protocol  string
	conns, keys     int
	sources         []string
	allowRemote     bool
	pid             int
	output          output
}

func newSwarmSettings() swarmSettings {
	return swarmSettings{
		url: "http://127.0.0.1:8080", publishURL: "http://127.0.0.1:8081", form: "sse", protocol: "h1", conns: 1000,
		Config: swarm.Config{
			SubscribePath: "/sub/{key}", PublishPath: "/push/{key}", ConnectRate: 5000, Connecting: 512, ConnectWait: 10 * time.Second,
			Settle: 250 * time.Millisecond, Duration: 10 * time.Second, Grace: 2 * time.Second, Size: 128, Loops: 1, Streams: 1,
		},
	}
}

// subscribing is the table of what clients do. Where they connect at a rate of their own, its flag has that name.
func (s *swarmSettings) subscribing(connectRate string) flags.Table {
	const target, clients = "Target", "Clients"
	return flags.Table{
		flags.New("url", target, "http://host:port", &s.url, "The server at which clients subscribe."),
		flags.New("subscribe-path", target, "path", &s.SubscribePath,
			"The path to subscribe at; {key} stands for the key. For a channel of nginx with nchan it is what the location says."),
		flags.New("subscribe-header", target, "lines", &s.SubscribeFields,
			"Further header lines of subscribers, as in 'Name: value'; a comma begins the next. One named Accept replaces what the form asks for."),
		flags.New("allow-remote", target, "switch", &s.allowRemote,
			"Load an address that is not on this machine. Be sure that it is yours to load."),
		flags.New("pid", target, "process", &s.pid,
			"The server's process on this machine, to report its memory per connection and CPU per delivery. 0 reports neither."),
		flags.New("conns", clients, "connections", &s.conns,
			"How many clients to hold. Each connection is an open file: where the limit is 20,000, a process can hold some 18,000."),
		flags.New("form", clients, "name", &s.form, "How messages come to clients: "+swarm.FormNames()+"."),
		flags.New("protocol", clients, "name", &s.protocol, "What connections speak, publishers' too: "+swarm.ProtocolNames()+
			". With h2 the server is known to speak HTTP/2."),
		flags.New("streams", clients, "streams", &s.Streams, "How many clients share a connection, each on a stream of its own, with --protocol h2."),
		flags.New("deflate", clients, "switch", &s.Deflate, "WebSockets offer to have messages compressed."),
		flags.New(connectRate, clients, "connections/s", &s.ConnectRate, "How many clients to connect per second, over all loops."),
		flags.New("connecting", clients, "connections", &s.Connecting, "How many clients of one loop may wait for their answer at once."),
		flags.New("connect-wait", clients, "duration", &s.ConnectWait, "How long a client waits for its answer before it counts as failed."),
		flags.New("source", clients, "addresses", &s.sources, "Local addresses to connect from, in turn: one has some 28,000 ports. "+
			"None stands for 127.0.0.2 to 127.0.0.5 if the server is on 127.0.0.0/8, and for the system's choice if not."),
		flags.New("loops", clients, "loops", &s.Loops, "How many event loops share the clients. In mode mixed each of the two loads has so many of its own."),
		flags.New("settle", clients, "duration", &s.Settle, "How long to wait after the last subscription, for memory to be read and caches to cool."),
	}
}

// fill resolves what is given as text.
func (s *swarmSettings) fill(ctx context.Context, pushing bool) (err error) {
	if s.Form, err = swarm.ParseForm(s.form); err != nil {
		return err
	}
	if s.Protocol, err = swarm.ParseProtocol(s.protocol); err != nil {
		return err
	}
	if s.Subscribe, err = s.resolve(ctx, "--url", s.url); err != nil {
		return err
	}
	if pushing {
		if s.Publish, err = s.resolve(ctx, "--publish-url", s.publishURL); err != nil {
			return err
		}
	}
	for _, text := range s.sources {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("--source: %w", err)
		}
		s.Sources = append(s.Sources, a)
	}
	if a := s.Subscribe.Addr(); len(s.Sources) == 0 && a.Is4() && a.IsLoopback() {
		for last := byte(2); last <= 5; last++ { // ports of connections that we closed rest for a minute: take several ranges
			s.Sources = append(s.Sources, netip.AddrFrom4([4]byte{127, 0, 0, last}))
		}
	}
	return nil
}

// resolve turns a server's URL into an address; of several the first is taken.
func (s *swarmSettings) resolve(ctx context.Context, flag, text string) (addr netip.AddrPort, err error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return addr, fmt.Errorf("%s: %q is not http://host:port; paths have flags of their own", flag, text)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return addr, fmt.Errorf("%s: %w", flag, err)
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return addr, fmt.Errorf("%s: %w", flag, err)
	}
	addr = netip.AddrPortFrom(addrs[0].Unmap(), uint16(number))
	if !addr.Addr().IsLoopback() && !s.allowRemote {
		return addr, fmt.Errorf("%s: %s is not on this machine; --allow-remote loads it all the same", flag, addr)
	}
	return addr, nil
}

// readings is what the server's process had used at the moments of a run.
type readings struct {
	before swarm.Usage // no client is connected yet
	ready  swarm.Usage // every client is settled, nothing is pushed yet
	done   swarm.Usage // the last message has come, and all clients are still there

	readyAt, doneAt time.Time
}

// share is how much of one CPU the server used between ready and done, in percent; 0 if that was too short to tell.
func (u *readings) share() float64 {
	span := u.doneAt.Sub(u.readyAt)
	if span < time.Second {
		return 0
	}
	return (u.done.CPU - u.ready.CPU).Seconds() / span.Seconds() * 100
}

// measured runs the swarm with a progress line a second and reads the server's usage.
func (s *swarmSettings) measured(ctx context.Context, out io.Writer) (r *swarm.Result, used readings, err error) {
	var unread error
	read := func(into *swarm.Usage) {
		if s.pid != 0 {
			u, err := swarm.ReadUsage(s.pid)
			*into, unread = u, errors.Join(unread, err)
		}
	}
	read(&used.before)
	if unread != nil {
		return nil, used, fmt.Errorf("--pid: %w", unread)
	}
	s.Moment = func(m swarm.Moment) {
		switch m {
		case swarm.Ready:
			read(&used.ready)
			used.readyAt = time.Now()
		case swarm.Done:
			read(&used.done)
			used.doneAt = time.Now()
		}
	}
	counts := new(swarm.Counts)
	stop := watch(out, counts, s.conns)
	r, err = swarm.Run(ctx, s.Config, counts)
	stop()
	if unread != nil {
		fmt.Fprintln(out, "the server's process cannot be read any more:", unread)
	}
	return r, used, err
}

// watch writes a line a second about how far the run is, until it is stopped.
func watch(out io.Writer, c *swarm.Counts, conns int) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticks := time.NewTicker(time.Second)
		defer ticks.Stop()
		last := progress{}
		for begun := time.Now(); ; {
			select {
			case <-done:
				return
			case <-ticks.C:
			}
			now := progress{c.Subscribed.Load(), c.Sent.Load(), c.Arrived.Load()}
			fmt.Fprintf(out, "%4.0f s  subscribed %s of %s (%s/s)  errors %s  lost %s", time.Since(begun).Seconds(),
				count(now.subscribed), count(int64(conns)), count(now.subscribed-last.subscribed), count(c.Errors.Load()), count(c.Lost.Load()))
			if now.sent > 0 {
				fmt.Fprintf(out, "  pushes %s/s  arrivals %s/s  refused %s", count(now.sent-last.sent), count(now.arrived-last.arrived), count(c.Refused.Load()))
			}
			fmt.Fprintln(out)
			last = now
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

type progress struct{ subscribed, sent, arrived int64 }

// spoken names the form and what carries it, for titles.
func (s *swarmSettings) spoken() string {
	switch {
	case s.Protocol == swarm.HTTP2:
		return s.form + " over HTTP/2, " + count(int64(s.Streams)) + " to a connection"
	case s.Deflate:
		return s.form + ", deflate offered"
	}
	return s.form
}

// machine names what the load tool ran on.
func (s *swarmSettings) machine() string {
	return fmt.Sprintf("%d loops, %d CPUs, %s", s.Loops, runtime.NumCPU(), runtime.Version())
}

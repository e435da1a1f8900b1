package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/flags"
	"holdfast/perf/report"
	"holdfast/perf/swarm"
)

// pushSettings is what push can be told.
type pushSettings struct {
	swarmSettings
	mode             string
	rate, publishers int
	group            int
	fanoutRate       int
	fanoutPublishers int
}

func newPushSettings() *pushSettings {
	return &pushSettings{swarmSettings: newSwarmSettings(), mode: "one", publishers: 16, fanoutPublishers: 1}
}

func (s *pushSettings) table() flags.Table {
	const pushes = "Pushes"
	t := append(s.subscribing("connect-rate"),
		flags.New("publish-url", pushes, "http://host:port", &s.publishURL, "The server at which pushes are published."),
		flags.New("publish-path", pushes, "path", &s.PublishPath, "The path to publish at; {key} stands for the key."),
		flags.New("publish-header", pushes, "lines", &s.PublishFields, "Further header lines of publishers, as in 'Name: value'; a comma begins the next."),
		flags.New("mode", pushes, "name", &s.mode, "What is pushed: one (each push goes to one random key), "+
			"fanout (each push goes to a group on one key), or mixed (both, side by side)."),
		flags.New("keys", pushes, "keys", &s.keys,
			"How many keys the clients of one-key pushes share, dealt in turn. 0 gives each its own."),
		flags.New("group", pushes, "connections", &s.group,
			"How many clients share a key in fan-outs. With mode fanout 0 means all of them; with mode mixed it must be said, and there is one group."),
		flags.New("publishers", pushes, "connections", &s.publishers, "How many publishers push, each one push at a time and on a connection of its own, or with --protocol h2 on a stream."),
		flags.New("publish-streams", pushes, "streams", &s.PushStreams, "How many publishers share a connection with --protocol h2. 0: as many as clients do."),
		flags.New("rate", pushes, "pushes/s", &s.rate, "How many pushes per second to send, on schedule whatever the server does: "+
			"latencies then count from the scheduled time. 0 lets each publisher push again as soon as it has its verdict."),
		flags.New("fanout-publishers", pushes, "connections", &s.fanoutPublishers, "With mode mixed, how many further connections push to the group."),
		flags.New("fanout-rate", pushes, "pushes/s", &s.fanoutRate, "With mode mixed, the rate of pushes to the group; 0 repeats them flat out."),
		flags.New("size", pushes, flags.Bytes, &s.Size,
			fmt.Sprintf("How long a message is, at least %d: each says which push it is and when it was due.", swarm.MinSize)),
		flags.New("duration", pushes, "duration", &s.Duration, "How long to push."),
		flags.New("grace", pushes, "duration", &s.Grace, "How long to wait at the end for verdicts and messages under way."))
	return append(t, s.output.table()...)
}

func pushCommand() *cobra.Command {
	s := newPushSettings()
	return command("push", "Hold many clients, push to them, and check that each message arrives once, in order, as the verdict says",
		s.table(), s.run)
}

// loads turns the mode into what the swarm does.
func (s *pushSettings) loads() ([]swarm.Load, error) {
	if s.publishers <= 0 || s.fanoutPublishers <= 0 {
		return nil, errors.New("--publishers and --fanout-publishers must be above 0; to push nothing there is hold")
	}
	one := swarm.Load{Name: "one key", Conns: s.conns, Keys: s.keys, Publishers: s.publishers, Rate: s.rate}
	switch s.mode {
	case "one":
		return []swarm.Load{one}, nil
	case "fanout":
		group := s.group
		if group <= 0 {
			group = s.conns
		}
		if group > s.conns {
			return nil, fmt.Errorf("--group %d is more than --conns %d", s.group, s.conns)
		}
		return []swarm.Load{{Name: "fan-out", Conns: s.conns, Keys: s.conns / group, Publishers: s.publishers, Rate: s.rate}}, nil
	case "mixed":
		if s.group <= 0 || s.group >= s.conns {
			return nil, fmt.Errorf("with --mode mixed, --group must be above 0 and below --conns %d", s.conns)
		}
		one.Conns -= s.group
		return []swarm.Load{one, {Name: "fan-out", Conns: s.group, Keys: 1, Publishers: s.fanoutPublishers, Rate: s.fanoutRate}}, nil
	}
	return nil, fmt.Errorf("--mode %q is none of one, fanout and mixed", s.mode)
}

func (s *pushSettings) run(ctx context.Context, out io.Writer) error {
	if err := s.fill(ctx, true); err != nil {
		return err
	}
	var err error
	if s.Loads, err = s.loads(); err != nil {
		return err
	}
	r, used, err := s.measured(ctx, out)
	if err != nil {
		return err
	}
	rep := s.newReport("Push to "+count(int64(s.conns))+" clients, "+s.spoken()+", "+s.mode, r)
	for i := range r.Loads {
		addLoad(rep, &r.Loads[i], s.Size)
	}
	if cost := s.pushCost(&used, r); len(cost) > 0 {
		rep.Series[0].Figures = append(rep.Series[0].Figures, cost...)
	}
	if err := s.output.write(out, rep); err != nil {
		return err
	}
	return judged(r)
}

// addLoad shows what one load found.
func addLoad(rep *report.Report, l *swarm.LoadResult, size int) {
	rate := "flat out"
	if l.Rate > 0 {
		rate = count(int64(l.Rate)) + " per second on schedule"
	}
	fact(rep, l.Name, "%s clients under %s keys, %s publishers, %s, %s bytes each", count(int64(l.Conns)), count(int64(l.Keys)),
		count(int64(l.Publishers)), rate, count(int64(size)))
	fact(rep, l.Name+", pushes", "%s sent, %s never sent, answered %s, %s unanswered", count(l.Sent), count(l.Unsent), statuses(l.Status), count(l.Unanswered))
	fact(rep, l.Name+", deliveries", "%s promised, %s arrived, %s lost, %s beyond the verdict, %s clients passed over",
		count(l.Promised), count(l.Arrived), count(l.Lost), count(l.Surplus), count(l.Passed))
	fact(rep, l.Name+", messages", "%s doubled, %s out of order, %s astray, %s changed",
		count(l.Doubled), count(l.Disordered), count(l.Stray), count(l.Garbled))
	rep.Series = append(rep.Series,
		report.Series{Name: l.Name + ": to verdict", Latency: l.Answer},
		report.Series{Name: l.Name + ": to arrival", Latency: l.Arrival})
	if l.Rate > 0 {
		rep.Series = append(rep.Series, report.Series{Name: l.Name + ": late sending (tool)", Latency: l.Lateness})
	}
}

// pushCost is what pushing cost the server, where its process was read.
func (s *pushSettings) pushCost(u *readings, r *swarm.Result) (figures []report.Figure) {
	total := r.Totals()
	if s.pid == 0 || total.Sent == 0 || total.Arrived == 0 {
		return nil
	}
	cpu := u.done.CPU - u.ready.CPU
	return []report.Figure{
		{Name: "server, CPU per push", Value: micros(cpu) / float64(total.Sent), Unit: "µs"},
		{Name: "server, CPU per delivery", Value: micros(cpu) / float64(total.Arrived), Unit: "µs"},
		{Name: "server, CPU while pushing", Value: u.share(), Unit: "% of one"},
	}
}

// judged is an error if the server broke its word.
func judged(r *swarm.Result) error {
	b := r.Totals()
	if !b.Broken() {
		return nil
	}
	return fmt.Errorf("the server broke its word: %d messages lost, %d doubled, %d out of order, %d astray, %d changed",
		b.Lost, b.Doubled, b.Disordered, b.Stray, b.Garbled)
}

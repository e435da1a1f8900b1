package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/flags"
	"holdfast/perf/report"
	"holdfast/perf/swarm"
)

// holdSettings is what hold can be told.
type holdSettings struct{ swarmSettings }

func newHoldSettings() *holdSettings {
	s := &holdSettings{newSwarmSettings()}
	s.Settle = time.Second
	return s
}

func (s *holdSettings) table() flags.Table {
	const clients = "Clients"
	t := append(s.subscribing("rate"),
		flags.New("keys", clients, "keys", &s.keys, "How many keys the clients share, dealt in turn. 0 gives each its own."),
		flags.New("hold", clients, "duration", &s.Duration, "How long to hold them all, watching for connections that end."))
	return append(t, s.output.table()...)
}

func holdCommand() *cobra.Command {
	s := newHoldSettings()
	return command("hold", "Hold many clients and report how they got in, who was lost, and what they cost", s.table(), s.run)
}

func (s *holdSettings) run(ctx context.Context, out io.Writer) error {
	if err := s.fill(ctx, false); err != nil {
		return err
	}
	s.Loads = []swarm.Load{{Name: "hold", Conns: s.conns, Keys: s.keys}}
	r, used, err := s.measured(ctx, out)
	if err != nil {
		return err
	}
	rep := s.newReport("Hold "+count(int64(s.conns))+" clients, "+s.spoken(), r)
	connect := report.Series{Name: "connect to subscribed", Latency: r.Connect}
	connect.Figures = append(connect.Figures, report.Figure{Name: "established", Value: r.EstablishRate(), Unit: "connections/s"})
	connect.Figures = append(connect.Figures, s.holdCost(&used, float64(r.Subscribed.Load()))...)
	rep.Series = append(rep.Series, connect)
	return s.output.write(out, rep)
}

// holdCost is what a connection costs the server, where its process was read.
func (s *holdSettings) holdCost(u *readings, conns float64) (figures []report.Figure) {
	if s.pid == 0 || conns == 0 || u.ready.Resident == 0 {
		return nil
	}
	add := func(name string, value float64, unit string) {
		figures = append(figures, report.Figure{Name: name, Value: value, Unit: unit})
	}
	if u.ready.Private > 0 && u.before.Private > 0 {
		add("server, private memory per connection", float64(u.ready.Private-u.before.Private)/conns, "bytes")
	}
	add("server, resident memory per connection", float64(u.ready.Resident-u.before.Resident)/conns, "bytes")
	add("server, resident memory", float64(u.ready.Resident)/(1<<20), "MiB")
	add("server, CPU per connection established", micros(u.ready.CPU-u.before.CPU)/conns, "µs")
	add("server, CPU while holding", u.share(), "% of one")
	return figures
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"holdfast/cmd/internal/flags"
	"holdfast/perf/report"
	"holdfast/perf/swarm"
)

// output is where a report goes besides the screen.
type output struct{ json, svg string }

func (o *output) table() flags.Table {
	const group = "Report"
	return flags.Table{
		flags.New("json", group, "file", &o.json, "A file for the whole report as JSON."),
		flags.New("svg", group, "file", &o.svg, "A file for the plots: latency by percentile and over time."),
	}
}

func (o *output) write(out io.Writer, r *report.Report) error {
	fmt.Fprintln(out)
	return errors.Join(r.WriteText(out), toFile(o.json, r.WriteJSON), toFile(o.svg, r.WriteSVG))
}

// toFile writes a new file, if it has a name.
func toFile(name string, write func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// report says what a run found. Only series that measured something are shown.
func (s *swarmSettings) report(title string, r *swarm.Result) *report.Report {
	out := &report.Report{Title: title, Facts: []report.Fact{
		{Name: "subscribed at", Value: s.Subscribe.String()},
		{Name: "clients", Value: fmt.Sprintf("%d subscribed, %d failed, %d lost", r.Subscribed.Load(), r.Failed.Load(), r.Lost.Load())},
	}}
	fact := func(name, format string, args ...any) {
		out.Facts = append(out.Facts, report.Fact{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	if s.Rate > 0 {
		fact("pushes", "%d sent, %d unsent, answered %s, %d unanswered", r.Sent.Load(), r.Unsent, statuses(r.Status), r.Unanswered.Load())
		fact("messages", "%d received, %d missing, %d duplicates, %d bytes each", r.Received.Load(), r.Missing, r.Duplicates.Load(), s.Size)
	}
	fact("load tool", "%d loops, %d CPUs, %s", s.Loops, runtime.NumCPU(), runtime.Version())
	if r.Trouble != "" {
		fact("first trouble", "%s", r.Trouble)
	}
	if s.Rate > 0 {
		out.Series = append(out.Series,
			report.Series{Name: "push to receipt", Latency: r.Deliver},
			report.Series{Name: "push to verdict", Latency: r.Answer},
			report.Series{Name: "late sending (tool)", Latency: r.Late})
	} else {
		out.Series = append(out.Series, report.Series{Name: "connect to held", Latency: r.Connect})
	}
	out.Series[0].Figures = s.cost(r)
	return out
}

// cost is what the server spent, where its process was read.
func (s *swarmSettings) cost(r *swarm.Result) (figures []report.Figure) {
	if s.Process == 0 {
		return nil
	}
	m := &r.Server
	add := func(name string, value, per float64, unit string) {
		if per > 0 {
			figures = append(figures, report.Figure{Name: name, Value: value / per, Unit: unit})
		}
	}
	clients := float64(r.Subscribed.Load())
	add("server memory per connection", float64(m.Held.Memory-m.Before.Memory), clients, "bytes")
	add("server CPU per connect", (m.Held.CPU-m.Before.CPU).Seconds()*1e6, clients, "µs")
	add("server CPU per push", (m.Ended.CPU-m.Held.CPU).Seconds()*1e6, float64(r.Sent.Load()), "µs")
	return figures
}

// statuses lists answers by status: "200 × 950, 404 × 50".
func statuses(n map[int]int) string {
	if len(n) == 0 {
		return "never"
	}
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%d × %d", status, n[status]))
	}
	return strings.Join(parts, ", ")
}

// count groups a number's digits for a title.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

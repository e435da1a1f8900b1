package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

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

// newReport begins a report with what every run finds.
func (s *swarmSettings) newReport(title string, r *swarm.Result) *report.Report {
	rep := &report.Report{Title: title}
	fact(rep, "subscribed at", "http://%s%s", s.Subscribe, s.SubscribePath)
	if s.Publish.IsValid() {
		fact(rep, "published at", "http://%s%s", s.Publish, s.PublishPath)
	}
	fact(rep, "clients", "%s subscribed in %v, %s failed, %s lost", count(r.Subscribed.Load()), r.Took.Round(time.Millisecond),
		count(r.Failed.Load()), count(r.Lost.Load()))
	for _, kind := range slices.Sorted(maps.Keys(r.Troubles)) {
		fact(rep, "trouble", "%s × %s", kind, count(r.Troubles[kind]))
	}
	if s.Deflate {
		fact(rep, "deflate", "taken for %s WebSockets", count(r.Deflated.Load()))
	}
	if n := r.Foreign.Load(); n > 0 {
		fact(rep, "other messages", "%s that are none of this run", count(n))
	}
	fact(rep, "load tool", "%s", s.machine())
	return rep
}

func fact(rep *report.Report, name, format string, args ...any) {
	rep.Facts = append(rep.Facts, report.Fact{Name: name, Value: fmt.Sprintf(format, args...)})
}

// statuses lists answers by status: "200 × 950, 404 × 50".
func statuses(n map[int]int64) string {
	if len(n) == 0 {
		return "never"
	}
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%d × %s", status, count(n[status])))
	}
	return strings.Join(parts, ", ")
}

// count groups a number's digits.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

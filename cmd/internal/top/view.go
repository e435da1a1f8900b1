// Package top shows a node's life on a plain terminal: what changed between two scrapes of its metrics. It must never
// ask the node for anything but /metrics, so that watching costs the same on an idle node and on a full one.
//
// Reading order: view.go (two readings become text), watch.go (when to read, and how the screen is redrawn).
package top

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/cmd/internal/metrics"
)

// Reading is one scrape and when it was taken.
type Reading struct {
	At      time.Time
	Samples metrics.Samples
}

// barWidth is the length of a loop's busy bar in columns.
const barWidth = 30

// View writes what happened between two readings. With one reading in both places it shows levels, and no rates.
func View(now, before Reading) string {
	v := view{now: now.Samples, before: before.Samples, seconds: now.At.Sub(before.At).Seconds()}
	v.conns()
	v.pushes()
	v.cluster()
	v.loops()
	v.process()
	return v.String()
}

type view struct {
	strings.Builder
	now, before metrics.Samples
	seconds     float64
}

func (v *view) row(title, format string, args ...any) {
	fmt.Fprintf(v, "%-12s %s\n", title, fmt.Sprintf(format, args...))
}

// rate is a counter's growth per second; a counter that shrank belongs to a process that began anew.
func (v *view) rate(name string, labels ...string) float64 {
	return perSecond(v.now.Sum(name, labels...), v.before.Sum(name, labels...), v.seconds)
}

func perSecond(now, before, seconds float64) float64 {
	if seconds <= 0 || now < before {
		return 0
	}
	return (now - before) / seconds
}

func (v *view) conns() {
	v.row("Connections", "%s   opened %s/s   closed %s/s   requests %s/s", count(v.now.Sum(metrics.Conns)),
		count(v.rate(metrics.Accepted)), count(v.rate(metrics.Closed)), count(v.rate(metrics.Requests)))
	v.row("  by state", "%s", levels(v.now.By(metrics.ConnStates, "state")))
	v.row("  closed", "%s", v.rates(metrics.Closed, "reason"))
	if pauses := v.rates(metrics.AcceptPauses, "reason"); pauses != nothing {
		v.row("  refused", "%s", pauses)
	}
	v.row("Holds", "%s   keys %s", count(v.now.Sum(metrics.Holds)), count(v.now.Sum(metrics.Keys)))
	v.row("  by form", "%s", levels(v.now.By(metrics.Holds, "form")))
	v.row("Queued", "%s in %s connections", size(v.now.Sum(metrics.QueuedBytes)), count(v.now.Sum(metrics.QueuedConns)))
	v.row("Traffic", "in %s/s   out %s/s", size(v.rate(metrics.ReceivedBytes)), size(v.rate(metrics.SentBytes)))
}

func (v *view) pushes() {
	v.row("Pushes", "%s/s", count(v.rate(metrics.Pushes)))
	v.row("  by verdict", "%s", v.rates(metrics.Pushes, "verdict"))
	v.row("Deliveries", "%s/s", count(v.rate(metrics.Deliveries)))
	v.row("  by fate", "%s", v.rates(metrics.Deliveries, "fate"))
	h := v.now.Buckets(metrics.PushSeconds).Since(v.before.Buckets(metrics.PushSeconds))
	if h.Total() == 0 || v.seconds <= 0 {
		v.row("Latency", nothing)
		return
	}
	v.row("Latency", "p50 %s   p90 %s   p99 %s   p99.9 %s   (push taken to verdict)",
		span(h.Quantile(0.5)), span(h.Quantile(0.9)), span(h.Quantile(0.99)), span(h.Quantile(0.999)))
}

// cluster is the row of a node that has others; one that is alone has no such metrics.
func (v *view) cluster() {
	if v.now[metrics.Nodes] == nil {
		return
	}
	claims := "complete"
	if v.now.Sum(metrics.Behind) > 0 {
		claims = "BEHIND"
	}
	v.row("Cluster", "nodes %s live of %s   links %s up of %s   forwards %s/s   lookups %s/s   claims %s/s, %s",
		count(v.now.Sum(metrics.Nodes, "lease", "live")), count(v.now.Sum(metrics.Nodes)),
		count(v.now.Sum(metrics.Links, "state", "up")), count(v.now.Sum(metrics.Links)),
		count(v.rate(metrics.Forwards)), count(v.rate(metrics.Lookups)), count(v.rate(metrics.Claims)), claims)
}

func (v *view) loops() {
	before := v.before.By(metrics.LoopBusySeconds, "loop")
	now := v.now.By(metrics.LoopBusySeconds, "loop")
	for _, id := range slices.SortedFunc(maps.Keys(now), byNumber) {
		busy := min(perSecond(now[id], before[id], v.seconds), 1)
		filled := int(busy*barWidth + 0.5)
		v.row("Loop "+id, "[%s%s] %3.0f %% busy   %s conns   %s ticks/s", strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled),
			busy*100, count(v.now.Sum(metrics.Conns, "loop", id)), count(v.rate(metrics.LoopTicks, "loop", id)))
	}
}

func (v *view) process() {
	v.row("Process", "resident %s   CPU %.0f %%   files %s   goroutines %s   collections %.1f/s",
		size(v.now.Sum(metrics.ProcessRSS)), 100*v.rate(metrics.ProcessCPUSeconds), count(v.now.Sum(metrics.ProcessFiles)),
		count(v.now.Sum("go_goroutines")), v.rate("go_gc_cycles_total"))
}

// nothing stands where there is nothing to show.
const nothing = "-"

// rates lists a counter's growth per second by a label, largest first, leaving out what stands still.
func (v *view) rates(name, label string) string {
	before := v.before.By(name, label)
	moving := map[string]float64{}
	for value, now := range v.now.By(name, label) {
		if r := perSecond(now, before[value], v.seconds); r > 0 {
			moving[value] = r
		}
	}
	return list(moving, "/s")
}

func levels(by map[string]float64) string {
	maps.DeleteFunc(by, func(_ string, n float64) bool { return n == 0 })
	return list(by, "")
}

func list(by map[string]float64, unit string) string {
	if len(by) == 0 {
		return nothing
	}
	names := slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		return cmp.Or(cmp.Compare(by[b], by[a]), strings.Compare(a, b))
	})
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = name + " " + count(by[name]) + unit
	}
	return strings.Join(parts, "   ")
}

// byNumber orders loop numbers as numbers: 2 before 10.
func byNumber(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// count writes a number with its thousands apart, and one decimal where it is small and not whole.
func count(n float64) string {
	if n < 10 && n != float64(int(n)) {
		return fmt.Sprintf("%.1f", n)
	}
	digits := fmt.Sprintf("%.0f", n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func size(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1000 || unit == "GiB" {
			return fmt.Sprintf("%.4g %s", n, unit)
		}
		n /= 1024
	}
	return ""
}

// span writes seconds in the unit that leaves one to three digits before the point.
func span(seconds float64) string {
	switch {
	case seconds < 1e-3:
		return fmt.Sprintf("%.3g µs", seconds*1e6)
	case seconds < 1:
		return fmt.Sprintf("%.3g ms", seconds*1e3)
	}
	return fmt.Sprintf("%.3g s", seconds)
}

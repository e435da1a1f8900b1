package model

import (
	"fmt"
	"math"
	"slices"
	"time"

	"holdfast/perf/hist"
	"holdfast/perf/report"
)

// intime is the probability that an exponential time of this mean is over within a limit.
func intime(limit, mean time.Duration) float64 { return -math.Expm1(-limit.Seconds() / mean.Seconds()) }

// figures collects what is shown of one scene.
type figures []report.Figure

func (f *figures) add(name string, value float64, unit string) {
	*f = append(*f, report.Figure{Name: name, Value: value, Unit: unit})
}

func (f *figures) verdicts(of string, t Tally) {
	for _, v := range []struct {
		status string
		n      float64
	}{{"200", t.Delivered}, {"404", t.Nobody}, {"503", t.Doubt}, {"504", t.Unknown}} {
		f.add(of+" answered "+v.status, 100*v.n/max(t.Sum(), 1), "%")
	}
}

// Report shows the result as tables and plots.
func (r *Result) Report() *report.Report {
	c := &r.Config
	rep := &report.Report{Title: fmt.Sprintf("A model of %d nodes, %d shards and %.4g keys", c.Nodes, c.Shards, float64(c.Keys))}
	rep.Facts = []report.Fact{
		{Name: "modelled", Value: "nothing here was measured: figures follow from what is assumed, in steps of " + c.Step.String()},
		{Name: "seed", Value: fmt.Sprint(c.Seed)},
		{Name: "in balance", Value: "latency is that of a claim, from its write to its answer"},
		{Name: "nodes lost", Value: fmt.Sprintf("%d %%; latency is the time until a client of theirs can be reached again", c.Lost)},
		{Name: "shard", Value: "latency is the time from the replica's first moment until a node has made its claims again"},
	}
	balance := report.Series{Name: "in balance", Latency: summary(r.Steady.acks, 0, false), Figures: r.steadyFigures()}
	balance.Latency.Elapsed = c.Steady
	rep.Series = append(rep.Series, balance)
	for i := range r.Losses {
		l := &r.Losses[i]
		var f figures
		f.add("clients of lost nodes", float64(l.Keys), "")
		f.burden(&l.Burden, "until all can be reached")
		f.verdicts("pushes to their keys", l.LostPushes)
		f.add("attempts turned away by full queues", float64(l.TurnedAway), "")
		rep.Series = append(rep.Series, report.Series{Name: l.Name, Latency: summary(l.everybody(), l.Missing, true), Figures: f})
	}
	for i := range r.Failovers {
		l := &r.Failovers[i]
		var f figures
		f.burden(&l.Burden, "from the failure to the mark")
		f.add("claims made again", float64(l.Remade), "")
		rep.Series = append(rep.Series, report.Series{Name: l.Name, Latency: summary(withMissing(l.completed, l.Took-r.Config.Down, int64(l.Missing)), int64(l.Missing), true), Figures: f})
	}
	return rep
}

func (r *Result) steadyFigures() (f figures) {
	s, k, m := &r.Steady, &r.Kept, &r.Mesh
	shards := float64(r.Config.Shards)
	f.add("connected", float64(s.Connected), "clients")
	f.add("refreshes, per shard", s.Refreshes/shards, "claims/s")
	f.add("refreshes, per shard", s.RefreshBytes/1e6, "MB/s")
	f.add("claims, per shard", s.Claims/shards, "claims/s")
	f.add("removals, per shard", s.Removals/shards, "claims/s")
	f.add("requests with claims, per shard", s.Requests/shards, "requests/s")
	f.add("writes that lingering saves, per shard", s.Saved/shards, "claims/s")
	f.add("claims that linger, per node", s.Lingering, "claims")
	f.add("lookups, per shard", s.Lookups/shards, "requests/s")
	f.add("lookups that a node's cache answers", 100*k.Hit, "%")
	f.add("entries in a node's cache", k.Entries, "keys")
	f.add("keys that a shard tracks", k.Tracked/shards, "keys")
	f.add("invalidations, per shard", k.Invalidations/shards, "/s")
	f.add("invalidations forced by a full tracking table", 100*k.Forced, "%")
	f.add("asks at a node that held the key before", s.NotMine, "/s")
	f.add("beats, first shard", s.Beats, "/s")
	f.add("beats, first shard", s.BeatBytes/1e6, "MB/s")
	f.add("traffic, per shard", s.ShardBytes/1e6, "MB/s")
	f.add("a shard works", 100*s.Busy, "% of its time")
	f.add("the first shard works", 100*s.FirstBusy, "% of its time")
	f.add("store traffic, per node", s.NodeStoreBytes/1e3, "kB/s")
	f.add("links, per node", float64(m.Connections), "connections")
	f.add("links, per node", float64(m.Memory)/1e6, "MB of memory")
	f.add("pings sent, per node", m.Pings, "/s")
	f.add("pings, per node", m.PingBytes/1e3, "kB/s")
	f.add("forwarded pushes, per node", m.PushBytes/1e3, "kB/s")
	f.verdicts("pushes", s.Pushes)
	return f
}

func (f *figures) burden(b *Burden, until string) {
	if b.Over {
		f.add(until, b.Took.Seconds(), "s")
	} else {
		f.add(until+": given up after", b.Took.Seconds(), "s")
	}
	f.add("the busiest shard works, worst second", 100*b.Busiest, "% of its time")
	f.add("longest wait at a shard", float64(b.LongestWait)/1e6, "ms")
	f.add("beats that failed", float64(b.BeatsFailed), "")
	f.add("node table in beats", b.TableBytes/1e6, "MB/s")
	f.add("claims written in vain", float64(b.Wasted), "")
	f.add("nodes behind, at most", float64(b.Behind), "nodes")
	f.add("nodes asked for one push, at most", b.Asks, "nodes")
	f.verdicts("pushes", b.Pushes)
}

// summary turns counts by time into what a report shows, so many of them unfinished. Over time, if asked for, samples
// stand where they end.
func summary(all []sample, unfinished int64, overTime bool) hist.Summary {
	s := hist.Summary{Unfinished: unfinished}
	if len(all) == 0 {
		return s
	}
	all = slices.Clone(all)
	s.Min, s.Max = quantile(all, 0), quantile(all, 1)
	s.Elapsed, s.Interval = s.Max, time.Second
	var mean float64
	for _, a := range all {
		s.Count += a.n
		mean += float64(a.Duration) * float64(a.n)
	}
	s.Mean = time.Duration(mean / float64(s.Count))
	for _, q := range hist.Marks {
		if hist.Supported(q, s.Count) {
			s.Quantiles = append(s.Quantiles, hist.Quantile{Q: q, Value: quantile(all, q)})
		}
	}
	s.Curve = []hist.Quantile{{Q: 0, Value: s.Min}}
	for q := 0.1; hist.Supported(q, s.Count) && q < 1-1e-7; q = 1 - (1-q)*0.87 {
		s.Curve = append(s.Curve, hist.Quantile{Q: q, Value: quantile(all, q)})
	}
	s.Curve = append(s.Curve, hist.Quantile{Q: 1, Value: s.Max})
	if !overTime {
		return s
	}
	s.Points = make([]hist.Point, int(s.Max/time.Second)+1)
	for i := range s.Points {
		s.Points[i].At = time.Duration(i) * time.Second
	}
	for _, a := range all { // in order of time
		p := &s.Points[int(a.Duration/time.Second)]
		p.Count += a.n
		p.P50, p.P99, p.Max = a.Duration, a.Duration, a.Duration
	}
	return s
}

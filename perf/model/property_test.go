package model

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"
)

func text(t *testing.T, r *Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Report().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSeedsDecide(t *testing.T) {
	c := small()
	a, b := text(t, run(t, c)), text(t, run(t, c))
	if a != b {
		t.Error("one seed gave two results")
	}
	c.Seed++
	if text(t, run(t, c)) == a {
		t.Error("another seed changed nothing")
	}
}

// Twice the nodes, keys, shards and pushes: nothing that is per node or per shard changes.
func TestScaleDoesNotMatter(t *testing.T) {
	one := small()
	two := one
	two.Nodes, two.Keys, two.Shards, two.Pushes = 2*one.Nodes, 2*one.Keys, 2*one.Shards, 2*one.Pushes
	a, b := run(t, one), run(t, two)
	near(t, "refreshes", b.Steady.Refreshes, 2*a.Steady.Refreshes, 0.02)
	near(t, "claims", b.Steady.Claims, 2*a.Steady.Claims, 0.03)
	near(t, "beats", b.Steady.Beats, 2*a.Steady.Beats, 0.01)
	near(t, "lingering per node", b.Steady.Lingering, a.Steady.Lingering, 0.1)
	for i := range a.Losses {
		near(t, a.Losses[i].Name+", half", b.Losses[i].Within(0.5).Seconds(), a.Losses[i].Within(0.5).Seconds(), 0.06)
		near(t, a.Losses[i].Name+", most", b.Losses[i].Within(0.99).Seconds(), a.Losses[i].Within(0.99).Seconds(), 0.06)
	}
	near(t, "marked", b.Failovers[0].Marked.Seconds(), a.Failovers[0].Marked.Seconds(), 0.15)
	near(t, "memory of links", float64(b.Mesh.Memory), 2*float64(a.Mesh.Memory), 0.06) // a full mesh does grow
}

// Finer steps tell the same story.
func TestStepDoesNotMatter(t *testing.T) {
	c := small()
	a := run(t, c)
	c.Step = 20 * time.Millisecond
	b := run(t, c)
	near(t, "busy", b.Steady.Busy, a.Steady.Busy, 0.05)
	near(t, "requests", b.Steady.Requests, a.Steady.Requests, 0.05)
	for i := range a.Losses {
		near(t, a.Losses[i].Name+", most", b.Losses[i].Within(0.9).Seconds(), a.Losses[i].Within(0.9).Seconds(), 0.1)
		near(t, a.Losses[i].Name+", half", b.Losses[i].Within(0.5).Seconds(), a.Losses[i].Within(0.5).Seconds(), 0.15)
	}
}

// More of what helps never makes it worse; a tenth is chance.
func TestRecoveryIsMonotone(t *testing.T) {
	f := func(name string, measure func(r *Result) float64, change func(c *Config, n int)) {
		t.Helper()
		last := 0.0
		for n := 1; n <= 3; n++ {
			c := small()
			change(&c, n)
			if got := measure(run(t, c)); n > 1 && got > 1.1*last {
				t.Errorf("%s, step %d: %.4g after %.4g", name, n, got, last)
			} else {
				last = got
			}
		}
	}
	killed := func(r *Result) float64 { return r.Losses[1].Took.Seconds() }
	f("accepting", killed, func(c *Config, n int) { c.AcceptRate = 200 << n })
	f("a faster store", killed, func(c *Config, n int) { c.ShardClaims = 2000 << n })
	f("fewer lost", func(r *Result) float64 { return float64(r.Losses[0].Keys) }, func(c *Config, n int) { c.Lost = 40 / n })
	f("sooner noticed", func(r *Result) float64 { return r.Losses[0].Took.Seconds() }, func(c *Config, n int) { c.Notice = 24 * time.Second / time.Duration(n) })
	f("re-claiming", func(r *Result) float64 { return r.Failovers[0].Marked.Seconds() }, func(c *Config, n int) { c.ReclaimRate = 250 << n })
	f("less down", func(r *Result) float64 { return r.Failovers[0].Pushes.Doubt }, func(c *Config, n int) { c.Down = 12 * time.Second / time.Duration(n) })
}

// A beat that returns the whole table whenever a row has changed costs nodes × nodes. Where a beat of all of them takes
// the shard longer than a beat may take, they fail, never learn the new version, and ask for all of it again.
func TestWholeTableInBeatsIsTooMuch(t *testing.T) {
	c := small()
	c.Nodes, c.RowCost = 100, 300*time.Microsecond // a beat of all of them takes 3 s of the shard
	c.Life, c.Pushes, c.Delta = time.Hour, 100, false
	whole := run(t, c).Failovers[0]
	c.Delta = true
	delta := run(t, c).Failovers[0]
	if whole.Over || !delta.Over {
		t.Errorf("marked: whole table %v, what changed %v", whole.Over, delta.Over)
	}
	if delta.TableBytes > whole.TableBytes {
		t.Errorf("%.0f bytes/s of rows that changed, %.0f of all", delta.TableBytes, whole.TableBytes)
	}
}

// A run ends with its context.
func TestRunIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Default()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

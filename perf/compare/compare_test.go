package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// small is a comparison that is over soon.
func small(t *testing.T) Config {
	return Config{
		Holdfast: daemon, Bare: self(t), Nginx: "/nowhere/nginx",
		Conns: 40, Rounds: 2, Pushes: 3, Publishers: 4, Turn: 50 * time.Millisecond, Group: 100, Rate: 200, Limit: time.Minute,
	}
}

// The whole comparison runs, every figure has a value of every round, and the ratios are of these values.
func TestRun(t *testing.T) {
	var progress bytes.Buffer
	cfg := small(t)
	cfg.Progress = &progress
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	f := func(k kind, server string) {
		t.Helper()
		got := find(r.Figures, k, server)
		if got == nil || len(got.Rounds) != 2 || got.Rounds[0] <= 0 || got.Rounds[1] <= 0 {
			t.Errorf("%s of %s: %+v", k.name, server, got)
		}
	}
	f(fanoutCPU, bareName)
	f(fanoutWall, bareName)
	for _, k := range []kind{fanoutCPU, fanoutWall, oneKeyCPU, oneKeyRate, oneKeyP50, arrivalCPU, arrivalsPerCPU, arrivalRate, besideWall} {
		f(k, holdfastName)
	}
	if len(r.Ratios) != 2 || r.Ratios[0].Of != holdfastName || r.Ratios[0].To != bareName || r.Ratios[0].Goal != 1.05 {
		t.Errorf("ratios: %+v", r.Ratios)
	}
	if len(r.Notes) == 0 || !strings.Contains(r.Notes[len(r.Notes)-1], "libnginx-mod-nchan") {
		t.Errorf("notes: %q", r.Notes)
	}
	if !strings.Contains(progress.String(), "fan-out: round 2 of 2\n") {
		t.Errorf("progress: %s", &progress)
	}
	var text, raw bytes.Buffer
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "holdfast / bare send") {
		t.Errorf("%v in %s", err, &text)
	}
	var back Result
	if err := r.WriteJSON(&raw); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw.Bytes(), &back); err != nil || len(back.Figures) != len(r.Figures) || back.Figures[0].Rounds[1] != r.Figures[0].Rounds[1] {
		t.Errorf("%v, %+v", err, back)
	}
}

func TestContextEndsARun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	cfg := small(t)
	cfg.Rounds = 1000
	begun := time.Now()
	r, err := Run(ctx, cfg)
	if err == nil || time.Since(begun) > 5*time.Second || r == nil || len(r.Setting) == 0 {
		t.Errorf("%v after %v with %+v", err, time.Since(begun), r)
	}
}

func TestLimitEndsARun(t *testing.T) {
	cfg := small(t)
	cfg.Rounds, cfg.Limit = 1000, 200*time.Millisecond
	if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Error(err)
	}
}

func TestServersThatDoNotStart(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		cfg := small(t)
		change(&cfg)
		if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(func(c *Config) { c.Holdfast = "/nowhere/holdfast" }, "/nowhere/holdfast")
	f(func(c *Config) { c.Holdfast = "/bin/false" }, "/bin/false has ended")
	f(func(c *Config) { c.Bare = []string{"/bin/echo", "hello"} }, "/bin/echo")
	f(func(c *Config) { c.Nginx = "/bin/false" }, "/bin/false -V")
}

func TestConfigIsFilled(t *testing.T) {
	base := Config{Holdfast: "h", Bare: []string{"b"}}
	c, err := base.Filled(20_000)
	if err != nil || c.Conns != 5000 || c.Rounds != 5 || c.Publishers != 16 || c.Turn != 2*time.Second || c.Group != 16_000 || c.holders() != 1000 {
		t.Errorf("%+v, %v", c, err)
	}
	f := func(files int, change func(*Config), want string) {
		t.Helper()
		c := base
		change(&c)
		if _, err := c.Filled(files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(20_000, func(c *Config) { c.Bare = nil }, "no program")
	f(20_000, func(c *Config) { c.Holdfast = "" }, "no program")
	f(20_000, func(c *Config) { c.Size = 1 << 20 }, "16 KiB")
	f(10_000, func(*Config) {}, "ulimit")
	f(20_000, func(c *Config) { c.Group = 19_000 }, "ulimit")
	f(1_000, func(c *Config) { c.Conns = 200; c.Publishers = 300 }, "")
}

func TestNotesAreSaidOnce(t *testing.T) {
	r := new(run)
	r.notef("a %d", 1)
	r.notef("a %d", 2)
	r.notef("a %d", 1)
	if len(r.notes) != 2 {
		t.Errorf("%q", r.notes)
	}
}

package compare

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// smallPages is a measurement that is over soon.
func smallPages() PagesConfig {
	return PagesConfig{
		Holdfast: daemon, Nginx: "/usr/sbin/nginx", H2load: "h2load", Path: "/echo", Conns: 3, Streams: 8, Requests: 3000, Rounds: 2, Limit: time.Minute,
	}
}

// The measurement runs with the real programs, and the ratios are of both servers' rounds.
func TestRunPages(t *testing.T) {
	cfg := smallPages()
	var progress, text bytes.Buffer
	cfg.Progress = &progress
	r, err := RunPages(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []string{holdfastName, nginxName} {
		for _, k := range []kind{pageCPU, pageRate, pageBusy} {
			if got := find(r.Figures, k, server); got == nil || len(got.Rounds) != 2 || got.Rounds[0] <= 0 || got.Rounds[1] <= 0 {
				t.Errorf("%s of %s: %+v", k.name, server, got)
			}
		}
	}
	if len(r.Ratios) != 2 || r.Ratios[0].Of != holdfastName || r.Ratios[0].To != nginxName || r.Ratios[1].Name != pageRate.name {
		t.Errorf("ratios: %+v", r.Ratios)
	}
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "3 connections with 8 requests each under way") ||
		!strings.Contains(progress.String(), "pages: round 2 of 2") {
		t.Errorf("%v in %s%s", err, &progress, &text)
	}
}

// What cannot be measured is an error, and nothing is left running.
func TestPagesThatCannotBeMeasured(t *testing.T) {
	f := func(change func(*PagesConfig), want string) {
		t.Helper()
		cfg := smallPages()
		cfg.Nginx = ""
		change(&cfg)
		if _, err := RunPages(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(func(c *PagesConfig) { c.Holdfast = "" }, "no program")
	f(func(c *PagesConfig) { c.Path = "echo" }, "no plain path")
	f(func(c *PagesConfig) { c.Path = "/x;y" }, "no plain path")
	f(func(c *PagesConfig) { c.Requests = 2 }, "do not reach 3 connections")
	f(func(c *PagesConfig) { c.Path = "/nowhere" }, "/nowhere answers 404")
	f(func(c *PagesConfig) { c.H2load = "/nowhere/h2load" }, "no such file")
	f(func(c *PagesConfig) { c.H2load = script(t, "echo sorry; exit 1") }, "h2load has not finished: sorry")
	f(func(c *PagesConfig) { c.H2load = script(t, "sleep 60"); c.Limit = 300 * time.Millisecond }, context.DeadlineExceeded.Error())
}

// Without nginx the daemon is measured alone, and the report says why.
func TestPagesWithoutNginx(t *testing.T) {
	cfg := smallPages()
	cfg.Nginx, cfg.Rounds, cfg.H2load = "/nowhere/nginx", 1, script(t, "echo '"+report(3000, 3000)+"'")
	r, err := RunPages(t.Context(), cfg)
	if err != nil || len(r.Ratios) != 0 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "nginx-light") {
		t.Errorf("%+v %v", r, err)
	}
	if got := find(r.Figures, pageRate, holdfastName); got == nil || got.Rounds[0] != 3000/0.075 {
		t.Errorf("%+v", got)
	}
}

// report is the end of what h2load says.
func report(requests, good int) string {
	return fmt.Sprintf("progress: 100%% done\n\nfinished in 75.00ms, 40000.00 req/s, 1MB/s\nrequests: %d total, %[1]d started, "+
		"%[1]d done, %[1]d succeeded, 0 failed, 0 errored, 0 timeout\nstatus codes: %[2]d 2xx, 0 3xx, %[3]d 4xx, 0 5xx\n", requests, good, requests-good)
}

func TestReportOfH2load(t *testing.T) {
	f := func(said string, want time.Duration, trouble string) {
		t.Helper()
		got, err := finished(said, 500)
		if got != want || (err == nil) != (trouble == "") || err != nil && !strings.Contains(err.Error(), trouble) {
			t.Errorf("%q: %v, %v", said, got, err)
		}
	}
	f(report(500, 500), 75*time.Millisecond, "")
	f(strings.Replace(report(500, 500), "75.00ms", "1.02s", 1), 1020*time.Millisecond, "")
	f(report(500, 499), 0, "not every request")
	f(report(499, 499), 0, "not every request")
	f(strings.Replace(report(500, 500), " 0 failed", " 1 failed", 1), 0, "not every request")
	f(strings.Replace(report(500, 500), "75.00ms", "0us", 1), 0, "has not finished")
	f("finished in soon, ", 0, "has not finished")
	f("", 0, "has not finished")
}

func TestPagesConfigOfNginx(t *testing.T) {
	got, err := pagesConfig("/tmp/d", netip.MustParseAddrPort("127.0.0.1:81"), "/echo", "", []byte("hello\n"))
	for _, want := range []string{"listen 127.0.0.1:81 http2", "location = /echo { default_type \"text/plain\"; return 200 \"hello\n\"; }", "proxy_temp_path /tmp/d/proxy;", "daemon off;"} {
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("%v: no %q in\n%s", err, want, got)
		}
	}
	if strings.Contains(got, "%!") || strings.Count(got, "{") != strings.Count(got, "}") {
		t.Errorf("malformed:\n%s", got)
	}
	if _, err := pagesConfig("/tmp/d", netip.AddrPort{}, "/echo", "", []byte(`"; }`)); err == nil {
		t.Error("a page broke out of its configuration")
	}
}

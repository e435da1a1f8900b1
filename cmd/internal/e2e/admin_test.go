package e2e

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/cmd/internal/admin"
	"holdfast/cmd/internal/metrics"
)

// A node with holds in every form answers an operator's questions truthfully, over HTTP and from the command line.
func TestOperatorsSee(t *testing.T) {
	t.Parallel()
	d := serve(t)
	for form := range accepts {
		d.subscribe(t, form, "key:"+form+",all%2Cof%20them")
	}
	d.held(t, "all%2Cof%20them", len(accepts))
	if v := d.push(t, "key:sse", []byte("x")); v.Delivered != 1 {
		t.Errorf("%+v", v)
	}

	m := d.metrics(t)
	for form := range accepts {
		if got := m.Sum(metrics.Holds, "form", form); got != 1 {
			t.Errorf("%v holds of form %s", got, form)
		}
	}
	if keys, delivered := m.Sum(metrics.Keys), m.Sum(metrics.Deliveries, "fate", "delivered"); keys != 7 || delivered != 1 {
		t.Errorf("%v keys, %v delivered", keys, delivered)
	}
	if page := d.conns(t, "form=sse"); len(page.Conns) != 1 || page.More || page.Conns[0].Form != "sse" ||
		!slices.Contains(page.Conns[0].Keys, "all%2Cof%20them") || page.Conns[0].Listener != "public" {
		t.Errorf("form=sse: %+v", page)
	}
	if page := d.conns(t, "key=all%2Cof%20them&limit=4"); len(page.Conns) != 4 || !page.More {
		t.Errorf("limit=4: %+v", page)
	}
	if page := d.conns(t, "min_age=3600"); len(page.Conns) != 0 || page.More {
		t.Errorf("min_age: %+v", page)
	}
	var holders admin.KeyHolders
	status, body := get(t, d.admin+"/v1/keys/all%2Cof%20them")
	if err := json.Unmarshal([]byte(body), &holders); err != nil || status != 200 || holders.Holders != 6 || len(holders.Conns) != 6 {
		t.Errorf("/v1/keys/KEY: %d %s", status, body)
	}
	f := func(want int, path string) {
		t.Helper()
		if status, body := get(t, d.admin+path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	f(404, "/v1/keys/nobody")
	f(400, "/v1/conns?limit=0")
	f(400, "/v1/conns?from=sse")
	f(404, "/debug/pprof/")
	d.commandsAgree(t)
}

// commandsAgree asks the same from the command line.
func (d *daemon) commandsAgree(t *testing.T) {
	t.Helper()
	f := func(code int, want string, args ...string) {
		t.Helper()
		if got, said := d.ask(t, args...); got != code || !regexp.MustCompile(want).MatchString(said) {
			t.Errorf("%q: exit %d: %s, want %s", args, got, said, want)
		}
	}
	f(0, `"delivered":1`, "push", "key:ndjson", "hello")
	f(3, `"delivered":0`, "push", "nobody", "hello")
	f(1, `the push was answered 415`, "push", "key:sse", "\xff")
	f(0, `(?m)^HOLDERS  KEY$`, "keys")
	f(0, `(?m)^6        all%2Cof%20them$`, "keys", "--prefix", "all")
	f(0, `\n1        key:\w+\nholdfast: there are more`, "keys", "--prefix", "key:", "--limit", "1")
	f(0, `^all%2Cof%20them has 6 holders\n`, "keys", "all%2Cof%20them")
	f(0, `(?m)^\d +127\.0\.0\.1:\d+ +public +sse +\d+s +\d+s +0B? +key:sse all%2Cof%20them$`, "conns", "--form", "sse")
	f(0, `there are more`, "conns", "--limit", "2")
	f(1, `^holdfast: .*unknown flag`, "conns", "--from", "sse")
	code, frame := d.ask(t, "top", "--frames", "1", "--every", "200ms")
	for _, row := range []string{"Connections", "Holds        6   keys 7", "  by form", "Queued       0 B in 0", "Traffic", "Pushes", "Deliveries", "Latency", "Loop 0", "Loop 1", "Process"} {
		if code != 0 || !strings.Contains(frame, "\n"+row) {
			t.Errorf("top ended with %d and has no %q:\n%s", code, row, frame)
		}
	}
	t.Logf("one frame of top:\n%s", frame)
}

var sampleRow = regexp.MustCompile(`^[a-z_][a-z0-9_]*(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? [0-9.e+-]+$|^[a-z_]+_bucket\{le="\+Inf"\} \d+$`)

// Every line of /metrics is one that Prometheus reads, and no series stands there twice.
func TestMetricsParse(t *testing.T) {
	t.Parallel()
	d := serve(t)
	d.push(t, "nobody", []byte("x"))
	_, text := get(t, d.admin+"/metrics")
	seen := map[string]bool{}
	family := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			family, _, _ = strings.Cut(rest, " ")
			continue
		}
		if strings.HasPrefix(line, "# TYPE "+family+" ") {
			continue
		}
		series := line[:strings.LastIndexByte(line, ' ')]
		if !sampleRow.MatchString(line) || seen[series] || !strings.HasPrefix(line, family) {
			t.Errorf("%s: %s", family, line)
		}
		seen[series] = true
	}
	if len(seen) < 60 {
		t.Errorf("%d series only", len(seen))
	}
}

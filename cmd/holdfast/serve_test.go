package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// daemon is a node that serves in this process on ports of its own.
type daemon struct {
	public, publish, admin string
	warnings               *strings.Builder
	stop                   func() error
}

// start runs serve and waits until it says that it is ready.
func start(t *testing.T, args ...string) *daemon {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, w := io.Pipe()
	d := &daemon{warnings: &strings.Builder{}}
	ended := make(chan error, 1)
	go func() {
		args = append([]string{
			"serve", "--loops", "2", "--listen", "127.0.0.1:0", "--publish-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
			"--drain-timeout", "5s", "--drain-pace", "10ms",
		}, args...)
		ended <- run(ctx, args, strings.NewReader(""), w, d.warnings)
		w.Close()
	}()
	d.stop = func() error { cancel(); err := <-ended; ended <- err; return err }
	t.Cleanup(func() { d.stop() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		role, url, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "holdfast: "), " listener on ")
		switch role {
		case "public":
			d.public = url
		case "publish":
			d.publish = url
		case "admin":
			d.admin = url
		case "ready":
			go io.Copy(io.Discard, out)
			return d
		}
	}
	t.Fatalf("serve %q ended before it was ready: %v", args, d.stop())
	return nil
}

// ask runs a command against the node as a user would.
func (d *daemon) ask(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	t.Setenv("HOLDFAST_PUBLISH_URL", d.publish)
	t.Setenv("HOLDFAST_ADMIN_URL", d.admin)
	var out strings.Builder
	err := run(t.Context(), args, strings.NewReader(stdin), &out, io.Discard)
	return out.String(), err
}

// subscribe opens an event stream and returns a function that reads the data of the next message.
func (d *daemon) subscribe(t *testing.T, key string) (next func() string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.public+"/sub/"+key, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}
		return "the stream ended"
	}
}

func TestServeAndAsk(t *testing.T) {
	d := start(t)
	next := d.subscribe(t, "a%2Cb")
	f := func(stdin, want string, wantErr string, args ...string) {
		t.Helper()
		out, err := d.ask(t, stdin, args...)
		if !strings.Contains(out, want) || fmt.Sprint(err) != wantErr {
			t.Errorf("%q: %q, %v; want %q, %s", args, out, err, want, wantErr)
		}
	}
	f("", `"delivered":1`, "<nil>", "push", "a%2Cb", "from an argument", "--id", "7")
	if got := next(); got != "from an argument" {
		t.Errorf("the subscriber got %q", got)
	}
	f("from standard input", `"delivered":1`, "<nil>", "push", "a%2Cb")
	if got := next(); got != "from standard input" {
		t.Errorf("the subscriber got %q", got)
	}
	f("", `"delivered":1`, "<nil>", "push", "--all", "to everybody")
	if got := next(); got != "to everybody" {
		t.Errorf("the subscriber got %q", got)
	}
	f("", `"delivered":0`, errNobody.Error(), "push", "nobody", "x")
	f("", "HOLDERS  KEY\n1        a%2Cb\n", "<nil>", "keys")
	f("", "a%2Cb has 1 holders\n", "<nil>", "keys", "a%2Cb")
	f("", "", "<nil>", "keys", "--prefix", "b", "--json")
	f("", `{"key":"a%2Cb","holders":1}`, "<nil>", "keys", "--prefix", "a%2C", "--json")
	f("", "", "the node answered 404: nobody holds this key on this node", "keys", "nobody")
	f("", "sse", "<nil>", "conns", "--key", "a%2Cb")
	f("", `"form":"sse","keys":["a%2Cb"]`, "<nil>", "conns", "--json", "--form", "sse")
	f("", "", "<nil>", "conns", "--json", "--min-age", "1h")
	f("", "Holds        1   keys 1", "<nil>", "top", "--frames", "1", "--every", "10ms")
}

func TestAdminOfANode(t *testing.T) {
	d := start(t, "--pprof")
	f := func(path, want string) {
		t.Helper()
		resp, err := http.Get(d.admin + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s %q, %v; want %q", path, resp.Status, body, err, want)
		}
	}
	f("/healthz", "ok")
	f("/readyz", "ready")
	f("/metrics", `holdfast_loop_ticks_total{loop="1"}`)
	f("/v1/conns", `{"conns":[],"more":false}`)
	f("/v1/keys", `{"keys":[]}`)
	f("/debug/pprof/cmdline", "")
}

func TestDrainLetsEverybodyGo(t *testing.T) {
	d := start(t)
	next := d.subscribe(t, "alice")
	began := time.Now()
	if err := d.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("an idle subscriber held the drain up for %v", took)
	}
	if got := next(); got != "{}" { // the goaway event's data
		t.Errorf("the subscriber was told %q", got)
	}
	if strings.Contains(d.warnings.String(), "cut") {
		t.Errorf("warnings: %s", d.warnings)
	}
}

func TestTokensGuardPublishing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("# publishers\n\nsecret\n other \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := start(t, "--publish-token-file", file)
	f := func(token, want string) {
		t.Helper()
		t.Setenv("HOLDFAST_TOKEN", token)
		if _, err := d.ask(t, "", "push", "alice", "x"); fmt.Sprint(err) != want {
			t.Errorf("with token %q: %v, want %s", token, err, want)
		}
	}
	f("secret", errNobody.Error())
	f("other", errNobody.Error())
	f("", "the push was answered 401")
	f("guess", "the push was answered 401")
	f("# publishers", "the push was answered 401")
}

func TestServeRefusesWhatItCannotDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	empty := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(empty, []byte("# nobody yet\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(want string, args ...string) {
		t.Helper()
		free := []string{"serve", "--listen", "127.0.0.1:0", "--publish-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--drain-timeout", "1s"}
		err := run(t.Context(), append(free, args...), strings.NewReader(""), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
	f("another process listens there", "--listen", taken.Addr().String())
	f("choose another with --admin-listen", "--admin-listen", taken.Addr().String())
	f(`--listen "8080": want HOST:PORT`, "--listen", "8080")
	f(`--publish-listen "nowhere.invalid:1"`, "--publish-listen", "nowhere.invalid:1")
	f("want close, drop-oldest or latest-only", "--slow-policy", "wait")
	f("no such file", "--publish-token-file", empty+".missing")
	f("holds no token", "--publish-token-file", empty)
	f("unknown flag: --listn", "--listn", "x")
	f("unknown command", "extra")
	f("want a time with its unit", "--heartbeat", "50")
	f(`"-5" for "--max-conns" flag: want a number above 0`, "--max-conns", "-5")
	f(`"0" for "--max-message" flag: want a size above 0`, "--max-message", "0")
	f(`"-1" for "--loops" flag: want a number from 0 to 256`, "--loops", "-1")
	f(`"257" for "--loops" flag: want a number from 0 to 256`, "--loops", "257")
	f(`"0" for "--max-keys" flag: want a number above 0`, "--max-keys", "0")
	f(`"" for "--node" flag: want a text that is not empty`, "--node", "")
	f(`"0s" for "--heartbeat" flag: want a time other than 0`, "--heartbeat", "0s")
	t.Setenv("HOLDFAST_QUEUE", "64kb")
	f(`HOLDFAST_QUEUE="64kb": want a size`)
}

func TestOpenPublishListenerIsWarnedOf(t *testing.T) {
	f := func(want bool, args ...string) {
		t.Helper()
		d := start(t, args...)
		d.stop()
		if got := strings.Contains(d.warnings.String(), "may publish"); got != want {
			t.Errorf("%q: warned %v: %s", args, got, d.warnings)
		}
	}
	f(false)
	f(true, "--publish-listen", "0.0.0.0:0")
}

func TestStrayVariablesAreWarnedOf(t *testing.T) {
	for _, name := range []string{"HOLDFAST_MAX_CON", "HOLDFAST_ALL", "HOLDFAST_TOKEN", "HOLDFAST_MAX_KEYS", "HOLDFAST_PERF_RATE"} {
		t.Setenv(name, "17")
	}
	d := start(t)
	d.stop()
	f := func(want bool, name string) {
		t.Helper()
		if got := strings.Contains(d.warnings.String(), "variable "+name+" is no setting"); got != want {
			t.Errorf("%s: warned %v: %s", name, got, d.warnings)
		}
	}
	f(true, "HOLDFAST_MAX_CON")
	f(true, "HOLDFAST_ALL") // a setting of one push
	f(false, "HOLDFAST_TOKEN")
	f(false, "HOLDFAST_MAX_KEYS")
	f(false, "HOLDFAST_PERF_RATE")
}

// What is left in the environment must not turn one push into a broadcast, nor give all pushes one id.
func TestPushTakesNothingOfTheMessageFromTheEnvironment(t *testing.T) {
	d := start(t)
	for name, value := range map[string]string{"ALL": "true", "ID": "left-over", "EVENT": "left-over", "TYPE": "left/over"} {
		t.Setenv("HOLDFAST_"+name, value)
	}
	bystander := d.subscribe(t, "bystander")
	if out, err := d.ask(t, "", "push", "nobody", "not for all"); !errors.Is(err, errNobody) || strings.Contains(out, "left-over") {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := d.ask(t, "", "push", "bystander", "for you"); err != nil {
		t.Error(err)
	}
	if got := bystander(); got != "for you" {
		t.Errorf("the bystander got %q first", got)
	}
}

func TestResolve(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		addr, err := resolve("listen", text)
		if got := addr.String(); err != nil || got != want[0] && got != want[len(want)-1] {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	f("127.0.0.1:80", "127.0.0.1:80")
	f("[::1]:80", "[::1]:80")
	f(":80", "[::]:80", "0.0.0.0:80") // the second where the kernel has no IPv6
	f("0.0.0.0:80", "0.0.0.0:80")
	f("localhost:80", "127.0.0.1:80", "[::1]:80")
}

package e2e

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// invitation are the lines that a node prints for its user to paste: how to wait, how to send, and where the page is.
func (d *daemon) invitation(t *testing.T) (wait, send, page string) {
	t.Helper()
	for line := range strings.Lines(d.out.String()) {
		label, rest, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "holdfast: ")), ":  ")
		rest = strings.TrimSpace(rest)
		switch label {
		case "wait for messages":
			wait = rest
		case "send one":
			send = rest
		case "or in a browser":
			page = rest
		}
	}
	if wait == "" || send == "" || page == "" {
		t.Fatalf("no line to paste in: %s", &d.out)
	}
	return wait, send, page
}

func TestPrintedLinesWork(t *testing.T) {
	t.Parallel()
	d := serve(t)
	wait, send, page := d.invitation(t)
	waiting := launch(t, nil, "sh", "-c", "exec "+wait)
	d.held(t, "alice", 1)
	sent := launch(t, nil, "sh", "-c", "exec "+send)
	if code := sent.wait(t); code != 0 || !strings.Contains(sent.out.String(), `"delivered":1`) {
		t.Errorf("%s: exit %d: %s%s", send, code, &sent.out, &sent.errs)
	}
	waiting.awaits(t, "data: hello\n\n")
	if html := curled(t, page); !strings.Contains(html, "<title>Holdfast") {
		t.Errorf("%s: %.200s", page, html)
	}
}

func TestPrintedLineHasRoomForAToken(t *testing.T) {
	t.Parallel()
	d := serve(t, "--publish-token-file", tokenFile(t, "s3cret"))
	_, send, _ := d.invitation(t)
	f := func(line, want string) {
		t.Helper()
		p := launch(t, nil, "sh", "-c", "exec "+line)
		if p.wait(t); !strings.Contains(p.out.String(), want) {
			t.Errorf("%s: %s%s", line, &p.out, &p.errs)
		}
	}
	f(send, "token file")
	f(strings.Replace(send, "TOKEN", "s3cret", 1), `"delivered":0`)
}

func tokenFile(t *testing.T, lines string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Each flag's rows: its name and unit, what it means, its default and variable, which settings of one call lack.
var (
	groupRow   = regexp.MustCompile(`^[A-Z][A-Za-z ]+:$`)
	flagRow    = regexp.MustCompile(`^  --([a-z-]+)( <[^>]+>)?$`)
	defaultRow = regexp.MustCompile(`^        (Default [^;]+|Off by default)(?:; (HOLDFAST_[A-Z_]+))?$`)
)

func TestHelpSaysEverything(t *testing.T) {
	t.Parallel()
	f := func(groups, flags int, command string) {
		t.Helper()
		p := launch(t, nil, program, command, "--help")
		if code := p.wait(t); code != 0 || p.errs.String() != "" {
			t.Errorf("%s --help: exit %d: %s", command, code, &p.errs)
		}
		name := ""
		for lines := bufio.NewScanner(strings.NewReader(p.out.String())); lines.Scan(); {
			line := lines.Text()
			if groupRow.MatchString(line) && line != "Usage:" {
				groups--
			}
			if row := flagRow.FindStringSubmatch(line); row != nil {
				if name != "" {
					t.Errorf("%s: --%s has no default", command, name)
				}
				name = row[1]
				flags--
			}
			if row := defaultRow.FindStringSubmatch(line); row != nil {
				if want := "HOLDFAST_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")); row[2] != want && (command == "serve" || row[2] != "") {
					t.Errorf("%s: --%s has the variable %s", command, name, row[2])
				}
				name = ""
			}
			if len(line) > 140 {
				t.Errorf("%s: a line that no terminal is wide enough for: %s", command, line)
			}
		}
		if groups > 0 || flags > 0 || name != "" {
			t.Errorf("%s: %d groups and %d flags are missing, and the default of %q: %s", command, groups, flags, name, &p.out)
		}
	}
	f(7, 50, "serve")
	f(2, 7, "push")
	f(3, 8, "conns")
	f(2, 4, "keys")
	f(2, 4, "top")
}

func TestEnvironmentSetsFlags(t *testing.T) {
	t.Parallel()
	env := []string{"HOLDFAST_NODE=edge-7", "HOLDFAST_MAX_MESSAGE=3", "HOLDFAST_MAX_BATCH=1KiB"}
	d := serveBy(t, env, program, append(anywhere[:len(anywhere):len(anywhere)], "--max-message", "4")...)
	f := func(data, want string) {
		t.Helper()
		if got := curled(t, "-d", data, d.publish+"/push/a"); !strings.Contains(got, want) {
			t.Errorf("%s: %s", data, got)
		}
	}
	f("four", `"node":"edge-7"`)
	f("five5", "larger than this route takes")
}

func TestBadStartsAreExplained(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f := func(want string, env []string, args ...string) {
		t.Helper()
		p := launch(t, env, program, append(anywhere[:len(anywhere):len(anywhere)], args...)...)
		code, said := p.wait(t), p.errs.String()
		if code != 1 || !strings.Contains(said, want) || strings.Contains(p.out.String(), "ready") {
			t.Errorf("%q %q: exit %d, said %q, want %q", env, args, code, said, want)
		}
		if !strings.HasPrefix(said, "holdfast: ") || strings.Contains(said, "goroutine") {
			t.Errorf("%q: not for people: %s", args, said)
		}
	}
	f("stop it or choose another port", nil, "--listen", taken.Addr().String())
	f("stop it or choose another port", nil, "--publish-listen", taken.Addr().String())
	f("choose another with --admin-listen", nil, "--admin-listen", taken.Addr().String())
	f("want HOST:PORT, as in :8080", nil, "--listen", "8080")
	f("want HOST:PORT, as in :8080", nil, "--listen", "127.0.0.1:http!")
	f("--queue", nil, "--queue", "much")
	f("HOLDFAST_POLL_TIMEOUT", []string{"HOLDFAST_POLL_TIMEOUT=soon"})
	f("want a time with its unit", nil, "--heartbeat", "50")
	f("close, drop-oldest or latest-only", nil, "--slow-policy", "wait")
	f("unknown flag: --listn", nil, "--listn", ":1")
	f("no such file", nil, "--publish-token-file", filepath.Join(t.TempDir(), "none"))
	f("write one a line", nil, "--publish-token-file", tokenFile(t, "# none yet\n\n"))
}

// A second daemon must not steal the first one's connections by sharing its port.
func TestSecondDaemonIsRefused(t *testing.T) {
	t.Parallel()
	d := serve(t)
	f := func(flag, address string) {
		t.Helper()
		p := launch(t, nil, program, append(anywhere[:len(anywhere):len(anywhere)], flag, address)...)
		if code := p.wait(t); code != 1 || !strings.Contains(p.errs.String(), address) {
			t.Errorf("%s %s: exit %d: %s%s", flag, address, code, &p.out, &p.errs)
		}
	}
	f("--listen", d.public)
	f("--publish-listen", d.publish)
	f("--admin-listen", d.admin)
	f("--publish-listen", d.public)
}

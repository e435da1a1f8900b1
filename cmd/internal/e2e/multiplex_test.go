package e2e

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// Every way in which curl speaks HTTP/2 without TLS gets what it gets over HTTP/1.1: a page, each form of hold, a push.
func TestCurlOverHTTP2(t *testing.T) {
	t.Parallel()
	d := serve(t, "--echo")
	hasty := serve(t, "--poll-timeout", "100ms")
	for _, how := range []string{"--http2", "--http2-prior-knowledge"} {
		t.Run(how[2:], func(t *testing.T) {
			f := func(want string, args ...string) {
				t.Helper()
				got := curled(t, append([]string{how, "-w", " %{http_version} %{http_code}"}, args...)...)
				if !regexp.MustCompile("(?s)" + want).MatchString(got) {
					t.Errorf("%q: %q, want %s", args, got, want)
				}
			}
			pushed := " 2 200" // curl's offer to upgrade goes out with the body, and is then ignored, RFC 9110 §7.8
			if how == "--http2" {
				pushed = " 1.1 200"
			}
			f("^(0123456789abcde\n){64} 2 200$", d.public+"/echo/page")
			f("^ 2 200$", "-I", "-o", "/dev/null", d.public+"/echo/page")
			f(`^ 2 204$`, hasty.public+"/sub/nobody") // a poll
			f(`"connections":0,.* 2 404$`, d.publish+"/push/nobody")
			f(" 2 404$", d.public+"/nowhere")
			f("^hello"+pushed, d.public+"/echo", "-d", "hello")

			streams := map[string]string{
				"sse": "data: over http/2\n\n", "ndjson": `"data":"over http/2"}` + "\n", "raw": "over http/2",
				"multipart": "\r\n\r\nover http/2\r\n--hf-", "poll": "over http/2",
			}
			for form, want := range streams {
				key := form + how[2:]
				c := curl(t, how, "-i", "-H", "Accept: "+accepts[form], d.public+"/sub/"+key, "-m", "20")
				d.held(t, key, 1)
				f(`"delivered":1,.*`+pushed, d.publish+"/push/"+key, "-d", "over http/2")
				c.awaits(t, want)
				if form != "poll" {
					d.sendAway(t, key)
				}
				if code := c.wait(t); code != 0 || !strings.Contains(c.out.String(), "HTTP/2 200") {
					t.Errorf("%s: exit %d: %s%s", form, code, &c.out, &c.errs)
				}
				d.held(t, key, 0)
			}
		})
	}
	f := func(want string, args ...string) {
		t.Helper()
		if got := curled(t, append([]string{"--http2-prior-knowledge", "-w", " %{http_version} %{http_code}"}, args...)...); !strings.HasSuffix(got, want) {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
	f("hello 2 200", d.public+"/echo", "-H", "Expect: 100-continue", "-d", "hello")
}

// nghttp is the reference implementation's client, and speaks of everything it sees.
func TestNghttp(t *testing.T) {
	t.Parallel()
	d := serve(t, "--echo")
	f := func(want int, args ...string) {
		t.Helper()
		p := launch(t, nil, "nghttp", append([]string{"-nv", "-t", "10"}, args...)...)
		p.stdin.Close()
		code := p.wait(t)
		said := p.out.String()
		if got := strings.Count(said, ":status: 200"); code != 0 || got != want || strings.Contains(said, "RST_STREAM") || !strings.Contains(said, "GOAWAY") {
			t.Errorf("%q: exit %d, %d answers, want %d: %s%s", args, code, got, want, said, &p.errs)
		}
		if strings.Contains(said, "error_code=") && strings.Count(said, "error_code=") != strings.Count(said, "error_code=NO_ERROR") {
			t.Errorf("%q: an error: %s", args, said)
		}
	}
	page := "http://" + d.public + "/echo/page"
	f(1, page)
	f(1, "--upgrade", page)
	f(100, "-m", "100", page)
	f(10, "-m", "10", "-w", "4", "-W", "5", page)              // windows of 15 and 31 bytes
	f(5, "-m", "5", "--continuation", page)                    // a head in HEADERS and CONTINUATION
	f(5, "-m", "5", "-b", "37", "--header-table-size=0", page) // padding
	f(1, "-d", "/etc/passwd", "http://"+d.public+"/echo")
}

// Load in order is never taken for abuse: no connection of h2load ends before it is done, and each request is answered.
func TestH2Load(t *testing.T) {
	t.Parallel()
	d := serve(t, "--echo")
	f := func(requests int, args ...string) {
		t.Helper()
		out, err := exec.Command("h2load", append([]string{"-n", fmt.Sprint(requests)}, args...)...).CombinedOutput()
		want := fmt.Sprintf("requests: %[1]d total, %[1]d started, %[1]d done, %[1]d succeeded, 0 failed, 0 errored, 0 timeout", requests)
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v: %s", args, err, out)
		}
		rate, _, _ := strings.Cut(string(out[strings.Index(string(out), "finished in"):]), "\n")
		t.Logf("%q: %s", args, rate)
	}
	page := "http://" + d.public + "/echo/page"
	f(20000, "-c", "10", "-m", "100", page)
	f(5000, "-c", "1", "-m", "1000", page)
	f(5000, "-c", "20", "-m", "10", "-w", "10", "-W", "12", page) // windows of 1,023 and 4,095 bytes
	f(5000, "-c", "10", "-m", "50", "-d", "/etc/passwd", "http://"+d.public+"/echo")
}

package e2e

import (
	"strings"
	"testing"
)

// asked is what curl gets for a request: its body and then its status.
func asked(t *testing.T, args ...string) string {
	t.Helper()
	return curled(t, append([]string{"-w", "%{http_code}"}, args...)...)
}

func TestPublishersAuthenticate(t *testing.T) {
	t.Parallel()
	d := serve(t, "--publish-token-file", tokenFile(t, "# two publishers\nfirst\n\n second \n"))
	f := func(want string, args ...string) {
		t.Helper()
		if got := asked(t, append([]string{d.publish + "/push/alice"}, args...)...); !strings.HasSuffix(got, want) {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
	const refused = "send Authorization: Bearer with a token from this node's token file\"}\n401"
	body := []string{"-d", "x", "-H"}
	f("404", append(body, "Authorization: Bearer first")...)
	f("404", append(body, "authorization: bearer second")...)
	f(refused, "-d", "x")
	f(refused, append(body, "Authorization: Bearer third")...)
	f(refused, append(body, "Authorization: Bearer # two publishers")...)
	f(refused, append(body, "Authorization: Bearer ")...)
	f(refused, append(body, "Authorization: Basic first")...)
	f(refused, "-X", "DELETE")
	f(refused, "-X", "GET")
	if got := asked(t, d.public+"/push/alice", "-d", "x", "-H", "Authorization: Bearer first"); !strings.HasSuffix(got, "404") || strings.Contains(got, "delivered") {
		t.Errorf("the public listener takes pushes: %s", got)
	}
	if got := asked(t, d.public+"/sub/alice", "-I"); !strings.HasSuffix(got, "200") {
		t.Errorf("subscribers need a token: %s", got)
	}
}

func TestCrossSitePublishersAreRefused(t *testing.T) {
	t.Parallel()
	d := serve(t)
	f := func(want string, fields ...string) {
		t.Helper()
		args := []string{d.publish + "/push/alice", "-d", "x"}
		for _, line := range fields {
			args = append(args, "-H", line)
		}
		if got := asked(t, args...); !strings.HasSuffix(got, want) {
			t.Errorf("%q: %s, want %s", fields, got, want)
		}
	}
	const refused = "cross-site requests may not publish; call this from a server or from a page of this origin\"}\n403"
	f("404", "Origin: http://"+d.publish)
	f("404", "Sec-Fetch-Site: same-origin", "Origin: http://"+d.publish)
	f("404", "Sec-Fetch-Site: none")
	f(refused, "Origin: http://evil.example")
	f(refused, "Origin: null")
	f(refused, "Sec-Fetch-Site: cross-site")
	f(refused, "Sec-Fetch-Site: same-site")
	f(refused, "Origin: http://evil.example", "Host: "+d.publish)
}

func TestOpenPublishListenerIsWarnedOf(t *testing.T) {
	t.Parallel()
	f := func(want bool, args ...string) {
		t.Helper()
		d := serve(t, args...)
		const text = "may publish; set --publish-token-file, or listen on loopback"
		if want && !d.warns(text) {
			t.Errorf("%q: not warned: %s", args, &d.errs)
		}
		if d.stop(t); !want && strings.Contains(d.errs.String(), text) {
			t.Errorf("%q: warned: %s", args, &d.errs)
		}
	}
	f(false)
	f(true, "--publish-listen", "0.0.0.0:0")
	f(false, "--publish-listen", "0.0.0.0:0", "--publish-token-file", tokenFile(t, "secret"))
}

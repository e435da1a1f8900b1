package main

import (
	"io"
	"strings"
	"testing"
)

// say runs a command that needs no node.
func say(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := run(t.Context(), args, strings.NewReader(""), &out, io.Discard)
	return out.String(), err
}

func TestHelp(t *testing.T) {
	f := func(args string, want ...string) {
		t.Helper()
		out, err := say(t, strings.Fields(args)...)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: no %q in:\n%s", args, w, out)
			}
		}
	}
	f("--help", "serve", "push", "keys", "conns", "nodes", "top", "version")
	f("serve --help", "Network:", "--max-conns <connections>", "Default 1048576; HOLDFAST_MAX_CONNS\n", "Timeouts:", "Default 1m15s")
	f("push --help", "push KEY [DATA]", "HOLDFAST_TOKEN", "with 3 when nobody is there")
	f("conns --help", "--min-queued <bytes>")
	f("version", "holdfast ", "go1.")
}

func TestAskingWrongly(t *testing.T) {
	t.Setenv("HOLDFAST_PUBLISH_URL", "127.0.0.1:1")
	t.Setenv("HOLDFAST_ADMIN_URL", "127.0.0.1:1")
	f := func(args, want string) {
		t.Helper()
		if _, err := say(t, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	f("push", "name a key")
	f("push a%2 x", `key "a%2"`)
	f("push a b c", "accepts at most 2 arg")
	f("push --all a b", "give the data alone")
	f("push a b", "cannot reach 127.0.0.1:1")
	f("keys", "cannot reach 127.0.0.1:1")
	f("keys %zz", `key "%zz"`)
	f("keys --prefix %zz", "--prefix")
	f("conns", "cannot reach 127.0.0.1:1")
	f("conns --key %zz", "--key")
	f("nodes", "cannot reach 127.0.0.1:1")
	f("top --frames 1", "cannot reach 127.0.0.1:1")
	f("top --every 0s", "want a time above 0")
	f("top --frames -1", "want a number of 0 or more")
	f("keys --limit 0", "want a number above 0")
	f("push a b --timeout -1s", "want a time above 0")
	f("pull", "unknown command")
}

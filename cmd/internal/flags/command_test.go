package flags

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// run executes a command with one setting and returns what it saw and printed.
func run(t *testing.T, args ...string) (seen int, printed string, err error) {
	t.Helper()
	s := defaults()
	var out strings.Builder
	c := s.table().Attach(&cobra.Command{
		Use: "serve [name]", Short: "Serve.", Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(*cobra.Command, []string) error { seen = s.conns; return nil },
	}, "TEST")
	c.SetArgs(append([]string{}, args...))
	c.SetOut(&out)
	c.SetErr(io.Discard)
	err = c.Execute()
	return seen, out.String(), err
}

func TestAttachedCommand(t *testing.T) {
	f := func(want int, args ...string) {
		t.Helper()
		if seen, _, err := run(t, args...); err != nil || seen != want {
			t.Errorf("%q: ran with %d, %v; want %d", args, seen, err, want)
		}
	}
	f(1000)
	f(7, "--max-conns", "7")
	t.Setenv("TEST_MAX_CONNS", "9")
	f(9)
	f(7, "--max-conns", "7")
	t.Setenv("TEST_MAX_CONNS", "many")
	f(7, "--max-conns", "7")
	if seen, _, err := run(t); err == nil || seen != 0 || !strings.Contains(err.Error(), "TEST_MAX_CONNS") {
		t.Errorf("ran with %d, %v", seen, err)
	}
}

func TestAttachedHelp(t *testing.T) {
	seen, help, err := run(t, "--help")
	if err != nil || seen != 0 {
		t.Fatalf("--help ran the command, %v", err)
	}
	s := defaults()
	for _, want := range []string{"Usage:\n  serve [name]", s.table().Usage("TEST")} {
		if !strings.Contains(help, want) {
			t.Errorf("no %q in:\n%s", want, help)
		}
	}
}

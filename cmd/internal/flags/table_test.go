package flags

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// settings are a small Config as a room exports it.
type settings struct {
	listen  []string
	conns   int
	body    int
	timeout time.Duration
	verbose bool
	name    string
}

func defaults() *settings {
	return &settings{listen: []string{":8080"}, conns: 1000, body: 64 << 10, timeout: time.Minute}
}

func (s *settings) table() Table {
	return Table{
		New("listen", "Network", "addresses", &s.listen, "Where clients connect to."),
		New("max-conns", "Network", "connections", &s.conns, "Connections of the whole process."),
		New("max-body", "Limits", Bytes, &s.body, "Longest body of one message."),
		New("idle-timeout", "Limits", "duration", &s.timeout, "Silence allowed between two requests."),
		New("verbose", "Logs", "true or false", &s.verbose, "Say more than is needed."),
		New("node", "Logs", "name", &s.name, "What this node is called."),
	}
}

// load gives a table its arguments and its environment, as a program does.
func load(s *settings, args []string, env map[string]string) error {
	return loadTable(s.table(), args, env)
}

func loadTable(table Table, args []string, env map[string]string) error {
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	table.Register(set)
	if err := set.Parse(args); err != nil {
		return err
	}
	return table.Env("TEST", set, func(name string) (string, bool) {
		text, ok := env[name]
		return text, ok
	})
}

func TestPrecedence(t *testing.T) {
	f := func(arg, env, want string) {
		t.Helper()
		s := defaults()
		var args []string
		if arg != "" {
			args = strings.Fields(arg)
		}
		vars := map[string]string{}
		if name, value, ok := strings.Cut(env, "="); ok {
			vars[name] = value
		}
		err := load(s, args, vars)
		if got := fmt.Sprintf("%v %d %d %v %v", s.listen, s.conns, s.body, s.timeout, s.verbose); err != nil || got != want {
			t.Errorf("%q with %q: got %s, %v; want %s", arg, env, got, err, want)
		}
	}
	f("", "", "[:8080] 1000 65536 1m0s false")
	f("", "TEST_MAX_CONNS=5", "[:8080] 5 65536 1m0s false")
	f("--max-conns 7", "", "[:8080] 7 65536 1m0s false")
	f("--max-conns 7", "TEST_MAX_CONNS=5", "[:8080] 7 65536 1m0s false")
	f("--max-conns 7", "TEST_MAX_CONNS=many", "[:8080] 7 65536 1m0s false")
	f("--listen :1 --listen :2", "TEST_LISTEN=:3", "[:1 :2] 1000 65536 1m0s false")
	f("", "TEST_LISTEN=:3,:4", "[:3 :4] 1000 65536 1m0s false")
	f("--max-body=1MiB --idle-timeout 2s", "", "[:8080] 1000 1048576 2s false")
	f("--verbose", "", "[:8080] 1000 65536 1m0s true")
	f("--verbose=no", "TEST_VERBOSE=yes", "[:8080] 1000 65536 1m0s false")
	f("", "TEST_VERBOSE=on", "[:8080] 1000 65536 1m0s true")
	f("", "OTHER_MAX_CONNS=5", "[:8080] 1000 65536 1m0s false")
}

func TestBadValuesSayWhatToDo(t *testing.T) {
	f := func(args []string, env map[string]string, want ...string) {
		t.Helper()
		err := load(defaults(), args, env)
		for _, part := range want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%q with %q: got %v, want %q in it", args, env, err, part)
			}
		}
	}
	f([]string{"--max-conns", "many"}, nil, "many", "--max-conns", "want a whole number")
	f([]string{"--max-body", "64kb"}, nil, "64kb", "--max-body", "want a size")
	f([]string{"--max-con", "1"}, nil, "unknown flag: --max-con")
	f(nil, map[string]string{"TEST_IDLE_TIMEOUT": "30"}, `TEST_IDLE_TIMEOUT="30"`, "with its unit")
	f(nil, map[string]string{"TEST_IDLE_TIMEOUT": "30", "TEST_MAX_CONNS": "x"}, "TEST_IDLE_TIMEOUT", "TEST_MAX_CONNS")
}

func TestUsageTellsAll(t *testing.T) {
	s := defaults()
	got := s.table().Usage("TEST")
	const want = `
Network:
  --listen <addresses>
        Where clients connect to.
        Default :8080; TEST_LISTEN
  --max-conns <connections>
        Connections of the whole process.
        Default 1000; TEST_MAX_CONNS

Limits:
  --max-body <bytes>
        Longest body of one message.
        Default 64KiB; TEST_MAX_BODY
  --idle-timeout <duration>
        Silence allowed between two requests.
        Default 1m; TEST_IDLE_TIMEOUT

Logs:
  --verbose
        Say more than is needed.
        Default false; TEST_VERBOSE
  --node <name>
        What this node is called.
        Default empty; TEST_NODE
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestUsageFitsTheScreen(t *testing.T) {
	long := strings.TrimSpace(strings.Repeat("word ", 100)) + "."
	var field int
	text := Table{New("a", "G", "things", &field, long)}.Usage("TEST")
	for line := range strings.Lines(text) {
		if len(line) > helpWidth+1 {
			t.Errorf("%d columns: %q", len(line), line)
		}
	}
	if n := strings.Count(text, "word"); n != 100 {
		t.Errorf("%d of 100 words are left", n)
	}
}

func TestCheckFindsWhatIsIncomplete(t *testing.T) {
	if found := defaults().table().Check(); len(found) != 0 {
		t.Errorf("false alarm: %q", found)
	}
	var a, b int
	const help = "Something that is explained."
	f := func(want string, rows ...Flag) {
		t.Helper()
		found := Table(rows).Check()
		if len(found) != 1 || !strings.Contains(found[0], want) {
			t.Errorf("got %q, want one with %q", found, want)
		}
	}
	f("kebab case", New("maxConns", "G", "things", &a, help))
	f("taken", New("a", "G", "things", &a, help), New("a", "G", "things", &b, help))
	f("same field as --a", New("a", "G", "things", &a, help), New("b", "G", "things", &a, help))
	f("no group", New("a", "", "things", &a, help))
	f("two places", New("a", "G", "things", &a, help), New("b", "H", "things", &b, help), New("c", "G", "things", new(int), help))
	f("no unit", New("a", "G", "", &a, help))
	f("not a sentence", New("a", "G", "things", &a, "Too short."))
	f("not a sentence", New("a", "G", "things", &a, "no full stop at the end"))
}

func TestEnvNames(t *testing.T) {
	if got := EnvName("HOLDFAST", "max-conns"); got != "HOLDFAST_MAX_CONNS" {
		t.Error(got)
	}
}

func TestDefaultsAreTheFieldsOwn(t *testing.T) {
	s := defaults()
	var got []string
	for _, f := range s.table() {
		got = append(got, f.Default)
	}
	if want := []string{":8080", "1000", "64KiB", "1m", "false", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

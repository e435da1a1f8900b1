package flags

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// bounded are rows of every kind of bound.
type bounded struct {
	count, some, few, size int
	wide                   int64
	wait, beat             time.Duration
	name, path, nick       string
	on                     bool
}

func (b *bounded) table() Table {
	const group = "G"
	const help = "Something that is explained."
	return Table{
		New("count", group, "things", &b.count, help),
		New("some", group, "things", &b.some, help).From(0),
		New("few", group, "things", &b.few, help).From(0).To(256),
		New("size", group, Bytes, &b.size, help),
		New("wide", group, Bytes, &b.wide, help).To(1 << 10),
		New("wait", group, "duration", &b.wait, help),
		New("beat", group, "duration", &b.beat, help).OrBelow(),
		New("name", group, "name", &b.name, help),
		New("path", group, "path", &b.path, help),
		New("nick", group, "name", &b.nick, help).OrEmpty(),
		New("on", group, "switch", &b.on, help),
	}.Strict()
}

func newBounded() *bounded {
	return &bounded{count: 3, few: 1, size: 64 << 10, wide: 1, wait: time.Second, beat: time.Second, name: "local", nick: "n"}
}

// What is refused is told by flag, value and what is allowed, and the field stays as it was.
func TestStrictTablesRefuse(t *testing.T) {
	good := func(name string, values ...string) {
		t.Helper()
		for _, v := range values {
			if err := loadBounded(newBounded(), name, v); err != nil {
				t.Errorf("--%s=%s: %v", name, v, err)
			}
		}
	}
	bad := func(name, want string, values ...string) {
		t.Helper()
		for _, v := range values {
			b := newBounded()
			err := loadBounded(b, name, v)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--"+name) || !strings.Contains(err.Error(), `"`+v+`"`) {
				t.Errorf("--%s=%s: %v, want %q", name, v, err, want)
			}
			if *b != *newBounded() {
				t.Errorf("--%s=%s changed a field: %+v", name, v, *b)
			}
		}
	}
	good("count", "1", "100000")
	bad("count", "want a number above 0", "0", "-5")
	good("some", "0", "1")
	bad("some", "want a number of 0 or more", "-1")
	good("few", "0", "256")
	bad("few", "want a number from 0 to 256", "-1", "257")
	good("size", "1", "1GiB")
	bad("size", "want a size above 0", "0", "-1", "-1KiB")
	good("wide", "1KiB")
	bad("wide", "want a size from 1 to 1024", "1025", "0", "-1")
	good("wait", "1ns", "1h")
	bad("wait", "want a time above 0", "0", "0s", "-1s")
	good("beat", "-1s", "1s")
	bad("beat", "want a time other than 0", "0s")
	good("name", "x")
	bad("name", "want a text that is not empty", "")
	good("path", "", "x")
	good("nick", "", "x")
	good("on", "false", "true")
}

func loadBounded(b *bounded, name, value string) error {
	return loadTable(b.table(), []string{"--" + name + "=" + value}, nil)
}

func TestEnvironmentIsJudgedToo(t *testing.T) {
	b := newBounded()
	err := loadTable(b.table(), nil, map[string]string{"TEST_COUNT": "-5", "TEST_NAME": "", "TEST_SOME": "0"})
	for _, want := range []string{`TEST_COUNT="-5": want a number above 0`, `TEST_NAME="": want a text that is not empty`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if b.count != 3 || b.name != "local" {
		t.Errorf("the fields became %+v", b)
	}
}

func TestTablesThatAreNotStrictTakeAnyNumber(t *testing.T) {
	n := 1
	table := Table{New("n", "G", "things", &n, "Something that is explained.")}
	if err := loadTable(table, []string{"--n=-5"}, nil); err != nil || n != -5 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestCheckFindsADefaultOutOfBounds(t *testing.T) {
	b := newBounded()
	b.few = 300
	if found := b.table().Check(); len(found) != 1 || !strings.Contains(found[0], "--few: the default would be refused") {
		t.Errorf("found %q", found)
	}
	if found := newBounded().table().Check(); len(found) != 0 {
		t.Errorf("false alarm: %q", found)
	}
}

// A setting of one call is a flag only: the environment of another program must not decide who gets a message.
func TestSettingsOfOneCallHaveNoVariable(t *testing.T) {
	all, url := false, "http://a"
	table := Table{
		New("url", "G", "url", &url, "Something that is explained."),
		New("all", "G", "switch", &all, "Something that is explained.").Once(),
	}
	if err := loadTable(table, nil, map[string]string{"TEST_ALL": "true", "TEST_URL": "http://b"}); err != nil || all || url != "http://b" {
		t.Errorf("all %v, url %s, %v", all, url, err)
	}
	if err := loadTable(table, []string{"--all"}, nil); err != nil || !all {
		t.Errorf("all %v, %v", all, err)
	}
	if help := table.Usage("TEST"); strings.Contains(help, "TEST_ALL") || !strings.Contains(help, "TEST_URL") {
		t.Errorf("help: %s", help)
	}
	environ := []string{"TEST_URL=1", "TEST_ALL=1", "TEST_Z", "TEST_B=x=y", "TESTING=1", "OTHER_URL=1", ""}
	if got := table.Strangers("TEST", environ); !slices.Equal(got, []string{"TEST_ALL", "TEST_B", "TEST_Z"}) {
		t.Errorf("strangers %q", got)
	}
}

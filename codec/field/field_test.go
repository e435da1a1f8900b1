package field

import (
	"strings"
	"testing"
)

// fieldsOf turns "Name: value" lines into fields.
func fieldsOf(lines ...string) []Field {
	var fields []Field
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ":")
		fields = append(fields, Field{[]byte(name), TrimOWS([]byte(value))})
	}
	return fields
}

func TestGet(t *testing.T) {
	fields := fieldsOf("Host: a", "X-a: 1", "x-A: 2", "Empty:")
	f := func(name, value string, ok bool, count int) {
		t.Helper()
		got, found := Get(fields, name)
		if string(got) != value || found != ok {
			t.Errorf("Get %q: %q %v, want %q %v", name, got, found, value, ok)
		}
		if n := Count(fields, name); n != count {
			t.Errorf("Count %q: %d, want %d", name, n, count)
		}
	}
	f("host", "a", true, 1)
	f("x-a", "1", true, 2)
	f("empty", "", true, 1)
	f("hos", "", false, 0)
	f("hostt", "", false, 0)
	f("", "", false, 0)
}

func TestEqualFold(t *testing.T) {
	f := func(b, lower string, want bool) {
		t.Helper()
		if got := EqualFold([]byte(b), lower); got != want {
			t.Errorf("%q, %q: %v, want %v", b, lower, got, want)
		}
	}
	f("", "", true)
	f("AZaz09-_", "azaz09-_", true)
	f("a", "b", false)
	f("a", "ab", false)
	f("@", "`", false)        // 0x40 and 0x60 differ in the bit that letters differ in
	f("[", "{", false)        // so do these
	f("\r", "-", false)       // and these
	f("\u212a", "k", false)   // the Kelvin sign folds to k in Unicode
	f("\u017f", "s", false)   // and the long s to s
	f("\xc4", "\xe4", false)  // no Latin-1 either
	f("\xe4b", "\xe4b", true) // other bytes equal themselves
	f("A", "A", false)        // the second must be in lower case
	f("Upgrade", "upgrade", true)
}

func TestNoAllocation(t *testing.T) {
	fields := fieldsOf("Host: a", "Accept: text/html, */*;q=0.1", "Accept: text/event-stream;q=0.5", "Connection: a, close")
	offers := []string{"application/json", "text/event-stream"}
	list := fields[3].Value
	dst := make([]byte, 0, 64)
	n := testing.AllocsPerRun(100, func() {
		Get(fields, "connection")
		Count(fields, "accept")
		HasToken(list, "close")
		Negotiate(fields, offers)
		dst = AppendDate(dst[:0], 784111777)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

package field

import (
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		var got []string
		l := List(in)
		for item, ok := l.Next(); ok; item, ok = l.Next() {
			got = append(got, string(item))
		}
		if strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	f("")
	f(" \t")
	f("a", "a")
	f("a,b", "a", "b")
	f(" a\t, \tb c ,", "a", "b c")
	f("a;q=\"x,y\",b", "a;q=\"x,y\"", "b")
	f("\"a\\\",b\",c", "\"a\\\",b\"", "c")
	f("a\\,b", "a\\", "b")
	f("a,\"b,c", "a", "\"b,c")
	f("a,\"b\\", "a", "\"b\\")
}

// "A recipient MUST parse and ignore a reasonable number of empty list
// elements." RFC 9110 §5.6.1.2
func TestListEmptyElements(t *testing.T) {
	l := List(",,\t, a ,, ,b,,")
	a, _ := l.Next()
	b, _ := l.Next()
	if _, more := l.Next(); string(a) != "a" || string(b) != "b" || more {
		t.Errorf("%q %q, more %v", a, b, more)
	}
}

func TestHasToken(t *testing.T) {
	f := func(list, token string, want bool) {
		t.Helper()
		if got := HasToken([]byte(list), token); got != want {
			t.Errorf("%q in %q: %v, want %v", token, list, got, want)
		}
	}
	f("keep-alive, Close", "close", true)
	f("CLOSE", "close", true)
	f("closed,xclose", "close", false)
	f("close x", "close", false)
	f("\"close\"", "close", false)
	f("", "close", false)
}

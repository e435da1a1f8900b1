package key

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// walk reads a whole list, and asks once more behind its end.
func walk(text string, most int) (keys []string, err error) {
	l := NewList([]byte(text), most)
	var scratch [MaxLen]byte
	for {
		key, ok, err := l.Next(scratch[:0])
		if !ok {
			if _, again, later := l.Next(scratch[:0]); again || later != nil {
				return keys, errors.New("the list went on behind its end")
			}
			return keys, err
		}
		keys = append(keys, string(key))
	}
}

func TestList(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		if got, err := walk(text, 4); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q yields %q, %v; want %q", text, got, err, want)
		}
	}
	f("alice", "alice")
	f("alice, group:news", "alice", "group:news")
	f("a,b,c", "a", "b", "c")
	f(" a\t ,\t b ", "a", "b")
	f("a%2Cb,c", "a,b", "c")
	f("a%20", "a ")
	f("%20 , b", " ", "b")
	f("a,a", "a", "a")
	f("a,b,c,d", "a", "b", "c", "d")
}

// An error ends the walk; the keys before it have been seen.
func TestListRefuses(t *testing.T) {
	f := func(text string, want error, before ...string) {
		t.Helper()
		if got, err := walk(text, 3); !errors.Is(err, want) || !slices.Equal(got, before) {
			t.Errorf("%q yields %q, %v; want %q, %v", text, got, err, before, want)
		}
	}
	f("", ErrEmpty)
	f(" ", ErrEmpty)
	f(",", ErrEmpty)
	f("a,", ErrEmpty, "a")
	f("a, ", ErrEmpty, "a")
	f(",a", ErrEmpty)
	f("a,,b", ErrEmpty, "a")
	f("a b", ErrByte)
	f("a,b\nc", ErrByte, "a")
	f("a,%2", ErrPercent, "a")
	f("a%2,C", ErrPercent) // a comma splits before percents are read
	f("a,"+strings.Repeat("b", MaxLen+1), ErrTooLong, "a")
	f("a,b,c,d", ErrTooMany, "a", "b", "c")
	f("a,b,c,", ErrTooMany, "a", "b", "c")
}

// Several field lines of one name share one bound.
func TestListLeft(t *testing.T) {
	first := NewList([]byte("a,b"), 3)
	for _, ok, _ := first.Next(nil); ok; _, ok, _ = first.Next(nil) {
	}
	second := NewList([]byte("c,d"), first.Left())
	if key, ok, err := second.Next(nil); !ok || err != nil || string(key) != "c" {
		t.Errorf("third key = %q, %v, %v; want c", key, ok, err)
	}
	if _, ok, err := second.Next(nil); ok || !errors.Is(err, ErrTooMany) {
		t.Errorf("fourth key: %v, %v; want %v", ok, err, ErrTooMany)
	}
	none := NewList([]byte("a"), -1)
	if _, ok, err := none.Next(nil); ok || !errors.Is(err, ErrTooMany) {
		t.Errorf("a key where none may be: %v, %v", ok, err)
	}
}

// Any keys, encoded and joined, come back as they were.
func TestListRoundTrip(t *testing.T) {
	var text []byte
	var want []string
	eachKey(func(key []byte) {
		if len(want) > 0 {
			text = append(text, ", "...)
		}
		text = AppendEncoded(text, key)
		want = append(want, string(key))
	})
	if got, err := walk(string(text), len(want)); err != nil || !slices.Equal(got, want) {
		t.Errorf("%d of %d keys came back, or other ones: %v", len(got), len(want), err)
	}
}

func FuzzList(f *testing.F) {
	for _, seed := range []string{"alice, group:news", "a,,b", "a%2Cb", ",", " , ", "a,b,c,d,e"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l := NewList(text, 4)
		got := 0
		for {
			key, ok, err := l.Next(nil)
			if !ok {
				if err == nil && got != bytes.Count(text, []byte(","))+1 {
					t.Fatalf("%q: %d keys and no error", text, got)
				}
				return
			}
			got++
			if Check(key) != nil || got > 4 {
				t.Fatalf("%q yields key %d, %q", text, got, key)
			}
		}
	})
}

package sse

import (
	"bytes"
	"strings"
	"testing"
)

func TestAppend(t *testing.T) {
	f := func(id, event, data, want string) {
		t.Helper()
		got := Append([]byte("x"), []byte(id), []byte(event), []byte(data))
		if string(got) != "x"+want {
			t.Errorf("Append(%q, %q, %q) = %q; want %q behind x", id, event, data, got, want)
		}
		if size := Size([]byte(id), []byte(event), []byte(data)); size != len(want) {
			t.Errorf("Size(%q, %q, %q) = %d; want %d", id, event, data, size, len(want))
		}
	}
	f("", "", "hi", "data: hi\n\n")
	f("7", "", "hi", "id: 7\ndata: hi\n\n")
	f("", "tick", "hi", "event: tick\ndata: hi\n\n")
	f("7", "tick", "hi", "id: 7\nevent: tick\ndata: hi\n\n")
	f("", "", "", "data: \n\n")
	f("", "", " hi", "data:  hi\n\n")
	f("", "", "a\nb", "data: a\ndata: b\n\n")
	f("", "", "a\rb", "data: a\ndata: b\n\n")
	f("", "", "a\r\nb", "data: a\ndata: b\n\n")
	f("", "", "a\n\rb", "data: a\ndata: \ndata: b\n\n")
	f("", "", "a\r\r\nb", "data: a\ndata: \ndata: b\n\n")
	f("", "", "a\n", "data: a\ndata: \n\n")
	f("", "", "a\r", "data: a\ndata: \n\n")
	f("", "", "\r\n", "data: \ndata: \n\n")
	f("", "", "a\n\nevent: evil\ndata: x", "data: a\ndata: \ndata: event: evil\ndata: data: x\n\n")
	f("", "", "a\x00b", "data: a\x00b\n\n")
	// An id or a name that could inject is left out.
	f("1\ndata: evil", "", "hi", "data: hi\n\n")
	f("1\r", "", "hi", "data: hi\n\n")
	f("1\x002", "", "hi", "data: hi\n\n")
	f("", "a\nb", "hi", "data: hi\n\n")
	f("", "a\rid: 9", "hi", "data: hi\n\n")
	f("\xff", "\xff", "hi", "data: hi\n\n")
	f(" 7 ", ":", "hi", "id:  7 \nevent: :\ndata: hi\n\n")
}

func TestValidLine(t *testing.T) {
	f := func(b string, want bool) {
		t.Helper()
		if got := ValidLine([]byte(b)); got != want {
			t.Errorf("ValidLine(%q) = %v; want %v", b, got, want)
		}
	}
	f("a", true)
	f("a b: c", true)
	f("zoë", true)
	f("\u2028", true) // no line break to an event stream
	f("", false)
	f("a\n", false)
	f("\ra", false)
	f("a\x00b", false)
	f("\xff", false)
}

// Shared data on one line may be sent apart from what stands around it.
func TestAppendHead(t *testing.T) {
	for _, data := range []string{"", "hi", " \x00: ", strings.Repeat("x", 2000)} {
		if !OneLine([]byte(data)) {
			t.Errorf("OneLine(%q) = false", data)
		}
		whole := Append(nil, []byte("7"), []byte("tick"), []byte(data))
		parts := string(AppendHead(nil, []byte("7"), []byte("tick"))) + data + Tail
		if string(whole) != parts {
			t.Errorf("Append writes %q; head, data and tail are %q", whole, parts)
		}
	}
	for _, data := range []string{"\n", "a\rb", strings.Repeat("x", 2000) + "\r"} {
		if OneLine([]byte(data)) {
			t.Errorf("OneLine(%q) = true", data)
		}
	}
}

func TestAppendRetry(t *testing.T) {
	f := func(ms int, want string) {
		t.Helper()
		if got := string(AppendRetry(nil, ms)); got != want {
			t.Errorf("AppendRetry(%d) = %q; want %q", ms, got, want)
		}
	}
	f(0, "retry: 0\n\n")
	f(3000, "retry: 3000\n\n")
	f(-1, "retry: 0\n\n") // a sign would void the line
}

func TestAppendComment(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := string(AppendComment(nil, []byte(text))); got != want {
			t.Errorf("AppendComment(%q) = %q; want %q", text, got, want)
		}
	}
	f("", ":\n\n")
	f("ping", ": ping\n\n")
	f("a\ndata: evil", ": a\n: data: evil\n\n")
	f("a\r\n\r\rb", ": a\n: \n: \n: b\n\n")
	f("a\n", ": a\n:\n\n")
}

func TestCarries(t *testing.T) {
	f := func(data string, want bool) {
		t.Helper()
		if got := Carries([]byte(data)); got != want {
			t.Errorf("Carries(%q) = %v; want %v", data, got, want)
		}
	}
	f("", true)
	f("zoë\r\n\x00", true)
	f("\xff\xfe", false)
	f("\xed\xa0\x80", false) // half a surrogate pair
}

// Breaks are found at every distance, across the search window's edges too.
func TestLineEnd(t *testing.T) {
	text := bytes.Repeat([]byte("x"), 1600)
	for at := range text {
		for _, c := range []byte("\r\n") {
			text[at] = c
			if got := lineEnd(text); got != at {
				t.Fatalf("lineEnd with %q at %d = %d", c, at, got)
			}
			if later := min(at+7, len(text)-1); later > at {
				text[later] = '\r' ^ '\n' ^ c
				if got := lineEnd(text); got != at {
					t.Fatalf("lineEnd with breaks at %d and %d = %d", at, later, got)
				}
				text[later] = 'x'
			}
			text[at] = 'x'
		}
	}
	if got := lineEnd(text); got != len(text) {
		t.Errorf("lineEnd of one line = %d; want %d", got, len(text))
	}
}

func TestAppendNoAllocation(t *testing.T) {
	id, event, data := []byte("7"), []byte("tick"), []byte("one\r\ntwo\rthree")
	buf := make([]byte, 0, 1024)
	allocs := testing.AllocsPerRun(100, func() {
		buf = Append(buf[:0], id, event, data)
		buf = AppendHead(buf, id, event)
		buf = AppendRetry(buf, 3000)
		buf = AppendComment(buf, event)
	})
	if allocs != 0 {
		t.Errorf("%v allocations; want none", allocs)
	}
}

func BenchmarkAppend(b *testing.B) {
	id, event, data := []byte("1234"), []byte("tick"), bytes.Repeat([]byte("x"), 1024)
	buf := make([]byte, 0, 2048)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], id, event, data)
	}
}

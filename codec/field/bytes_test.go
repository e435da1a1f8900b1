package field

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// "tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" /
// "_" / "`" / "|" / "~" / DIGIT / ALPHA ; any VCHAR, except delimiters", where
// delimiters are DQUOTE and "(),/:;<=>?@[\]{}". RFC 9110 §5.6.2
func TestTokenBytes(t *testing.T) {
	for i := range 256 {
		c := byte(i)
		want := c > ' ' && c < 0x7f && !strings.ContainsRune("\"(),/:;<=>?@[\\]{}", rune(c))
		if IsTokenByte(c) != want || IsToken([]byte{c}) != want || (TokenRun([]byte{c, 'a'}) == 2) != want {
			t.Errorf("%#x: token %v, want %v", c, IsTokenByte(c), want)
		}
	}
	if IsToken(nil) || IsToken([]byte("a b")) || !IsToken([]byte("a-b")) {
		t.Error("a token is one tchar or more and nothing else")
	}
}

// "field-vchar = VCHAR / obs-text", between which SP and HTAB may stand.
// RFC 9110 §5.5
func TestValueBytes(t *testing.T) {
	for i := range 256 {
		c := byte(i)
		want := c >= ' ' && c < 0x7f || c >= 0x80 || c == '\t'
		if IsValueByte(c) != want || IsValue([]byte{'a', c, 'b'}) != want {
			t.Errorf("%#x: value %v, want %v", c, IsValueByte(c), want)
		}
		// At every place in and after a word of eight.
		for at := range 20 {
			b := []byte(strings.Repeat("\xffa ", 7))
			b[at] = c
			run := len(b)
			if !want {
				run = at
			}
			if got := ValueRun(b); got != run {
				t.Errorf("%#x at %d: run of %d, want %d", c, at, got, run)
			}
		}
	}
}

// The run of eight bytes at a time is the run of one at a time.
func TestValueRunModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	edges := []byte{0x00, 0x08, '\t', '\n', '\r', 0x1f, ' ', '!', '~', 0x7f, 0x80, 0x81, 0x9f, 0xa0, 0xff}
	for range 20_000 {
		b := make([]byte, rnd.IntN(40))
		for i := range b {
			if b[i] = 'a'; rnd.IntN(4) == 0 {
				b[i] = edges[rnd.IntN(len(edges))]
			}
		}
		want := 0
		for want < len(b) && IsValueByte(b[want]) {
			want++
		}
		if got := ValueRun(b); got != want {
			t.Fatalf("%q: %d, want %d", b, got, want)
		}
	}
}

func TestIsValue(t *testing.T) {
	f := func(v string, want bool) {
		t.Helper()
		if got := IsValue([]byte(v)); got != want {
			t.Errorf("%q: %v, want %v", v, got, want)
		}
	}
	f("", true)
	f("a", true)
	f("a \t b", true)
	f("\xc3\xa9", true)
	f(" a", false)
	f("a ", false)
	f("\ta", false)
	f("a\t", false)
	f(" ", false)
	f("a\r\nb: c", false)
	f("a\nb", false)
	f("a\x00", false)
	f("a\x7f", false)
}

func TestTrimOWS(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := TrimOWS([]byte(in)); string(got) != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	f("", "")
	f(" \t ", "")
	f(" a\tb ", "a\tb")
	f("\na\r", "\na\r")
	f("\x0ba\xa0", "\x0ba\xa0")
}

func FuzzValueRun(f *testing.F) {
	f.Add([]byte("text/html, \t*/*;q=0.1\r\n"))
	f.Add([]byte("\x80\x7f\x1f\xff       "))
	f.Fuzz(func(t *testing.T, b []byte) {
		want := 0
		for want < len(b) && IsValueByte(b[want]) {
			want++
		}
		if got := ValueRun(b); got != want {
			t.Fatalf("%q: %d, want %d", b, got, want)
		}
	})
}

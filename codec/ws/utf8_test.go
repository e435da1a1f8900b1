package ws

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// checkCut checks text in pieces cut there. at is the end of the piece that
// failed, -1 if none did; whole says whether the text may end where it does.
func checkCut(text string, cuts ...int) (at int, whole bool) {
	var u UTF8
	from := 0
	for _, cut := range cuts {
		if !u.Check([]byte(text[from:cut]), false) {
			return cut, false
		}
		from = cut
	}
	if u.Check([]byte(text[from:]), true) {
		return -1, true
	}
	return len(text), false
}

// wantUTF8 wants the verdict on text that utf8.Valid has, cut in any three, and
// the first bad byte found byte by byte; bad is its index, -1 if there is none.
func wantUTF8(t *testing.T, text string, bad int) {
	t.Helper()
	want := utf8.ValidString(text)
	var bytewise []int
	for i := range len(text) + 1 {
		bytewise = append(bytewise, i)
		for j := i; j <= len(text); j++ {
			if _, got := checkCut(text, i, j); got != want {
				t.Errorf("%x cut at %d and %d: %v", text, i, j, got)
			}
		}
	}
	at, got := checkCut(text, bytewise...)
	if got != want || at >= 0 && bad >= 0 && at != bad+1 || bad < 0 && at >= 0 && at != len(text) {
		t.Errorf("%x byte by byte: %v at %d, want %v at %d", text, got, at-1, want, bad)
	}
}

// The cases of Autobahn 6, after Markus Kuhn's test: whole, in pieces, and found
// as early as can be. bad is the index of the first byte that cannot be; -1 is
// none, though the text may be cut off.
func TestUTF8(t *testing.T) {
	f := func(hex string, bad int) {
		t.Helper()
		wantUTF8(t, unhex(hex), bad)
		wantUTF8(t, "ab"+unhex(hex), bad+map[bool]int{true: 2}[bad >= 0])
		if bad < 0 && utf8.ValidString(unhex(hex)) {
			wantUTF8(t, unhex(hex)+"é", -1)
		}
	}
	f("", -1)
	f("48656c6c6f2dc2b540c39fc3b6c3a4c3bcc3a0c3a12d5554462d382121", -1)
	f("cebae1bdb9cf83cebcceb5", -1)             // κόσμε
	f("cebae1bdb9cf83cebcceb5eda080656469", 12) // and a surrogate
	f("cebae1bdb9cf83cebcceb5f4908080656469", 12)
	// First and last of each length.
	for _, hex := range []string{"00", "7f", "c280", "dfbf", "e0a080", "ed9fbf", "ee8080", "efbfbd", "efbfbf", "f0908080", "f48fbfbf"} {
		f(hex, -1)
	}
	f("f7bfbfbf", 0)
	f("f888808080", 0)
	f("fbbfbfbfbf", 0)
	f("fc8480808080", 0)
	f("fdbfbfbfbfbf", 0)
	f("f4908080", 1) // beyond U+10FFFF
	// Continuations without a beginning.
	for _, hex := range []string{"80", "bf", "80bf", "80bf80bf80bf80", "fe", "ff", "fefeffff"} {
		f(hex, 0)
	}
	// Beginnings without a continuation.
	for _, hex := range []string{"c320", "df20", "e020", "ef20", "f020", "f420", "c3c3", "e1e1", "f1f1"} {
		f(hex, 1)
	}
	f("e1bd20", 2)
	f("f1bdbd20", 3)
	for _, hex := range []string{"c3", "e1", "e1bd", "f1", "f1bd", "f1bdbd"} {
		f(hex, -1) // cut off
	}
	// Overlong forms.
	f("c0af", 0)
	f("c1bf", 0)
	f("e080af", 1)
	f("e09fbf", 1)
	f("f08080af", 1)
	f("f08fbfbf", 1)
	// Surrogates, alone and in pairs.
	for _, hex := range []string{"eda080", "edadbf", "edae80", "edbfbf", "eda080edb080"} {
		f(hex, 1)
	}
}

// Each pair of bytes, and each of these behind a lead byte of three and four.
func TestUTF8Pairs(t *testing.T) {
	for i := range 1 << 16 {
		b := []byte{byte(i >> 8), byte(i), 0x80, 0x80}
		for n := 1; n <= len(b); n++ {
			var u UTF8
			if got := u.Check(b[:1], false) && u.Check(b[1:n], true); got != utf8.Valid(b[:n]) {
				t.Fatalf("%x: %v", b[:n], got)
			}
		}
	}
}

// Long text takes another path than short pieces.
func TestUTF8Long(t *testing.T) {
	text := strings.Repeat("plain words, ", 50) + strings.Repeat("日本語 𝄞 ", 50)
	for i := range len(text) {
		var u UTF8
		if !u.Check([]byte(text[:i]), false) || !u.Check([]byte(text[i:]), true) {
			t.Fatalf("cut at %d", i)
		}
		bad := []byte(text)
		bad[i] = 0xff
		if u = (UTF8{}); u.Check(bad[:i+1], false) {
			t.Fatalf("bad byte at %d not found", i)
		}
	}
	var u UTF8
	for range 3 { // after the last piece the next message begins
		if !u.Check([]byte(text), true) {
			t.Fatal("a second message fails")
		}
	}
}

// "When an endpoint is to interpret a byte stream as UTF-8 but finds that the
// byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail
// the WebSocket Connection_." RFC 6455 §8.1; with 1007, §7.4.1
func TestMustFailWith1007(t *testing.T) {
	if ErrUTF8.Code != 1007 || errCloseReason.Code != 1007 {
		t.Error("another code than 1007")
	}
	for _, reason := range []string{"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80"} {
		fromClient(t, masked(Fin, CloseFrame, "\x03\xe8"+reason), refused(errCloseReason))
	}
	fromClient(t, masked(Fin, CloseFrame, "\x03\xe8κόσμε"), "[close 1000 κόσμε]")
}

package key

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	f := func(enc, want string) {
		t.Helper()
		got, err := Decode([]byte("x"), []byte(enc))
		if err != nil || string(got) != "x"+want {
			t.Errorf("Decode(%q) = %q, %v; want %q behind x", enc, got, err, want)
		}
	}
	f("alice", "alice")
	f("group:news", "group:news")
	f("%61", "a")
	f("a%2Cb", "a,b")
	f("a%2cb", "a,b")
	f("%00%fF", "\x00\xff")
	f("a+b", "a+b") // a plus is a plus: this is no form
	f("a/b?c#d&e=f;g", "a/b?c#d&e=f;g")
	f("zoë", "zoë")
	f("%25", "%")
	f("%2525", "%25") // decoded once
	f(strings.Repeat("k", MaxLen), strings.Repeat("k", MaxLen))
	f(strings.Repeat("%6B", MaxLen), strings.Repeat("k", MaxLen))
}

func TestDecodeRefuses(t *testing.T) {
	f := func(enc string, want error) {
		t.Helper()
		got, err := Decode([]byte("x"), []byte(enc))
		if !errors.Is(err, want) || string(got) != "x" {
			t.Errorf("Decode(%q) = %q, %v; want %v and dst as it was", enc, got, err, want)
		}
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Status != 400 {
			t.Errorf("Decode(%q): %v is not a 400", enc, err)
		}
	}
	f("", ErrEmpty)
	f("%", ErrPercent)
	f("a%", ErrPercent)
	f("a%4", ErrPercent)
	f("%4g", ErrPercent)
	f("%g4", ErrPercent)
	f("%%41", ErrPercent)
	f("% 41", ErrPercent)
	f("%+4", ErrPercent)
	f("%u0041", ErrPercent)
	f("a,b", ErrByte)
	f("a b", ErrByte)
	f(" a", ErrByte)
	f("a\t", ErrByte)
	f("a\r\nX: y", ErrByte)
	f("a\x00", ErrByte)
	f("a\x7f", ErrByte)
	f(strings.Repeat("k", MaxLen+1), ErrTooLong)
	f(strings.Repeat("%6B", MaxLen+1), ErrTooLong)
	f(strings.Repeat("k", 1<<20), ErrTooLong)
}

func TestAppendEncoded(t *testing.T) {
	f := func(key, want string) {
		t.Helper()
		got := string(AppendEncoded([]byte("x"), []byte(key)))
		if got != "x"+want {
			t.Errorf("AppendEncoded(%q) = %q; want %q behind x", key, got, want)
		}
	}
	f("alice", "alice")
	f("AZaz09-._~!$*=:@", "AZaz09-._~!$*=:@")
	f("a,b", "a%2Cb")
	f("a%b", "a%25b")
	f("a/b", "a%2Fb")
	f("a b", "a%20b")
	f("a\r\nSet-Cookie: x", "a%0D%0ASet-Cookie:%20x")
	f("\"'()&+;<>?#[]\\^`{|}", "%22%27%28%29%26%2B%3B%3C%3E%3F%23%5B%5D%5C%5E%60%7B%7C%7D")
	f("\x00\x7f\x80\xff", "%00%7F%80%FF")
	f("zoë", "zo%C3%AB")
	f(".", "%2E")
	f("..", "%2E%2E")
	f("...", "...")
	f(".a", ".a")
}

// eachKey calls f with two thousand keys: every single byte, then random ones of every length.
func eachKey(f func(key []byte)) {
	for c := range 256 {
		f([]byte{byte(c)})
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		key := make([]byte, 1+i%MaxLen)
		for j := range key {
			key[j] = byte(r.Uint32())
			if i%2 == 0 {
				key[j] = ".,%/ \r\na"[key[j]%8]
			}
		}
		f(key)
	}
}

// What is written is read back, is announced with its right length, and holds only bytes that are safe everywhere.
func TestRoundTrip(t *testing.T) {
	eachKey(func(key []byte) {
		enc := AppendEncoded(nil, key)
		if len(enc) != EncodedLen(key) {
			t.Fatalf("EncodedLen(%q) = %d; want %d", key, EncodedLen(key), len(enc))
		}
		if got, err := Decode(nil, enc); err != nil || !bytes.Equal(got, key) {
			t.Fatalf("Decode(%q) = %q, %v; want %q", enc, got, err, key)
		}
		const safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$*=:@%"
		if bad := strings.Trim(string(enc), safe); bad != "" {
			t.Fatalf("AppendEncoded(%q) = %q holds %q", key, enc, bad)
		}
		if other, err := url.PathUnescape(string(enc)); err != nil || other != string(key) {
			t.Fatalf("net/url reads %q as %q, %v; want %q", enc, other, err, key)
		}
	})
}

func TestCheck(t *testing.T) {
	f := func(n int, want error) {
		t.Helper()
		if err := Check(make([]byte, n)); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("Check of %d bytes = %v; want %v", n, err, want)
		}
	}
	f(0, ErrEmpty)
	f(1, nil)
	f(MaxLen, nil)
	f(MaxLen+1, ErrTooLong)
}

func TestNoAllocation(t *testing.T) {
	enc, list := []byte("group%3Anews%2Cdaily"), []byte("alice, group:news, a%2Cb")
	var scratch [3 * MaxLen]byte
	allocs := testing.AllocsPerRun(100, func() {
		key, err := Decode(scratch[:0], enc)
		if err != nil {
			t.Fatal(err)
		}
		AppendEncoded(scratch[MaxLen:MaxLen], key)
		l := NewList(list, 3)
		for _, ok, err := l.Next(scratch[:0]); ok; _, ok, err = l.Next(scratch[:0]) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Decode(scratch[:0], list); err == nil {
			t.Fatal("a list was read as one key")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations; want none", allocs)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"alice", "a%2Cb", "%", "%zz", "a,b", "..", "%2e%2E", "\xff", "a b"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, enc []byte) {
		key, err := Decode(nil, enc)
		if err != nil {
			return
		}
		if Check(key) != nil {
			t.Fatalf("Decode(%q) has %d bytes", enc, len(key))
		}
		if other, err := url.PathUnescape(string(enc)); err != nil || other != string(key) {
			t.Fatalf("Decode(%q) = %q; net/url says %q, %v", enc, key, other, err)
		}
		if again, err := Decode(nil, AppendEncoded(nil, key)); err != nil || !bytes.Equal(again, key) {
			t.Fatalf("%q came back as %q, %v", key, again, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	enc := []byte("user:0123456789")
	var scratch [MaxLen]byte
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(scratch[:0], enc); err != nil {
			b.Fatal(err)
		}
	}
}

package ndjson

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// split feeds stream as it would arrive: in pieces cut at the given places, unconsumed bytes kept in front of new ones.
// kept is the most bytes that had to be held.
func split(s *Splitter, stream string, cuts ...int) (lines []string, kept int, err error) {
	var b []byte
	from := 0
	for _, to := range append(cuts, len(stream)) {
		b = append(bytes.Clone(b), stream[from:to]...) // moved on purpose: a view kept too long would show
		from = to
		for {
			line, n, ok, err := s.Next(b, to == len(stream))
			if err != nil && !ok {
				return lines, kept, err
			}
			if err != nil {
				return lines, kept, fmt.Errorf("a line and %w", err)
			}
			b = b[n:]
			if !ok {
				break
			}
			lines = append(lines, string(line))
		}
		kept = max(kept, len(b))
	}
	if len(b) > 0 {
		return lines, kept, errors.New("bytes left behind the last line")
	}
	return lines, kept, nil
}

func eachSplit(stream string, f func(cuts ...int)) {
	f()
	all := make([]int, len(stream))
	for i := range len(stream) {
		f(i)
		all[i] = i
	}
	f(all...)
}

func TestSplit(t *testing.T) {
	f := func(stream string, want ...string) {
		t.Helper()
		eachSplit(stream, func(cuts ...int) {
			s := Splitter{MaxLine: 6}
			got, kept, err := split(&s, stream, cuts...)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%q cut at %v: %q, %v; want %q", stream, cuts, got, err, want)
			}
			if kept > s.MaxLine+len("\r") {
				t.Errorf("%q cut at %v: the caller had to keep %d bytes", stream, cuts, kept)
			}
		})
	}
	f("")
	f("\n")
	f("\r\n")
	f("\n\n \n\t\r\n")
	f("a\n", "a")
	f("a", "a")
	f("a\r", "a")
	f(" \t")
	f("a\nb\r\nc", "a", "b", "c")
	f("a\n\n\r\n b\n", "a", " b")
	f("a\r\r\nb", "a\r", "b") // only one CR belongs to the break
	f("a\rb\n", "a\rb")
	f("123456\n123456\r\n123456", "123456", "123456", "123456")
	f("123456\r", "123456")
}

func TestSplitTooLong(t *testing.T) {
	f := func(stream string, before ...string) {
		t.Helper()
		eachSplit(stream, func(cuts ...int) {
			s := Splitter{MaxLine: 6}
			got, kept, err := split(&s, stream, cuts...)
			if !errors.Is(err, ErrLineTooLong) || !slices.Equal(got, before) || kept > s.MaxLine+len("\r") {
				t.Errorf("%q cut at %v: %q, %v; want %q, %v", stream, cuts, got, err, before, ErrLineTooLong)
			}
		})
	}
	f("1234567")
	f("1234567\n")
	f("1234567\r\n")
	f("123456\rx\n")
	f("123456\r\r\n")
	f("       \n") // blanks count: nobody may send them for ever
	f("a\n1234567", "a")
	f("a\n\n\n1234567\nb\n", "a")
	f("1234567890123")
}

// The default holds, and its error comes with the first byte too many.
func TestSplitDefault(t *testing.T) {
	var s Splitter
	long := bytes.Repeat([]byte("x"), DefaultMaxLine+1)
	if _, n, ok, err := s.Next(long[:DefaultMaxLine], false); n != 0 || ok || err != nil {
		t.Errorf("a line of %d bytes: %d, %v, %v", DefaultMaxLine, n, ok, err)
	}
	if _, _, _, err := s.Next(long, false); !errors.Is(err, ErrLineTooLong) {
		t.Errorf("one byte more: %v; want %v", err, ErrLineTooLong)
	}
	var refusal *Error
	if errors.As(ErrLineTooLong, &refusal); refusal.Status != 413 || refusal.Error() == "" {
		t.Errorf("%v answers %d; want 413", refusal, refusal.Status)
	}
}

// A line that comes byte by byte is searched once, not once for each byte.
func TestSplitLinear(t *testing.T) {
	var s Splitter
	line := []byte(strings.Repeat("x", 1000) + "\n")
	for i := range line {
		if _, n, ok, _ := s.Next(line[:i], false); n != 0 || ok || s.scanned != i {
			t.Fatalf("with %d bytes: consumed %d, %v, scanned %d", i, n, ok, s.scanned)
		}
	}
	if got, n, ok, err := s.Next(line, false); !ok || err != nil || n != len(line) || len(got) != 1000 || s.scanned != 0 {
		t.Errorf("whole line: %d bytes, consumed %d, %v, %v", len(got), n, ok, err)
	}
}

func TestSplitNoAllocation(t *testing.T) {
	stream := []byte("{\"a\":1}\r\n\n{\"b\":2}\nrest")
	allocs := testing.AllocsPerRun(100, func() {
		var s Splitter
		b := stream
		for range 2 {
			_, n, ok, err := s.Next(b, false)
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			b = b[n:]
		}
		if _, _, ok, _ := s.Next(b, false); ok {
			t.Fatal("a line without an end")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations; want none", allocs)
	}
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"a\nb", "a\r\nb\r\n", "\n\n", "a\r", "12345678901234567\n", "\r\r\n"} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut uint8) {
		const limit = 16
		var want []string
		var wantErr error
		for line := range bytes.SplitSeq(stream, []byte("\n")) {
			line = bytes.TrimSuffix(line, []byte("\r"))
			if len(line) > limit {
				wantErr = ErrLineTooLong
				break
			}
			if len(bytes.Trim(line, " \t")) > 0 {
				want = append(want, string(line))
			}
		}
		s := Splitter{MaxLine: limit}
		got, _, err := split(&s, string(stream), min(int(cut), len(stream)))
		if !slices.Equal(got, want) || !errors.Is(err, wantErr) || wantErr == nil && err != nil {
			t.Fatalf("%q cut at %d: %q, %v; want %q, %v", stream, cut, got, err, want, wantErr)
		}
	})
}

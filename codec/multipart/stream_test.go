package multipart

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// Data is handed out as it comes: what must be kept is never more than the beginning of a boundary line.
func TestDataIsNotHeld(t *testing.T) {
	var p Parser
	p.Start([]byte("B"), Config{})
	if _, n, err := p.Next([]byte("--B\r\n\r\n")); n != 7 || err != nil {
		t.Fatal(n, err)
	}
	f := func(piece, want string, kept int) {
		t.Helper()
		ev, n, err := p.Next([]byte(piece))
		if err != nil || string(ev.Data) != want || len(piece)-n != kept {
			t.Errorf("%q: data %q, %d bytes kept, %v; want %q, %d", piece, ev.Data, len(piece)-n, err, want, kept)
		}
	}
	f("hello", "hello", 0)
	f("hello\r", "hello", 1)
	f("hello\r\n", "hello", 2)
	f("hello\r\n-", "hello", 3)
	f("hello\r\n--", "hello", 4)
	f("hello\r\n--B", "hello", 5)
	f("\r\n--B", "", 5)
	f("\r\n--B-", "", 6)
	f("\r\n--Bx", "\r\n--Bx", 0)
	f("hello\r\n-x", "hello\r\n-x", 0)
	f("hello\n", "hello\n", 0)
	f("\r\r", "\r", 1)
	f("\r\n--C", "\r\n--C", 0)
	f(strings.Repeat("x", 1<<20)+"\r\n", strings.Repeat("x", 1<<20), 2)
}

// A parser that is started again forgets the body before, errors included.
func TestStartAgain(t *testing.T) {
	var p Parser
	for range 2 {
		p.Start([]byte("B"), Config{MaxPreamble: 4})
		if _, _, err := p.Next([]byte("12345")); !errors.Is(err, ErrPreamble) {
			t.Errorf("a long preamble: %v", err)
		}
		p.Start([]byte("CC"), Config{})
		if ev, n, err := p.Next([]byte("--CC\r\nA: b\r\n\r\n")); ev.Kind != PartBegin || len(ev.Fields) != 1 || n != 14 || err != nil {
			t.Errorf("event %d with %d fields, %d, %v", ev.Kind, len(ev.Fields), n, err)
		}
	}
}

// The header of a part that comes byte by byte is searched once.
func TestHeadIsLinear(t *testing.T) {
	var p Parser
	p.Start([]byte("B"), Config{})
	if _, n, err := p.Next([]byte("--B\r\n")); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	head := []byte("A: " + strings.Repeat("x", 1000) + "\r\nB: y\r\n\r\n")
	for i := range head {
		if ev, n, err := p.Next(head[:i]); n != 0 || ev.Kind != NeedMore || err != nil || p.scanned != i {
			t.Fatalf("with %d bytes: event %d, consumed %d, scanned %d, %v", i, ev.Kind, n, p.scanned, err)
		}
	}
	if ev, n, err := p.Next(head); ev.Kind != PartBegin || n != len(head) || err != nil {
		t.Errorf("whole header: event %d, consumed %d, %v", ev.Kind, n, err)
	}
}

// Random parts, made of what boundaries are made of, come back whole under random cuts.
func TestRandomParts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	pieces := []string{"\r", "\n", "\r\n", "-", "--", "B", "--B", "\r\n-", "x", " ", ""}
	for range 2000 {
		var body, want []byte
		body = AppendOpen(body, []byte("B"))
		for range r.IntN(4) {
			var data []byte
			for range r.IntN(6) {
				data = append(data, pieces[r.IntN(len(pieces))]...)
			}
			if !Carries(data, []byte("B")) {
				continue
			}
			body = AppendPartTail(append(AppendPartHead(body, nil, nil, nil, len(data)), data...), []byte("B"))
			want = append(append(want, data...), '|')
		}
		body = AppendGoaway(body, []byte("B"))
		cuts := []int{r.IntN(len(body)), r.IntN(len(body))}
		parts, err := ours("B", string(body), Config{}, min(cuts[0], cuts[1]), max(cuts[0], cuts[1]))
		var got []byte
		for _, p := range parts {
			got = append(append(got, p.data...), '|')
		}
		if err != nil || !bytes.Equal(got, append(want, '|')) {
			t.Fatalf("%q cut at %v: %q, %v; want %q", body, cuts, got, err, want)
		}
		sameAsTheirs(t, string(body))
	}
}

func TestParseNoAllocation(t *testing.T) {
	body := AppendOpen(nil, boundary)
	for _, m := range messages {
		body = m.append(body)
	}
	body = AppendGoaway(body, boundary)
	typ := []byte(`multipart/mixed; boundary="d81f_7c"`)
	disposition := []byte(`form-data; name="alice"`)
	var p Parser
	allocs := testing.AllocsPerRun(100, func() {
		name, ok := DispositionName(disposition)
		bound, err := Boundary(typ)
		if err != nil || !ok || len(name) != 5 {
			t.Fatal(err)
		}
		p.Start(bound, Config{})
		for b := body; ; {
			ev, n, err := p.Next(b)
			if err != nil {
				t.Fatal(err)
			}
			if ev.Kind == NeedMore {
				break
			}
			b = b[n:]
		}
		if err := p.Finish(); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations; want none", allocs)
	}
}

// FuzzParse looks for a body that reads differently when cut, or that we accept and mime/multipart reads differently.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"--B\r\n\r\nhi\r\n--B--", "pre\r\n--B \r\nA: b\r\nC:d\r\n\r\n\r\n--Bx\r\n--B\r\n\r\n--B--\r\nbye", "--B\n\nx\n--B--",
		"x\n--B\r\n\r\n\r\n--B--", "--B\r\nA : b\r\n\r\n--B--", "--B\r\nA: b\r\n c\r\n\r\n--B--", "--B--", "--B-- \r\n",
		"--B\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41\r\n--B--",
	} {
		f.Add(seed, uint8(3))
	}
	cfg := Config{MaxParts: 3, MaxHead: 64, MaxFields: 3, MaxPreamble: 32, MaxEpilogue: 8}
	f.Fuzz(func(t *testing.T, body string, cut uint8) {
		if len(body) > 1000 {
			return
		}
		parts, err := ours("B", body, cfg)
		at := min(int(cut), len(body))
		if again, later := ours("B", body, cfg, at); show(parts) != show(again) || later != err {
			t.Fatalf("%q: %s, %v; cut at %d: %s, %v", body, show(parts), err, at, show(again), later)
		}
		if err == nil {
			sameAsTheirs(t, body)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	body := AppendOpen(nil, boundary)
	for range 10 {
		body = message{"7", "tick", "text/plain", strings.Repeat("x", 1024)}.append(body)
	}
	body = AppendGoaway(body, boundary)
	var p Parser
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		p.Start(boundary, Config{})
		for rest := body; ; {
			ev, n, err := p.Next(rest)
			if err != nil {
				b.Fatal(err)
			}
			if ev.Kind == NeedMore {
				break
			}
			rest = rest[n:]
		}
	}
}

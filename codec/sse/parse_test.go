package sse

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// read feeds stream in pieces cut at the given places and returns what was dispatched, one event as id|name|data.
func read(p *Parser, stream string, cuts ...int) (events []string, err error) {
	from := 0
	for _, to := range append(cuts, len(stream)) {
		piece := []byte(stream[from:to])
		from = to
		for {
			ev, n, ok, err := p.Next(piece)
			if err != nil {
				return events, err
			}
			if !ok {
				if n != len(piece) {
					return events, fmt.Errorf("left %d bytes unread", len(piece)-n)
				}
				break
			}
			events = append(events, fmt.Sprintf("%s|%s|%s", ev.ID, ev.Name, ev.Data))
			piece = piece[n:]
		}
	}
	return events, nil
}

// eachSplit calls f with no cut, with every single cut, and with a cut behind every byte.
func eachSplit(stream string, f func(cuts ...int)) {
	f()
	all := make([]int, len(stream))
	for i := range len(stream) {
		f(i)
		all[i] = i
	}
	f(all...)
}

// The examples and rules of the standard, section 9.2.6 "Interpreting an event stream", and the cases of the Web
// Platform Tests' eventsource/format-*.
func TestParse(t *testing.T) {
	f := func(stream string, want ...string) {
		t.Helper()
		eachSplit(stream, func(cuts ...int) {
			var p Parser
			got, err := read(&p, stream, cuts...)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%q cut at %v: %q, %v; want %q", stream, cuts, got, err, want)
			}
		})
	}
	// "The following event stream, once followed by a blank line"
	f("data: YHOO\ndata: +2\ndata: 10\n\n", "||YHOO\n+2\n10")
	f(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
		"1||first event", "||second event") // the third is never finished by a blank line
	f("data\n\ndata\ndata\n\ndata:", "||", "||\n")
	f("data:test\n\ndata: test\n\n", "||test", "||test")
	// Line ends.
	f("data:a\r\rdata:b\r\n\r\ndata:c\n\n", "||a", "||b", "||c")
	f("data:a\r\ndata:b\rdata:c\ndata:d\r\n\n", "||a\nb\nc\nd")
	f("data:a\n\r\n", "||a")
	f("data:a\n\n\n\r\r\n\ndata:b\n\n", "||a", "||b")
	f("\r\n\ndata:a\r\n\r\n", "||a")
	// A byte order mark, once, at the very start.
	f("\ufeffdata:a\n\n", "||a")
	f("\ufeff\ufeffdata:a\n\ndata:b\n\n", "||b")
	f("data:\ufeffa\n\n\ufeffdata:b\n\ndata:c\n\n", "||\ufeffa", "||c")
	f("\xef\xbbdata:a\n\ndata:b\n\n", "||b")
	f("\xef\ndata:b\n\n", "||b")
	// The colon and one space.
	f("data: a\n\ndata:  a\n\ndata:\ta\n\ndata: \n\ndata:: a\n\n", "||a", "|| a", "||\ta", "||", "||: a")
	f("data :a\n\ndata:b\n\n", "||b")
	f(" data:a\n\ndata:b\n\n", "||b")
	// Comments and unknown names say nothing.
	f(":\n: a\n:data:b\n\n")
	f("data:a\n:x\ndata:b\n\n", "||a\nb")
	f("Data:a\nDATA:a\ndatas:a\ndat:a\ndata\x00:a\nevents:x\nid1:x\nretry1:4\nmassively:x\n\ndata:z\n\n", "||z")
	f("idx\nidentifier: 7\ndata:z\n\n", "||z")
	// Event names.
	f("event: tick\ndata: a\n\ndata: b\n\n", "|tick|a", "||b")
	f("event: a\nevent: b\ndata: x\n\n", "|b|x")
	f("event: a\nevent\ndata: x\n\n", "||x")
	f("data: x\nevent: a\n\n", "|a|x")
	f("event: lost\n\ndata: x\n\n", "||x")
	f("event: zoë\ndata: ü\n\n", "|zoë|ü")
	// Ids persist, across events without data too; a NUL voids the line.
	f("id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", "1||a", "1||b", "||c")
	f("id: 1\n\ndata: a\n\n", "1||a")
	f("id: 1\nid: 2\x003\ndata: a\n\n", "1||a")
	f("id: \x00\nid: 4\ndata: a\n\n", "4||a")
	f("id:  1 \ndata: a\n\n", " 1 ||a")
	// A NUL elsewhere is a byte like others.
	f("data: a\x00b\nevent: c\x00\n\n", "|c\x00|a\x00b")
}

func TestParseRetry(t *testing.T) {
	f := func(stream string, want int64, has bool) {
		t.Helper()
		eachSplit(stream, func(cuts ...int) {
			var p Parser
			_, err := read(&p, stream, cuts...)
			if ms, ok := p.Retry(); err != nil || ok != has || ms != want {
				t.Errorf("%q cut at %v: retry %d, %v, %v; want %d, %v", stream, cuts, ms, ok, err, want, has)
			}
		})
	}
	f("retry: 3000\n", 3000, true)
	f("retry:0\n", 0, true)
	f("retry: 007\n", 7, true)
	f("retry: 1\nretry: 2\n", 2, true)
	f("retry: 99999999999999999999999\n", maxRetry, true)
	f("retry: 1\nretry: 2x\n", 1, true)
	f("retry: 1\nretry\n", 1, true)
	f("retry: 1\nretry:\n", 1, true)
	f("retry:  1\n", 0, false)
	f("retry: -1\n", 0, false)
	f("retry: 1.5\n", 0, false)
	f("retry: x5\n", 0, false)
	f("retry: 1", 0, false) // the line has not ended
	f("retries: 1\n", 0, false)
}

// A new connection forgets what was half read and keeps what the client must send.
func TestReset(t *testing.T) {
	p := Parser{MaxLine: 100}
	if _, err := read(&p, "id: 7\nretry: 5\ndata: a\n\nevent: x\ndata: half\nid: 8"); err != nil {
		t.Fatal(err)
	}
	p.Reset()
	got, err := read(&p, "\ufeffdata: b\n\n")
	if err != nil || strings.Join(got, " ") != "7||b" {
		t.Errorf("after Reset: %q, %v; want 7||b", got, err)
	}
	if ms, ok := p.Retry(); ms != 5 || !ok || string(p.LastID()) != "7" || p.MaxLine != 100 {
		t.Errorf("after Reset: retry %d %v, id %q, MaxLine %d", ms, ok, p.LastID(), p.MaxLine)
	}
}

func TestLimits(t *testing.T) {
	f := func(stream string, want error) {
		t.Helper()
		eachSplit(stream, func(cuts ...int) {
			p := Parser{MaxLine: 12, MaxEvent: 16}
			_, err := read(&p, stream, cuts...)
			if !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("%q cut at %v: %v; want %v", stream, cuts, err, want)
				return
			}
			if _, _, ok, again := p.Next([]byte("\n\ndata: x\n\n")); want != nil && (ok || !errors.Is(again, want)) {
				t.Errorf("%q: after the error came %v, %v", stream, ok, again)
			}
		})
	}
	f("data: 789012\n\n", nil)
	f("data: 7890123", ErrLineTooLong)
	f(": 3456789012\n", nil)
	f(": 34567890123", ErrLineTooLong)
	f("id: 5678901234", ErrLineTooLong)
	f("event: 8901234", ErrLineTooLong)
	f("endlessname123", ErrLineTooLong)
	f("data: 45678\ndata: 12345\ndata: 1\n\ndata: 2\n\n", nil)
	f("data: 45678\ndata: 12345\ndata: 1234", nil)
	f("data: 45678\ndata: 12345\ndata: 12345\n", ErrEventTooLong)
	f("data: 45678\ndata: 12345\ndata: 1234\n:\n\n", ErrEventTooLong)
	f(strings.Repeat("data\n", 17), ErrEventTooLong)
	f(strings.Repeat(":\n", 100), nil)
}

// Whatever is appended is what a client reads, with its line breaks as LF, however the stream is cut.
func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(alphabet string, most int) string {
		var b strings.Builder
		for range r.IntN(most + 1) {
			b.WriteByte(alphabet[r.IntN(len(alphabet))])
		}
		return b.String()
	}
	normal := strings.NewReplacer("\r\n", "\n", "\r", "\n")
	for range 100 {
		var stream []byte
		var want []string
		id := ""
		for range 1 + r.IntN(3) {
			newID, name, data := pick("ab :7", 3), pick("data: e", 4), pick("a: \r\n\x00d", 9)
			stream = Append(stream, []byte(newID), []byte(name), []byte(data))
			if newID != "" {
				id = newID
			}
			want = append(want, id+"|"+name+"|"+normal.Replace(data))
			stream = AppendComment(stream, []byte(data))
			stream = AppendRetry(stream, 7)
		}
		eachSplit(string(stream), func(cuts ...int) {
			var p Parser
			got, err := read(&p, string(stream), cuts...)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%q cut at %v: %q, %v; want %q", stream, cuts, got, err, want)
			}
		})
	}
}

func TestParseNoAllocation(t *testing.T) {
	stream := Append(nil, []byte("7"), []byte("tick"), []byte("one\ntwo"))
	stream = AppendRetry(AppendComment(stream, nil), 3000)
	var p Parser
	allocs := testing.AllocsPerRun(100, func() {
		if ev, _, ok, err := p.Next(stream); !ok || err != nil || string(ev.Data) != "one\ntwo" {
			t.Fatal(ok, err)
		}
		if _, _, ok, err := p.Next(stream[len(stream)-3:]); ok || err != nil {
			t.Fatal(ok, err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations; want none", allocs)
	}
}

func BenchmarkParse(b *testing.B) {
	stream := Append(nil, []byte("1234"), []byte("tick"), []byte(strings.Repeat("x", 256)))
	var p Parser
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok, err := p.Next(stream); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

package multipart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"reflect"
	"strings"
	"testing"
)

// part is one part, read to its end or as far as it came.
type part struct {
	header map[string][]string
	data   string
	whole  bool
}

// ours reads body with the Parser, fed in pieces cut at the given places. Unconsumed bytes are moved each time, so that a
// view kept too long would show, and their number is held to what the Parser promises.
func ours(boundary, body string, cfg Config, cuts ...int) (parts []part, err error) {
	var p Parser
	p.Start([]byte(boundary), cfg)
	var b []byte
	from, ended := 0, false
	for _, to := range append(cuts, len(body)) {
		b = append(bytes.Clone(b), body[from:to]...)
		from = to
		for {
			ev, n, err := p.Next(b)
			if err != nil {
				if _, _, again := p.Next(nil); again != err || p.Finish() != err {
					return parts, fmt.Errorf("behind %w came %w and %w", err, again, p.Finish())
				}
				return parts, err
			}
			if ev.Kind == NeedMore {
				b = b[n:]
				break
			}
			if parts, ended, err = step(parts, ended, ev); err != nil {
				return parts, err
			}
			b = b[n:]
		}
		if len(b) > max(Held, p.cfg.MaxHead) {
			return parts, fmt.Errorf("%d bytes had to be kept", len(b))
		}
	}
	if err := p.Finish(); err != nil || ended {
		return parts, err
	}
	return parts, errors.New("finished without an end")
}

// step applies an event and checks that it may come where it came.
func step(parts []part, ended bool, ev Event) ([]part, bool, error) {
	open := len(parts) > 0 && !parts[len(parts)-1].whole
	if ended || open != (ev.Kind == Data || ev.Kind == PartEnd) {
		return parts, ended, fmt.Errorf("event %d behind %d parts", ev.Kind, len(parts))
	}
	switch ev.Kind {
	case PartBegin:
		header := map[string][]string{}
		for _, f := range ev.Fields {
			name := textproto.CanonicalMIMEHeaderKey(string(f.Name))
			header[name] = append(header[name], string(f.Value))
		}
		parts = append(parts, part{header: header})
	case Data:
		if len(ev.Data) == 0 {
			return parts, ended, errors.New("empty data")
		}
		parts[len(parts)-1].data += string(ev.Data)
	case PartEnd:
		parts[len(parts)-1].whole = true
	case End:
		ended = true
	case NeedMore:
	}
	return parts, ended, nil
}

// theirs reads body with Go's mime/multipart.
func theirs(boundary, body string, _ Config, _ ...int) (parts []part, err error) {
	mr := multipart.NewReader(strings.NewReader(body), boundary)
	for {
		p, err := mr.NextRawPart()
		if err == io.EOF {
			return parts, nil
		}
		if err != nil {
			return parts, err
		}
		data, err := io.ReadAll(p)
		parts = append(parts, part{header: p.Header, data: string(data), whole: err == nil})
		if err != nil {
			return parts, err
		}
	}
}

func eachSplit(body string, f func(cuts ...int)) {
	f()
	all := make([]int, len(body))
	for i := range len(body) {
		f(i)
		all[i] = i
	}
	f(all...)
}

// show writes parts in a line each: fields in brackets, data, and an end mark where the end was seen.
func show(parts []part) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%v%q", p.header, p.data)
		if p.whole {
			b.WriteByte('.')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestParse(t *testing.T) {
	f := func(body string, want ...string) {
		t.Helper()
		eachSplit(body, func(cuts ...int) {
			parts, err := ours("B", body, Config{}, cuts...)
			var got []string
			for _, p := range parts {
				got = append(got, p.data)
			}
			if err != nil || strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
				t.Errorf("%q cut at %v: %s, %v; want %q", body, cuts, show(parts), err, want)
			}
		})
		sameAsTheirs(t, body)
	}
	f("--B--")
	f("--B--\r\n")
	f("--B\r\n\r\nhi\r\n--B--", "hi")
	f("--B\r\n\r\nhi\r\n--B--\r\n", "hi")
	f("--B\r\n\r\na\r\n--B\r\n\r\nb\r\n--B--", "a", "b")
	f("--B\r\nX: y\r\n\r\nhi\r\n--B--", "hi")
	f("--B\r\n\r\n\r\n--B--", "")
	f("--B\r\n\r\n--B--", "") // the blank line's CRLF is the delimiter's as well
	f("--B\r\nX: y\r\n\r\n--B\r\n\r\n--B--", "", "")
	f("--B\r\n\r\n\r\n\r\n--B--", "\r\n")
	f("--B\r\n\r\n \r\n--B--", " ")
	// Preamble and epilogue.
	f("\r\n--B\r\n\r\nhi\r\n--B--", "hi")
	f("This is a multi-part message.\r\n\r\n--B\r\n\r\nhi\r\n--B--\r\nbye\r\n--B\r\n", "hi")
	f("a\nb\rc\r\r\n--B\r\n\r\nhi\r\n--B--", "hi")
	f("x--B\r\n--Bx\r\n-- B\r\n-B\r\n--\r\n--B\r\n\r\nhi\r\n--B--", "hi")
	// "receivers MUST be able to handle padding added by message transports" (RFC 2046 §5.1.1).
	f("--B \t\r\n\r\nhi\r\n--B  \r\n\r\nyo\r\n--B--\t \r\n", "hi", "yo")
	f("--B\r\n\r\nhi\r\n--B-- ", "hi")
	f("--B"+strings.Repeat(" ", maxPadding)+"\r\n\r\nhi\r\n--B--"+strings.Repeat("\t", maxPadding)+"\r\n", "hi")
	// A line that only begins like a boundary is data.
	f("--B\r\n\r\n--Bx\r\n--B--", "--Bx")
	f("--B\r\n\r\na\r\n--Bx\r\n--B-\r\n--B-x\r\n--B\x00\r\n--B--", "a\r\n--Bx\r\n--B-\r\n--B-x\r\n--B\x00")
	f("--B\r\n\r\n--\r\n--\r\n-\r\n\r\n\r\n--\r\n--b\r\n--B--", "--\r\n--\r\n-\r\n\r\n\r\n--\r\n--b")
	f("--B\r\n\r\na\n--B\n--B\r\n--B--", "a\n--B\n--B")
	f("--B\r\n\r\na\r--B\r\n--B--", "a\r--B")
	f("--B\r\n\r\n\r\r\n\r\r\n--B--", "\r\r\n\r")
	f("--B\r\n\r\n\r\n-\r\n--\r\n--\r\n--B--", "\r\n-\r\n--\r\n--")
	f("--B\r\n\r\n\x00\xff\r\n--B--", "\x00\xff")
	// A multipart in a multipart is data, even if its boundary begins with ours.
	f("--B\r\n\r\n--BB\r\n\r\nx\r\n--BB--\r\n\r\n--B--", "--BB\r\n\r\nx\r\n--BB--\r\n")
}

// sameAsTheirs holds that a body with boundary B that we accept reads in Go's reader as the same parts.
func sameAsTheirs(t *testing.T, body string) {
	t.Helper()
	parts, err := ours("B", body, Config{})
	if err != nil {
		return
	}
	other, err := theirs("B", body, Config{})
	if err != nil || show(parts) != show(other) {
		t.Errorf("%q: we read %s; mime/multipart reads %s, %v", body, show(parts), show(other), err)
	}
}

func TestParseRefuses(t *testing.T) {
	f := func(body string, want error) {
		t.Helper()
		eachSplit(body, func(cuts ...int) {
			if parts, err := ours("B", body, Config{}, cuts...); !errors.Is(err, want) {
				t.Errorf("%q cut at %v: %s, %v; want %v", body, cuts, show(parts), err, want)
			}
		})
	}
	// The end is missing.
	f("", ErrTruncated)
	f("text", ErrTruncated)
	f("--", ErrTruncated)
	f("--B", ErrTruncated)
	f("--B-", ErrTruncated)
	f("--B\r", ErrTruncated)
	f("--B\r\n", ErrTruncated)
	f("--B\r\nX: y\r\n", ErrTruncated)
	f("--B\r\n\r\n", ErrTruncated)
	f("--B\r\n\r\nhi", ErrTruncated)
	f("--B\r\n\r\nhi\r\n--B", ErrTruncated)
	f("--B\r\n\r\nhi\r\n--B-", ErrTruncated)
	f("--B\r\n\r\nhi\r\n--B\r\n", ErrTruncated)
	f("--B--\r", ErrTruncated)
	f("--C\r\n\r\nhi\r\n--C--", ErrTruncated)
	// Boundary lines that readers disagree on.
	f("--B\n\nhi\n--B--\n", ErrDelimiter)
	f("--B\n\r\nhi\r\n--B--", ErrDelimiter)
	f("--B x\r\n\r\nhi\r\n--B--", ErrDelimiter)
	f("--B\rx\r\n\r\nhi\r\n--B--", ErrDelimiter)
	f("--B --\r\n", ErrDelimiter)
	f("--B\r\n\r\nhi\r\n--B\n", ErrDelimiter)
	f("--B\r\n\r\nhi\r\n--B x", ErrDelimiter)
	f("--B\r\n\r\n--B\n", ErrDelimiter)
	f("--B\r\n\r\nhi\r\n--B--x", ErrDelimiter)
	f("--B\r\n\r\nhi\r\n--B---", ErrDelimiter)
	f("--B--\n", ErrDelimiter)
	f("--B--\r\r\n", ErrDelimiter)
	f("x\n--B\r\n\r\nhi\r\n--B--", ErrDelimiter)
	f("\n--B--\r\n", ErrDelimiter)
	f("\r\n\n--B--\r\n", ErrDelimiter)
	f("--B"+strings.Repeat(" ", maxPadding+1)+"\r\n", ErrPadding)
	f("--B--"+strings.Repeat("\t", maxPadding+1), ErrPadding)
	// Headers.
	f("--B\r\nX: y\n\r\nhi\r\n--B--", ErrLineEnd)
	f("--B\r\n\nhi\r\n--B--", ErrLineEnd)
	f("--B\r\nX: y\r\n\nhi", ErrLineEnd)
	f("--B\r\nX: y\r\n z\r\n\r\nhi", ErrFieldName)
	f("--B\r\n X: y\r\n\r\nhi", ErrFieldName)
	f("--B\r\nX : y\r\n\r\nhi", ErrFieldName)
	f("--B\r\n: y\r\n\r\nhi", ErrFieldName)
	f("--B\r\nX\r\n\r\nhi", ErrFieldName)
	f("--B\r\nX(: y\r\n\r\nhi", ErrFieldName)
	f("--B\r\nZoë: y\r\n\r\nhi", ErrFieldName)
	f("--B\r\n--B\r\n\r\nhi", ErrFieldName)
	f("--B\r\n--B--\r\n\r\n", ErrFieldName)
	f("--B\r\n\x00X: y\r\n\r\nhi", ErrFieldName)
	f("--B\r\nX: a\rb\r\n\r\nhi", ErrFieldValue)
	f("--B\r\nX: a\x00b\r\n\r\nhi", ErrFieldValue)
	f("--B\r\nX: a\x7fb\r\n\r\nhi", ErrFieldValue)
	f("--B\r\nX: y\r\r\n\r\nhi", ErrFieldValue)
}

func TestFields(t *testing.T) {
	f := func(head string, want map[string][]string) {
		t.Helper()
		body := "--B\r\n" + head + "\r\nhi\r\n--B--"
		eachSplit(body, func(cuts ...int) {
			parts, err := ours("B", body, Config{}, cuts...)
			if err != nil || len(parts) != 1 || !reflect.DeepEqual(parts[0].header, want) {
				t.Errorf("%q cut at %v: %s, %v; want %v", head, cuts, show(parts), err, want)
			}
		})
		sameAsTheirs(t, body)
	}
	f("", map[string][]string{})
	f("a: b\r\n", map[string][]string{"A": {"b"}})
	f("A:b\r\nC: \t d e\t \r\n", map[string][]string{"A": {"b"}, "C": {"d e"}})
	f("A:\r\nA: 2\r\na:3\r\n", map[string][]string{"A": {"", "2", "3"}})
	f("A: x:y: z\r\n", map[string][]string{"A": {"x:y: z"}})
	f("Content-Disposition: form-data; name=\"ü\"\r\n", map[string][]string{"Content-Disposition": {"form-data; name=\"ü\""}})
	f("--b: x\r\n", map[string][]string{"--B": {"x"}})
}

func TestConfig(t *testing.T) {
	small := Config{MaxParts: 2, MaxHead: 20, MaxFields: 2, MaxPreamble: 8, MaxEpilogue: 8}
	f := func(cfg Config, body string, want error) {
		t.Helper()
		eachSplit(body, func(cuts ...int) {
			if parts, err := ours("B", body, cfg, cuts...); !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("%q cut at %v: %s, %v; want %v", body, cuts, show(parts), err, want)
			}
		})
	}
	f(small, "--B\r\n\r\n\r\n--B\r\n\r\n\r\n--B--", nil)
	f(small, "--B\r\n\r\n\r\n--B\r\n\r\n\r\n--B\r\n\r\n\r\n--B--", ErrParts)
	f(small, "--B\r\nA: 3456789012345\r\n\r\n\r\n--B--", nil)
	f(small, "--B\r\nA: 34567890123456\r\n\r\n\r\n--B--", ErrHeadBytes)
	f(small, "--B\r\nA: 34567890123456789", ErrHeadBytes)
	f(small, "--B\r\nA: 3456789012345678\n\n", ErrLineEnd)
	f(small, "--B\r\nA: 345678901234567890\n\n", ErrHeadBytes)
	f(small, "--B\r\na:\r\nb:\r\n\r\n\r\n--B--", nil)
	f(small, "--B\r\na:\r\nb:\r\nc:\r\n\r\n\r\n--B--", ErrHeadFields)
	f(small, "123456\r\n--B--", nil)
	f(small, "1234567\r\n--B--", ErrPreamble)
	f(small, "123456789", ErrPreamble)
	f(small, "\r\n\r\n\r\n\r\n\r\n--B--", ErrPreamble)
	f(small, "--B--\r\n12345678", nil)
	f(small, "--B--\r\n123456789", ErrEpilogue)
	none := Config{MaxParts: -1, MaxPreamble: -1, MaxEpilogue: -1}
	f(none, "--B--\r\n", nil)
	f(none, "\r\n--B--", ErrPreamble)
	f(none, "--B--\r\nx", ErrEpilogue)
	f(none, "--B\r\n\r\n\r\n--B--", ErrParts)
	f(Config{}, strings.Repeat("x", 1025), ErrPreamble)
	f(Config{MaxFields: -1}, "--B\r\na:b\r\n\r\n\r\n--B--", ErrHeadFields)
}

func TestErrors(t *testing.T) {
	for _, err := range []error{ErrNotMultipart, ErrParts, ErrHeadBytes, ErrDelimiter} {
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Status < 400 || refusal.Status > 499 || !strings.HasPrefix(err.Error(), "multipart: ") {
			t.Errorf("%v is no refusal", err)
		}
	}
}

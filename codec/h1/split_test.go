package h1

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What is tested here is fed to the parsers whole, one byte at a time, and in
// two pieces cut at every byte. Each call sees a fresh copy, and the old one is
// overwritten, so that a view or offset kept too early shows.

// outcome is all that a parser said, as text: equal texts, equal results.
type outcome struct {
	text string
	rest string // what it left unread
	err  *Error
}

func (o outcome) String() string {
	if o.err != nil {
		return fmt.Sprintf("%s✗ %d %s", o.text, o.err.Status, o.err.Reason)
	}
	return o.text + " | " + o.rest
}

// feeder hands out growing copies of one message, cut at the given offsets.
type feeder struct {
	in   string
	cuts []int
	last []byte
}

// next returns the message from offset from up to the next cut, moved.
func (f *feeder) next(from int) ([]byte, bool) {
	for i := range f.last {
		f.last[i] = 0xdb
	}
	if len(f.cuts) == 0 {
		return nil, false
	}
	f.last = []byte(f.in[from:f.cuts[0]])
	f.cuts = f.cuts[1:]
	return f.last, true
}

// asError insists that a parser's error is an *Error, as promised.
func asError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		panic("not an *Error: " + err.Error())
	}
	return e
}

// everySplit runs parse over in, cut in all ways, and wants one outcome.
func everySplit(t *testing.T, in string, parse func(*feeder) outcome) outcome {
	t.Helper()
	whole := parse(&feeder{in: in, cuts: []int{len(in)}})
	bytewise := make([]int, len(in)+1)
	for i := range bytewise {
		bytewise[i] = i
	}
	if got := parse(&feeder{in: in, cuts: bytewise}); got != whole {
		t.Errorf("%q byte by byte:\n  %s\nwhole:\n  %s", in, got, whole)
	}
	for i := 0; i < len(in); i += 1 + len(in)/512 { // of a long input, only some
		if got := parse(&feeder{in: in, cuts: []int{i, len(in)}}); got != whole {
			t.Errorf("%q cut at %d:\n  %s\nwhole:\n  %s", in, i, got, whole)
			break
		}
	}
	return whole
}

// parseRequest reads a head and its body to the end, or to an error, or to the
// end of the input, which it calls "more".
func parseRequest(f *feeder, lim *Limits) outcome {
	var r Request
	for {
		b, ok := f.next(0)
		if !ok {
			return outcome{text: "more"}
		}
		n, done, err := r.Parse(b, lim)
		if err != nil {
			return outcome{err: asError(err)}
		}
		if !done {
			if n != 0 {
				panic("bytes consumed before the head was done")
			}
			continue
		}
		o := outcome{text: describeRequest(&r)}
		d := r.Body()
		return parseBody(o, f, &d, b, n, lim)
	}
}

// parseResponse is parseRequest for a response to a request of that kind.
func parseResponse(f *feeder, asked Asked, lim *Limits) outcome {
	var r Response
	r.Reset(asked)
	for {
		b, ok := f.next(0)
		if !ok {
			return outcome{text: "more"}
		}
		n, done, err := r.Parse(b, lim)
		if err != nil {
			return outcome{err: asError(err)}
		}
		if done {
			o := outcome{text: describeResponse(&r)}
			d := r.Body()
			return parseBody(o, f, &d, b, n, lim)
		}
	}
}

// parseBody reads a body that begins at offset at of what f feeds; b is what
// has been fed so far.
func parseBody(o outcome, f *feeder, d *Body, b []byte, at int, lim *Limits) outcome {
	base := 0
	var data, trailers strings.Builder
	for {
		ev, piece, n, err := d.Next(b[at-base:], lim)
		at += n
		switch {
		case err != nil:
			o.text += " " + data.String()
			o.err = asError(err)
			return o
		case ev == Data:
			data.Write(piece)
			continue
		case ev == TrailerField:
			sf := SplitField(piece)
			fmt.Fprintf(&trailers, "[%s=%s]", sf.Name, sf.Value)
			continue
		case ev == End:
			o.text += " " + data.String() + trailers.String()
			o.rest = f.in[at:]
			return o
		}
		if left := len(b) - (at - base); left > max(lim.ChunkLine, lim.TrailerBytes) {
			panic("more kept back than the limits say")
		}
		next, ok := f.next(at)
		if !ok {
			o.text += " " + data.String() + trailers.String() + "…"
			return o
		}
		b, base = next, at
	}
}

func describeRequest(r *Request) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s HTTP/1.%d path=%s", r.Method, r.Target, r.Minor, r.Path)
	if r.Query != nil {
		fmt.Fprintf(&s, " query=%s", r.Query)
	}
	if r.Authority != nil {
		fmt.Fprintf(&s, " for=%s", r.Authority)
	}
	for _, f := range r.Fields {
		fmt.Fprintf(&s, " {%s=%s}", f.Name, f.Value)
	}
	describeFraming(&s, r.Framing, r.Length, r.KeepAlive, r.Upgrade)
	if r.Expect100 {
		s.WriteString(" expect")
	}
	return s.String()
}

func describeResponse(r *Response) string {
	var s strings.Builder
	fmt.Fprintf(&s, "HTTP/1.%d %d %s", r.Minor, r.Status, r.Reason)
	for _, f := range r.Fields {
		fmt.Fprintf(&s, " {%s=%s}", f.Name, f.Value)
	}
	describeFraming(&s, r.Framing, r.Length, r.KeepAlive, r.Upgrade)
	return s.String()
}

func describeFraming(s *strings.Builder, framing Framing, length int64, keep, upgrade bool) {
	switch framing {
	case None:
		s.WriteString(" none")
	case Length:
		fmt.Fprintf(s, " length=%d", length)
	case Chunked:
		s.WriteString(" chunked")
	case UntilClose:
		s.WriteString(" until-close")
	}
	if keep {
		s.WriteString(" keep")
	}
	if upgrade {
		s.WriteString(" upgrade")
	}
}

// lines joins the lines of a head with CRLF and ends it.
func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n\r\n" }

// wantRequest checks the outcome of a request, or the words it begins with.
func wantRequest(t *testing.T, in, want string) {
	t.Helper()
	wantRequestWithin(t, in, want, &DefaultLimits)
}

func wantRequestWithin(t *testing.T, in, want string, lim *Limits) {
	t.Helper()
	got := everySplit(t, in, func(f *feeder) outcome { return parseRequest(f, lim) })
	if got.String() != want {
		t.Errorf("%q:\n  got  %s\n  want %s", in, got, want)
	}
}

// wantRefused checks that a request is refused with that status and error, and
// not one byte later than at the end of upTo.
func wantRefused(t *testing.T, in string, want *Error) {
	t.Helper()
	got := everySplit(t, in, func(f *feeder) outcome { return parseRequest(f, &DefaultLimits) })
	if got.err != want {
		t.Errorf("%q:\n  got  %s\n  want %d %s", in, got, want.Status, want.Reason)
	}
}

// wantEarly checks that the last byte of in, and none before it, is refused.
func wantEarly(t *testing.T, in string, want *Error) {
	t.Helper()
	wantRefused(t, in, want)
	if got := parseRequest(&feeder{in: in, cuts: []int{len(in) - 1}}, &DefaultLimits); got.err != nil {
		t.Errorf("%q is refused before its last byte: %s", in, got)
	}
}

func wantResponse(t *testing.T, asked Asked, in, want string) {
	t.Helper()
	got := everySplit(t, in, func(f *feeder) outcome { return parseResponse(f, asked, &DefaultLimits) })
	if got.String() != want {
		t.Errorf("%q:\n  got  %s\n  want %s", in, got, want)
	}
}

func wantResponseRefused(t *testing.T, in string, want *Error) {
	t.Helper()
	got := everySplit(t, in, func(f *feeder) outcome { return parseResponse(f, AskedOther, &DefaultLimits) })
	if got.err != want {
		t.Errorf("%q:\n  got  %s\n  want %d %s", in, got, want.Status, want.Reason)
	}
}

// wantBody checks what a body decodes to, with the limits.
func wantBody(t *testing.T, framing Framing, length int64, in, want string, lim *Limits) {
	t.Helper()
	got := everySplit(t, in, func(f *feeder) outcome {
		var d Body
		d.Start(framing, length)
		b, _ := f.next(0)
		return parseBody(outcome{}, f, &d, b, 0, lim)
	})
	if got.String() != want {
		t.Errorf("%q:\n  got  %s\n  want %s", in, got, want)
	}
}

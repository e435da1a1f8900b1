package ws

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What is tested here is fed to parsers whole, one byte at a time, and in two
// pieces cut at every byte. Each call sees a fresh copy, and the old one is
// overwritten, so that a view kept too long shows.

const testKey Mask = 0x04c3b2a1

// masked is a client's frame, plain is a server's.
func masked(flags Flags, op Opcode, payload string) string {
	return string(AppendMasked(nil, op, flags, testKey, []byte(payload)))
}

func plain(flags Flags, op Opcode, payload string) string {
	return string(AppendFrame(nil, op, flags, []byte(payload)))
}

// unhex reads bytes as RFCs print them.
func unhex(s string) string {
	b, err := hex.DecodeString(strings.NewReplacer("0x", "", " ", "").Replace(s))
	if err != nil {
		panic(err)
	}
	return string(b)
}

// asError insists that an error is an *Error, as promised.
func asError(err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		panic("not an *Error: " + err.Error())
	}
	return e
}

// transcript is all that a parser said about in, cut there: a message is
// (text …), with what came between its pieces in brackets; "…" is a message
// that has not ended, and "+n" bytes that the parser left.
func transcript(p Parser, lim *Limits, in string, cuts ...int) string {
	var out strings.Builder
	from, closed := 0, false
	for _, cut := range append(slices.Clone(cuts), len(in)) {
		for more := true; more; {
			b := []byte(in[from:cut])
			ev, n, err := p.Next(b, lim)
			from += n
			if err != nil {
				e := asError(err)
				if _, n, err := p.Next([]byte("any"), lim); n != 3 || err != nil {
					panic("the parser goes on after an error")
				}
				return fmt.Sprintf("%s✗ %d %s", out.String(), e.Code, e.Reason)
			}
			more = ev.Kind != NeedMore
			if more && closed {
				panic("the parser goes on after a close frame")
			}
			closed = closed || ev.Kind == Close
			describe(&out, ev)
			for i := range b {
				b[i] = 0xdb
			}
		}
	}
	if p.Open() {
		out.WriteString("…")
	}
	if from < len(in) {
		fmt.Fprintf(&out, "+%d", len(in)-from)
	}
	return out.String()
}

func describe(out *strings.Builder, ev Event) {
	switch ev.Kind {
	case Data:
		if ev.First {
			kind := map[Opcode]string{Text: "(text ", Binary: "(binary "}[ev.Opcode]
			if ev.Compressed {
				kind = "(deflated " + kind[1:]
			}
			out.WriteString(kind)
		}
		out.Write(ev.Payload)
		if ev.Last {
			out.WriteString(")")
		}
	case Ping:
		fmt.Fprintf(out, "[ping %s]", ev.Payload)
	case Pong:
		fmt.Fprintf(out, "[pong %s]", ev.Payload)
	case Close:
		fmt.Fprintf(out, "[close %d %s]", ev.Code, ev.Payload)
	case NeedMore:
	}
}

// everySplit reads in, cut in all ways, and wants one transcript.
func everySplit(t *testing.T, p Parser, lim *Limits, in string) string {
	t.Helper()
	whole := transcript(p, lim, in)
	var bytewise []int
	step := 1
	for i := 0; i < len(in); i += step {
		if i == 2*MaxHead && len(in) > 1000 {
			step += len(in) / 8 // of a long input, only some
		}
		bytewise = append(bytewise, i)
		if got := transcript(p, lim, in, i); got != whole {
			t.Fatalf("%.80q cut at %d:\n  %.200s\nwhole:\n  %.200s", in, i, got, whole)
		}
	}
	if got := transcript(p, lim, in, bytewise...); got != whole {
		t.Fatalf("%.80q byte by byte:\n  %.200s\nwhole:\n  %.200s", in, got, whole)
	}
	return whole
}

// fromClient and fromServer read frames of that end, cut in all ways.
func fromClient(t *testing.T, in, want string) {
	t.Helper()
	wantTranscript(t, NewParser(Server, false), in, want)
}

func fromServer(t *testing.T, in, want string) {
	t.Helper()
	wantTranscript(t, NewParser(Client, false), in, want)
}

func deflated(t *testing.T, in, want string) {
	t.Helper()
	wantTranscript(t, NewParser(Server, true), in, want)
}

func wantTranscript(t *testing.T, p Parser, in, want string) {
	t.Helper()
	if got := everySplit(t, p, &DefaultLimits, in); got != want {
		t.Errorf("%.80q:\n got %.300s\nwant %.300s", in, got, want)
	}
}

// refused is the transcript of an error.
func refused(e *Error) string { return fmt.Sprintf("✗ %d %s", e.Code, e.Reason) }

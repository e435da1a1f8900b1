package h2

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What the reader is fed here comes whole, byte by byte, and in two pieces cut at every byte. Each call sees a fresh
// copy, and the old one is overwritten, so that a view kept too long shows.

// raw builds a frame by hand, so that no test of the reader leans on the appenders.
func raw(typ Type, flags Flags, stream uint32, payload string) string {
	n := len(payload)
	head := []byte{
		byte(n >> 16), byte(n >> 8), byte(n), byte(typ), byte(flags),
		byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream),
	}
	return string(head) + payload
}

// settings is the frame that has to come first.
var settings = raw(TypeSettings, 0, 0, "")

// small makes every limit easy to reach.
var small = Limits{Frame: MinFrame, Block: 40, Continuations: 3, List: 200, Fields: 4}

// read feeds in to a reader in pieces that end at the given cuts, and writes down all that it says, pieces of data
// joined: equal texts, equal results.
func read(in string, cuts []int, lim *Limits) (transcript string, err *Error) {
	return readFrom(Reader{}, in, cuts, lim)
}

func readFrom(r Reader, in string, cuts []int, lim *Limits) (transcript string, err *Error) {
	var out strings.Builder
	var data string
	at, next := 0, 0
	for _, cut := range cuts {
		for {
			b := []byte(in[at:cut])
			f, n, e := r.Next(b, lim)
			if at += n; at < next {
				panic("read backwards")
			}
			next = at
			switch {
			case e != nil:
				err = asError(e)
				fmt.Fprintf(&out, "!%d/%d ", f.Type, f.Stream)
			case f.Event == Whole:
				fmt.Fprintf(&out, "%d/%d:%x:%s ", f.Type, f.Stream, uint8(f.Flags), f.Payload)
			case f.Event == Data:
				fmt.Fprintf(&out, "data/%d:%x:%d", f.Stream, uint8(f.Flags), f.Length)
				data = ":"
			case f.Event == Piece:
				if len(f.Payload) == 0 {
					panic("a piece of nothing")
				}
				data += string(f.Payload)
			case f.Event == Ignored:
				fmt.Fprintf(&out, "ignored %d/%d:%d ", f.Type, f.Stream, f.Length)
			}
			if f.Last && (f.Event == Data || f.Event == Piece) {
				fmt.Fprintf(&out, "%s ", data)
			}
			for i := range b {
				b[i] = 0xdb
			}
			if e != nil && err.Scope == Connection {
				return out.String(), err
			}
			if e == nil && f.Event == More {
				break
			}
		}
	}
	if at < len(in) {
		fmt.Fprintf(&out, "left %d ", len(in)-at)
	}
	return out.String(), err
}

// asError insists that an error is an *Error, as promised.
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

// everySplit reads in, cut in all ways, and wants one outcome.
func everySplit(t *testing.T, in string, lim *Limits) (string, *Error) {
	t.Helper()
	whole, err := read(in, []int{len(in)}, lim)
	bytewise := make([]int, len(in)+1)
	for i := range bytewise {
		bytewise[i] = i
	}
	same := func(how string, cuts []int) {
		if got, e := read(in, cuts, lim); got != whole || e != err {
			t.Errorf("%q %s:\n  %s %v\nwhole:\n  %s %v", in, how, got, e, whole, err)
		}
	}
	same("byte by byte", bytewise)
	for i := 0; i < len(in); i += 1 + len(in)/512 { // of a long input, only some
		same(fmt.Sprint("cut at ", i), []int{i, len(in)})
	}
	return whole, err
}

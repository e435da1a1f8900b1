package h1

import (
	"strings"
	"testing"
	"unsafe"
)

func TestBodyFramings(t *testing.T) {
	f := func(framing Framing, length int64, in, want string) {
		t.Helper()
		wantBody(t, framing, length, in, want, &DefaultLimits)
	}
	f(None, 0, "GET", "  | GET")
	f(Length, 0, "GET", "  | GET")
	f(Length, 3, "abcGET", " abc | GET")
	f(Length, 4, "abc", " abc… | ")
	f(UntilClose, 0, "abc\r\n\r\n", " abc\r\n\r\n… | ")
	f(Chunked, 0, "0\r\n\r\nGET", "  | GET")
	f(Chunked, 0, "000\r\n\r\nGET", "  | GET")
	f(Chunked, 0, "3\r\nabc\r\n0A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", " abc01234567890123456789 | ")
	f(Chunked, 0, "5\r\n\r\n\r\n0\r\n0\r\n\r\n", " \r\n\r\n0 | ")
	f(Chunked, 0, "0000000000000003\r\nabc\r\n0\r\n\r\n", " abc | ")
	f(Chunked, 0, "3\r\nabc\r\n0\r\nA: b\r\nC:\r\n\r\nGET", " abc[A=b][C=] | GET")
	f(Chunked, 0, "0\r\nA: \t b \r\n\r\n", " [A=b] | ")
	f(Chunked, 0, "0\r\nA: b", " … | ")
}

// wantChunkedRefused checks that the last byte of in, and none before it, makes
// a chunked body refused.
func wantChunkedRefused(t *testing.T, in string, want *Error) {
	t.Helper()
	parse := func(f *feeder) outcome {
		var d Body
		d.Start(Chunked, 0)
		b, _ := f.next(0)
		return parseBody(outcome{}, f, &d, b, 0, &DefaultLimits)
	}
	if got := everySplit(t, in, parse); got.err != want {
		t.Errorf("%q:\n  got  %s\n  want %s", in, got, want.Reason)
	}
	if got := parse(&feeder{in: in, cuts: []int{len(in) - 1}}); got.err != nil {
		t.Errorf("%q is refused before its last byte: %s", in, got)
	}
}

func TestChunkedRefused(t *testing.T) {
	f := func(in string, want *Error) { t.Helper(); wantChunkedRefused(t, in, want) }
	f("x", errChunkSize)
	f("0x", errChunkSize)
	f("+", errChunkSize)
	f("-", errChunkSize)
	f(" ", errChunkSize)
	f("\t", errChunkSize)
	f(";", errChunkSize)
	f("\x00", errChunkSize)
	f("5 ", errChunkSize)
	f("5\t", errChunkSize)
	f("5_", errChunkSize)
	f("5,", errChunkSize)
	f("5\xb2", errChunkSize)
	f("\n", errBareLF)
	f("5\n", errBareLF)
	f("\r", errBareCR)
	f("5\rX", errBareCR)
	f("5\r\r", errBareCR)
	f("00000000000000000", errChunkHuge)
	f("8000000000000000", errChunkHuge)
	f("5; ", errChunkExt)
	f("5;;", errChunkExt)
	f("5;=", errChunkExt)
	f("5;a ", errChunkExt)
	f("5;a= ", errChunkExt)
	f("5;a=;", errChunkExt)
	f("5;a=b ", errChunkExt)
	f("5;a=b=", errChunkExt)
	f("5;a=b\"", errChunkExt)
	f("5;a=\"b\x00", errChunkExt)
	f("5;a=\"b\\\x7f", errChunkExt)
	f("5;a=\"b\"c", errChunkExt)
	f("5;a=\"b\" ", errChunkExt)
	f("5;\n", errBareLF)
	f("5;\r", errBareCR)
	f("5;a\n", errBareLF)
	f("5;a=\n", errBareLF)
	f("5;a=b\n", errBareLF)
	f("5;a=\"\n", errBareLF)
	f("5;a=\"\r", errBareCR)
	f("5;a=\"\\\n", errBareLF)
	f("5;a="+strings.Repeat("b", 252), errChunkLine)
	f("5;a=\""+strings.Repeat("b", 251), errChunkLine)
	f("3\r\nabcd", errChunkEnd)
	f("3\r\nabc\n", errChunkEnd)
	f("3\r\nabc\r\r", errChunkEnd)
	f("3\r\nabc0", errChunkEnd)
	f("3\r\nabc\r\n\r", errBareCR)
}

func TestTrailerRefused(t *testing.T) {
	f := func(in string, want *Error) { t.Helper(); wantChunkedRefused(t, in, want) }
	f("0\r\n ", errFold)
	f("0\r\n\n", errBareLF)
	f("0\r\nA ", errNameSpace)
	f("0\r\nA: b\n", errBareLF)
	f("0\r\nA: b\x00", errValue)
	f("0\r\nA: b\r\n ", errFold)
	f("0\r\n\rX", errBareCR)
	f("0\r\n:", errNameEmpty)
	f("0\r\nA: "+strings.Repeat("b", 4093), errTrailerBytes)
	f("0\r\n"+strings.Repeat("A:\r\n", 33), errTrailerCount)
	for _, name := range []string{
		"Content-Length", "content-length", "Transfer-Encoding", "Host", "Connection", "Upgrade",
		"Expect", "TE", "Trailer",
	} {
		f("0\r\nA: b\r\n"+name+": 5\r\n", errTrailerField)
	}
}

func TestBodyLimits(t *testing.T) {
	lim := Limits{ChunkLine: 8, ChunkOverhead: 10, TrailerBytes: 12, TrailerFields: 2, Body: 6}
	f := func(framing Framing, in, want string) { t.Helper(); wantBody(t, framing, 0, in, want, &lim) }
	f(Chunked, "6\r\nabcdef\r\n0\r\n\r\n", " abcdef | ")
	f(Chunked, "7\r\nabcdefg", " ✗ 413 body too long")
	f(Chunked, "3\r\nabc\r\n4\r\nd", " abc✗ 413 body too long")
	f(UntilClose, "abcdef", " abcdef… | ")
	f(UntilClose, "abcdefg", " abcdef✗ 413 body too long")
	f(Chunked, "3;ex=a\r\nabc\r\n0\r\n\r\n", " abc | ")
	f(Chunked, "3;ex=ab\r\nabc\r\n0\r\n\r\n", " ✗ 400 chunk-size line too long")
	f(Chunked, "0\r\nA: b\r\nC:\r\n\r\n", " [A=b][C=] | ")
	f(Chunked, "0\r\nA: b\r\nC:d\r\n\r\n", " ✗ 431 trailer section too long")
	f(Chunked, "0\r\nA:\r\nC:\r\nE:\r\n", " ✗ 431 too many trailer fields")
	wantBody(t, Chunked, 0, "0", " ✗ 400 chunk-size line too long", &Limits{})
	wantBody(t, Chunked, 0, "0\r\n", " ✗ 431 trailer section too long", &Limits{ChunkLine: 8})
	wantBody(t, Chunked, 0, "1\r\nx\r\n", " x… | ", &Limits{ChunkLine: 8, ChunkOverhead: 3})
	wantBody(t, Chunked, 0, "1\r\n", " ✗ 400 too much chunk framing for its data", &Limits{ChunkLine: 8})
}

// The derivation in Body's comment, in figures.
func TestChunkOverhead(t *testing.T) {
	f := func(chunk string, count int, want *Error, from, to int) {
		t.Helper()
		var d Body
		d.Start(Chunked, 0)
		for i := range count {
			for b := []byte(chunk); ; {
				ev, _, n, err := d.Next(b, &DefaultLimits)
				if b = b[n:]; err != nil {
					if asError(err) != want || i < from || i > to {
						t.Errorf("%.20q: chunk %d: %v", chunk, i, err)
					}
					return
				}
				if ev == NeedMore {
					break
				}
			}
		}
		if want != nil {
			t.Errorf("%.20q: %d chunks pass", chunk, count)
		}
	}
	ext := ";a=" + strings.Repeat("b", 197)
	f("3\r\nabc\r\n", 100_000, nil, 0, 0)
	f("2\r\nab\r\n", 70_000, errChunkOverhead, 65_535, 65_537)
	f("1\r\nx\r\n", 30_000, errChunkOverhead, 21_844, 21_846)
	f("1"+ext+"\r\nx\r\n", 1_000, errChunkOverhead, 300, 350)
	f("400"+ext+"\r\n"+strings.Repeat("x", 1024)+"\r\n", 1_000, nil, 0, 0)
	// What is earned cannot be saved up for a flood later.
	f("100000\r\n"+strings.Repeat("x", 1<<20)+"\r\n"+strings.Repeat("1\r\nx\r\n", 22_000), 1, errChunkOverhead, 0, 0)
}

func TestBodySize(t *testing.T) {
	if size := unsafe.Sizeof(Body{}); size > 40 {
		t.Errorf("Body has %d bytes; it lives in every connection record", size)
	}
}

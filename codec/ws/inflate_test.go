package ws

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// wantInflated inflates msg, behind what was there, and wants that text or error.
func wantInflated(t *testing.T, msg, want string, wantErr error) {
	t.Helper()
	var f Inflater
	got, err := f.Append([]byte("<"), []byte(msg), 1<<20)
	if err != wantErr || err == nil && string(got) != "<"+want {
		t.Errorf("%x: %.80q, %v; want %.80q, %v", msg, got, err, want, wantErr)
	}
}

// The examples of RFC 7692 §7.2.3, by section.
func TestInflateExamples(t *testing.T) {
	f := func(hex, want string) { t.Helper(); wantInflated(t, unhex(hex), want, nil) }
	f("f2 48 cd c9 c9 07 00", "Hello")                           // §7.2.3.1, one block
	f("00 05 00 fa ff 48 65 6c 6c 6f 00", "Hello")               // §7.2.3.3, without compression
	f("f3 48 cd c9 c9 07 00 00", "Hello")                        // §7.2.3.4, BFINAL set
	f("f2 48 05 00 00 00 ff ff ca c9 c9 07 00", "Hello")         // §7.2.3.5, two blocks
	f("00", "")                                                  // §7.2.3.6, empty
	f("", "")                                                    // what zlib takes for empty too
	f("f3 48 cd c9 c9 07 00", "Hello")                           // final, and no empty block behind it
	f("f3 48 cd c9 c9 07 00 f2 48 cd c9 c9 07 00", "HelloHello") // blocks behind a final one
	f("f2 48 cd c9 c9 07 00 00 00 ff ff 01", "Hello")            // final and empty
	f("01 02 00 fd ff 61 62 00", "ab")                           // final, without compression
}

// "In the DEFLATE data, no context is taken over": a message refers to itself
// only, though it may do so across its final blocks. RFC 7692 §7.1.1.2
func TestInflateContext(t *testing.T) {
	// The second message of §7.2.3.2, which needs the first.
	wantInflated(t, unhex("f2 00 11 00 00"), "", errDeflateData)
	wantInflated(t, unhex("f2 48 cd c9 c9 07 00 00 00 ff ff f2 00 11 00 00"), "HelloHello", nil)
	wantInflated(t, unhex("f3 48 cd c9 c9 07 00 f2 00 11 00 00"), "HelloHello", nil)
}

func TestInflateMalformed(t *testing.T) {
	f := func(hex string) { t.Helper(); wantInflated(t, unhex(hex), "", errDeflateData) }
	f("06")                                  // block type 3
	f("07")                                  // and final
	f("f2 48 cd c9 c9")                      // cut in a block
	f("f2 48 cd c9 c9 07")                   // cut before the empty block's head ends
	f("00 05 00 fa ff 48 65")                // cut in a block without compression
	f("00 05 00 fa fe 48 65 6c 6c 6f 00")    // its length does not check
	f("00 06 00 f9 ff 48 65 6c 6c 6f 00")    // it reaches into the tail
	f("01 05 00 fa ff 48 65 6c")             // so does a final one
	f("00 09 00 f6 ff 48 65 6c 6c 6f")       // and to its end
	f("01 05 00 fa ff 48 65 6c 6c 6f 00 00") // an empty block too many, cut
	f("fc ff ff ff")                         // 288 literals
	f("04 00 fe ff")                         // codes for lengths over-subscribed
	f("04 e0 81 08 00 00 00 00 20 cb 00")    // incomplete
	f("ff")
}

// Symbols that mean nothing, and references to what is not there.
func TestInflateSymbols(t *testing.T) {
	f := func(want string, err error, codes ...[2]int) {
		t.Helper()
		var w bitWriter
		w.put(0b011, 3) // final, fixed codes
		for _, c := range codes {
			w.code(c[0], c[1])
		}
		w.code(0, 7)
		wantInflated(t, string(w.b), want, err)
	}
	a, length3 := [2]int{0x30 + 'a', 8}, [2]int{1, 7}
	f("aaaa", nil, a, length3, [2]int{0, 5})
	f("", errDeflateData, length3, [2]int{0, 5})    // distance 1 of nothing
	f("", errDeflateData, a, length3, [2]int{1, 5}) // distance 2 of one byte
	for _, bad := range []int{286, 287} {
		f("", errDeflateData, a, [2]int{0xc0 + bad - 280, 8}, [2]int{0, 5})
	}
	for _, bad := range []int{30, 31} {
		f("", errDeflateData, a, length3, [2]int{bad, 5})
	}
}

// Every message cut short is malformed, or what it says so far is a beginning.
func TestInflateCut(t *testing.T) {
	text := strings.Repeat("some text, and some more text; ", 40)
	for level := -2; level <= 9; level++ {
		msg := deflateAll(t, text, level)
		for i := 1; i < len(msg); i++ {
			var f Inflater
			got, err := f.Append(nil, []byte(msg[:i]), 1<<20)
			if err == nil && !strings.HasPrefix(text, string(got)) {
				t.Errorf("level %d cut at %d: %q", level, i, got)
			}
		}
	}
}

// deflateAll is text compressed at that level in one piece for each argument of
// cuts, without the tail.
func deflateAll(t testing.TB, text string, level int, cuts ...int) string {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	from := 0
	for _, cut := range append(cuts, len(text)) {
		_, _ = io.WriteString(w, text[from:cut])
		_ = w.Flush()
		from = cut
	}
	return strings.TrimSuffix(out.String(), deflateTail)
}

// texts are messages of many kinds.
func texts() []string {
	rnd := rand.New(rand.NewPCG(7, 8))
	noise := make([]byte, 70_000)
	skewed := make([]byte, 70_000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
		skewed[i] = byte(rnd.ExpFloat64() * 9)
	}
	return []string{
		"", "a", "Hello", "κόσμε", strings.Repeat("a", 258), strings.Repeat("a", 100_000), strings.Repeat("abc", 30_000),
		strings.Repeat(`{"price":12.5,"name":"x"},`, 500), string(noise[:10]), string(noise), string(skewed),
		string(noise[:32768]) + string(noise[:32768]), // the farthest distance
	}
}

// What the standard library's writer makes at every kind of level, whole and flushed in
// between, comes out as it was.
func TestInflateLevels(t *testing.T) {
	var f Inflater
	for _, text := range texts() {
		for _, level := range []int{-2, 0, 1, 2, 5, 6, 9} {
			for _, cuts := range [][]int{nil, {len(text) / 2}, {len(text) / 3, len(text) / 3, len(text) / 2}} {
				got, err := f.Append(nil, []byte(deflateAll(t, text, level, cuts...)), len(text))
				if err != nil || string(got) != text {
					t.Fatalf("%.20q of %d bytes, level %d, cut at %v: %v", text, len(text), level, cuts, err)
				}
			}
		}
	}
}

// The limit holds to the byte, in each kind of block, and 1009 says so.
func TestInflateLimit(t *testing.T) {
	var f Inflater
	for _, text := range texts()[1:] {
		for _, level := range []int{0, 1, 6, -2} {
			msg := []byte(deflateAll(t, text, level))
			if _, err := f.Append(nil, msg, len(text)); err != nil {
				t.Errorf("%.20q, level %d: %v", text, level, err)
			}
			for _, limit := range []int{len(text) - 1, 0, -1} {
				if got, err := f.Append(nil, msg, limit); err != ErrTooBig || len(got) > max(limit, 0) {
					t.Errorf("%.20q, level %d within %d: %d bytes, %v", text, level, limit, len(got), err)
				}
			}
		}
	}
}

// A bomb of 1:1000 stops at the limit, and memory at twice that.
func TestInflateBomb(t *testing.T) {
	bomb := []byte(deflateAll(t, strings.Repeat("\x00", 8<<20), 6))
	var f Inflater
	got, err := f.Append(nil, bomb, 1<<20)
	if err != ErrTooBig || len(got) > 1<<20 || cap(got) > 2<<20 {
		t.Errorf("%d bytes, room for %d, %v", len(got), cap(got), err)
	}
}

// bitWriter writes what no compressor would.
type bitWriter struct {
	b []byte
	n uint
}

func (w *bitWriter) put(v, n int) {
	for i := range n {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[len(w.b)-1] |= byte(v>>i&1) << (w.n % 8)
		w.n++
	}
}

// code writes a prefix code, its first bit first.
func (w *bitWriter) code(v, n int) {
	for n--; n >= 0; n-- {
		w.put(v>>n, 1)
	}
}

// emptyDynamic is a block with codes of its own, that holds n times "a".
func (w *bitWriter) emptyDynamic(n int) {
	w.put(0b100, 3)
	w.put(0, 5)  // 257 literals
	w.put(0, 5)  // one distance
	w.put(14, 4) // 18 lengths of the code for lengths
	for _, symbol := range codeOrder[:18] {
		w.put(map[uint8]int{18: 1, 1: 2, 0: 2}[symbol], 3)
	}
	zeros := func(n int) { w.put(0, 1); w.put(n-11, 7) }
	zeros('a')
	w.put(0b11, 2)
	zeros(138)
	zeros(256 - 'a' - 1 - 138)
	w.put(0b11, 2)
	w.put(0b01, 2) // no distance
	for range n {
		w.put(0, 1)
	}
	w.put(1, 1)
}

// Blocks that say nothing and cost much are metered.
func TestInflateBlocks(t *testing.T) {
	f := func(blocks, each int, want error) {
		t.Helper()
		var w bitWriter
		for range blocks {
			w.emptyDynamic(each)
		}
		w.put(0, 3)
		var f Inflater
		got, err := f.Append(nil, w.b, 1<<20)
		if err != want || err == nil && string(got) != strings.Repeat("a", blocks*each) {
			t.Errorf("%d blocks of %d bytes, %d in all: %d bytes, %v", blocks, each, len(w.b), len(got), err)
		}
	}
	f(1, 0, nil)
	f(1, 5, nil)
	f(512, 0, nil)
	f(513, 0, errDeflateBlocks)
	f(10_000, 0, errDeflateBlocks)
	f(1023, 128, nil)
	f(1100, 128, errDeflateBlocks)
	f(4000, 256, nil)
}

// FuzzInflate compares with the standard library's reader, which reads one
// final stream: what it can read, both read alike.
func FuzzInflate(f *testing.F) {
	for _, hex := range []string{"f248cdc9c90700", "000500faff48656c6c6f00", "f348cdc9c9070000", "f24805000000ffffcac9c90700", "00", "06"} {
		f.Add([]byte(unhex(hex)))
	}
	f.Add([]byte("\t\x05\x00\xfa\xffHel"))
	f.Add([]byte(deflateAll(f, strings.Repeat("some text, ", 30)+"and more", 9)))
	const limit = 1 << 16
	f.Fuzz(func(t *testing.T, msg []byte) {
		var inflater Inflater
		got, err := inflater.Append(nil, msg, limit)
		if len(got) > limit {
			t.Fatalf("%d bytes", len(got))
		}
		again, err2 := inflater.Append([]byte("<"), msg, limit) // used before
		if err != err2 || string(again) != "<"+string(got) {
			t.Fatalf("another result the second time: %v, %v", err, err2)
		}
		whole := string(msg) + deflateTail
		rest := strings.NewReader(whole)
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(rest), limit+1))
		switch {
		case len(msg) == 0 || errors.Is(err, errDeflateBlocks):
		case wantErr == nil && len(want) > limit:
			if err != ErrTooBig {
				t.Fatalf("%v where too much comes out", err)
			}
		case wantErr == nil && rest.Len() < len(deflateTail):
			// A final block that reaches into the tail: only an empty one may.
			if err == nil && (rest.Len() > 0 || !bytes.Equal(got, want)) {
				t.Fatalf("%q, want %q and no more", got, want)
			}
		case wantErr == nil: // a final block; ours reads what follows it too
			if !bytes.HasPrefix(got, want) || err == nil && rest.Len() == len(deflateTail) && len(got) != len(want) {
				t.Fatalf("%q, %v; want %q", got, err, want)
			}
		case errors.Is(wantErr, io.ErrUnexpectedEOF):
			// Not final, as it should be. It has read all, or part of a block.
			if err == nil && !bytes.Equal(got, want) {
				t.Fatalf("%q, want %q", got, want)
			}
		default:
			if err == nil {
				t.Fatalf("%q, want %v", got, wantErr)
			}
		}
	})
}

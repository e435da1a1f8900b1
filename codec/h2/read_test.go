package h2

import (
	"strings"
	"testing"
	"unsafe"
)

func TestReader(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		got, err := everySplit(t, settings+in, &DefaultLimits)
		if want = "4/0:0: " + want; got != want || err != nil {
			t.Errorf("%q:\n  %s %v\nwant\n  %s", in, got, err, want)
		}
	}
	f("", "")
	f(raw(TypePing, 0, 0, "12345678"), "6/0:0:12345678 ")
	f(raw(TypeSettings, Ack, 0, ""), "4/0:1: ")
	f(raw(TypeHeaders, EndHeaders, 1, "block"), "1/1:4:block ")
	f(raw(TypeHeaders, EndHeaders|EndStream, 1, ""), "1/1:5: ")
	f(raw(TypeReset, 0, 3, "code"), "3/3:0:code ")
	f(raw(TypeGoaway, 0, 0, "lastcodedebug"), "7/0:0:lastcodedebug ")
	f(raw(TypeWindow, 0, 0, "incr")+raw(TypeWindow, 0, 7, "incr"), "8/0:0:incr 8/7:0:incr ")
	f(raw(TypePriority, 0, 9, "dep.w"), "2/9:0:dep.w ")
	f(raw(TypePriorityUpdate, 0, 0, "1234u=1"), "16/0:0:1234u=1 ")
	// Data, its padding counted but not shown.
	f(raw(TypeData, 0, 1, "hello"), "data/1:0:5:hello ")
	f(raw(TypeData, EndStream, 1, ""), "data/1:1:0: ")
	f(raw(TypeData, Padded, 1, "\x00hello"), "data/1:8:6:hello ")
	f(raw(TypeData, Padded, 1, "\x03hello\x00\x00\x00"), "data/1:8:9:hello ")
	f(raw(TypeData, Padded, 1, "\x03\x00\x00\x00"), "data/1:8:4: ")
	f(raw(TypeData, Padded|EndStream, 1, "\x00"), "data/1:9:1: ")
	f(raw(TypeData, 0, 1, "a")+raw(TypeData, Padded, 3, "\x01bc\x00")+raw(TypeData, 0, 5, "d"), "data/1:0:1:a data/3:8:4:bc data/5:0:1:d ")
	f(raw(TypeData, 0, 1, strings.Repeat("x", MinFrame)), "data/1:0:16384:"+strings.Repeat("x", MinFrame)+" ")
	// Header blocks in pieces.
	f(raw(TypeHeaders, 0, 1, "a")+raw(TypeContinuation, 0, 1, "b")+raw(TypeContinuation, EndHeaders, 1, "c"), "1/1:0:a 9/1:0:b 9/1:4:c ")
	f(raw(TypeHeaders, EndStream, 1, "")+raw(TypeContinuation, EndHeaders, 1, "")+raw(TypeData, 0, 1, ""), "1/1:1: 9/1:4: data/1:0:0: ")
	// Unknown types, on any stream.
	f(raw(0x0a, 0xff, 0, "alternative")+raw(TypePing, Ack, 0, "12345678"), "ignored 10/0:11 6/0:1:12345678 ")
	f(raw(0xff, 0, 5, "")+raw(0x11, 0, 1, "x"), "ignored 255/5:0 ignored 17/1:1 ")
	// The end of the input inside a frame: the reader only has more to come.
	f(raw(TypePing, 0, 0, "12345678")[:16], "left 7 ")
	f(raw(TypePing, 0, 0, "12345678")[:8], "left 8 ")
	f(raw(TypeData, 0, 1, "hello")[:11], "data/1:0:5")
}

func TestReaderRefuses(t *testing.T) {
	f := func(in string, want *Error, after string) {
		t.Helper()
		got, err := everySplit(t, settings+in, &small)
		if got = strings.TrimPrefix(got, "4/0:0: "); err != want || got != after {
			t.Errorf("%q:\n  %s %v\nwant\n  %s %v", in, got, err, after, want)
		}
	}
	ping, pinged := raw(TypePing, 0, 0, "12345678"), "6/0:0:12345678 "
	long := strings.Repeat("x", MinFrame+1)
	// After an error of a stream, reading goes on; after one of the connection it does not.
	f(raw(TypeData, 0, 1, long)+ping, errStreamSize, "!0/1 "+pinged)
	f(raw(TypeWindow, 0, 1, long)+ping, errStreamSize, "!8/1 "+pinged)
	f(raw(0x0b, 0, 1, long)+ping, errStreamSize, "!11/1 "+pinged)
	f(raw(TypePriority, 0, 1, "1234")+ping, errPriorityLong, "!2/1 "+pinged)
	f(raw(TypePriority, 0, 1, "")+ping, errPriorityLong, "!2/1 "+pinged)
	f(raw(0x0b, 0, 0, long)+ping, errFrameSize, "!11/0 ")
	f(raw(TypeHeaders, EndHeaders, 1, long)+ping, errFrameSize, "!1/1 ")
	f(raw(TypeSettings, 0, 0, long)+ping, errFrameSize, "!4/0 ")
	f(raw(TypeGoaway, 0, 0, long)+ping, errFrameSize, "!7/0 ")
	// Lengths.
	f(raw(TypeReset, 0, 1, "123"), errLength, "!3/1 ")
	f(raw(TypeReset, 0, 1, "12345"), errLength, "!3/1 ")
	f(raw(TypeWindow, 0, 1, "123"), errLength, "!8/1 ")
	f(raw(TypeWindow, 0, 0, ""), errLength, "!8/0 ")
	f(raw(TypePing, 0, 0, "1234567"), errLength, "!6/0 ")
	f(raw(TypePing, 0, 0, "123456789"), errLength, "!6/0 ")
	f(raw(TypeGoaway, 0, 0, "1234567"), errLength, "!7/0 ")
	f(raw(TypePriorityUpdate, 0, 0, "123"), errLength, "!16/0 ")
	f(raw(TypeData, Padded, 1, ""), errLength, "!0/1 ")
	f(raw(TypeHeaders, Padded|EndHeaders, 1, ""), errLength, "!1/1 ")
	f(raw(TypeHeaders, Prioritized|EndHeaders, 1, "1234"), errLength, "!1/1 ")
	f(raw(TypeHeaders, Prioritized|Padded|EndHeaders, 1, "\x0012345"[:5]), errLength, "!1/1 ")
}

// The size limit is the one that was announced, and never below what every peer may send.
func TestReaderFrameLimit(t *testing.T) {
	f := func(limit uint32, length int, want *Error) {
		t.Helper()
		lim := DefaultLimits
		lim.Frame = limit
		if _, err := read(settings+raw(TypeHeaders, EndHeaders, 1, strings.Repeat("x", length)), []int{9 + 9 + length}, &lim); err != want {
			t.Errorf("%d bytes of %d: %v, want %v", length, limit, err, want)
		}
	}
	f(0, MinFrame, nil)
	f(0, MinFrame+1, errFrameSize)
	f(20000, 20000, nil)
	f(20000, 20001, errFrameSize)
}

// A block is refused as soon as the header of the frame that exceeds its bounds is there.
func TestReaderBoundsBlocks(t *testing.T) {
	f := func(in string, want *Error, after string) {
		t.Helper()
		got, err := everySplit(t, settings+in, &small)
		if got = strings.TrimPrefix(got, "4/0:0: "); err != want || got != after {
			t.Errorf("%q:\n  %s %v\nwant\n  %s %v", in, got, err, after, want)
		}
	}
	x := func(n int) string { return strings.Repeat("x", n) }
	open, more := raw(TypeHeaders, 0, 1, ""), raw(TypeContinuation, 0, 1, "")
	f(raw(TypeHeaders, EndHeaders, 1, x(40)), nil, "1/1:4:"+x(40)+" ")
	f(raw(TypeHeaders, EndHeaders, 1, x(41)), errBlockBytes, "!1/1 ")
	f(raw(TypeHeaders, 0, 1, x(20))+raw(TypeContinuation, EndHeaders, 1, x(20)), nil, "1/1:0:"+x(20)+" 9/1:4:"+x(20)+" ")
	f(raw(TypeHeaders, 0, 1, x(20))+raw(TypeContinuation, EndHeaders, 1, x(21)), errBlockBytes, "1/1:0:"+x(20)+" !9/1 ")
	f(open+more+more+raw(TypeContinuation, EndHeaders, 1, ""), nil, "1/1:0: 9/1:0: 9/1:0: 9/1:4: ")
	f(open+more+more+more+more, errContinued, "1/1:0: 9/1:0: 9/1:0: 9/1:0: !9/1 ")
	// The counts begin anew with each block.
	f(strings.Repeat(raw(TypeHeaders, EndHeaders, 1, x(40)), 3), nil, strings.Repeat("1/1:4:"+x(40)+" ", 3))
	last := raw(TypeContinuation, EndHeaders, 1, "")
	f(strings.Repeat(open+more+more+last, 2), nil, strings.Repeat("1/1:0: 9/1:0: 9/1:0: 9/1:4: ", 2))
}

func TestReaderOpen(t *testing.T) {
	var r Reader
	step := func(in string, want uint32) {
		t.Helper()
		if _, _, err := r.Next([]byte(in), &DefaultLimits); err != nil || r.Open() != want {
			t.Errorf("%q: stream %d is open, want %d; %v", in, r.Open(), want, err)
		}
	}
	step(settings, 0)
	step(raw(TypeHeaders, 0, 5, "a"), 5)
	step(raw(TypeContinuation, 0, 5, "a"), 5)
	step(raw(TypeContinuation, EndHeaders, 5, "a"), 0)
	step(raw(TypeHeaders, EndHeaders, 7, "a"), 0)
}

// A reader between frames may be dropped: the rested one goes on like it.
func TestReaderRests(t *testing.T) {
	in := settings + raw(TypeHeaders, 0, 1, "ab") + raw(TypeContinuation, EndHeaders, 1, "c") + raw(TypeData, Padded, 1, "\x02x\x00\x00") +
		raw(0x42, 0, 1, "abc") + raw(TypePing, 0, 0, "12345678")
	want, _ := read(in, []int{len(in)}, &DefaultLimits)
	rests := 0
	for cut := range len(in) {
		var r Reader
		at := 0
		for f := (Frame{Event: Whole}); f.Event != More; {
			var n int
			f, n, _ = r.Next([]byte(in[at:cut]), &DefaultLimits)
			at += n
		}
		if !r.Resting() {
			continue
		}
		rests++
		before, _ := read(in[:at], []int{at}, &DefaultLimits)
		after, err := readFrom(Rested(), in[at:], []int{len(in) - at}, &DefaultLimits)
		if before+after != want || err != nil {
			t.Errorf("cut at %d: %s and %s %v, want %s", cut, before, after, err, want)
		}
	}
	// Behind SETTINGS, the block, the data and the unknown frame, and in all of the header that follows.
	if rests != 4*HeaderLen {
		t.Errorf("it rests at %d bytes", rests)
	}
}

// A connection keeps its reader in memory that the garbage collector does not see, so it must stay small and pointer-free.
func TestReaderIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Reader{}); n > 32 {
		t.Errorf("%d bytes", n)
	}
}

func TestMatchPreface(t *testing.T) {
	f := func(in string, may, whole bool) {
		t.Helper()
		if m, w := MatchPreface([]byte(in)); m != may || w != whole {
			t.Errorf("%q: %v %v, want %v %v", in, m, w, may, whole)
		}
	}
	for i := range len(Preface) {
		f(Preface[:i], true, false)
		wrong := []byte(Preface)
		wrong[i] ^= 0x20
		f(string(wrong), false, false)
		f(string(wrong[:i+1]), false, false)
	}
	f(Preface, true, true)
	f(Preface+settings, true, true)
	f("GET / HTTP/1.1\r\n\r\n", false, false)
	f("PRI * HTTP/1.1\r\n\r\n", false, false)
}

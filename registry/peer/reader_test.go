package peer

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/iotest"
)

func newTestReader(r io.Reader, limit int) *reader {
	return newReader(r, limit, new(atomic.Bool), new(atomic.Uint64))
}

// Frames of many sizes come out whole, however the stream is cut.
func TestReaderCutsFrames(t *testing.T) {
	sizes := []int{1, 2, 100, 4091, 4096, 5000, 65535, 65536, 65537, 300_000, 1, 3}
	var stream []byte
	for i, size := range sizes {
		stream = append(stream, frameOf(byte(i+1), bytes.Repeat([]byte{byte('a' + i)}, size-1))...)
	}
	f := func(name string, r io.Reader) {
		t.Helper()
		rd := newTestReader(r, 300_000)
		defer rd.close()
		for i, size := range sizes {
			kind, body, err := rd.next()
			if err != nil || int(kind) != i+1 || len(body) != size-1 || bytes.Count(body, []byte{byte('a' + i)}) != size-1 {
				t.Fatalf("%s: frame %d: type %d, %d bytes, %v", name, i, kind, len(body), err)
			}
		}
		if _, _, err := rd.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: got %v at the end", name, err)
		}
		if got := rd.received.Load(); got != uint64(len(stream)) || !rd.heard.Load() {
			t.Errorf("%s: %d bytes were counted of %d", name, got, len(stream))
		}
	}
	f("whole", bytes.NewReader(stream))
	f("halves", iotest.HalfReader(bytes.NewReader(stream)))
	f("single bytes", iotest.OneByteReader(bytes.NewReader(stream)))
	f("with the end", iotest.DataErrReader(bytes.NewReader(stream)))
}

// A stream that ends anywhere gives the frames before and then an error.
func TestReaderAtEveryEnd(t *testing.T) {
	one := frameOf(1, []byte("hello"))
	two := append(bytes.Clone(one), frameOf(2, []byte("world"))...)
	for end := range two {
		rd := newTestReader(bytes.NewReader(two[:end]), 100)
		frames := 0
		for {
			if _, _, err := rd.next(); err != nil {
				break
			}
			frames++
		}
		if frames != end/len(one) {
			t.Errorf("%d frames of %d bytes", frames, end)
		}
		rd.close()
	}
}

// A length alone takes no memory: only bytes that have come do.
func TestReaderDoesNotTrustLengths(t *testing.T) {
	in, out := io.Pipe()
	rd := newTestReader(in, 1<<30)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	done := make(chan error)
	go func() {
		_, _, err := rd.next()
		done <- err
	}()
	if _, err := out.Write([]byte{0x3f, 0xff, 0xff, 0xff, 1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if err := <-done; err == nil {
		t.Error("a frame came out of seven bytes")
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("%d bytes were allocated", took)
	}
	rd.close()
}

// A frame that comes in small pieces takes no more memory than one that comes at once.
func TestReaderPacksSmallPieces(t *testing.T) {
	frame := frameOf(1, make([]byte, 7000))
	rd := newTestReader(iotest.OneByteReader(bytes.NewReader(frame)), 10_000)
	defer rd.close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := rd.next(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 64<<10 {
		t.Errorf("%d bytes were allocated for %d", took, len(frame))
	}
}

// Read sizes follow what comes: an idle link holds little, a busy one reads much at once.
func TestReaderSize(t *testing.T) {
	rd := newTestReader(bytes.NewReader(frameOf(1, make([]byte, 1<<20))), 2<<20)
	defer rd.close()
	if _, _, err := rd.next(); err != nil || rd.size < maxRead/2 {
		t.Errorf("a busy reader reads %d bytes at once: %v", rd.size, err)
	}
	rd.conn = iotest.OneByteReader(bytes.NewReader(bytes.Repeat(frameOf(1, nil), 10)))
	for range 10 {
		if _, _, err := rd.next(); err != nil {
			t.Fatal(err)
		}
	}
	if rd.size != minRead {
		t.Errorf("an idle reader reads %d bytes at once", rd.size)
	}
}

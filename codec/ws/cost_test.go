package ws

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"
	"unsafe"
)

// sample is a message of a kind that is pushed often.
var sample = []byte(strings.Repeat(`{"id":1234567,"symbol":"ABCD","price":12.345,"change":-0.12},`, 17)[:1024])

// Nothing is allocated once warm: not to read, not to write, not to refuse, and
// not to compress either way.
func TestAllocs(t *testing.T) {
	stream := masked(0, Text, "first part ")
	stream += masked(Fin, PingFrame, "p") + masked(Fin, Continuation, "κόσμε") + masked(Fin, CloseFrame, "\x03\xe8bye")
	fields := handshake("Sec-WebSocket-Extensions: foo; a=\"b\", permessage-deflate; client_max_window_bits=\"15\"")
	method, in, dst := []byte("GET"), make([]byte, len(stream)), make([]byte, 0, 4096)
	var d Deflater
	var f Inflater
	packed := d.deflate(nil, sample)
	check := func(name string, run func()) {
		t.Helper()
		run()
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	check("frames", func() {
		p := NewParser(Server, true)
		var text UTF8
		copy(in, stream)
		for rest := in; ; {
			ev, n, err := p.Next(rest, &DefaultLimits)
			if rest = rest[n:]; err != nil || ev.Kind == Close {
				return
			}
			if ev.Kind == Data && !text.Check(ev.Payload, ev.Last) {
				t.Fatal("not UTF-8")
			}
		}
	})
	check("refusal", func() {
		p := NewParser(Server, false)
		if _, _, err := p.Next(sample, &DefaultLimits); err == nil {
			t.Fatal("let pass")
		}
	})
	check("appending", func() {
		dst = AppendFrame(dst[:0], Text, Fin, sample)
		dst = AppendMasked(dst[:0], Text, Fin, testKey, sample)
		dst = AppendClose(AppendPong(dst[:0], sample), GoingAway, "bye")
	})
	check("handshake", func() {
		key, err := CheckUpgrade(method, fields)
		extensions, err2 := NegotiateDeflate(fields)
		if err != nil || err2 != nil || extensions == "" {
			t.Fatal(err, err2, extensions)
		}
		dst = AppendAnswer(dst[:0], key, NegotiateProtocol(fields, []string{"superchat"}), extensions)
	})
	check("deflate", func() { dst = d.deflate(dst[:0], sample) })
	check("inflate", func() {
		var err error
		if dst, err = f.Append(dst[:0], packed, 4096); err != nil {
			t.Fatal(err)
		}
	})
}

// What an idle connection keeps, and what a loop does.
func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(Parser{}); n > 40 {
		t.Errorf("Parser: %d bytes", n)
	}
	if n := unsafe.Sizeof(UTF8{}); n > 3 {
		t.Errorf("UTF8: %d bytes", n)
	}
	if n := unsafe.Sizeof(Inflater{}); n > 4<<10 {
		t.Errorf("Inflater: %d bytes", n)
	}
}

// BenchmarkParse reads a client's message of 64 bytes, mask and all.
func BenchmarkParse(b *testing.B) {
	in := []byte(masked(Fin, Text, string(sample[:64])))
	p := NewParser(Server, false)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if ev, _, err := p.Next(in, &DefaultLimits); err != nil || !ev.Last {
			b.Fatal(ev, err)
		}
	}
}

func BenchmarkMask(b *testing.B) {
	in := bytes.Clone(sample)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		testKey.Apply(in)
	}
}

func BenchmarkUTF8ASCII(b *testing.B)    { benchmarkUTF8(b, sample) }
func BenchmarkUTF8Japanese(b *testing.B) { benchmarkUTF8(b, []byte(strings.Repeat("日本語", 114))) }

func benchmarkUTF8(b *testing.B, in []byte) {
	var text UTF8
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if !text.Check(in, true) {
			b.Fatal("not UTF-8")
		}
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	var dst []byte
	for b.Loop() {
		dst = AppendFrame(dst[:0], Text, Fin, sample[:64])
	}
}

func BenchmarkHandshake(b *testing.B) {
	fields, method, dst := handshake("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"), []byte("GET"), []byte(nil)
	for b.Loop() {
		key, err := CheckUpgrade(method, fields)
		extensions, _ := NegotiateDeflate(fields)
		if dst = AppendAnswer(dst[:0], key, "", extensions); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDeflate(b *testing.B) {
	var d Deflater
	var dst []byte
	b.SetBytes(int64(len(sample)))
	b.ReportAllocs()
	for b.Loop() {
		dst = d.deflate(dst[:0], sample)
	}
	b.ReportMetric(float64(len(dst)), "B-packed")
}

func BenchmarkInflate(b *testing.B) {
	var d Deflater
	var f Inflater
	var dst []byte
	packed := d.deflate(nil, sample)
	b.SetBytes(int64(len(sample)))
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = f.Append(dst[:0], packed, 1<<20)
	}
}

// BenchmarkInflateLibrary is what the standard library's reader takes for that.
func BenchmarkInflateLibrary(b *testing.B) {
	var d Deflater
	packed := append(d.deflate(nil, sample), deflateTail+"\x01\x00\x00\xff\xff"...)
	in, dst := bytes.NewReader(packed), make([]byte, 2048)
	r := flate.NewReader(in)
	b.SetBytes(int64(len(sample)))
	b.ReportAllocs()
	for b.Loop() {
		in.Reset(packed)
		_ = r.(flate.Resetter).Reset(in, nil)
		if n, err := io.ReadFull(r, dst); n != len(sample) {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkInflateBlocks is the dearest message that the default limits let
// pass: codes of its own for every 256 bytes of a MiB.
func BenchmarkInflateBlocks(b *testing.B) {
	var w bitWriter
	for range 511 {
		w.emptyDynamic(0)
	}
	for range 1<<20/256 - 1 {
		w.emptyDynamic(256)
	}
	w.put(0, 3)
	var f Inflater
	var dst []byte
	for b.Loop() {
		var err error
		if dst, err = f.Append(dst[:0], w.b, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(w.b)), "B-message")
}

// BenchmarkDeflaterMade is what the first push that is compressed takes.
func BenchmarkDeflaterMade(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var d Deflater
		d.deflate(nil, sample[:64])
	}
}

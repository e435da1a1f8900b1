package h2

import (
	"testing"

	"holdfast/codec/field"
)

// browser is the head of a browser's request as it comes when the server keeps no table: literals, Huffman-coded.
var browser = encode(":method: GET", ":authority: push.example.com", ":scheme: https", ":path: /sub/alice?last_event_id=42",
	"sec-ch-ua-platform: \"Linux\"", "cache-control: no-cache",
	"user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
	"accept: text/event-stream", "sec-ch-ua: \"Chromium\";v=\"142\", \"Google Chrome\";v=\"142\", \"Not_A Brand\";v=\"99\"",
	"sec-ch-ua-mobile: ?0", "sec-fetch-site: same-origin", "sec-fetch-mode: cors", "sec-fetch-dest: empty",
	"referer: https://push.example.com/page", "accept-encoding: gzip, deflate, br, zstd", "accept-language: en-US,en;q=0.9",
	"cookie: session=0123456789abcdef0123456789abcdef", "cookie: theme=dark", "priority: u=1, i")

// load is a request of a load tool: our own encoder's.
var load = AppendField(AppendRequest([]byte(nil), "GET", "http", "localhost:8080", "/"), "accept", "*/*")

var stream = []byte(settings + raw(TypeHeaders, EndHeaders, 1, "block") + raw(TypeData, 0, 1, "0123456789abcdef") +
	raw(TypeWindow, 0, 1, "\x00\x00\x10\x00") + raw(TypePing, 0, 0, "12345678") + raw(TypeReset, 0, 1, "code"))

func readAll(tb testing.TB, b []byte) {
	var r Reader
	for len(b) > 0 {
		f, n, err := r.Next(b, &DefaultLimits)
		if err != nil || f.Event == More {
			tb.Fatal(f, err)
		}
		b = b[n:]
	}
}

func TestReaderDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { readAll(t, stream) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func appendAll(dst []byte) []byte {
	at := len(dst)
	dst = OpenHeaders(dst, 1, false)
	dst = AppendStatus(AppendTableZero(dst), 200)
	dst = AppendField(dst, "Content-Type", "text/event-stream")
	dst = AppendField(dst, "Push-Key", []byte("alice"))
	dst = AppendContentLength(dst, 1234)
	dst = CloseHeaders(dst, at, MinFrame)
	dst = AppendDataHeader(dst, 1, 100, false)
	dst = AppendSettings(dst, Setting{TableSize, 0}, Setting{MaxStreams, 100})
	dst = AppendPingAck(dst, [8]byte{})
	dst = AppendReset(AppendWindow(dst, 0, 1), 1, Cancel)
	return AppendGoaway(dst, 1, NoError, "bye")
}

func TestAppendersDoNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { dst = appendAll(dst[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		dst = AppendRequest(dst[:0], "GET", "http", "localhost:8080", "/p")
		dst = AppendProtocol(dst, "websocket")
	}); n != 0 {
		t.Errorf("%v allocations for a request", n)
	}
}

// The library makes a string of each literal; that is all that a request costs. A list of table entries costs nothing.
func TestDecodeAllocatesLiteralsOnly(t *testing.T) {
	d := NewDecoder(0)
	var fs Fields
	var r Request
	f := func(what string, block []byte, want float64) {
		t.Helper()
		n := testing.AllocsPerRun(100, func() {
			if err := d.Decode(block, &fs, &DefaultLimits); err != nil {
				t.Fatal(err)
			}
			if err := r.Read(&fs); err != nil {
				t.Fatal(err)
			}
		})
		if n > want {
			t.Errorf("%s: %v allocations, want %v", what, n, want)
		}
	}
	f("of a load tool", load, 2) // authority and accept
	// What the library needs to undo the Huffman code comes from a pool, and under the race detector pools forget.
	plain := AppendRequest([]byte(nil), "GET", "https", "push.example.com", "/sub/alice") // two values
	for _, v := range fieldsOf(t, browser) {
		plain = AppendField(plain, v.Name, v.Value)
	}
	f("of a browser", plain, 2+14+7) // and a name where the static table has none
	f("of nothing new", AppendField(AppendRequest([]byte(nil), "GET", "http", "", "/"), "host", "a"), 0)
}

func fieldsOf(t *testing.T, block []byte) []field.Field {
	t.Helper()
	var fs Fields
	if err := NewDecoder(0).Decode(block, &fs, &DefaultLimits); err != nil {
		t.Fatal(err)
	}
	return fs.All
}

func BenchmarkReader(b *testing.B) {
	b.SetBytes(int64(len(stream)))
	for b.Loop() {
		readAll(b, stream)
	}
}

func BenchmarkAppend(b *testing.B) {
	dst := make([]byte, 0, 1024)
	for b.Loop() {
		dst = appendAll(dst[:0])
	}
}

func BenchmarkRequestLoad(b *testing.B)    { benchmarkRequest(b, load) }
func BenchmarkRequestBrowser(b *testing.B) { benchmarkRequest(b, browser) }

func benchmarkRequest(b *testing.B, block []byte) {
	d := NewDecoder(0)
	var fs Fields
	var r Request
	b.ReportAllocs()
	b.SetBytes(int64(len(block)))
	for b.Loop() {
		if err := d.Decode(block, &fs, &DefaultLimits); err != nil {
			b.Fatal(err)
		}
		if err := r.Read(&fs); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendResponseHead(b *testing.B) {
	dst := make([]byte, 0, 256)
	for b.Loop() {
		dst = AppendStatus(dst[:0], 200)
		dst = AppendField(dst, "content-type", "text/event-stream")
		dst = AppendContentLength(dst, 1024)
	}
}

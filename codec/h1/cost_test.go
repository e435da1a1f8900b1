package h1

import (
	"strings"
	"testing"
	"time"
)

const curlRequest = "GET /sub/alice HTTP/1.1\r\n" +
	"Host: localhost:8080\r\n" +
	"User-Agent: curl/8.14.1\r\n" +
	"Accept: text/event-stream\r\n" +
	"Authorization: Bearer 0123456789abcdef\r\n" +
	"Last-Event-ID: 42\r\n\r\n"

const browserRequest = "GET /sub/alice?last_event_id=42 HTTP/1.1\r\n" +
	"Host: push.example.com\r\n" +
	"Connection: keep-alive\r\n" +
	"sec-ch-ua-platform: \"Linux\"\r\n" +
	"Cache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n" +
	"Accept: text/event-stream\r\n" +
	"sec-ch-ua: \"Chromium\";v=\"142\", \"Google Chrome\";v=\"142\", \"Not_A Brand\";v=\"99\"\r\n" +
	"sec-ch-ua-mobile: ?0\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-Mode: cors\r\n" +
	"Sec-Fetch-Dest: empty\r\n" +
	"Referer: https://push.example.com/page\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-US,en;q=0.9\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n"

func BenchmarkRequestCurl(b *testing.B)    { benchmarkRequest(b, curlRequest) }
func BenchmarkRequestBrowser(b *testing.B) { benchmarkRequest(b, browserRequest) }

func benchmarkRequest(b *testing.B, in string) {
	head := []byte(in)
	var r Request
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		if _, done, err := r.Parse(head, &DefaultLimits); !done || err != nil {
			b.Fatal(done, err)
		}
	}
}

const response = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"

const chunked = "5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nDigest: x\r\n\r\n"

func BenchmarkResponse(b *testing.B) {
	head := []byte(response)
	var r Response
	b.SetBytes(int64(len(head)))
	for b.Loop() {
		r.Reset(AskedOther)
		if _, done, err := r.Parse(head, &DefaultLimits); !done || err != nil {
			b.Fatal(done, err)
		}
	}
}

func BenchmarkChunked(b *testing.B) {
	body := []byte(chunked)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		drain(b, body)
	}
}

// drain decodes a whole chunked body without keeping it.
func drain(tb testing.TB, b []byte) {
	var d Body
	d.Start(Chunked, 0)
	for {
		ev, _, n, err := d.Next(b, &DefaultLimits)
		if b = b[n:]; err != nil || ev == NeedMore {
			tb.Fatal(ev, err)
		}
		if ev == End {
			return
		}
	}
}

func TestNoAllocation(t *testing.T) {
	f := func(name string, run func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	curl, browser, resp := []byte(curlRequest), []byte(browserRequest), []byte(response)
	absolute := []byte(lines("OPTIONS http://[::1]:80 HTTP/1.1", "Host: a", "Expect: 100-continue", "Content-Length: 5"))
	bad := []byte(lines("GET / HTTP/1.1", "Host: a", "Content-Length: 5", "Transfer-Encoding: chunked"))
	body := []byte(chunked)
	dst := make([]byte, 0, 256)
	var req Request
	var res Response
	parse := func(in []byte) func() {
		return func() { req.Reset(); _, _, _ = req.Parse(in, &DefaultLimits) }
	}
	parse(browser)() // grows what is reused
	f("curl", parse(curl))
	f("browser", parse(browser))
	f("absolute", parse(absolute))
	f("refused", parse(bad))
	f("byte by byte", func() {
		req.Reset()
		for i := range curl {
			_, _, _ = req.Parse(curl[:i+1], &DefaultLimits)
		}
	})
	f("response", func() { res.Reset(AskedOther); _, _, _ = res.Parse(resp, &DefaultLimits) })
	f("chunked", func() { drain(t, body) })
	f("append", func() {
		dst = AppendStatusLine(dst[:0], 1, 200)
		dst = AppendField(dst, "Content-Type", "text/plain")
		dst = AppendField(dst, "ETag", body[:5])
		dst = AppendContentLength(dst, 1<<40)
		dst = AppendInt(dst, -1<<60)
		dst = AppendChunkSize(dst, 1<<30)
	})
}

// A head that arrives byte by byte must not be scanned anew with each: four
// times the bytes take about four times as long, where rescanning takes sixteen.
func TestBytewiseIsLinear(t *testing.T) {
	lim := DefaultLimits
	lim.HeadBytes, lim.RequestLine = 1<<20, 1<<20
	cost := func(make func(n int) string, n int) time.Duration {
		in := []byte(make(n))
		best := time.Hour
		var r Request
		for range 5 {
			r.Reset()
			start := time.Now()
			for i := range in {
				if _, _, err := r.Parse(in[:i+1], &lim); err != nil {
					t.Fatal(err)
				}
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	f := func(name string, make func(n int) string) {
		small, big := cost(make, 16<<10), cost(make, 64<<10)
		t.Logf("%s: 16 KiB in %v, 64 KiB in %v", name, small, big)
		if big > 10*small {
			t.Errorf("%s: four times the bytes took %.1f times as long", name, float64(big)/float64(small))
		}
	}
	f("target", func(n int) string { return "GET /" + strings.Repeat("a", n) })
	f("name", func(n int) string { return "GET / HTTP/1.1\r\n" + strings.Repeat("a", n) })
	f("space", func(n int) string { return "GET / HTTP/1.1\r\nA:" + strings.Repeat(" ", n) })
	f("value", func(n int) string { return "GET / HTTP/1.1\r\nA: " + strings.Repeat("a b", n/3) })
	f("fields", func(n int) string {
		return "GET / HTTP/1.1\r\n" + strings.Repeat("A: "+strings.Repeat("b", n/80)+"\r\n", 80)
	})
}

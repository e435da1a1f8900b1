package field

import (
	"math"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

func TestAppendDate(t *testing.T) {
	f := func(at int64, want string) {
		t.Helper()
		if got := AppendDate([]byte("^"), at); string(got) != "^"+want {
			t.Errorf("%d: %q, want %q", at, got, want)
		}
	}
	f(784111777, "Sun, 06 Nov 1994 08:49:37 GMT") // the example of RFC 9110 §5.6.7
	f(0, "Thu, 01 Jan 1970 00:00:00 GMT")
	f(951782399, "Mon, 28 Feb 2000 23:59:59 GMT")
	f(951782400, "Tue, 29 Feb 2000 00:00:00 GMT")
	f(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT") // 2100 has no leap day
	f(lastSecond, "Fri, 31 Dec 9999 23:59:59 GMT")
	f(lastSecond+1, "Fri, 31 Dec 9999 23:59:59 GMT")
	f(math.MaxInt64, "Fri, 31 Dec 9999 23:59:59 GMT")
	f(-1, "Thu, 01 Jan 1970 00:00:00 GMT")
	f(math.MinInt64, "Thu, 01 Jan 1970 00:00:00 GMT")
}

func TestAppendDateModel(t *testing.T) {
	check := func(at int64) {
		if got, want := AppendDate(nil, at), time.Unix(at, 0).UTC().Format(http.TimeFormat); string(got) != want {
			t.Fatalf("%d: %q, want %q", at, got, want)
		}
	}
	for day := range int64(200 * 366) { // every day until 2170
		check(day*86400 + day%86400)
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		check(rnd.Int64N(lastSecond + 1))
	}
}

func BenchmarkAppendDate(b *testing.B) {
	dst := make([]byte, 0, 32)
	for b.Loop() {
		dst = AppendDate(dst[:0], 1795000000)
	}
}

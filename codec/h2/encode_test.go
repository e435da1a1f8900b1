package h2

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// decode has the library read a block, with no table: "name: value" lines, those that must not be indexed with a '!'.
func decode(t *testing.T, block []byte) string {
	t.Helper()
	fields, err := hpack.NewDecoder(0, nil).DecodeFull(block)
	if err != nil {
		t.Errorf("% x: %v", block, err)
	}
	var out strings.Builder
	for _, f := range fields {
		if f.Sensitive {
			out.WriteByte('!')
		}
		fmt.Fprintf(&out, "%s: %s\n", f.Name, f.Value)
	}
	return out.String()
}

func TestAppendStatus(t *testing.T) {
	for status := 100; status < 600; status++ {
		b := AppendStatus([]byte("^"), status)
		if got, want := decode(t, b[1:]), fmt.Sprintf(":status: %d\n", status); got != want {
			t.Errorf("%d: %q", status, got)
		}
		if indexed := len(b) == 2; indexed != bytes.Contains([]byte(" 200 204 206 304 400 404 500 "), fmt.Appendf(nil, " %d ", status)) {
			t.Errorf("%d takes % x", status, b[1:])
		}
	}
}

func TestAppendField(t *testing.T) {
	f := func(name, value, want string) {
		t.Helper()
		if got := decode(t, AppendField(nil, name, value)); got != want+"\n" {
			t.Errorf("%q: %q: %q, want %q", name, value, got, want)
		}
		if got := decode(t, AppendField(nil, []byte(name), []byte(value))); got != want+"\n" {
			t.Errorf("%q: %q as bytes: %q, want %q", name, value, got, want)
		}
	}
	f("Content-Type", "text/event-stream", "content-type: text/event-stream")
	f("content-type", "", "content-type: ")
	f("Push-Key", "alice", "push-key: alice")
	f("X-A[Z]", "A[Z]", "x-a[z]: A[Z]") // only letters are lowered, and only the name's
	f("a", "\xff\x80", "a: \xff\x80")
	for _, length := range []int{126, 127, 128, 254, 255, 256, 16510, 16511, 16512} {
		long := strings.Repeat("v", length)
		f("x", long, "x: "+long)
		f("location", long, "location: "+long)
		f(strings.Repeat("N", length), "v", strings.Repeat("n", length)+": v")
	}
}

// Each name of the static table goes out as its index, and comes back as itself.
func TestStaticNames(t *testing.T) {
	for i, name := range staticNames {
		b := AppendField(nil, strings.ToUpper(name), "v")
		n, rest := readInt(b, 4)
		if int(n) != firstName+i || string(rest) != "\x01v" {
			t.Errorf("%s: % x", name, b)
		}
		if got := strings.TrimPrefix(decode(t, b), "!"); got != name+": v\n" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if n := firstName + len(staticNames); n != 62 {
		t.Errorf("the static table ends at %d", n-1)
	}
}

// "Protocol-specific … never-indexed literals … to protect sensitive header field values." RFC 7541 §7.1.3
func TestCredentialsAreNeverIndexed(t *testing.T) {
	for _, name := range []string{"authorization", "cookie", "set-cookie", "proxy-authorization"} {
		if got := decode(t, AppendField(nil, name, "v")); got != "!"+name+": v\n" {
			t.Errorf("%q", got)
		}
	}
}

func TestAppendRequest(t *testing.T) {
	f := func(method, scheme, authority, path, want string) {
		t.Helper()
		if got := decode(t, AppendRequest(nil, method, scheme, authority, path)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f("GET", "http", "a", "/", ":method: GET\n:scheme: http\n:authority: a\n:path: /\n")
	f("POST", "https", "a:443", "/p?q", ":method: POST\n:scheme: https\n:authority: a:443\n:path: /p?q\n")
	f("PUT", "ftp", "", "*", ":method: PUT\n:scheme: ftp\n:path: *\n")
	f("CONNECT", "", "a:1", "", ":method: CONNECT\n:authority: a:1\n")
	b := AppendProtocol(AppendRequest([]byte(nil), []byte("CONNECT"), []byte("https"), []byte("a"), []byte("/ws")), "websocket")
	if got := decode(t, b); got != ":method: CONNECT\n:scheme: https\n:authority: a\n:path: /ws\n:protocol: websocket\n" {
		t.Errorf("%q", got)
	}
}

func TestAppendContentLength(t *testing.T) {
	for _, n := range []int64{0, 9, 10, 1 << 40, math.MaxInt64} {
		if got, want := decode(t, AppendContentLength(nil, n)), fmt.Sprintf("content-length: %d\n", n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A decoder that has lowered its table waits for the update, and takes it before the first field only.
func TestAppendTableZero(t *testing.T) {
	d := hpack.NewDecoder(4096, func(hpack.HeaderField) {})
	if _, err := d.Write(AppendStatus(AppendTableZero(nil), 200)); err != nil {
		t.Error(err)
	}
}

// The examples of RFC 7541 §C.1, and the two that bound the first byte.
func TestIntegers(t *testing.T) {
	f := func(pattern byte, bits uint, n uint64, want ...byte) {
		t.Helper()
		b := appendInt(nil, pattern, bits, n)
		if !bytes.Equal(b, want) {
			t.Errorf("%d in %d bits: % x, want % x", n, bits, b, want)
		}
		if got, rest := readInt(append(b, 'r'), bits); got != n || string(rest) != "r" {
			t.Errorf("% x in %d bits: %d %q, want %d", b, bits, got, rest, n)
		}
		for i := range b {
			if got, rest := readInt(b[:i], bits); got != 0 || rest != nil {
				t.Errorf("% x cut at %d: %d %q", b, i, got, rest)
			}
		}
	}
	f(0, 5, 10, 0x0a)
	f(0xe0, 5, 1337, 0xff, 0x9a, 0x0a)
	f(0, 8, 42, 0x2a)
	f(0x80, 7, 126, 0xfe)
	f(0x80, 7, 127, 0xff, 0x00)
	f(0x80, 7, 254, 0xff, 0x7f)
	f(0x80, 7, 255, 0xff, 0x80, 0x01)
	f(0, 4, 1<<32, 0x0f, 0xf1, 0xff, 0xff, 0xff, 0x0f)
	if n, rest := readInt([]byte("\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 7); n != 0 || rest != nil {
		t.Error("an integer beyond 63 bits", n, rest)
	}
}

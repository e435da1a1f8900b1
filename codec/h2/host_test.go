package h2

import (
	"testing"

	"holdfast/codec/h1"
)

// acceptsHost says whether codec/h1 takes a Host, and whether it takes a path.
func accepted(t *testing.T, target, host string) bool {
	t.Helper()
	var r h1.Request
	in := []byte("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
	n, done, err := r.Parse(in, &h1.DefaultLimits)
	return err == nil && done && n == len(in) && string(r.Authority) == host
}

var hosts = []string{
	"", "a", "A-b_c.~d", "a:80", "a:", "a:0", "a:65535", "a:65536", "a:000080", "a:8a", "a::1", ":80", ":", "a b", "a,b", "a/b",
	"u@a", "a%41", "a%4", "a%zz", "%41:1", "127.0.0.1", "256.1.1.1", "[::1]", "[::1]:80", "[::1]x", "[::1", "[]", "[1:2:3:4:5:6:7:8]",
	"[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1::2::3]", "[::ffff:1.2.3.4]", "[::1.2.3]", "[::1.2.3.04]", "[fe80::1%eth0]", "[12345::]", "[1:2:3:4:5:6:7::]", "[:1]", "[1:]",
	"a!$&'()*+;=", "a\"b", "a<b", "\xff", "a?b", "a#b", "[::g]", "[v1.x]",
}

// What one protocol refuses must not come in by the other.
func TestHostsAgreeWithH1(t *testing.T) {
	for _, host := range hosts {
		if got, want := validHost([]byte(host)), accepted(t, "/", host); got != want {
			t.Errorf("%q: %v, codec/h1 says %v", host, got, want)
		}
	}
}

func TestEndpointsAgreeWithH1(t *testing.T) {
	for _, host := range hosts {
		var r h1.Request
		_, done, err := r.Parse([]byte("CONNECT "+host+" HTTP/1.1\r\nHost: a\r\n\r\n"), &h1.DefaultLimits)
		if got, want := validEndpoint([]byte(host)), done && err == nil; got != want {
			t.Errorf("%q: %v, codec/h1 says %v", host, got, want)
		}
	}
}

func TestPathsAgreeWithH1(t *testing.T) {
	f := func(path string) {
		t.Helper()
		var r h1.Request
		_, done, err := r.Parse([]byte("GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"), &h1.DefaultLimits)
		ours, refused := decodeRequest(encode(":method: GET", ":scheme: http", ":authority: a", ":path: "+path), &DefaultLimits)
		if (refused == nil) != (done && err == nil) {
			t.Errorf("%q: %v, codec/h1 says %v", path, refused, err)
		} else if err == nil && (string(ours.Path) != string(r.Path) || string(ours.Query) != string(r.Query) || (ours.Query == nil) != (r.Query == nil)) {
			t.Errorf("%q: %q ? %q, codec/h1 says %q ? %q", path, ours.Path, ours.Query, r.Path, r.Query)
		}
	}
	for c := range 256 {
		for _, path := range []string{"/", "/a?", "/%4", "/%"} {
			if c != ' ' {
				f(path + string([]byte{byte(c)}))
				f(path + string([]byte{byte(c), '1'}))
			}
		}
	}
	f("/")
	f("/?")
	f("/??")
	f("//a")
	f("*")
	f("x")
}

func TestSameHost(t *testing.T) {
	f := func(a, b string, want bool) {
		t.Helper()
		if sameHost([]byte(a), []byte(b)) != want || sameHost([]byte(b), []byte(a)) != want {
			t.Errorf("%q and %q: want %v", a, b, want)
		}
	}
	f("", "", true)
	f("a.B:80", "A.b:80", true)
	f("a", "ab", false)
	f("a", "b", false)
	f("[::aB]", "[::Ab]", true)
	f("a:80", "a:81", false)
	f("@", "`", false) // these differ in the bit that letters differ in
	f("[", "{", false)
	f("\r", "-", false)
}

func FuzzHost(f *testing.F) {
	for _, host := range hosts {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		for _, c := range []byte(host) {
			if c == '\r' || c == '\n' {
				return // it would end codec/h1's line
			}
		}
		// Whitespace around a value is not part of it in HTTP/1.1.
		if n := len(host); n > 0 && (host[0] == ' ' || host[0] == '\t' || host[n-1] == ' ' || host[n-1] == '\t') || n > 8000 {
			return
		}
		if got, want := validHost([]byte(host)), accepted(t, "/", host); got != want {
			t.Errorf("%q: %v, codec/h1 says %v", host, got, want)
		}
	})
}

package h1

import (
	"net/netip"
	"strings"
	"testing"
)

func TestHost(t *testing.T) {
	f := func(host string, want bool) {
		t.Helper()
		if got := validHost([]byte(host)); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
	f("", true)
	f("a", true)
	f("a.example.com", true)
	f("A-b_c~d.", true)
	f("xn--bcher-kva.example", true)
	f("127.0.0.1:8080", true)
	f("a:", true)
	f("a:0", true)
	f("a:65535", true)
	f("!$&'()*+;=", true)
	f("%41%4a%0F", true)
	f("[::]", true)
	f("[::1]:80", true)
	f("[2001:DB8::192.0.2.1]", true)

	f(":", false)
	f(":80", false)
	f("a:65536", false)
	f("a:00080", true)
	f("a:000080", false)
	f("a:8 0", false)
	f("a:+80", false)
	f("a:80:80", false)
	f("a:b", false)
	f("a b", false)
	f("a,b", false)
	f("a/", false)
	f("a?", false)
	f("a#", false)
	f("u@a", false)
	f("http://a", false)
	f("a\\b", false)
	f("\"a\"", false)
	f("<a>", false)
	f("a|b", false)
	f("%", false)
	f("%4", false)
	f("%4g", false)
	f("a%zz", false)
	f("\xc3\xa9", false)
	f("::1", false)
	f("[", false)
	f("[]", false)
	f("[::1", false)
	f("[::1]a", false)
	f("[::1]:x", false)
	f("[::1]]", false)
	f("[a]", false)
	f("[127.0.0.1]", false)
	f("[v1.x]", false)
	f("[fe80::1%25eth0]", false)
	f("a[::1]", false)
}

// "reg-name = *( unreserved / pct-encoded / sub-delims )", RFC 3986 §3.2.2, but
// for the comma.
func TestHostBytes(t *testing.T) {
	const others = "-._~!$&'()*+;="
	for i := range 256 {
		c := byte(i)
		want := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte(others, c) >= 0
		if got := validHost([]byte{'a', c, 'b'}); got != want {
			t.Errorf("%#x: %v, want %v", c, got, want)
		}
	}
}

// The address check agrees with the standard library's, zones apart.
func TestIPv6(t *testing.T) {
	for _, in := range []string{
		"::", "::1", "1::", "1::8", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7", "1::2::3", ":::", ":1", "1:", ":", "", "12345::",
		"g::", "::g", "1:2:3:4:5:6:1.2.3.4", "::1.2.3.4", "1::1.2.3.4", "::1.2.3", "::1.2.3.4.5",
		"::1.2.3.256", "::01.2.3.4", "::1.2.3.4:5", "1.2.3.4", "::1.2..4", "::0.0.0.0", "1:2:3:4:5:6:7:1.2.3.4",
		"::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "::ffff:1.2.3.4", "FFFF::", "::1.2.3.", "::1:", "::.1.2.3",
	} {
		addr, err := netip.ParseAddr(in)
		if want, got := err == nil && addr.Is6(), validIPv6([]byte(in)); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

func FuzzIPv6(f *testing.F) {
	f.Add("1::1.2.3.4")
	f.Add("1:2:3:4:5:6:7::")
	f.Fuzz(func(t *testing.T, in string) {
		addr, err := netip.ParseAddr(in)
		want := err == nil && addr.Is6() && addr.Zone() == ""
		if got := validIPv6([]byte(in)); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	})
}

package field

import (
	"strings"
	"testing"
)

func TestNegotiate(t *testing.T) {
	offers := []string{"application/json", "text/event-stream", "text/html"}
	f := func(accept, want string, exact bool) {
		t.Helper()
		best, sharp := Negotiate(fieldsOf("Accept: "+accept), offers)
		got := ""
		if best >= 0 {
			got = offers[best]
		}
		if got != want || sharp != exact {
			t.Errorf("%q: %q exact %v, want %q exact %v", accept, got, sharp, want, exact)
		}
	}
	f("text/event-stream", "text/event-stream", true)
	f("TEXT/Event-Stream", "text/event-stream", true)
	f("*/*", "application/json", false)
	f("text/*", "text/event-stream", false)
	f("image/*, */*;q=0.1", "application/json", false)
	f("text/event-stream, */*", "text/event-stream", true)
	f("*/*, text/html", "text/html", true)
	f("text/html;q=0.5, text/event-stream;q=0.7", "text/event-stream", true)
	f("text/html;q=0.5, */*", "application/json", false)
	f("text/html, text/event-stream", "text/event-stream", true) // our order decides
	f("text/html;q=0.999, application/json;q=0.998", "text/html", true)
	// The closest range decides, wherever it stands.
	f("text/event-stream;q=0, text/*", "text/html", false)
	f("*/*, application/json;q=0, text/*;q=0", "", false)
	f("text/*;q=0.9, text/html;q=0.1, application/*;q=0.5", "text/event-stream", false)
	f("text/html;level=1;q=0.1, text/html;q=0.9, */*;q=0.5", "text/html", true)
	// Parameters do not keep a range from naming its type; what follows q is none.
	f("text/html;charset=utf-8", "text/html", true)
	f("text/html ; q=0.3 ;ext=1, */*;q=0.2", "text/html", true)
	f("text/html;a=\"x;q=0,y\", */*;q=0.1", "text/html", true)
	f("text/html;Q=0, */*", "application/json", false)
	f("text/html;;q=0.2, */*;q=0.1", "text/html", true)
	// Nothing of ours.
	f("image/png", "", false)
	f("*/*;q=0", "", false)
	f("text/html;q=0.000", "", false)
	f("", "", false)
	// Malformed ranges are ignored.
	f("text/html;q=2, text/event-stream;q=0.1", "text/event-stream", true)
	f("text/html;q=, text/html;q=., text/html;q=1.001, text/html;q=0.1234", "", false)
	f("text/html;q=-1, text/html;q=0x, text/html;q=00, text/html;q= 1", "", false)
	f("text, *, */, /*, *, text/h*, */html, x*/*, t/*", "", false)
	for _, q := range []string{"", ".", "x", "2", "00", "1.001", "1.x", "0.1234", "-1", " 1", "1 0", "0.1/", "0.0:"} {
		f("application/json;q="+q+", */*;q=0.5", "application/json", false)
	}
	f("text/html;q=1.000, application/json;q=0.", "text/html", true)
}

func TestNegotiateLines(t *testing.T) {
	offers := []string{"a/a", "b/b"}
	if best, exact := Negotiate(fieldsOf("Host: x"), offers); best != 0 || exact {
		t.Errorf("without Accept: %d %v", best, exact)
	}
	if best, exact := Negotiate(nil, nil); best != -1 || exact {
		t.Errorf("without offers: %d %v", best, exact)
	}
	if best, exact := Negotiate(fieldsOf("Accept: a/a;q=0.1", "X: a/a", "ACCEPT: b/b;q=0.2"), offers); best != 1 || !exact {
		t.Errorf("two lines: %d %v", best, exact)
	}
}

// The bounds that the constants promise.
func TestNegotiateBounds(t *testing.T) {
	flood := strings.Repeat("x/y,", maxRanges-1)
	if best, _ := Negotiate(fieldsOf("Accept: "+flood+"a/a"), []string{"a/a"}); best != 0 {
		t.Error("the last range allowed is not read")
	}
	if best, _ := Negotiate(fieldsOf("Accept: x/y", "Accept: "+flood+"a/a"), []string{"a/a"}); best != -1 {
		t.Error("a range beyond the bound is read")
	}
	offers := make([]string, MaxOffers+1)
	for i := range offers {
		offers[i] = "x/" + string(rune('a'+i))
	}
	last := offers[MaxOffers]
	if best, _ := Negotiate(fieldsOf("Accept: "+last), offers); best != -1 {
		t.Error("an offer beyond the bound is chosen")
	}
	if best, _ := Negotiate(fieldsOf("Accept: "+last), offers[1:]); best != MaxOffers-1 {
		t.Error("the last offer allowed is not chosen")
	}
}

func FuzzNegotiate(f *testing.F) {
	f.Add("text/html;q=0.5, */*;q=0.1")
	f.Add("text/event-stream;a=\"b,c\";q=1")
	f.Fuzz(func(t *testing.T, accept string) {
		offers := []string{"text/html", "text/event-stream"}
		fields := []Field{{[]byte("accept"), []byte(accept)}}
		best, exact := Negotiate(fields, offers)
		if best < -1 || best >= len(offers) || best == -1 && exact {
			t.Fatalf("%q: %d %v", accept, best, exact)
		}
		if exact && !strings.Contains(strings.ToLower(accept), offers[best]) {
			t.Fatalf("%q does not name %q", accept, offers[best])
		}
	})
}

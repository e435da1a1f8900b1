package ws

import (
	"strings"
	"testing"
)

const (
	extensionsLine = "Sec-WebSocket-Extensions: "
	pmd            = "permessage-deflate"
)

// wantAnswer negotiates over lines; want is "", "yes", "15" or "malformed".
func wantAnswer(t *testing.T, want string, lines ...string) {
	t.Helper()
	for i := range lines {
		lines[i] = extensionsLine + lines[i]
	}
	answer, err := NegotiateDeflate(fieldsOf(lines...))
	got := map[string]string{"": "", deflateAnswer: "yes", deflateAnswer15: "15"}[answer]
	if err != nil {
		if got = "malformed"; asStatus(err) != 400 || answer != "" {
			t.Errorf("%q: %q, %v", lines, answer, err)
		}
	}
	if got != want || got == "" && answer != "" {
		t.Errorf("%q: %q, want %q", lines, got, want)
	}
}

// What browsers and libraries offer, and every parameter there is, RFC 7692
// §7.1 (Autobahn 12 and 13).
func TestNegotiateDeflate(t *testing.T) {
	f := func(want string, lines ...string) { t.Helper(); wantAnswer(t, want, lines...) }
	f("")
	f("yes", pmd)
	f("yes", pmd+"; client_max_window_bits") // Chromium, Firefox
	f("yes", pmd+"; client_no_context_takeover; server_no_context_takeover")
	f("yes", "permessage-deflate;server_no_context_takeover;client_max_window_bits=10")
	for bits := 8; bits <= 15; bits++ {
		digits := []string{"8", "9", "10", "11", "12", "13", "14", "15"}[bits-8]
		f("yes", pmd+"; client_max_window_bits="+digits)
		f("yes", pmd+"; client_max_window_bits=\""+digits+"\"")
		want := ""
		if bits == 15 {
			want = "15"
		}
		f(want, pmd+"; server_max_window_bits="+digits)
		f(want, pmd+"; client_max_window_bits; server_max_window_bits=\""+digits+"\"; server_no_context_takeover")
	}
	f("yes", " "+pmd+"\t ;\tclient_max_window_bits = 10 ; server_no_context_takeover ,")
	f("yes", pmd+"; client_max_window_bits=\"1\\0\"")
}

// "The server MUST decline an extension negotiation offer for this extension if
// any of the following conditions are met: a parameter not defined for use in an
// offer, … an invalid value, … multiple parameters with the same name, … or the
// server doesn't support the offered configuration." RFC 7692 §7.1
func TestMustDecline(t *testing.T) {
	for _, param := range []string{
		"x", "x=1", "client_max_windows_bits", "Server_no_context_takeover",
		"server_no_context_takeover=1", "client_no_context_takeover=true", "server_no_context_takeover=\"x\"",
		"server_no_context_takeover; server_no_context_takeover", "client_no_context_takeover; client_no_context_takeover",
		"client_max_window_bits; client_max_window_bits=10", "client_max_window_bits; client_max_window_bits",
		"server_max_window_bits=15; server_max_window_bits=15", "server_max_window_bits",
	} {
		wantAnswer(t, "", pmd+"; "+param)
		wantAnswer(t, "", pmd+"; "+param+"; client_max_window_bits")
		wantAnswer(t, "yes", pmd+"; "+param+", "+pmd)
	}
	for _, bits := range []string{"0", "7", "16", "08", "015", "1", "150", "1500", "a", "-8", "+8", "10.", "\"99\"", "x8"} {
		wantAnswer(t, "", pmd+"; server_max_window_bits="+bits)
		wantAnswer(t, "", pmd+"; client_max_window_bits="+bits)
	}
}

// "The server … accepts one of them": the first of several offers that can be
// kept, in one line or more, among other extensions. RFC 7692 §5
func TestNegotiateOffers(t *testing.T) {
	f := func(want string, lines ...string) { t.Helper(); wantAnswer(t, want, lines...) }
	f("", "permessage-bzip2", "x-webkit-deflate-frame; no_context_takeover")
	f("yes", "foo, bar; baz=2; x, "+pmd+"; client_max_window_bits=9")
	f("15", pmd+"; server_max_window_bits=10, "+pmd+"; server_max_window_bits=15, "+pmd)
	f("yes", pmd+"; server_max_window_bits=10", pmd, pmd+"; server_max_window_bits=15")
	f("yes", "a; b=\"x\\y\", "+pmd)
	f("", "a; b=\"x\", permessage-deflated", "Permessage-Deflate")
	f("yes", "", ", ,", pmd)
}

// "If a value is received by either the client or the server during negotiation
// that does not conform to the ABNF below, the recipient of such malformed data
// MUST immediately _Fail the WebSocket Connection_." RFC 6455 §9.1
func TestMustRefuseMalformedExtensions(t *testing.T) {
	for _, in := range []string{
		";", "=", "\"x\"", pmd + ";", pmd + "; ;x", pmd + ";=1", pmd + "; x=", pmd + "; x=;", pmd + "; x=\"", pmd + "; x=\"a",
		pmd + "; x=\"\"", pmd + "; x=\"a b\"", pmd + "; x=\"a\\", pmd + "; x=\"a\"b", pmd + " x", pmd + "; x y", pmd + "; x=a=b",
		pmd + "/", "a b", "\x80", pmd + "; x=\"\\\"\"", pmd + ", @", pmd + "; x=1 2", "a; b=\"x,y\"", pmd + ";\r\n",
	} {
		wantAnswer(t, "malformed", in)
		wantAnswer(t, "malformed", pmd, "fine", in)
		if _, err := CheckDeflate(fieldsOf(extensionsLine+in), true); err != errAnswerExtension {
			t.Errorf("%q: a client takes it: %v", in, err)
		}
	}
}

// "A client MUST _Fail the WebSocket Connection_ if the peer server accepted an
// extension negotiation offer … with an extension negotiation response" that the
// offer does not allow. RFC 7692 §7.1
func TestCheckDeflate(t *testing.T) {
	f := func(on bool, want error, lines ...string) {
		t.Helper()
		for i := range lines {
			lines[i] = extensionsLine + lines[i]
		}
		if got, err := CheckDeflate(fieldsOf(lines...), true); got != on || err != want {
			t.Errorf("%q: %v %v, want %v %v", lines, got, err, on, want)
		}
		if got, err := CheckDeflate(fieldsOf(lines...), false); got || len(lines) > 0 && err == nil {
			t.Errorf("%q: without an offer: %v %v", lines, got, err)
		}
	}
	f(false, nil)
	f(true, nil, deflateAnswer)
	f(true, nil, deflateAnswer15)
	f(true, nil, pmd+"; server_no_context_takeover")
	f(true, nil, pmd+"; server_no_context_takeover; server_max_window_bits=9")
	f(false, errAnswerExtension, pmd)
	f(false, errAnswerExtension, pmd+"; client_no_context_takeover")
	f(false, errAnswerExtension, deflateAnswer+"; client_max_window_bits=15")
	f(false, errAnswerExtension, deflateAnswer+"; server_max_window_bits=16")
	f(false, errAnswerExtension, deflateAnswer+"; x")
	f(false, errAnswerExtension, deflateAnswer, deflateAnswer)
	f(false, errAnswerExtension, deflateAnswer+", foo")
	f(false, errAnswerExtension, "foo")
}

// The length of a line is all that it costs.
func TestExtensionsLinear(t *testing.T) {
	many := strings.Repeat(pmd+"; server_max_window_bits=8; x=\"\\1\", ", 500)
	wantAnswer(t, "", many)
	wantAnswer(t, "yes", many+pmd)
}

// FuzzExtensions wants the answer to depend on nothing but the offers: the same
// with blanks about, behind another extension, and cut into lines.
func FuzzExtensions(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits=\"1\\0\"")
	f.Add("a;b=c,permessage-deflate;server_max_window_bits=15")
	f.Add("permessage-deflate;;=\"")
	f.Fuzz(func(t *testing.T, in string) {
		ask := func(lines ...string) string {
			for i := range lines {
				lines[i] = extensionsLine + lines[i]
			}
			answer, err := NegotiateDeflate(fieldsOf(lines...))
			if err != nil {
				if answer != "" {
					t.Fatalf("%q: %q beside %v", lines, answer, err)
				}
				return err.Error()
			}
			return answer
		}
		in = strings.Trim(in, " \t")
		want := ask(in)
		if want != "" && want != errExtensions.Error() && !strings.Contains(in, pmd) {
			t.Fatalf("%q: %q", in, want)
		}
		for _, lines := range [][]string{{"x; y, " + in}, {", " + in}, {"x", in}, {in, "x"}} {
			if got := ask(lines...); got != want {
				t.Fatalf("%q: %q, want %q", lines, got, want)
			}
		}
		if on, err := CheckDeflate(fieldsOf(extensionsLine+in), true); on && (err != nil || !strings.Contains(in, "server_no_context_takeover")) {
			t.Fatalf("%q: %v %v", in, on, err)
		}
	})
}

package multipart

import (
	"errors"
	"mime"
	"strings"
	"testing"
)

func TestBoundary(t *testing.T) {
	f := func(contentType, want string) {
		t.Helper()
		if got, err := Boundary([]byte(contentType)); err != nil || string(got) != want {
			t.Errorf("Boundary(%q) = %q, %v; want %q", contentType, got, err, want)
		}
	}
	f("multipart/mixed; boundary=abc", "abc")
	f("multipart/mixed; boundary=azAZ09", "azAZ09")
	f("multipart/form-data;boundary=----WebKitFormBoundary7MA4YWxk", "----WebKitFormBoundary7MA4YWxk")
	f(`Multipart/Mixed ;	BOUNDARY="a b:c"`, "a b:c")
	f(`multipart/mixed; charset=utf-8; boundary="gc0pJq0M:08jU534c0p"; x=y`, "gc0pJq0M:08jU534c0p")
	f(`multipart/mixed; x="; boundary=evil"; boundary=good`, "good")
	f(`multipart/mixed; x="\"; boundary=evil"; boundary=good`, "good")
	f("multipart/mixed;; boundary=abc; ;", "abc")
	f(`multipart/mixed; boundary="'()+_,-./:=?"`, "'()+_,-./:=?")
	f("multipart/mixed; boundary="+strings.Repeat("b", 70), strings.Repeat("b", 70))
}

// RFC 2046 §5.1.1: the boundary "consists of 1 to 70 characters from a set of characters known to be very robust
// through mail gateways, and NOT ending with white space."
func TestBoundaryRefuses(t *testing.T) {
	f := func(contentType string, want error) {
		t.Helper()
		if got, err := Boundary([]byte(contentType)); got != nil || !errors.Is(err, want) {
			t.Errorf("Boundary(%q) = %q, %v; want %v", contentType, got, err, want)
		}
	}
	f("", ErrNotMultipart)
	f("text/plain; boundary=abc", ErrNotMultipart)
	f("multipart; boundary=abc", ErrNotMultipart)
	f("multipart/; boundary=abc", ErrNotMultipart)
	f("multipart/a b; boundary=abc", ErrNotMultipart)
	f("xmultipart/mixed; boundary=abc", ErrNotMultipart)
	f("multipart/mixed", ErrBoundary)
	f("multipart/mixed;", ErrBoundary)
	f("multipart/mixed; boundary", ErrBoundary)
	f("multipart/mixed; boundary=", ErrBoundary)
	f(`multipart/mixed; boundary=""`, ErrBoundary)
	f(`multipart/mixed; boundary="a "`, ErrBoundary)
	f(`multipart/mixed; boundary=" "`, ErrBoundary)
	f("multipart/mixed; boundary=a b", ErrBoundary)
	f("multipart/mixed; boundary=a:b", ErrBoundary) // needs quotes
	f("multipart/mixed; boundary = abc", ErrBoundary)
	f("multipart/mixed; boundary=abc; boundary=abc", ErrBoundary)
	f("multipart/mixed; boundary=abc; Boundary=def", ErrBoundary)
	f(`multipart/mixed; boundary="abc`, ErrBoundary)
	f(`multipart/mixed; boundary="abc"d`, ErrBoundary)
	f(`multipart/mixed; boundary="a\bc"`, ErrBoundary)
	f(`multipart/mixed; boundary="abc\"`, ErrBoundary)
	f(`multipart/mixed; boundary="a*c"`, ErrBoundary)
	f("multipart/mixed; boundary=a!c", ErrBoundary)
	f("multipart/mixed; boundary=zoë", ErrBoundary)
	f("multipart/mixed; boundary=\"a\r\nb\"", ErrBoundary)
	f("multipart/mixed; boundary="+strings.Repeat("b", 71), ErrBoundary)
	f(`multipart/mixed; x="open; boundary=abc`, ErrBoundary)
	f("multipart/mixed; =x; boundary=abc", ErrBoundary)
	f("multipart/mixed; x=; boundary=abc", ErrBoundary)
	f("multipart/mixed; boundary*=utf-8''abc; boundary=def", ErrBoundary)
	f("multipart/mixed; boundary*0=abc; boundary=def", ErrBoundary)
	f("multipart/mixed; x=\"\\\x00\"; boundary=def", ErrBoundary)
	f("multipart/mixed, multipart/mixed; boundary=abc", ErrNotMultipart)
	f("multipart/mixed; boundary=abc, text/plain", ErrBoundary)
}

func TestDispositionName(t *testing.T) {
	f := func(disposition, want string, wantOK bool) {
		t.Helper()
		if got, ok := DispositionName([]byte(disposition)); ok != wantOK || string(got) != want {
			t.Errorf("DispositionName(%q) = %q, %v; want %q, %v", disposition, got, ok, want, wantOK)
		}
	}
	f(`form-data; name="alice"`, "alice", true)
	f("form-data; name=alice", "alice", true)
	f(`FORM-DATA;NAME="alice"`, "alice", true)
	f(`form-data; filename="a;name=b"; name="alice"`, "alice", true)
	f(`form-data; filename="C:\dir\"; name="evil"; name=x`, "", false)
	f(`form-data; name=""`, "", true)
	f(`form-data; name="group:news, zoë %22"`, "group:news, zoë %22", true)
	f(`form-data; name="a\"b"`, "", false)
	f(`form-data; name="\a"`, "", false)
	f("form-data; name=a; x", "", false)
	f("form-data; name=a; x=", "", false)
	f(`form-data; name="a"; name="b"`, "", false)
	f(`form-data; name="a`, "", false)
	f(`form-data; name="a" b`, "", false)
	f(`form-data; name*=UTF-8''alice`, "", false)
	f(`form-data; name=a; name*=UTF-8''b`, "", false)
	f(`form-data; NAME*0=a; name=b`, "", false)
	f(`form-data; name=a; filename*=UTF-8''b; filename="a\"b"`, "a", true)
	f("form-data", "", false)
	f(`attachment; name="alice"`, "", false)
	f("", "", false)
}

// exempt says whether text has what RFC 9110 §5.6.6 allows and package mime refuses: an empty parameter behind another
// one, or a foreign parameter twice.
func exempt(text string) bool {
	seen := map[string]bool{}
	_, rest := cutParam([]byte(text))
	for rest != nil {
		var item []byte
		item, rest = cutParam(rest)
		name, _, _ := strings.Cut(strings.ToLower(string(item)), "=")
		if seen[name] || name == "" {
			return true
		}
		seen[name] = true
	}
	return false
}

// FuzzBoundary holds Boundary to package mime: what we accept, it accepts with the same boundary, save what is exempt.
func FuzzBoundary(f *testing.F) {
	for _, seed := range []string{
		"multipart/mixed; boundary=abc", `multipart/form-data; boundary="a b"`, "multipart/mixed;; boundary=abc",
		`multipart/mixed; x="\";"; boundary=abc`, "multipart/mixed; a=b; a=b; boundary=abc", "multipart/x; boundary=\"a\\b\"",
		"multipart/mixed; boundary*=utf-8''abc; boundary=d", "multipart/mixed; boundary*0=a; boundary=b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, contentType string) {
		got, err := Boundary([]byte(contentType))
		if err != nil {
			return
		}
		if !ValidBoundary(got) {
			t.Fatalf("Boundary(%q) = %q", contentType, got)
		}
		typ, params, err := mime.ParseMediaType(contentType)
		if err != nil && exempt(contentType) {
			return
		}
		if err != nil || params["boundary"] != string(got) || !strings.HasPrefix(typ, "multipart/") {
			t.Fatalf("Boundary(%q) = %q; mime says %q, %v, %v", contentType, got, typ, params, err)
		}
	})
}

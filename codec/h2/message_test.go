package h2

import "testing"

func list(t *testing.T, lines ...string) *Fields {
	t.Helper()
	f := &Fields{}
	if err := NewDecoder(0).Decode(encode(lines...), f, &DefaultLimits); err != nil {
		t.Fatalf("%q: %v", lines, err)
	}
	return f
}

// "Trailers MUST NOT include pseudo-header fields. An endpoint that receives pseudo-header fields in trailers MUST treat
// the request or response as malformed." RFC 9113 §8.1
func TestCheckTrailers(t *testing.T) {
	f := func(want *Error, lines ...string) {
		t.Helper()
		if err := asError(CheckTrailers(list(t, lines...))); err != want {
			t.Errorf("%q: %v, want %v", lines, err, want)
		}
	}
	f(nil)
	f(nil, "digest: x", "server-timing: y")
	f(errPseudoTrailer, ":path: /")
	f(errPseudoTrailer, ":status: 200", "x: y")
	f(errTrailerField, "content-length: 0")
	f(errTrailerField, "host: a")
}

// "A request or response that includes a payload … is malformed if the value of a Content-Length header field does not
// equal the sum of the DATA frame payload lengths that form the content." RFC 9113 §8.1.1
func TestBody(t *testing.T) {
	type piece struct {
		n   int
		end bool
	}
	f := func(length int64, end bool, want *Error, pieces ...piece) {
		t.Helper()
		b, err := NewBody(length, end)
		for _, p := range pieces {
			if err == nil {
				err = b.Data(p.n, p.end)
			}
		}
		if asError(err) != want {
			t.Errorf("length %d, end %v, %v: %v, want %v", length, end, pieces, err, want)
		}
	}
	f(-1, true, nil)
	f(-1, false, nil, piece{5, false}, piece{0, true})
	f(0, true, nil)
	f(0, false, nil, piece{0, false}, piece{0, true})
	f(0, false, errBodyLong, piece{1, false})
	f(5, true, errBodyMissing)
	f(5, false, nil, piece{5, true})
	f(5, false, nil, piece{2, false}, piece{3, false}, piece{0, true})
	f(5, false, errBodyShort, piece{4, true})
	f(5, false, errBodyShort, piece{2, false}, piece{0, true})
	f(5, false, errBodyLong, piece{6, true})
	f(5, false, errBodyLong, piece{5, false}, piece{1, true})
	b, _ := NewBody(9, false)
	if _ = b.Data(4, false); b.Left() != 5 {
		t.Error(b.Left())
	}
}

func TestResponse(t *testing.T) {
	f := func(status int, length int64, fields int, lines ...string) {
		t.Helper()
		var r Response
		if err := r.Read(list(t, lines...)); err != nil || r.Status != status || r.ContentLength != length || len(r.Fields) != fields {
			t.Errorf("%q: %+v %v", lines, r, err)
		}
	}
	f(200, -1, 0, ":status: 200")
	f(103, -1, 1, ":status: 103", "link: x")
	f(599, 5, 1, ":status: 599", "content-length: 5")
}

// "For HTTP/2 responses, a single ":status" pseudo-header field is defined … This pseudo-header field MUST be included in
// all responses, including interim responses; otherwise, the response is malformed." RFC 9113 §8.3.2
func TestMustHaveStatus(t *testing.T) {
	f := func(want *Error, lines ...string) {
		t.Helper()
		var r Response
		if err := asError(r.Read(list(t, lines...))); err != want {
			t.Errorf("%q: %v, want %v", lines, err, want)
		}
	}
	f(errStatus)
	f(errStatus, "x: y")
	f(errPseudoResponse, ":status: 200", ":path: /")
	f(errPseudoResponse, get()...)
	for _, s := range []string{"", "20", "2000", "099", "600", "2x0", "20 0", "+20"} {
		f(errStatus, ":status: "+s)
	}
}

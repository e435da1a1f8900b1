package h1

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"testing"

	"holdfast/codec/field"
)

func TestAppend(t *testing.T) {
	f := func(got []byte, want string) {
		t.Helper()
		if string(got) != "^"+want {
			t.Errorf("got %q, want %q", got, "^"+want)
		}
	}
	at := func() []byte { return []byte("^") }
	f(AppendStatusLine(at(), 1, 200), "HTTP/1.1 200 OK\r\n")
	f(AppendStatusLine(at(), 0, 404), "HTTP/1.0 404 Not Found\r\n")
	f(AppendStatusLine(at(), 1, 299), "HTTP/1.1 299 \r\n")
	f(AppendStatusLine(at(), 1, 999), "HTTP/1.1 999 \r\n")
	f(AppendRequestLine(at(), []byte("GET"), []byte("/a?b")), "GET /a?b HTTP/1.1\r\n")
	f(AppendField(at(), "A", []byte("b c")), "A: b c\r\n")
	f(AppendField(at(), []byte("A"), ""), "A: \r\n")
	f(AppendInt(at(), -12), "-12")
	f(AppendContentLength(at(), 1234567890123), "Content-Length: 1234567890123\r\n")
	f(AppendChunkSize(at(), 1), "1\r\n")
	f(AppendChunkSize(at(), 0x12ab), "12ab\r\n")
}

// Every phrase that we and the standard library both have is the same, but for
// two that RFC 9110 has renamed and it has not.
func TestReasons(t *testing.T) {
	renamed := map[int]string{413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}
	for status, phrase := range reasons {
		want := http.StatusText(status)
		if r, ok := renamed[status]; ok {
			want = r
		}
		if phrase != "" && phrase != want {
			t.Errorf("%d: %q, want %q", status, phrase, want)
		}
		if Reason(status) != phrase {
			t.Errorf("Reason(%d) = %q", status, Reason(status))
		}
	}
	for _, e := range []int{-1, 600, 1 << 30} {
		if Reason(e) != "" {
			t.Errorf("Reason(%d) = %q", e, Reason(e))
		}
	}
}

// What is appended is parsed back: a head of random fields, and a body in
// random chunks.
func TestAppendRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	random := func(n int, ok func(byte) bool) []byte {
		var b []byte
		for len(b) < n {
			if c := byte(rnd.Uint32()); ok(c) {
				b = append(b, c)
			}
		}
		return b
	}
	anything := func(byte) bool { return true }
	for range 200 {
		var fields []field.Field
		msg := AppendStatusLine(nil, 1, 200)
		for range rnd.IntN(9) {
			f := field.Field{Name: append([]byte("x"), random(rnd.IntN(9), field.IsTokenByte)...), Value: field.TrimOWS(random(rnd.IntN(30), field.IsValueByte))}
			fields = append(fields, f)
			msg = AppendField(msg, f.Name, f.Value)
		}
		msg = append(msg, "Transfer-Encoding: chunked\r\n\r\n"...)
		var body []byte
		for range rnd.IntN(5) {
			data := random(1+rnd.IntN(300), anything)
			body = append(body, data...)
			msg = append(AppendChunkSize(msg, len(data)), data...)
			msg = append(msg, CRLF...)
		}
		msg = append(msg, LastChunk...)

		var r Response
		n, done, err := r.Parse(msg, &DefaultLimits)
		if !done || err != nil {
			t.Fatalf("%q: %v %v", msg, done, err)
		}
		for i, f := range fields {
			if !bytes.Equal(r.Fields[i].Name, f.Name) || !bytes.Equal(r.Fields[i].Value, f.Value) {
				t.Fatalf("field %q: %q came back as %q: %q", f.Name, f.Value, r.Fields[i].Name, r.Fields[i].Value)
			}
		}
		got, rest, err := decode(r.Body(), msg[n:])
		if err != nil || len(rest) != 0 || !bytes.Equal(got, body) {
			t.Fatalf("%q: body %q, rest %q, %v", msg, got, rest, err)
		}
	}
}

// decode reads a whole body and returns what follows it; short of its end it
// returns a nil rest.
func decode(d Body, b []byte) (body, rest []byte, err error) {
	for {
		ev, data, n, err := d.Next(b, &DefaultLimits)
		b = b[n:]
		switch {
		case err != nil:
			return body, nil, err
		case ev == End:
			return body, b[:len(b):len(b)], nil
		case ev == NeedMore:
			return body, nil, nil
		case ev == Data:
			body = append(body, data...)
		}
	}
}

package h1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"holdfast/codec/field"
)

// FuzzRequest holds the parser against net/http in one direction: what we
// accept, it accepts too, and understands the same. The exceptions are listed
// in agree.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		curlRequest, browserRequest,
		lines("POST http://a:80/p?q#f HTTP/1.1", "Host: b", "Transfer-Encoding: chunked") + chunked,
		lines("POST http://[::1]/p%20q?r HTTP/1.1", "Host: b", "Content-Length: 5") + "hello",
		"\r\n" + lines("OPTIONS * HTTP/1.0", "Connection: keep-alive", "A: \t b "),
		lines("CONNECT a:443 HTTP/1.1", "Host: a:443"),
		lines("GET //a/../b;c HTTP/1.1", "Host:", "Expect: 100-continue", "X: \xff"),
		lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5", "Transfer-Encoding: chunked"),
		lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding : chunked"),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		lim := DefaultLimits
		lim.Body = 1 << 20 // or a Content-Length would make io.ReadAll wait for nothing
		var r Request
		n, done, err := r.Parse(in, &lim)
		sameBytewise(t, in, &lim)
		if err != nil || !done {
			return
		}
		body, rest, err := decode(r.Body(), in[n:])
		if err != nil || rest == nil {
			return
		}
		agree(t, &r, in, body)
	})
}

// sameBytewise checks that feeding in byte by byte comes to the same.
func sameBytewise(t *testing.T, in []byte, lim *Limits) {
	whole := parseRequest(&feeder{in: string(in), cuts: []int{len(in)}}, lim)
	cuts := make([]int, len(in)+1)
	for i := range cuts {
		cuts[i] = i
	}
	if got := parseRequest(&feeder{in: string(in), cuts: cuts}, lim); got != whole {
		t.Fatalf("%q byte by byte:\n  %s\nwhole:\n  %s", in, got, whole)
	}
}

// agree compares with net/http, which
//   - does not skip the empty lines of RFC 9112 §2.2;
//   - refuses a Trailer field that announces a framing field, where we refuse
//     that field when it comes;
//   - joins lines of one name, takes Host, Content-Length, Transfer-Encoding
//     and Trailer out of the header, and adds Cache-Control for Pragma.
func agree(t *testing.T, r *Request, in, body []byte) {
	in = bytes.TrimLeft(in, "\r\n")
	if field.Count(r.Fields, "trailer") > 0 {
		return
	}
	std, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in)))
	if err != nil {
		t.Fatalf("we accept %q, net/http says %v", in, err)
	}
	if std.Method != string(r.Method) || std.RequestURI != string(r.Target) || std.ProtoMinor != int(r.Minor) {
		t.Fatalf("%q: %s %s 1.%d, net/http: %s %s %s", in, r.Method, r.Target, r.Minor, std.Method, std.RequestURI, std.Proto)
	}
	if std.Host != string(r.Authority) {
		t.Fatalf("%q: for %q, net/http: %q", in, r.Authority, std.Host)
	}
	if std.URL.RawQuery != string(r.Query) {
		t.Fatalf("%q: query %q, net/http: %q", in, r.Query, std.URL.RawQuery)
	}
	for _, f := range r.Fields {
		name := http.CanonicalHeaderKey(string(f.Name))
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding":
			continue
		}
		if !slices.Contains(std.Header[name], string(f.Value)) {
			t.Fatalf("%q: field %q: %q, net/http: %q", in, name, f.Value, std.Header[name])
		}
	}
	got, err := io.ReadAll(std.Body)
	if err != nil || !bytes.Equal(got, body) {
		t.Fatalf("%q: body %q, net/http: %q, %v", in, body, got, err)
	}
}

// FuzzResponse is FuzzRequest for responses. net/http waits for the end of the
// connection where we do, and does not know Asked for CONNECT.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		response + chunked,
		lines("HTTP/1.1 200 OK", "Content-Length: 5") + "hello",
		lines("HTTP/1.0 404 Not Found", "Connection: keep-alive") + "hello",
		lines("HTTP/1.1 204"), lines("HTTP/1.1 304 ", "Content-Length: 5"),
		lines("HTTP/1.1 101 Switching Protocols", "Upgrade: x", "Connection: upgrade"),
	} {
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, in []byte, head bool) {
		asked, method := AskedOther, "GET"
		if head {
			asked, method = AskedHead, "HEAD"
		}
		lim := DefaultLimits
		lim.Body = 1 << 20
		var r Response
		r.Reset(asked)
		n, done, err := r.Parse(in, &lim)
		if err != nil || !done || field.Count(r.Fields, "trailer") > 0 {
			return
		}
		d := r.Body()
		body, rest, err := decode(d, in[n:])
		if err != nil || rest == nil && r.Framing != UntilClose {
			return
		}
		std, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(in)), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("we accept %q, net/http says %v", in, err)
		}
		got, err := io.ReadAll(std.Body)
		if err != nil || std.StatusCode != r.Status || !bytes.Equal(got, body) {
			t.Fatalf("%q: %d %q, net/http: %d %q %v", in, r.Status, body, std.StatusCode, got, err)
		}
	})
}

// FuzzBody decodes the same bytes whole and in pieces of a fuzzed size, and
// holds what is accepted against net/http's decoder.
func FuzzBody(f *testing.F) {
	f.Add([]byte(chunked), uint8(1))
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"), uint8(2))
	f.Add([]byte("1;a=\"\\\"\"\r\nx\r\n00\r\nA: b\r\n\r\nGET"), uint8(3))
	f.Add([]byte("0x5\r\nhello\r\n"), uint8(4))
	f.Add([]byte("7fffffffffffffff\r\n"), uint8(5))
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		run := func(step int) outcome {
			fd := &feeder{in: string(in)}
			for i := min(step, len(in)); ; i = min(i+step, len(in)) {
				fd.cuts = append(fd.cuts, i)
				if i == len(in) {
					break
				}
			}
			var d Body
			d.Start(Chunked, 0)
			b, _ := fd.next(0)
			return parseBody(outcome{}, fd, &d, b, 0, &DefaultLimits)
		}
		whole := run(len(in) + 1)
		if got := run(int(piece) + 1); got != whole {
			t.Fatalf("%q in pieces of %d:\n  %s\nwhole:\n  %s", in, int(piece)+1, got, whole)
		}
		var d Body
		d.Start(Chunked, 0)
		body, rest, err := decode(d, in)
		if err != nil || rest == nil {
			return
		}
		req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(
			strings.NewReader(lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")), bytes.NewReader(in))))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(req.Body)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%q: %q, net/http: %q, %v", in, body, got, err)
		}
	})
}

package h2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// encode has the library write "name: value" lines as a block, with literals only, Huffman-coded where that is shorter.
// A line may hold anything but a newline; its name ends at the first ": ", or where it has none, at its end.
func encode(lines ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	e.SetMaxDynamicTableSizeLimit(0)
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		_ = e.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	return b.Bytes()
}

// get and post begin most requests of the tests.
func get(more ...string) []string {
	return append([]string{":method: GET", ":scheme: https", ":authority: a", ":path: /"}, more...)
}

// decodeRequest decodes a block with a fresh decoder that has no table and reads a request from it.
func decodeRequest(block []byte, lim *Limits) (*Request, error) {
	var f Fields
	if err := NewDecoder(0).Decode(block, &f, lim); err != nil {
		return nil, err
	}
	r := &Request{}
	return r, r.Read(&f)
}

func describe(r *Request) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s %s %s", r.Method, r.Scheme, r.Authority, r.Path)
	if r.Query != nil {
		fmt.Fprintf(&out, "?%s", r.Query)
	}
	if r.Protocol != nil {
		fmt.Fprintf(&out, " protocol=%s", r.Protocol)
	}
	for _, f := range r.Fields {
		fmt.Fprintf(&out, " {%s=%s}", f.Name, f.Value)
	}
	if r.ContentLength >= 0 {
		fmt.Fprintf(&out, " length=%d", r.ContentLength)
	}
	if r.Expect100 {
		out.WriteString(" expect")
	}
	return out.String()
}

func wantRequest(t *testing.T, want string, lines ...string) {
	t.Helper()
	r, err := decodeRequest(encode(lines...), &DefaultLimits)
	if err != nil {
		t.Errorf("%q: %v, want %s", lines, err, want)
	} else if got := describe(r); got != want {
		t.Errorf("%q:\n  %s\nwant\n  %s", lines, got, want)
	}
}

// wantMalformed wants a stream error PROTOCOL_ERROR, RFC 9113 §8.1.1.
func wantMalformed(t *testing.T, want *Error, lines ...string) {
	t.Helper()
	r, err := decodeRequest(encode(lines...), &DefaultLimits)
	if asError(err) != want {
		t.Errorf("%q: %v %v, want %v", lines, r, err, want)
	}
	if want.Code != ProtocolError || want.Scope != Stream || want.Status != 400 {
		t.Errorf("%v is no stream error of a malformed message", want)
	}
}

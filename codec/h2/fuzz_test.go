package h2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// FuzzFrames reads any bytes, whole and in pieces, and wants one outcome; what both accept, it compares with
// golang.org/x/net's Framer.
func FuzzFrames(f *testing.F) {
	f.Add([]byte(settings+raw(TypeHeaders, 0, 1, "ab")+raw(TypeContinuation, EndHeaders, 1, "c")), uint8(1))
	f.Add([]byte(settings+raw(TypeData, Padded|EndStream, 1, "\x02ab\x00\x00")+raw(TypePing, Ack, 0, "12345678")), uint8(3))
	f.Add([]byte(settings+raw(0x42, 0, 7, "skip")+raw(TypeGoaway, 0, 0, "12345678why")), uint8(5))
	f.Add([]byte(settings+raw(TypePriority, 0, 3, "123")+raw(TypeWindow, 0, 3, "\x00\x00\x00\x00")), uint8(2))
	f.Add([]byte(settings+raw(TypeHeaders, Padded|Prioritized|EndHeaders, 5, "\x01\x80\x00\x00\x03\x10b\x00")), uint8(7))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		whole, err := read(string(in), []int{len(in)}, &small)
		var cuts []int
		for at := 0; at < len(in); at += max(int(step), 1) {
			cuts = append(cuts, at)
		}
		if got, e := read(string(in), append(cuts, len(in)), &small); got != whole || e != err {
			t.Fatalf("%q in steps of %d:\n  %s %v\nwhole:\n  %s %v", in, step, got, e, whole, err)
		}
		payloads(in)
		if err == nil {
			agree(t, in)
		}
	})
}

// payloads reads what every whole frame carries: it must not panic.
func payloads(in []byte) {
	r := Reader{}
	s := DefaultSettings
	for len(in) > 0 {
		f, n, err := r.Next(in, &small)
		if in = in[n:]; err != nil && asError(err).Scope == Connection || err == nil && f.Event == More {
			return
		}
		if err != nil || f.Event != Whole {
			continue
		}
		switch f.Type {
		case TypeHeaders, TypeContinuation:
			_, _ = HeaderBlock(f)
		case TypePriority:
			_ = CheckPriority(f)
		case TypeReset:
			ParseReset(f)
		case TypeSettings:
			_ = s.Read(f)
		case TypePing:
			ParsePing(f)
		case TypeGoaway:
			ParseGoaway(f)
		case TypeWindow:
			_, _ = ParseWindow(f)
		case TypePriorityUpdate:
			_, _, _ = ParsePriorityUpdate(f)
		case TypeData, TypePush:
			panic("a frame that cannot be whole")
		}
	}
}

// agree compares the frames of an input that we accept, up to the first that the Framer refuses: it looks into payloads,
// which our reader leaves to others.
func agree(t *testing.T, in []byte) {
	fr := http2.NewFramer(nil, bytes.NewReader(in))
	r := Reader{}
	for {
		theirs, err := fr.ReadFrame()
		if err != nil {
			return
		}
		var ours Frame
		var data []byte
		for {
			f, n, err := r.Next(in, &small)
			if in = in[n:]; err != nil {
				t.Fatalf("%v: %v", theirs, err)
			}
			if f.Event == More {
				t.Fatalf("%v: we want more", theirs)
			}
			ours, data = f, append(data, f.Payload...)
			if f.Event == Whole || f.Last {
				break
			}
		}
		h := theirs.Header()
		if uint8(h.Type) != uint8(ours.Type) || h.StreamID != ours.Stream || uint8(h.Flags) != uint8(ours.Flags) {
			t.Fatalf("%v, ours %+v", h, ours.Header)
		}
		if d, ok := theirs.(*http2.DataFrame); ok && !bytes.Equal(d.Data(), data) {
			t.Fatalf("%v: %q, ours %q", h, d.Data(), data)
		}
		if d, ok := theirs.(*http2.HeadersFrame); ok {
			if block, err := HeaderBlock(ours); err != nil && err != error(errSelf) || !bytes.Equal(block, d.HeaderBlockFragment()) {
				t.Fatalf("%v: %q, ours %q %v", h, d.HeaderBlockFragment(), block, err)
			}
		}
	}
}

// FuzzHeaderBlock decodes any blocks, one after the other, with and without a table, beside the library used plainly:
// what we accept, it reads alike, and what breaks its state breaks ours.
func FuzzHeaderBlock(f *testing.F) {
	f.Add(encode(get("x: y", "cookie: a", "cookie: b")...), []byte("\x82\x87\x84\x41\x01a"), true)
	f.Add([]byte("\x40\x01x\x01y\x82"), []byte("\xbe\xbe\x82"), true)
	f.Add([]byte("\x20\x3f\xe1\x1f\x82"), []byte("\x82\x20"), false)
	f.Add(AppendContentLength(AppendRequest(nil, "POST", "http", "a:80", "/p?q"), 7), []byte("\x00\x02te\x08trailers"), false)
	f.Add(AppendProtocol(AppendRequest(nil, "CONNECT", "https", "a", "/"), "websocket"), AppendStatus(nil, 103), false)
	f.Fuzz(func(t *testing.T, one, two []byte, table bool) {
		size := uint32(0)
		if table {
			size = 4096
		}
		ours, theirs := NewDecoder(size), hpack.NewDecoder(size, nil)
		var fs Fields
		for _, block := range [][]byte{one, two} {
			fields, err := theirs.DecodeFull(block)
			e := asError(ours.Decode(block, &fs, &small))
			if e != nil && e.Scope == Connection {
				if err == nil && e != errTableUpdate && e != errTableUpdates {
					t.Fatalf("% x: %v, the library accepts it", block, e)
				}
				return
			}
			if err != nil {
				if e == nil || e.Scope != Stream {
					t.Fatalf("% x: %v, the library says %v", block, e, err)
				}
				return // of a list that is dropped, strings are not looked at
			}
			if e == nil {
				sameList(t, &fs, fields)
				checkRequest(t, &fs)
			}
		}
	})
}

// sameList holds a list that we accept against the library's.
func sameList(t *testing.T, fs *Fields, fields []hpack.HeaderField) {
	var want, got []string
	var crumbs []string
	size := 0
	for _, f := range fields {
		size += len(f.Name) + len(f.Value) + 32
		switch {
		case f.Name == "cookie":
			crumbs = append(crumbs, f.Value)
		case !strings.HasPrefix(f.Name, ":"):
			want = append(want, f.Name+"="+f.Value)
		case string(fs.get(pseudoOf([]byte(f.Name)))) != f.Value:
			t.Fatalf("%v, ours %q", f, fs.buf)
		}
	}
	for _, f := range fs.All {
		if string(f.Name) == "cookie" {
			if string(f.Value) != strings.Join(crumbs, "; ") {
				t.Fatalf("%q of %q", f.Value, crumbs)
			}
			continue
		}
		got = append(got, string(f.Name)+"="+string(f.Value))
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) || size > int(small.List) || len(fs.All) > small.Fields {
		t.Fatalf("%q, ours %q, of %d bytes", want, got, size)
	}
}

// checkRequest reads a list in every role. A request that we accept can be said again, and reads the same.
func checkRequest(t *testing.T, fs *Fields) {
	var resp Response
	_ = resp.Read(fs)
	_ = CheckTrailers(fs)
	var r Request
	if r.Read(fs) != nil {
		return
	}
	path := string(r.Path)
	if r.Query != nil {
		path += "?" + string(r.Query)
	}
	b := AppendRequest(nil, string(r.Method), string(r.Scheme), string(r.Authority), path)
	if r.Protocol != nil {
		b = AppendProtocol(b, r.Protocol)
	}
	for _, f := range r.Fields {
		b = AppendField(b, f.Name, f.Value)
	}
	again, err := decodeRequest(b, &DefaultLimits)
	if err != nil || describe(again) != describe(&r) {
		t.Fatalf("%s, said again: %v %v", describe(&r), again, err)
	}
}

package sse

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// FuzzAppend looks for an id, name or data that reads back as anything else than itself.
func FuzzAppend(f *testing.F) {
	f.Add([]byte("7"), []byte("tick"), []byte("a\rb\r\nc\nd"))
	f.Add([]byte("1\rdata: x"), []byte("a\nid: 2"), []byte("\n\nevent: x"))
	f.Add([]byte("\x00"), []byte(":"), []byte(" \ufeff\u2028"))
	f.Add([]byte{}, []byte{}, []byte("\r"))
	f.Fuzz(func(t *testing.T, id, event, data []byte) {
		out := Append(nil, id, event, data)
		if len(out) != Size(id, event, data) {
			t.Fatalf("Size is %d; Append wrote %d", Size(id, event, data), len(out))
		}
		if !ValidLine(id) {
			id = nil
		}
		if !ValidLine(event) {
			event = nil
		}
		var p Parser
		ev, n, ok, err := p.Next(out)
		want := bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
		if err != nil || !ok || n != len(out) || !bytes.Equal(ev.ID, id) || !bytes.Equal(ev.Name, event) || !bytes.Equal(ev.Data, want) {
			t.Fatalf("%q reads as %q %q %q (%d bytes, %v, %v)", out, ev.ID, ev.Name, ev.Data, n, ok, err)
		}
	})
}

// simple is the standard's algorithm written down for whole streams without any care for speed.
func simple(stream string) (events []string) {
	stream = strings.TrimPrefix(stream, "\ufeff")
	stream = strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(stream, "\n")
	id, name, data := "", "", ""
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			if data != "" {
				events = append(events, id+"|"+name+"|"+strings.TrimSuffix(data, "\n"))
			}
			name, data = "", ""
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "data":
			data += value + "\n"
		case "event":
			name = value
		case "id":
			if !strings.Contains(value, "\x00") {
				id = value
			}
		}
	}
	return events
}

// FuzzParse compares the parser with the simple one, at every cut.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"data: a\n\n", "\ufeffid: 1\r\nevent: x\rdata\n\n", ":\n\ndata:a\ndata: b\r\r", "id: a\x00\nid: 2\ndata:\n\n",
		"\xef\xbb", "retry: 12\n\n", "events: x\ndata : y\n data\n\n", "data: x\n\r\n\rdata: y\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stream string) {
		if len(stream) > 300 {
			return
		}
		want := simple(stream)
		eachSplit(stream, func(cuts ...int) {
			var p Parser
			if got, err := read(&p, stream, cuts...); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%q cut at %v: %q, %v; want %q", stream, cuts, got, err, want)
			}
		})
	})
}

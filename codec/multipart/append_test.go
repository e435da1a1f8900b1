package multipart

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
	"testing/synctest"
)

var boundary = []byte("d81f_7c")

func TestAppend(t *testing.T) {
	f := func(got []byte, want string) {
		t.Helper()
		if string(got) != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
	f(AppendOpen([]byte("x"), boundary), "x--d81f_7c\r\n")
	f(AppendPartTail([]byte("x"), boundary), "x\r\n--d81f_7c\r\n")
	f(AppendHeartbeat([]byte("x"), boundary), "xContent-Length: 0\r\nPush-Event: heartbeat\r\n\r\n\r\n--d81f_7c\r\n")
	f(AppendGoaway([]byte("x"), boundary), "xContent-Length: 0\r\nPush-Event: goaway\r\n\r\n\r\n--d81f_7c--\r\n")
}

func TestAppendPartHead(t *testing.T) {
	f := func(id, event, typ string, length int, want string) {
		t.Helper()
		got := AppendPartHead([]byte("x"), []byte(id), []byte(event), []byte(typ), length)
		if string(got) != "x"+want {
			t.Errorf("AppendPartHead(%q, %q, %q) = %q; want %q behind x", id, event, typ, got, want)
		}
	}
	f("", "", "text/plain", 2, "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n")
	f("7", "tick", "a/b; c=d", 0, "Content-Type: a/b; c=d\r\nContent-Length: 0\r\nPush-Id: 7\r\nPush-Event: tick\r\n\r\n")
	f("", "", "", 1<<40, "Content-Type: application/octet-stream\r\nContent-Length: 1099511627776\r\n\r\n")
	// What could inject a field is left out.
	f("7\r\nX: y", "", "a/b", 0, "Content-Type: a/b\r\nContent-Length: 0\r\n\r\n")
	f("7\n", "\r", "a/b", 0, "Content-Type: a/b\r\nContent-Length: 0\r\n\r\n")
	f("a\x00b", "a\x7fb", "a/b", 0, "Content-Type: a/b\r\nContent-Length: 0\r\n\r\n")
	f(" 7", "7\t", "a/b", 0, "Content-Type: a/b\r\nContent-Length: 0\r\n\r\n")
	f("", "", "a/b\r\n\r\nevil", 0, "Content-Type: application/octet-stream\r\nContent-Length: 0\r\n\r\n")
	f("zoë", "a b", "", 0, "Content-Type: application/octet-stream\r\nContent-Length: 0\r\nPush-Id: zoë\r\nPush-Event: a b\r\n\r\n")
}

// RFC 2046 §5.1.1: "Boundary delimiters must not appear within the encapsulated material."
func TestCarries(t *testing.T) {
	f := func(data string, want bool) {
		t.Helper()
		if got := Carries([]byte(data), []byte("B")); got != want {
			t.Errorf("Carries(%q) = %v; want %v", data, got, want)
		}
		// Carries is right if a part with that data reads back whole.
		body := AppendPartTail(append(AppendPartHead(AppendOpen(nil, []byte("B")), nil, nil, nil, len(data)), data...), []byte("B"))
		body = AppendGoaway(body, []byte("B"))
		parts, err := ours("B", string(body), Config{})
		whole := err == nil && len(parts) == 2 && parts[0].data == data
		if want && !whole {
			t.Errorf("%q is carried, but reads as %s, %v", data, show(parts), err)
		}
	}
	f("", true)
	f("B", true)
	f("--", true)
	f("--B", false)
	f("--Bx", false) // ordinary to us, not to everybody
	f("x--B", true)
	f("xxB", true)
	f("-B", true)
	f("\r\n--B", false)
	f("x\r\n--B--", false)
	f("x\n--B\r\n", true)
	f("x\r--B\r\n", true)
	f("BB\r\n--B", false)
	f("B--B\r\n-B\r\n--x\r\n--", true)
	f("\r\n--\r\n", true)
}

// message is one part as it was meant.
type message struct{ id, event, typ, data string }

var messages = []message{
	{"1", "tick", "text/plain", "hello"},
	{"", "", "application/json", `{"a":1}`},
	{"2", "", "", ""},
	{"3", "", "application/octet-stream", "\r\n"},
	{"4", "", "application/octet-stream", "\x00\xff--d81f_7\r\n--d81f_7\r\n-- "},
	{"5", "", "application/octet-stream", strings.Repeat("0123456789abcdef", 1000)},
	{"6", "", "application/octet-stream", "\r\n--"},
}

func (m message) append(dst []byte) []byte {
	dst = AppendPartHead(dst, []byte(m.id), []byte(m.event), []byte(m.typ), len(m.data))
	return AppendPartTail(append(dst, m.data...), boundary)
}

// Go's reader gets each part to its end without one byte of the next: it then waits in NextPart for the next header, and
// for nothing before that. In the bubble, a reader that waits too early is a deadlock, which fails the test.
func TestStreamIsReadPartByPart(t *testing.T) {
	for _, piece := range []int{1, 7, 1 << 20} {
		synctest.Test(t, func(t *testing.T) {
			pr, pw := io.Pipe()
			send := make(chan []byte, 1) // the reader may leave the last LF of a part to be written later
			go func() {
				defer pw.Close()
				for b := range send {
					for len(b) > 0 {
						n, err := pw.Write(b[:min(piece, len(b))])
						if err != nil {
							return // the reader has seen the last boundary
						}
						b = b[n:]
					}
				}
			}()
			defer close(send)
			mr := multipart.NewReader(pr, string(boundary))
			next := AppendOpen(nil, boundary)
			for _, want := range messages {
				send <- want.append(next)
				next = nil
				expectPart(t, mr, want)
				send <- AppendHeartbeat(nil, boundary)
				expectPart(t, mr, message{event: HeartbeatEvent})
			}
			send <- AppendGoaway(nil, boundary)
			expectPart(t, mr, message{event: GoawayEvent})
			if part, err := mr.NextRawPart(); err != io.EOF {
				t.Errorf("behind goaway came %v, %v; want the end", part, err)
			}
			pr.Close()
		})
	}
}

func expectPart(t *testing.T, mr *multipart.Reader, want message) {
	t.Helper()
	part, err := mr.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(part)
	h := part.Header
	if err != nil || string(data) != want.data || h.Get(IDField) != want.id || h.Get(EventField) != want.event {
		t.Errorf("part %v with %d bytes, %v; want %v", h, len(data), err, want)
	}
	if h.Get("Content-Length") != fmt.Sprint(len(data)) {
		t.Errorf("Content-Length %s of %d bytes", h.Get("Content-Length"), len(data))
	}
}

// Our own reader has each part's end with the part's last byte, too.
func TestOwnReaderIsPrompt(t *testing.T) {
	var p Parser
	p.Start(boundary, Config{})
	var pending []byte
	feed := func(b []byte) (last Kind) {
		pending = append(bytes.Clone(pending), b...)
		for {
			ev, n, err := p.Next(pending)
			pending = pending[n:]
			if err != nil {
				t.Fatal(err)
			}
			if ev.Kind == NeedMore {
				return last
			}
			last = ev.Kind
		}
	}
	feed(AppendOpen(nil, boundary))
	for _, m := range messages {
		if last := feed(m.append(nil)); last != PartEnd || len(pending) > 0 {
			t.Errorf("behind %q the reader stands at event %d with %d bytes left", m.id, last, len(pending))
		}
	}
	if last := feed(AppendGoaway(nil, boundary)); last != End || p.Finish() != nil {
		t.Errorf("behind goaway the reader stands at event %d: %v", last, p.Finish())
	}
}

func TestAppendNoAllocation(t *testing.T) {
	id, typ := []byte("7"), []byte("text/plain")
	buf := make([]byte, 0, 1024)
	allocs := testing.AllocsPerRun(100, func() {
		buf = AppendOpen(buf[:0], boundary)
		buf = AppendPartHead(buf, id, id, typ, 12)
		buf = AppendPartTail(buf, boundary)
		buf = AppendHeartbeat(buf, boundary)
		buf = AppendGoaway(buf, boundary)
		if !Carries(buf[:2], boundary) {
			t.Fatal("not carried")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations; want none", allocs)
	}
}

// FuzzStream puts any id, event, type and data on a stream and reads it back.
func FuzzStream(f *testing.F) {
	for _, m := range messages {
		f.Add(m.id, m.event, m.typ, m.data)
	}
	f.Add("a\r\nb", "\x00", "x\n", "--d81f_7c--")
	f.Fuzz(func(t *testing.T, id, event, typ, data string) {
		if !Carries([]byte(data), boundary) {
			return
		}
		body := message{id, event, typ, data}.append(AppendOpen(nil, boundary))
		body = AppendGoaway(body, boundary)
		for _, read := range []func(string, string, Config, ...int) ([]part, error){ours, theirs} {
			parts, err := read(string(boundary), string(body), Config{MaxHead: len(body)})
			if err != nil || len(parts) != 2 || parts[0].data != data || len(parts[0].header["Content-Type"]) != 1 {
				t.Fatalf("%q reads as %s, %v", body, show(parts), err)
			}
			want := map[string]string{IDField: id, EventField: event}
			for name, value := range want {
				if !ValidValue([]byte(value)) {
					value = ""
				}
				if got := strings.Join(parts[0].header[name], "|"); got != value {
					t.Fatalf("%s is %q; want %q", name, got, value)
				}
			}
		}
	})
}

// What we announce in a Content-Type is what Boundary and mime read from it.
func TestBoundaryIsMime(t *testing.T) {
	typ := mime.FormatMediaType("multipart/mixed", map[string]string{"boundary": string(boundary)})
	if got, err := Boundary([]byte(typ)); err != nil || !bytes.Equal(got, boundary) {
		t.Errorf("Boundary(%q) = %q, %v; want %q", typ, got, err, boundary)
	}
}

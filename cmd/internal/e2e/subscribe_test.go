package e2e

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Every wire form as curl gets it, by Accept and by query.
func TestCurlHears(t *testing.T) {
	t.Parallel()
	d := serve(t)
	n := 0
	f := func(mode, accept, protocol string, want ...string) {
		t.Helper()
		n++
		key := fmt.Sprint("form", n)
		args := []string{"-i", protocol, d.public + "/sub/" + key}
		if accept != "" {
			args = append(args, "-H", "Accept: "+accept)
		}
		if mode != "" {
			args[2] += "?mode=" + mode
		}
		c := curl(t, args...)
		d.held(t, key, 1)
		if got := curled(t, "-H", "Push-Id: 41", "-H", "Push-Event: news", "-H", "Content-Type: text/plain", "-d", "hi there",
			d.publish+"/push/"+key); !strings.Contains(got, `"id":"41","delivered":1,"pending":0`) {
			t.Errorf("%s: %s", accept, got)
		}
		for _, w := range want {
			c.awaits(t, w)
		}
		if old := strings.Contains(c.out.String(), "chunked"); old == (protocol == "--http1.0" || mode == "poll") {
			t.Errorf("%s %s: chunked: %v", protocol, accept, old)
		}
	}
	const new, old = "--http1.1", "--http1.0"
	f("", "text/event-stream", new, "HTTP/1.1 200 OK\r\n", "Content-Type: text/event-stream\r\n", "\r\n\r\nid: 41\nevent: news\ndata: hi there\n\n")
	f("sse", "", new, "\r\n\r\nid: 41\nevent: news\ndata: hi there\n\n")
	f("", "text/event-stream", old, "\r\n\r\nid: 41\nevent: news\ndata: hi there\n\n")
	f("", "application/x-ndjson", new, "Content-Type: application/x-ndjson\r\n", "\r\n\r\n"+`{"id":"41","event":"news","data":"hi there"}`+"\n")
	f("ndjson", "", old, "\r\n\r\n"+`{"id":"41","event":"news","data":"hi there"}`+"\n")
	f("", "multipart/mixed", new, "Content-Type: multipart/mixed; boundary=hf-", "Content-Type: text/plain\r\nContent-Length: 8\r\nPush-Id: 41\r\nPush-Event: news\r\n\r\nhi there\r\n--hf-")
	f("multipart", "", old, "Content-Length: 8\r\nPush-Id: 41\r\nPush-Event: news\r\n\r\nhi there\r\n--hf-")
	f("", "multipart/x-mixed-replace", new, "Content-Type: multipart/x-mixed-replace; boundary=hf-", "\r\n\r\nhi there\r\n--hf-")
	f("replace", "", old, "\r\n\r\nhi there\r\n--hf-")
	f("", "application/octet-stream", new, "Content-Type: application/octet-stream\r\n", "\r\n\r\nhi there")
	f("stream", "", old, "\r\n\r\nhi there")
	f("poll", "", new, "Content-Type: text/plain\r\n", "Push-Id: 41\r\n", "Push-Event: news\r\n", "Content-Length: 8\r\n", "\r\n\r\nhi there")
	f("poll", "text/event-stream", old, "Connection: close\r\n", "\r\n\r\nhi there")
}

// A poll ends with its message or with 204, and its connection can poll again.
func TestCurlPolls(t *testing.T) {
	t.Parallel()
	d := serve(t, "--poll-timeout", "300ms")
	c := curl(t, "-w", "%{http_code} %{num_connects}\n", d.public+"/sub/nothing", "--next", "-sS", "-w", "%{http_code} %{num_connects}\n", d.public+"/sub/nothing")
	began := time.Now()
	if code := c.wait(t); code != 0 || c.out.String() != "204 1\n204 0\n" {
		t.Errorf("exit %d: %s%s", code, &c.out, &c.errs)
	}
	if took := time.Since(began); took < 550*time.Millisecond || took > 5*time.Second {
		t.Errorf("two polls of 300 ms took %v", took)
	}
}

func TestOneConnectionHoldsSeveralKeys(t *testing.T) {
	t.Parallel()
	d := serve(t)
	c := curl(t, d.public+"/sub/alice,group:news,a%2Cb%20c?mode=ndjson")
	for i, key := range []string{"alice", "group:news", "a%2Cb%20c"} {
		d.held(t, key, 1)
		if v := d.push(t, key, []byte(key)); v.Status != 200 || v.Delivered != 1 {
			t.Errorf("%s: %+v", key, v)
		}
		c.awaits(t, fmt.Sprintf(`"data":"%s"}`+"\n", key))
		if got := strings.Count(c.out.String(), "\n"); got != i+1 {
			t.Errorf("%d lines after %d messages: %s", got, i+1, &c.out)
		}
	}
	both := d.push(t, "alice,group:news", []byte("twice"))
	if both.Delivered != 2 {
		t.Errorf("a push to both keys of one connection: %+v", both)
	}
}

var generated = regexp.MustCompile(`\r\nPush-Key: ([A-Za-z0-9_-]{38,})\r\n`)

// A client that names no key is told the one that was made for it in a field, and in framed forms first of all.
func TestCurlGetsAKeyMade(t *testing.T) {
	t.Parallel()
	d := serve(t)
	f := func(mode, first string) {
		t.Helper()
		c := curl(t, "-D", "/dev/stderr", d.public+"/sub?mode="+mode)
		var m []string
		if !eventually(func() bool { m = generated.FindStringSubmatch(c.errs.String()); return m != nil }) {
			t.Fatalf("%s: no key in %s", mode, &c.errs)
		}
		c.awaits(t, strings.ReplaceAll(first, "KEY", m[1]))
		if v := d.push(t, m[1], []byte("for you")); v.Delivered != 1 {
			t.Errorf("%s: %+v", mode, v)
		}
		c.awaits(t, "for you")
	}
	f("sse", "event: push-key\ndata: KEY\n\n")
	f("ndjson", `{"event":"push-key","data":"KEY"}`+"\n")
	f("stream", "")
	f("multipart", "\r\nPush-Event: push-key\r\n\r\nKEY\r\n--hf-")
}

// everyByte is a message that no text form can carry, and that tempts each framing to end it early.
func everyByte() []byte {
	b := []byte("\r\n--\r\n0\r\n\r\n\x00")
	for i := range 256 {
		b = append(b, byte(i), '\r', '\n')
	}
	return append(bytes.Repeat(b, 40), "\r\n--hf-\r\n"...)
}

// What is pushed arrives byte for byte in every form that can carry bytes, and is refused where none can.
func TestBinaryIsExact(t *testing.T) {
	t.Parallel()
	d := serve(t)
	want := everyByte()
	file := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(file, want, 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(mode string, check func(head, body string) []byte) {
		t.Helper()
		c := curl(t, "-D", "/dev/stderr", d.public+"/sub/bin?mode="+mode)
		d.held(t, "bin", 1)
		if got := curled(t, "--data-binary", "@"+file, d.publish+"/push/bin"); !strings.Contains(got, `"delivered":1`) {
			t.Errorf("%s: %s", mode, got)
		}
		if !eventually(func() bool { return len(c.out.String()) >= len(want) }) {
			t.Errorf("%s: %d bytes of %d", mode, len(c.out.String()), len(want))
		}
		d.sendAway(t, "bin")
		c.wait(t)
		if got := check(c.errs.String(), c.out.String()); !bytes.Equal(got, want) {
			t.Errorf("%s: got %d other bytes than the %d that were sent", mode, len(got), len(want))
		}
	}
	whole := func(_, body string) []byte { return []byte(body) }
	parts := func(head, body string) []byte {
		_, value, _ := strings.Cut(head, "Content-Type: ")
		value, _, _ = strings.Cut(value, "\r\n")
		_, params, err := mime.ParseMediaType(value)
		if err != nil {
			t.Fatal(err)
		}
		part, err := multipart.NewReader(strings.NewReader(body), params["boundary"]).NextPart()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	f("poll", whole)
	f("stream", whole)
	f("multipart", parts)
	f("replace", parts)

	text := curl(t, d.public+"/sub/text?mode=sse")
	d.held(t, "text", 1)
	if v := d.push(t, "text", want); v.Status != 415 || v.Reasons["unsupported"] != 1 {
		t.Errorf("bytes to an event stream: %+v", v)
	}
	if said := text.out.String(); said != "" {
		t.Errorf("the event stream got %q", said)
	}
}

// sendAway tells whoever holds a key to go away; nobody may be there any more.
func (d *daemon) sendAway(t *testing.T, key string) {
	t.Helper()
	curled(t, "-X", "DELETE", d.publish+"/push/"+key)
	d.held(t, key, 0)
}

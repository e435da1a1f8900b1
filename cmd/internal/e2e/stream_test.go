package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// A publisher that writes everything before it reads anything gets every item counted: neither side waits for the
// other for ever, and the node keeps only a bounded backlog of verdicts.
func TestPublisherThatDoesNotRead(t *testing.T) {
	t.Parallel()
	items := 60_000
	if testing.Short() { // a daemon with the race detector takes its time
		items = 30_000
	}
	d := serve(t, "--verdict-backlog", "4KiB")
	w := dial(t, d.publish)
	w.say(t, "POST /push HTTP/1.0\r\nContent-Type: application/x-ndjson\r\nContent-Length: ")
	line := `{"key":"nobody","data":"0123456789"}` + "\n"
	if err := w.SetWriteDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	w.say(t, fmt.Sprint(items*len(line))+"\r\n\r\n"+strings.Repeat(line, items))
	_, body, ok := strings.Cut(w.ends(t), "\r\n\r\n")
	if !ok {
		t.Fatalf("no answer: %q", body)
	}
	told, collapsed := 0, 0
	for line := range strings.Lines(body) {
		var v struct{ Status, Collapsed, Delivered int }
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if v.Status == 404 {
			told++
		}
		collapsed += v.Collapsed
	}
	if told+collapsed != items || collapsed == 0 {
		t.Errorf("%d verdicts and %d collapsed ones for %d items", told, collapsed, items)
	}
}

// Silence is broken in the words of each form that has some, and a client that is not there any more is found out.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	d := serve(t, "--heartbeat", "200ms")
	f := func(form, want string) {
		t.Helper()
		w := d.subscribe(t, form, form)
		w.hears(t, "\r\n\r\n")
		w.hears(t, want)
		w.hears(t, want)
	}
	f("sse", "3\r\n:\n\n\r\n")
	f("ndjson", "1\r\n\n\r\n")
	f("multipart", "Push-Event: heartbeat\r\n\r\n\r\n--hf-")
}

// A message of the largest size arrives whole, at many clients and while others come and go.
func TestLargeMessages(t *testing.T) {
	t.Parallel()
	d := serve(t, "--queue", "4MiB")
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	clients := make([]*wire, 10)
	for i := range clients {
		clients[i] = d.subscribe(t, "poll", "large")
	}
	d.held(t, "large", 10)
	if v := d.push(t, "large", want); v.Delivered+v.Pending != 10 {
		t.Errorf("%+v", v)
	}
	for i, c := range clients {
		c.hears(t, "\r\n\r\n")
		for len(c.heard) < len(want) {
			if err := c.more(time.Now().Add(patience)); err != nil {
				t.Fatalf("client %d: %d bytes, then %v", i, len(c.heard), err)
			}
		}
		if !bytes.Equal(c.heard, want) {
			t.Errorf("client %d got other bytes", i)
		}
	}
	if got := asked(t, d.publish+"/push/large", "-H", "Expect:", "-d", strings.Repeat("x", 100), "-H", "Content-Length: 1048577"); !strings.HasSuffix(got, "413") {
		t.Errorf("one byte more: %s", got)
	}
}

// Each body that stops coming is given up on, and its publisher told.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	d := serve(t, "--body-timeout", "300ms", "--item-timeout", "300ms", "--stream-idle-timeout", "600ms")
	f := func(request, want string) {
		t.Helper()
		began := time.Now()
		got := exchangeTo(t, d.publish, "POST "+request)
		if took := time.Since(began); !strings.Contains(got, want) || took < 250*time.Millisecond || took > 5*time.Second {
			t.Errorf("%q: %q after %v, want %q", request, got, took, want)
		}
	}
	f("/push/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell", "HTTP/1.1 408 ")
	f("/push HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"key\r\n", "HTTP/1.1 408 ")
	f("/push HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"15\r\n{\"key\":\"x\",\"data\":1}\n\r\n", `"status":404`)
}

// IPv6 is served like IPv4 where the machine has it, and every address means both.
func TestAddresses(t *testing.T) {
	t.Parallel()
	hosts := []string{"127.0.0.1"}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
		l.Close()
		hosts = append(hosts, "[::1]")
	}
	d := serve(t, "--listen", ":0")
	_, port, err := net.SplitHostPort(d.public)
	if err != nil {
		t.Fatal(err)
	}
	for i, host := range hosts {
		key := fmt.Sprint("host", i)
		c := curl(t, "http://"+host+":"+port+"/sub/"+key)
		d.held(t, key, 1)
		if v := d.push(t, key, []byte("hi")); v.Delivered != 1 {
			t.Errorf("%s: %+v", host, v)
		}
		c.awaits(t, "hi")
	}
	wait, _, _ := d.invitation(t)
	if !strings.Contains(wait, "http://127.0.0.1:"+port+"/") {
		t.Errorf("the line to paste names no host: %s", wait)
	}
}

package e2e

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// wire is a client that is a bare socket: it says exactly what it is told to, and keeps what it hears.
type wire struct {
	*net.TCPConn
	heard []byte
}

// dial connects to a listener.
func dial(t *testing.T, address string) *wire {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &wire{TCPConn: c.(*net.TCPConn)}
}

// say sends bytes as they are.
func (w *wire) say(t *testing.T, text string) {
	t.Helper()
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// hears reads until a text has come, and forgets everything up to its end, which it returns.
func (w *wire) hears(t *testing.T, text string) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for from := 0; ; {
		if i := bytes.Index(w.heard[from:], []byte(text)); i >= 0 {
			said := string(w.heard[:from+i+len(text)])
			w.heard = w.heard[from+i+len(text):]
			return said
		}
		from = max(len(w.heard)-len(text), 0)
		if err := w.more(deadline); err != nil {
			t.Fatalf("no %q in %d bytes that end with %q, then %v", text, len(w.heard), w.heard[max(len(w.heard)-500, 0):], err)
		}
	}
}

// ends reads until the other side closes, by whatever means, and returns what came before.
func (w *wire) ends(t *testing.T) string {
	t.Helper()
	deadline := time.Now().Add(2 * patience)
	for {
		switch err := w.more(deadline); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			t.Fatalf("still open; heard %q", w.heard)
		case err != nil:
			return string(w.heard)
		}
	}
}

func (w *wire) more(deadline time.Time) error {
	if err := w.SetReadDeadline(deadline); err != nil {
		return err
	}
	var b [64 << 10]byte
	n, err := w.Read(b[:])
	w.heard = append(w.heard, b[:n]...)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return err
}

// accepts are what a client says to get a wire form, and how that form's head begins.
var accepts = map[string]string{
	"poll": "*/*", "sse": "text/event-stream", "ndjson": "application/x-ndjson", "multipart": "multipart/mixed",
	"replace": "multipart/x-mixed-replace", "raw": "application/octet-stream",
}

// subscribe holds keys in a wire form. It does not wait until they are held.
func (d *daemon) subscribe(t *testing.T, form, keys string) *wire {
	t.Helper()
	w := dial(t, d.public)
	w.say(t, subscription(form, keys))
	return w
}

func subscription(form, keys string) string {
	return strings.Join([]string{"GET /sub/" + keys + " HTTP/1.1", "Host: a", "Accept: " + accepts[form], "\r\n"}, "\r\n")
}

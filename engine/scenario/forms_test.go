package scenario

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/engine/route"
	"holdfast/engine/simkernel"
)

// answer is a publisher's whole answer: its status and body, once it has come.
func (c *client) answer() (status int, body string, err error) {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(c.read())), nil)
	if err != nil {
		return 0, "", err
	}
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// chunks sends a body as chunks of a few bytes.
func chunks(body string, size int) string {
	var b strings.Builder
	for len(body) > 0 {
		n := min(size, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return b.String() + "0\r\n\r\n"
}

// TestFormsInRoughWeather publishes in every form, length known and not, in good weather and bad, and behind it asks for
// something else on the same connection, if that is still to be had.
func TestFormsInRoughWeather(t *testing.T) {
	const lines, batch, parts, raw = "application/x-ndjson", "application/json", "multipart/mixed; boundary=b", "text/plain"
	item := func(n int) string { return fmt.Sprintf(`{"key":"far","data":"%d"}`, n) }
	long := strings.Repeat("x", 2*1000+64<<10+10)
	f := func(name, target, kind, body string, status, verdicts, heard int) {
		t.Helper()
		for seed := range uint64(6) {
			weather := simkernel.Options{Nap: 10 * time.Millisecond}
			if seed%2 == 1 {
				weather = simkernel.Rough()
				weather.Nap, weather.InputPieces = 10*time.Millisecond, 900
			}
			n := newNode(t, seed, config{loops: 2, weather: weather, policy: route.Policy{MaxPayload: 1000, MaxItemsFlying: 3}})
			holder := n.units[1].subscribe("far", sse)
			n.rest()
			head := "POST " + target + " HTTP/1.1\r\nHost: h\r\nContent-Type: " + kind + "\r\n"
			if seed < 3 {
				head += fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
			} else {
				head += "Transfer-Encoding: chunked\r\n\r\n" + chunks(body, 7+int(seed)*500)
			}
			c := n.units[0].dial(n.units[0].publish, head)
			n.rest()
			got, text, err := c.answer()
			if got == 202 { // in bad weather a message may be pending when its push is answered
				got = 200
			}
			if err != nil || got != status {
				t.Fatalf("%s, seed %d: %d %v in %q", name, seed, got, err, c.wire)
			}
			said := strings.Count(text, `"index":`)
			if kind == batch {
				var all []json.RawMessage
				if status == 200 && json.Unmarshal([]byte(text), &all) != nil {
					t.Errorf("%s, seed %d: %q is no JSON", name, seed, text)
				}
				said = len(all)
			}
			frames := bytes.Count(holder.read(), []byte("\ndata: "))
			if said != verdicts || frames != heard {
				t.Fatalf("%s, seed %d: %d verdicts, %d messages, want %d and %d\n%s", name, seed, said, frames, verdicts, heard, text)
			}
			n.asksAgain(c)
			n.end()
		}
	}
	var many, bad []string
	for i := range 40 {
		many, bad = append(many, item(i)), append(bad, item(i), "bad")
	}
	f("raw", "/push/far", raw, "hello", 200, 0, 1)
	f("raw, too large", "/push/far", raw, strings.Repeat("x", 1001), 413, 0, 0)
	f("raw, far too large", "/push/far", raw, strings.Repeat("x", 200_000), 413, 0, 0)
	f("raw, bad key", "/push/%", raw, "hello", 400, 0, 0)
	f("lines", "/push", lines, strings.Join(many, "\n"), 200, 40, 40)
	f("lines, every second one bad", "/push", lines, strings.Join(bad, "\n"), 200, 80, 40)
	f("lines, then a long one", "/push", lines, strings.Join(many[:10], "\n")+"\n"+long+"\n"+item(0), 200, 11, 10)
	f("lines, a long one last", "/push", lines, strings.Join(many[:10], "\n")+"\n"+long, 200, 11, 10)
	f("batch", "/push", batch, "["+strings.Join(many, ",")+"]", 200, 40, 40)
	f("batch, empty", "/push", batch, "[]", 200, 0, 0)
	f("batch, every second one bad", "/push", batch, "["+strings.Join(bad, ",")+"]", 200, 80, 40)
	f("batch, no end", "/push", batch, "["+strings.Join(many, ","), 400, 0, 0)
	part := "--b\r\nPush-Key: far\r\n\r\nx\r\n"
	f("parts", "/push", parts, strings.Repeat(part, 40)+"--b--", 200, 40, 40)
	f("parts, cut", "/push", parts, strings.Repeat(part, 10)+"--b\r\nno field\r\n\r\n"+strings.Repeat("x", 3000), 200, 11, 10)
	f("parts, no end", "/push", parts, strings.Repeat(part, 10)+"--b\r\nPush-Key: far\r\n\r\nhalf", 200, 11, 10)
}

// asksAgain uses a connection for another request, if it is still open.
func (n *node) asksAgain(c *client) {
	n.t.Helper()
	if closed, _ := c.Closed(); closed {
		return
	}
	before := len(c.wire)
	c.Write([]byte("GET /push/far HTTP/1.1\r\nHost: h\r\n\r\n"))
	n.rest()
	if next := c.read()[before:]; !bytes.HasPrefix(next, []byte("HTTP/1.1 200 OK\r\n")) {
		n.t.Errorf("the next answer is %q", next)
	}
}

// A batch whose publisher does not read is dispatched no further than a turn, and goes on when it reads.
func TestBatchWaitsForItsReader(t *testing.T) {
	n := newNode(t, 1, config{loops: 1, weather: simkernel.Options{SendBuffer: 4 << 10, Nap: time.Millisecond}})
	const items = 5_000
	body := "[" + strings.Repeat(`{"key":"nobody","data":""},`, items-1) + `{"key":"nobody","data":""}]`
	u := n.units[0]
	c := u.dial(u.publish, "")
	c.Stall()
	c.Write([]byte(post("/push", body, "Content-Type: application/json")))
	for range 300 {
		u.loop.Tick()
	}
	if g := u.loop.Gauge(); g.QueuedBytes > 128<<10 || g.QueuedBytes == 0 {
		t.Errorf("%d bytes are queued", g.QueuedBytes)
	}
	c.Resume()
	n.rest()
	_, text, err := c.answer()
	var all []verdict
	if err != nil || json.Unmarshal([]byte(text), &all) != nil || len(all) != items {
		t.Errorf("%d verdicts, %v", len(all), err)
	}
	n.end()
}

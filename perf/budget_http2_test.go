package perf

import (
	"fmt"
	"net"
	"testing"
	"time"

	"holdfast/codec/h2"
)

// streamsEach is how many streams share a connection where further streams are measured; it bears a hundredth of the
// connection's own cost.
const streamsEach = 100

func TestBudgetWebSocket(t *testing.T) {
	testIdle(t, budgetHold, upgradeRequest+"\r\n", "\r\n\r\n")
}

// The answer's only extension is read as the last thing, so that a server that compresses nothing fails.
func TestBudgetWebSocketDeflate(t *testing.T) {
	testBudget(t, budgetHold, "connection", func(d *daemon, i int) net.Conn {
		request := fmt.Sprintf(upgradeRequest+"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", keyBytes, i)
		return d.open(t, i, request, "permessage-deflate")
	}, "--ws-deflate")
}

const upgradeRequest = "GET /sub/%0*d HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"

func TestBudgetHTTP2(t *testing.T) {
	testBudget(t, budgetHTTP2, "connection with a held stream", func(d *daemon, i int) net.Conn {
		c := dialHTTP2(t, d, i)
		c.hold(t, i)
		return c
	})
}

func TestBudgetHTTP2Stream(t *testing.T) {
	var c *http2Conn
	testBudget(t, budgetStream+overStream, fmt.Sprintf("held stream, whose budget proper is %d,", budgetStream), func(d *daemon, i int) net.Conn {
		if i%streamsEach > 0 {
			c.hold(t, i)
			return nil
		}
		c = dialHTTP2(t, d, i/streamsEach)
		c.hold(t, i)
		return c
	})
}

// http2Conn is a client's connection that holds streams.
type http2Conn struct {
	net.Conn
	reader h2.Reader
	kept   []byte // read, and not a whole frame
	next   uint32 // stream
}

// dialHTTP2 begins a connection and answers the server's SETTINGS, so that nothing is pending when it is measured.
func dialHTTP2(t *testing.T, d *daemon, i int) *http2Conn {
	t.Helper()
	c := &http2Conn{Conn: d.dial(t, i), next: 1}
	c.send(t, h2.AppendSettings([]byte(h2.Preface)))
	acknowledged := false
	c.until(t, func(f *h2.Frame) bool {
		if f.Type == h2.TypeSettings && f.Flags.Has(h2.Ack) {
			acknowledged = true
		}
		return acknowledged
	})
	return c
}

// hold opens a stream that is held under a key with that number, and reads the head of its answer.
func (c *http2Conn) hold(t *testing.T, i int) {
	t.Helper()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	id := c.next
	c.next += 2
	b := h2.OpenHeaders(nil, id, true)
	if id == 1 {
		b = h2.AppendTableZero(b)
	}
	b = h2.AppendRequest(b, "GET", "http", "h", fmt.Sprintf("/sub/%0*d", keyBytes, i))
	b = h2.AppendField(b, "accept", "text/event-stream")
	c.send(t, h2.CloseHeaders(b, 0, h2.MinFrame))
	headed, settled := false, id > 1 // behind its first answer the server says that it keeps no HPACK table
	c.until(t, func(f *h2.Frame) bool {
		headed = headed || f.Type == h2.TypeHeaders && f.Stream == id && f.Flags.Has(h2.EndHeaders)
		settled = settled || f.Type == h2.TypeSettings && !f.Flags.Has(h2.Ack)
		return headed && settled
	})
}

func (c *http2Conn) send(t *testing.T, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

// until reads frames up to one that is wanted, and answers what must be answered.
func (c *http2Conn) until(t *testing.T, wanted func(*h2.Frame) bool) {
	t.Helper()
	buf := make([]byte, 4096)
	for {
		f, n, err := c.reader.Next(c.kept, &h2.DefaultLimits)
		c.kept = c.kept[n:]
		switch {
		case err != nil:
			t.Fatal(err)
		case f.Event == h2.More:
			if n, err = c.Read(buf); err != nil {
				t.Fatal(err)
			}
			c.kept = append(c.kept, buf[:n]...)
			continue
		case f.Type == h2.TypeReset || f.Type == h2.TypeGoaway:
			t.Fatalf("the server sent a frame of type %d, %x", f.Type, f.Payload)
		case f.Type == h2.TypeSettings && !f.Flags.Has(h2.Ack):
			c.send(t, h2.AppendSettingsAck(nil))
		}
		if wanted(&f) {
			return
		}
	}
}

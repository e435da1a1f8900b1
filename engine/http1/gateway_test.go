package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/engine/exchange"
	"holdfast/engine/gateway"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/simkernel"
	"holdfast/registry"
)

// house is a rig whose handler is the real gateway. It notes the methods of the requests that were heard.
type house struct {
	*rig
	exchange.Handler
	methods map[uint32][]string // by slot
}

func newHouse(t testing.TB, seed uint64, o simkernel.Options) *house {
	t.Helper()
	h := &house{rig: bareRig(t, seed, o), methods: map[uint32][]string{}}
	shared := gateway.NewShared(1, registry.New(registry.Config{Loops: 1, Shards: 1}))
	shared.Snapshot.Store(&route.Snapshot{
		Listeners: []route.Listener{{Name: "all"}},
		Policies:  []route.Policy{route.Policy{MaxPayload: 32 << 10}.Filled()},
		Routes: []route.Route{
			{Prefix: "/sub", Action: route.Hold},
			{Prefix: "/sub/", Action: route.Hold},
			{Prefix: "/push", Action: route.Push},
			{Prefix: "/push/", Action: route.Push},
			{Prefix: "/echo", Action: route.Echo},
			{Prefix: "/", Action: route.Respond, Status: 200, Type: "text/html", Body: []byte("page")},
		},
	})
	space := exchange.NewSpace(h.l)
	g := gateway.New(shared, space, h.l.Wake, gateway.Config{})
	h.Handler = g
	h.serve(h, g, Config{})
	space.Speak(record.HTTP1, h.s)
	return h
}

func (h *house) Begin(x exchange.Exchange, head *exchange.Head) {
	h.methods[x.Slot] = append(h.methods[x.Slot], string(head.Method))
	h.Handler.Begin(x, head)
}

// answers reads everything that a client got as net/http does, and says what statuses it had. What was asked by which
// method is known; behind that, one refusal may come. Only the last answer may be cut short.
func answers(t testing.TB, wire string, methods []string) (statuses []int, bodies []string) {
	t.Helper()
	b := bufio.NewReader(strings.NewReader(wire))
	for {
		if _, err := b.Peek(1); err != nil {
			return statuses, bodies
		}
		method := "GET"
		if len(methods) > 0 {
			method = methods[0]
		}
		resp, err := http.ReadResponse(b, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("net/http cannot read an answer: %v\n%q", err, wire)
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			if _, more := b.Peek(1); more == nil {
				t.Fatalf("net/http cannot read a body: %v\n%q", err, wire)
			}
		}
		statuses, bodies = append(statuses, resp.StatusCode), append(bodies, string(body))
		switch {
		case resp.StatusCode == 100:
		case len(methods) > 0:
			methods = methods[1:]
		case resp.StatusCode < 400 || !resp.Close:
			t.Fatalf("an answer to nothing: %v\n%q", resp, wire)
		}
	}
}

// A hold and a push by plain bytes, in any weather: the verdict is true and the message arrives.
func TestGatewayHoldAndPush(t *testing.T) {
	for seed := range uint64(30) {
		o := simkernel.Options{}
		if seed > 0 {
			o = simkernel.Rough()
		}
		h := newHouse(t, seed, o)
		sub := h.dial()
		sub.send("GET /sub/a HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n")
		pub := h.dial()
		pub.send("POST /push/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" +
			"POST /push/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n1\r\nx\r\n0\r\n\r\n")
		pub.send("POST /push/a HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n" + strings.Repeat("x", 40000) +
			"GET /push/a HTTP/1.1\r\nHost: a\r\n\r\n")
		statuses, bodies := answers(t, pub.output(), []string{"POST", "POST", "POST", "GET"})
		if got := fmt.Sprint(statuses); got != "[200 100 404 413 200]" && got != "[202 100 404 413 200]" {
			t.Fatalf("seed %d: %s %q", seed, got, bodies)
		}
		if got := sub.output(); !strings.HasSuffix(got, "\r\n\r\nd\r\ndata: hello\n\n\r\n") {
			t.Fatalf("seed %d: %q", seed, got)
		}
		sub.leave()
		pub.hangUp()
		pub.isEnded()
		h.empty()
	}
}

// A publisher that ends its side with its request, as nc does, gets its verdict.
func TestGatewayPublisherHangsUp(t *testing.T) {
	h := newHouse(t, 1, simkernel.Options{})
	c := h.dial()
	c.p.Write([]byte("POST /push/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"))
	c.p.CloseWrite()
	c.settle()
	if got, _ := answers(t, c.output(), []string{"POST"}); fmt.Sprint(got) != "[404]" {
		t.Errorf("answers %v", got)
	}
	c.isEnded()
	h.empty()
}

// A stream of items may be silent between them for longer than a body may inside, once it has shown one.
func TestGatewayQuietStream(t *testing.T) {
	h := newHouse(t, 1, simkernel.Options{})
	c := h.dial()
	c.send("POST /push HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
	c.pass(9 * time.Second)
	c.send("17\r\n{\"key\":\"a\",\"data\":\"x\"}\n\r\n")
	c.pass(60 * time.Second)
	c.isOpen()
	if got := c.output(); !strings.Contains(got, `"delivered":0`) {
		t.Errorf("no verdict but %q", got)
	}
	c.send("5\r\n{\"key\r\n")
	c.pass(11 * time.Second)
	if closed, _ := c.p.Closed(); !closed {
		t.Error("half an item may take longer than an item's timeout")
	}
	c.leave()
	h.empty()
}

// An echo of a body that is held back, or larger than what may be queued, is whole.
func TestGatewayEcho(t *testing.T) {
	h := newHouse(t, 1, simkernel.Options{})
	c := h.dial()
	c.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	c.send("hello")
	if got, bodies := answers(t, c.output(), []string{"POST"}); fmt.Sprint(got) != "[100 200]" || bodies[1] != "hello" {
		t.Errorf("answers %v %q", got, bodies)
	}
	c.p.Stall()
	big := strings.Repeat("0123456789abcdef", 20<<10)
	c.send(fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(big), big))
	if q := h.l.Gauge().QueuedBytes; q > 256<<10 {
		t.Errorf("%d bytes are queued for who does not read", q)
	}
	for range 100 {
		c.p.Drain(8 << 10)
		c.settle()
	}
	c.p.Resume()
	c.settle()
	if got, bodies := answers(t, c.output(), []string{"POST"}); fmt.Sprint(got) != "[200]" || bodies[0] != big {
		t.Errorf("answers %v, %d bytes of %d", got, len(bodies[0]), len(big))
	}
	c.leave()
	h.empty()
}

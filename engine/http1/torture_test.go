package http1

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast/codec/h1"
	"holdfast/engine/simkernel"
)

const (
	tortureSeeds   = 200
	tortureClients = 4
	tortureAsks    = 10
)

// TestTorture lets clients ask all kinds of things, right and wrong, in pieces and behind one another, in any weather,
// while messages come and clients go. What they get is held against what a server would say that has one client, all
// the time in the world and a blocking read.
func TestTorture(t *testing.T) {
	for seed := range simkernel.Seeds(tortureSeeds, testing.Short()) {
		torture(t, seed)
		if t.Failed() {
			t.Fatalf("replay with SEED=%d", seed)
		}
	}
}

// ask is one request and what it is answered. A poll's answer, and what a stream is sent, is in the script's records.
type ask struct {
	raw    string
	want   string
	parked string // the form, else ""
	last   bool   // nothing behind it is answered
}

// tortured is one client and its plan.
type tortured struct {
	*client
	name string
	asks []ask
	left string // not sent yet
	gone bool   // it may miss the end of what it was to get
	half bool   // it ended its side: what it parks from then on is let go
}

func torture(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	o := simkernel.Options{}
	if seed%3 == 0 {
		o = simkernel.Rough()
	}
	r := newRig(t, seed, o, Config{PipelineBytes: 1 << 20, OutputBytes: 1 << 10})
	clients := make([]*tortured, tortureClients)
	for i := range clients {
		c := &tortured{client: r.dial(), name: fmt.Sprint("c", i)}
		for n := 0; n < tortureAsks && (n == 0 || !c.asks[n-1].last); n++ {
			a := anyAsk(rng, c.name)
			c.asks = append(c.asks, a)
			c.left += a.raw
		}
		if rng.IntN(2) == 0 {
			c.left += "GET /behind HTTP/1.1\r\nHost: a\r\n\r\n"
			c.asks = append(c.asks, ask{want: plain(200, "GET /behind? of a length 0: \r\n", false)})
		}
		clients[i] = c
	}
	message := 0
	for step := range 150 {
		c := clients[rng.IntN(len(clients))]
		c.move(rng, step)
		switch rng.IntN(8) {
		case 0:
			r.l.Post(r.script.answer)
		case 1:
			r.l.Post(r.script.resume)
		case 2:
			message++
			r.pushNumber(message)
		case 3:
			r.settle()
		default:
			r.l.Tick()
		}
	}
	for _, c := range clients {
		c.p.Resume()
		if !c.gone && !c.half {
			c.p.Write([]byte(c.left))
		}
	}
	for range 4 * tortureAsks {
		message++
		r.pushNumber(message)
		r.do(r.script.answer)
		for r.script.paused() {
			r.do(r.script.resume)
		}
	}
	for _, c := range clients {
		c.judge()
		c.p.Reset()
	}
	r.settle()
	r.empty()
}

// move lets a client do something.
func (c *tortured) move(rng *rand.Rand, step int) {
	if c.gone || c.half {
		return
	}
	switch n := rng.IntN(60); {
	case n == 0 && step > 50:
		c.gone = true
		c.p.Reset()
	case n == 1 && step > 50:
		c.half = true
		c.p.CloseWrite()
	case n == 2:
		c.p.Stall()
	case n < 8:
		c.p.Resume()
	default:
		size := min(len(c.left), 1+rng.IntN(1+rng.IntN(200)))
		c.p.Write([]byte(c.left[:size]))
		c.left = c.left[size:]
	}
}

// pushNumber sends everybody who is parked the next message.
func (r *rig) pushNumber(n int) { r.push(message(fmt.Sprint("message ", n))) }

// judge holds what a client got against the model.
func (c *tortured) judge() {
	want, certain := "", -1
	messages := c.script.sent[c.name]
	for _, a := range c.asks {
		want += a.want
		if a.parked != "" && certain < 0 {
			certain = len(want)
		}
		switch {
		case a.parked == "poll" && len(messages) > 0:
			want += pollAnswer(messages[0])
			messages = messages[1:]
		case a.parked == "poll" && !c.half && !c.gone:
			c.Errorf("%s: a poll was not answered", c.name)
		case a.parked == "sse":
			for _, m := range messages {
				want += fmt.Sprintf("%x\r\ndata: %s\n\n\r\n", len(m)+8, m)
			}
		}
		if a.last {
			break
		}
	}
	got := c.output()
	whole := !c.gone && !c.half
	if !strings.HasPrefix(want, got) || whole && got != want {
		c.Errorf("%s (gone %v, half %v): got\n%q\nwant\n%q", c.name, c.gone, c.half, got, want)
	}
	if closed, how := c.p.Closed(); whole && closed != c.asks[len(c.asks)-1].closes(c.asks) || how == simkernel.Rst && !c.gone {
		c.Errorf("%s: the connection is %v", c.name, how)
	}
}

// closes reports whether one of the requests ends the connection.
func (ask) closes(all []ask) bool {
	for _, a := range all {
		if a.last {
			return a.parked == ""
		}
	}
	return false
}

func pollAnswer(m string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nDate: now\r\nCache-Control: no-store\r\nContent-Type: text/plain\r\n"+
		"Content-Length: %d\r\n\r\n%s", len(m), m)
}

// anyAsk invents a request of the client with that name.
func anyAsk(rng *rand.Rand, name string) ask {
	const end = "\r\n"
	body := strings.Repeat("b", 1+rng.IntN(1+rng.IntN(300)))
	get := func(path string) string { return "GET " + path + host }
	post := func(path string) string { return "POST " + path + host }
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	said := func(path string, length int) string {
		return plain(200, fmt.Sprintf("POST %s? of a length %d: %s\r\n", path, length, body), false)
	}
	switch rng.IntN(22) {
	case 0, 1:
		return ask{raw: get("/ok") + end, want: plain(200, "ok\r\n", false)}
	case 2:
		return ask{raw: "\r\n" + get("/x?y") + "A: b\r\n" + end, want: plain(200, "GET /x?y of a length 0: \r\n", false)}
	case 3, 4:
		return ask{raw: post("/x") + length + end + body, want: said("/x", len(body))}
	case 5, 6:
		return ask{raw: post("/x") + "Transfer-Encoding: chunked\r\n" + end + inChunks(rng, body), want: said("/x", -1)}
	case 7:
		return ask{raw: post("/now") + length + end + body, want: plain(200, "now\r\n", false)}
	case 8:
		return ask{raw: post("/stop") + length + end + body, want: plain(413, "stop\r\n", false)}
	case 9:
		return ask{raw: post("/slow") + length + end + body, want: said("/slow", len(body))}
	case 10, 11:
		return ask{raw: get("/later") + end, want: plain(200, "later\r\n", false)}
	case 12, 13:
		return ask{raw: get("/hold/poll?"+name) + end, parked: "poll"}
	case 14:
		head, _, _ := strings.Cut(plain(200, "ok\r\n", false), "ok\r\n")
		return ask{raw: "HEAD /ok" + host + end, want: head}
	case 15:
		return ask{raw: get("/status/204") + end, want: "HTTP/1.1 204 No Content\r\nDate: now\r\nContent-Type: text/plain\r\n\r\n"}
	case 16:
		return ask{raw: post("/x") + length + "Expect: 100-continue\r\n" + end + body, want: "HTTP/1.1 100 Continue\r\n\r\n" + said("/x", len(body))}
	case 17:
		want := "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
		return ask{raw: post("/stream") + length + end + body, want: want + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)}
	case 18:
		return ask{raw: get("/ok") + "Connection: close\r\n" + end, want: plain(200, "ok\r\n", true), last: true}
	case 19:
		return ask{raw: post("/now") + "Transfer-Encoding: chunked\r\n" + end + inChunks(rng, body), want: plain(200, "now\r\n", true), last: true}
	case 20:
		return badAsk(rng)
	}
	want := "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: text/event-stream\r\nPush-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n"
	return ask{raw: get("/hold/sse?"+name) + end, want: want, parked: "sse", last: true}
}

func badAsk(rng *rand.Rand) ask {
	bad := []ask{
		{raw: "GET /x HTTP/1.1\r\n\r\n", want: refusal(400, "Host missing")},
		{raw: "GET /x HTTP/1.1\r\nHost: a\nA: b\r\n\r\n", want: refusal(400, "bare LF")},
		{raw: top + " fold\r\n\r\n", want: refusal(400, "line begins with whitespace (obs-fold)")},
		{raw: top + "Transfer-Encoding: gzip\r\n\r\n", want: refusal(400, "chunked is not the last coding")},
		{raw: chunkedTop + "1\r\nab\r\n", want: refusal(400, "chunk data does not end in CRLF")},
		{raw: chunkedTop + "x\r\n", want: refusal(400, "malformed chunk size")},
		{raw: "GET /x HTTP/3.0\r\n\r\n", want: refusal(505, "HTTP version not supported")},
	}
	a := bad[rng.IntN(len(bad))]
	a.last = true
	return a
}

// inChunks is the body in chunks of any size, with extensions and trailers now and then.
func inChunks(rng *rand.Rand, body string) string {
	var b []byte
	for len(body) > 0 {
		n := 1 + rng.IntN(len(body))
		if rng.IntN(3) == 0 {
			b = fmt.Appendf(b, "%x;e=\"x\"\r\n", n)
		} else {
			b = h1.AppendChunkSize(b, n)
		}
		b = append(append(b, body[:n]...), h1.CRLF...)
		body = body[n:]
	}
	if rng.IntN(3) == 0 {
		return string(b) + "0\r\nA: b\r\n\r\n"
	}
	return string(b) + h1.LastChunk
}

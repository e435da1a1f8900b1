package http1

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"holdfast/codec/sse"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// said is a message as a client understands it.
type said struct{ id, event, data string }

// understand reads an answer as a client of its form would, with other people's parsers where there are any.
func understand(t *testing.T, form string, wire []byte) (all []said) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(wire)), nil)
	if err != nil {
		t.Fatalf("%s: %v in %q", form, err, wire)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // a stream that goes on
		t.Fatalf("%s: %v in %q", form, err, wire)
	}
	switch form {
	case "poll":
		h := resp.Header
		return []said{{h.Get("Push-Id"), h.Get("Push-Event"), string(body)}}
	case "sse":
		return understandEvents(t, body)
	case "ndjson":
		d := json.NewDecoder(bytes.NewReader(body))
		for {
			var line struct{ ID, Event, Data string }
			if err := d.Decode(&line); errors.Is(err, io.EOF) {
				return all
			} else if err != nil {
				t.Fatalf("%v in %q", err, body)
			}
			all = append(all, said{line.ID, line.Event, line.Data})
		}
	case "raw":
		return []said{{data: string(body)}}
	}
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err != nil {
			return all
		}
		data, err := io.ReadAll(p)
		if err != nil {
			return all // the headers of the next part have not come
		}
		all = append(all, said{p.Header.Get("Push-Id"), p.Header.Get("Push-Event"), string(data)})
	}
}

func understandEvents(t *testing.T, body []byte) (all []said) {
	var p sse.Parser
	for {
		ev, n, ok, err := p.Next(body)
		if err != nil {
			t.Fatal(err)
		}
		if body = body[n:]; !ok {
			return all
		}
		all = append(all, said{string(ev.ID), string(ev.Name), string(ev.Data)})
	}
}

var formNames = []string{"poll", "sse", "ndjson", "mixed", "replace", "raw"}

// breaks are what an event stream makes of line breaks.
var breaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// carry pushes one payload to a client of the form, which must understand exactly that, or be sent nothing.
func carry(t *testing.T, r *rig, form, version, data string, carried bool) {
	t.Helper()
	c := r.dial()
	c.send("GET /hold/" + form + " HTTP/" + version + "\r\nHost: a\r\n\r\n")
	before := c.output()
	fates := r.push(message(data))
	c.p.Resume()
	c.settle()
	got := c.output()
	if !carried {
		if got != "" || fates[0] != record.DroppedForm {
			t.Errorf("%s: %v %q, want nothing sent", form, fates, got)
		}
		c.isOpen()
	} else {
		want := data
		if form == "sse" {
			want = breaks.Replace(data)
		}
		if fates[0] != record.Delivered && fates[0] != record.Pending {
			t.Errorf("%s, %q: %v", form, data, fates)
		}
		if all := understand(t, form, []byte(before+got)); !slices.Equal(all, []said{{data: want}}) {
			t.Errorf("%s by %s: pushed %q, understood %q", form, version, data, all)
		}
	}
	c.leave()
	r.settle()
}

// No payload can be taken for more, or less, than one message, in any form.
func TestPayloadsArrive(t *testing.T) {
	r := calm(t)
	f := func(data string, cannot ...string) {
		t.Helper()
		for _, form := range formNames {
			for _, version := range []string{"1.1", "1.0"} {
				carry(t, r, form, version, data, !slices.Contains(cannot, form))
			}
		}
		r.empty()
	}
	f("", "raw") // an empty chunk would be the end
	f("x")
	f("a\nb")
	f("a\rb")
	f("a\r\nb")
	f("a\n\rb")
	f("\n")
	f("\r\n\r\n")
	f("\ndata: x\nevent: y")
	f("\n\ndata: x\nevent: y\n\n")
	f("x\r\rid: 1\rdata: y\r\r")
	f(": comment")
	f(" leading and trailing ")
	f("\"}\n{\"event\":\"goaway\"}\n")
	f("\\u000a\\")
	f("\u2028\u2029\u0085")
	f("0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	f("\r\n--BOUN")
	f("BOUND")
	f("--BOUND\r\nPush-Event: goaway\r\n\r\n", "mixed", "replace")
	f("a\r\n--BOUND--\r\n", "mixed", "replace")
	f("a\x00b")
	f("\xff\xfe", "sse", "ndjson")
	f("caf\xe9", "sse", "ndjson")
	f("\xed\xa0\x80", "sse", "ndjson")
	for _, n := range []int{mem.SmallFrame - 1, mem.SmallFrame, mem.SmallFrame + 1, 65535, bigBytes} {
		f(strings.Repeat("x", n))
		f(strings.Repeat("\n", min(n, mem.SmallFrame+1)))
	}
}

// The same for what chance makes of the bytes that matter, in bad weather too.
func TestPayloadsArriveAtRandom(t *testing.T) {
	pieces := []string{"\r", "\n", "\r\n", "data: ", "event: goaway", "id:", ":", " ", "--", boundary, "-", "{", "}", "\"", "\\", "0", "a", "é", "\u2028"}
	for seed := range simkernel.Seeds(60, testing.Short()) {
		rng := rand.New(rand.NewPCG(seed, 0))
		o := simkernel.Options{}
		if seed%2 == 1 {
			o = simkernel.Rough()
		}
		r := newRig(t, seed, o, Config{})
		var data strings.Builder
		for range 1 + rng.IntN(30) {
			data.WriteString(pieces[rng.IntN(len(pieces))])
		}
		if strings.Contains(data.String(), "--"+boundary) {
			continue
		}
		text := strings.Repeat(data.String(), 1+rng.IntN(3)*rng.IntN(200))
		for _, form := range formNames {
			carry(t, r, form, "1.1", text, true)
		}
		r.empty()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// A message's id, event and type, as each form says them.
func TestNamesArrive(t *testing.T) {
	f := func(form, kind, data, want string) {
		t.Helper()
		r := calm(t)
		c := r.dial()
		c.send("GET /hold/" + form + " HTTP/1.0\r\n\r\n")
		before := c.output()
		p := mem.NewPayload(0)
		p.SetID([]byte("7"))
		p.SetEvent([]byte("tick"))
		p.SetType([]byte(kind))
		p.Append([]byte(data))
		r.push(p)
		got := c.output()
		if got != want {
			t.Errorf("%s: %q, want %q", form, got, want)
		}
		if kind == "" && form != "raw" {
			if all := understand(t, form, []byte(before+got)); !slices.Equal(all, []said{{"7", "tick", data}}) {
				t.Errorf("%s: understood %q", form, all)
			}
		}
		c.leave()
		r.empty()
	}
	f("sse", "", "x", "id: 7\nevent: tick\ndata: x\n\n")
	f("ndjson", "", "x", `{"id":"7","event":"tick","data":"x"}`+"\n")
	f("ndjson", "application/json", `{ "a": [1, 2.50] }`, `{"id":"7","event":"tick","data":{"a":[1,2.50]}}`+"\n")
	f("ndjson", "application/json", `{ "a": `, `{"id":"7","event":"tick","data":"{ \"a\": "}`+"\n")
	part := "Content-Type: application/octet-stream\r\nContent-Length: 1\r\nPush-Id: 7\r\nPush-Event: tick\r\n\r\nx\r\n--BOUND\r\n"
	f("mixed", "", "x", part)
	f("replace", "", "x", part)
	f("mixed", "image/png", "x", strings.Replace(part, "application/octet-stream", "image/png", 1))
	f("raw", "image/png", "x", "x")
	f("poll", "", "x", "HTTP/1.1 200 OK\r\nDate: now\r\nCache-Control: no-store\r\nPush-Id: 7\r\nPush-Event: tick\r\n"+
		"Connection: close\r\nContent-Length: 1\r\n\r\nx")
	f("poll", "image/png", "x", "HTTP/1.1 200 OK\r\nDate: now\r\nCache-Control: no-store\r\nContent-Type: image/png\r\n"+
		"Push-Id: 7\r\nPush-Event: tick\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
}

// A push is framed once for all who get it in the same form.
func TestFramesAreShared(t *testing.T) {
	r := calm(t)
	framed := map[int]int{}
	for wire, framer := range r.s.framers.wire {
		r.s.framers.wire[wire] = func(dst []byte, p *mem.Payload) ([]byte, int) {
			framed[wire]++
			return framer(dst, p)
		}
	}
	var clients []*client
	for i := range 120 {
		form := formNames[i%len(formNames)]
		c := r.dial()
		c.send(fmt.Sprintf("GET /hold/%s HTTP/1.%d\r\nHost: a\r\n\r\n", form, i/6%2))
		c.output()
		clients = append(clients, c)
	}
	r.push(message("hello"))
	for _, c := range clients {
		if got := c.output(); !strings.Contains(got, "hello") {
			t.Errorf("got %q", got)
		}
		c.leave()
	}
	if len(framed) != 2*len(formNames) {
		t.Errorf("framed in %d forms, want %d", len(framed), 2*len(formNames))
	}
	for wire, n := range framed {
		if n != 1 {
			t.Errorf("wire form %d was framed %d times", wire, n)
		}
	}
	r.empty()
}

// Large frames leave in pieces of any size, behind one another and behind what the session itself writes.
func TestLargeFramesInPieces(t *testing.T) {
	for seed := range uint64(20) {
		r := newRig(t, seed, simkernel.Rough(), Config{})
		c := r.dial()
		c.get("/hold/sse")
		before := c.output()
		var want []said
		for i := range 5 {
			data := strings.Repeat(fmt.Sprint(i), mem.SmallFrame-2+i)
			want = append(want, said{data: data})
			p := message(data)
			r.l.Post(func() {
				r.script.deliver(exchange.Exchange{Slot: r.slot(), Session: r.s}, p)
				r.s.Beat(r.slot(), 0)
				p.Release()
			})
		}
		r.settle()
		if got := understand(t, "sse", []byte(before+c.output())); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d messages of %d arrived whole", seed, len(got), len(want))
		}
		c.leave()
		r.empty()
	}
}

package gateway

import (
	"strings"
	"testing"

	"holdfast/engine/route"
)

// A Content-Length is only a promise: what is set aside follows what has come.
func TestPromisedBodiesReserveLittle(t *testing.T) {
	f := func(request string, lines ...string) {
		t.Helper()
		w := newWorld(t, 1, Config{}, route.Policy{})
		l := w.loops[0]
		c := l.beginSized(request, 1<<20, lines...)
		if got := l.g.Depths().Bodies; got > 64<<10 {
			t.Errorf("%s: %d bytes before any of the body", request, got)
		}
		c.body("[" + strings.Repeat(" ", 100<<10))
		if got := l.g.Depths().Bodies; got < 100<<10 || got > 300<<10 {
			t.Errorf("%s: %d bytes for 100 KiB of body", request, got)
		}
		c.leave()
		if got := l.g.Depths().Bodies; got != 0 {
			t.Errorf("%s: %d bytes are left", request, got)
		}
	}
	f("POST /push/a")
	f("POST /push", jsonBatch)
}

// Bodies that do not end fill their share and no more: the next is refused, and those that others end make room again.
func TestKeptBodiesAreBounded(t *testing.T) {
	f := func(contentType, body string, want int) {
		t.Helper()
		const bound = 64 << 10
		w := newWorld(t, 1, Config{MaxBodies: bound}, route.Policy{})
		l := w.loops[0]
		holder := l.sub("a")
		var kept []*call
		for range 4 {
			c := l.begin("POST /push", jsonBatch)
			c.body("[" + strings.Repeat(" ", 15<<10))
			kept = append(kept, c)
		}
		if got := l.g.Depths().Bodies; got != bound || kept[3].over {
			t.Fatalf("%d bytes kept", got)
		}
		c := l.begin("POST /push", "Content-Type: "+contentType)
		c.body(body)
		c.complete()
		w.rest()
		if status := refusedAs(c); !c.over || status != want {
			t.Errorf("%s: over %v, %s", contentType, c.over, c)
		}
		if got := l.g.Depths().Bodies; got != bound {
			t.Errorf("%s: %d bytes kept", contentType, got)
		}
		kept[0].leave()
		c = l.post("POST /push", `[{"key":"a","data":"x"}]`, jsonBatch)
		w.rest()
		if c.answer.Status != 200 || len(holder.heard) == 0 || holder.heard[len(holder.heard)-1] != "x" {
			t.Errorf("with room again: %s", c)
		}
	}
	f("application/json", "[", 503)
	f("application/x-ndjson", `{"key":`, 503)
	f("application/x-ndjson", `{"key":"a","data":"y"}`+"\n", 200) // nothing of it is kept
	f("multipart/mixed; boundary=b", "--b\r\nPush-Key: a\r\n\r\nhal", 503)
	f("multipart/mixed; boundary=b", "--b\r\nPush-Key: a\r\n\r\nwhole\r\n--b--", 200)
}

// refusedAs is the status of a request's answer, or of its first verdict.
func refusedAs(c *call) int {
	if c.answer.Status != 200 || c.answer.Type != ndjsonType {
		return c.answer.Status
	}
	return c.verdicts()[0].Status
}

func TestRawBodyRefusedWithoutRoom(t *testing.T) {
	w := newWorld(t, 1, Config{MaxBodies: 32 << 10}, route.Policy{})
	l := w.loops[0]
	if c := l.beginSized("POST /push/a", 60<<10); c.answer.Status != 503 || c.field("retry-after") == "" {
		t.Errorf("known to be too much: %s", c)
	}
	c := l.begin("POST /push/a")
	c.body(strings.Repeat("x", 20<<10))
	c.body(strings.Repeat("x", 20<<10))
	if c.answer.Status != 503 {
		t.Errorf("grown to be too much: %s", c)
	}
	if got := l.g.Depths().Bodies; got != 0 {
		t.Errorf("%d bytes are left", got)
	}
}

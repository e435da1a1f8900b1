package gateway

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/engine/route"
)

const jsonBatch = "Content-Type: application/json; charset=utf-8"

func (c *call) batch() (out []verdict) {
	c.loop.t.Helper()
	if err := json.Unmarshal(c.answer.Body, &out); err != nil {
		c.loop.t.Fatalf("%v in %s", err, c)
	}
	return out
}

func TestBatch(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		w := newWorld(t, 2, Config{}, route.Policy{})
		w.loops[0].sub("near")
		w.loops[1].sub("far")
		c := w.loops[0].begin("POST /push", jsonBatch)
		c.body(body[:len(body)/2])
		c.body(body[len(body)/2:])
		c.complete()
		w.rest()
		if c.answer.Status != 200 || c.answer.Type != jsonType {
			t.Fatalf("%s: %s", body, c)
		}
		vs := c.batch()
		slices.SortFunc(vs, func(a, b verdict) int { return *a.Index - *b.Index })
		if got := statuses(vs); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	f(`[]`, "")
	f(` [ ] `, "")
	f(`[{"key":"near"}]`, "0:200")
	f(`[{"key":"far"},{"key":"near"},{"key":"nobody"},{}]`, "0:200 1:200 2:404 3:400")
	f(`[null,{"keys":["near","far"],"data":[1,{"x":"],["}]}]`, "0:400 1:200")
}

// A batch that is no array of objects is refused whole: nothing of it was pushed.
func TestBatchRefused(t *testing.T) {
	f := func(body string, want int) {
		t.Helper()
		w := newWorld(t, 1, Config{MaxBatch: 1 << 20}, route.Policy{})
		holder := w.loops[0].sub("a")
		c := w.loops[0].post("POST /push", body, jsonBatch)
		w.rest()
		if c.answer.Status != want || len(holder.heard) > 0 {
			t.Errorf("%.40s: %s, heard %q", body, c, holder.heard)
		}
	}
	f(``, 400)
	f(`{"key":"a"}`, 400)
	f(`[{"key":"a"}`, 400)
	f(`[{"key":"a"},1]`, 400)
	f(`[{"key":"a"}] x`, 400)
	f("["+strings.Repeat("0,", maxBatchItems)+"0]", 413)
	f(strings.Repeat(" ", 1<<20)+"[]", 413)
	f(strings.Repeat("[", 1<<20), 400) // must not exhaust the stack
	f(`[{"key":"a","data":`+strings.Repeat(`{"a":`, 1<<17), 400)
	f(`[{"key":"a","data":`+strings.Repeat("[", 1<<18)+strings.Repeat("]", 1<<18)+"}]", 400)
	f(`[{"key":"a","ttl":`+strings.Repeat("[", 1<<18)+strings.Repeat("]", 1<<18)+"}]", 400)
	f(`[{"key":"a","unknown":`+strings.Repeat("[", 1<<18)+strings.Repeat("]", 1<<18)+"}]", 400)

	w := newWorld(t, 1, Config{MaxBatch: 100}, route.Policy{})
	if c := w.loops[0].beginSized("POST /push", 101, jsonBatch); c.answer.Status != 413 {
		t.Errorf("known to be too long: %s", c)
	}
}

func TestElements(t *testing.T) {
	f := func(array string, want int) {
		t.Helper()
		if got := elements([]byte(array)); got != want {
			t.Errorf("%s: %d, want %d", array, got, want)
		}
	}
	f(`[1]`, 1)
	f(`[1,2,3]`, 3)
	f(`[{"a":1,"b":[1,2]},[3,4],"x,\",]y\\",5]`, 4)
	f(`["never ended,`, 1)
	f(`["\`, 1)
}

// A batch of thousands of items that nobody waits for must not hold up the loop, nor its verdicts fill memory.
func TestBatchIsTakenInTurns(t *testing.T) {
	w := newWorld(t, 1, Config{VerdictBacklog: 16 << 10}, route.Policy{})
	l := w.loops[0]
	const n = 20_000
	c := l.begin("POST /push", jsonBatch)
	c.unread = true
	c.body("[" + strings.TrimSuffix(strings.Repeat(`{"key":"nobody"},`, n), ",") + "]")
	c.complete()
	for range 10 {
		l.tick()
	}
	if most := 16<<10 + 256; len(c.answer.Body) > most {
		t.Errorf("%d bytes wait for a publisher that does not read", len(c.answer.Body))
	}
	c.unread, c.queued = false, 0
	before := len(c.answer.Body)
	ticks := 0
	for ; !c.over; ticks++ {
		l.tick()
		if now := len(c.answer.Body); now-before > 9*batchTurn*160 {
			t.Fatalf("%d bytes of verdicts in one tick", now-before)
		} else {
			before = now
		}
	}
	vs := c.batch()
	if len(vs) != n {
		t.Fatalf("%d verdicts in %d ticks", len(vs), ticks)
	}
	for i := range vs {
		if *vs[i].Index != i || vs[i].Status != 404 {
			t.Fatalf("verdict %d: %+v", i, vs[i])
		}
	}
}

func TestBatchLongerThanMayFly(t *testing.T) {
	w := newWorld(t, 2, Config{}, route.Policy{MaxItemsFlying: 3})
	holder := w.loops[1].sub("far")
	var items []string
	for i := range 100 {
		items = append(items, fmt.Sprintf(`{"key":"%s","data":"%d"}`, []string{"far", "nobody"}[i%2], i))
	}
	c := w.loops[0].post("POST /push", "["+strings.Join(items, ",")+"]", jsonBatch)
	w.rest()
	if vs := c.batch(); len(vs) != 100 || len(holder.heard) != 50 || holder.heard[49] != "98" {
		t.Errorf("%d verdicts, heard %v", len(vs), holder.heard)
	}
}

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
	f(`[{"key":"near","data":""}]`, "0:200")
	f(`[{"key":"far","data":""},{"key":"near","data":""},{"key":"nobody","data":""},{}]`, "0:200 1:200 2:404 3:400")
	f(`[null,{"keys":["near","far"],"data":[1,{"x":"],["}]}]`, "0:400 1:200")
	f(`[{"key":"near","data":""},1,,{"key":"near","data":"x"`+"\n}"+`,{"key":"near"],"",]`, "0:200 1:400 2:400 3:200 4:400 5:400 6:400")
	deep := strings.Repeat("[", 1<<18) + strings.Repeat("]", 1<<18) // must not exhaust the stack
	for _, name := range []string{"data", "ttl", "unknown"} {
		f(`[{"key":"near","`+name+`":`+deep+`},{"key":"near","data":""}]`, "0:400 1:200")
	}
	f(`[{"key":"near","data":"`+strings.Repeat("x", 3<<20)+`"},{"key":"near","data":""}]`, "0:413 1:200")
}

// A batch that is no array is refused whole: nothing of it was pushed.
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
	f(`{"key":"a","data":""}`, 400)
	f(`[{"key":"a","data":""}`, 400)
	f(`null`, 400)
	f(`[{"key":"a","data":""}] x`, 400)
	f("["+strings.Repeat("0,", maxBatchItems)+"0]", 413)
	f(strings.Repeat(" ", 1<<20)+"[]", 413)
	f(strings.Repeat("[", 1<<20), 400)
	f(`[{"key":"a","data":`+strings.Repeat(`{"a":`, 1<<17), 400)

	w := newWorld(t, 1, Config{MaxBatch: 100}, route.Policy{})
	if c := w.loops[0].beginSized("POST /push", 101, jsonBatch); c.answer.Status != 413 {
		t.Errorf("known to be too long: %s", c)
	}
}

func TestOutline(t *testing.T) {
	f := func(array, want string) { // what stands between the ends, by what was found
		t.Helper()
		for cut := range len(array) + 1 {
			var b batch
			err := b.follow([]byte(array[:cut]))
			if err == nil {
				err = b.follow([]byte(array[cut:]))
			}
			got := "none"
			if err == nil && b.seen.over {
				b.from = strings.IndexByte(array, '[') + 1
				got = ""
				for b.left() > 0 {
					u := turn{bytes: turnBytes - 1 - cut%5} // a few bytes at a time
					if element, ok := b.next([]byte(array), &u); ok {
						got += string(element) + "|"
					}
				}
			}
			if got != want {
				t.Fatalf("%s split at %d: %s, want %s", array, cut, got, want)
			}
		}
	}
	f(`[]`, "")
	f(" \t[\r\n ]\n", "")
	f(`[1]`, "1|")
	f(` [1, 2 ,3] `, "1| 2 |3|")
	f(`["","[",]`, `""|"["||`)
	f(`[,]`, "||")
	f(`[[]]`, "[]|")
	f(`[{"a":1,"b":[1,2]},[3,4],"x,\",]y\\",5]`, `{"a":1,"b":[1,2]}|[3,4]|"x,\",]y\\"|5|`)
	f(`[{"a":[}],2]`, `{"a":[}]|2|`) // its decoder will know
	f(`["never ended,`, "none")
	f(`["\`, "none")
	f(`[1`, "none")
	f(`[1]]`, "none")
	f(`[1},2]`, "none")
	f(`[] []`, "none")
	f(`{"a":[1]}`, "none")
	f(`null`, "none")
	f(``, "none")
}

// A batch of thousands of items that nobody waits for must not hold up the loop, nor its verdicts fill memory.
func TestBatchIsTakenInTurns(t *testing.T) {
	w := newWorld(t, 1, Config{VerdictBacklog: 16 << 10}, route.Policy{})
	l := w.loops[0]
	const n = 20_000
	c := l.begin("POST /push", jsonBatch)
	c.unread = true
	c.body("[" + strings.TrimSuffix(strings.Repeat(`{"key":"nobody","data":""},`, n), ",") + "]")
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
		if now := len(c.answer.Body); now-before > turnItems*160 {
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

// However many batches come, and however long their items are, a tick does no more than one turn's work for them all.
func TestBatchesShareTurns(t *testing.T) {
	f := func(item string, n, most int) {
		t.Helper()
		w := newWorld(t, 1, Config{}, route.Policy{})
		l := w.loops[0]
		holder := l.sub("a")
		var calls []*call
		for range 3 {
			calls = append(calls, l.post("POST /push", "["+strings.TrimSuffix(strings.Repeat(item+",", n), ",")+"]", jsonBatch))
		}
		for !calls[0].over || !calls[1].over || !calls[2].over {
			before := len(holder.heard)
			if l.tick(); len(holder.heard)-before > most {
				t.Fatalf("%d items of %d bytes in a tick", len(holder.heard)-before, len(item))
			}
		}
		if len(holder.heard) != 3*n {
			t.Errorf("heard %d of %d", len(holder.heard), 3*n)
		}
	}
	f(`{"key":"a","data":"x"}`, 500, 2*turnItems) // the first tick also shows what came before its Work
	f(`{"key":"a","data":"`+strings.Repeat("x", 20<<10)+`"}`, 50, 2*5)
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

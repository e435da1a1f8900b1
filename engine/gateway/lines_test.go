package gateway

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/engine/route"
)

const ndjsonLines = "Content-Type: application/x-ndjson"

// statuses are index:status of each verdict of a stream or batch, sorted by neither.
func statuses(vs []verdict) string {
	var s []string
	for i := range vs {
		switch v := &vs[i]; {
		case v.Collapsed > 0:
			s = append(s, fmt.Sprintf("collapsed %d failed %d", v.Collapsed, v.Failed))
		case v.Index == nil:
			s = append(s, "none")
		default:
			s = append(s, fmt.Sprintf("%d:%d", *v.Index, v.Status))
		}
	}
	return strings.Join(s, " ")
}

func TestLines(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		for cut := range len(body) + 1 { // split at every byte
			w := newWorld(t, 1, Config{}, route.Policy{MaxPayload: 16, MaxKeys: 2})
			w.loops[0].sub("a")
			c := w.loops[0].begin("POST /push", ndjsonLines)
			c.body(body[:cut])
			c.body(body[cut:])
			c.complete()
			w.rest()
			if !c.over || c.answer.Status != 200 || c.answer.Type != ndjsonType {
				t.Fatalf("%q split at %d: %v %s %s", body, cut, c.over, c.answer.Type, c)
			}
			if want == "" && len(c.answer.Body) == 0 {
				continue
			}
			vs := c.verdicts()
			slices.SortFunc(vs, func(a, b verdict) int { return *a.Index - *b.Index })
			if got := statuses(vs); got != want {
				t.Fatalf("%q split at %d: %s, want %s\n%s", body, cut, got, want, c)
			}
			if d := w.loops[0].g.Depths(); d != (Depths{}) {
				t.Fatalf("%q leaves %+v", body, d)
			}
		}
	}
	f("", "")
	f("\n\r\n \n", "")
	f(`{"key":"a","data":"x"}`, "0:200") // the last line may do without an end
	f(`{"key":"a","data":"x"}`+"\r\n", "0:200")
	f(`{"key":"a","data":""}`+"\n"+`{"key":"b","data":""}`+"\n", "0:200 1:404")
	f("nonsense\n"+`{"key":"a","data":""}`+"\n", "0:400 1:200")
	f(`{"data":"x"}`+"\n[]\nnull\n\"a\"\n"+`{"key":"a","data":""}{}`+"\n", "0:400 1:400 2:400 3:400 4:400")
	f(`{"keys":["a","b"],"data":""}`+"\n"+`{"keys":["a","b","c"],"data":""}`+"\n"+`{"keys":["b"],"key":"a","data":""}`+"\n", "0:200 1:400 2:200")
	f(`{"key":"a","data":"12345678901234567"}`+"\n", "0:413")
	f(`{"key":"a","base64":"aGk="}`+"\n"+`{"key":"a","base64":"*"}`+"\n", "0:200 1:400")
	f(`{"key":"a","id":"x\ny"}`+"\n"+`{"key":"a","event":"x\rdata: y"}`+"\n"+`{"key":"a","type":"a\u0000"}`+"\n", "0:400 1:400 2:400")
	f(`{"key":"`+strings.Repeat("k", 257)+`"}`+"\n", "0:400")
}

// What a subscriber of each form is sent depends on the item's data: a string as its text, anything else as its JSON.
func TestItemData(t *testing.T) {
	f := func(item, data, kind string) {
		t.Helper()
		it, err := decodeItem([]byte(item))
		if err != nil {
			t.Fatalf("%s: %v", item, err)
		}
		p, err := it.payload(1 << 10)
		if err != nil {
			t.Fatalf("%s: %v", item, err)
		}
		defer p.Release()
		if string(p.Data) != data || string(p.Type) != kind {
			t.Errorf("%s: %q %s, want %q %s", item, p.Data, p.Type, data, kind)
		}
	}
	const text = "text/plain; charset=utf-8"
	f(`{"data":"a\"b\n\u00e9"}`, "a\"b\né", text)
	f(`{"data": {"a": [1, null, "x"]} }`, `{"a": [1, null, "x"]}`, jsonType)
	f(`{"data":12.50}`, "12.50", jsonType)
	f(`{"data":12345678901234567890123}`, "12345678901234567890123", jsonType)
	f(`{"data":false}`, "false", jsonType)
	f(`{"data":null}`, "", text)
	f(`{"data":""}`, "", text)
	f(`{"base64":""}`, "", text)
	f(`{"type":"image/png","base64":"AAH/"}`, "\x00\x01\xff", "image/png")
	f(`{"base64":"AAH/"}`, "\x00\x01\xff", text)
	f(`{"data":"x","ttl":30,"base64":null}`, "x", text)
}

// A line that is too long ends the stream, and what was dispatched before it still gets its verdict.
func TestTooLongLine(t *testing.T) {
	w := newWorld(t, 2, Config{}, route.Policy{MaxPayload: 1000})
	w.loops[0].sub("near")
	w.loops[1].sub("far")
	c := w.loops[0].begin("POST /push", ndjsonLines)
	c.body(`{"key":"near","data":""}` + "\n" + `{"key":"far","data":""}` + "\n")
	c.body(strings.Repeat("x", 2*1000+itemRoom+2))
	if c.over || !c.paused {
		t.Fatalf("over %v paused %v with two verdicts to come: %s", c.over, c.paused, c)
	}
	c.loop.g.Body(c.loop.view(c.slot), []byte("\n{\"key\":\"near\"}\n")) // a session that cannot pause at once
	c.complete()
	w.rest()
	if !c.over {
		t.Fatalf("not over: %s", c)
	}
	if got := statuses(c.verdicts()); got != "2:413 0:200 1:200" && got != "2:413 1:200 0:200" {
		t.Errorf("verdicts %s\n%s", got, c)
	}
}

func TestTooLongLastLine(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{MaxPayload: 1000})
	c := w.loops[0].begin("POST /push", ndjsonLines)
	c.body(strings.Repeat("x", 2*1000+itemRoom) + "\r")
	c.complete()
	w.rest()
	if got := statuses(c.verdicts()); got != "0:400" { // as long as a line may be, but no JSON
		t.Errorf("verdicts %s", got)
	}
}

// Verdicts come as each item is done, in whatever order that is.
func TestVerdictLinesComeAsTheyAreDone(t *testing.T) {
	w := newWorld(t, 2, Config{}, route.Policy{})
	w.loops[0].sub("near")
	w.loops[1].sub("far")
	c := w.loops[0].begin("POST /push", ndjsonLines)
	c.body(`{"key":"far","data":""}` + "\n" + `{"key":"near","id":"mine","data":"x"}` + "\n" + `{"data":"x","key":"no`)
	w.loops[0].tick()
	if got := statuses(c.verdicts()); got != "1:200" {
		t.Errorf("after a tick: %s", got)
	}
	if v := c.verdicts()[0]; v.ID != "mine" || v.Node != "node-a" || v.Delivered != 1 {
		t.Errorf("verdict %+v", v)
	}
	w.rest()
	c.body(`body"}`)
	c.complete()
	w.rest()
	if got := statuses(c.verdicts()); got != "1:200 0:200 2:404" {
		t.Errorf("at last: %s", got)
	}
}

// A publisher far ahead of its verdicts is held back at exactly MaxItemsFlying, and goes on by itself.
func TestItemsFlyingAreBounded(t *testing.T) {
	for _, form := range []string{"lines", "lines at once", "parts", "parts at once", "batch"} {
		w := newWorld(t, 2, Config{}, route.Policy{MaxItemsFlying: 5})
		holder := w.loops[1].sub("far")
		var c *call
		var pieces []string
		const n = 23
		switch form {
		case "lines", "lines at once":
			c = w.loops[0].begin("POST /push", ndjsonLines)
			for i := range n {
				pieces = append(pieces, fmt.Sprintf(`{"key":"far","data":"%d"}`+"\n", i))
			}
		case "parts", "parts at once":
			c = w.loops[0].begin("POST /push", "Content-Type: multipart/mixed; boundary=b")
			for i := range n {
				pieces = append(pieces, fmt.Sprintf("--b\r\nPush-Key: far\r\n\r\n%d\r\n", i))
			}
			pieces = append(pieces, "--b--\r\n")
		case "batch":
			c = w.loops[0].begin("POST /push", "Content-Type: application/json")
			for i := range n {
				pieces = append(pieces, fmt.Sprintf(`%c{"key":"far","data":"%d"}`, "[,"[min(i, 1)], i))
			}
			pieces = append(pieces, "]")
		}
		c.body(strings.Join(pieces, ""))
		if atOnce := form != "lines" && form != "parts"; atOnce {
			c.complete() // a session may say so while it is held back
		}
		most := 0
		for range 100 {
			most = max(most, w.loops[0].g.Depths().Pushes)
			w.loops[0].tick()
			most = max(most, w.loops[0].g.Depths().Pushes)
			w.loops[1].tick()
		}
		if c.paused && !c.over {
			t.Fatalf("%s: still held back after %d items", form, len(holder.heard))
		}
		c.complete()
		w.rest()
		if most != 5 || !c.over || len(holder.heard) != n {
			t.Errorf("%s: %d at once, over %v, %d heard", form, most, c.over, len(holder.heard))
		}
		for i, m := range holder.heard {
			if m != fmt.Sprint(i) {
				t.Errorf("%s: message %d is %q", form, i, m)
			}
		}
	}
}

// "Past a bounded backlog they collapse into counts while the request is still read, so a publisher that writes before
// it reads cannot deadlock": neither do errors pile up.
func TestUnreadVerdictsCollapse(t *testing.T) {
	w := newWorld(t, 1, Config{VerdictBacklog: 1 << 10}, route.Policy{})
	w.loops[0].sub("a")
	c := w.loops[0].begin("POST /push", ndjsonLines)
	c.unread = true
	const n = 3000
	for i := range n {
		line := `{"key":"a","data":""}` + "\n"
		if i%3 == 0 {
			line = "bad\n"
		}
		if !c.body(line) {
			w.rest()
			c.body(line)
		}
		if i%50 == 0 {
			w.rest()
		}
	}
	w.rest()
	if len(c.answer.Body) > 2<<10 {
		t.Errorf("%d bytes wait for a publisher that does not read", len(c.answer.Body))
	}
	c.unread, c.queued = false, 0
	c.body(`{"key":"nobody","data":""}` + "\n")
	c.complete()
	w.rest()
	if !c.over {
		t.Fatal("not over")
	}
	items, failed, delivered := 0, 0, 0
	for _, v := range c.verdicts() {
		items += max(v.Collapsed, 1)
		failed += v.Failed
		if v.Error != "" {
			failed++
		}
		delivered += v.Delivered
	}
	if items != n+1 || failed != n/3 || delivered != n-n/3 {
		t.Errorf("%d verdicts, %d failed, %d delivered", items, failed, delivered)
	}
}

// An item whose fan-out begins in the flush, when the one before it is done, does not wait for the next event.
func TestStreamGoesOnFromTheFlush(t *testing.T) {
	w := newWorld(t, 1, Config{}, route.Policy{MaxItemsFlying: 1})
	w.loops[0].sub("k")
	w.loops[0].sub("k")
	c := w.loops[0].post("POST /push", `[{"key":"k","data":""},{"key":"k","data":""},{"key":"k","data":""},{"key":"k","data":""}]`, "Content-Type: application/json")
	if ticks := w.rest(); !c.over || ticks > 10 {
		t.Errorf("over %v after %d ticks without pause", c.over, ticks)
	}
}

// A stream may be idle between items once it has shown one; everything else may not keep a connection for long.
func TestPatienceInsideAndBetweenItems(t *testing.T) {
	const between, inside = time.Minute, time.Second
	w := newWorld(t, 1, Config{StreamIdle: between, ItemTimeout: inside}, route.Policy{})
	var c *call
	f := func(piece string, want time.Duration) {
		t.Helper()
		c.body(piece)
		if c.patient != want {
			t.Errorf("after %q: %v, want %v", piece, c.patient, want)
		}
	}
	c = w.loops[0].begin("POST /push", ndjsonLines)
	f("", inside)
	f("\n", inside)
	f(`{"key"`, inside)
	f(`:"a"}`+"\n", between)
	f("\r\n", between)
	f("{", inside)
	c = w.loops[0].beginSized("POST /push", 1000, ndjsonLines)
	f("", inside)
	f(`{"key":"a"}`+"\n", inside)
	const mixed = "Content-Type: multipart/mixed; boundary=b"
	c = w.loops[0].begin("POST /push", mixed)
	f("", inside)
	f("preamble\r\n", inside)
	f("--b\r\nPush-Key: a\r\n\r\nx", inside)
	f("\r\n--b\r\n", between)
	f("Push-Key: ", inside)
	c = w.loops[0].beginSized("POST /push", 1000, mixed)
	f("--b\r\nPush-Key: a\r\n\r\nx\r\n--b\r\n", inside)
}

// A publisher that leaves in the middle leaves nothing behind; verdicts that come later find nobody.
func TestPublisherLeaves(t *testing.T) {
	f := func(contentType, body string) {
		t.Helper()
		w := newWorld(t, 2, Config{}, route.Policy{})
		holder := w.loops[1].sub("far")
		c := w.loops[0].begin("POST /push", "Content-Type: "+contentType)
		c.body(body)
		c.leave()
		next := w.loops[0].post("POST /push/far", "next") // takes the same slot, task and op
		w.rest()
		next.wantVerdict("200 delivered 1")
		if d := w.loops[0].g.Depths(); d != (Depths{}) {
			t.Errorf("%s leaves %+v", contentType, d)
		}
		if holder.heard[len(holder.heard)-1] != "next" {
			t.Errorf("heard %v", holder.heard)
		}
	}
	f("application/x-ndjson", `{"key":"far","data":""}`+"\n"+`{"key":`)
	f("multipart/mixed; boundary=b", "--b\r\nPush-Key: far\r\n\r\nx\r\n--b\r\nPush-Key: far\r\n\r\nhal")
	f("application/json", `[{"key":"far","data":""},`)
}

func TestVerdictIsJSONWhateverTheID(t *testing.T) {
	w := newWorld(t, 1, Config{Node: "a\"\\b"}, route.Policy{})
	for _, id := range []string{"plain", `quo"te\`, "<&>é", strings.Repeat("i", maxName)} {
		c := w.loops[0].post("POST /push/nobody", "", "Push-Id: "+id)
		var v verdict
		if err := json.Unmarshal(c.answer.Body, &v); err != nil || v.Node != "a\"\\b" || v.ID != id {
			t.Errorf("id %q: %v %s", id, err, c)
		}
	}
}

// What a subscriber would be told beside the message must fit every form.
func TestNamesRefused(t *testing.T) {
	f := func(line string) {
		t.Helper()
		w := newWorld(t, 1, Config{}, route.Policy{})
		holder := w.loops[0].sub("a")
		if c := w.loops[0].post("POST /push/a", "m", line); c.answer.Status != 400 {
			t.Errorf("%q: %s", line, c)
		}
		c := w.loops[0].post("POST /push", "--b\r\nPush-Key: a\r\n"+line+"\r\n\r\nm\r\n--b--", "Content-Type: multipart/mixed; boundary=b")
		w.rest()
		if got := statuses(c.verdicts()); got != "0:400" || len(holder.heard) > 0 {
			t.Errorf("%q in a part: %s, heard %q", line, c, holder.heard)
		}
	}
	f("Push-Id: " + strings.Repeat("i", maxName+1))
	f("Push-Event: " + strings.Repeat("i", maxName+1))
	f("Content-Type: " + strings.Repeat("i", maxName+1))
	f("Push-Id: \xff\xfe")
	f("Push-Event: a\xc3")

	w := newWorld(t, 1, Config{}, route.Policy{})
	if c := w.loops[0].post("POST /push/nobody", "", "Push-Event: a\nb"); c.answer.Status != 400 {
		t.Errorf("event with a line break: %s", c)
	}
}

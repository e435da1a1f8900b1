package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// lines reads verdict lines.
func lines(t *testing.T, text string) (all []verdict) {
	t.Helper()
	for line := range strings.Lines(text) {
		var v verdict
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, v)
	}
	return all
}

// byIndex puts verdicts, which come as each item is done, into the order of the items.
func byIndex(all []verdict) []verdict {
	slices.SortFunc(all, func(a, b verdict) int { return a.Index - b.Index })
	return all
}

// Every way in which curl sends a body reaches the same subscriber as the same message.
func TestCurlPublishes(t *testing.T) {
	t.Parallel()
	d := serve(t)
	c := curl(t, d.public+"/sub/alice?mode=ndjson")
	d.held(t, "alice", 1)
	n := 0
	f := func(args ...string) {
		t.Helper()
		n++
		data := fmt.Sprintf("message %d", n)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "DATA", data)
		}
		p := curl(t, args...)
		if slices.Contains(args, "-T") {
			if _, err := p.stdin.Write([]byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		p.stdin.Close()
		if code := p.wait(t); code != 0 || !strings.Contains(p.out.String(), `"delivered":1,"pending":0,"stored":0,"dropped":0`) {
			t.Errorf("%q: exit %d: %s%s", args, code, &p.out, &p.errs)
		}
		c.awaits(t, fmt.Sprintf(`"data":"%s"}`+"\n", data))
	}
	to := d.publish + "/push"
	f(to+"/alice", "-d", "DATA")
	f(to+"/alice", "-T", "-") // chunked
	f(to+"/alice", "-d", "DATA", "-H", "Transfer-Encoding: chunked")
	f(to+"/alice", "-d", "DATA", "--http1.0")
	f(to+"/alice", "-d", "DATA", "-H", "Expect: 100-continue")
	f(to, "-d", "DATA", "-H", "Push-Key: alice")
	f(to, "-d", "DATA", "-H", "Push-Key: nobody, alice")
	f(to+"?all", "-d", "DATA")
	f(to, "-F", "alice=DATA")
	f(to, "-F", "x=DATA;headers=\"Push-Key: alice\"")
	f(to, "-H", "Content-Type: application/json", "-d", `[{"key":"alice","data":"DATA"}]`)
	f(to, "-H", "Content-Type: application/x-ndjson", "-d", `{"keys":["alice"],"data":"DATA"}`)
	if got := strings.Count(c.out.String(), "\n"); got != n {
		t.Errorf("%d lines for %d messages: %s", got, n, &c.out)
	}
}

// A stream of items has each verdict as soon as its item is done: the publisher reads it before it writes the next.
func TestVerdictLinesComeOneByOne(t *testing.T) {
	t.Parallel()
	d := serve(t)
	c := curl(t, d.public+"/sub/alice?mode=sse")
	d.held(t, "alice", 1)
	p := curl(t, d.publish+"/push", "-H", "Content-Type: application/x-ndjson", "-X", "POST", "-T", ".") // reads while it waits for more to write
	f := func(line string, want string) {
		t.Helper()
		if _, err := p.stdin.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		p.awaits(t, want)
	}
	f(`{"key":"alice","data":"one","id":"1"}`+"\n", `{"index":0,"status":200,"id":"1","delivered":1,`)
	c.awaits(t, "id: 1\ndata: one\n\n")
	f(`{"key":"nobody","data":"two","id":"2"}`+"\n", `{"index":1,"status":404,"id":"2","delivered":0,`)
	f(`no item`+"\n", `{"index":2,"status":400,"error":`)
	f(`{"key":"alice","data":`, "")
	f(`{"deep":[1,2]},"id":"4"}`+"\n", `{"index":3,"status":200,"id":"4","delivered":1,`)
	c.awaits(t, `data: {"deep":[1,2]}`+"\n\n")
	f(`{"key":"alice","data":"no line break at the end"}`, "")
	p.stdin.Close()
	if code := p.wait(t); code != 0 {
		t.Errorf("exit %d: %s", code, &p.errs)
	}
	c.awaits(t, "data: no line break at the end\n\n")
	if got := lines(t, p.out.String()); len(got) != 5 || got[4].Index != 4 || got[4].Delivered != 1 {
		t.Errorf("%+v", got)
	}
}

func TestFormAndBatchNameEachItem(t *testing.T) {
	t.Parallel()
	d := serve(t)
	c := curl(t, d.public+"/sub/alice,bob?mode=ndjson")
	d.held(t, "bob", 1)
	form := byIndex(lines(t, curled(t, d.publish+"/push", "-F", "alice=a", "-F", "nobody=n", "-F", "bob=b;type=text/x-b")))
	if len(form) != 3 || form[0].Delivered != 1 || form[1].Delivered != 0 || form[2].Delivered != 1 || form[2].Index != 2 {
		t.Errorf("form: %+v", form)
	}
	var batch []verdict
	text := curled(t, d.publish+"/push", "-H", "Content-Type: application/json",
		"-d", `[{"key":"alice","base64":"aGk="},{"data":"keyless"},{"key":"nobody","data":1},{"key":"bob","data":{"n":1},"event":"e"}]`)
	if err := json.Unmarshal([]byte(text), &batch); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	got := make([]string, len(batch))
	for i, v := range byIndex(batch) {
		got[i] = fmt.Sprint(v.Status, v.Delivered)
	}
	if strings.Join(got, ", ") != "200 1, 400 0, 404 0, 200 1" {
		t.Errorf("batch: %s", text)
	}
	c.awaits(t, `"data":"hi"}`)
	c.awaits(t, `"event":"e","data":{"n":1}}`)
}

func TestPresenceAndClose(t *testing.T) {
	t.Parallel()
	d := serve(t)
	f := func(method, path, want string) {
		t.Helper()
		if got := curled(t, "-X", method, "-w", "%{http_code}", d.publish+path); got != want {
			t.Errorf("%s %s: %s, want %s", method, path, got, want)
		}
	}
	f("GET", "/push/alice", `{"connections":0,"nodes":[]}`+"\n404")
	c := curl(t, d.public+"/sub/alice?mode=sse")
	d.held(t, "alice", 1)
	poll := curl(t, "-w", "%{http_code}", d.public+"/sub/alice")
	d.held(t, "alice", 2)
	f("GET", "/push/alice", `{"connections":2,"nodes":["local"]}`+"\n200")
	f("GET", "/push/bob", `{"connections":0,"nodes":[]}`+"\n404")
	got := curled(t, "-X", "DELETE", "-w", "%{http_code}", d.publish+"/push/alice")
	if !strings.HasSuffix(got, "200") || !strings.Contains(got, `"closed":2`) {
		t.Errorf("DELETE: %s", got)
	}
	if code := c.wait(t); code != 0 || c.out.String() != "event: goaway\ndata: {}\n\n" {
		t.Errorf("the stream was left with %d %q", code, &c.out)
	}
	if code := poll.wait(t); code != 0 || poll.out.String() != "204" {
		t.Errorf("the poll was left with %d %q", code, &poll.out)
	}
	d.held(t, "alice", 0)
}

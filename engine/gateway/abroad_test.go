package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/registry/peer"
)

// elsewhere plays the other nodes.
type elsewhere struct {
	shared  *Shared
	nobody  bool           // says at once that nobody else holds anything
	sent    []string       // requests: verb, key, data
	refs    []Ref          // of requests without a report
	known   bool           // claims stand at once
	tickets []Ticket       // that wait for a claim
	asked   []string       // keys of Await
	answers []*peer.Report // to errands
	origins []peer.Origin
}

func (e *elsewhere) Send(ref Ref, r *peer.Request) bool {
	what := []string{"?", "push", "close", "count"}[r.Verb]
	if r.All {
		what += " all"
	}
	what += " " + string(r.Key)
	if r.Payload != nil {
		what += " " + string(r.Payload.Data)
	}
	if r.Dedup {
		what += " once"
	}
	e.sent = append(e.sent, what)
	if e.nobody {
		return true
	}
	e.refs = append(e.refs, ref)
	return false
}

func (e *elsewhere) Await(key []byte, t Ticket) bool {
	e.asked = append(e.asked, string(key))
	if !e.known {
		e.tickets = append(e.tickets, t)
	}
	return e.known
}

func (e *elsewhere) Answer(o peer.Origin, r *peer.Report) {
	e.origins = append(e.origins, o)
	e.answers = append(e.answers, r)
}

// report answers the oldest request that has no report.
func (e *elsewhere) report(r peer.Report, nodes ...string) {
	e.shared.Report(e.refs[0], &r, nodes)
	e.refs = e.refs[1:]
}

func newClusterWorld(t *testing.T, loops int, cfg Config) (*world, *elsewhere) {
	w := newWorld(t, loops, cfg, route.Policy{})
	e := &elsewhere{shared: w.shared, known: true}
	w.shared.Abroad = e
	return w, e
}

// The verdict adds up what was done here and elsewhere.
func TestVerdictOfManyNodes(t *testing.T) {
	f := func(holders int, r peer.Report, nodes []string, want, tail string) {
		t.Helper()
		w, e := newClusterWorld(t, 2, Config{})
		for i := range holders {
			w.loops[i%2].sub("alice")
		}
		c := w.loops[0].post("POST /push/alice", "m")
		w.rest()
		if c.answer.Status != 0 {
			t.Fatalf("answered %s before the other nodes were heard", c)
		}
		e.report(r, nodes...)
		w.rest()
		c.wantVerdict(want)
		if !strings.HasSuffix(string(c.answer.Body), tail+"}\n") {
			t.Errorf("%s; want it to end in %s", c, tail)
		}
		if retry := c.field("retry-after") != ""; retry != (c.answer.Status == 503) {
			t.Errorf("%d with Retry-After: %v", c.answer.Status, retry)
		}
	}
	here, there := `"node":"node-a"`, `"node":"b"`
	f(0, peer.Report{}, nil, "404", here)
	f(1, peer.Report{}, nil, "200 delivered 1", here)
	f(0, peer.Report{Delivered: 2}, []string{"b"}, "200 delivered 2", there)
	f(0, peer.Report{Delivered: 1, Pending: 1}, []string{"b", "c"}, "200 delivered 1 pending 1", here+`,"nodes":["b","c"]`)
	f(3, peer.Report{Delivered: 1}, []string{"b"}, "200 delivered 4", here+`,"nodes":["node-a","b"]`)
	f(0, peer.Report{Pending: 1}, []string{"b"}, "202 pending 1", there)
	f(0, peer.Report{Unreached: 1}, nil, "503", `"unreached":1,`+here)
	f(1, peer.Report{Unreached: 1}, nil, "200 delivered 1", `"unreached":1,`+here)
	f(0, peer.Report{Unknown: 1}, nil, "504 unknown 1", here)
	f(0, peer.Report{Unknown: 1, Unreached: 1}, nil, "504 unknown 1", `"unreached":1,`+here)
	f(0, peer.Report{Refused: 1}, nil, "503 refused 1", `"refused":1,`+here)
	f(0, peer.Report{Slow: 1}, []string{"b"}, "503 dropped 1", there)
	f(0, peer.Report{Form: 1}, []string{"b"}, "415 dropped 1", there)
	f(0, peer.Report{Gone: 1}, []string{"b"}, "404 dropped 1", there)
	f(0, peer.Report{Duplicate: 1}, []string{"b"}, "200", `"duplicate":1,`+there)
}

// Whatever is asked here is asked elsewhere once per key, in order; when that can be nobody, it costs no wait.
func TestEveryKindOfPushIsAskedElsewhere(t *testing.T) {
	f := func(request, body string, want []string, lines ...string) {
		t.Helper()
		w, e := newClusterWorld(t, 1, Config{})
		e.nobody = true
		c := w.loops[0].post(request, body, lines...)
		w.rest()
		if !c.over || !slices.Equal(e.sent, want) {
			t.Errorf("%s: %s, asked %q; want %q", request, c, e.sent, want)
		}
	}
	f("POST /push/a", "m", []string{"push a m"})
	f("POST /push/a,b", "m", []string{"push a m", "push b m"})
	f("POST /push", "m", []string{"push a m once"}, "Push-Key: a", "Push-Id: 7")
	f("POST /push?all", "m", []string{"push all  m"})
	f("DELETE /push/a", "", []string{"close a"})
	f("GET /push/a", "", []string{"count a"})
	f("POST /push", `[{"key":"a","data":"m"},{"key":"b","data":"n","id":"7"}]`, []string{"push a m", "push b n once"},
		"Content-Type: application/json")
	f("POST /push", "{\"key\":\"a\",\"data\":\"m\"}\n{\"keys\":[\"a\",\"b\"],\"data\":\"n\"}\n", []string{"push a m", "push a n", "push b n"},
		"Content-Type: application/x-ndjson")
}

// A question and an end reach here and elsewhere.
func TestPresenceAndCloseElsewhere(t *testing.T) {
	w, e := newClusterWorld(t, 1, Config{})
	w.loops[0].sub("a")
	get := w.loops[0].ask("GET /push/a")
	none := w.loops[0].ask("GET /push/b")
	doubt := w.loops[0].ask("GET /push/c")
	e.report(peer.Report{Held: 2}, "b")
	e.report(peer.Report{})
	e.report(peer.Report{Unreached: 1})
	w.rest()
	f := func(c *call, status int, body string) {
		t.Helper()
		if c.answer.Status != status || string(c.answer.Body) != body+"\n" {
			t.Errorf("%s; want %d %s", c, status, body)
		}
	}
	f(get, 200, `{"connections":3,"nodes":["node-a","b"]}`)
	f(none, 404, `{"connections":0,"nodes":[]}`)
	f(doubt, 503, `{"connections":0,"nodes":[],"unreached":1}`)
	end := w.loops[0].ask("DELETE /push/a")
	e.report(peer.Report{Closed: 2}, "b")
	w.rest()
	if end.answer.Status != 200 || !strings.Contains(string(end.answer.Body), `"closed":3`) {
		t.Errorf("DELETE: %s", end)
	}
}

// A push that the other nodes never report on ends with "unknown"; what comes later changes nothing.
func TestOtherNodesAreSilent(t *testing.T) {
	w, e := newClusterWorld(t, 1, Config{VerdictTimeout: time.Second})
	c := w.loops[0].post("POST /push/a", "m")
	w.rest()
	w.now += int64(time.Second)
	w.rest()
	c.wantVerdict("504 unknown 1")
	e.report(peer.Report{Delivered: 1}, "b")
	w.rest()
	if n := w.loops[0].g.Stats.LateReports; n != 1 {
		t.Errorf("%d late reports", n)
	}
}

// serve gives the node a request of another one and returns what it answered.
func serve(w *world, e *elsewhere, r peer.Request) *peer.Report {
	w.t.Helper()
	e.answers = nil
	if !w.shared.Serve(peer.Origin{ID: 9}, &r) {
		w.t.Fatal("refused")
	}
	w.rest()
	if len(e.answers) != 1 || e.origins[len(e.origins)-1].ID != 9 {
		w.t.Fatalf("%d answers to %v", len(e.answers), e.origins)
	}
	return e.answers[0]
}

// A request of another node is about this node's holders, is never passed on, and its answer is the truth.
func TestErrands(t *testing.T) {
	w, e := newClusterWorld(t, 3, Config{})
	one := w.loops[0].sub("one")
	for i := range 6 {
		w.loops[i%3].sub("group").fate = record.Delivered + record.Fate(i/2)
	}
	f := func(verb peer.Verb, key string, all bool, want peer.Report) {
		t.Helper()
		r := peer.Request{Verb: verb, Key: []byte(key), All: all}
		if verb == peer.Push {
			r.Payload = mem.NewPayload(1)
			r.Payload.Append([]byte("m"))
		}
		if got := serve(w, e, r); *got != want {
			t.Errorf("%d %s: %+v; want %+v", verb, key, *got, want)
		}
		if verb == peer.Push {
			r.Payload.Release()
		}
	}
	f(peer.Push, "one", false, peer.Report{Delivered: 1})
	f(peer.Push, "nobody", false, peer.Report{})
	f(peer.Push, "group", false, peer.Report{Delivered: 2, Pending: 2, Slow: 2})
	f(peer.Push, "", true, peer.Report{Delivered: 3, Pending: 2, Slow: 2})
	f(peer.Count, "group", false, peer.Report{Held: 6})
	f(peer.Count, "nobody", false, peer.Report{})
	f(peer.Close, "one", false, peer.Report{Closed: 1})
	f(peer.Close, "one", false, peer.Report{})
	if len(e.sent) != 0 {
		t.Errorf("passed on: %q", e.sent)
	}
	if got := strings.Join(one.heard, " "); got != "m m" {
		t.Errorf("heard %q", got)
	}
	if n := w.loops[0].g.Stats.Pushes; n != (Verdicts{}) {
		t.Errorf("errands are counted as this node's verdicts: %+v", n)
	}
}

// Requests of other nodes are refused, with an answer, when too many pushes are under way, and at once when the box is full.
func TestErrandsAreBounded(t *testing.T) {
	w, e := newClusterWorld(t, 1, Config{MaxOps: 1, MailBound: 8})
	w.loops[0].post("POST /push/a", "m") // waits for the other nodes
	if got := serve(w, e, peer.Request{Verb: peer.Count, Key: []byte("a")}); *got != (peer.Report{Refused: 1}) {
		t.Errorf("%+v", *got)
	}
	taken := 0
	for range 20 {
		if w.shared.Serve(peer.Origin{}, &peer.Request{Verb: peer.Count, Key: []byte("a")}) {
			taken++
		}
	}
	if taken != 6 { // 8 less a quarter
		t.Errorf("%d requests in a box of 8", taken)
	}
}

// A stream's head waits until other nodes can find its keys; "subscribed" means reachable.
func TestHeadWaitsForClaims(t *testing.T) {
	w, e := newClusterWorld(t, 2, Config{})
	e.known = false
	c := w.loops[1].ask("GET /sub/a,b", "Accept: text/event-stream")
	w.loops[1].tick()
	if c.answer.Status != 0 || c.Form != 0 || !slices.Equal(e.asked, []string{"a", "b"}) {
		t.Fatalf("%s, form %d, asked %q", c, c.Form, e.asked)
	}
	w.shared.Claimed(e.tickets[1])
	w.loops[1].tick()
	if c.answer.Status != 0 {
		t.Fatalf("%s after one of two claims", c)
	}
	w.shared.Claimed(e.tickets[0])
	w.loops[1].tick()
	if c.answer.Status != 200 || c.field("push-claim") != "" || c.Form != uint8(exchange.SSE) {
		t.Errorf("%s %q", c, c.answer.Fields)
	}
	w.shared.Claimed(e.tickets[0]) // told twice
	w.loops[1].tick()
}

// It does not wait for long, and says so then.
func TestHeadWaitsNotForLong(t *testing.T) {
	w, e := newClusterWorld(t, 1, Config{ClaimWait: 50 * time.Millisecond})
	e.known = false
	l := w.loops[0]
	c := l.ask("GET /sub/a", "Accept: text/event-stream")
	began := w.now
	for c.answer.Status == 0 && w.now-began < int64(time.Second) {
		if again := l.tick(); c.answer.Status == 0 && (again < 0 || again > claimTick) {
			t.Fatalf("sleeps for %v while a head waits", again)
		}
	}
	if took := time.Duration(w.now - began); took < 50*time.Millisecond || took > 55*time.Millisecond {
		t.Errorf("waited %v", took)
	}
	if c.answer.Status != 200 || c.field("push-claim") != "pending" || l.g.Stats.Unclaimed != 1 {
		t.Errorf("%s %q, %d", c, c.answer.Fields, l.g.Stats.Unclaimed)
	}
	w.shared.Claimed(e.tickets[0])
	l.tick()
}

// Polls have no head to wait with, and a key that was made for a hold is found without a claim.
func TestWhoWaitsForNoClaim(t *testing.T) {
	w, e := newClusterWorld(t, 1, Config{})
	e.known = false
	f := func(request string, lines ...string) {
		t.Helper()
		if c := w.loops[0].ask(request, lines...); c.Form == 0 || len(e.asked) > 0 {
			t.Errorf("%s: form %d, asked %q", request, c.Form, e.asked)
		}
	}
	f("GET /sub/a")
	f("GET /sub", "Accept: text/event-stream")
	e.known = true
	if c := w.loops[0].ask("GET /sub/a", "Accept: text/event-stream"); c.answer.Status != 200 || c.Task != 0 {
		t.Errorf("%s with every claim made, task %d", c, c.Task)
	}
}

// Who waits for claims is there already: messages and ends reach it, and leaving gives its keys back.
func TestWhileHeadWaits(t *testing.T) {
	w, e := newClusterWorld(t, 1, Config{})
	e.known = false
	l := w.loops[0]
	push := func(request string) *call {
		c := l.post(request, "m")
		if len(e.refs) > 0 {
			e.report(peer.Report{})
		}
		return c
	}
	c := l.ask("GET /sub/a,b", "Accept: text/event-stream")
	verdict := push("POST /push/b")
	w.rest()
	verdict.wantVerdict("200 delivered 1")
	if c.answer.Status != 200 || c.field("push-claim") != "pending" || !slices.Equal(c.heard, []string{"m"}) {
		t.Errorf("%s %q heard %q", c, c.answer.Fields, c.heard)
	}
	for _, ticket := range e.tickets {
		w.shared.Claimed(ticket)
	}
	w.rest()

	c = l.ask("GET /sub/c", "Accept: text/event-stream")
	end := push("DELETE /push/c")
	w.rest()
	if end.answer.Status != 200 || !c.over {
		t.Errorf("DELETE: %s; %s", end, c)
	}

	c = l.ask("GET /sub/d,e", "Accept: text/event-stream")
	c.leave()
	for _, ticket := range e.tickets {
		w.shared.Claimed(ticket)
	}
	w.rest()
	if w.shared.Table.Len() != 2 || l.g.Stats.Held != 1 { // a and b
		t.Errorf("%d keys, %d held", w.shared.Table.Len(), l.g.Stats.Held)
	}
	if n := len(l.g.tasks.all) - 1 - len(l.g.tasks.free); n != 0 {
		t.Errorf("%d tasks are left", n)
	}
}

func message(data, id string) *mem.Payload {
	p := mem.NewPayload(len(data))
	p.Append([]byte(data))
	p.SetID([]byte(id))
	return p
}

// Keys that are joined on a live connection may not be found by other nodes yet, and the answer says so.
func TestChangedKeysMayBePending(t *testing.T) {
	w, e := newClusterWorld(t, 1, Config{})
	e.nobody = true
	w.shared.Snapshot.Load().Policies[0].Socket.ClientKeys = true
	l := w.loops[0]
	c := l.socket("a")
	f := func(known bool, want string) {
		t.Helper()
		e.known = known
		patch := l.post(fmt.Sprintf("PATCH /push?conn=%x", uint64(l.Handle(c.slot))), `{"subscribe":["b"]}`)
		w.rest()
		if strings.TrimSpace(string(patch.answer.Body)) != `{"changed":true`+want+`}` {
			t.Errorf("%s", patch)
		}
		c.heard = nil
		c.says(true, `{"subscribe":["c"],"unsubscribe":["b"]}`)
		w.rest()
		if !slices.Equal(c.heard, []string{`{"keys":["a","c"]` + want + `}`}) {
			t.Errorf("heard %q", c.heard)
		}
		c.says(true, `{"unsubscribe":["c"]}`)
	}
	f(true, "")
	f(false, `,"pending":true`)
	for _, ticket := range e.tickets { // nobody waits for them
		w.shared.Claimed(ticket)
	}
	w.rest()
}

// A node that has holders of several of a push's keys is named once.
func TestNodesAreNamedOnce(t *testing.T) {
	w, e := newClusterWorld(t, 1, Config{})
	c := w.loops[0].post("POST /push/a,b,c", "m")
	e.report(peer.Report{Delivered: 1}, "x")
	e.report(peer.Report{Delivered: 1}, "x", "y")
	e.report(peer.Report{})
	w.rest()
	if !strings.HasSuffix(string(c.answer.Body), `"node":"node-a","nodes":["x","y"]}`+"\n") {
		t.Errorf("%s", c)
	}
}

// That nobody else holds a key was known while this node had a holder. When that one is gone, nothing is known any more.
func TestHolderLeavesDuringPush(t *testing.T) {
	f := func(target string, fate record.Fate, want string) {
		t.Helper()
		w, e := newClusterWorld(t, 1, Config{})
		e.nobody = true
		w.loops[0].sub("a").fate = fate
		c := w.loops[0].post("POST "+target, "m")
		w.rest()
		c.wantVerdict(want)
		if retry := c.field("retry-after") != ""; retry != (c.answer.Status == 503) {
			t.Errorf("%s with Retry-After: %v", want, retry)
		}
	}
	f("/push/a", record.Delivered, "200 delivered 1")
	f("/push/a", record.DroppedGone, "503 dropped 1")
	f("/push/a", record.DroppedForm, "415 dropped 1")
	f("/push?all", record.DroppedGone, "404 dropped 1") // every node was asked
}

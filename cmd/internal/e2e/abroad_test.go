package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func splitLines(text string) []string {
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// Every way in which curl sends a body to a node reaches the subscriber of another one, once, and the verdict is the
// owner's.
func TestCurlPublishesToTheWrongNode(t *testing.T) {
	t.Parallel()
	_, nodes := gather(t, "a", "b")
	c := curl(t, nodes[0].public+"/sub/alice?mode=ndjson")
	nodes[1].held(t, "alice", 1)
	n := 0
	f := func(args ...string) {
		t.Helper()
		n++
		data := fmt.Sprintf("message %d", n)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "DATA", data)
		}
		text := curled(t, args...)
		if got := verdicts(t, text); len(got) != 1 || got[0].Delivered != 1 || got[0].Node != "a" || got[0].Unreached+got[0].Unknown != 0 {
			t.Errorf("%q: %s", args, text)
		}
		c.awaits(t, fmt.Sprintf(`"data":"%s"}`+"\n", data))
	}
	to := nodes[1].publish + "/push"
	f(to+"/alice", "-d", "DATA")
	f(to+"/alice", "-d", "DATA", "-H", "Transfer-Encoding: chunked")
	f(to+"/alice", "-d", "DATA", "--http1.0")
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

// Items of one stream and of one batch go to whoever holds each, wherever that is, and a key that nobody has is 404.
func TestStreamsAndBatchesAcrossNodes(t *testing.T) {
	t.Parallel()
	_, nodes := gather(t, "a", "b")
	alice := curl(t, nodes[0].public+"/sub/alice?mode=ndjson")
	bob := curl(t, nodes[1].public+"/sub/bob?mode=ndjson")
	nodes[1].held(t, "alice", 1)
	nodes[0].held(t, "bob", 1)
	const rounds = 50
	var stream strings.Builder
	for i := range rounds {
		fmt.Fprintf(&stream, `{"key":"alice","data":"s%d"}`+"\n"+`{"key":"nobody","data":"s"}`+"\n"+`{"key":"bob","data":"s%d"}`+"\n", i, i)
	}
	batch := `[{"key":"bob","data":"last"},{"key":"nobody","data":1},{"key":"alice","data":"last"}]`
	for _, d := range nodes {
		f := func(kind, body string, want int) {
			t.Helper()
			got := verdicts(t, curled(t, d.publish+"/push", "-H", "Content-Type: "+kind, "-d", body))
			slices.SortFunc(got, func(a, b far) int { return a.Index - b.Index })
			if len(got) != want {
				t.Fatalf("%d verdicts for %d items", len(got), want)
			}
			for i, v := range got {
				if here := i%3 != 1; v.Index != i || v.Delivered == 1 != here || v.Status != map[bool]int{true: 200, false: 404}[here] {
					t.Errorf("item %d: %+v", i, v)
				}
			}
		}
		f("application/x-ndjson", stream.String(), 3*rounds)
		f("application/json", batch, 3)
	}
	for _, c := range []*process{alice, bob} {
		eventually(func() bool { return strings.Count(c.out.String(), "\n") == 2*rounds+2 })
		var want strings.Builder
		for range nodes { // one publisher's messages to one key keep their order
			for i := range rounds {
				fmt.Fprintf(&want, "s%d ", i)
			}
			want.WriteString("last ")
		}
		var got strings.Builder
		for _, line := range splitLines(c.out.String()) {
			_, data, _ := strings.Cut(line, `"data":"`)
			got.WriteString(strings.TrimSuffix(data, `"}`) + " ")
		}
		if got.String() != want.String() {
			t.Errorf("got  %s\nwant %s", &got, &want)
		}
	}
}

// A group with members on three nodes gets each message once a member, whichever node is asked, and the verdict adds up.
func TestGroupOverThreeNodes(t *testing.T) {
	t.Parallel()
	_, nodes := gather(t, "a", "b", "c")
	var members []*process
	for _, d := range append(nodes, nodes[0]) {
		members = append(members, curl(t, d.public+"/sub/group?mode=ndjson"))
	}
	for _, d := range nodes {
		d.held(t, "group", len(members))
	}
	f := func(d *daemon, path string, i int) {
		t.Helper()
		text := curled(t, d.publish+path, "-d", fmt.Sprintf("message %d", i))
		v := verdicts(t, text)[0]
		slices.Sort(v.Nodes)
		if v.Delivered != len(members) || strings.Join(v.Nodes, " ") != "a b c" || v.Dropped+v.Pending+v.Unreached+v.Unknown != 0 {
			t.Errorf("%s: %s", path, text)
		}
	}
	for i, d := range nodes {
		f(d, "/push/group", i)
	}
	f(nodes[1], "/push?all", 3)
	for i, m := range members {
		m.awaits(t, `"data":"message 3"}`)
		if got := strings.Count(m.out.String(), "\n"); got != 4 {
			t.Errorf("member %d got %d messages: %s", i, got, &m.out)
		}
	}
}

func TestPresenceAndCloseAcrossNodes(t *testing.T) {
	t.Parallel()
	_, nodes := gather(t, "a", "b", "c")
	here := curl(t, nodes[0].public+"/sub/alice?mode=sse")
	there := curl(t, nodes[1].public+"/sub/alice?mode=sse")
	f := func(d *daemon, method, path, want string) {
		t.Helper()
		if got := curled(t, "-X", method, "-w", "%{http_code}", d.publish+path); !strings.Contains(got, want) {
			t.Errorf("%s %s: %s, want %s", method, path, got, want)
		}
	}
	for _, d := range nodes {
		d.held(t, "alice", 2)
	}
	f(nodes[0], "GET", "/push/alice", `{"connections":2,"nodes":["a","b"]}`+"\n200")
	f(nodes[1], "GET", "/push/alice", `{"connections":2,"nodes":["b","a"]}`+"\n200") // the asked one first
	f(nodes[2], "GET", "/push/alice", `{"connections":2,"nodes":["a","b"]}`+"\n200")
	f(nodes[2], "GET", "/push/bob", `{"connections":0,"nodes":[]}`+"\n404")
	f(nodes[2], "DELETE", "/push/bob", "404")
	f(nodes[2], "DELETE", "/push/alice", `"closed":2`)
	for _, c := range []*process{here, there} {
		if code := c.wait(t); code != 0 || c.out.String() != "event: goaway\ndata: {}\n\n" {
			t.Errorf("a stream was left with %d %q", code, &c.out)
		}
	}
	for _, d := range nodes {
		d.held(t, "alice", 0)
	}
}

// A key that a node made names the node: it is found through any other.
func TestGeneratedKeyAcrossNodes(t *testing.T) {
	t.Parallel()
	_, nodes := gather(t, "a", "b")
	c := curl(t, "-i", nodes[0].public+"/sub?mode=ndjson")
	c.awaits(t, "push-key")
	_, rest, _ := strings.Cut(c.out.String(), "Push-Key: ")
	key, _, _ := strings.Cut(rest, "\r\n")
	if v := verdicts(t, curled(t, nodes[1].publish+"/push/"+key, "-d", "for you"))[0]; v.Delivered != 1 || v.Node != "a" {
		t.Errorf("key %s: %+v", key, v)
	}
	c.awaits(t, `"data":"for you"}`)
	c.stdin.Close()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() bool {
		return strings.HasSuffix(curled(t, "-w", "%{http_code}", nodes[1].publish+"/push/"+key, "-d", "gone"), "404")
	}) {
		t.Error("a key whose only client left is never 404")
	}
}

// "A publisher's retry with the same Push-Id within a window is delivered once", through whichever node it comes again.
func TestRetryThroughAnotherNode(t *testing.T) {
	t.Parallel()
	_, nodes := gather(t, "a", "b", "c")
	c := curl(t, nodes[0].public+"/sub/alice?mode=ndjson")
	nodes[2].held(t, "alice", 1)
	f := func(d *daemon, id string, delivered, duplicate int) {
		t.Helper()
		text := curled(t, "-w", "\n%{http_code}", d.publish+"/push/alice", "-d", "order "+id, "-H", "Push-Id: "+id)
		if v := verdicts(t, splitLines(text)[0])[0]; v.Delivered != delivered || v.Duplicate != duplicate || v.Node != "a" || !strings.HasSuffix(text, "200") {
			t.Errorf("%s through %s: %s", id, d.publish, text)
		}
	}
	f(nodes[1], "1", 1, 0)
	f(nodes[1], "1", 0, 1)
	f(nodes[2], "1", 0, 1)
	f(nodes[0], "1", 0, 1)
	f(nodes[0], "2", 1, 0)
	f(nodes[2], "2", 0, 1)
	c.awaits(t, "order 2")
	if got := strings.Count(c.out.String(), "\n"); got != 2 {
		t.Errorf("%d messages for 2: %s", got, &c.out)
	}
}

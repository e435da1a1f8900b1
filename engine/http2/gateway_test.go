package http2

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/engine/epoll"
	"holdfast/engine/exchange"
	"holdfast/engine/gateway"
	"holdfast/engine/http1"
	"holdfast/engine/loop"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/registry"
)

// node is a real loop with a real gateway that listens on loopback.
type node struct {
	url string
	l   *loop.Loop
	s   *Sessions
}

func startNode(t *testing.T) *node {
	t.Helper()
	k, err := epoll.New()
	if err != nil {
		t.Fatal(err)
	}
	n := &node{l: loop.New(k, loop.Config{MaxSlots: 65536})}
	shared := gateway.NewShared(1, registry.New(registry.Config{Loops: 1, Shards: 1}))
	shared.Snapshot.Store(&route.Snapshot{
		Listeners: []route.Listener{{Name: "all"}},
		Policies:  []route.Policy{route.Policy{}.Filled()},
		Routes: []route.Route{
			{Prefix: "/sub/", Action: route.Hold},
			{Prefix: "/push", Action: route.Push},
			{Prefix: "/push/", Action: route.Push},
			{Prefix: "/echo/", Action: route.Echo},
		},
	})
	space := exchange.NewSpace(n.l)
	g := gateway.New(shared, space, n.l.Wake, gateway.Config{})
	one := http1.New(n.l, g, http1.Config{}, boundary)
	n.s = New(n.l, g, Config{}, boundary)
	one.Multiplex(n.s)
	space.Speak(record.HTTP1, one)
	space.Speak(record.Stream, n.s)
	n.l.Speak(record.HTTP1, one)
	n.l.Speak(record.HTTP2, n.s)
	n.l.Speak(record.Stream, n.s)
	n.l.Host(g)
	fds, addr, err := epoll.ListenGroup(netip.MustParseAddrPort("127.0.0.1:0"), 1, epoll.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.l.Listen(fds[0], record.HTTP1, 0); err != nil {
		t.Fatal(err)
	}
	n.url = "http://" + addr.String()
	done := make(chan error, 1)
	go func() { done <- n.l.Run() }()
	t.Cleanup(func() {
		n.l.Post(n.l.Stop)
		if err := <-done; err != nil {
			t.Error(err)
		}
		k.Free()
	})
	return n
}

// ask runs f on the loop and waits for it.
func (n *node) ask(f func()) {
	done := make(chan struct{})
	n.l.Post(func() { f(); close(done) })
	<-done
}

// goClient is Go's HTTP/2 client by prior knowledge.
func goClient(t *testing.T) *http.Client {
	known := new(http.Protocols)
	known.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: known}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

func do(t *testing.T, c *http.Client, method, url string, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// Go's client gets a page, holds a stream, and pushes to it, all on one connection.
func TestGoClient(t *testing.T) {
	n := startNode(t)
	c := goClient(t)
	if resp, body := do(t, c, "GET", n.url+"/echo/page", nil); resp.ProtoMajor != 2 || len(body) != 1024 {
		t.Errorf("%v, %d bytes", resp.Proto, len(body))
	}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", n.url+"/sub/a", nil)
	req.Header.Set("Accept", "text/event-stream")
	sub, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Body.Close()
	lines := bufio.NewReader(sub.Body)
	for i := range 100 {
		resp, verdict := do(t, c, "POST", n.url+"/push/a", strings.NewReader(fmt.Sprint("message ", i)))
		if resp.StatusCode != 200 || !strings.Contains(verdict, `"delivered":1`) {
			t.Fatal(resp.StatusCode, verdict)
		}
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(line, "data: ") {
				if want := fmt.Sprintf("data: message %d\n", i); line != want {
					t.Fatalf("%q, want %q", line, want)
				}
				break
			}
		}
	}
	n.ask(func() {
		if n.s.Stats.Conns != 1 {
			t.Errorf("%d connections", n.s.Stats.Conns)
		}
	})
}

// Bodies of any length come back whole, many at a time.
func TestGoClientEchoes(t *testing.T) {
	n := startNode(t)
	c := goClient(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			want := strings.Repeat(fmt.Sprint(i, " "), 1<<(i%18))
			if _, got := do(t, c, "POST", n.url+"/echo/x", strings.NewReader(want)); got != want {
				t.Errorf("echo %d: %d bytes, want %d", i, len(got), len(want))
			}
		})
	}
	wg.Wait()
}

// Thousands of pushes at once on one connection each have their verdict, and all reach the holder.
func TestConcurrentPushes(t *testing.T) {
	n := startNode(t)
	c := goClient(t)
	req, _ := http.NewRequestWithContext(t.Context(), "GET", n.url+"/sub/k?mode=ndjson", nil)
	sub, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Body.Close()
	const pushes = 2000
	var wg sync.WaitGroup
	for i := range pushes {
		wg.Go(func() {
			resp, verdict := do(t, c, "POST", n.url+"/push/k", strings.NewReader(fmt.Sprint(i)))
			if resp.StatusCode != 200 && resp.StatusCode != 202 {
				t.Error(resp.StatusCode, verdict)
			}
		})
	}
	lines := bufio.NewScanner(sub.Body)
	for range pushes {
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
	}
	wg.Wait()
	n.ask(func() {
		if s := &n.s.Stats; s.Conns != 1 || s.Refused != 0 || s.Goaways != [codes]uint64{} {
			t.Errorf("%+v", s)
		}
	})
}

// A stream of items has a verdict line for each, while it goes on.
func TestPublishStream(t *testing.T) {
	n := startNode(t)
	c := goClient(t)
	read, write := io.Pipe()
	req, _ := http.NewRequestWithContext(t.Context(), "POST", n.url+"/push", read)
	req.Header.Set("Content-Type", "application/x-ndjson")
	verdicts := make(chan string)
	go func() {
		defer close(verdicts)
		resp, err := c.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			verdicts <- lines.Text()
		}
	}()
	for i := range 200 {
		fmt.Fprintf(write, `{"key":"nobody","data":"%s"}`+"\n", strings.Repeat("x", 100*i))
		if got := <-verdicts; !strings.Contains(got, fmt.Sprintf(`"index":%d,"status":404`, i)) {
			t.Fatal(got)
		}
	}
	write.Close()
	if line, more := <-verdicts; more {
		t.Error(line)
	}
}

// A subscriber that leaves is let go at once, and its connection goes on.
func TestCancelledHold(t *testing.T) {
	n := startNode(t)
	c := goClient(t)
	for range 50 {
		ctx, leave := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "GET", n.url+"/sub/a?mode=stream", nil)
		sub, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		leave()
		sub.Body.Close()
		for deadline := time.Now().Add(5 * time.Second); ; {
			resp, _ := do(t, c, "GET", n.url+"/push/a", nil)
			if resp.StatusCode == 404 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the hold lives on")
			}
		}
	}
	n.ask(func() {
		if n.s.Stats.Conns != 1 || n.s.Stats.Streams[stateHold] != 0 {
			t.Errorf("%+v", n.s.Stats)
		}
	})
}

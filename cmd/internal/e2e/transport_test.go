package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// clearText is Go's client of HTTP/2 with prior knowledge.
func clearText(t *testing.T) *http.Transport {
	lane := &http.Transport{Protocols: new(http.Protocols), HTTP2: &http.HTTP2Config{StrictMaxConcurrentRequests: true}}
	lane.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(lane.CloseIdleConnections)
	return lane
}

// counted is Go's client of HTTP/2, and how many connections it has made.
func counted(t *testing.T) (*http.Client, *atomic.Int32) {
	lane, dials := clearText(t), new(atomic.Int32)
	lane.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	return &http.Client{Transport: lane}, dials
}

// Go's client holds a thousand streams on one connection and pushes to all of them, concurrently, on another: everything
// arrives once and in order, and nothing of it looks like abuse.
func TestGoTransport(t *testing.T) {
	t.Parallel()
	const holds, rounds, publishers = 1000, 5, 50
	d := serve(t)
	client, dials := counted(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines := make([]*bufio.Reader, holds)
	for i := range lines {
		req, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://%s/sub/one-%d,all", d.public, i), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "application/x-ndjson")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != 200 || resp.ProtoMajor != 2 {
			t.Fatalf("hold %d: %s %s", i, resp.Proto, resp.Status)
		}
		lines[i] = bufio.NewReader(resp.Body)
	}
	d.held(t, "all", holds)

	if _, err := pushOver(client, "http://"+d.publish+"/push/nobody", "opens the connection"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for i := p; i < holds; i += publishers {
				for round := range rounds {
					v, err := pushOver(client, fmt.Sprintf("http://%s/push/one-%d", d.publish, i), fmt.Sprintf("message %d", round))
					if err != nil || v.Delivered+v.Pending != 1 {
						t.Errorf("hold %d, round %d: %+v %v", i, round, v, err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	v, err := pushOver(client, "http://"+d.publish+"/push/all", "to all")
	if err != nil || v.Delivered+v.Pending != holds {
		t.Errorf("to all: %+v %v", v, err)
	}
	for i, in := range lines {
		for round := range rounds + 1 {
			want := fmt.Sprintf(`"data":"message %d"}`+"\n", round)
			if round == rounds {
				want = `"data":"to all"}` + "\n"
			}
			if line, err := in.ReadString('\n'); err != nil || !strings.HasSuffix(line, want) {
				t.Fatalf("hold %d: %q %v, want %s", i, line, err, want)
			}
		}
	}
	if n := dials.Load(); n != 2 {
		t.Errorf("%d connections for two listeners", n)
	}
	cancel()
	d.held(t, "all", 0)
}

// pushOver publishes a message.
func pushOver(client *http.Client, url, message string) (v verdict, err error) {
	resp, err := client.Post(url, "text/plain", strings.NewReader(message))
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&v)
	v.Status = resp.StatusCode
	return v, err
}

// A publish stream is answered line by line while it is still being sent, several at a time on one connection.
func TestGoTransportPublishesStreams(t *testing.T) {
	t.Parallel()
	const streams, messages = 20, 200
	d := serve(t)
	c := curl(t, "--http2-prior-knowledge", d.public+"/sub/alice?mode=ndjson")
	d.held(t, "alice", 1)
	client, dials := counted(t)
	if _, err := pushOver(client, "http://"+d.publish+"/push/nobody", "opens the connection"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for s := range streams {
		all.Go(func() {
			up, down := io.Pipe()
			say := func(i int) { fmt.Fprintf(down, `{"key":"alice","data":"stream %d message %d"}`+"\n", s, i) }
			go say(0) // whose verdict begins the answer
			resp, err := client.Post("http://"+d.publish+"/push", "application/x-ndjson", up)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			in := bufio.NewReader(resp.Body)
			for i := range messages {
				line, err := in.ReadString('\n')
				if err != nil || !strings.Contains(line, fmt.Sprintf(`"index":%d,`, i)) || !strings.Contains(line, `"delivered":1`) && !strings.Contains(line, `"pending":1`) {
					t.Errorf("stream %d: %q %v", s, line, err)
					return
				}
				if i+1 < messages {
					say(i + 1)
				}
			}
			down.Close()
			if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
				t.Errorf("stream %d goes on with %q %v", s, rest, err)
			}
		})
	}
	all.Wait()
	if !eventually(func() bool { return strings.Count(c.out.String(), "\n") == streams*messages }) {
		t.Errorf("%d messages arrived of %d", strings.Count(c.out.String(), "\n"), streams*messages)
	}
	for s := range streams {
		at := 0
		for i := range messages {
			next := strings.Index(c.out.String()[at:], fmt.Sprintf(`"stream %d message %d"`, s, i))
			if next < 0 {
				t.Fatalf("stream %d: message %d is missing or out of order", s, i)
			}
			at += next
		}
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// A client that resets streams as Go does, when its callers lose interest, is no attacker; and it is told of a drain in a
// way that loses no request.
func TestGoTransportLosesInterest(t *testing.T) {
	t.Parallel()
	d := serve(t, "--drain-pace", "300ms")
	client, dials := counted(t)
	for i := range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+d.public+"/sub/alice", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accepts["sse"])
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("hold %d: %v", i, err)
		}
		if i%3 > 0 {
			cancel()
			resp.Body.Close()
			continue
		}
		defer resp.Body.Close()
		defer cancel()
	}
	d.held(t, "alice", 100)
	if n := dials.Load(); n != 1 {
		t.Errorf("%d connections: the node has ended some", n)
	}
	c := curl(t, "--http2-prior-knowledge", d.public+"/sub/bob?mode=sse")
	d.held(t, "bob", 1)
	d.stop(t)
	if code := c.wait(t); code != 0 || !strings.Contains(c.out.String(), "event: goaway\ndata: {}\n\n") {
		t.Errorf("exit %d: %q %s", code, &c.out, &c.errs)
	}
}

// A body that is too long is refused before it has come, and the client hears why.
func TestGoTransportIsRefused(t *testing.T) {
	t.Parallel()
	d := serve(t)
	client, dials := counted(t)
	for range 20 {
		v, err := pushOver(client, "http://"+d.publish+"/push/x", strings.Repeat("x", 4<<20))
		if err != nil || v.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%+v %v", v, err)
		}
	}
	if v, err := pushOver(client, "http://"+d.publish+"/push/x", "short"); err != nil || v.Status != http.StatusNotFound || dials.Load() != 1 {
		t.Errorf("then: %+v %v, %d connections", v, err, dials.Load())
	}
}

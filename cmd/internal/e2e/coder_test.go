package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// socketOver is a WebSocket of a client library that people use.
func socketOver(t *testing.T, lane http.RoundTripper, url string, mode websocket.CompressionMode) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), "http://"+url, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: lane}, CompressionMode: mode, CompressionThreshold: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	c.SetReadLimit(4 << 20)
	return c
}

// overLanes runs a test over each lane, with the library's ways to compress.
func overLanes(t *testing.T, run func(t *testing.T, dial func(url string) *websocket.Conn)) {
	t.Parallel()
	modes := map[string]websocket.CompressionMode{
		"plain": websocket.CompressionDisabled, "fresh": websocket.CompressionNoContextTakeover, "context": websocket.CompressionContextTakeover,
	}
	for name, lane := range lanes {
		for how, mode := range modes {
			t.Run(name+" "+how, func(t *testing.T) {
				by := lane(t)
				run(t, func(url string) *websocket.Conn { return socketOver(t, by, url, mode) })
			})
		}
	}
}

// Whatever a library sends comes back as it was, in one piece or in many, with pings between them.
func TestSocketLibraryEchoes(t *testing.T) {
	d := serve(t, "--echo")
	overLanes(t, func(t *testing.T, dial func(string) *websocket.Conn) {
		c := dial(d.public + "/echo")
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()
		f := func(kind websocket.MessageType, message []byte, piece int) {
			t.Helper()
			sent := make(chan error, 1)
			go func() {
				w, err := c.Writer(ctx, kind)
				for rest := message; err == nil && len(rest) > 0; {
					n := min(piece, len(rest))
					_, err = w.Write(rest[:n])
					rest = rest[n:]
				}
				if err == nil {
					err = w.Close()
				}
				sent <- err
			}()
			got, back, err := c.Read(ctx)
			if said := <-sent; said != nil || err != nil || got != kind || !bytes.Equal(back, message) {
				t.Fatalf("%d bytes of kind %v in pieces of %d: %d of kind %v, %v, %v", len(message), kind, piece, len(back), got, err, said)
			}
		}
		long := []byte(strings.Repeat("日本語 {\"key\":1} ", 60_000))
		for _, size := range []int{0, 1, 125, 126, 4 << 10, 65535, 65536, 1 << 20} {
			for _, piece := range []int{1 << 21, size/3 + 1} {
				f(websocket.MessageBinary, long[:size], piece)
			}
		}
		f(websocket.MessageText, long, 1<<21)
		f(websocket.MessageText, long, 9999)
		answered := make(chan error, 1)
		go func() { answered <- c.Ping(ctx) }()
		go func() { _ = c.Write(ctx, websocket.MessageText, []byte("behind the ping")) }()
		if _, got, err := c.Read(ctx); string(got) != "behind the ping" || err != nil {
			t.Fatalf("%q %v", got, err)
		}
		c.CloseRead(ctx)
		if err := <-answered; err != nil {
			t.Errorf("a ping: %v", err)
		}
	})
}

// A held WebSocket gets each push once and in order, knows text from binary, and is told the code when it is sent away.
func TestSocketLibraryHolds(t *testing.T) {
	d := serve(t, "--ws-deflate")
	overLanes(t, func(t *testing.T, dial func(string) *websocket.Conn) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()
		key := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())
		const members, rounds = 5, 40
		conns := make([]*websocket.Conn, members)
		for i := range conns {
			conns[i] = dial(d.public + "/sub/" + key)
		}
		d.held(t, key, members)
		message := func(i int) string { return fmt.Sprintf("message %d %s", i, strings.Repeat("is long, ", i*i)) }
		var all sync.WaitGroup
		for _, c := range conns {
			all.Go(func() {
				for i := range rounds {
					kind, got, err := c.Read(ctx)
					if err != nil || string(got) != message(i) || (kind == websocket.MessageText) != (i%2 == 0) {
						t.Errorf("message %d: %v %.60q %v", i, kind, got, err)
						return
					}
				}
				_, _, err := c.Read(ctx)
				if code := websocket.CloseStatus(err); code != websocket.StatusGoingAway {
					t.Errorf("sent away with %v", err)
				}
			})
		}
		for i := range rounds {
			kind := [2]string{"text/plain", "application/octet-stream"}[i%2]
			resp, err := http.Post("http://"+d.publish+"/push/"+key, kind, strings.NewReader(message(i)))
			if err != nil {
				t.Fatal(err)
			}
			said, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if !strings.Contains(string(said), fmt.Sprintf(`"delivered":%d,"pending":0`, members)) {
				t.Errorf("push %d: %s", i, said)
			}
		}
		d.sendAway(t, key)
		all.Wait()
		d.held(t, key, 0)
	})
}

// However a WebSocket's client goes, its key is free soon.
func TestSocketLibraryLeaves(t *testing.T) {
	d := serve(t)
	overLanes(t, func(t *testing.T, dial func(string) *websocket.Conn) {
		key := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())
		for _, leave := range []func(*websocket.Conn) error{
			(*websocket.Conn).CloseNow,
			func(c *websocket.Conn) error { return c.Close(websocket.StatusNormalClosure, "bye") },
			func(c *websocket.Conn) error { return c.Close(4001, "my own reason") },
		} {
			c := dial(d.public + "/sub/" + key)
			d.held(t, key, 1)
			began := time.Now()
			if err := leave(c); err != nil {
				t.Error(err)
			}
			d.held(t, key, 0)
			if took := time.Since(began); took > time.Second { // 2 ms on a quiet machine
				t.Errorf("the key was held for %v more", took)
			}
		}
	})
}

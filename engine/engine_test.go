package engine

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T, cfg Config) (public, publish string) {
	t.Helper()
	if cfg.Snapshot == nil {
		cfg.Snapshot = BuiltIn(BuiltInConfig{Public: "127.0.0.1:0", Publish: "127.0.0.1:0", Echo: true})
	}
	e, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		e.Stop(ctx, 0)
	})
	return "http://" + e.Addresses()[0].String(), "http://" + e.Addresses()[1].String()
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestSliceSSE(t *testing.T) {
	for _, loops := range []int{1, 2, 3} {
		public, publish := start(t, Config{Loops: loops})
		req, _ := http.NewRequestWithContext(t.Context(), "GET", public+"/sub/alice", nil)
		req.Header.Set("Accept", "text/event-stream")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		t.Log(resp.Status, resp.Header)
		r := bufio.NewReader(resp.Body)
		for i := range 5 {
			status, verdict := post(t, publish+"/push/alice", "hello\nworld")
			if status != 200 {
				t.Fatal(i, status, verdict)
			}
			for range 3 {
				line, err := r.ReadString('\n')
				if i == 0 {
					t.Logf("%q %v", line, err)
				}
			}
		}
		t.Log(post(t, publish+"/push/bob", "x"))
	}
}

package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/admin"
)

// seen is one request as a node got it.
type seen struct {
	method, uri, body string
	head              http.Header
}

// node answers every request alike and notes it.
func node(t *testing.T, status int, body string) (*Client, *seen) {
	t.Helper()
	last := &seen{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*last = seen{r.Method, r.RequestURI, string(text), r.Header}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return &Client{Base: server.URL, Timeout: 5 * time.Second}, last
}

func TestNodesAreAsked(t *testing.T) {
	c, last := node(t, 200, `{"cluster":true,"nodes":[{"name":"a","link":"self"},{"name":"b","link":"up","in_flight":3}],"remarks":["look"]}`)
	list, err := c.Nodes(t.Context())
	if err != nil || !list.Cluster || len(list.Nodes) != 2 || list.Nodes[1].InFlight != 3 || list.Remarks[0] != "look" || last.uri != "/v1/nodes" {
		t.Errorf("%+v, %v, asked %s", list, err, last.uri)
	}
	c, _ = node(t, 503, `{"error":"busy"}`)
	if _, err := c.Nodes(t.Context()); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("a refusal is told as %v", err)
	}
}

func TestPushSaysWhatItIsTold(t *testing.T) {
	f := func(m Message, want string) {
		t.Helper()
		c, last := node(t, 200, "{}")
		if _, err := c.Push(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		fields := []string{}
		for _, name := range []string{"Content-Type", "Push-Id", "Push-Event", "Authorization"} {
			if v := last.head.Get(name); v != "" {
				fields = append(fields, name+"="+v)
			}
		}
		if got := fmt.Sprint(last.method, " ", last.uri, " ", last.body, " ", fields); got != want {
			t.Errorf("%+v:\n got %s\nwant %s", m, got, want)
		}
	}
	f(Message{Key: []byte("alice"), Data: []byte("hi")}, "POST /push/alice hi []")
	f(Message{Key: []byte("a/b?c,d\xff ")}, "POST /push/a%2Fb%3Fc%2Cd%FF%20  []")
	f(Message{Key: []byte("a"), Type: "application/json", ID: "7", Event: "e"}, "POST /push/a  [Content-Type=application/json Push-Id=7 Push-Event=e]")
	f(Message{All: true, Data: []byte("x")}, "POST /push?all x []")
}

func TestPushHandsEveryVerdictOver(t *testing.T) {
	for _, status := range []int{200, 202, 401, 404, 413, 503, 504} {
		c, last := node(t, status, "the verdict")
		c.Token = "secret"
		a, err := c.Push(t.Context(), Message{Key: []byte("a")})
		if err != nil || a.Status != status || string(a.Body) != "the verdict" {
			t.Errorf("%d: %+v, %v", status, a, err)
		}
		if got := last.head.Get("Authorization"); got != "Bearer secret" {
			t.Errorf("token sent as %q", got)
		}
	}
}

// Every filter that can be set is sent, and the admin listener understands each.
func TestFiltersAreSent(t *testing.T) {
	f := func(filter admin.ConnFilter, want string) {
		t.Helper()
		c, last := node(t, 200, `{"conns":[{"id":"1","keys":["a"]}],"more":true}`)
		page, err := c.Conns(t.Context(), filter, 5)
		if err != nil || last.uri != want || len(page.Conns) != 1 || !page.More {
			t.Errorf("%+v: asked %s, got %+v, %v; want %s", filter, last.uri, page, err, want)
		}
	}
	f(admin.ConnFilter{}, "/v1/conns?limit=5")
	f(admin.ConnFilter{Form: "sse", Key: []byte("a,b&c"), MinQueued: 1, MinAge: time.Minute},
		"/v1/conns?form=sse&key=a%2Cb%26c&limit=5&min_age=60&min_queued=1")
}

func TestStrangeFormsAreNotAskedFor(t *testing.T) {
	c, last := node(t, 200, `{"conns":[]}`)
	_, err := c.Conns(t.Context(), admin.ConnFilter{Form: "bogus"}, 5)
	if err == nil || !strings.Contains(err.Error(), `no form "bogus"; there are none, poll, sse, ndjson, multipart, replace, raw`) || last.uri != "" {
		t.Errorf("%v, asked %q", err, last.uri)
	}
}

func TestKeysAndHolders(t *testing.T) {
	c, last := node(t, 200, `{"keys":[{"key":"a","holders":2}],"next":"c1"}`)
	page, err := c.Keys(t.Context(), []byte("a b"), "c0", 7)
	if err != nil || last.uri != "/v1/keys?after=c0&limit=7&prefix=a+b" || page.Next != "c1" || !slices.Equal(page.Keys, []admin.Key{{Key: "a", Holders: 2}}) {
		t.Errorf("asked %s, got %+v, %v", last.uri, page, err)
	}
	c, last = node(t, 200, `{"key":"a%2Fb","holders":1,"conns":[]}`)
	h, err := c.Holders(t.Context(), []byte("a/b"), 3)
	if err != nil || last.uri != "/v1/keys/a%2Fb?limit=3" || h.Holders != 1 || h.Key.Key != "a%2Fb" {
		t.Errorf("asked %s, got %+v, %v", last.uri, h, err)
	}
}

func TestMetricsAreRead(t *testing.T) {
	c, last := node(t, 200, "a 1\na{b=\"c\"} 2\n")
	all, err := c.Metrics(t.Context())
	if err != nil || last.uri != "/metrics" || all.Sum("a") != 3 {
		t.Errorf("%v, %v", all, err)
	}
	c, _ = node(t, 503, `{"error":"a loop is silent"}`)
	if _, err := c.Metrics(t.Context()); err == nil || !strings.Contains(err.Error(), "a loop is silent") {
		t.Errorf("%v", err)
	}
}

func TestRefusalsAreTold(t *testing.T) {
	f := func(status int, body, want string) {
		t.Helper()
		c, _ := node(t, status, body)
		if _, err := c.Keys(t.Context(), nil, "", 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d %q: %v, want %q", status, body, err, want)
		}
	}
	f(400, `{"error":"want 1 to 10"}`, "the node answered 400: want 1 to 10")
	f(404, "not JSON", "the node answered 404: Not Found")
	f(500, `{}`, "the node answered 500: Internal Server Error")
	f(200, "<html>", "did not answer as an admin listener does")
}

func TestUnreachableNodes(t *testing.T) {
	f := func(base, want string) {
		t.Helper()
		c := &Client{Base: base, Timeout: time.Second}
		if _, err := c.Push(t.Context(), Message{Key: []byte("a")}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", base, err, want)
		}
	}
	f("127.0.0.1:1", "cannot reach 127.0.0.1:1")
	f("http://127.0.0.1:1/", "cannot reach")
	f("http://[::1", "is no address of a node")
	f("ftp://127.0.0.1", "cannot reach")
}

func TestSlowNodesAreGivenUp(t *testing.T) {
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-gone }))
	defer server.Close()
	defer close(gone)
	c := &Client{Base: server.URL, Timeout: 20 * time.Millisecond}
	if _, err := c.Metrics(t.Context()); err == nil || !strings.Contains(err.Error(), "did not answer within 20ms") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.Timeout = time.Minute
	if _, err := c.Metrics(ctx); err == nil {
		t.Error("a command that was interrupted went on")
	}
}

func TestBareAddressesMeanHTTP(t *testing.T) {
	c, last := node(t, 200, "{}")
	c.Base = strings.TrimPrefix(c.Base, "http://")
	if _, err := c.Push(t.Context(), Message{Key: []byte("a"), Data: bytes.Repeat([]byte("x"), 1<<20)}); err != nil || len(last.body) != 1<<20 {
		t.Errorf("%d bytes arrived, %v", len(last.body), err)
	}
}

package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/cmd/internal/metrics"
)

// node is a made-up process that notes what it was asked.
type node struct {
	notReady, broken error
	asked            string
	cluster          NodeList
}

func (n *node) Nodes() NodeList { return n.cluster }

func (n *node) Ready() error { return n.notReady }

func (n *node) Metrics(_ context.Context, w *metrics.Writer) error {
	w.One(metrics.Keys, metrics.Gauge, "Keys.", 3)
	return n.broken
}

func (n *node) Conns(_ context.Context, f ConnFilter, limit int) ([]Conn, bool, error) {
	n.asked = fmt.Sprintf("conns form=%s key=%q queued=%d age=%v limit=%d", f.Form, f.Key, f.MinQueued, f.MinAge, limit)
	if f.Form == "poll" {
		return nil, false, n.broken
	}
	return []Conn{{ID: "1f", Listener: "public", Peer: "192.0.2.1:5", Form: "sse", Keys: []string{"a%2Cb"}, AgeSeconds: 7, SentSeconds: -1}}, true, n.broken
}

func (n *node) Keys(_ context.Context, prefix []byte, after string, limit int) ([]Key, string, error) {
	n.asked = fmt.Sprintf("keys prefix=%q after=%s limit=%d", prefix, after, limit)
	switch after {
	case "":
		return []Key{{Key: "alice", Holders: 2}}, "c1", n.broken
	case "c1":
		return nil, "", n.broken
	}
	return nil, "", ErrCursor
}

func (n *node) Holders(_ context.Context, name []byte, limit int) (KeyHolders, error) {
	n.asked = fmt.Sprintf("holders %q limit=%d", name, limit)
	switch string(name) {
	case "nobody":
		return KeyHolders{}, n.broken
	case "doubtful":
		return KeyHolders{Doubt: "no answer"}, nil
	case "elsewhere":
		return KeyHolders{Key: Key{Key: "elsewhere"}, Nodes: []string{"b"}, Doubt: "not sure"}, nil
	}
	return KeyHolders{Key: Key{Key: "alice", Holders: 1}}, n.broken
}

// request is one to the listener's default address.
func request(method, path string) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	r.Host = "127.0.0.1:8082"
	return r
}

// get asks a server without a socket.
func get(s *Server, path string, fields ...string) (status int, body string, head http.Header) {
	r := request("GET", path)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String()), w.Header()
}

func TestPaths(t *testing.T) {
	f := func(path string, status int, body, asked string) {
		t.Helper()
		n := &node{}
		code, got, head := get(New(n, Config{}), path)
		if code != status || !strings.Contains(got, body) || n.asked != asked {
			t.Errorf("%s: %d %s, asked %q; want %d %s, %q", path, code, got, n.asked, status, body, asked)
		}
		if status == 200 && head.Get("Content-Type") != "application/json" {
			t.Errorf("%s is of type %q", path, head.Get("Content-Type"))
		}
	}
	f("/healthz", 200, `{"status":"ok"}`, "")
	f("/readyz", 200, `{"status":"ready"}`, "")
	f("/v1/conns", 200, `{"conns":[{"id":"1f","loop":0,"listener":"public","peer":"192.0.2.1:5","form":"sse","keys":["a%2Cb"],`+
		`"age_seconds":7,"sent_seconds":-1,"queued_bytes":0}],"more":true}`, `conns form= key="" queued=0 age=0s limit=100`)
	f("/v1/conns?form=poll&key=a%2Cb&min_queued=1&min_age=60&limit=5", 200, `{"conns":[],"more":false}`,
		`conns form=poll key="a,b" queued=1 age=1m0s limit=5`)
	f("/v1/keys", 200, `{"keys":[{"key":"alice","holders":2}],"next":"c1"}`, `keys prefix="" after= limit=100`)
	f("/v1/keys?after=c1", 200, `{"keys":[]}`, `keys prefix="" after=c1 limit=100`)
	f("/v1/keys?after=stale", 400, `start without it`, `keys prefix="" after=stale limit=100`)
	f("/v1/keys?prefix=al%20&limit=10000", 200, `alice`, `keys prefix="al " after= limit=10000`)
	f("/v1/keys/alice", 200, `{"key":"alice","holders":1,"conns":[]}`, `holders "alice" limit=100`)
	f("/v1/keys/a%2Fb%FF?limit=1", 200, `alice`, `holders "a/b\xff" limit=1`)
	f("/v1/keys/nobody", 404, `nobody holds this key`, `holders "nobody" limit=100`)
	f("/v1/keys/elsewhere", 200, `{"key":"elsewhere","holders":0,"conns":[],"nodes":["b"],"doubt":"not sure"}`, `holders "elsewhere" limit=100`)
	f("/v1/keys/doubtful", 404, `whether others do is not known: no answer`, `holders "doubtful" limit=100`)
	f("/v1/keys/"+strings.Repeat("k", 257), 400, `key:`, "")
	f("/v1/keys?prefix="+strings.Repeat("k", 257), 400, `longer than any key`, "")
	f("/v1/conns?limit=0", 400, `want 1 to 10000`, "")
	f("/v1/conns?limit=10001", 400, `want 1 to 10000`, "")
	f("/v1/conns?min_age=old", 400, `min_age: want a whole number`, "")
	f("/v1/conns?min_queued=-1", 400, `min_queued: want a whole number`, "")
	f("/v1/conns?form=none", 200, `"conns"`, `conns form=none key="" queued=0 age=0s limit=100`)
	f("/v1/conns?form=bogus", 400, `form: there is no form \"bogus\"; there are none, poll, sse, ndjson, multipart, replace, raw`, "")
	f("/v1/conns?form=SSE", 400, `there is no form`, "")
	f("/v1/conns?from=sse", 400, `from: unknown parameter`, "")
	f("/v1/keys?form=sse", 400, `form: unknown parameter`, "")
	f("/v1/nothing", 404, ``, "")
	f("/v1/nodes", 200, `{"cluster":false,"nodes":[],"marked":false,"current":false,"beat_seconds":0,"dirty_claims":0}`, "")
	f("/v1/nodes?limit=5", 400, `limit: unknown parameter`, "")
}

func TestNodesAreListed(t *testing.T) {
	n := &node{cluster: NodeList{
		Cluster: true, Lease: "5s", Incarnation: "i1", Marked: true, Current: true, BeatSeconds: 0.5,
		Nodes: []Node{{Name: "a", Instance: "1f", Self: true, Lease: "live", Claims: "complete", Link: "self"}}, Remarks: []string{"look"},
	}}
	code, body, _ := get(New(n, Config{}), "/v1/nodes")
	for _, want := range []string{
		`{"cluster":true,"nodes":[{"name":"a","instance":"1f","address":"","release":"","self":true,"lease":"live","claims":"complete","link":"self",`,
		`"lease":"5s","incarnation":"i1","marked":true,"current":true,"beat_seconds":0.5,"dirty_claims":0,"remarks":["look"]}`,
	} {
		if code != 200 || !strings.Contains(body, want) {
			t.Errorf("%d %s, want %s", code, body, want)
		}
	}
}

func TestTroubleIsTold(t *testing.T) {
	broken := errors.New("loop 1 does not answer")
	f := func(n *node, path, want string) {
		t.Helper()
		if code, body, _ := get(New(n, Config{}), path); code != 503 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want 503 with %q", path, code, body, want)
		}
	}
	f(&node{notReady: errors.New("draining")}, "/readyz", `{"error":"draining"}`)
	f(&node{broken: broken}, "/metrics", broken.Error())
	f(&node{broken: broken}, "/v1/conns", broken.Error())
	f(&node{broken: broken}, "/v1/keys", broken.Error())
	f(&node{broken: broken}, "/v1/keys/alice", broken.Error())
	f(&node{broken: broken}, "/v1/keys/nobody", broken.Error())
	if code, _, _ := get(New(&node{notReady: broken, broken: broken}, Config{}), "/healthz"); code != 200 {
		t.Errorf("a process that drains is alive, but /healthz says %d", code)
	}
}

func TestMetricsHaveTheNodeAndTheProcess(t *testing.T) {
	code, body, head := get(New(&node{}, Config{}), "/metrics")
	samples, err := metrics.Read(body)
	if code != 200 || err != nil || samples.Sum(metrics.Keys) != 3 || samples.Sum(metrics.ProcessRSS) == 0 {
		t.Errorf("%d, %v:\n%s", code, err, body)
	}
	if head.Get("Content-Type") != metrics.ContentType {
		t.Errorf("type %q", head.Get("Content-Type"))
	}
}

func TestNothingCanBeChanged(t *testing.T) {
	s := New(&node{}, Config{Pprof: true})
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		for _, path := range []string{"/healthz", "/metrics", "/v1/conns", "/v1/keys", "/v1/keys/alice", "/v1/nodes", "/debug/pprof/heap"} {
			w := httptest.NewRecorder()
			s.http.Handler.ServeHTTP(w, request(method, path))
			if w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
	}
}

func TestOtherSitesMayNotRead(t *testing.T) {
	f := func(site string, status int) {
		t.Helper()
		if code, _, _ := get(New(&node{}, Config{}), "/v1/keys", "Sec-Fetch-Site", site); code != status {
			t.Errorf("from a %s page: %d, want %d", site, code, status)
		}
	}
	f("cross-site", 403)
	f("same-site", 403)
	f("same-origin", 200)
	f("none", 200)
}

// Whatever name a page's owner points here, it is not answered under it.
func TestOtherNamesAreNotAnswered(t *testing.T) {
	f := func(cfg Config, host string, status int) {
		t.Helper()
		r := request("GET", "/v1/keys")
		r.Host = host
		w := httptest.NewRecorder()
		New(&node{}, cfg).http.Handler.ServeHTTP(w, r)
		if w.Code != status || status == 421 && !strings.Contains(w.Body.String(), "ask by IP address") {
			t.Errorf("under %q: %d %s, want %d", host, w.Code, w.Body, status)
		}
	}
	f(Config{}, "127.0.0.1:8082", 200)
	f(Config{}, "[::1]:8082", 200)
	f(Config{}, "localhost:8082", 200)
	f(Config{}, "", 200)
	f(Config{}, "rebound.example:8082", 421)
	f(Config{}, "localhost.rebound.example", 421)
	f(Config{Hosts: []string{"node1"}}, "node1:8082", 200)
	f(Config{Hosts: []string{"node1"}}, "node2:8082", 421)
}

func TestProfilesAreServedOnlyOnRequest(t *testing.T) {
	f := func(cfg Config, path string, status int) {
		t.Helper()
		if code, _, _ := get(New(&node{}, cfg), path); code != status {
			t.Errorf("%s with %+v: %d, want %d", path, cfg, code, status)
		}
	}
	f(Config{}, "/debug/pprof/", 404)
	f(Config{}, "/debug/pprof/heap", 404)
	f(Config{Pprof: true}, "/debug/pprof/", 200)
	f(Config{Pprof: true}, "/debug/pprof/heap?debug=1", 200)
	f(Config{Pprof: true}, "/debug/pprof/cmdline", 200)
}

func TestServesAndStops(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(&node{}, Config{})
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(body) != "{\"status\":\"ok\"}\n" {
		t.Errorf("%q, %v", body, err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Errorf("an ordered end is told as %v", err)
	}
	if err := s.Serve(l); err != nil {
		t.Errorf("after Shutdown: %v", err)
	}
}

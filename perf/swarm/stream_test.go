package swarm

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

// overH2 gives a fake's config for HTTP/2.
func overH2(cfg Config, streams, pushStreams int) Config {
	cfg.Protocol, cfg.Streams, cfg.PushStreams = HTTP2, streams, pushStreams
	return cfg
}

// As many clients share a connection as they are told to, and so do publishers.
func TestStreamsShareConnections(t *testing.T) {
	f := func(streams, pushStreams, subscribers, publishers int) {
		t.Helper()
		fake := new(fake)
		cfg := overH2(fake.start(t), streams, pushStreams)
		cfg.Loops, cfg.Loads[0].Rate = 1, 0
		clean(t, run(t, cfg).Totals())
		p := fake.seen()
		if p.proto != "HTTP/2.0" || len(p.from) != subscribers || len(p.pushFrom) != publishers || p.joined != 40 {
			t.Errorf("%d and %d streams: %s, clients on %d connections, publishers on %d", streams, pushStreams, p.proto, len(p.from), len(p.pushFrom))
		}
	}
	f(1, 1, 40, 8)
	f(7, 3, 6, 3)
	f(40, 8, 1, 1)
	f(250, 250, 1, 1)
}

// Without a schedule and with fewer streams than publishers, those who find none wait, and nothing is lost.
func TestPushesWaitForAStream(t *testing.T) {
	fake := &fake{streams: 3}
	cfg := overH2(fake.start(t), 1, 8)
	cfg.Loads[0].Rate = 0
	r := run(t, cfg)
	b := r.Totals()
	clean(t, b)
	if b.Sent < 100 || len(r.Troubles) != 0 || len(fake.seen().pushFrom) != 2 { // of two loops
		t.Errorf("%+v, troubles %v", b, r.Troubles)
	}
}

func TestServersThatTakeFewStreams(t *testing.T) {
	fake := &fake{streams: 5}
	cfg := overH2(fake.start(t), 10, 1)
	cfg.Loops, cfg.Loads = 1, []Load{{Conns: 20}}
	r := run(t, cfg)
	if r.Subscribed.Load() != 10 || r.Failed.Load() != 10 || !strings.Contains(trouble(r), "takes 5 streams") {
		t.Errorf("%d subscribed, %d failed, %q", r.Subscribed.Load(), r.Failed.Load(), trouble(r))
	}
}

// Requests say over HTTP/2 what they say over HTTP/1.1, in lower case.
func TestWordsOfAStream(t *testing.T) {
	f := new(fake)
	cfg := overH2(f.start(t), 4, 4)
	cfg.SubscribeFields = []string{"X-Tenant:  blue", "accept: application/x-ndjson"}
	cfg.Form = NDJSON
	run(t, cfg)
	if p := f.seen(); p.fields.Get("X-Tenant") != "blue" || len(p.fields.Values("Accept")) != 1 || len(p.key) != 16 {
		t.Errorf("key %q, %v", p.key, p.fields)
	}
}

// Polls go on for more than one answer, each on a stream of its own.
func TestPollsOverStreams(t *testing.T) {
	f := &fake{life: 50 * time.Millisecond}
	cfg := overH2(f.start(t), 10, 1)
	cfg.Form, cfg.Loads[0].Publishers, cfg.Loads[0].Rate = Poll, 0, 0
	r := run(t, cfg)
	if p := f.seen(); p.joined < 120 || len(r.Troubles) != 0 || r.Lost.Load() != 0 || len(p.from) != 4 {
		t.Errorf("joined %d over %d connections, troubles %v", p.joined, len(p.from), r.Troubles)
	}
}

// A server that dismisses a connection after each answer costs the tool connections, not messages: net/http says GOAWAY
// where it would have said Connection: close.
func TestDismissedConnections(t *testing.T) {
	for _, form := range []Form{SSE, Poll} {
		var f *fake
		var r *Result
		for range 5 { // a stream that crosses a goaway is unanswered for good, and rare
			f = &fake{closing: true}
			cfg := overH2(f.start(t), 3, 2)
			cfg.Form, cfg.Loads[0].Rate = form, 100
			if r = run(t, cfg); len(r.Troubles) == 0 {
				break
			}
		}
		b := r.Totals()
		clean(t, b)
		if p := f.seen(); len(r.Troubles) != 0 || b.Sent != 30 || len(p.pushFrom) < 8 || form == Poll && p.joined <= 40 {
			t.Errorf("%v: joined %d, pushed over %d connections, troubles %v", form, p.joined, len(p.pushFrom), r.Troubles)
		}
	}
}

// A message longer than every window comes whole, both ways.
func TestLargeMessagesOverStreams(t *testing.T) {
	for i := range forms[:Poll] {
		f := new(fake)
		cfg := overH2(f.start(t), 3, 1)
		cfg.Form, cfg.Size, cfg.Loops = Form(i), 1_500_000, 1
		cfg.Loads = []Load{{Conns: 3, Publishers: 1, Rate: 20}}
		b := run(t, cfg).Totals()
		clean(t, b)
		if b.Arrived != 6 {
			t.Errorf("%v: %+v", cfg.Form, b)
		}
	}
}

// What goes wrong on one stream is told, and stays there.
func TestFaultsOfStreams(t *testing.T) {
	f := func(fake *fake, form Form, lost, failed, refused, unanswered int64, want string) {
		t.Helper()
		cfg := overH2(fake.start(t), 10, 8)
		cfg.Form, cfg.Loops = form, 1
		cfg.Grace = 200 * time.Millisecond
		r := run(t, cfg)
		b := r.Totals()
		if r.Lost.Load() != lost || r.Failed.Load() != failed || refused >= 0 && r.Refused.Load() != refused || b.Unanswered != unanswered ||
			!strings.Contains(trouble(r), want) || b.Sent != 60 || b.Doubled+b.Disordered+b.Stray+b.Garbled > 0 {
			t.Errorf("lost %d, failed %d, refused %d, %q\n%+v", r.Lost.Load(), r.Failed.Load(), r.Refused.Load(), trouble(r), b)
		}
	}
	var n atomic.Int64
	f(&fake{admit: func(string) int {
		if n.Add(1)%4 == 0 {
			return 503
		}
		return 200
	}}, SSE, 0, 10, -1, 0, "status 503 for a subscriber")
	f(&fake{answer: func(n, to int) (int, string) {
		if tenth(n) {
			return 0, "" // net/http resets the stream
		}
		return 200, fmt.Sprintf(`{"delivered":%d,"pending":0}`, to)
	}}, SSE, 0, 0, 0, 6, "a stream was reset: INTERNAL_ERROR, of a publisher")
	f(&fake{answer: func(n, to int) (int, string) {
		if tenth(n) {
			return 503, "{}"
		}
		return 200, fmt.Sprintf(`{"delivered":%d,"pending":0}`, to)
	}}, SSE, 0, 0, 6, 0, "")
	f(&fake{life: 600 * time.Millisecond, before: func(int) {}}, Raw, 0, 0, 0, 0, "")
	f(&fake{life: time.Millisecond}, NDJSON, 40, 0, 60, 0, "a stream was ended by the server")
}

// A server that does not speak HTTP/2 is told from one that is slow.
func TestNoHTTP2(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	addr := netip.MustParseAddrPort(s.Listener.Addr().String())
	cfg := overH2(Config{Subscribe: addr, Loads: []Load{{Conns: 4}}, ConnectWait: 200 * time.Millisecond, Duration: time.Millisecond}, 2, 1)
	r := run(t, cfg)
	if r.Failed.Load() != 4 || r.Subscribed.Load() != 0 || trouble(r) == "" {
		t.Errorf("%d failed, %q", r.Failed.Load(), trouble(r))
	}
	cfg.Subscribe = netip.MustParseAddrPort("127.0.0.1:1") // nobody listens there
	r = run(t, cfg)
	if r.Failed.Load() != 4 || !strings.Contains(trouble(r), "before it was subscribed") {
		t.Errorf("%d failed, %q", r.Failed.Load(), trouble(r))
	}
}

// A held stream is dear to nobody: 18,000 of them, on a connection each, fit into a few MB of the load tool.
func TestStreamsAreSmall(t *testing.T) {
	var l link
	var s stream
	const pointers = 2 * 8
	if size := unsafe.Sizeof(l) + unsafe.Sizeof(s) + pointers; size > 256 {
		t.Errorf("a connection with one stream costs %d bytes here", size)
	}
}

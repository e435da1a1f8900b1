package peer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// quick are short times for tests of what becomes of a link in time.
func quick(c *Config) {
	c.Ping, c.Dead = 60*time.Millisecond, time.Second
	c.DialTimeout, c.Backoff, c.MaxBackoff = 200*time.Millisecond, 5*time.Millisecond, 50*time.Millisecond
}

func TestAskWithoutALink(t *testing.T) {
	m, _ := open(t, 1, quick)
	never := func(Report, error) { t.Error("done was called after an error") }
	f := func() {
		t.Helper()
		if err := m.Ask(2, count("k", time.Second), never); !errors.Is(err, ErrDown) {
			t.Errorf("got %v, want ErrDown", err)
		}
	}
	f()
	if _, _, kept := m.Peer(2); kept {
		t.Error("there is a link that nobody asked for")
	}
	m.Keep([]Node{{Instance: 2, Address: "127.0.0.1:1"}})
	f()
	waitState(t, m, 2, Refused)
	f()
}

// Refused is proof of an instance's end: its host says that nobody listens there.
func TestRefusedWhenNobodyListens(t *testing.T) {
	m, r, ln := dialled(t, quick)
	addr := ln.Addr().String()
	got := start(t, m, count("k", 10*time.Second))
	r.request()
	ln.Close()
	r.Close()
	wantAnswer(t, got, answer{err: ErrUnknown})
	waitState(t, m, 2, Refused)
	// Somebody listens again: no longer refused, and up in no time.
	again, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	rawAccept(t, again)
	waitState(t, m, 2, Up)
}

// A name may stand for several addresses: only when all of them refuse is the instance known to have ended.
func TestRefusedByEachAddressOfAName(t *testing.T) {
	m, _ := open(t, 1, quick)
	ln := rawListener(t)
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ln.Close()
	m.Keep([]Node{{Instance: 2, Address: "localhost:" + port}, {Instance: 3, Address: "no-such-host.invalid:1"}, {Instance: 4, Address: "nonsense"}})
	waitState(t, m, 2, Refused)
	wait(t, func() string {
		for _, s := range m.Stats() {
			if s.Error == "" {
				return "there is a link without trouble"
			}
		}
		return ""
	})
	for _, instance := range []uint64{3, 4} {
		if s, _, _ := m.Peer(instance); s != Down {
			t.Errorf("%d is %v: nothing proves that it has ended", instance, s)
		}
	}
}

// A stopped process: its host accepts and nobody answers. That proves nothing.
func TestSilentHostIsDown(t *testing.T) {
	ln := rawListener(t)
	m, _ := open(t, 1, quick)
	m.Keep([]Node{{Instance: 2, Address: ln.Addr().String()}})
	wait(t, func() string {
		if faultsOf(m, Slow) > 1 {
			return ""
		}
		return "no handshake timed out"
	})
	if s, _, _ := m.Peer(2); s != Down {
		t.Errorf("it is %v", s)
	}
	for { // it comes back to life: late handshakes fail, the next one does not
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		if _, err := rawIntroduction(2).accept(conn); err == nil {
			_, _ = conn.Write(appendStatus(nil, Status{}, 1))
			defer conn.Close()
			break
		}
		conn.Close()
	}
	waitState(t, m, 2, Up)
}

// An established link to a process that stops: pings, then the end.
func TestSilentLinkGoesDown(t *testing.T) {
	m, r, _ := dialled(t, quick)
	began := time.Now()
	got := start(t, m, count("k", 10*time.Second))
	r.request()
	if token, err := parsePing(r.want(framePing)); err != nil || token == 0 {
		t.Errorf("got %d, %v", token, err)
	}
	wantAnswer(t, got, answer{err: ErrUnknown})
	if took := time.Since(began); took < 900*time.Millisecond || took > 5*time.Second {
		t.Errorf("down after %v", took)
	}
	if faultsOf(m, Silent) != 1 {
		t.Errorf("got %v", m.Faults())
	}
}

// A quiet link whose other end answers pings stays, and tells how far it is.
func TestQuietLinkStays(t *testing.T) {
	a, b, _, _ := pair(t, func(c *Config) { c.Ping, c.Dead = 100*time.Millisecond, 2*time.Second })
	time.Sleep(2500 * time.Millisecond)
	for _, m := range []*Mesh{a, b} {
		s := m.Stats()[0]
		if s.State != Up || s.Reconnects != 0 || s.RoundTrip <= 0 || s.RoundTrip > time.Second || s.Release != "test" || s.Error != "" {
			t.Errorf("got %+v", s)
		}
		if s.Sent == 0 || s.Received == 0 || s.Since.IsZero() {
			t.Errorf("got %+v", s)
		}
	}
}

// Another instance at the same address, which knows the secret: the one that was there has ended.
func TestAnotherInstanceAnswers(t *testing.T) {
	b, _ := open(t, 3, quick)
	m, _ := open(t, 1, quick)
	m.Keep([]Node{{Instance: 2, Address: b.Addr().String()}})
	waitState(t, m, 2, Refused)
	m.Keep([]Node{{Instance: 3, Address: b.Addr().String()}})
	waitState(t, m, 3, Up)
	if _, _, kept := m.Peer(2); kept {
		t.Error("a link is kept that nobody wants")
	}
}

// One that does not know the secret proves nothing by answering.
func TestStrangerAtTheAddressProvesNothing(t *testing.T) {
	b, _ := open(t, 3, func(c *Config) { quick(c); c.Secret = []byte("another secret, longer than 16") })
	m, _ := open(t, 1, quick)
	m.Keep([]Node{{Instance: 2, Address: b.Addr().String()}})
	wait(t, func() string {
		if faultsOf(b, BadProof) > 1 {
			return ""
		}
		return "nobody was turned away"
	})
	if s, _, _ := m.Peer(2); s != Down {
		t.Errorf("it is %v", s)
	}
}

// Requests of which no byte was written are told apart exactly: the other end reads all that came before the end, and
// finds a piece of each request that is not said to be unsent, and of no other.
func TestUnsentIsExact(t *testing.T) {
	m, r, _ := dialled(t, func(c *Config) { c.MaxFlight = 1 << 20 })
	var mu sync.Mutex
	var all sync.WaitGroup
	unsent, sent := map[string]bool{}, map[string]bool{}
	total := 0
	ask := func(size int) error {
		key := "key" + strings.Repeat("x", total%7) + string(rune('0'+total%10)) + "-" + time.Duration(total).String()
		p := push(key, strings.Repeat("d", size))
		defer p.Payload.Release()
		p.Within = time.Minute
		all.Add(1)
		err := m.Ask(2, p, func(_ Report, err error) {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, ErrUnsent) {
				unsent[key] = true
			} else {
				sent[key] = true
			}
		})
		if err != nil {
			all.Done()
			return err
		}
		total++
		return nil
	}
	for total < 200_000 {
		if err := ask([]int{10, 3000, 5000, 50_000, 200_000}[total%5]); err != nil {
			if !errors.Is(err, ErrBusy) {
				t.Fatal(err)
			}
			break
		}
	}
	m.Keep(nil)
	all.Wait()
	if len(unsent)+len(sent) != total || len(unsent) == 0 || len(sent) == 0 {
		t.Fatalf("%d requests, %d unsent, %d sent", total, len(unsent), len(sent))
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	came, at := 0, 0
	for at+frameHead < len(raw) { // the last frame is a piece
		var req Request
		var msg message
		size := frameHead + int(uint32(raw[at])<<24|uint32(raw[at+1])<<16|uint32(raw[at+2])<<8|uint32(raw[at+3]))
		if at+size <= len(raw) && raw[at+frameHead] == frameRequest {
			if _, err := parseRequest(raw[at+frameHead+1:at+size], &req, &msg); err != nil {
				t.Fatal(err)
			}
			if !sent[string(req.Key)] {
				t.Errorf("%q came and was said to be unsent", req.Key)
			}
		}
		if raw[at+frameHead] == frameRequest {
			came++
		}
		at += size
	}
	if came != len(sent) {
		t.Errorf("%d requests came, wholly or in part, and %d were said to be sent", came, len(sent))
	}
}

// A request whose time runs out before it is written is unsent, and never written afterwards.
func TestOverdueRequestIsNotWritten(t *testing.T) {
	m, r, _ := dialled(t, func(c *Config) { c.MaxQueued = 256 << 20 })
	big := push("big", strings.Repeat("d", 15<<20))
	big.Within = time.Minute
	var results []chan answer
	for range 3 { // more than the kernel takes
		results = append(results, start(t, m, big))
	}
	time.Sleep(50 * time.Millisecond)
	late := start(t, m, push("late", strings.Repeat("l", 5000)))
	lateSmall := start(t, m, count("late", 50*time.Millisecond))
	wantAnswer(t, lateSmall, answer{err: ErrUnsent})
	last := start(t, m, count("last", time.Minute))
	seen := []string{}
	for range 5 {
		id, req, _ := r.request()
		seen = append(seen, string(req.Key))
		r.write(appendReport(nil, id, &Report{Held: 1}))
	}
	for _, got := range append(results, late, last) {
		wantAnswer(t, got, answer{report: Report{Held: 1}})
	}
	if want := []string{"big", "big", "big", "late", "last"}; !slices.Equal(seen, want) {
		t.Errorf("%q came, want %q", seen, want)
	}
}

// MaxQueued bounds what waits for a peer that does not read; what it refuses is not sent.
func TestQueueIsBounded(t *testing.T) {
	m, _, _ := dialled(t, func(c *Config) { c.MaxQueued = 1 << 20 })
	p := push("k", string(bytes.Repeat([]byte("x"), 100_000)))
	p.Within = time.Minute
	deadline := time.Now().Add(10 * time.Second)
	for busy := 0; busy < 3; {
		switch err := m.Ask(2, p, func(Report, error) {}); {
		case errors.Is(err, ErrBusy):
			busy++
			time.Sleep(20 * time.Millisecond) // let the kernel take what it will
		case err != nil:
			t.Fatal(err)
		case time.Now().After(deadline):
			t.Fatal("the queue has no bound")
		}
		if s := m.Stats()[0]; s.Queued > 1<<20 {
			t.Fatalf("%d bytes wait", s.Queued)
		}
	}
}

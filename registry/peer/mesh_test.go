package peer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConfigRefuses(t *testing.T) {
	f := func(change func(*Config)) {
		t.Helper()
		cfg := Config{Self: Node{Instance: 1}, Secret: testSecret, Handler: &fakeNode{}, Listen: "127.0.0.1:0"}
		change(&cfg)
		if m, err := Open(cfg); err == nil {
			m.Close(expired())
			t.Error("it was taken")
		}
	}
	f(func(c *Config) { c.Self.Instance = 0 })
	f(func(c *Config) { c.Handler = nil })
	f(func(c *Config) { c.Secret = nil })
	f(func(c *Config) { c.Secret = testSecret[:15] })
	f(func(c *Config) { c.Self.Name = string(make([]byte, maxName+1)) })
	f(func(c *Config) { c.Listen = "nonsense" })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f(func(c *Config) { c.Listen = ln.Addr().String() })
}

// TestEveryAskIsAnsweredOnce asks from many goroutines, with reports from many others in any order.
func TestEveryAskIsAnsweredOnce(t *testing.T) {
	a, b, _, bn := pair(t, nil)
	bn.onQuietly(func(id Origin, r *Request) {
		n := uint32(r.Key[0])<<16 | uint32(r.Key[1])<<8 | uint32(r.Key[2])
		if n%3 == 0 {
			go b.Reply(id, &Report{Held: n})
			return
		}
		b.Reply(id, &Report{Held: n})
	})
	const asks = 10_000
	var answered [asks]atomic.Int32
	var all sync.WaitGroup
	all.Add(asks)
	for g := range 8 {
		go func() {
			for n := g; n < asks; n += 8 {
				key := [3]byte{byte(n >> 16), byte(n >> 8), byte(n)}
				err := a.Ask(2, &Request{Verb: Count, Key: key[:], Within: 10 * time.Second}, func(r Report, err error) {
					if err != nil || r.Held != uint32(n) || answered[n].Add(1) != 1 {
						t.Errorf("%d: got %+v, %v", n, r, err)
					}
					all.Done()
				})
				if err != nil {
					t.Error(err)
					all.Done()
				}
			}
		}()
	}
	all.Wait()
	if s := a.Stats()[0]; s.InFlight != 0 {
		t.Errorf("%d are in flight", s.InFlight)
	}
	wait(t, func() string {
		if s := b.Stats()[0]; s.Serving != 0 {
			return fmt.Sprintf("%d are being served", s.Serving)
		}
		return ""
	})
}

// Requests of one asker begin in the order in which they were asked.
func TestRequestsKeepTheirOrder(t *testing.T) {
	a, _, _, bn := pair(t, nil)
	var all sync.WaitGroup
	for i := range 500 {
		size := []int{0, 10, 5000}[i%3]
		r := push(fmt.Sprint(i), string(make([]byte, size)))
		all.Add(1)
		if err := a.Ask(2, r, func(Report, error) { all.Done() }); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	for i, s := range bn.saw() {
		if want := fmt.Sprintf(`1 false false 5s "%d" 0 "" "" "" %d bytes`, i, []int{0, 10, 5000}[i%3]); s != want {
			t.Fatalf("%d: %s, want %s", i, s, want)
		}
	}
}

func TestAnnounce(t *testing.T) {
	a, b, _, bn := pair(t, nil)
	f := func(s Status) {
		t.Helper()
		select {
		case <-bn.changed:
		default:
		}
		a.Announce(s)
		wait(t, func() string {
			if _, got, _ := b.Peer(1); got != s {
				return fmt.Sprintf("got %+v, want %+v", got, s)
			}
			return ""
		})
		select {
		case <-bn.changed:
		case <-time.After(5 * time.Second):
			t.Error("nobody was told of the change")
		}
	}
	f(Status{Complete: "one"})
	f(Status{Complete: "one", Behind: true})
	f(Status{})
	a.Announce(Status{Behind: true})
	// Known by the moment that a new link is up.
	c, _ := open(t, 3, nil)
	c.Keep([]Node{nodeOf(a)})
	waitState(t, c, 1, Up)
	if _, s, _ := c.Peer(1); !s.Behind {
		t.Error("the link is up and the status is not known")
	}
	// And a node that only dials us is heard, before and after we keep a link to it.
	c.Announce(Status{Complete: "c"})
	a.Keep([]Node{nodeOf(b), nodeOf(c)})
	wait(t, func() string {
		if _, s, _ := a.Peer(3); s.Complete != "c" {
			return "the status of who dialled is not known"
		}
		return ""
	})
}

// Of two statuses that come by two connections the later one counts, whichever comes last.
func TestLaterStatusCounts(t *testing.T) {
	m, r, _ := dialled(t, nil)
	guest := rawDial(t, m, 2)
	r.write(appendStatus(nil, Status{Complete: "new"}, 7))
	wait(t, func() string {
		if _, s, _ := m.Peer(2); s.Complete != "new" {
			return "not heard"
		}
		return ""
	})
	guest.write(appendStatus(nil, Status{Complete: "old"}, 6))
	guest.write(appendPing(nil, framePing, 1))
	guest.want(framePong)
	if _, s, _ := m.Peer(2); s.Complete != "new" {
		t.Errorf("got %+v", s)
	}
}

func TestKeep(t *testing.T) {
	a, _ := open(t, 1, quick)
	b, _ := open(t, 2, quick)
	c, _ := open(t, 3, quick)
	a.Keep([]Node{nodeOf(a), nodeOf(b), nodeOf(c), {}, nodeOf(b)})
	waitState(t, a, 2, Up)
	waitState(t, a, 3, Up)
	if n := len(a.Stats()); n != 2 {
		t.Errorf("%d links: a node keeps none to itself", n)
	}
	a.Keep([]Node{nodeOf(c), nodeOf(b)}) // the same
	for _, s := range a.Stats() {
		if s.State != Up || s.Reconnects != 0 {
			t.Errorf("got %+v", s)
		}
	}
	if n := testing.AllocsPerRun(100, func() { a.Keep([]Node{nodeOf(c), nodeOf(b)}) }); n > 20 {
		t.Errorf("%v allocations for no change", n)
	}
	a.Keep([]Node{nodeOf(c)})
	if _, _, kept := a.Peer(2); kept {
		t.Error("a link was not ended")
	}
	waitState(t, a, 3, Up)
	a.Keep([]Node{nodeOf(b), nodeOf(c)})
	waitState(t, a, 2, Up)
	moved := nodeOf(b)
	moved.Address = "127.0.0.1:1"
	a.Keep([]Node{moved, nodeOf(c)})
	waitState(t, a, 2, Refused)
}

// MaxServed: one too many is refused at once, and the rest is not harmed.
func TestServedIsBounded(t *testing.T) {
	m, n := open(t, 1, func(c *Config) { c.MaxServed = 2 })
	held := make(chan Origin, 10)
	n.on(func(id Origin, _ *Request) { held <- id })
	r := rawDial(t, m, 2)
	for id := range uint64(3) {
		r.write(appendRequest(nil, id+1, count("k", time.Second)))
	}
	reportIs(t, r, 3, Report{Refused: 1})
	m.Reply(<-held, &Report{Held: 1})
	reportIs(t, r, 1, Report{Held: 1})
	r.write(appendRequest(nil, 4, count("k", time.Second)))
	m.Reply(<-held, &Report{Held: 2})
	reportIs(t, r, 2, Report{Held: 2})
	m.Reply(<-held, &Report{Held: 4})
	reportIs(t, r, 4, Report{Held: 4})
	r.write(appendRequest(nil, 5, &Request{Verb: 99, Key: []byte("k")})) // of a later release
	reportIs(t, r, 5, Report{Refused: 1})
}

func reportIs(t *testing.T, r *raw, id uint64, want Report) {
	t.Helper()
	got, rep, err := parseReport(r.want(frameReport))
	if err != nil || got != id || rep != want {
		t.Errorf("got %d %+v, %v; want %d %+v", got, rep, err, id, want)
	}
}

// A reply to a connection that is no more goes nowhere, and not to the one that has its place now.
func TestReplyToAGuestThatLeft(t *testing.T) {
	m, n := open(t, 1, nil)
	held := make(chan Origin, 10)
	n.on(func(id Origin, _ *Request) { held <- id })
	old := rawDial(t, m, 2)
	old.write(appendRequest(nil, 1, count("k", time.Second)))
	stale := <-held
	old.Close()
	wait(t, func() string {
		if (*m.guests.Load())[0] != nil {
			return "the guest is still there"
		}
		return ""
	})
	r := rawDial(t, m, 3)
	r.write(appendRequest(nil, 1, count("k", time.Second)))
	fresh := <-held
	if fresh.Link != stale.Link || fresh == stale {
		t.Fatalf("got %+v after %+v", fresh, stale)
	}
	m.Reply(stale, &Report{Held: 66})
	m.Reply(Origin{Link: 99, ID: 1}, &Report{Held: 66})
	m.Reply(fresh, &Report{Held: 1})
	reportIs(t, r, 1, Report{Held: 1})
}

// An instance that dials anew has given up its other connection.
func TestSecondGuestSupersedesTheFirst(t *testing.T) {
	m, _ := open(t, 1, nil)
	old := rawDial(t, m, 2)
	r := rawDial(t, m, 2)
	old.ended()
	r.write(appendRequest(nil, 1, count("k", time.Second)))
	reportIs(t, r, 1, Report{Delivered: 1})
	wait(t, func() string {
		if faultsOf(m, Superseded) == 1 {
			return ""
		}
		return fmt.Sprint(m.Faults())
	})
}

// One that asks and never reads is ended before its answers fill our memory.
func TestGuestThatNeverReads(t *testing.T) {
	m, n := open(t, 1, func(c *Config) { c.MaxQueued = 64 << 10 })
	const most = math.MaxUint32
	n.onQuietly(func(id Origin, _ *Request) {
		m.Reply(id, &Report{most, most, most, most, most, most, most, most, most, most, most, most})
	})
	r := rawDial(t, m, 2)
	if err := r.Conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	var many []byte
	for range 1000 {
		many = appendRequest(many, 1, count("k", time.Second))
	}
	for {
		if _, err := r.Write(many); err != nil {
			break
		}
	}
	wait(t, func() string {
		if faultsOf(m, Unread) == 1 {
			return ""
		}
		return fmt.Sprint(m.Faults())
	})
}

// Strangers who connect and say nothing: the oldest goes when there are too many, and an honest node gets in.
func TestHalfOpenIsBounded(t *testing.T) {
	m, _ := open(t, 1, nil)
	var conns []net.Conn
	for range maxHalfOpen + 10 {
		c, err := net.Dial("tcp", m.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	rawDial(t, m, 2)
	_ = conns[0].SetReadDeadline(time.Now().Add(time.Second))
	if _, err := conns[0].Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the oldest was kept: %v", err)
	}
	_ = conns[len(conns)-1].SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var timeout net.Error
	if _, err := conns[len(conns)-1].Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("the newest was ended: %v", err)
	}
}

func TestTroubleIsToldNowAndThen(t *testing.T) {
	var told atomic.Int32
	m, _ := open(t, 1, func(c *Config) {
		c.Trouble = func(_ Node, err error) {
			if faultOf(err) == BadMagic {
				told.Add(1)
			}
		}
	})
	for range 50 {
		c, err := net.Dial("tcp", m.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		_, _ = c.Read(make([]byte, 1))
		c.Close()
	}
	wait(t, func() string {
		if faultsOf(m, BadMagic) == 50 {
			return ""
		}
		return fmt.Sprint(m.Faults())
	})
	if n := told.Load(); n < 1 || n > 3 {
		t.Errorf("told %d times of 50", n)
	}
}

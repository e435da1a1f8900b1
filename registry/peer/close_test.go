package peer

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Close answers everything that is in flight, once, and leaves nothing running (TestMain looks).
func TestCloseAnswersWhatIsInFlight(t *testing.T) {
	m, r, _ := dialled(t, nil)
	const asks = 1000
	var all sync.WaitGroup
	var answered [asks]atomic.Int32
	all.Add(asks)
	for i := range asks {
		if err := m.Ask(2, count("k", time.Minute), func(_ Report, err error) {
			if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrUnsent) || answered[i].Add(1) != 1 {
				t.Errorf("%d: got %v", i, err)
			}
			all.Done()
		}); err != nil {
			t.Fatal(err)
		}
	}
	r.request()
	m.Close(expired())
	all.Wait()
	if err := m.Ask(2, count("k", time.Minute), func(Report, error) { t.Error("done after an error") }); !errors.Is(err, ErrDown) {
		t.Errorf("got %v, want ErrDown", err)
	}
	m.Keep([]Node{{Instance: 2, Address: "127.0.0.1:1"}})
	m.Announce(Status{Behind: true})
	m.Reply(Origin{}, &Report{})
	m.Close(expired()) // again
}

// With time, Close lets what is in flight finish, both ways, and takes nothing new.
func TestCloseWaits(t *testing.T) {
	a, b, _, bn := pair(t, nil)
	held := make(chan Origin, 1)
	bn.on(func(id Origin, _ *Request) { held <- id })
	got := start(t, a, count("k", time.Minute))
	id := <-held
	var both sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	both.Go(func() { b.Close(ctx) })
	wait(t, func() string {
		if b.closing.Load() {
			return ""
		}
		return "not closing yet"
	})
	refused := start(t, a, count("k", time.Minute))
	wantAnswer(t, refused, answer{report: Report{Refused: 1}})
	b.Reply(id, &Report{Held: 5})
	wantAnswer(t, got, answer{report: Report{Held: 5}})
	both.Wait()
	if ctx.Err() != nil {
		t.Error("it waited for longer than it had to")
	}
	waitState(t, a, 2, Refused)
}

// A mesh that is dialling, waiting to dial, and has strangers at its door closes at once.
func TestCloseInTheMiddle(t *testing.T) {
	deaf := rawListener(t)
	m, _ := open(t, 1, func(c *Config) { c.DialTimeout, c.Backoff, c.MaxBackoff = time.Minute, time.Minute, time.Minute })
	m.Keep([]Node{{Instance: 2, Address: deaf.Addr().String()}, {Instance: 3, Address: "127.0.0.1:1"}})
	stranger, err := net.Dial("tcp", m.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	waitState(t, m, 3, Refused)
	began := time.Now()
	m.Close(expired())
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

// A node that comes back under its name with another instance is met at once: nobody waits for the old one's backoff.
func TestNewInstanceIsDialledAtOnce(t *testing.T) {
	m, _ := open(t, 1, func(c *Config) { c.Backoff, c.MaxBackoff = time.Minute, time.Minute })
	ln := rawListener(t)
	addr := ln.Addr().String()
	ln.Close()
	m.Keep([]Node{{Instance: 2, Address: addr}})
	waitState(t, m, 2, Refused)
	b, _ := open(t, 3, func(c *Config) { c.Listen = addr })
	m.Keep([]Node{nodeOf(b)})
	waitState(t, m, 3, Up)
}

// A node that dials us is there, so it is dialled without waiting for the backoff.
func TestGuestEndsTheBackoff(t *testing.T) {
	m, _ := open(t, 1, func(c *Config) { c.Backoff, c.MaxBackoff = time.Minute, time.Minute })
	ln := rawListener(t)
	addr := ln.Addr().String()
	ln.Close()
	m.Keep([]Node{{Instance: 2, Address: addr}})
	waitState(t, m, 2, Refused)
	b, _ := open(t, 2, func(c *Config) { c.Listen = addr })
	b.Keep([]Node{nodeOf(m)})
	waitState(t, m, 2, Up)
}

// Callbacks may use the mesh: a push that found nobody there is asked elsewhere from its done function.
func TestDoneMayAsk(t *testing.T) {
	a, _, _, _ := pair(t, nil)
	end := make(chan error, 1)
	var again func(left int) func(Report, error)
	again = func(left int) func(Report, error) {
		return func(_ Report, err error) {
			if err != nil || left == 0 {
				end <- err
				return
			}
			a.Announce(Status{Behind: left%2 == 0})
			if err := a.Ask(2, count("k", time.Second), again(left-1)); err != nil {
				end <- err
			}
		}
	}
	again(100)(Report{}, nil)
	if err := <-end; err != nil {
		t.Error(err)
	}
}

package simkernel

import (
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
)

const (
	in, out, rdhup = epoll.In, epoll.Out, epoll.RdHup
	errs, hup      = epoll.Err, epoll.Hup
)

// Each scenario is played on Linux and in the fake, which must not tell a different story.
func TestConformance(t *testing.T) {
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) { everywhere(t, scenario) })
	}
}

var scenarios = map[string]func(w *world){
	"a new connection can be sent to": func(w *world) {
		w.accept()
		w.shows(out)
		w.fails(unix.EAGAIN)
	},
	"input is reported until it is read": func(w *world) {
		w.accept()
		w.p.Write([]byte("ab"))
		w.shows(in | out)
		w.reads("a")
		w.shows(in | out)
		w.reads("b")
		w.shows(out)
		w.fails(unix.EAGAIN)
	},
	"only what was asked for is reported": func(w *world) {
		w.accept()
		w.p.Write([]byte("ab"))
		w.shows(in | out)
		w.watch(rdhup)
		w.shows(0)
		w.p.CloseWrite()
		w.shows(rdhup)
		w.watch(0)
		w.shows(0)
		w.watch(in)
		w.shows(in)
	},
	"half-close: input ends, output goes on": func(w *world) {
		w.accept()
		w.p.Write([]byte("ab"))
		w.p.CloseWrite()
		w.shows(in | out | rdhup)
		w.reads("ab")
		w.fails(nil)
		w.fails(nil)
		w.shows(in | out | rdhup)
		w.sends("answer")
		w.hears("answer", Open)
		w.k.Close(w.fd, epoll.Write)
		w.shows(in | out | rdhup | hup)
		w.hears("", Fin)
	},
	"our half-close: output ends, input goes on": func(w *world) {
		w.accept()
		w.sends("bye")
		w.k.Close(w.fd, epoll.Write)
		w.hears("bye", Fin)
		w.shows(out)
		w.sendFails(unix.EPIPE)
		w.p.Write([]byte("more"))
		w.reads("more")
		w.p.CloseWrite()
		w.shows(in | out | rdhup | hup)
		w.fails(nil)
	},
	"reset is reported unasked, and told once by Read": func(w *world) {
		w.accept()
		w.p.Reset()
		w.shows(in | out | rdhup | errs | hup)
		w.watch(0)
		w.shows(errs | hup)
		w.fails(unix.ECONNRESET)
		w.shows(hup)
		w.fails(nil)
		w.sendFails(unix.EPIPE)
		w.watch(in | out | rdhup)
		w.shows(in | out | rdhup | hup)
	},
	"reset is told once by Send": func(w *world) {
		w.accept()
		w.p.Reset()
		w.shows(in | out | rdhup | errs | hup)
		w.sendFails(unix.ECONNRESET)
		w.sendFails(unix.EPIPE)
		w.fails(nil)
	},
	"what arrived before a reset can be read": func(w *world) {
		w.accept()
		w.p.Write([]byte("ab"))
		w.shows(in | out)
		w.reads("a") // all of it has arrived in the worst weather too
		w.p.Write([]byte("c"))
		w.reads("b")
		w.reads("c")
		w.p.Write([]byte("d"))
		w.shows(in | out)
		w.p.Reset()
		w.shows(in | out | rdhup | errs | hup)
		w.reads("d")
		w.fails(unix.ECONNRESET)
	},
	"reset after half-close": func(w *world) {
		w.accept()
		w.p.CloseWrite()
		w.shows(in | out | rdhup)
		w.p.Reset()
		w.shows(in | out | rdhup | errs | hup)
		w.fails(nil)
		w.shows(in | out | rdhup | errs | hup)
		w.sendFails(unix.EPIPE)
		w.shows(in | out | rdhup | hup)
	},
	"reset after our half-close": func(w *world) {
		w.accept()
		w.k.Close(w.fd, epoll.Write)
		w.shows(out)
		w.p.Reset()
		w.shows(in | out | rdhup | errs | hup)
		w.fails(unix.ECONNRESET)
	},
	"reset after both half-closes changes nothing": func(w *world) {
		w.accept()
		w.k.Close(w.fd, epoll.Write)
		w.hears("", Fin)
		w.p.CloseWrite()
		w.shows(in | out | rdhup | hup)
		w.p.Reset()
		w.rest()
		w.shows(in | out | rdhup | hup)
		w.fails(nil)
		w.sendFails(unix.EPIPE)
	},
	"a closed client resets what it is sent": func(w *world) {
		w.accept()
		w.p.Close()
		w.shows(in | out | rdhup)
		if n, err := w.k.Send(w.fd, []byte("x")); n != 1 || err != nil {
			w.t.Fatalf("the first Send after a close = %d, %v", n, err)
		}
		w.shows(in | out | rdhup | errs | hup)
		w.sendFails(unix.EPIPE)
		w.fails(nil)
	},
	"a client that closes without reading resets": func(w *world) {
		w.accept()
		w.sends("x")
		w.rest() // until it is there
		w.p.Close()
		w.shows(in | out | rdhup | errs | hup)
		w.fails(unix.ECONNRESET)
	},
	"Close delivers what was sent": func(w *world) {
		w.accept()
		w.sends("last words")
		w.close(epoll.Now)
		w.hears("last words", Fin)
	},
	"Close with input unread resets": func(w *world) {
		w.accept()
		w.p.Write([]byte("unread"))
		w.shows(in | out)
		w.close(epoll.Now)
		w.hears("", Rst)
	},
	"Reset resets": func(w *world) {
		w.accept()
		w.close(epoll.Reset)
		w.hears("", Rst)
	},
	"input for a closed connection is answered by a reset": func(w *world) {
		w.accept()
		w.close(epoll.Now)
		w.hears("", Fin)
		w.p.Write([]byte("late"))
		w.rest()
		w.p.Write([]byte("later")) // by now the client's system knows
		w.hearsReset()
	},
	"a full buffer refuses until the client takes something": func(w *world) {
		w.accept()
		w.p.Stall()
		sent := w.fill()
		w.p.Resume()
		w.same(sent)
		w.shows(out)
		w.sends("and on")
		w.hears("and on", Open)
	},
	"the end comes behind a full buffer": func(w *world) {
		w.accept()
		w.p.Stall()
		sent := w.fill()
		w.k.Close(w.fd, epoll.Write)
		w.shows(out) // never refused again, for it fails
		w.p.Resume()
		w.same(sent)
		w.hears("", Fin)
	},
	"a full buffer does not keep input away": func(w *world) {
		w.accept()
		w.p.Stall()
		w.fill()
		w.p.Write([]byte("ping"))
		w.shows(in)
		w.reads("ping")
		w.p.Reset()
		w.shows(in | out | rdhup | errs | hup)
	},
	"the listener is ready while somebody waits": listenerScenario,
	"nothing is sent and nothing is read":        emptyScenario,
	"Sendv joins, and takes 64 pieces":           sendvScenario,
	"watching follows its rules":                 watchScenario,
	"a wake-up ends one Wait":                    wakeScenario,
}

// close ends the connection, which the end of the scenario then need not.
func (w *world) close(how epoll.Closing) {
	w.k.Close(w.fd, how)
	w.fd = -1
}

// hearsReset waits until the client knows of a reset, whatever it was told before.
func (w *world) hearsReset() {
	w.t.Helper()
	w.until("the client hears of no reset", func() bool {
		w.p.Write([]byte("x"))
		w.p.Read()
		_, how := w.p.Closed()
		if c, ok := w.p.(*socketClient); ok && how == Fin { // reading says "end" for good: sending tells
			_, err := c.k.Send(c.fd, []byte("x"))
			return err == unix.EPIPE || err == unix.ECONNRESET
		}
		return how == Rst
	})
}

func listenerScenario(w *world) {
	if err := w.k.Add(w.listener, 9, in); err != nil {
		w.t.Fatal(err)
	}
	first := w.p
	first.Write([]byte("1"))
	w.until("the listener is not ready", func() bool { return w.look(9) == in })
	second := w.dial()
	second.Reset() // a connection that was reset in the backlog is accepted, and then fails
	w.until("the listener is not ready any more", func() bool { return w.look(9) == in })
	w.accept()
	w.reads("1")
	w.close(epoll.Now)
	w.until("the second is not there", func() bool { return w.look(9) == in })
	w.p = second
	w.accept()
	w.shows(in | out | rdhup | errs | hup)
	w.fails(unix.ECONNRESET)
	if _, err := w.k.Accept(w.listener); err != unix.EAGAIN {
		w.t.Errorf("a third Accept: %v", err)
	}
	w.until("the listener stays ready", func() bool { return w.look(9) == 0 })
	if _, err := w.k.Accept(w.fd); err != unix.EINVAL {
		w.t.Errorf("Accept of what does not listen: %v", err)
	}
}

func emptyScenario(w *world) {
	w.accept()
	f := func(n int, err error) {
		w.t.Helper()
		if n != 0 || err != nil {
			w.t.Errorf("nothing = %d, %v", n, err)
		}
	}
	f(w.k.Send(w.fd, nil))
	f(w.k.Sendv(w.fd, nil))
	f(w.k.Sendv(w.fd, [][]byte{nil, {}}))
	w.p.Write([]byte("x"))
	w.shows(in | out)
	f(w.k.Read(w.fd, nil))
	w.reads("x")
	if _, err := w.k.Wait(nil, 0); err != unix.EINVAL {
		w.t.Errorf("Wait without room = %v", err)
	}
}

func sendvScenario(w *world) {
	w.accept()
	parts := make([][]byte, 70)
	var want []byte
	for i := range parts {
		parts[i] = []byte{byte('0' + i), '.'}
		want = append(want, parts[i]...)
	}
	sent := 0
	w.until("cannot send", func() bool {
		at, skip := sent/2, sent%2
		rest := append([][]byte{parts[at][skip:]}, parts[at+1:]...)
		n, err := w.k.Sendv(w.fd, rest)
		if err != nil && err != unix.EAGAIN || n > 2*64-skip {
			w.t.Fatalf("Sendv of %d pieces = %d, %v", len(rest), n, err)
		}
		sent += n
		w.look(0)
		return sent == len(want)
	})
	w.hears(string(want), Open)
}

func watchScenario(w *world) {
	f := func(got, want error) {
		w.t.Helper()
		if got != want {
			w.t.Errorf("%v, want %v", got, want)
		}
	}
	w.accept()
	f(w.k.Add(w.fd, 1, in), unix.EEXIST)
	f(w.k.Del(w.fd), nil)
	f(w.k.Del(w.fd), unix.ENOENT)
	f(w.k.Mod(w.fd, 1, in), unix.ENOENT)
	w.shows(0)
	f(w.k.Add(w.fd, 2, out), nil)
	w.until("not ready under its new tag", func() bool { return w.look(2) == out })
	w.close(epoll.Now)
	w.until("ready after Close", func() bool { return w.look(2) == 0 })
}

func wakeScenario(w *world) {
	w.accept()
	w.watch(in)
	w.k.Wake()
	w.k.Wake()
	events := make([]epoll.Event, 4)
	before := w.k.Now()
	if n, err := w.k.Wait(events, -1); n != 0 || err != nil {
		w.t.Errorf("woken: %d, %v", n, err)
	}
	if asleep := w.k.Now() - before; asleep > 5e8 {
		w.t.Errorf("woken after %d ns", asleep)
	}
	for range 200 { // some Waits may be cut short
		before = w.k.Now()
		if n, err := w.k.Wait(events, 3e6); n != 0 || err != nil {
			w.t.Errorf("not woken: %d, %v", n, err)
		}
		if w.k.Now()-before >= 3e6 {
			return
		}
	}
	w.t.Error("every Wait is cut short")
}

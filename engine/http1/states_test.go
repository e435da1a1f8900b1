package http1

import "testing"

// A connection in each state, by what has been sent on it; and none once it has gone.
func TestStatesAreCounted(t *testing.T) {
	f := func(want, talk string) {
		t.Helper()
		r := calm(t)
		c := r.dial()
		c.send(talk)
		for state := range States {
			if got := r.s.Stats.States[state]; (got == 1) != (StateName(state) == want) || got < 0 || got > 1 {
				t.Errorf("%q: %d in state %s, want the connection in %s", talk, got, StateName(state), want)
			}
		}
		c.cut()
		if r.s.Stats.States != [States]int64{} {
			t.Errorf("%q: nobody is left, but %v", talk, r.s.Stats.States)
		}
	}
	f("idle", "")
	f("idle", "GET /x"+host+"\r\n")
	f("head", "GET /x HT")
	f("body", "POST /x"+host+"Content-Length: 3\r\n\r\nab")
	f("waiting", "GET /later"+host+"\r\n")
	f("held", "GET /hold/sse"+host+"\r\n")
	f("poll", "GET /hold/poll"+host+"\r\n")
	f("discarding", "POST /now"+host+"Content-Length: 3\r\n\r\n")
	f("lingering", "BAD\r\n\r\n")
}

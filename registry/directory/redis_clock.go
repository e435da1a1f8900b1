package directory

import (
	"slices"
	"strconv"
	"time"
)

// A server forgets claims by its wall clock. When that jumps, claims may be gone too early, or stay too long, and what
// the store holds counts as another incarnation.

// clock is what a server's clock said, and when: by this process' clock, which does not jump.
type clock struct {
	said time.Duration // since 1970
	at   time.Time     // zero: it was not asked yet
}

// readClock reads milliseconds that have just come.
func readClock(text string) clock {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return clock{}
	}
	return clock{time.Duration(ms) * time.Millisecond, time.Now()}
}

// clock is that of a tag's server. Without a standing there is none.
func (s *standing) clock(i int) clock {
	if s == nil {
		return clock{}
	}
	return s.clocks[i]
}

// clockOf is that of a master of a cluster, by its name; false if it is not known as one.
func (s *standing) clockOf(name string) (clock, bool) {
	if s == nil {
		return clock{}, false
	}
	if i := slices.Index(s.masters, name); i >= 0 {
		return s.clocks[i], true
	}
	return clock{}, false
}

// expects is what the clock should say now, for a script; "" if that is not known.
func (c clock) expects() string {
	if c.at.IsZero() {
		return ""
	}
	return millis(c.said + time.Since(c.at))
}

// off is how far a time, in seconds and microseconds as TIME gives it, is from what the clock should say now.
func (c clock) off(t []string) time.Duration {
	if len(t) < 2 {
		return 0
	}
	seconds, err := strconv.ParseInt(t[0], 10, 64)
	micros, err2 := strconv.ParseInt(t[1], 10, 64)
	if err != nil || err2 != nil {
		return 0
	}
	return c.apart(clock{time.Duration(seconds)*time.Second + time.Duration(micros)*time.Microsecond, time.Now()})
}

// apart is by how much two readings of one clock differ more than the time between them explains.
func (c clock) apart(d clock) time.Duration {
	if c.at.IsZero() || d.at.IsZero() {
		return 0
	}
	return (d.said - c.said - d.at.Sub(c.at)).Abs()
}

// farOff is by how much a clock that has jumped is off: what claims can well spare of their time.
func (r *Redis) farOff() time.Duration { return r.cfg.ClaimTTL / 4 }

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

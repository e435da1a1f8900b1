package http2

import (
	"holdfast/codec/h2"
	"holdfast/engine/record"
)

// Two levels per connection rise with what abuse is made of and sink with time and with answers and messages that were
// sent, so they go by rate and never by a total: connections live for days. A level may sink below zero, so that who has
// long behaved may once do a lot at a time. Whoever lifts one over its bound gets GOAWAY(ENHANCE_YOUR_CALM).
const (
	controls = iota // frames that carry nothing
	resets          // streams that ended by reset when they had hardly begun
	budgets
)

const (
	creditTimes        = 3       // a level sinks to so many times its bound below zero
	controlsPerAnswer  = 6       // frames that may well come with each answer, such as PRIORITY and WINDOW_UPDATE
	controlsPerMessage = 2       // WINDOW_UPDATE for the stream and the connection
	stallCost          = 8       // resets that a stream counts whose window was never opened
	blockBytes         = 1 << 10 // each so many of a header block whose list is too long count as a reset
	youngSeconds       = 1       // a stream that lives for longer may be reset for nothing: clients leave
	smallWindow        = 64      // bytes: a WINDOW_UPDATE below is one of those that carry nothing
	streamsPerSetting  = 32      // each so many streams that a new initial window is told to count as a further frame
)

// Abuse is what a connection was ended for.
type Abuse uint8

// The kinds of abuse.
const (
	AbusePing     Abuse = iota // CVE-2019-9512
	AbuseSettings              // CVE-2019-9515
	AbusePriority              // CVE-2019-9513
	AbuseEmpty                 // DATA without data and without end, CVE-2019-9518
	AbuseWindow                // tiny windows, CVE-2019-9511
	AbuseUnknown               // frames of unknown types, and of streams that have ended
	AbuseReset                 // CVE-2023-44487
	AbuseProvoked              // resets that we are made to send, CVE-2025-8671
	AbuseRefused               // streams beyond MaxStreams
	AbuseStall                 // windows that stay closed, CVE-2019-9517
	AbuseBlock                 // header blocks that are too long or in too many frames, CVE-2024-27316
	Abuses                     // how many there are
)

var abuseNames = [Abuses]string{
	"ping", "settings", "priority", "empty", "window", "unknown", "reset", "provoked", "refused", "stall", "block",
}

func (a Abuse) String() string { return abuseNames[a] }

func (c *Config) budget(which int) (bound, rate int) {
	if which == controls {
		return min(c.Controls, maxLevel), c.ControlsRate
	}
	return min(c.Resets, maxLevel), c.ResetsRate
}

const maxLevel = 8000 // creditTimes of it fit into a level

// charge lifts a level, and ends the connection that goes too far; it reports whether.
func (s *Sessions) charge(conn uint32, cr *record.Record, which int, what Abuse, cost int) (gone bool) {
	if cr.State == connLinger || cr.Closing {
		return true
	}
	c := s.linkOf(cr)
	if now := s.l.Seconds(); now != c.stamp {
		passed := int(min(now-c.stamp, 1<<16))
		for i := range c.levels {
			_, rate := s.cfg.budget(i)
			if c.levels[i] > 0 {
				c.levels[i] = int16(max(int(c.levels[i])-passed*rate, 0))
			}
		}
		c.stamp = now
	}
	bound, _ := s.cfg.budget(which)
	level := int(c.levels[which]) + cost
	if level > bound {
		s.Stats.Abuse[what]++
		s.fail(conn, cr, h2.EnhanceYourCalm, what.String())
		return true
	}
	c.levels[which] = int16(level)
	return false
}

// earn lowers a level for work that was really done.
func (s *Sessions) earn(c *link, which, n int) {
	bound, _ := s.cfg.budget(which)
	c.levels[which] = int16(max(int(c.levels[which])-n, -creditTimes*bound))
}

package http1

import (
	"strings"
	"testing"
	"time"

	"holdfast/codec/h2"
	"holdfast/engine/exchange"
	"holdfast/engine/loop"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// streams is an HTTP/2 that notes what it is given.
type streams struct {
	*rig
	full     bool
	adopted  int
	settings string
	head     string
	input    string
}

func (s *streams) Adopt(slot uint32) bool {
	if s.full {
		return false
	}
	s.l.At(slot).Kind = record.HTTP2
	s.l.SetDeadline(slot, 0)
	s.adopted++
	return true
}

func (s *streams) Upgrade(slot uint32, settings []byte, head *exchange.Head) bool {
	s.settings, s.head = string(settings), string(head.Method)+" "+string(head.Path)
	return s.Adopt(slot)
}

func (s *streams) Received(_ uint32, b []byte) int { s.input += string(b); return len(b) }

func (s *streams) Happened(slot uint32, e loop.Event) {
	if e == loop.Ended {
		s.l.Close(slot, record.ReasonDone)
	}
}

func (s *streams) Closed(uint32, record.Reason) {}

func streamsRig(t *testing.T) (*rig, *streams) {
	r := calm(t)
	s := &streams{rig: r}
	r.s.Multiplex(s)
	r.l.Speak(record.HTTP2, s)
	return r, s
}

// A client that begins with HTTP/2's preface is given away with all of its bytes, however they come.
func TestPreface(t *testing.T) {
	wire := h2.Preface + "and frames"
	for at := 1; at < len(wire); at++ {
		r, s := streamsRig(t)
		c := r.dial()
		c.send(wire[:at])
		c.want("")
		c.isOpen()
		c.send(wire[at:])
		if s.adopted != 1 || s.input != wire {
			t.Fatalf("cut at %d: adopted %d times, with %q", at, s.adopted, s.input)
		}
		c.hangUp()
		r.empty()
	}
}

// What begins like it and goes wrong is closed without a word; what can only be a request is one.
func TestBrokenPreface(t *testing.T) {
	f := func(sent string, adopted bool, want string) {
		t.Helper()
		for _, pieces := range []int{1, 5, len(sent)} {
			r, s := streamsRig(t)
			c := r.dial()
			for rest := sent; len(rest) > 0; rest = rest[min(pieces, len(rest)):] {
				c.p.Write([]byte(rest[:min(pieces, len(rest))]))
				r.settle()
			}
			got := c.output()
			if !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("%q in pieces of %d: got %q, want %q", sent, pieces, got, want)
			}
			if closed, _ := c.p.Closed(); !closed {
				t.Errorf("%q is not closed", sent)
			}
			if (s.adopted > 0) != adopted {
				t.Errorf("%q was adopted", sent)
			}
			c.cut()
			r.pass(5 * time.Second)
			r.empty()
		}
	}
	f("PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", false, "")
	f("PRI * HTTP/2.0\r\nHost: a\r\n\r\n", false, "")
	f("PRI * HTTP/2.0\r\n\r\nINVALID PREFACE", false, "")
	f("PRI /x HTTP/2.0\r\nHost: a\r\n\r\n", false, "HTTP/1.1 505")
	f("POST /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false, "HTTP/1.1 200")
	f("PRIVATE /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false, "HTTP/1.1 200")
}

// Half a preface does not keep a connection, and one that comes behind a request is none.
func TestLatePreface(t *testing.T) {
	r, s := streamsRig(t)
	c := r.dial()
	c.send(h2.Preface[:10])
	r.pass(11 * time.Second)
	c.want("")
	c.isEnded()
	c.leave()
	c = r.dial()
	c.get("/ok")
	c.output()
	c.send(h2.Preface)
	if got := c.output(); !strings.HasPrefix(got, "HTTP/1.1 400") || s.adopted != 0 {
		t.Errorf("got %q", got)
	}
	c.cut()
	r.pass(5 * time.Second)
	r.empty()
}

// Without room for a connection more it is closed.
func TestNoRoomForStreams(t *testing.T) {
	r, s := streamsRig(t)
	s.full = true
	c := r.dial()
	c.send(h2.Preface)
	c.want("")
	c.is(simkernel.Fin)
	r.empty()
}

// Upgrade: h2c is taken when it is asked for by the rules, and ignored else (RFC 7540 §3.2, §3.2.1).
func TestUpgradeH2C(t *testing.T) {
	f := func(name, fields, body string, taken bool) {
		t.Helper()
		r, s := streamsRig(t)
		c := r.dial()
		c.send("POST /ok HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body)
		got := c.output()
		if taken != (s.adopted == 1) || taken != strings.HasPrefix(got, "HTTP/1.1 101 Switching Protocols\r\n") {
			t.Errorf("%s: taken %v, got %q", name, s.adopted == 1, got)
		}
		if !taken && !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Errorf("%s: got %q", name, got)
		}
		if taken && (s.settings != "\x00\x04\x00\x00\x00\x02" || s.head != "POST /ok" || s.input != "behind") {
			t.Errorf("%s: given %q, %q, %q", name, s.settings, s.head, s.input)
		}
		c.cut()
		r.settle()
		r.empty()
	}
	const (
		connection = "Connection: Upgrade, HTTP2-Settings\r\n"
		upgrade    = "Upgrade: h2c\r\n"
		settings   = "HTTP2-Settings: AAQAAAAC\r\n"
	)
	f("by the rules", connection+upgrade+settings, "behind", true)
	f("one of several", connection+"Upgrade: foo/1, h2c\r\n"+settings, "behind", true)
	f("another protocol", connection+"Upgrade: h2\r\n"+settings, "", false)
	f("Upgrade is not named", "Connection: HTTP2-Settings\r\n"+upgrade+settings, "", false)
	f("HTTP2-Settings is not named", "Connection: Upgrade\r\n"+upgrade+settings, "", false)
	f("no settings", connection+upgrade, "", false)
	f("settings twice", connection+upgrade+settings+settings, "", false)
	f("half a setting", connection+upgrade+"HTTP2-Settings: AAQAAAA\r\n", "", false)
	f("settings that are none", connection+upgrade+"HTTP2-Settings: ?\r\n", "", false)
	f("with a body", connection+upgrade+settings+"Content-Length: 2\r\n", "ab", false)
}

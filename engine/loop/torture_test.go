package loop

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

const (
	tortureSeeds = 200
	tortureSteps = 700
	enoughSeeds  = 20 // to judge what chance makes of them together
)

// TestTorture plays seeded random lives of connections against a simple model.
func TestTorture(t *testing.T) {
	var sum Stats
	played := uint64(0)
	for seed := range simkernel.Seeds(tortureSeeds, testing.Short()) {
		stats := torture(t, seed)
		if t.Failed() {
			t.Fatalf("replay with SEED=%d", seed)
		}
		played++
		sum.Evicted += stats.Evicted
		sum.Dropped += stats.Dropped
		for why, n := range stats.Closed {
			sum.Closed[why] += n
		}
	}
	if played < enoughSeeds {
		return
	}
	for _, why := range []record.Reason{record.ReasonDone, record.ReasonGone, record.ReasonReset, record.ReasonSlow} {
		if sum.Closed[why] < 5*played/2 {
			t.Errorf("only %d connections were closed as %v: the lives have become too easy", sum.Closed[why], why)
		}
	}
	if sum.Dropped < 5*played {
		t.Errorf("only %d messages were dropped", sum.Dropped)
	}
}

// life is what the model knows of one connection.
type life struct {
	*side
	pieces []piece // what was queued for it, in order
	sent   []byte  // by its peer
	ended  bool    // its peer sends no more
	cut    bool    // it was reset or closed in a way that loses output
	drops  bool    // its policy drops messages
}

// piece is one message or write; its text says which.
type piece struct {
	text   string
	ticket uint32 // 0 for the session's own
}

type tormentor struct {
	*testLoop
	rng   *rand.Rand
	lives map[*side]*life
	order []*life
	seq   int
}

func torture(t *testing.T, seed uint64) Stats {
	rng := rand.New(rand.NewPCG(seed, 2))
	weather := []simkernel.Options{{}, {SendBuffer: 200}, simkernel.Rough(), {SendBuffer: 3000, Refuse: 0.1, Delay: 2}}
	m := &tormentor{
		testLoop: seeded(t, seed, weather[rng.IntN(len(weather))], Config{QueueBytes: 1500, ReadBytes: 64, AcceptsPerTick: 3}),
		rng:      rng, lives: map[*side]*life{},
	}
	m.SetPolicies([]record.SlowPolicy{{}, {Action: record.SlowOldest}, {Action: record.SlowLatest}, {Stall: time.Second}})
	m.Speak(record.HTTP1, openedBy{m.testLoop, m.begin})
	for range tortureSteps {
		if rng.IntN(3) == 0 {
			m.do(func() {
				for range rng.IntN(6) {
					m.step()
				}
			})
		} else {
			m.step()
		}
		if rng.IntN(4) == 0 {
			m.Tick()
		}
	}
	m.wantModel(seed)
	m.end()
	return m.Stats
}

// begin gives a new connection its habits.
func (m *tormentor) begin() {
	s := m.all[len(m.all)-1]
	l := &life{side: s}
	m.lives[s] = l
	m.order = append(m.order, l)
	policy := m.rng.IntN(4)
	m.At(s.slot).Policy = uint16(policy)
	l.drops = policy == 1 || policy == 2
	s.take = func(b []byte) int {
		switch m.rng.IntN(6) {
		case 0:
			return m.rng.IntN(len(b) + 1)
		case 1:
			m.Pause(s.slot)
			return m.rng.IntN(len(b) + 1)
		case 2:
			m.step() // a publisher among the subscribers
		}
		return len(b)
	}
	s.on[Ended] = func() {
		if m.rng.IntN(2) == 0 {
			m.Close(s.slot, record.ReasonGone)
			l.cut = true
		}
	}
	s.bye = func(record.Reason) { l.cut = true }
}

// someone is a connection that is open, or nil.
func (m *tormentor) someone() *life {
	for range 3 {
		if len(m.order) == 0 {
			return nil
		}
		l := m.order[len(m.order)-1-m.rng.IntN(min(len(m.order), 12))]
		if l.open {
			return l
		}
	}
	return nil
}

// step makes one thing happen.
func (m *tormentor) step() {
	rng, l := m.rng, m.someone()
	if l == nil || rng.IntN(12) == 0 {
		if m.Stats.Conns < 12 {
			m.dial()
		}
		return
	}
	switch n := rng.IntN(60); {
	case n < 24:
		m.send(l)
	case n < 29:
		m.write(l)
	case n < 36:
		if !l.ended {
			b := bytes.Repeat([]byte{byte('a' + len(l.sent)%26)}, 1+rng.IntN(100))
			l.sent = append(l.sent, b...)
			l.peer.Write(b)
		}
	case n < 40:
		l.peer.Stall()
	case n < 45:
		l.peer.Drain(rng.IntN(500))
	case n < 46:
		l.peer.Resume()
	case n < 49:
		m.Pause(l.slot)
	case n < 53:
		m.Resume(l.slot)
	case n < 55:
		m.SetDeadline(l.slot, m.Now()+rng.Int64N(int64(time.Second)))
	case n < 57:
		m.k.Advance(time.Duration(rng.Int64N(int64(time.Second))))
	default:
		m.part(l)
	}
}

func (m *tormentor) text() string {
	m.seq++
	return fmt.Sprintf("%d%s", m.seq, strings.Repeat(".", m.rng.IntN(1<<m.rng.IntN(12))))
}

func (m *tormentor) send(l *life) {
	text := m.text()
	ticket := m.push(l.side, text)
	l.pieces = append(l.pieces, piece{text: "<" + text + ">", ticket: ticket})
}

func (m *tormentor) write(l *life) {
	if r := m.whole(l.side); r.Closing || r.is(bitLast) {
		return
	}
	text := "<" + m.text() + ">"
	m.Write(l.slot, []byte(text))
	l.pieces = append(l.pieces, piece{text: text})
}

// part ends a connection in one way or another.
func (m *tormentor) part(l *life) {
	switch m.rng.IntN(8) {
	case 0:
		l.peer.Reset()
		l.cut, l.ended = true, true
	case 1:
		l.peer.Close()
		l.cut, l.ended = true, true
	case 2:
		m.Close(l.slot, record.ReasonDone)
		l.cut = true
	case 3:
		m.CloseAfterWrite(l.slot)
	case 4, 5:
		if !l.ended {
			l.peer.CloseWrite()
			l.ended = true
		}
	}
}

// wantModel lets everybody read and be read, and compares.
func (m *tormentor) wantModel(seed uint64) {
	for _, l := range m.order {
		if !l.open {
			continue
		}
		l.take = nil
		l.peer.Resume()
		m.Resume(l.slot)
	}
	m.rest()
	for _, l := range m.order {
		if !bytes.HasPrefix(l.sent, l.got) || l.open && len(l.got)+m.Kept(l.slot) != len(l.sent) {
			m.t.Errorf("seed %d: slot %d got %d bytes of %d", seed, l.slot, len(l.got), len(l.sent))
		}
		if err := m.follows(l); err != "" {
			m.t.Errorf("seed %d: slot %d (%v): %s", seed, l.slot, l.events, err)
		}
		for _, e := range []string{"opened", "hungup", "ended"} {
			if n := strings.Count(" "+strings.Join(l.events, " ")+" ", " "+e+" "); n > 1 {
				m.t.Errorf("seed %d: slot %d heard %s %d times", seed, l.slot, e, n)
			}
		}
	}
}

// follows holds the wire against what was queued: whole pieces in order, all but those that were dropped.
func (m *tormentor) follows(l *life) string {
	wire := l.read()
	for _, p := range l.pieces {
		fate := record.Delivered
		if p.ticket != 0 && len(m.fates[p.ticket]) > 0 {
			fate = m.fates[p.ticket][0]
		}
		if rest, ok := strings.CutPrefix(wire, p.text); ok {
			if fate == record.DroppedSlow || fate == record.DroppedGone {
				return fmt.Sprintf("message %d came though it was %v", p.ticket, fate)
			}
			wire = rest
			continue
		}
		if l.cut && strings.HasPrefix(p.text, wire) {
			return "" // the rest was lost on the way
		}
		if fate == record.Delivered {
			return fmt.Sprintf("%q did not come; the wire goes on with %q", clip(p.text), clip(wire))
		}
		if fate == record.Pending && !l.drops && !l.cut {
			return fmt.Sprintf("message %d was pending and is lost", p.ticket)
		}
	}
	if wire != "" {
		return fmt.Sprintf("the wire has more: %q", clip(wire))
	}
	return ""
}

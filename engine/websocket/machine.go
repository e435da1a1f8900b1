package websocket

import (
	"time"

	"holdfast/codec/ws"
	"holdfast/engine/exchange"
	"holdfast/engine/loop"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/route"
)

// Config bounds what one client can make us spend, beyond what its route's policy says. Zero means the default.
type Config struct {
	CloseTimeout  time.Duration // from our close frame to the client's: 5 s; it ends the connection without
	PieceTimeout  time.Duration // from one piece of a message to the next: 10 s; stops messages that never end (1008)
	LingerTimeout time.Duration // reading on after our last byte: 2 s
	PongBytes     int           // output waiting at which a client that pings is not read any more: 4 KiB
	DeflateBytes  int           // the longest message that is compressed: 256 KiB, about 2 ms of the loop's time
}

func (c *Config) fill() {
	span := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	span(&c.CloseTimeout, 5*time.Second)
	span(&c.PieceTimeout, 10*time.Second)
	span(&c.LingerTimeout, 2*time.Second)
	if c.PongBytes <= 0 {
		c.PongBytes = 4 << 10
	}
	if c.DeflateBytes <= 0 {
		c.DeflateBytes = 256 << 10
	}
}

// Machine is what a WebSocket does, whatever carries it. It serves all those of one loop and carrier, and is their
// exchange.Session.
type Machine struct {
	*house
	c Carrier
}

// house is what the machines of a loop share: codecs weigh, and a client's bounds do not depend on its carrier.
type house struct {
	l        *loop.Loop
	handler  exchange.Handler
	cfg      Config
	policies []policy
	pieces   pieces
	rests    map[uint32]*mem.Buffer // by slot: what Take keeps
	now      inbound                // of the client whose input is being read
	inflater ws.Inflater
	inflated []byte // scratch
	deflater ws.Deflater
	wire     [2]mem.Framer
	Stats    Stats
}

// policy is how a route treats WebSockets.
type policy struct {
	route.Socket
	limits  ws.Limits
	meter   meter
	silence time.Duration // after which the gateway wants to hear TimedOut, as it said last
}

func newHouse(l *loop.Loop, h exchange.Handler, cfg Config) *house {
	cfg.fill()
	o := &house{l: l, handler: h, cfg: cfg, rests: map[uint32]*mem.Buffer{}}
	o.pieces.init()
	o.wire = [2]mem.Framer{framePlain, o.frameDeflated}
	o.SetPolicies([]route.Socket{route.Policy{}.Filled().Socket})
	return o
}

// SetPolicies tells what record.Record.Policy indexes: the Socket of each filled route.Policy. On the loop, or before it
// runs.
func (o *house) SetPolicies(all []route.Socket) {
	was := o.policies
	o.policies = make([]policy, len(all))
	for i := range all {
		p := &o.policies[i]
		p.Socket = all[i]
		p.limits = ws.Limits{Message: int64(p.MaxInbound), Overhead: ws.DefaultLimits.Overhead}
		p.meter = newMeter(p.Rate, p.Burst)
		if i < len(was) {
			p.silence = was[i].silence
		}
	}
}

func (m *Machine) policy(slot uint32) *policy {
	if i := int(m.l.At(slot).Policy); i < len(m.policies) {
		return &m.policies[i]
	}
	return &m.policies[0]
}

// Over is a machine for another carrier on the same loop.
func (m *Machine) Over(c Carrier) *Machine { return &Machine{house: m.house, c: c} }

// open reports whether the exchange goes on: nobody has said goodbye.
func (st *State) open() bool { return st.Bits&(bitClosing|bitOver) == 0 }

// Begin makes the slot's exchange a WebSocket. Deflate says whether its client can take compressed messages; the answer,
// whether its route's policy agrees. The handler hears TimedOut after the given time.
func (m *Machine) Begin(slot uint32, deflate bool, after time.Duration) bool {
	p := m.policy(slot)
	st := State{Bits: m.c.State(slot).Bits & OwnBits}
	if deflate = deflate && p.Deflate; deflate {
		st.Bits |= bitDeflate
		m.Stats.Deflating++
	}
	m.Stats.Opened++
	m.Stats.Open++
	m.c.Keep(slot, st)
	p.silence = after
	m.wake(slot, after)
	return deflate
}

func (m *Machine) wake(slot uint32, after time.Duration) {
	if after <= 0 {
		m.l.SetDeadline(slot, 0)
		return
	}
	m.l.SetDeadline(slot, m.l.Now()+int64(after))
}

// Beat pings, unless output waits: then there is no silence. The pong is due before the next TimedOut.
func (m *Machine) Beat(slot uint32, after time.Duration) {
	st := m.c.State(slot)
	if !st.open() || st.Bits&bitMid != 0 {
		return
	}
	p := m.policy(slot)
	p.silence = after
	st.Extra = p.meter.settled(st.Extra, m.l.Now()) // no message is on its way in
	m.c.Keep(slot, st)
	if m.c.Queued(slot) > 0 {
		m.wake(slot, after)
		return
	}
	m.Stats.Beats++
	m.c.Write(slot, ws.AppendPing(m.l.Compose(), nil))
	if p.Pong <= 0 {
		m.wake(slot, after)
		return
	}
	st.Bits |= bitPinged | bitPong
	m.c.Keep(slot, st)
	m.wake(slot, p.Pong)
}

// Expired is the loop's timer for the slot.
func (m *Machine) Expired(slot uint32) {
	st := m.c.State(slot)
	switch {
	case st.Bits&bitOver != 0:
	case st.Bits&bitClosing != 0:
		m.c.Abort(slot, record.ReasonDone)
	case st.Bits&bitMid != 0:
		m.Stats.Timeouts++
		m.fail(slot, &st, errLate, record.ReasonTimeout)
	case st.Bits&bitPong == 0:
		m.handler.Happened(m.c.View(slot), exchange.TimedOut)
	case st.Bits&bitPinged != 0:
		m.Stats.Timeouts++
		m.c.Abort(slot, record.ReasonTimeout)
	default:
		m.answered(slot, &st)
	}
}

// answered: a client that was pinged is alive, and left alone for what remains of the silence.
func (m *Machine) answered(slot uint32, st *State) {
	st.Bits &^= bitPong
	m.c.Keep(slot, *st)
	p := m.policy(slot)
	if rest := p.silence - p.Pong; p.silence > 0 && rest <= 0 {
		m.handler.Happened(m.c.View(slot), exchange.TimedOut)
	} else {
		m.wake(slot, rest)
	}
}

var (
	errLate  = &ws.Error{Code: ws.PolicyViolation, Reason: "message took too long"}
	errFlood = &ws.Error{Code: ws.PolicyViolation, Reason: "too many messages"}
)

// Goaway closes: the client may come back.
func (m *Machine) Goaway(slot uint32) { m.close(slot, ws.GoingAway, "") }

// close begins the closing handshake (RFC 6455 §7.1.2). For the handler it is the end of the exchange.
func (m *Machine) close(slot uint32, code ws.Code, reason string) {
	st := m.c.State(slot)
	if !st.open() {
		return
	}
	m.sendClose(slot, code, reason)
	if st.Bits&bitPiece != 0 { // read on to the client's close, but for nobody
		m.pieces.at(st.Extra).release()
	}
	m.Stats.Closing++
	paused := st.Bits & bitPaused
	st.Bits = st.Bits&^(bitMid|bitPong|bitPinged|bitPaused) | bitClosing
	m.c.Keep(slot, st)
	m.ended(slot, record.ReasonDone)
	if paused != 0 {
		m.c.Resume(slot)
	}
	m.l.SetDeadline(slot, m.l.Now()+int64(m.cfg.CloseTimeout))
}

func (m *Machine) sendClose(slot uint32, code ws.Code, reason string) {
	m.Stats.CloseSent[CodeIndex(code)]++
	m.c.Write(slot, ws.AppendClose(m.l.Compose(), code, reason))
}

// ended tells the handler, once, and makes the hold's handle stale.
func (m *Machine) ended(slot uint32, why record.Reason) {
	m.Stats.Open--
	m.handler.Ended(m.c.View(slot), why)
	m.l.Turn(slot)
}

// fail ends what cannot go on (RFC 6455 §7.1.7). What the client still sends is not read.
func (m *Machine) fail(slot uint32, st *State, bad *ws.Error, why record.Reason) {
	if st.open() {
		m.sendClose(slot, bad.Code, bad.Reason)
	}
	m.end(slot, st, why)
}

// end is the last thing that a WebSocket does.
func (m *Machine) end(slot uint32, st *State, why record.Reason) {
	open := st.open()
	m.dropPiece(st)
	m.dropRest(slot)
	if st.Bits&bitClosing != 0 {
		m.Stats.Closing--
		why = record.ReasonDone
	}
	st.Bits = st.Bits&OwnBits | bitOver
	m.c.Keep(slot, *st)
	if open {
		m.ended(slot, why)
	}
	m.c.End(slot, why)
}

// HungUp: the client has ended its side. What it sent before is read first: a close may be in it.
func (m *Machine) HungUp(slot uint32) {
	st := m.c.State(slot)
	switch {
	case st.Bits&bitOver != 0:
	case st.Bits&bitPaused != 0:
		m.end(slot, &st, record.ReasonGone)
	default:
		st.Bits |= bitHungUp
		m.c.Keep(slot, st)
	}
}

// Gone: there will be no more input and all of it was read.
func (m *Machine) Gone(slot uint32) {
	if st := m.c.State(slot); st.Bits&bitOver == 0 {
		m.end(slot, &st, record.ReasonGone)
	}
}

// Drained: all output is taken.
func (m *Machine) Drained(slot uint32) {
	st := m.c.State(slot)
	was := st.Bits
	st.Bits &^= bitPaused | bitDrained
	m.c.Keep(slot, st)
	if was&bitPaused != 0 {
		m.c.Resume(slot)
	}
	if m.rests[slot] != nil {
		m.Take(slot, nil)
		st = m.c.State(slot)
	}
	if was&bitDrained != 0 && st.open() {
		m.handler.Happened(m.c.View(slot), exchange.Drained)
	}
}

// Closed is the carrier's last word on a slot.
func (m *Machine) Closed(slot uint32, why record.Reason) {
	st := m.c.State(slot)
	m.dropPiece(&st)
	m.dropRest(slot)
	switch {
	case st.open():
		m.Stats.Open--
		m.handler.Ended(m.c.View(slot), why)
	case st.Bits&bitClosing != 0:
		m.Stats.Closing--
	}
}

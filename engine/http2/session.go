// Package http2 is the HTTP/2 session, RFC 9113: it turns a connection's frames into exchanges for the gateway, one for
// each stream, and the gateway's answers and messages into frames, as the windows allow. One Sessions value serves all
// HTTP/2 connections of a loop. A connection costs its record.Record and a link while nothing happens, a stream its
// record and an entry; what is under way is pooled. It must never know what a route or a key is.
//
// Read session.go (states and events), table.go (streams and connections), work.go (what is under way), then receive.go,
// control.go and request.go (input), respond.go, hold.go, send.go and slow.go (output), end.go (how things end) and
// calm.go (what stops abuse); socket.go (WebSockets).
package http2

import (
	"time"

	"holdfast/codec/h2"
	"holdfast/engine/exchange"
	"holdfast/engine/form"
	"holdfast/engine/loop"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/websocket"
)

// The states of a stream, kept in its record.Record.State.
const (
	stateBody    uint8 = iota // an exchange is active and its body is coming; deadline by Patience
	stateWait                 // the request is whole, the answer is not
	stateHold                 // parked as a stream
	statePoll                 // parked until one message
	stateSocket               // a WebSocket, whose exchange websocket.Machine knows
	stateFlush                // answered: the exchange has ended, and what is left of the answer waits for a window
	stateClosing              // as stateFlush, and all is sent: the client's end of a WebSocket is awaited, for LingerTimeout
	stateOver                 // on its way out

	States // how many there are
)

var stateNames = [States]string{"body", "waiting", "held", "poll", "websocket", "flushing", "closing", "over"}

// StateName is how metrics call a state, an index of Stats.Streams.
func StateName(state uint8) string { return stateNames[state] }

// The states of a connection, kept in its record.Record.State.
const (
	connPreface uint8 = iota // the client's preface has not come whole
	connOpen
	connLeaving // the last GOAWAY was sent: it closes with its last stream
	connLinger  // nothing more is sent; input is thrown away until the peer closes or LingerTimeout
)

// The flags of a stream, kept in its record.Record.Flags. The bits from urgencyShift on are its urgency, RFC 9218 §4.1.
// While it is a WebSocket, those below are its machine's.
const (
	flagHead     uint16 = 1 << iota // HEAD: the answer has no body
	flagOpen                        // the answer's head is written
	flagContinue                    // 100 Continue is owed before the body will come
	flagTunnel                      // it was a WebSocket

	urgencyShift        = 12
	flagWhole    uint16 = 1 << 15 // the client has ended its side
)

// The flags of a connection.
const (
	flagUnsettled uint16 = 1 << iota // our SETTINGS are not acknowledged
	flagSpoken                       // a header block was sent
	flagWarned                       // the first GOAWAY of a drain was sent
	flagStuffed                      // input is paused: too much output waits
	flagFailed                       // the client broke the protocol
	flagGreeted                      // our first SETTINGS are acknowledged
	flagShrinking                    // the SETTINGS that take the HPACK table away are sent
)

// Config bounds what one connection can make us spend. Zero means the default. What the rates mean is in calm.go.
type Config struct {
	Limits          h2.Limits     // sizes of frames, header blocks and lists; stops HPACK bombs and CONTINUATION floods (CVE-2024-27316)
	MaxStreams      int           // open at once on one connection: 4,096; beyond, refused
	MaxConns        int           // connections of this loop: 1 Mi
	Window          int           // bytes of one request's body that may be on their way: 64 KiB, which is the least
	ConnWindow      int           // of all bodies of a connection: 1 MiB
	SettingsTimeout time.Duration // for the acknowledgement of our SETTINGS: 10 s
	HeadTimeout     time.Duration // from a frame's or header block's first byte to its end: 10 s; stops half-sent HEADERS
	BodyTimeout     time.Duration // between two pieces of a body: 10 s; stops slow bodies (408)
	IdleTimeout     time.Duration // without a stream: 75 s
	LingerTimeout   time.Duration // reading on after our last byte: 2 s
	OutputBytes     int           // on their way to the socket before streams wait in turn: 64 KiB
	StuffedBytes    int           // of answers to what is not read before no more is read: 256 KiB; stops floods answered but unread (CVE-2019-9512, -9515)
	ConnQueueBytes  int           // of all streams of a connection that wait, before messages are dropped and streams refused: 1 MiB; stops zero windows that pin memory (CVE-2019-9517)
	Controls        int           // frames that carry nothing, before GOAWAY: 2,000 (CVE-2019-9511, -9512, -9513, -9515, -9518)
	ControlsRate    int           // of them that are forgiven each second: 200
	Resets          int           // streams that end by reset as soon as they have begun, before GOAWAY: 200 (CVE-2023-44487, CVE-2025-8671)
	ResetsRate      int           // of them that are forgiven each second: 100
	Connect         bool          // announce extended CONNECT, RFC 8441
}

func (c *Config) fill() {
	size := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	span := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	size(&c.MaxStreams, 4096)
	size(&c.MaxConns, 1<<20)
	c.Window = min(max(c.Window, minWindow), h2.MaxWindow)
	size(&c.ConnWindow, 1<<20)
	c.ConnWindow = min(max(c.ConnWindow, minWindow), h2.MaxWindow)
	span(&c.SettingsTimeout, 10*time.Second)
	span(&c.HeadTimeout, 10*time.Second)
	span(&c.BodyTimeout, 10*time.Second)
	span(&c.IdleTimeout, 75*time.Second)
	span(&c.LingerTimeout, 2*time.Second)
	size(&c.OutputBytes, 64<<10)
	size(&c.StuffedBytes, 256<<10)
	size(&c.ConnQueueBytes, 1<<20)
	size(&c.Controls, 2000)
	size(&c.ControlsRate, 200)
	size(&c.Resets, 200)
	size(&c.ResetsRate, 100)
	if c.Limits == (h2.Limits{}) {
		c.Limits = h2.DefaultLimits
	}
}

// minWindow is the least that a request's body may use before a client knows our SETTINGS, RFC 9113 §6.9.2, rounded up.
const minWindow = 64 << 10

// Sessions serves a loop's HTTP/2 connections and their streams.
type Sessions struct {
	l         *loop.Loop
	handler   exchange.Handler
	cfg       Config
	links     *mem.Slab[link]
	streams   *mem.Slab[stream]
	index     index
	past      past
	busies    busies
	works     works
	due       []uint32 // works to look at in the flush
	lookDue   func()   // s.doDue, made once
	later     bool     // it is deferred
	book      *form.Book
	poll      mem.Framer
	greeting  []byte      // our first frames on every connection
	decoder   *h2.Decoder // of connections that have acknowledged our SETTINGS: no table, so shared
	fields    h2.Fields
	request   h2.Request
	head      exchange.Head
	frameHead [h2.HeaderLen]byte // scratch
	date      date
	closing   bool               // Drain was called
	sockets   *websocket.Machine // nil: extended CONNECT is an exchange like others
	Stats     Stats
}

// Stats are the sessions' own counts. Read them on the loop.
type Stats struct {
	Conns     int64         // now
	Streams   [States]int64 // now, by state
	Requests  uint64
	Malformed uint64 // frames and requests that break the rules
	Refused   uint64 // streams beyond MaxStreams or without room
	Timeouts  uint64 // 408
	ResetsIn  uint64
	ResetsOut uint64
	GoawaysIn uint64
	Goaways   [codes]uint64  // sent, by code
	Abuse     [Abuses]uint64 // connections ended, by what they did
}

// codes is how many error codes there are, RFC 9113 §7.
const codes = 14

// New makes the sessions of a loop; boundary separates the parts of multipart answers and must be unguessable.
func New(l *loop.Loop, h exchange.Handler, cfg Config, boundary string) *Sessions {
	cfg.fill()
	s := &Sessions{
		l: l, handler: h, cfg: cfg, book: form.New(boundary), decoder: h2.NewDecoder(0),
		links: mem.NewSlab[link](uint32(cfg.MaxConns)), streams: mem.NewSlab[stream](maxStreams),
	}
	s.poll = s.framePoll
	s.greeting = cfg.appendGreeting(nil)
	s.lookDue = s.doDue
	s.index.init()
	s.past.init()
	s.busies.init()
	s.works.init()
	return s
}

// maxStreams bounds a loop's streams; its slots run out before.
const maxStreams = 1<<24 - 1

func (s *Sessions) view(slot uint32) exchange.Exchange {
	return exchange.Exchange{Slot: slot, Session: s}
}

// active reports whether an exchange is under way on a stream.
func active(state uint8) bool { return state <= statePoll }

// parked reports whether the exchange waits for messages.
func parked(state uint8) bool { return state == stateHold || state == statePoll }

// move is the only way from one state of a stream to another, so that the counts stay true.
func (s *Sessions) move(r *record.Record, state uint8) {
	s.Stats.Streams[r.State]--
	s.Stats.Streams[state]++
	r.State = state
}

// Happened is the loop telling of a connection or a stream.
func (s *Sessions) Happened(slot uint32, e loop.Event) {
	r := s.l.At(slot)
	if r.Kind == record.Stream {
		if e == loop.Expired {
			s.streamExpired(slot, r)
		}
		return
	}
	switch e {
	case loop.Opened, loop.HungUp: // it comes by Adopt; and what was sent before the end is still read
	case loop.Ended:
		s.ended(slot, r)
	case loop.Drained:
		s.drained(slot, r)
	case loop.Expired:
		s.expired(slot, r)
	}
}

func (s *Sessions) streamExpired(slot uint32, r *record.Record) {
	switch {
	case parked(r.State):
		s.handler.Happened(s.view(slot), exchange.TimedOut)
	case r.State == stateSocket:
		s.sockets.Expired(slot)
	case r.State == stateClosing:
		s.writeReset(r.Owner, s.linkOf(s.l.At(r.Owner)), s.streamOf(r).id, h2.NoError)
		s.take(slot, r, record.ReasonDone)
	case r.State == stateBody:
		s.Stats.Timeouts++
		s.refuse(slot, r, record.ReasonTimeout, 408, "the request took too long to arrive")
	}
}

// ended: the client sends no more, so nobody is left to answer: it would have to send window updates.
func (s *Sessions) ended(slot uint32, r *record.Record) {
	switch {
	case r.State == connLinger:
		s.l.Close(slot, s.reason(r))
	case s.l.Queued(slot) == 0:
		s.l.Close(slot, record.ReasonGone)
	default:
		s.hangUp(slot, r, record.ReasonGone)
	}
}

func (s *Sessions) drained(slot uint32, r *record.Record) {
	if r.State == connLinger {
		s.l.SetDeadline(slot, s.l.Now()+int64(s.cfg.LingerTimeout))
		return
	}
	if r.Flags&flagStuffed != 0 {
		r.Flags &^= flagStuffed
		s.l.Resume(slot)
	}
	s.pump(slot)
	s.tellDrained(slot, r)
}

// expired looks after everything on a connection that has a time limit; rearm knows what is next.
func (s *Sessions) expired(slot uint32, r *record.Record) {
	if r.State == connLinger {
		s.l.Close(slot, s.reason(r))
		return
	}
	c := s.linkOf(r)
	now := s.l.Now()
	b := s.busies.at(c.busy)
	switch {
	case owesAck(r) && now >= b.opened+int64(s.cfg.SettingsTimeout):
		s.fail(slot, r, h2.SettingsTimeout, "no acknowledgement of SETTINGS")
		return
	case b.partial && now >= b.since+int64(s.cfg.HeadTimeout):
		s.Stats.Timeouts++
		s.fail(slot, r, h2.NoError, "a frame took too long to arrive")
		return
	case r.Flags&flagWarned != 0 && r.State == connOpen && now >= b.warned+int64(lastRequests):
		s.lastWord(slot, r)
		return
	case c.count == 0 && s.idleFor(c) >= s.cfg.IdleTimeout:
		s.goaway(slot, c.last, h2.NoError, "")
		s.hangUp(slot, r, record.ReasonDone)
		return
	}
	if b.bytes > 0 && s.evict(slot, r) {
		return
	}
	s.rearm(slot, r)
}

// Closed is the loop's last word on a connection or a stream.
func (s *Sessions) Closed(slot uint32, why record.Reason) {
	r := s.l.At(slot)
	if r.Kind == record.Stream {
		s.closedStream(slot, r, why)
		return
	}
	s.endStreams(r, why)
	s.dropLink(r)
}

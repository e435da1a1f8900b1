package ws

import (
	"encoding/binary"
	"math"
)

// Kind is what Parser.Next came to.
type Kind uint8

// NeedMore is no event; the others are.
const (
	NeedMore Kind = iota // nothing more can be told from these bytes
	Data                 // a piece of a message
	Ping                 // a ping, to be answered with a pong of the same payload
	Pong                 // a pong
	Close                // a close frame; nothing after it is read
)

// Event is one thing that the peer said. Each message comes as Data events, one
// or more, of which exactly one is First and exactly one Last; control frames
// come between them as they were sent.
type Event struct {
	Payload    []byte // unmasked, a view of the bytes given; of Close, its reason
	Kind       Kind
	Opcode     Opcode // of Data: Text or Binary, the message's
	First      bool   // of Data: the message begins with this piece
	Last       bool   // of Data: the message ends with this piece, which may be empty
	Compressed bool   // of Data: the message is deflated, see Inflater
	Code       Code   // of Close: NoCode if it carried none
}

// Parser reads frames. It is a small value without pointers, so that a
// connection's record can hold it; the zero value is a server's, without
// permessage-deflate.
//
//	head → payload → head … ; a control frame counts as one head
//
// Framing is metered, because a message could else consist of little but heads:
// each frame costs the bytes of its head, each byte of its payload earns two,
// and the debt may not pass Limits.Overhead. A client's fragments of three
// bytes never owe anything (they earn their head of 6), those of one byte owe
// 4, so the default of 32 KiB lasts for 8,190 of them in one message, and empty
// ones for 5,460. How many messages and control frames a connection may
// send, and how fast, is the session's to say.
type Parser struct {
	left    int64 // payload bytes of this data frame to come
	total   int64 // payload bytes of this message announced so far
	debt    int32 // framing bytes of this message beyond what its data earned
	mask    Mask
	opcode  Opcode // of the message that has begun; Continuation: none has
	role    Role
	deflate bool // permessage-deflate was negotiated
	packed  bool // this message is compressed
	begun   bool // the first piece of this message was handed out
	final   bool // this frame is its message's last
	inside  bool // in a data frame's payload
	over    bool // after a close frame or an error
}

// NewParser returns a parser for that end of a connection.
func NewParser(role Role, deflate bool) Parser { return Parser{role: role, deflate: deflate} }

// Next reads the next event from b, which begins where the last call stopped.
// n bytes of b are consumed, with NeedMore too: drop them, and come back with
// the rest and more. What is left over is the head of a frame or a control
// frame that is not complete, and shorter than MaxHead+MaxControl. Payloads are
// unmasked where they stand in b. An error is an *Error; after it, as after
// Close, all bytes are consumed and nothing is said ("a peer discards any
// further data received", RFC 6455 §1.4).
func (p *Parser) Next(b []byte, lim *Limits) (ev Event, n int, err error) {
	for !p.over {
		if p.inside {
			return p.piece(b, n)
		}
		var h head
		if err := p.head(b[n:], &h, lim); err != nil {
			p.over = true
			return Event{}, n, err
		}
		if h.size == 0 {
			return Event{}, n, nil
		}
		if h.opcode.control() {
			end := n + h.size + int(h.length)
			if end > len(b) {
				return Event{}, n, nil
			}
			payload := b[n+h.size : end : end]
			h.mask.Apply(payload)
			ev, err = p.control(h.opcode, payload)
			return ev, end, err
		}
		n += h.size
		p.open(&h)
	}
	return Event{}, len(b), nil
}

// Open says whether a message has begun and not ended.
func (p *Parser) Open() bool { return p.opcode != Continuation }

// piece hands out what b holds of a data frame's payload, from n on.
func (p *Parser) piece(b []byte, n int) (Event, int, error) {
	end := n + int(min(p.left, int64(len(b)-n)))
	if end == n && p.left > 0 {
		return Event{}, n, nil
	}
	ev := Event{Kind: Data, Opcode: p.opcode, First: !p.begun, Compressed: p.packed, Payload: b[n:end:end]}
	if p.role == Server {
		p.mask = p.mask.Apply(ev.Payload)
	}
	p.begun = true
	if p.left -= int64(end - n); p.left == 0 {
		p.inside = false
		if ev.Last = p.final; ev.Last {
			p.opcode = Continuation
		}
	}
	return ev, end, nil
}

// control turns a whole control frame into its event.
func (p *Parser) control(op Opcode, payload []byte) (ev Event, err error) {
	if op == PingFrame {
		return Event{Kind: Ping, Payload: payload}, nil
	}
	if op == PongFrame {
		return Event{Kind: Pong, Payload: payload}, nil
	}
	p.over = true
	code, reason, err := parseClose(payload)
	if err != nil {
		return Event{}, err
	}
	return Event{Kind: Close, Payload: reason, Code: code}, nil
}

// open enters a data frame that head has let pass. An empty one that does not
// end its message is nothing to speak of.
func (p *Parser) open(h *head) {
	if h.opcode != Continuation {
		p.opcode, p.packed, p.begun = h.opcode, h.flags&Compressed != 0, false
	}
	p.total, p.debt = h.total, h.debt
	p.left, p.mask, p.final = h.length, h.mask, h.flags&Fin != 0
	p.inside = p.left > 0 || p.final
}

// head is the head of one frame.
type head struct {
	length int64
	total  int64 // the message's with this frame
	debt   int32 // the message's with this frame
	mask   Mask
	size   int // bytes of the head itself, 0 while it is not complete
	flags  Flags
	opcode Opcode
}

// head reads a frame's head and refuses it as soon as the bytes show why.
func (p *Parser) head(b []byte, h *head, lim *Limits) error {
	if len(b) == 0 {
		return nil
	}
	h.flags, h.opcode = Flags(b[0]&0xf0), Opcode(b[0]&0x0f)
	if err := p.permitted(h.flags, h.opcode); err != nil || len(b) < 2 {
		return err
	}
	if masked := b[1]&maskBit != 0; masked != (p.role == Server) {
		if masked {
			return errMasked
		}
		return errUnmasked
	}
	h.length = int64(b[1] &^ maskBit)
	if h.opcode.control() && h.length > MaxControl {
		return errControlLong
	}
	size := 2
	if h.length > MaxControl {
		var err error
		if size, err = extended(b, h); err != nil || size == 0 {
			return err
		}
	}
	if p.role == Server {
		size += 4
	}
	if !h.opcode.control() {
		if err := p.affordable(h, size, lim); err != nil {
			return err
		}
	}
	if len(b) < size {
		return nil
	}
	if p.role == Server {
		h.mask = maskOf(b[size-4:])
	}
	h.size = size
	return nil
}

// permitted judges a frame's first byte, RFC 6455 §5.2 and §5.4.
func (p *Parser) permitted(flags Flags, op Opcode) error {
	reserved := flags & reservedBits
	if reserved != 0 && (reserved != Compressed || !p.deflate || op == Continuation || op.control()) {
		return errReserved
	}
	switch op {
	case Continuation:
		if !p.Open() {
			return errUnopened
		}
	case Text, Binary:
		if p.Open() {
			return errUnfinished
		}
	case CloseFrame, PingFrame, PongFrame:
		if flags&Fin == 0 {
			return errControlSplit
		}
	default:
		return errOpcode
	}
	return nil
}

// extended reads a length of two or eight bytes and returns where it ends, 0
// while it is not complete, RFC 6455 §5.2: "the minimal number of bytes MUST be
// used to encode the length".
func extended(b []byte, h *head) (end int, err error) {
	if h.length == length16 {
		if len(b) < 4 {
			return 0, nil
		}
		if h.length = int64(binary.BigEndian.Uint16(b[2:])); h.length < length16 {
			return 0, errLengthForm
		}
		return 4, nil
	}
	if len(b) > 2 && b[2]&0x80 != 0 {
		return 0, errLengthHuge
	}
	if len(b) < 10 {
		return 0, nil
	}
	if h.length = int64(binary.BigEndian.Uint64(b[2:])); h.length <= 0xffff {
		return 0, errLengthForm
	}
	return 10, nil
}

// affordable holds a data frame, with a head of that size, against the limits.
func (p *Parser) affordable(h *head, size int, lim *Limits) error {
	total, debt := p.total, int64(p.debt)
	if h.opcode != Continuation {
		total, debt = 0, 0
	}
	// total never passes the largest int64: a message that long never comes,
	// but an announced one must not wrap around the limit.
	if h.length > math.MaxInt64-total || lim.Message > 0 && h.length > lim.Message-total {
		return ErrTooBig
	}
	debt += int64(size) - 2*min(h.length, math.MaxInt32)
	h.total, h.debt = total+h.length, int32(min(max(debt, 0), math.MaxInt32))
	if int(h.debt) > lim.Overhead {
		return errOverhead
	}
	return nil
}

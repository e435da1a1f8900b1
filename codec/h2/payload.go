package h2

import (
	"encoding/binary"

	"holdfast/codec/field"
)

// These read the payload of a frame that Reader has found Whole, so its length is known to fit.

// HeaderBlock returns the piece of a header block that a HEADERS or CONTINUATION frame carries, without padding and
// priority, RFC 9113 §6.2. With an error of Stream scope it returns the piece too: it has to be decoded all the same.
func HeaderBlock(f Frame) (block []byte, err error) {
	p := f.Payload
	if f.Type == TypeContinuation {
		return p, nil
	}
	if f.Flags.Has(Padded) {
		pad := int(p[0])
		if p = p[1:]; pad > len(p) {
			return nil, errPadding
		}
		p = p[:len(p)-pad]
	}
	if f.Flags.Has(Prioritized) {
		if len(p) < 5 {
			return nil, errPadding
		}
		err, p = checkDependency(f.Stream, p), p[5:]
	}
	return p, err
}

// CheckPriority refuses a PRIORITY frame whose stream depends on itself. What else it says is ignored, as RFC 9113
// §5.3.2 allows.
func CheckPriority(f Frame) error { return checkDependency(f.Stream, f.Payload) }

// checkDependency follows RFC 7540 §5.3.1, whose rule outlived the scheme: the sender is broken.
func checkDependency(stream uint32, p []byte) error {
	if binary.BigEndian.Uint32(p)&idMask == stream {
		return errSelf
	}
	return nil
}

// ParseReset returns why a RST_STREAM frame ends its stream, RFC 9113 §6.4.
func ParseReset(f Frame) Code { return Code(binary.BigEndian.Uint32(f.Payload)) }

// ParseWindow returns the increment of a WINDOW_UPDATE frame, RFC 9113 §6.9. Whether the window overflows is the
// session's to see.
func ParseWindow(f Frame) (increment uint32, err error) {
	increment = binary.BigEndian.Uint32(f.Payload) & idMask
	switch {
	case increment > 0:
		return increment, nil
	case f.Stream == 0:
		return 0, errIncrement0
	}
	return 0, errIncrement
}

// ParsePing returns the eight bytes that a PING frame's answer has to repeat, RFC 9113 §6.7.
func ParsePing(f Frame) (data [8]byte) {
	copy(data[:], f.Payload)
	return data
}

// ParseGoaway returns the last stream that the peer will have looked at, and why it goes, RFC 9113 §6.8. What it adds
// for debugging is a view of the frame.
func ParseGoaway(f Frame) (last uint32, code Code, debug []byte) {
	p := f.Payload
	return binary.BigEndian.Uint32(p) & idMask, Code(binary.BigEndian.Uint32(p[4:])), p[8:]
}

// ParsePriorityUpdate returns which stream a PRIORITY_UPDATE frame speaks of and its new priority, RFC 9218 §7.1.
func ParsePriorityUpdate(f Frame) (stream uint32, p Priority, err error) {
	stream = binary.BigEndian.Uint32(f.Payload) & idMask
	if stream == 0 {
		return 0, DefaultPriority, errPrioritized
	}
	return stream, ParsePriority(f.Payload[4:]), nil
}

// Priority is what RFC 9218 §4 lets a client ask for.
type Priority struct {
	Urgency     uint8 // 0, the most urgent, to 7
	Incremental bool  // pieces of it are of use
}

// DefaultPriority is that of a request that does not say.
var DefaultPriority = Priority{Urgency: 3}

// ParsePriority reads a Priority field's value, RFC 9218 §4. What it does not know, or what has the wrong type or
// range, it ignores: nothing in it can be wrong enough to refuse.
func ParsePriority(value []byte) Priority {
	p := DefaultPriority
	l := field.List(value)
	for item, ok := l.Next(); ok; item, ok = l.Next() {
		for i, c := range item { // without its parameters
			if c == ';' {
				item = field.TrimOWS(item[:i])
				break
			}
		}
		switch {
		case len(item) == 3 && item[0] == 'u' && item[1] == '=' && item[2] >= '0' && item[2] <= '7':
			p.Urgency = item[2] - '0'
		case string(item) == "i", string(item) == "i=?1":
			p.Incremental = true
		case string(item) == "i=?0":
			p.Incremental = false
		}
	}
	return p
}

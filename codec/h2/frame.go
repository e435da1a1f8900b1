package h2

import "encoding/binary"

// Preface is what a client sends first, RFC 9113 §3.4; its SETTINGS frame follows.
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// MatchPreface says whether b may be the beginning of a client's preface, and whether it holds all of it. The first
// bytes of no HTTP/1 request do.
func MatchPreface(b []byte) (may, whole bool) {
	n := min(len(b), len(Preface))
	may = string(b[:n]) == Preface[:n]
	return may, may && n == len(Preface)
}

// Sizes of RFC 9113 §4.
const (
	HeaderLen = 9         // bytes before every payload
	MinFrame  = 1 << 14   // the least SETTINGS_MAX_FRAME_SIZE, and its initial value
	MaxFrame  = 1<<24 - 1 // the greatest, and what 24 bits can say
	MaxWindow = 1<<31 - 1 // the largest flow-control window, §6.9.1
	idMask    = 1<<31 - 1 // without the reserved bit, §4.1
)

// Type is a frame's, RFC 9113 §6.
type Type uint8

// The types of RFC 9113 §6 and RFC 9218 §7.1.
const (
	TypeData           Type = 0x0
	TypeHeaders        Type = 0x1
	TypePriority       Type = 0x2
	TypeReset          Type = 0x3
	TypeSettings       Type = 0x4
	TypePush           Type = 0x5
	TypePing           Type = 0x6
	TypeGoaway         Type = 0x7
	TypeWindow         Type = 0x8
	TypeContinuation   Type = 0x9
	TypePriorityUpdate Type = 0x10
)

// Flags are a frame's; undefined ones are ignored, RFC 9113 §4.1.
type Flags uint8

// The flags of RFC 9113 §6.
const (
	EndStream   Flags = 0x1  // of DATA and HEADERS
	Ack         Flags = 0x1  // of SETTINGS and PING
	EndHeaders  Flags = 0x4  // of HEADERS and CONTINUATION
	Padded      Flags = 0x8  // of DATA and HEADERS
	Prioritized Flags = 0x20 // of HEADERS
)

// Has says whether all of the given flags are set.
func (f Flags) Has(want Flags) bool { return f&want == want }

// Header is what every frame begins with, RFC 9113 §4.1.
type Header struct {
	Length uint32 // of the payload
	Stream uint32 // 0 is the connection itself
	Type   Type
	Flags  Flags
}

// ParseHeader reads a frame's header from the beginning of b, false when b is too short.
func ParseHeader(b []byte) (h Header, ok bool) {
	if len(b) < HeaderLen {
		return Header{}, false
	}
	first := binary.BigEndian.Uint32(b)
	return Header{
		Length: first >> 8, Type: Type(first), Flags: Flags(b[4]),
		Stream: binary.BigEndian.Uint32(b[5:]) & idMask,
	}, true
}

// AppendHeader appends a frame's header.
func AppendHeader(dst []byte, h Header) []byte {
	dst = append(dst, byte(h.Length>>16), byte(h.Length>>8), byte(h.Length), byte(h.Type), byte(h.Flags))
	return binary.BigEndian.AppendUint32(dst, h.Stream)
}

// check holds a header against what its type allows: the stream first, then the length.
func (h Header) check(limit uint32) *Error {
	switch h.Type {
	case TypePush:
		return errPush // §8.4: a client cannot push, and we never allow a server to
	case TypeData, TypeHeaders, TypePriority, TypeReset, TypeContinuation:
		if h.Stream == 0 {
			return errStreamZero
		}
	case TypeSettings, TypePing, TypeGoaway, TypePriorityUpdate:
		if h.Stream != 0 {
			return errStreamSet
		}
	case TypeWindow:
	}
	if h.Length > max(limit, MinFrame) {
		if h.wide() {
			return errFrameSize
		}
		return errStreamSize
	}
	return h.fits()
}

// wide says whether the frame can alter the state of the whole connection, so that its wrong size ends that,
// RFC 9113 §4.2.
func (h Header) wide() bool {
	switch h.Type {
	case TypeHeaders, TypePush, TypeContinuation, TypeSettings:
		return true
	case TypeData, TypePriority, TypeReset, TypePing, TypeGoaway, TypeWindow, TypePriorityUpdate:
	}
	return h.Stream == 0
}

// fits checks the lengths that RFC 9113 §6 gives types whose payload is fixed, or begins with something that is.
func (h Header) fits() *Error {
	ok := true
	switch h.Type {
	case TypePriority:
		if h.Length != 5 {
			return errPriorityLong // §6.3
		}
	case TypeReset, TypeWindow:
		ok = h.Length == 4
	case TypeSettings:
		ok = h.Length%settingLen == 0 && (!h.Flags.Has(Ack) || h.Length == 0)
	case TypePing:
		ok = h.Length == 8
	case TypeGoaway:
		ok = h.Length >= 8
	case TypePriorityUpdate:
		ok = h.Length >= 4
	case TypeData:
		ok = !h.Flags.Has(Padded) || h.Length >= 1
	case TypeHeaders:
		least := uint32(0)
		if h.Flags.Has(Padded) {
			least++
		}
		if h.Flags.Has(Prioritized) {
			least += 5
		}
		ok = h.Length >= least
	case TypePush, TypeContinuation:
	}
	if !ok {
		return errLength
	}
	return nil
}

// known says whether a frame's type is one that this package reads.
func (t Type) known() bool { return t <= TypeContinuation || t == TypePriorityUpdate }

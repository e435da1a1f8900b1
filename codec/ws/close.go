package ws

import (
	"encoding/binary"
	"unicode/utf8"
)

// Code is the status code of a close frame, RFC 6455 §7.4.
type Code uint16

// The codes of RFC 6455 §7.4.1 and, from ServiceRestart on, of its registry.
const (
	Normal          Code = 1000
	GoingAway       Code = 1001
	ProtocolError   Code = 1002
	Unsupported     Code = 1003
	NoCode          Code = 1005 // the close frame was empty; never sent
	Abnormal        Code = 1006 // there was no close frame; never sent
	InvalidData     Code = 1007
	PolicyViolation Code = 1008
	TooBig          Code = 1009
	NoExtension     Code = 1010 // from a client only
	InternalError   Code = 1011
	ServiceRestart  Code = 1012
	TryAgainLater   Code = 1013
	BadGateway      Code = 1014
	NoTLS           Code = 1015 // the TLS handshake failed; never sent
)

// MaxReason is the longest reason in a close frame, in bytes.
const MaxReason = MaxControl - 2

// Sendable says whether a close frame may carry the code: those that are
// registered for it, libraries' (3000–3999) and applications' (4000–4999).
func (c Code) Sendable() bool {
	const reserved Code = 1004
	if reserved <= c && c <= Abnormal {
		return false
	}
	return Normal <= c && c < NoTLS || 3000 <= c && c <= 4999
}

// parseClose splits the payload of a close frame, RFC 6455 §5.5.1.
func parseClose(payload []byte) (code Code, reason []byte, err error) {
	switch len(payload) {
	case 0:
		return NoCode, nil, nil
	case 1:
		return 0, nil, errCloseShort
	}
	code, reason = Code(binary.BigEndian.Uint16(payload)), payload[2:]
	if !code.Sendable() {
		return 0, nil, errCloseCode
	}
	if !utf8.Valid(reason) {
		return 0, nil, errCloseReason
	}
	return code, reason, nil
}

// AppendClosePayload appends what a close frame carries: nothing for a code
// that is not Sendable. The reason ends where it grows longer than MaxReason or
// stops being UTF-8.
func AppendClosePayload(dst []byte, code Code, reason string) []byte {
	if !code.Sendable() {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason[:reasonLen(reason)]...)
}

// reasonLen is how many bytes of the reason a close frame can carry.
func reasonLen(reason string) int {
	n := 0
	for n < len(reason) {
		r, size := utf8.DecodeRuneInString(reason[n:])
		if r == utf8.RuneError && size == 1 || n+size > MaxReason {
			break
		}
		n += size
	}
	return n
}

package origin

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"holdfast/codec/field"
	"holdfast/codec/h1"
)

// Opcodes and close codes of RFC 6455 §5.2 and §7.4.1.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10

	closeProtocol = 1002
	closeNotText  = 1007
	closeTooBig   = 1009
)

const (
	finBit       = 0x80
	maskBit      = 0x80
	controlBytes = 125 // RFC 6455 §5.5: the longest control frame's payload
	frameHead    = 14  // the longest frame header
)

// closeError ends a WebSocket with a close code.
type closeError uint16

func (closeError) Error() string { return "the client broke the WebSocket protocol" }

// websocket echoes messages of its own, separate code: a test backend must not share the faults of what it tests.
func websocket(x *exchange) error {
	p := x.params()
	fragment := int(p.number("fragment", 0, 1<<30))
	if p.err != nil {
		return x.complain(p.err)
	}
	if ok, err := x.upgrade(); !ok || err != nil {
		return err
	}
	x.bound = max(x.bound, x.srv.cfg.Message+frameHead)
	err := x.echoMessages(fragment)
	var code closeError
	if errors.As(err, &code) {
		x.frame(finBit|opClose, binary.BigEndian.AppendUint16(nil, uint16(code)))
		if x.flush() != nil {
			return errGone
		}
		return errClose
	}
	return err
}

// upgrade answers the handshake, RFC 6455 §4.2; not ok means that it was refused.
func (x *exchange) upgrade() (ok bool, err error) {
	get := func(name string) []byte { v, _ := field.Get(x.req.Fields, name); return v }
	key, err := base64.StdEncoding.DecodeString(string(get("sec-websocket-key")))
	if x.method != "GET" || !x.body.Ended() || !x.req.Upgrade || !field.HasToken(get("upgrade"), "websocket") || err != nil || len(key) != 16 {
		return false, x.reply(400, []byte("no WebSocket handshake\n"))
	}
	if string(get("sec-websocket-version")) != "13" {
		x.startHead(1, 426)
		x.persistence()
		x.out = h1.AppendField(x.out, "Upgrade", "websocket")
		x.out = h1.AppendField(x.out, "Sec-WebSocket-Version", "13")
		x.out = append(h1.AppendContentLength(x.out, 0), h1.CRLF...)
		return false, x.flush()
	}
	sum := sha1.Sum([]byte(string(get("sec-websocket-key")) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	x.keep = false
	x.startHead(1, 101)
	x.out = h1.AppendField(x.out, "Connection", "Upgrade")
	x.out = h1.AppendField(x.out, "Upgrade", "websocket")
	x.out = h1.AppendField(x.out, "Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	list := field.List(get("sec-websocket-protocol"))
	if first, ok := list.Next(); ok {
		x.out = h1.AppendField(x.out, "Sec-WebSocket-Protocol", first)
	}
	x.out = append(x.out, h1.CRLF...)
	return true, x.flush()
}

// echoMessages sends messages back until the client closes, in frames of at most fragment bytes (0: one frame).
func (x *exchange) echoMessages(fragment int) error {
	var message []byte
	kind := byte(opContinuation) // of the message in progress, if any
	for {
		first, payload, err := x.readFrame(x.srv.cfg.Message - len(message))
		if err != nil {
			return err
		}
		switch op := first & 0x0f; op {
		case opPing:
			x.frame(finBit|opPong, payload)
		case opPong:
			continue
		case opClose:
			return x.answerClose(payload)
		default:
			if (op == opContinuation) != (kind != opContinuation) {
				return closeError(closeProtocol) // a continuation of nothing, or a message within a message
			}
			if op != opContinuation {
				kind = op
			}
			message = append(message, payload...)
			if first&finBit == 0 {
				continue
			}
			if kind == opText && !utf8.Valid(message) {
				return closeError(closeNotText)
			}
			x.message(kind, message, fragment)
			message, kind = message[:0], opContinuation
		}
		if err := x.flush(); err != nil {
			return err
		}
	}
}

// answerClose sends the client's close frame back, RFC 6455 §5.5.1.
func (x *exchange) answerClose(payload []byte) error {
	if len(payload) == 1 || len(payload) > 1 && !validCode(binary.BigEndian.Uint16(payload)) {
		return closeError(closeProtocol)
	}
	if len(payload) > 2 && !utf8.Valid(payload[2:]) {
		return closeError(closeNotText)
	}
	x.frame(finBit|opClose, payload)
	if err := x.flush(); err != nil {
		return err
	}
	return errClose
}

// validCode reports whether a client may send this close code, RFC 6455 §7.4.
func validCode(code uint16) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code == 1004 || code == 1005 || code == 1006:
		return false
	}
	return code >= 1000 && code <= 1014
}

// readFrame reads one frame, its payload of at most room bytes unmasked. The payload lives until the next read.
func (x *exchange) readFrame(room int) (first byte, payload []byte, err error) {
	if err := x.need(2); err != nil {
		return 0, nil, err
	}
	b := x.unread()
	first = b[0]
	op, short := first&0x0f, int(b[1]&^maskBit)
	known := op <= opBinary || op >= opClose && op <= opPong
	control := op >= opClose
	if !known || first&0x70 != 0 || b[1]&maskBit == 0 || control && (short > controlBytes || first&finBit == 0) {
		return 0, nil, closeError(closeProtocol)
	}
	extended := map[int]int{126: 2, 127: 8}[short]
	header := 2 + extended + 4
	if err := x.need(header); err != nil {
		return 0, nil, err
	}
	b = x.unread()
	length := uint64(short)
	switch extended {
	case 2:
		length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 8:
		length = binary.BigEndian.Uint64(b[2:])
	}
	if !control && length > uint64(room) {
		return 0, nil, closeError(closeTooBig)
	}
	if err := x.need(header + int(length)); err != nil {
		return 0, nil, err
	}
	b = x.unread()
	mask, payload := b[header-4:header], b[header:header+int(length)]
	for i := range payload {
		payload[i] ^= mask[i&3]
	}
	x.r += header + int(length)
	return first, payload, nil
}

// need reads until n bytes are unread.
func (x *exchange) need(n int) error {
	for x.w-x.r < n {
		if x.fill(x.srv.cfg.IdleTimeout) != nil {
			return errGone
		}
	}
	return nil
}

// message stages a message, cut into frames if fragment is above 0.
func (x *exchange) message(kind byte, b []byte, fragment int) {
	for fragment > 0 && len(b) > fragment {
		x.frame(kind, b[:fragment])
		b, kind = b[fragment:], opContinuation
	}
	x.frame(kind|finBit, b)
}

// frame stages one frame.
func (x *exchange) frame(first byte, payload []byte) {
	x.out = append(x.out, first)
	switch n := len(payload); {
	case n <= controlBytes:
		x.out = append(x.out, byte(n))
	case n <= 0xffff:
		x.out = binary.BigEndian.AppendUint16(append(x.out, 126), uint16(n))
	default:
		x.out = binary.BigEndian.AppendUint64(append(x.out, 127), uint64(n))
	}
	x.out = append(x.out, payload...)
}

package ws

import "encoding/binary"

// AppendHead appends the head of a server's frame with that many bytes of
// payload, which the caller sends behind it as they are.
func AppendHead(dst []byte, op Opcode, flags Flags, length int) []byte {
	return appendHead(dst, op, flags, length, 0)
}

// AppendFrame appends a server's frame.
func AppendFrame(dst []byte, op Opcode, flags Flags, payload []byte) []byte {
	return append(AppendHead(dst, op, flags, len(payload)), payload...)
}

// AppendMasked appends a client's frame, masked with a key that the caller
// takes "from a strong source of entropy" (RFC 6455 §5.3) for each frame.
func AppendMasked(dst []byte, op Opcode, flags Flags, key Mask, payload []byte) []byte {
	dst = appendHead(dst, op, flags, len(payload), maskBit)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(key))
	at := len(dst)
	dst = append(dst, payload...)
	key.Apply(dst[at:])
	return dst
}

// AppendPing appends a server's ping, with at most MaxControl bytes of payload.
func AppendPing(dst, payload []byte) []byte {
	return AppendFrame(dst, PingFrame, Fin, payload[:min(len(payload), MaxControl)])
}

// AppendPong appends a server's answer to a ping with that payload.
func AppendPong(dst, payload []byte) []byte {
	return AppendFrame(dst, PongFrame, Fin, payload[:min(len(payload), MaxControl)])
}

// AppendClose appends a server's close frame, see AppendClosePayload.
func AppendClose(dst []byte, code Code, reason string) []byte {
	dst = append(dst, byte(Fin)|byte(CloseFrame), 0)
	at := len(dst)
	dst = AppendClosePayload(dst, code, reason)
	dst[at-1] = byte(len(dst) - at)
	return dst
}

// appendHead writes the length in its shortest form, RFC 6455 §5.2.
func appendHead(dst []byte, op Opcode, flags Flags, length int, mask byte) []byte {
	dst = append(dst, byte(flags)|byte(op))
	switch {
	case length < length16:
		return append(dst, mask|byte(length))
	case length <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, mask|length16), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(dst, mask|length64), uint64(length))
	}
}

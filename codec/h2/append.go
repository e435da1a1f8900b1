package h2

import "encoding/binary"

// AppendDataHeader appends the header of a DATA frame whose length bytes of data follow.
func AppendDataHeader(dst []byte, stream uint32, length int, end bool) []byte {
	return AppendHeader(dst, Header{Length: uint32(length), Type: TypeData, Flags: ending(end), Stream: stream})
}

// AppendReset appends a RST_STREAM frame.
func AppendReset(dst []byte, stream uint32, code Code) []byte {
	dst = AppendHeader(dst, Header{Length: 4, Type: TypeReset, Stream: stream})
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

// AppendWindow appends a WINDOW_UPDATE frame; stream 0 is the connection's window.
func AppendWindow(dst []byte, stream, increment uint32) []byte {
	dst = AppendHeader(dst, Header{Length: 4, Type: TypeWindow, Stream: stream})
	return binary.BigEndian.AppendUint32(dst, increment)
}

// AppendPing appends a PING frame.
func AppendPing(dst []byte, data [8]byte) []byte {
	return append(AppendHeader(dst, Header{Length: 8, Type: TypePing}), data[:]...)
}

// AppendPingAck appends the answer to a PING frame.
func AppendPingAck(dst []byte, data [8]byte) []byte {
	return append(AppendHeader(dst, Header{Length: 8, Type: TypePing, Flags: Ack}), data[:]...)
}

// AppendGoaway appends a GOAWAY frame. Last is the highest stream that was or may yet be looked at: MaxWindow is the
// first step of a graceful shutdown, RFC 9113 §6.8.
func AppendGoaway(dst []byte, last uint32, code Code, debug string) []byte {
	dst = AppendHeader(dst, Header{Length: uint32(8 + len(debug)), Type: TypeGoaway})
	dst = binary.BigEndian.AppendUint32(dst, last)
	dst = binary.BigEndian.AppendUint32(dst, uint32(code))
	return append(dst, debug...)
}

// OpenHeaders appends the header of a HEADERS frame. Its block is then appended with what encode.go has, and CloseHeaders
// is told where the header begins.
func OpenHeaders(dst []byte, stream uint32, end bool) []byte {
	return AppendHeader(dst, Header{Type: TypeHeaders, Flags: ending(end), Stream: stream})
}

// CloseHeaders ends the header block that OpenHeaders began at dst[at:]. What exceeds the peer's frame size moves into
// CONTINUATION frames.
func CloseHeaders(dst []byte, at int, frame uint32) []byte {
	block := len(dst) - at - HeaderLen
	size := int(max(frame, MinFrame))
	first := min(block, size)
	dst[at], dst[at+1], dst[at+2] = byte(first>>16), byte(first>>8), byte(first)
	if block <= size {
		dst[at+4] |= byte(EndHeaders)
		return dst
	}
	h := Header{Type: TypeContinuation, Stream: binary.BigEndian.Uint32(dst[at+5:])}
	more := (block - 1) / size
	for range more {
		dst = AppendHeader(dst, h) // for its room
	}
	// From the last, each moves up by the headers before it.
	for i := more; i > 0; i-- {
		from := at + HeaderLen + i*size
		to := from + i*HeaderLen
		n := min(size, at+HeaderLen+block-from)
		copy(dst[to:to+n], dst[from:from+n])
		h.Length, h.Flags = uint32(n), 0
		if i == more {
			h.Flags = EndHeaders
		}
		AppendHeader(dst[:to-HeaderLen], h)
	}
	return dst
}

// AppendHeaders appends a whole block as a HEADERS frame, and as CONTINUATION frames what exceeds the peer's frame size.
func AppendHeaders(dst []byte, stream uint32, block []byte, frame uint32, end bool) []byte {
	at := len(dst)
	return CloseHeaders(append(OpenHeaders(dst, stream, end), block...), at, frame)
}

func ending(end bool) Flags {
	if end {
		return EndStream
	}
	return 0
}

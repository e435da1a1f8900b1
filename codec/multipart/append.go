package multipart

import (
	"bytes"
	"strconv"

	"holdfast/codec/field"
)

// The fields that a part's header carries beside Content-Type and Content-Length, and the events that the stream
// itself says something with.
const (
	IDField        = "Push-Id"
	EventField     = "Push-Event"
	GoawayEvent    = "goaway"
	HeartbeatEvent = "heartbeat"
)

// octets is the type of a part whose type is not known.
const octets = "application/octet-stream"

// AppendOpen begins a stream. The boundary line of a part is written behind the part before it, so that a reader need
// not wait for the next part to know that this one is complete; the first is written here.
func AppendOpen(dst, boundary []byte) []byte {
	dst = append(dst, "--"...)
	dst = append(dst, boundary...)
	return append(dst, "\r\n"...)
}

// AppendPartHead adds what stands before a part's length bytes of data. An empty id or event is left out, and so is one
// for which ValidValue is false, because it could inject a field: check at the door, where the publisher can still be
// told. An empty or invalid typ is written as application/octet-stream.
func AppendPartHead(dst, id, event, typ []byte, length int) []byte {
	dst = append(dst, "Content-Type: "...)
	if ValidValue(typ) {
		dst = append(dst, typ...)
	} else {
		dst = append(dst, octets...)
	}
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(length), 10)
	if ValidValue(id) {
		dst = append(dst, "\r\n"+IDField+": "...)
		dst = append(dst, id...)
	}
	if ValidValue(event) {
		dst = append(dst, "\r\n"+EventField+": "...)
		dst = append(dst, event...)
	}
	return append(dst, "\r\n\r\n"...)
}

// AppendPartTail adds what stands behind a part's data.
func AppendPartTail(dst, boundary []byte) []byte {
	dst = append(dst, "\r\n--"...)
	dst = append(dst, boundary...)
	return append(dst, "\r\n"...)
}

// AppendHeartbeat adds an empty part that says nothing but that the stream lives.
func AppendHeartbeat(dst, boundary []byte) []byte {
	dst = append(dst, "Content-Length: 0\r\n"+EventField+": "+HeartbeatEvent+"\r\n\r\n"...)
	return AppendPartTail(dst, boundary)
}

// AppendGoaway ends a stream: an empty part that asks the client to come back elsewhere, and the last boundary.
func AppendGoaway(dst, boundary []byte) []byte {
	dst = append(dst, "Content-Length: 0\r\n"+EventField+": "+GoawayEvent+"\r\n\r\n\r\n--"...)
	dst = append(dst, boundary...)
	return append(dst, "--\r\n"...)
}

// ValidValue says whether b can be a header value of a part: not empty, no control characters, no blank at either end.
func ValidValue(b []byte) bool { return len(b) > 0 && field.IsValue(b) }

// Carries says whether a stream with this boundary can hold data. "Boundary delimiters must not appear within the
// encapsulated material" (RFC 2046 §5.1.1): who can guess the boundary could otherwise write parts of his own, so a
// boundary should also be random.
func Carries(data, boundary []byte) bool {
	for from := 0; ; {
		i := bytes.Index(data[from:], boundary)
		if i < 0 {
			return true
		}
		i += from
		if i == 2 && string(data[:2]) == "--" || i >= 4 && string(data[i-4:i]) == "\r\n--" {
			return false
		}
		from = i + 1
	}
}

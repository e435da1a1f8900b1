package sse

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// ContentType is the media type of a stream; it is always UTF-8 and takes no charset.
const ContentType = "text/event-stream"

// Tail ends an event that AppendHead began.
const Tail = "\n\n"

const (
	idField    = "id: "
	eventField = "event: "
	dataField  = "data: "
)

// Append adds one event. An empty id or event is left out; data may be empty and is still an event. Each CR, LF or CRLF
// in data becomes exactly one line break, so what a client reads is data with its breaks written as LF. An id or event
// for which ValidLine is false is left out too, because it could inject a field: check at the door, where the publisher
// can still be told.
func Append(dst, id, event, data []byte) []byte {
	dst = AppendHead(dst, id, event)
	for {
		i := lineEnd(data)
		dst = append(dst, data[:i]...)
		if i == len(data) {
			return append(dst, Tail...)
		}
		data = data[i+breakLen(data[i:]):]
		dst = append(dst, "\n"+dataField...)
	}
}

// AppendHead adds the beginning of an event up to where its data goes. AppendHead, data, Tail is what Append writes if
// data is OneLine: large shared data can then be sent without a copy.
func AppendHead(dst, id, event []byte) []byte {
	dst = appendField(dst, idField, id)
	dst = appendField(dst, eventField, event)
	return append(dst, dataField...)
}

func appendField(dst []byte, name string, value []byte) []byte {
	if !ValidLine(value) {
		return dst
	}
	dst = append(dst, name...)
	dst = append(dst, value...)
	return append(dst, '\n')
}

// Size is the exact number of bytes that Append adds.
func Size(id, event, data []byte) int {
	n := len(dataField) + len(data) + len(Tail)
	if ValidLine(id) {
		n += len(idField) + len(id) + 1
	}
	if ValidLine(event) {
		n += len(eventField) + len(event) + 1
	}
	for {
		i := lineEnd(data)
		if i == len(data) {
			return n
		}
		w := breakLen(data[i:])
		n += 1 + len(dataField) - w
		data = data[i+w:]
	}
}

// ValidLine says whether b can be an id or an event name: not empty, valid UTF-8, and free of CR, LF and NUL.
func ValidLine(b []byte) bool {
	return len(b) > 0 && OneLine(b) && bytes.IndexByte(b, 0) < 0 && utf8.Valid(b)
}

// OneLine says whether data holds no CR and no LF.
func OneLine(data []byte) bool {
	return bytes.IndexByte(data, '\n') < 0 && bytes.IndexByte(data, '\r') < 0
}

// Carries says whether an event stream can hold data unharmed (line breaks aside): it must be valid UTF-8, for a
// client would replace anything else.
func Carries(data []byte) bool { return utf8.Valid(data) }

// AppendRetry adds the time in milliseconds that a client waits before it connects again.
func AppendRetry(dst []byte, ms int) []byte {
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, int64(max(ms, 0)), 10)
	return append(dst, Tail...)
}

// AppendComment adds text as comment lines, which clients ignore: with no text, the smallest heartbeat.
func AppendComment(dst, text []byte) []byte {
	dst = append(dst, ':')
	for len(text) > 0 {
		i := lineEnd(text)
		dst = append(dst, ' ')
		dst = append(dst, text[:i]...)
		if i == len(text) {
			break
		}
		text = text[i+breakLen(text[i:]):]
		dst = append(dst, "\n:"...)
	}
	return append(dst, Tail...)
}

// lineEnd is the index of the first CR or LF, or len(b). It searches in windows, so that text full of one kind of break
// is not searched to its end for the other kind on each line.
func lineEnd(b []byte) int {
	const window = 512
	for at := 0; at < len(b); at += window {
		w := b[at:min(at+window, len(b))]
		lf := bytes.IndexByte(w, '\n')
		if lf >= 0 {
			w = w[:lf]
		}
		if cr := bytes.IndexByte(w, '\r'); cr >= 0 {
			return at + cr
		}
		if lf >= 0 {
			return at + lf
		}
	}
	return len(b)
}

// breakLen is the length of the line break that b begins with: CRLF is one break.
func breakLen(b []byte) int {
	if len(b) > 1 && b[0] == '\r' && b[1] == '\n' {
		return 2
	}
	return 1
}

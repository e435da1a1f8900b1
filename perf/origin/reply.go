package origin

import (
	"time"

	"holdfast/codec/field"
	"holdfast/codec/h1"
)

// startHead stages a response's status line and the fields that every response has. The numbers of connection and
// request let a test see which upstream connection was used, and for how manieth time.
func (x *exchange) startHead(minor uint8, status int) {
	if x.waiting { // the body that was announced will not come, or will: nobody can tell
		x.keep = false
	}
	x.out = h1.AppendStatusLine(x.out, minor, status)
	x.out = append(x.out, "Date: "...)
	x.out = append(field.AppendDate(x.out, time.Now().Unix()), h1.CRLF...)
	x.out = append(x.out, "Origin-Conn: "...)
	x.out = append(h1.AppendInt(x.out, x.number), h1.CRLF...)
	x.out = append(x.out, "Origin-Request: "...)
	x.out = append(h1.AppendInt(x.out, x.requests), h1.CRLF...)
}

// persistence stages what the client needs to know of the connection's future.
func (x *exchange) persistence() {
	switch {
	case !x.keep:
		x.out = h1.AppendField(x.out, "Connection", "close")
	case x.minor == 0:
		x.out = h1.AppendField(x.out, "Connection", "keep-alive")
	}
}

// sized stages the head of a response whose body is plain text of this length, and reports whether that body is wanted.
func (x *exchange) sized(status int, length int64) bool {
	x.startHead(1, status)
	x.persistence()
	x.out = h1.AppendField(x.out, "Content-Type", "text/plain")
	x.out = append(h1.AppendContentLength(x.out, length), h1.CRLF...)
	return !x.bare
}

// reply sends a whole response of plain text.
func (x *exchange) reply(status int, body []byte) error {
	if x.sized(status, int64(len(body))) {
		x.out = append(x.out, body...)
	}
	return x.flush()
}

// complain answers 400 to parameters that make no sense.
func (x *exchange) complain(err error) error {
	return x.reply(400, []byte(err.Error()+"\n"))
}

// stream sends the head of a response whose length is not known: chunked, or to the end of the connection for 1.0.
// more are further whole field lines.
func (x *exchange) stream(contentType, more string) error {
	x.chunked = x.minor > 0
	x.keep = x.keep && x.chunked
	x.startHead(1, 200)
	x.persistence()
	x.out = h1.AppendField(x.out, "Content-Type", contentType)
	if x.chunked {
		x.out = h1.AppendField(x.out, "Transfer-Encoding", "chunked")
	}
	x.out = append(x.out, more+h1.CRLF...)
	return x.flush()
}

// send sends one piece of the streamed body.
func (x *exchange) send(b []byte) error {
	if x.bare || len(b) == 0 {
		return nil
	}
	if x.chunked {
		x.out = h1.AppendChunkSize(x.out, len(b))
	}
	x.out = append(x.out, b...)
	if x.chunked {
		x.out = append(x.out, h1.CRLF...)
	}
	return x.flush()
}

// finish ends the streamed body. trailers are whole field lines, which only a chunked body can carry.
func (x *exchange) finish(trailers []byte) error {
	if x.bare || !x.chunked {
		return nil
	}
	x.out = append(x.out, "0"+h1.CRLF...)
	x.out = append(append(x.out, trailers...), h1.CRLF...)
	return x.flush()
}

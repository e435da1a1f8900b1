package origin

import (
	"errors"
	"time"

	"holdfast/codec/h1"
)

// faults are the ways to misbehave, or to behave within the rules as hardly anybody does.
var faults = map[string]handler{
	"/fault/refuse":        func(*exchange) error { return errGone },
	"/fault/reset-headers": resetHeaders,
	"/fault/reset-body":    resetBody,
	"/fault/stall":         stall,
	"/fault/trickle":       trickle,
	"/fault/garbage":       garbage,
	"/fault/close-idle":    closeIdle,
	"/fault/early":         early,
	"/fault/until-close":   func(x *exchange) error { return x.untilClose(1) },
	"/fault/http10":        func(x *exchange) error { return x.untilClose(0) },
	"/fault/chunked":       oddChunks,
	"/fault/trailers":      trailers,
	"/fault/100":           interim,
}

// beforeReset gives the peer time to read what was sent: a reset may overtake it.
const beforeReset = 20 * time.Millisecond

func resetHeaders(x *exchange) error {
	x.startHead(1, 200)
	x.out = append(x.out, "Content-Ty"...)
	if err := x.flush(); err != nil {
		return err
	}
	pause(x.ctx, beforeReset)
	return errReset
}

func resetBody(x *exchange) error {
	p := x.params()
	size := p.number("size", 1<<10, maxPage)
	after := p.number("after", size/2, maxPage)
	if p.err != nil {
		return x.complain(p.err)
	}
	if !x.sized(200, size) {
		return x.flush()
	}
	if err := x.fillPage(min(after, size)); err != nil {
		return err
	}
	pause(x.ctx, beforeReset)
	return errReset
}

func stall(x *exchange) error {
	p := x.params()
	length, at := p.duration("for", time.Minute), p.choice("at", "head", "body")
	if p.err != nil {
		return x.complain(p.err)
	}
	if err := x.read(nil, nil); err != nil {
		return err
	}
	page := Pattern(0, 1<<10)
	sent := 0
	if at == "body" {
		x.sized(200, int64(len(page)))
		if sent = len(page) / 2; x.bare {
			return x.flush()
		}
		x.out = append(x.out, page[:sent]...)
		if err := x.flush(); err != nil {
			return err
		}
	}
	if err := x.wait(x.ctx, length); err != nil {
		return err
	}
	if sent == 0 {
		return x.reply(200, page)
	}
	x.out = append(x.out, page[sent:]...)
	return x.flush()
}

func trickle(x *exchange) error {
	p := x.params()
	n, every := p.number("n", 10, 1<<20), p.duration("every", 100*time.Millisecond)
	if p.err != nil {
		return x.complain(p.err)
	}
	if err := x.read(nil, nil); err != nil {
		return err
	}
	wanted := x.sized(200, n)
	for i := int64(0); ; i++ {
		if err := x.flush(); err != nil || !wanted || i == n {
			return err
		}
		if err := x.wait(x.ctx, every); err != nil {
			return err
		}
		x.out = append(x.out, Pattern(i, 1)...)
	}
}

func garbage(x *exchange) error {
	x.out = append(x.out, "\x15\x03\x01\x00\x02\x02\x28 this is no HTTP\r\n\r\n"...)
	if err := x.flush(); err != nil {
		return err
	}
	return errClose
}

// closeIdle breaks a promise that a server may break: the connection was to stay open, and closes just when the proxy
// may be sending its next request.
func closeIdle(x *exchange) error {
	p := x.params()
	after := p.duration("after", 0)
	if p.err != nil {
		return x.complain(p.err)
	}
	if err := x.read(nil, nil); err != nil {
		return err
	}
	if err := x.reply(200, Pattern(0, 1<<10)); err != nil {
		return err
	}
	pause(x.ctx, after)
	return errGone // not errClose: what was sent meanwhile shall meet a reset, as it does in life
}

// early answers while the body is still being sent, as a server does that refuses an upload.
func early(x *exchange) error {
	p := x.params()
	status := int(p.number("status", 413, 599))
	if p.err == nil && status < 200 {
		p.err = errors.New("status is not from 200 to 599")
	}
	if p.err != nil {
		return x.complain(p.err)
	}
	x.keep = false
	if err := x.reply(status, []byte("enough\n")); err != nil {
		return err
	}
	return errClose
}

func (x *exchange) untilClose(minor uint8) error {
	p := x.params()
	size := p.number("size", 1<<10, maxPage)
	if p.err != nil {
		return x.complain(p.err)
	}
	x.keep = false
	x.startHead(minor, 200)
	if minor > 0 {
		x.persistence()
	}
	x.out = append(h1.AppendField(x.out, "Content-Type", "text/plain"), h1.CRLF...)
	if x.bare {
		return x.flush()
	}
	return x.fillPage(size)
}

// oddChunks cuts the first 39 bytes of the pattern into chunks with extensions, upper case, leading zeros and a last
// chunk of several zeros: RFC 9112 §7.1 allows all of it.
func oddChunks(x *exchange) error {
	if x.minor == 0 {
		return x.reply(505, []byte("chunks need HTTP/1.1\n"))
	}
	if err := x.stream("text/plain", ""); err != nil || x.bare {
		return err
	}
	at := int64(0)
	for _, c := range []struct {
		line string
		size int
	}{{"1;a", 1}, {"02;a=b", 2}, {"A;a=\"b;\\\"c\"", 10}, {"0000001a", 26}} {
		x.out = append(x.out, c.line+h1.CRLF...)
		x.out = append(append(x.out, Pattern(at, c.size)...), h1.CRLF...)
		at += int64(c.size)
		if err := x.flush(); err != nil {
			return err
		}
	}
	x.out = append(x.out, "000;end\r\n\r\n"...)
	return x.flush()
}

func trailers(x *exchange) error {
	if err := x.stream("text/plain", "Trailer: Origin-Sum, Origin-Note\r\n"); err != nil {
		return err
	}
	if err := x.send(Pattern(0, 1<<10)); err != nil {
		return err
	}
	return x.finish([]byte("Origin-Sum: 1024\r\nOrigin-Note: the end\r\n"))
}

// interim sends 100 whether it was asked for or not, 103, and only then the response.
func interim(x *exchange) error {
	if x.minor == 0 {
		return x.reply(505, []byte("interim responses need HTTP/1.1\n"))
	}
	x.waiting = false
	x.out = append(h1.AppendStatusLine(x.out, 1, 100), h1.CRLF...)
	x.out = h1.AppendStatusLine(x.out, 1, 103)
	x.out = append(h1.AppendField(x.out, "Link", "</style.css>; rel=preload"), h1.CRLF...)
	if err := x.flush(); err != nil {
		return err
	}
	if err := x.read(nil, nil); err != nil {
		return err
	}
	return x.reply(200, Pattern(0, 1<<10))
}

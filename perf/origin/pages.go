package origin

import (
	"bytes"
	"fmt"
	"time"
)

// handler answers one exchange: nil to keep the connection, or how it ends.
type handler func(x *exchange) error

var routes = map[string]handler{
	"/":      help,
	"/echo":  echo,
	"/page":  func(x *exchange) error { return x.pattern("size", 1<<10) },
	"/big":   func(x *exchange) error { return x.pattern("bytes", 100<<20) },
	"/sse":   events,
	"/stats": stats,
	"/ws":    websocket,
}

// handle finds who answers.
func (x *exchange) handle() error {
	h, ok := routes[x.path]
	if !ok {
		h, ok = faults[x.path]
	}
	if !ok {
		return x.reply(404, []byte("nothing is here; / lists what there is\n"))
	}
	return h(x)
}

const usage = `/echo                       the request's head as it came, then its body; trailers as trailers
/page?size=1024             that many bytes
/big?bytes=104857600        the same, larger
/sse?every=1s&n=0           n events, 0 without end
/ws?fragment=0              WebSocket echo, in frames of that size
/stats                      counters of this server
/fault/refuse               close without a byte
/fault/reset-headers        reset in the middle of the head
/fault/reset-body?size=&after=      reset after that much of the body
/fault/stall?for=60s&at=head|body   keep silent, then go on
/fault/trickle?n=10&every=100ms     one byte at a time
/fault/garbage              what is no HTTP
/fault/close-idle?after=0s  answer, promise to stay, close
/fault/early?status=413     answer before the body is read, and close
/fault/until-close?size=    a body that ends with the connection
/fault/http10?size=         an HTTP/1.0 response
/fault/chunked              lawful but odd chunks
/fault/trailers             a chunked body with trailers
/fault/100                  interim responses before the final one
`

func help(x *exchange) error { return x.reply(200, []byte(usage)) }

func stats(x *exchange) error {
	s := x.srv
	return x.reply(200, fmt.Appendf(nil, "conns %d\nrefused %d\nrequests %d\nmalformed %d\n",
		s.Conns.Load(), s.Refused.Load(), s.Requests.Load(), s.Malformed.Load()))
}

// period is after how many bytes the content of pages repeats: one line of text.
const period = 64

// block is what pages are cut from.
var block = bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog and back 0123456789\n"), 1024)

// maxPage bounds what one request can ask for: 1 TiB.
const maxPage = 1 << 40

// Pattern returns n bytes of the content of every page from an offset on; n is at most 65,472 bytes. They are shared:
// nobody may write to them.
func Pattern(offset int64, n int) []byte {
	at := int(offset % period)
	return block[at : at+n]
}

// pattern answers with a page as long as the parameter says.
func (x *exchange) pattern(name string, otherwise int64) error {
	p := x.params()
	size := p.number(name, otherwise, maxPage)
	if p.err != nil {
		return x.complain(p.err)
	}
	if !x.sized(200, size) {
		return x.flush()
	}
	return x.fillPage(size)
}

// fillPage sends a page behind the head that is staged.
func (x *exchange) fillPage(size int64) error {
	for at := int64(0); ; {
		piece := Pattern(at, int(min(size-at, int64(len(block)-period))))
		x.out = append(x.out, piece...)
		if err := x.flush(); err != nil {
			return err
		}
		if at += int64(len(piece)); at == size {
			return nil
		}
	}
}

// events sends a tick at a time.
func events(x *exchange) error {
	p := x.params()
	every, n := p.duration("every", time.Second), p.number("n", 0, 1<<40)
	if p.err != nil {
		return x.complain(p.err)
	}
	if err := x.read(nil, nil); err != nil {
		return err
	}
	if err := x.stream("text/event-stream", "Cache-Control: no-store\r\n"); err != nil || x.bare {
		return err
	}
	for i := int64(1); n == 0 || i <= n; i++ {
		if err := x.send(fmt.Appendf(nil, "id: %d\ndata: tick %d\n\n", i, i)); err != nil {
			return err
		}
		if i == n {
			break
		}
		if err := x.wait(x.ctx, max(every, time.Millisecond)); err != nil {
			return err
		}
	}
	return x.finish(nil)
}

package origin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"holdfast/codec/h1"
)

// exchange is one request and its response. Handlers return nil to keep the connection, or how it ends.
type exchange struct {
	*conn
	ctx  context.Context
	head []byte // the request's head as it came; it and the fields of req live until more input is read

	method, path, query string
	minor               uint8
	keep                bool // the connection can be kept so far
	waiting             bool // the client wants 100 before it sends the body
	body                h1.Body

	bare    bool // the response has no body: to HEAD
	chunked bool // the response being streamed
}

func newExchange(ctx context.Context, c *conn, head []byte) *exchange {
	r := &c.req
	return &exchange{
		conn: c, ctx: ctx, head: head,
		method: string(r.Method), path: string(r.Path), query: string(r.Query),
		minor: r.Minor, keep: r.KeepAlive, waiting: r.Expect100, body: r.Body(),
		bare: string(r.Method) == "HEAD",
	}
}

// proceed tells a client that asked to go on sending.
func (x *exchange) proceed() error {
	if !x.waiting {
		return nil
	}
	x.waiting = false
	x.out = append(h1.AppendStatusLine(x.out, 1, 100), h1.CRLF...)
	return x.flush()
}

// read hands the request's body over piece by piece, and its trailer lines. Either function may be nil.
func (x *exchange) read(data, trailer func(b []byte) error) error {
	if err := x.proceed(); err != nil {
		return err
	}
	for {
		ev, b, n, err := x.body.Next(x.unread(), &x.lim)
		if err != nil {
			return err
		}
		x.r += n
		err = nil
		switch {
		case ev == h1.End:
			return nil
		case ev == h1.NeedMore:
			if x.fill(x.srv.cfg.IdleTimeout) != nil {
				err = errGone
			}
		case ev == h1.Data && data != nil:
			err = data(b)
		case ev == h1.TrailerField && trailer != nil:
			err = trailer(b)
		}
		if err != nil {
			return err
		}
	}
}

// drain readies the connection for the next request, if that is possible.
func (x *exchange) drain() error {
	if !x.keep {
		return errClose
	}
	taken := 0
	return x.broken(x.read(func(b []byte) error {
		if taken += len(b); taken > drainBytes {
			return errClose
		}
		return nil
	}, nil))
}

// broken is how a connection ends whose response has begun already: no error response can follow.
func (x *exchange) broken(err error) error {
	var bad *h1.Error
	if errors.As(err, &bad) {
		x.srv.Malformed.Add(1)
		return errReset
	}
	return err
}

// params reads the query of a request; the first thing wrong with it stays in err.
type params struct {
	values url.Values
	err    error
}

func (x *exchange) params() *params {
	p := new(params)
	if x.query != "" {
		p.values, p.err = url.ParseQuery(x.query)
	}
	return p
}

// number is a parameter from 0 to most.
func (p *params) number(name string, otherwise, most int64) int64 {
	s := p.values.Get(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if p.err == nil && (err != nil || n < 0 || n > most) {
		p.err = fmt.Errorf("%s=%q is not a number from 0 to %d", name, s, most)
	}
	return n
}

// longest is the longest time that a request can ask to be kept waiting.
const longest = time.Hour

// duration is a parameter such as 100ms.
func (p *params) duration(name string, otherwise time.Duration) time.Duration {
	s := p.values.Get(name)
	if s == "" {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	if p.err == nil && (err != nil || d < 0 || d > longest) {
		p.err = fmt.Errorf("%s=%q is not a time from 0s to %v", name, s, longest)
	}
	return d
}

// choice is a parameter out of a list, whose first is the default.
func (p *params) choice(name string, among ...string) string {
	s := p.values.Get(name)
	if s == "" {
		return among[0]
	}
	for _, a := range among {
		if s == a {
			return s
		}
	}
	if p.err == nil {
		p.err = fmt.Errorf("%s=%q is not one of %q", name, s, among)
	}
	return among[0]
}

package swarm

import (
	"bytes"
	"errors"

	"holdfast/codec/field"
	"holdfast/codec/multipart"
	"holdfast/codec/ndjson"
	"holdfast/codec/sse"
	"holdfast/codec/ws"
)

// reader finds the messages in what clients are sent. Between two messages it keeps nothing of a client; where one is
// cut between two reads, its beginning, and for multipart forms always where in the body the client is.
type reader struct {
	form    Form
	size    int // bytes of a message
	longest int // bytes of what may be kept for one client: stops a server that never ends a message
	message func(client uint32, data []byte)

	cut    map[uint32][]byte      // beginnings of messages, by client
	events map[uint32]*sse.Parser // in the middle of an event, by client
	idle   []*sse.Parser          // between events
	bodies map[uint32]*parts      // by client

	inflater ws.Inflater
	plain    []byte // what a compressed message was
}

// parts is a multipart body.
type parts struct {
	parser multipart.Parser
	data   []byte // of the part being read, where it did not come at once
}

var errTooLong = errors.New("a message without end")

// slack is what a form may add to a message: names, lengths, escapes.
const slack = 16 << 10

func (r *reader) init(cfg *Config, message func(client uint32, data []byte)) {
	*r = reader{
		form: cfg.Form, size: cfg.Size, longest: 2*cfg.Size + slack, message: message,
		cut: make(map[uint32][]byte), events: make(map[uint32]*sse.Parser), bodies: make(map[uint32]*parts),
	}
}

// begin prepares for the body of an answer.
func (r *reader) begin(client uint32, fields []field.Field) error {
	if r.form != Mixed && r.form != Replace {
		return nil
	}
	value, _ := field.Get(fields, "content-type")
	boundary, err := multipart.Boundary(value)
	if err != nil {
		return err
	}
	p := new(parts)
	p.parser.Start(boundary, multipart.Config{MaxParts: 1 << 62})
	r.bodies[client] = p
	return nil
}

// drop forgets what was kept for a client.
func (r *reader) drop(client uint32) {
	delete(r.cut, client)
	delete(r.bodies, client)
	if p := r.events[client]; p != nil {
		delete(r.events, client)
		r.idle = append(r.idle, p)
	}
}

// data reads the next piece of a body.
func (r *reader) data(client uint32, b []byte) error {
	switch r.form {
	case SSE:
		return r.readEvents(client, b)
	case NDJSON:
		return r.readLines(client, b)
	case Mixed, Replace:
		return r.readParts(client, b)
	case Raw:
		b = r.join(client, b)
		for len(b) >= r.size {
			r.message(client, b[:r.size])
			b = b[r.size:]
		}
		return r.keep(client, b)
	case Poll:
		return r.keep(client, r.join(client, b))
	case WebSocket: // piece by piece
	}
	return nil
}

// end tells that a body is complete: a poll's message is.
func (r *reader) end(client uint32) {
	if b := r.cut[client]; len(b) > 0 {
		r.message(client, b)
	}
	r.drop(client)
}

// join puts a piece behind what was kept.
func (r *reader) join(client uint32, b []byte) []byte {
	if kept, ok := r.cut[client]; ok {
		b = append(kept, b...)
		r.cut[client] = b
	}
	return b
}

// keep stores what was not used up.
func (r *reader) keep(client uint32, rest []byte) error {
	if len(rest) > r.longest {
		return errTooLong
	}
	if len(rest) > 0 {
		r.cut[client] = append(r.cut[client][:0], rest...)
	} else if len(r.cut) > 0 {
		delete(r.cut, client)
	}
	return nil
}

// readEvents borrows a parser, and leaves it with the client only if a piece ends inside an event.
func (r *reader) readEvents(client uint32, b []byte) error {
	p := r.events[client]
	kept := p != nil
	if !kept {
		p = r.parser()
	}
	between := bytes.HasSuffix(b, []byte("\n\n")) // an empty line ends whatever came before it
	for len(b) > 0 {
		ev, n, ok, err := p.Next(b)
		if err != nil {
			return err
		}
		if ok {
			r.message(client, ev.Data)
		}
		b = b[n:]
		between = between || ok && len(b) == 0
	}
	switch {
	case between:
		p.Reset()
		r.idle = append(r.idle, p)
		if kept {
			delete(r.events, client)
		}
	case !kept:
		r.events[client] = p
	}
	return nil
}

func (r *reader) parser() *sse.Parser {
	if n := len(r.idle); n > 0 {
		p := r.idle[n-1]
		r.idle = r.idle[:n-1]
		p.Reset()
		return p
	}
	return &sse.Parser{MaxLine: r.longest, MaxEvent: r.longest}
}

func (r *reader) readLines(client uint32, b []byte) error {
	b = r.join(client, b)
	split := ndjson.Splitter{MaxLine: r.longest}
	for {
		line, n, ok, err := split.Next(b, false)
		b = b[n:]
		if err != nil {
			return err
		}
		if !ok {
			return r.keep(client, b)
		}
		r.message(client, dataOf(line))
	}
}

var dataMember = []byte(`"data":"`)

// dataOf finds the data of a line, as far as it is text that needs no escapes: stamps and padding are such text.
func dataOf(line []byte) []byte {
	_, data, _ := bytes.Cut(line, dataMember)
	data, _, _ = bytes.Cut(data, []byte{'"'})
	return data
}

func (r *reader) readParts(client uint32, b []byte) error {
	p := r.bodies[client]
	b = r.join(client, b)
	var whole []byte // the part's data, as long as it is in one piece
	for {
		ev, n, err := p.parser.Next(b)
		b = b[n:]
		switch {
		case err != nil:
			return err
		case len(p.data) > r.longest:
			return errTooLong
		}
		switch ev.Kind {
		case multipart.Data:
			if whole != nil || len(p.data) > 0 {
				p.data = append(append(p.data, whole...), ev.Data...)
				whole = nil
			} else {
				whole = ev.Data
			}
		case multipart.PartEnd:
			if len(p.data) > 0 {
				r.message(client, append(p.data, whole...))
				p.data = p.data[:0]
			} else if len(whole) > 0 {
				r.message(client, whole)
			}
			whole = nil
		case multipart.NeedMore:
			p.data = append(p.data, whole...)
			return r.keep(client, b)
		case multipart.PartBegin, multipart.End:
		}
	}
}

package swarm

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"strconv"

	"holdfast/codec/field"
	"holdfast/codec/h1"
	"holdfast/engine/epoll"
	"holdfast/engine/record"
)

// client is what a held client costs beside its record. It has no pointers.
type client struct {
	body    h1.Body
	key     uint32 // of its worker's share of the load
	member  uint32 // which client of that share it is
	load    uint8  // index into worker.loads
	settled bool   // it has subscribed, or failed to
	held    bool   // it is one of its key's members
	keep    bool   // the server keeps the connection after this poll's answer
	renew   bool   // its connection ends as it should, and is to be made anew
	told    bool   // why its connection ends was counted already
}

// streamLimits are for responses without end: heartbeats alone may go on for days.
var streamLimits = func() h1.Limits {
	lim := h1.DefaultLimits
	lim.ChunkOverhead = math.MaxInt32
	return lim
}()

// words are what is said on every connection alike, around the key and the message.
type words struct {
	ask, asked   []byte // a subscriber's request before and after its key
	push, pushed []byte // a publisher's request before its key, and from there to the message
	padding      []byte // of a message, behind its stamp
}

func newWords(cfg *Config) words {
	request := func(method, path, lines string, to netip.AddrPort, further []string) (before, after []byte) {
		head, tail, _ := bytes.Cut([]byte(method+" "+path), []byte(keyPlace))
		tail = append(tail, " HTTP/1.1\r\nHost: "+to.String()+"\r\n"+lines...)
		for _, line := range further {
			tail = append(tail, line+"\r\n"...)
		}
		return head, append(tail, h1.CRLF...)
	}
	accept := acceptOf(cfg)
	if accept != "" {
		accept = "Accept: " + accept + h1.CRLF
	}
	w := words{padding: padding(cfg.Size)}
	w.ask, w.asked = request("GET", cfg.SubscribePath, accept, cfg.Subscribe, cfg.SubscribeFields)
	if cfg.Form == WebSocket {
		w.asked = bytes.TrimSuffix(w.asked, []byte(h1.CRLF)) // more lines follow
	}
	length := "Content-Type: text/plain\r\nContent-Length: " + strconv.Itoa(cfg.Size) + "\r\n"
	w.push, w.pushed = request("POST", cfg.PublishPath, length, cfg.Publish, cfg.PublishFields)
	return w
}

// acceptOf is what the form asks for, unless a line of the configuration does.
func acceptOf(cfg *Config) string {
	for _, line := range cfg.SubscribeFields {
		if len(line) > 7 && field.EqualFold([]byte(line[:7]), "accept:") {
			return ""
		}
	}
	return forms[cfg.Form].accept
}

// subscribe connects client i and asks.
func (w *worker) subscribe(i uint32) {
	c := &w.clients[i]
	c.told, c.renew = false, false
	if w.cfg.Protocol == HTTP2 {
		w.enter(w.clientLink(i), i)
		return
	}
	slot, ok := w.open(w.cfg.Subscribe, int(i)*w.cfg.workers()+w.index)
	if !ok {
		w.gone(c)
		return
	}
	r := w.loop.At(slot)
	r.Extra = i + 1
	w.ask(slot, r, c)
}

// ask sends a client's request. What is written before the connection stands leaves when it does.
func (w *worker) ask(slot uint32, r *record.Record, c *client) {
	r.State = asking
	b := appendKey(append(w.request[:0], w.words.ask...), w.run, uint8(w.loads[c.load].index), w.loads[c.load].globalKey(c.key))
	b = append(b, w.words.asked...)
	if w.cfg.Form == WebSocket {
		b = append(w.appendUpgrade(b, r.Extra-1), h1.CRLF...)
	}
	w.request = b
	w.loop.Write(slot, w.request)
	if !c.settled {
		w.loop.SetDeadline(slot, w.loop.Now()+int64(w.cfg.ConnectWait))
	}
	if w.cfg.Form == Poll {
		w.loop.WantDrained(slot)
	}
}

// asked: a poll's request has left. There is no answer before a message comes, so this is all that can be known.
func (w *worker) asked(slot, i uint32) {
	w.loop.SetDeadline(slot, 0)
	w.hold(i)
}

// hold counts a client in.
func (w *worker) hold(i uint32) {
	c := &w.clients[i]
	if !c.held {
		c.held = true
		w.loads[c.load].members[c.key]++
	}
	if c.settled {
		return
	}
	c.settled = true
	w.subscribed = w.kernel.Now()
	w.connects.Record(w.planned(int(i)), w.subscribed)
	w.settled++
	w.counts.Subscribed.Add(1)
}

// open begins a connection from the source address whose turn it is.
func (w *worker) open(to netip.AddrPort, turn int) (slot uint32, ok bool) {
	var from netip.Addr
	if n := len(w.cfg.Sources); n > 0 {
		from = w.cfg.Sources[turn%n]
	}
	fd, err := epoll.Connect(from, to)
	if err != nil {
		w.trouble("connect: " + err.Error())
		return 0, false
	}
	slot, ok = w.loop.Adopt(fd, record.Client)
	if !ok {
		w.trouble("no record for a connection")
	}
	return slot, ok
}

// input reads a client's answer: its head, and then what it is sent, once for a stream and again and again for polls.
func (w *worker) input(slot uint32, r *record.Record, b []byte) (used int) {
	c := &w.clients[r.Extra-1]
	for {
		if r.State == asking {
			n, done, err := w.head(b[used:])
			switch {
			case err != nil:
				w.cutOff(slot, c, protocolTrouble(err))
				return len(b)
			case !done:
				return used
			}
			used += n
			if status := w.response.Status; status < 200 && status != 101 {
				continue
			}
			if !w.opened(slot, r, c) {
				return len(b)
			}
		}
		if w.cfg.Form == WebSocket {
			return used + w.frames(slot, r, c, b[used:])
		}
		n, ended := w.body(slot, r.Extra-1, c, b[used:])
		used += n
		switch {
		case r.Closing:
			return len(b)
		case !ended:
			return used
		}
		if !w.polled(slot, r, c) {
			return len(b)
		}
	}
}

// head parses a response head from its start. Heads come in one piece as good as always, so no progress is kept.
func (w *worker) head(b []byte) (n int, done bool, err error) {
	w.response.Reset(h1.AskedOther)
	return w.response.Parse(b, &h1.DefaultLimits)
}

// opened judges the head of a client's answer.
func (w *worker) opened(slot uint32, r *record.Record, c *client) bool {
	if err := w.accepted(r.Extra-1, w.response.Status, w.response.Fields); err != nil {
		w.cutOff(slot, c, protocolTrouble(err))
		return false
	}
	r.State = streaming
	c.body, c.keep = w.response.Body(), w.response.KeepAlive
	w.loop.SetDeadline(slot, 0)
	w.hold(r.Extra - 1)
	return true
}

// accepted says why the head of an answer is none to a subscriber.
func (w *worker) accepted(i uint32, status int, fields []field.Field) error {
	switch {
	case w.cfg.Form == WebSocket:
		return w.upgraded(i)
	case status != 200 && (w.cfg.Form != Poll || status != 204):
		return errStatus(status)
	}
	return w.reader.begin(i, fields)
}

// errStatus is a status that a subscriber cannot use.
type errStatus int

func (s errStatus) Error() string { return "status " + strconv.Itoa(int(s)) + " for a subscriber" }

// body reads as much of an answer's body as there is.
func (w *worker) body(slot, i uint32, c *client, b []byte) (used int, ended bool) {
	for {
		ev, data, n, err := c.body.Next(b[used:], &streamLimits)
		used += n
		if err == nil && ev == h1.Data {
			err = w.reader.data(i, data)
		}
		switch {
		case err != nil:
			w.cutOff(slot, c, protocolTrouble(err))
			return used, false
		case ev == h1.End:
			return used, true
		case ev == h1.NeedMore:
			return used, false
		}
	}
}

// polled goes on after the end of an answer: a poll is asked again, a stream should not have ended.
func (w *worker) polled(slot uint32, r *record.Record, c *client) bool {
	if w.cfg.Form != Poll {
		w.cutOff(slot, c, "a stream was ended by the server")
		return false
	}
	w.reader.end(r.Extra - 1)
	if !c.keep {
		c.renew = true
		w.loop.Close(slot, record.ReasonDone)
		return false
	}
	w.ask(slot, r, c)
	return true
}

// ended: the server has closed its side. For an answer without a length that is its proper end.
func (w *worker) ended(slot uint32, r *record.Record) {
	switch {
	case r.Extra == 0:
	case r.State == publishing:
		if p := &w.publishers[r.Extra-1]; p.busy && p.inBody && p.body.EOF() == nil {
			w.judge(p)
			w.loop.Close(slot, record.ReasonDone)
		}
	case r.State == streaming:
		if c := &w.clients[r.Extra-1]; w.cfg.Form == Poll && c.body.EOF() == nil {
			c.keep = false
			w.polled(slot, r, c)
		}
	}
	w.loop.Close(slot, record.ReasonGone)
}

// cutOff closes a client's connection for a reason that is worth its own line in the report.
func (w *worker) cutOff(slot uint32, c *client, kind string) {
	if !c.told {
		c.told = true
		w.trouble(kind)
	}
	w.loop.Close(slot, record.ReasonProtocol)
}

func protocolTrouble(err error) string {
	var status errStatus
	if errors.As(err, &status) {
		return status.Error()
	}
	var bad *h1.Error
	if errors.As(err, &bad) {
		return "protocol: " + bad.Reason
	}
	return "protocol: " + err.Error()
}

// letGo counts a client out of its key's members.
func (w *worker) letGo(c *client) {
	if c.held {
		c.held = false
		w.loads[c.load].members[c.key]--
	}
}

// left is what follows when a client's connection, or its stream, has ended.
func (w *worker) left(i uint32, why record.Reason) {
	c := &w.clients[i]
	w.reader.drop(i)
	w.letGo(c)
	if c.renew {
		w.again = append(w.again, i)
		w.loop.Wake()
		return
	}
	if !c.told {
		state := "while it was held"
		if !c.settled {
			state = "before it was subscribed"
		}
		w.trouble("a client was " + closings[why] + " " + state)
	}
	w.gone(c)
}

// closings say what a reason means seen from here: the loop's words are a server's.
var closings = [record.Reasons]string{
	record.ReasonDone: "closed", record.ReasonGone: "closed by the server", record.ReasonReset: "reset",
	record.ReasonTimeout: "left without answer", record.ReasonSlow: "not read from", record.ReasonProtocol: "cut off",
	record.ReasonShutdown: "closed at the end", record.ReasonInternal: "lost to a system error",
}

// gone counts a client out that will not come back.
func (w *worker) gone(c *client) {
	if c.settled {
		w.counts.Lost.Add(1)
		return
	}
	c.settled = true
	w.settled++
	w.counts.Failed.Add(1)
}

// reconnect makes the connections anew that ended as they should.
func (w *worker) reconnect() {
	if w.phase == over {
		return
	}
	w.relink()
	again := w.again
	w.again = nil
	for _, i := range again {
		w.subscribe(i)
	}
}

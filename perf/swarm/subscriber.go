package swarm

import (
	"bytes"
	"errors"
	"net/netip"
	"strconv"

	"holdfast/codec/h1"
	"holdfast/engine/epoll"
	"holdfast/engine/record"
)

// What record.State says of a connection.
const (
	asking         uint8 = iota // a client without its response head yet
	subscribed                  // a client that is held
	publisherState              // a publisher
)

// client is what a held client costs beside its record. It has no pointers.
type client struct {
	body   h1.Body
	number uint32
	held   bool
}

// lineBytes bounds a line of the event stream that is cut between two reads: a server that never ends one is cut off.
const lineBytes = 1 << 20

// streamLimits are for responses without end: chunks of heartbeats alone may go on for days.
var streamLimits = func() h1.Limits {
	lim := h1.DefaultLimits
	lim.ChunkOverhead = 1 << 30
	return lim
}()

// subscribe begins to connect client i of this worker.
func (w *worker) subscribe(i int) {
	c := &w.clients[i]
	c.number = uint32(i*w.cfg.Loops + w.index)
	slot, ok := w.open(w.cfg.Subscribe, int(c.number))
	if !ok {
		w.settled++
		w.counts.Failed.Add(1)
		return
	}
	r := w.loop.At(slot)
	r.State, r.Extra = asking, uint32(i+1)
	w.loop.SetDeadline(slot, w.loop.Now()+int64(w.cfg.ConnectWait))
	b := append(w.request[:0], "GET "+w.cfg.SubscribePath...)
	b = w.appendKey(b, c.number)
	b = append(b, " HTTP/1.1\r\nHost: "+w.cfg.Subscribe.String()+"\r\nAccept: text/event-stream\r\n\r\n"...)
	w.request = b
	w.loop.Write(slot, b)
}

// open begins a connection from the source address whose turn it is.
func (w *worker) open(to netip.AddrPort, turn int) (slot uint32, ok bool) {
	var from netip.Addr
	if n := len(w.cfg.Sources); n > 0 {
		from = w.cfg.Sources[turn%n]
	}
	fd, err := epoll.Connect(from, to)
	if err != nil {
		w.note("connect to %v: %v", to, err)
		return 0, false
	}
	slot, ok = w.loop.Adopt(fd, record.Client)
	if !ok {
		w.note("no record for a connection to %v", to)
	}
	return slot, ok
}

func (w *worker) appendKey(b []byte, number uint32) []byte {
	return strconv.AppendUint(append(b, w.cfg.KeyPrefix...), uint64(number), 10)
}

// message reads a client's response head, and then what it is sent.
func (w *worker) message(slot uint32, r *record.Record, b []byte) int {
	used := 0
	c := &w.clients[r.Extra-1]
	if r.State == asking {
		n, done, err := w.head(b)
		switch {
		case err != nil:
			w.broken(slot, err)
			return len(b)
		case !done:
			return 0
		case w.response.Status != 200:
			w.note("a client was answered %d", w.response.Status)
			w.loop.Close(slot, record.ReasonProtocol)
			return len(b)
		}
		used = n
		c.body, c.held = w.response.Body(), true
		r.State = subscribed
		w.loop.SetDeadline(slot, 0)
		w.settled++
		w.counts.Subscribed.Add(1)
		w.connects.Record(w.connect.At(int64(r.Extra-1))-w.connect.At(0), w.kernel.Now()-w.connect.At(0))
	}
	for {
		ev, data, n, err := c.body.Next(b[used:], &streamLimits)
		used += n
		switch {
		case err != nil:
			w.broken(slot, err)
			return len(b)
		case ev == h1.End:
			w.loop.Close(slot, record.ReasonGone)
			return len(b)
		case ev == h1.NeedMore:
			return used
		case ev == h1.Data:
			w.lines(slot, c, data)
		}
	}
}

// head parses a response head from its start. Heads come in one piece as good as always, so no progress is kept.
func (w *worker) head(b []byte) (n int, done bool, err error) {
	w.response.Reset(h1.AskedOther)
	return w.response.Parse(b, &h1.DefaultLimits)
}

// broken ends a connection whose server broke the protocol.
func (w *worker) broken(slot uint32, err error) {
	var bad *h1.Error
	if errors.As(err, &bad) {
		w.note("the server broke the protocol: %s", bad.Reason)
	}
	w.loop.Close(slot, record.ReasonProtocol)
}

// lines looks at whole lines of the event stream and keeps what is cut off.
func (w *worker) lines(slot uint32, c *client, data []byte) {
	searched := 0 // no line ends in what was kept
	if rest, ok := w.partial[slot]; ok {
		searched = len(rest)
		data = append(rest, data...)
		delete(w.partial, slot)
	}
	ours := searched > 0 // data is no view of the loop's input
	for {
		i := bytes.IndexByte(data[searched:], '\n')
		if i < 0 {
			break
		}
		i += searched
		if number, ok := stamped(data[:i]); ok {
			w.receive(c, number)
		}
		data, searched, ours = data[i+1:], 0, false
	}
	switch {
	case len(data) > lineBytes:
		w.note("a client was sent a line without end")
		w.loop.Close(slot, record.ReasonProtocol)
	case ours:
		w.partial[slot] = data
	case len(data) > 0:
		w.partial[slot] = bytes.Clone(data)
	}
}

// receive counts one message that reached a client.
func (w *worker) receive(c *client, number uint64) {
	if number%uint64(w.cfg.Loops) != uint64(w.index) || number/uint64(w.cfg.Loops) >= uint64(w.next) {
		w.counts.Duplicates.Add(1) // another worker's, another run's
		return
	}
	i := int(number / uint64(w.cfg.Loops))
	if w.fates[i] == received || w.target(i) != c.number {
		w.counts.Duplicates.Add(1)
		return
	}
	w.fated(i, received)
	w.counts.Received.Add(1)
	w.deliveries.Record(w.intended(i), w.kernel.Now())
}

// subscribed lists the clients that can be pushed to.
func (w *worker) subscribed() (numbers []uint32) {
	for i := range w.clients {
		if w.clients[i].held {
			numbers = append(numbers, w.clients[i].number)
		}
	}
	return numbers
}

func (w *worker) clientClosed(slot uint32, r *record.Record, why record.Reason) {
	delete(w.partial, slot)
	w.clients[r.Extra-1].held = false
	if r.State == asking {
		w.settled++
		w.counts.Failed.Add(1)
		w.note("a client got no answer: %v", why)
		return
	}
	w.counts.Lost.Add(1)
	w.note("a client was lost: %v", why)
}

package swarm

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"holdfast/codec/h1"
	"holdfast/engine/record"
)

// publisher is one connection that pushes, one push at a time.
type publisher struct {
	load   uint8 // index into worker.loads
	open   bool  // connected, or connecting
	busy   bool  // waits for the verdict on a push
	inBody bool  // the verdict's head was read
	keep   bool  // the server keeps the connection after this verdict

	slot uint32 // of its connection

	key      uint32 // of the push: of its worker's share of the load
	number   int64
	intended int64
	status   int
	body     h1.Body
	text     []byte // the verdict's body so far

	stamp []byte // of the push, where it may have to leave in pieces
	sent  int    // bytes of its message that have left
}

const (
	reopenAfter  = 100 * time.Millisecond // a server that cuts publishers off is not hammered
	verdictBytes = 4 << 10                // what is read of a verdict; counts come first
)

// pushDue sends what is due in one load, while there are publishers free to send it, and says when to come again.
func (w *worker) pushDue(t *traffic, now int64) time.Duration {
	if t.pubs == 0 {
		return w.cfg.Duration
	}
	w.reopen(t, now)
	due := t.due(now)
	for range perTick {
		if t.next >= due {
			return max(0, time.Duration(t.intended(t.next)-now))
		}
		if len(t.idle) == 0 {
			return lookAgain // whoever answers wakes the loop before that
		}
		w.publish(t)
	}
	return 0
}

// reopen connects publishers that are missing.
func (w *worker) reopen(t *traffic, now int64) {
	if t.closed == 0 || now < t.reopenAt {
		return
	}
	for i := t.first; i < t.first+t.pubs; i++ {
		p := &w.publishers[i]
		if p.open {
			continue
		}
		if !w.connectPublisher(i, p) {
			t.reopenAt = now + int64(reopenAfter)
			return
		}
		p.open, p.busy, p.inBody = true, false, false
		t.closed--
		t.idle = append(t.idle, uint32(i)) // what is written before it is connected leaves when it is
	}
}

func (w *worker) connectPublisher(i int, p *publisher) (ok bool) {
	if w.cfg.Protocol == HTTP2 {
		l := w.publisherLink(uint32(i))
		return l.state != linkClosed || w.connectLink(l)
	}
	if p.slot, ok = w.open(w.cfg.Publish, i); ok {
		r := w.loop.At(p.slot)
		r.State, r.Extra = publishing, uint32(i+1)
	}
	return ok
}

// publish sends the next push of a load over a free publisher.
func (w *worker) publish(t *traffic) {
	i := t.idle[len(t.idle)-1]
	t.idle = t.idle[:len(t.idle)-1]
	p := &w.publishers[i]
	p.number, p.key = t.next, t.target(t.next)
	t.next++
	if p.intended = w.kernel.Now(); !t.flat() {
		p.intended = t.intended(p.number)
	}
	p.busy, p.inBody = true, false

	pub := int(i) - t.first
	seq := &t.seqs[pub*len(t.members)+int(p.key)]
	*seq++
	s := stamp{
		run: w.run, load: uint8(t.index), publisher: uint16(pub), key: t.globalKey(p.key), seq: *seq,
		number: p.number, intended: p.intended,
	}
	now := w.kernel.Now()
	t.ledger.send(p.number, p.intended, now)
	t.lateness.Record(p.intended, now)
	w.counts.Sent.Add(1)
	if w.cfg.Protocol == HTTP2 {
		p.stamp, p.sent = s.appendTo(p.stamp[:0]), 0
		w.enter(w.publisherLink(i), i)
	} else {
		b := appendKey(append(w.request[:0], w.words.push...), w.run, s.load, s.key)
		b = append(b, w.words.pushed...)
		b = append(s.appendTo(b), w.words.padding...)
		w.request = b
		w.loop.Write(p.slot, b)
	}
}

// verdict reads the answer to a push.
func (w *worker) verdict(slot, i uint32, b []byte) (used int) {
	p := &w.publishers[i]
	if !p.busy {
		return w.nonsense(slot, len(b), errors.New("an answer that nobody asked for"))
	}
	for !p.inBody {
		n, done, err := w.head(b[used:])
		if err != nil {
			return w.nonsense(slot, len(b), err)
		}
		if !done {
			return used
		}
		used += n
		if w.response.Status >= 200 {
			p.status, p.keep, p.body, p.inBody = w.response.Status, w.response.KeepAlive, w.response.Body(), true
			p.text = p.text[:0]
		}
	}
	for {
		ev, data, n, err := p.body.Next(b[used:], &streamLimits)
		used += n
		switch {
		case err != nil:
			return w.nonsense(slot, len(b), err)
		case ev == h1.NeedMore:
			return used
		case ev == h1.Data:
			p.hear(data)
		case ev == h1.End:
			w.judge(p)
			if !p.keep {
				w.loop.Close(slot, record.ReasonDone)
				return len(b)
			}
			t := w.loads[p.load]
			t.idle = append(t.idle, i)
			return used
		}
	}
}

// hear keeps the beginning of a verdict.
func (p *publisher) hear(data []byte) {
	p.text = append(p.text, data[:min(len(data), verdictBytes-len(p.text))]...)
}

func (w *worker) nonsense(slot uint32, all int, err error) int {
	w.trouble(protocolTrouble(err) + ", to a publisher")
	w.loop.Close(slot, record.ReasonProtocol)
	return all
}

// judge books what the server said to a push.
func (w *worker) judge(p *publisher) {
	t := w.loads[p.load]
	p.busy = false
	t.status[p.status]++
	t.answers.Record(p.intended, w.kernel.Now())
	w.counts.Answered.Add(1)
	members := t.members[p.key]
	if w.cfg.Form == Poll {
		members = 0 // between two polls nobody is there, and that is no fault
	}
	promised, told := promisedBy(p.text)
	switch {
	case p.status >= 300:
		promised = 0
		w.counts.Refused.Add(1)
	case !told:
		promised = members // it was taken, and says no more than that
	}
	t.ledger.answer(p.number, promised, members)
}

// promises are the ways in which servers say how many clients a message goes to: our own verdict, and what a channel
// of nchan tells in JSON and in text.
var promises = [][][]byte{
	{[]byte(`"delivered":`), []byte(`"pending":`)},
	{[]byte(`"subscribers":`)},
	{[]byte(`active subscribers:`)},
}

// promisedBy reads from a verdict how many clients the message is said to reach.
func promisedBy(text []byte) (n uint32, ok bool) {
	for _, names := range promises {
		for _, name := range names {
			_, rest, found := bytes.Cut(text, name)
			if !found {
				continue
			}
			ok = true
			n += leadingNumber(bytes.TrimLeft(rest, " "))
		}
		if ok {
			return n, true
		}
	}
	return 0, false
}

func leadingNumber(b []byte) (n uint32) {
	for _, c := range b {
		if c < '0' || c > '9' || n > 1<<28 {
			return n
		}
		n = n*10 + uint32(c-'0')
	}
	return n
}

// publisherClosed is what follows when a publisher's connection has ended.
func (w *worker) publisherClosed(i uint32, why record.Reason) {
	p := &w.publishers[i]
	t := w.loads[p.load]
	p.open = false
	t.closed++
	if at := slices.Index(t.idle, i); at >= 0 {
		t.idle = slices.Delete(t.idle, at, at+1)
	}
	if why == record.ReasonDone {
		w.loop.Wake() // to connect anew at once
		return
	}
	now := w.kernel.Now()
	t.reopenAt = now + int64(reopenAfter)
	if why != record.ReasonProtocol { // that was told already
		w.trouble("a publisher was " + closings[why])
	}
	if p.busy {
		p.busy = false
		t.ledger.lapse(p.number, now)
	}
}

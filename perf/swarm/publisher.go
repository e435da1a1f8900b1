package swarm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"

	"holdfast/codec/h1"
	"holdfast/engine/record"
)

// publisher is one connection that pushes, one push at a time.
type publisher struct {
	open   bool // connected, or connecting
	busy   bool // waits for the answer to push
	inBody bool // the answer's head was read
	keep   bool // the server keeps the connection after this answer
	push   int
	status int // of the latest answer, 0 before the first
	body   h1.Body
}

// A message is its stamp and padding: the stamp says which push it is, so that its intended time is known.
const (
	stampMark  = "hf:"
	stampBytes = len(stampMark) + 16
	dataField  = "data: "
)

// padding is what follows the stamp in a message of that size.
func padding(size int) []byte { return bytes.Repeat([]byte{'.'}, size-stampBytes) }

func appendStamp(b []byte, number uint64) []byte {
	var raw [8]byte
	for i := range raw {
		raw[i] = byte(number >> (56 - 8*i))
	}
	return hex.AppendEncode(append(b, stampMark...), raw[:])
}

// stamped reads the stamp of a message from its line in an event stream.
func stamped(line []byte) (number uint64, ok bool) {
	const begin = dataField + stampMark
	if len(line) < len(begin)+16 || string(line[:len(begin)]) != begin {
		return 0, false
	}
	var raw [8]byte
	if _, err := hex.Decode(raw[:], line[len(begin):len(begin)+16]); err != nil {
		return 0, false
	}
	for _, b := range raw {
		number = number<<8 | uint64(b)
	}
	return number, true
}

// reopen connects publishers that are missing: those that have served at once, others with a pause, so that a dead
// server is not hammered.
func (w *worker) reopen(now int64) {
	if w.opened == len(w.publishers) || now < w.reopenAt {
		return
	}
	w.reopenAt = now + int64(reopenEvery)
	for i := range w.publishers {
		p := &w.publishers[i]
		if p.open {
			continue
		}
		slot, ok := w.open(w.cfg.Publish, i)
		if !ok {
			return
		}
		r := w.loop.At(slot)
		r.State, r.Extra = publisherState, uint32(i+1)
		*p = publisher{open: true}
		w.opened++
		w.idle = append(w.idle, slot) // what is written before it is connected leaves when it is
	}
}

// target is the number of the client that push i goes to: any of them, by a fixed scatter (splitmix64).
func (w *worker) target(i int) uint32 {
	z := (uint64(i) + 1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return w.targets[(z^z>>31)%uint64(len(w.targets))]
}

// free takes an idle publisher that is not about to close, 0 if there is none.
func (w *worker) free() uint32 {
	for len(w.idle) > 0 {
		slot := w.idle[len(w.idle)-1]
		w.idle = w.idle[:len(w.idle)-1]
		if !w.loop.At(slot).Closing {
			return slot
		}
	}
	return 0
}

// publish sends push i over a free publisher.
func (w *worker) publish(slot uint32, i int) {
	p := &w.publishers[w.loop.At(slot).Extra-1]
	p.push, p.inBody, p.busy = i, false, true
	w.unjudged++

	b := append(w.request[:0], "POST "+w.cfg.PublishPath...)
	b = w.appendKey(b, w.target(i))
	b = append(b, " HTTP/1.1\r\nHost: "+w.cfg.Publish.String()+"\r\nContent-Type: text/plain\r\nContent-Length: "...)
	b = append(strconv.AppendInt(b, int64(w.cfg.Size), 10), "\r\n\r\n"...)
	b = appendStamp(b, uint64(i)*uint64(w.cfg.Loops)+uint64(w.index))
	b = append(b, w.padding...)
	w.request = b
	w.loop.Write(slot, b)
	w.fated(i, sent)
	w.counts.Sent.Add(1)
	w.late.Record(w.intended(i), w.kernel.Now())
}

// verdict reads the answer to a push.
func (w *worker) verdict(slot uint32, r *record.Record, b []byte) int {
	used := 0
	p := &w.publishers[r.Extra-1]
	if !p.busy {
		w.broken(slot, errors.New("an answer that nobody asked for"))
		return len(b)
	}
	for !p.inBody {
		n, done, err := w.head(b[used:])
		if err != nil {
			w.broken(slot, err)
			return len(b)
		}
		if !done {
			return used
		}
		used += n
		if w.response.Status >= 200 {
			p.status, p.keep, p.body, p.inBody = w.response.Status, w.response.KeepAlive, w.response.Body(), true
		}
	}
	for {
		ev, _, n, err := p.body.Next(b[used:], &streamLimits)
		used += n
		switch {
		case err != nil:
			w.broken(slot, err)
			return len(b)
		case ev == h1.NeedMore:
			return used
		case ev == h1.End:
			w.judge(p)
			if !p.keep {
				w.loop.Close(slot, record.ReasonGone)
				return len(b)
			}
			w.idle = append(w.idle, slot)
			return used
		}
	}
}

// verdictEnds takes the end of a connection for the end of an answer that is framed so.
func (w *worker) verdictEnds(r *record.Record) {
	if r.State != publisherState {
		return
	}
	if p := &w.publishers[r.Extra-1]; p.busy && p.inBody && p.body.EOF() == nil {
		w.judge(p)
	}
}

// judge notes what the server said to a push.
func (w *worker) judge(p *publisher) {
	p.busy = false
	w.unjudged--
	w.status[p.status]++
	w.answers.Record(w.intended(p.push), w.kernel.Now())
	become := accepted
	if p.status < 300 {
		w.counts.Accepted.Add(1)
	} else {
		w.counts.Refused.Add(1)
		become = refused
	}
	if w.fates[p.push] == sent { // the message may have been faster
		w.fated(p.push, become)
	}
}

func (w *worker) publisherClosed(slot uint32, r *record.Record, why record.Reason) {
	p := &w.publishers[r.Extra-1]
	p.open = false
	w.opened--
	if p.busy {
		p.busy = false
		w.unjudged--
		w.counts.Unanswered.Add(1)
		w.answers.Abandon(w.intended(p.push), w.kernel.Now())
		w.note("a push got no answer: %v", why)
	} else if p.status > 0 {
		w.reopenAt = 0 // it has answered and ended in good order: no reason to be slow
	}
	if i := slices.Index(w.idle, slot); i >= 0 {
		w.idle = slices.Delete(w.idle, i, i+1)
	}
}

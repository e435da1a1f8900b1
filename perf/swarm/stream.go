package swarm

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"holdfast/codec/h2"
	"holdfast/engine/record"
)

// block is what every request of one kind says, around its key.
type block struct {
	method, authority []byte
	path, behind      []byte // before and after the key
	fields            []byte // encoded
}

func newBlock(cfg *Config, push bool) (k block) {
	add := func(name, value string) { k.fields = h2.AppendField(k.fields, strings.ToLower(name), value) }
	path, to, lines := cfg.SubscribePath, cfg.Subscribe, cfg.SubscribeFields
	k.method = []byte("GET")
	if push {
		path, to, lines = cfg.PublishPath, cfg.Publish, cfg.PublishFields
		k.method = []byte("POST")
		add("content-type", "text/plain")
		add("content-length", strconv.Itoa(cfg.Size))
	} else if accept := acceptOf(cfg); accept != "" {
		add("accept", accept)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		add(name, strings.TrimSpace(value))
	}
	k.authority = authority(to)
	k.path, k.behind, _ = bytes.Cut([]byte(path), []byte(keyPlace))
	return k
}

// appendRequest appends the HEADERS of the next stream.
func (w *worker) appendRequest(b []byte, l *link, k *block, load uint8, key uint32) []byte {
	at := len(b)
	b = h2.OpenHeaders(b, l.next, !l.pushes)
	if l.next == 1 {
		b = h2.AppendTableZero(b)
	}
	path := append(appendKey(append(w.http2.path[:0], k.path...), w.run, load, key), k.behind...)
	w.http2.path = path
	b = h2.AppendRequest(b, k.method, []byte("http"), k.authority, path)
	return h2.CloseHeaders(append(b, k.fields...), at, l.peer.Frame)
}

// find is an open stream; nil if it is not open any more, and what still comes for it concerns nobody.
func (l *link) find(id uint32) *stream {
	at, ok := slices.BinarySearchFunc(l.open, id, func(s stream, id uint32) int { return cmp.Compare(s.id, id) })
	if !ok {
		return nil
	}
	return &l.open[at]
}

func (l *link) remove(id uint32) {
	l.open = slices.DeleteFunc(l.open, func(s stream) bool { return s.id == id })
}

// openStreams gives streams to those who wait, as many as the server takes.
func (w *worker) openStreams(l *link) {
	waiting := l.waiting
	l.waiting = nil
	for n, who := range waiting {
		if full := l.next > h2.MaxWindow; full || l.pushes && uint32(len(l.open)) >= l.peer.Streams {
			l.waiting = append(l.waiting, waiting[n:]...)
			if full { // its ids are used up, RFC 9113 §5.1.1
				w.replace(l)
				w.leave(l)
			}
			return
		}
		if uint32(len(l.open)) >= l.peer.Streams {
			c := &w.clients[who]
			c.told = true
			w.trouble("the server takes " + strconv.FormatUint(uint64(l.peer.Streams), 10) + " streams on a connection and no more")
			w.left(who, record.ReasonProtocol)
			continue
		}
		w.openStream(l, who)
	}
	l.waiting = waiting[:0]
}

func (w *worker) openStream(l *link, who uint32) {
	l.open = append(l.open, stream{id: l.next, who: who, window: int32(l.peer.Window)})
	b := w.loop.Compose()
	if l.pushes {
		p := &w.publishers[who]
		t := w.loads[p.load]
		w.loop.Write(l.slot, w.appendRequest(b, l, &w.http2.push, uint8(t.index), t.globalKey(p.key)))
		l.next += 2
		w.goOnWith(l, &l.open[len(l.open)-1])
		return
	}
	c := &w.clients[who]
	t := w.loads[c.load]
	w.loop.Write(l.slot, w.appendRequest(b, l, &w.http2.ask, uint8(t.index), t.globalKey(c.key)))
	l.next += 2
	switch {
	case w.cfg.Form == Poll:
		w.loop.WantDrained(l.slot)
	case !c.settled:
		l.asked++
		w.loop.SetDeadline(l.slot, w.loop.Now()+int64(w.cfg.ConnectWait))
	}
}

// polling counts polls in whose requests have left, see asked.
func (w *worker) polling(l *link) {
	if w.cfg.Form != Poll || l.pushes {
		return
	}
	for i := range l.open {
		w.hold(l.open[i].who)
	}
}

// unanswered gives up on clients that have waited too long.
func (w *worker) unanswered(l *link) {
	var late []uint32
	for i := range l.open {
		if s := &l.open[i]; !s.answered && !l.pushes && !w.clients[s.who].settled {
			late = append(late, s.id)
		}
	}
	for _, id := range late {
		w.cancel(l, l.find(id), "")
	}
}

// headers collects a header block and takes it when it is whole.
func (w *worker) headers(l *link, f *h2.Frame) error {
	piece, err := h2.HeaderBlock(*f)
	if err != nil {
		return err
	}
	if f.Type == h2.TypeHeaders {
		l.blockEnds = f.Flags.Has(h2.EndStream)
	}
	if !f.Flags.Has(h2.EndHeaders) {
		l.block = append(l.block, piece...)
		return nil
	}
	if len(l.block) > 0 {
		piece = append(l.block, piece...)
		l.block = nil
	}
	if err := w.http2.decoder.Decode(piece, &w.http2.fields, &linkLimits); err != nil {
		return err
	}
	s := l.find(f.Stream)
	if s == nil {
		return nil
	}
	if !s.answered {
		w.answer(l, s, l.blockEnds)
		return nil
	}
	if !l.blockEnds {
		w.cancel(l, s, "protocol: trailers before the end") // RFC 9113 §8.1
		return nil
	}
	w.streamEnded(l, s)
	return nil
}

// answer takes the head of an answer.
func (w *worker) answer(l *link, s *stream, end bool) {
	head := &w.http2.response
	if err := head.Read(&w.http2.fields); err != nil {
		w.cancel(l, s, protocolTrouble(err))
		return
	}
	if head.Status < 200 {
		if end {
			w.cancel(l, s, "protocol: the end of a stream before its answer")
		}
		return
	}
	if l.pushes {
		p := &w.publishers[s.who]
		p.status, p.inBody, p.text = head.Status, true, p.text[:0]
		s.answered = true
	} else {
		w.heard(l, s)
		if err := w.accepted(s.who, head.Status, head.Fields); err != nil {
			w.cancel(l, s, protocolTrouble(err))
			return
		}
		w.hold(s.who)
	}
	if end {
		w.streamEnded(l, s)
	}
}

// heard counts a client out of those whose answer is awaited.
func (w *worker) heard(l *link, s *stream) {
	if !l.pushes && !s.answered && !w.clients[s.who].settled && w.cfg.Form != Poll {
		if l.asked--; l.asked == 0 {
			w.loop.SetDeadline(l.slot, 0)
		}
	}
	s.answered = true
}

// data takes the beginning of a DATA frame, or a piece of what it carries.
func (w *worker) data(l *link, f *h2.Frame) {
	s := l.find(f.Stream)
	ends := f.Last && f.Flags.Has(h2.EndStream)
	if f.Event == h2.Data {
		l.owed += f.Length
		if s != nil {
			s.owed += f.Length
		}
	}
	switch {
	case s == nil:
		return
	case !s.answered:
		w.cancel(l, s, "protocol: data before an answer")
		return
	case l.pushes:
		w.publishers[s.who].hear(f.Payload)
	case len(f.Payload) > 0:
		if err := w.reader.data(s.who, f.Payload); err != nil {
			w.cancel(l, s, protocolTrouble(err))
			return
		}
	}
	if ends {
		w.streamEnded(l, s)
		return
	}
	if s.owed >= streamWindow/2 {
		w.loop.Write(l.slot, h2.AppendWindow(w.loop.Compose(), s.id, s.owed))
		s.owed = 0
	}
}

// streamEnded goes on after the end of an answer: a push was judged, a poll is asked again, a stream should not have ended.
func (w *worker) streamEnded(l *link, s *stream) {
	who := s.who
	switch {
	case l.pushes:
		w.pushed(l, s)
	case w.cfg.Form == Poll:
		l.remove(s.id)
		w.reader.end(who)
		w.enter(w.clientLink(who), who)
	default:
		w.lost(l, s, "a stream was ended by the server")
		return
	}
	w.vacated(l)
}

// vacated lets others have the place of a stream that has ended.
func (w *worker) vacated(l *link) {
	if l.state == linkReady && len(l.waiting) > 0 {
		w.openStreams(l)
	}
	w.leave(l)
}

// cancel ends a stream from our side, for a reason that is worth its own line in the report, if it is given.
func (w *worker) cancel(l *link, s *stream, kind string) {
	w.loop.Write(l.slot, h2.AppendReset(w.loop.Compose(), s.id, h2.Cancel))
	w.lost(l, s, kind)
}

// lost counts out who was on a stream that has ended otherwise than it should.
func (w *worker) lost(l *link, s *stream, kind string) {
	who, why := s.who, record.ReasonProtocol
	if !s.answered && !l.pushes && !w.clients[who].settled {
		why = record.ReasonTimeout
	}
	w.heard(l, s)
	l.remove(s.id)
	if kind != "" {
		w.trouble(kind + l.whose())
	}
	if l.pushes {
		w.unheard(who)
	} else {
		w.clients[who].told = kind != ""
		w.left(who, why)
	}
	w.vacated(l)
}

func (l *link) whose() string {
	if l.pushes {
		return ", of a publisher"
	}
	return ""
}

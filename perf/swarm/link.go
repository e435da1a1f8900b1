package swarm

import (
	"net/netip"
	"slices"

	"holdfast/codec/h2"
	"holdfast/engine/loop"
	"holdfast/engine/record"
)

// link is an HTTP/2 connection, shared by clients that follow each other or by publishers that do.
//
//	closed → opening → ready → leaving → closed
type link struct {
	index     uint32 // in worker.links
	group     uint32 // in http2.groups
	first     uint32 // index of the first client or publisher
	shared    uint32 // how many there are
	pushes    bool   // they are publishers
	state     linkState
	blocked   bool // a push waits for a window
	blockEnds bool // its stream ends with the header block that is being read
	slot      uint32
	next      uint32 // id of the next stream
	asked     int32  // clients whose answer is awaited
	owed      uint32 // bytes of data that were read and the server may not send again yet
	window    int64  // bytes of data that may be sent
	reader    h2.Reader
	peer      h2.Settings
	block     []byte   // of a header block that has not come whole
	open      []stream // by id
	waiting   []uint32 // clients or publishers that want a stream
}

// widen changes a stream's window, which may come to be below 0 but not above the greatest.
func (s *stream) widen(by int64) { s.window = int32(min(int64(s.window)+by, h2.MaxWindow)) }

type linkState uint8

const (
	linkClosed  linkState = iota
	linkOpening           // it waits for the server's SETTINGS, which say how many streams there may be
	linkReady
	linkLeaving // the server takes no more streams
)

// stream is one that is open.
type stream struct {
	id       uint32
	who      uint32 // index of the client or publisher
	owed     uint32 // as in link
	window   int32  // bytes of data that may be sent
	answered bool   // the head of the answer has come
}

// multiplex is what a worker's links share.
type multiplex struct {
	decoder    *h2.Decoder
	fields     h2.Fields
	response   h2.Response
	ask, push  block
	path       []byte
	again      []*link  // to connect
	groups     []*link  // of clients and then of publishers, each with the connection that new streams are opened on
	publishers int      // the first group of publishers
	free       []uint32 // places in worker.links of connections that were replaced and have ended
}

const (
	linkWindow   = 16 << 20 // bytes that a server may send ahead on a connection: it is the server that is measured
	streamWindow = 1 << 20  // and on a stream
	firstWindow  = 1<<16 - 1
)

// linkLimits are those of every server's frames.
var linkLimits = h2.DefaultLimits

// prepareLinks deals the clients and publishers of this worker to connections.
func (w *worker) prepareLinks() {
	w.http2 = multiplex{decoder: h2.NewDecoder(0), ask: newBlock(&w.cfg, false), push: newBlock(&w.cfg, true)}
	deal := func(n, shared int, pushes bool) {
		for first := 0; first < n; first += shared {
			at := uint32(len(w.links))
			w.links = append(w.links, &link{index: at, group: at, first: uint32(first), shared: uint32(min(shared, n-first)), pushes: pushes})
		}
	}
	deal(len(w.clients), w.cfg.Streams, false)
	w.http2.publishers = len(w.links)
	deal(len(w.publishers), w.cfg.PushStreams, true)
	w.http2.groups = slices.Clone(w.links)
}

func (w *worker) clientLink(i uint32) *link { return w.http2.groups[int(i)/w.cfg.Streams] }

func (w *worker) publisherLink(i uint32) *link {
	return w.http2.groups[w.http2.publishers+int(i)/w.cfg.PushStreams]
}

// enter gives a client or publisher the next stream, at once or as soon as there is one.
func (w *worker) enter(l *link, who uint32) {
	l.waiting = append(l.waiting, who)
	switch l.state {
	case linkReady:
		w.openStreams(l)
	case linkClosed:
		w.http2.again = append(w.http2.again, l)
		w.loop.Wake()
	case linkOpening, linkLeaving:
	}
}

// connectLink begins a connection. What it says first leaves when it stands.
func (w *worker) connectLink(l *link) bool {
	to, turn := w.cfg.Subscribe, int(l.index)*w.cfg.workers()+w.index
	if l.pushes {
		to = w.cfg.Publish
	}
	slot, ok := w.open(to, turn)
	if !ok {
		return false
	}
	r := w.loop.At(slot)
	r.State, r.Extra = linked, l.index+1
	l.state, l.slot, l.next, l.asked, l.owed, l.blocked = linkOpening, slot, 1, 0, 0, false
	l.window, l.reader, l.peer, l.block, l.open = firstWindow, h2.Reader{}, h2.DefaultSettings, nil, l.open[:0]
	b := append(w.loop.Compose(), h2.Preface...)
	b = h2.AppendSettings(b,
		h2.Setting{ID: h2.TableSize, Value: 0}, // so that one decoder serves all connections
		h2.Setting{ID: h2.EnablePush, Value: 0},
		h2.Setting{ID: h2.InitialWindow, Value: streamWindow})
	w.loop.Write(slot, h2.AppendWindow(b, 0, linkWindow-firstWindow))
	w.loop.SetDeadline(slot, w.loop.Now()+int64(w.cfg.ConnectWait))
	return true
}

// linkInput reads frames.
func (w *worker) linkInput(r *record.Record, l *link, b []byte) (used int) {
	for {
		f, n, err := l.reader.Next(b[used:], &linkLimits)
		used += n
		if err == nil {
			if f.Event == h2.More {
				break
			}
			err = w.frame(l, &f)
		}
		if err != nil {
			w.trouble(protocolTrouble(err))
			w.loop.Close(l.slot, record.ReasonProtocol)
			return len(b)
		}
		if r.Closing {
			return len(b)
		}
	}
	if l.owed >= linkWindow/2 {
		w.loop.Write(l.slot, h2.AppendWindow(w.loop.Compose(), 0, l.owed))
		l.owed = 0
	}
	return used
}

// frame takes one frame, or a piece of one. An error ends the connection.
func (w *worker) frame(l *link, f *h2.Frame) error {
	if f.Event == h2.Data || f.Event == h2.Piece {
		w.data(l, f)
		return nil
	}
	if f.Event == h2.Ignored {
		return nil
	}
	switch f.Type {
	case h2.TypeHeaders, h2.TypeContinuation:
		return w.headers(l, f)
	case h2.TypeSettings:
		if !f.Flags.Has(h2.Ack) {
			return w.settings(l, f)
		}
	case h2.TypePing:
		if !f.Flags.Has(h2.Ack) {
			w.loop.Write(l.slot, h2.AppendPingAck(w.loop.Compose(), h2.ParsePing(*f)))
		}
	case h2.TypeWindow:
		return w.widened(l, f)
	case h2.TypeReset:
		if s := l.find(f.Stream); s != nil {
			w.lost(l, s, "a stream was reset: "+h2.ParseReset(*f).String())
		}
	case h2.TypeGoaway:
		w.dismissed(l, f)
	case h2.TypeData, h2.TypePriority, h2.TypePush, h2.TypePriorityUpdate:
	}
	return nil
}

// settings takes over what the server asks for. With the first the connection is ready.
func (w *worker) settings(l *link, f *h2.Frame) error {
	before := l.peer.Window
	if err := l.peer.Read(*f); err != nil {
		return err
	}
	for i := range l.open { // RFC 9113 §6.9.2
		l.open[i].widen(int64(l.peer.Window) - int64(before))
	}
	w.loop.Write(l.slot, h2.AppendSettingsAck(w.loop.Compose()))
	if l.state == linkOpening {
		l.state = linkReady
		w.loop.SetDeadline(l.slot, 0)
	}
	if l.state == linkReady {
		w.openStreams(l)
	}
	w.goOn(l)
	return nil
}

// widened takes a WINDOW_UPDATE.
func (w *worker) widened(l *link, f *h2.Frame) error {
	n, err := h2.ParseWindow(*f)
	if err != nil {
		return err
	}
	if f.Stream == 0 {
		l.window += int64(n)
	} else if s := l.find(f.Stream); s != nil {
		s.widen(int64(n))
	}
	w.goOn(l)
	return nil
}

// dismissed takes a GOAWAY: streams behind the last are lost, the others end as they would, and new ones are opened on
// another connection.
func (w *worker) dismissed(l *link, f *h2.Frame) {
	last, code, _ := h2.ParseGoaway(*f)
	w.replace(l)
	if code != h2.NoError {
		w.trouble("goaway: " + code.String())
	}
	for n := len(l.open); n > 0 && l.open[n-1].id > last; n = len(l.open) {
		w.lost(l, &l.open[n-1], "a stream came too late for a goaway")
	}
	w.leave(l)
}

// replace leaves a connection with the streams that it has.
func (w *worker) replace(l *link) {
	if l.state != linkReady {
		return
	}
	l.state = linkLeaving
	next := &link{group: l.group, first: l.first, shared: l.shared, pushes: l.pushes}
	if n := len(w.http2.free); n > 0 {
		next.index = w.http2.free[n-1]
		w.http2.free = w.http2.free[:n-1]
		w.links[next.index] = next
	} else {
		next.index = uint32(len(w.links))
		w.links = append(w.links, next)
	}
	w.http2.groups[l.group] = next
	waiting := l.waiting
	l.waiting = nil
	for _, who := range waiting {
		w.enter(next, who)
	}
}

// leave closes a connection that the server has dismissed when its last stream has ended.
func (w *worker) leave(l *link) {
	if l.state == linkLeaving && len(l.open) == 0 {
		w.loop.Close(l.slot, record.ReasonDone)
	}
}

// linkHappened is Happened for a link.
func (w *worker) linkHappened(l *link, e loop.Event) {
	switch e {
	case loop.Ended:
		w.loop.Close(l.slot, record.ReasonGone)
	case loop.Expired:
		if l.state == linkOpening {
			w.loop.Close(l.slot, record.ReasonTimeout)
			return
		}
		w.unanswered(l)
	case loop.Drained:
		w.polling(l)
	case loop.Opened, loop.HungUp:
	}
}

// linkClosed is Closed for a link.
func (w *worker) linkClosed(l *link, why record.Reason) {
	l.state = linkClosed
	w.desert(l, why)
	if w.http2.groups[l.group] != l {
		w.links[l.index] = nil
		w.http2.free = append(w.http2.free, l.index)
	}
}

// desert counts out all who are on a connection that has ended, or that could not begin.
func (w *worker) desert(l *link, why record.Reason) {
	all := l.waiting
	for i := range l.open {
		all = append(all, l.open[i].who)
	}
	l.open, l.waiting = nil, nil
	for _, who := range all {
		if l.pushes {
			w.publisherClosed(who, why)
		} else {
			w.left(who, why)
		}
	}
	if !l.pushes || w.http2.groups[l.group] != l {
		return
	}
	for i := l.first; i < l.first+l.shared; i++ {
		if p := &w.publishers[i]; p.open && !p.busy { // one that is busy is on a connection that was replaced
			w.publisherClosed(i, why)
		}
	}
}

// relink makes the connections that somebody waits for.
func (w *worker) relink() {
	again := w.http2.again
	w.http2.again = nil
	for _, l := range again {
		if l.state == linkClosed && !w.connectLink(l) {
			w.desert(l, record.ReasonInternal)
		}
	}
}

// files is how many connections a load needs.
func (c *Config) files(l *Load) (clients, publishers int) {
	each, pushes := c.sharing()
	return dealt(l.Conns, each), dealt(l.Publishers, pushes)
}

// authority is what requests name as their host.
func authority(to netip.AddrPort) []byte { return []byte(to.String()) }

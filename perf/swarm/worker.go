package swarm

import (
	"bytes"
	"time"

	"holdfast/codec/h1"
	"holdfast/codec/ws"
	"holdfast/engine/epoll"
	"holdfast/engine/loop"
	"holdfast/engine/record"
	"holdfast/perf/hist"
)

// phase is where a worker is in its run.
//
//	ramping → waiting → pushing → draining → waiting → over
type phase uint8

const (
	ramping  phase = iota // clients are being connected
	waiting               // for the other workers, or for the end
	pushing               // the duration runs
	draining              // nothing more is sent; what is under way may still arrive
	over                  // the loop stops
)

const (
	lookAgain = 10 * time.Millisecond // how soon a worker that waits for answers looks whether it should
	perTick   = 128                   // connects, and pushes of each load, in one tick: answers are read in between
	readBytes = 64 << 10
)

// worker is one loop's share of a run, the tenant of the loop and the protocol of its connections. Everything belongs
// to the loop's goroutine, and after Run to whoever called it.
type worker struct {
	*shared
	index  int
	kernel *epoll.Kernel
	loop   *loop.Loop
	beat   *metronome
	phase  phase
	end    int64 // of the present phase, where that has one

	clients []client // by record.Extra - 1
	begun   int      // clients that were begun with
	settled int      // of these, subscribed or failed
	connect hist.Schedule
	again   []uint32 // clients to connect anew: polls whose connection ended as it should
	reader  reader

	loads      []*traffic  // those that this worker has a share of
	publishers []publisher // of all loads, by record.Extra - 1

	links   []*link // over HTTP/2, those of clients and then those of publishers, by record.Extra - 1
	http2   multiplex
	sockets []ws.Parser // of WebSockets, by client

	socketLimits ws.Limits
	secret       []byte // a WebSocket's key

	response h1.Response
	request  []byte
	words    words

	connects   *hist.Recorder
	subscribed int64 // monotonic ns, when the last client was
	troubles   map[string]int64
}

// What record.State says of a connection.
const (
	asking     uint8 = iota // a client without an answer yet
	streaming               // a client whose stream is open
	publishing              // a publisher
	linked                  // an HTTP/2 connection, of either
)

func newWorker(s *shared, index int) (*worker, error) {
	k, err := epoll.New()
	if err != nil {
		return nil, err
	}
	w := &worker{shared: s, index: index, kernel: k, troubles: make(map[string]int64), words: newWords(&s.cfg)}
	w.reader.init(&s.cfg, w.message)
	for i := range s.cfg.Loads {
		w.takeShare(i)
	}
	w.prepare()
	conns := len(w.clients) + len(w.publishers)
	w.loop = loop.New(k, loop.Config{
		ID: index, MaxSlots: conns + spareFiles, MaxConns: int64(conns + spareFiles), ReadBytes: readBytes,
		StallTimeout: s.cfg.ConnectWait + s.cfg.Duration + s.cfg.Grace, // the server's patience is what is measured
	})
	w.beat = newMetronome(k.Now, k.Wake)
	w.loop.Speak(record.Client, w)
	w.loop.Host(w)
	return w, nil
}

// prepare makes what the protocol or the form needs of its own.
func (w *worker) prepare() {
	if w.cfg.Form == WebSocket {
		w.sockets = make([]ws.Parser, len(w.clients))
		w.socketLimits = ws.Limits{Message: int64(w.reader.longest), Overhead: ws.DefaultLimits.Overhead}
	}
	if w.cfg.Protocol == HTTP2 {
		w.prepareLinks()
	}
}

// share is how many of n things fall to one of several, dealt in turn.
func share(n, among, index int) int { return (n - index + among - 1) / among }

// setOut is the last thing to happen before the loop runs.
func (w *worker) setOut(begin int64) {
	w.connect = hist.Every(begin, int64(w.cfg.ConnectRate), time.Second)
	w.connects = hist.New(begin)
	w.subscribed = begin
	w.loop.Wake() // else the first wait, with no connection yet, is for ever
}

// Work goes on with what is due. It is the loop's once per tick.
func (w *worker) Work(now int64) time.Duration {
	w.reconnect()
	switch w.phase {
	case ramping:
		return w.ramp(now)
	case pushing:
		return w.push(now)
	case draining:
		return w.drain(now)
	case waiting, over:
	}
	return -1
}

// Settled is never called: the tool queues no messages, only requests.
func (w *worker) Settled(uint32, record.Fate) {}

// ramp connects the clients that are due, within bounds.
func (w *worker) ramp(now int64) time.Duration {
	if w.settled == len(w.clients) {
		w.phase = waiting
		w.ready <- struct{}{}
		return -1
	}
	due := share(int(w.connect.Due(now)), w.cfg.workers(), w.index)
	due = min(due, len(w.clients), w.begun+perTick, w.settled+w.cfg.Connecting)
	begin := w.begun
	for w.begun < due {
		w.begun++
		w.subscribe(uint32(w.begun - 1))
	}
	switch {
	case w.begun == begin+perTick:
		return 0
	case w.begun == len(w.clients), w.begun >= w.settled+w.cfg.Connecting:
		return lookAgain // the next thing to happen is an answer
	}
	return max(0, time.Duration(w.planned(w.begun)-now))
}

// planned is when client i of this worker was meant to connect.
func (w *worker) planned(i int) int64 {
	return w.connect.At(int64(i)*int64(w.cfg.workers()) + int64(w.index))
}

// start begins the duration, at the same time in all workers.
func (w *worker) start(at int64) {
	if w.phase != waiting {
		return
	}
	for _, t := range w.loads {
		t.start(at)
		if t.Rate > 0 && t.pubs > 0 {
			w.beat.run()
		}
	}
	w.phase, w.end = pushing, at+int64(w.cfg.Duration)
}

// push sends what is due in each load. Loads take turns tick by tick, so that none waits for another's backlog.
func (w *worker) push(now int64) time.Duration {
	if now >= w.end {
		w.cease()
		return 0
	}
	wait := time.Duration(w.end - now)
	for _, t := range w.loads {
		wait = min(wait, w.pushDue(t, now))
	}
	w.beat.next(now + int64(wait))
	return wait
}

// cease ends the pushing, or whatever led to it, early or on time.
func (w *worker) cease() {
	switch w.phase {
	case pushing:
		for _, t := range w.loads {
			t.cease(min(w.loop.Now(), w.end-1))
		}
	case draining, over:
		return
	case ramping, waiting:
	}
	w.phase, w.end = draining, w.loop.Now()+int64(w.cfg.Grace)
}

// drain sends what was due and waits until nothing is under way any more, but not for ever.
func (w *worker) drain(now int64) time.Duration {
	open := 0
	for _, t := range w.loads {
		if t.backlog() > 0 && now < w.end {
			w.pushDue(t, now)
			open++
		}
		open += t.ledger.open
	}
	if open > 0 && now < w.end {
		return lookAgain
	}
	for _, t := range w.loads {
		t.giveUp(now)
	}
	w.beat.stop()
	w.phase = waiting
	w.drained <- struct{}{}
	return -1
}

// finish takes stock and stops the loop, which closes all connections.
func (w *worker) finish() {
	w.phase = over
	w.beat.stop()
	now := w.kernel.Now()
	for _, t := range w.loads {
		t.ledger.close(now)
	}
	w.loop.Stop()
}

// Received passes input on to the side that the connection is on.
func (w *worker) Received(slot uint32, b []byte) int {
	r := w.loop.At(slot)
	switch r.State {
	case publishing:
		return w.verdict(slot, r.Extra-1, b)
	case linked:
		return w.linkInput(r, w.links[r.Extra-1], b)
	}
	return w.input(slot, r, b)
}

// Happened ends connections that the server ended, or that waited too long.
func (w *worker) Happened(slot uint32, e loop.Event) {
	r := w.loop.At(slot)
	if r.State == linked {
		w.linkHappened(w.links[r.Extra-1], e)
		return
	}
	switch e {
	case loop.Ended:
		w.ended(slot, r)
	case loop.Expired:
		w.loop.Close(slot, record.ReasonTimeout)
	case loop.Drained:
		if r.State == asking {
			w.asked(slot, r.Extra-1)
		}
	case loop.Opened, loop.HungUp:
	}
}

// Closed counts a connection out.
func (w *worker) Closed(slot uint32, why record.Reason) {
	r := w.loop.At(slot)
	switch {
	case w.phase == over || r.Extra == 0:
	case r.State == publishing:
		w.publisherClosed(r.Extra-1, why)
	case r.State == linked:
		w.linkClosed(w.links[r.Extra-1], why)
	default:
		w.left(r.Extra-1, why)
	}
}

// message books what a client was sent.
func (w *worker) message(i uint32, data []byte) {
	s, ok := stamped(data)
	if !ok || s.run != w.run {
		w.counts.Foreign.Add(1)
		return
	}
	now := w.kernel.Now()
	c := &w.clients[i]
	t := w.loads[c.load]
	books := &t.ledger.books
	pub := int(s.publisher)
	switch {
	case int(s.load) != t.index || s.key != t.globalKey(c.key):
		books.Stray++
		return
	case pub >= t.pubs || s.seq == 0 || s.seq > t.seqs[pub*len(t.members)+int(c.key)],
		len(data) != w.cfg.Size || !bytes.Equal(data[MinSize:], w.words.padding):
		books.Garbled++
		return
	}
	switch t.tracks[int(c.member)*t.pubs+pub].take(s.seq) {
	case doubled:
		books.Doubled++
		return
	case late:
		books.Disordered++
	case inOrder:
	}
	t.ledger.arrive(s.number)
	t.arrivals.Record(s.intended, now)
	w.counts.Arrived.Add(1)
}

// maxTroubles bounds the kinds of trouble that are told apart.
const maxTroubles = 32

// trouble counts something that went wrong by its kind.
func (w *worker) trouble(kind string) {
	w.counts.Errors.Add(1)
	if _, known := w.troubles[kind]; !known && len(w.troubles) >= maxTroubles {
		kind = "other"
	}
	w.troubles[kind]++
}

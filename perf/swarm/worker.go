package swarm

import (
	"time"

	"holdfast/codec/h1"
	"holdfast/engine/epoll"
	"holdfast/engine/loop"
	"holdfast/engine/record"
	"holdfast/perf/hist"
)

// phase is where a worker is in its run.
//
//	ramping → waiting → pushing → draining → over
type phase uint8

const (
	ramping  phase = iota // clients are being connected
	waiting               // all of this worker's are settled, but not all of the others'
	pushing               // the duration runs
	draining              // what was due is still sent and may still arrive
	over                  // the loop stops
)

const (
	beginLag    = 50 * time.Millisecond // between everybody's being ready and the first push, so that all loops see it
	lookAgain   = 10 * time.Millisecond // how often a worker looks for what others do
	reopenEvery = 100 * time.Millisecond
	perTick     = 128 // connects and pushes of one tick: answers are read in between
)

// fate is what is known of one push.
type fate uint8

const (
	unsent fate = iota
	sent
	refused  // the server said no, or nothing
	accepted // the server said yes, the message has not come
	received
)

// worker is one loop's share of a run, the tenant of the loop and the protocol of its connections. Everything belongs
// to the loop's goroutine, and after Run returns to whoever called it.
type worker struct {
	*shared
	index  int
	kernel *epoll.Kernel
	loop   *loop.Loop
	phase  phase
	end    int64 // of the present phase, where that has one

	// Clients.
	clients  []client // by record.Extra - 1
	begun    int      // connections begun
	settled  int      // of these, subscribed or failed
	connect  hist.Schedule
	partial  map[uint32][]byte // lines cut between two reads, by slot: rare
	targets  []uint32          // numbers of the subscribed, once all are settled
	response h1.Response
	request  []byte

	// Pushes. Push i of this worker is number i*Loops + index of the run.
	plan       hist.Schedule
	fates      []fate // by i
	next       int    // the next i to send
	underWay   int    // pushes that are sent or accepted, but not received
	unjudged   int    // publishers that wait for an answer
	idle       []uint32
	publishers []publisher // by record.Extra - 1
	opened     int         // publishers that are connected or connecting
	reopenAt   int64
	padding    []byte

	connects                  *hist.Recorder
	late, answers, deliveries *hist.Recorder // nil until pushing begins
	status                    map[int]int
	unsent, missing           int64
}

func newWorker(s *shared, index int) (*worker, error) {
	k, err := epoll.New()
	if err != nil {
		return nil, err
	}
	w := &worker{
		shared: s, index: index, kernel: k,
		clients:    make([]client, share(s.cfg.Conns, s.cfg.Loops, index)),
		publishers: make([]publisher, share(s.cfg.Publishers, s.cfg.Loops, index)),
		partial:    make(map[uint32][]byte),
		status:     make(map[int]int),
	}
	if s.cfg.Rate == 0 {
		w.publishers = nil
	}
	conns := len(w.clients) + len(w.publishers)
	w.loop = loop.New(k, loop.Config{ID: index, MaxSlots: conns + 64, MaxConns: int64(conns) + 64})
	w.loop.Speak(record.Client, w)
	w.loop.Host(w)
	now := k.Now()
	w.connect = hist.Every(now, int64(max(s.cfg.ConnectRate/s.cfg.Loops, 1)), time.Second)
	w.connects = hist.New(0)
	return w, nil
}

// share is how many of n things fall to a worker.
func share(n, workers, index int) int { return (n - index + workers - 1) / workers }

// Work goes on with what is due. It is the loop's once per tick.
func (w *worker) Work(now int64) time.Duration {
	switch w.phase {
	case ramping:
		return w.ramp(now)
	case waiting:
		return w.await(now)
	case pushing:
		return w.push(now)
	case draining:
		return w.drain(now)
	}
	return -1
}

// Settled is never called: the tool queues no messages, only requests.
func (w *worker) Settled(uint32, record.Fate) {}

// ramp connects the clients that are due, within bounds.
func (w *worker) ramp(now int64) time.Duration {
	if w.settled == len(w.clients) {
		w.targets = w.subscribed()
		w.phase = waiting
		w.ready.Add(1)
		return 0
	}
	begin := w.begun
	due := min(int(w.connect.Due(now)), len(w.clients), begin+perTick, w.settled+w.cfg.Connecting)
	for w.begun < due {
		w.subscribe(w.begun)
		w.begun++
	}
	switch {
	case w.begun == len(w.clients), w.begun-w.settled >= w.cfg.Connecting:
		return lookAgain // the next thing to happen is an answer
	case w.begun == begin+perTick:
		return 0
	}
	return max(0, time.Duration(w.connect.At(int64(w.begun))-now))
}

// await begins the duration together with the other workers.
func (w *worker) await(now int64) time.Duration {
	start := w.start.Load()
	if start == 0 {
		if int(w.ready.Load()) < w.cfg.Loops {
			return lookAgain
		}
		if w.start.CompareAndSwap(0, now+int64(beginLag)) {
			w.read(&w.server.Held)
		}
		start = w.start.Load()
	}
	w.late, w.answers, w.deliveries = hist.New(start), hist.New(start), hist.New(start)
	w.end = start + int64(w.cfg.Duration)
	w.phase = pushing
	if w.cfg.Rate > 0 && len(w.targets) > 0 {
		w.plan = hist.Every(start, int64(w.cfg.Rate), time.Second)
		w.fates = make([]fate, share(int(w.plan.Due(w.end-1)), w.cfg.Loops, w.index))
		w.padding = padding(w.cfg.Size)
	}
	return 0
}

// push lasts for the duration.
func (w *worker) push(now int64) time.Duration {
	if now >= w.end {
		w.phase = draining
		w.end = now + int64(w.cfg.Grace)
		return 0
	}
	return min(w.pump(now), time.Duration(w.end-now))
}

// pump sends what is due and free to go, and says when to call it again.
func (w *worker) pump(now int64) time.Duration {
	if w.next == len(w.fates) {
		return w.cfg.Duration // all is sent, or there is nobody to send to
	}
	w.reopen(now)
	due := min(share(int(w.plan.Due(now)), w.cfg.Loops, w.index), len(w.fates))
	for range perTick {
		if w.next == len(w.fates) {
			return w.cfg.Duration
		}
		if w.next >= due {
			return w.until(w.intended(w.next), now)
		}
		slot := w.free()
		if slot == 0 {
			return lookAgain // whoever answers wakes the loop before that
		}
		w.publish(slot, w.next)
		w.next++
	}
	return 0
}

// until is how long to wait for a time. The loop's wait is rounded up to whole milliseconds, so being exact means to
// wait for the whole ones only and to look again and again for the rest.
func (w *worker) until(at, now int64) time.Duration {
	d := max(time.Duration(at-now), 0)
	if w.cfg.Exact {
		return d.Truncate(time.Millisecond)
	}
	return d
}

// intended is when push i of this worker was meant to be sent.
func (w *worker) intended(i int) int64 {
	return w.plan.At(int64(i)*int64(w.cfg.Loops) + int64(w.index))
}

// drain goes on until nothing is under way any more, but not for ever.
func (w *worker) drain(now int64) time.Duration {
	wait := w.pump(now)
	if now >= w.end || w.next == len(w.fates) && w.underWay == 0 && w.unjudged == 0 {
		w.finish()
		return 0
	}
	return min(wait, lookAgain)
}

// fated notes what became of push i.
func (w *worker) fated(i int, f fate) {
	if w.fates[i] == unsent {
		w.underWay++
	}
	if f == refused || f == received {
		w.underWay--
	}
	w.fates[i] = f
}

// finish takes stock and stops the loop.
func (w *worker) finish() {
	if w.phase == over {
		return
	}
	w.phase = over
	now := w.kernel.Now()
	if w.index == 0 {
		w.read(&w.server.Ended)
	}
	for i, f := range w.fates {
		if w.intended(i) > now {
			break // the run was cut short before this was due
		}
		switch f {
		case unsent:
			w.unsent++
			w.answers.Abandon(w.intended(i), now)
			w.deliveries.Abandon(w.intended(i), now)
		case sent:
			w.deliveries.Abandon(w.intended(i), now)
		case accepted:
			w.missing++
			w.deliveries.Abandon(w.intended(i), now)
		case refused, received:
		}
	}
	for i := range w.publishers {
		if p := &w.publishers[i]; p.busy {
			w.answers.Abandon(w.intended(p.push), now)
		}
	}
	w.loop.Stop()
}

// Received passes input on to the side that the connection is on.
func (w *worker) Received(slot uint32, b []byte) int {
	r := w.loop.At(slot)
	if r.State >= publisherState {
		return w.verdict(slot, r, b)
	}
	return w.message(slot, r, b)
}

// Happened ends connections that the server ended, or that waited too long.
func (w *worker) Happened(slot uint32, e loop.Event) {
	switch e {
	case loop.Ended:
		w.verdictEnds(w.loop.At(slot))
		w.loop.Close(slot, record.ReasonGone)
	case loop.Expired:
		w.loop.Close(slot, record.ReasonTimeout)
	case loop.Opened, loop.HungUp, loop.Drained:
	}
}

// Closed counts a connection out.
func (w *worker) Closed(slot uint32, why record.Reason) {
	if w.phase == over {
		return
	}
	r := w.loop.At(slot)
	if r.State >= publisherState {
		w.publisherClosed(slot, r, why)
		return
	}
	w.clientClosed(slot, r, why)
}

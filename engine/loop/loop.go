// Package loop is the event loop: one goroutine, one epoll, its connections. It moves bytes and time and knows no
// protocol: sessions get input and events through Protocol and answer by the methods of Loop. Everything here belongs
// to the loop's goroutine unless a comment says otherwise; others reach it through a mailbox or Post.
//
// Read loop.go (the tick), conn.go (what a connection is), then accept.go, input.go, output.go with queue.go and
// slow.go, and close.go. It must never block on anything but Poller.Wait, and never hold Go pointers in a Record.
package loop

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"holdfast/engine/epoll"
	"holdfast/engine/mailbox"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/wheel"
	"holdfast/registry"
)

// Protocol is a session's side of the loop: one value per loop and kind, told by slot which connection is meant.
// No method may keep b or a *conn after it returns.
type Protocol interface {
	// Received takes input from its start and says how much it used up. The rest is kept and comes again, longer,
	// with the next input or after Resume.
	Received(slot uint32, b []byte) int
	Happened(slot uint32, e Event)
	// Closed is the last call for a connection, whoever ended it.
	Closed(slot uint32, why record.Reason)
}

// Tenant is what shares the loop's tick: the gateway.
type Tenant interface {
	// Work takes the mail and goes on with what is unfinished, for a bounded time. It says when it wants to be called
	// again: 0 at once, below 0 only when there is mail.
	Work(now int64) time.Duration
	// Settled tells the fate of a message that was record.Staged under this ticket: once, and never inside Push.
	Settled(ticket uint32, f record.Fate)
}

// Config bounds one loop. Zero means the default, unless a field says otherwise.
type Config struct {
	ID       int   // which loop this is: 0 to Loops-1
	MaxSlots int   // records: connections and further keys; default 4 Mi
	MaxConns int64 // connections of all loops together, default 1 Mi: stops memory exhaustion by connecting
	Conns    *atomic.Int64

	AcceptsPerTick int           // default 64: a connect flood cannot starve those already here
	ReadBytes      int           // bytes read from one connection per tick, default 16 KiB (64 KiB in a body)
	QueueBytes     int           // output queued for one connection, 64 for each message included, default 64 KiB: stops memory exhaustion by not reading
	StallTimeout   time.Duration // a queue that has not moved for this long ends its connection, default 10 s
	PostBound      int           // functions waiting in Post, default 1,024
}

func (c *Config) fill() {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&c.MaxSlots, 4<<20)
	def(&c.AcceptsPerTick, 64)
	def(&c.ReadBytes, 16<<10)
	def(&c.QueueBytes, 64<<10)
	def(&c.PostBound, 1024)
	if c.MaxConns <= 0 {
		c.MaxConns = 1 << 20
	}
	if c.StallTimeout <= 0 {
		c.StallTimeout = 10 * time.Second
	}
	if c.Conns == nil {
		c.Conns = new(atomic.Int64)
	}
}

const (
	eventsPerTick = 512
	scratchBytes  = 128 << 10 // room for kept input and one bulk read
	timerTick     = 20 * time.Millisecond
	timersPerTick = 256 // a burst of deadlines (heartbeats) is spread over ticks
	flushRounds   = 8   // verdicts written in a flush leave in the same tick, but not for ever
)

// Loop is one event loop. Make it with New, give it its Protocols and Tenant, then Run it.
type Loop struct {
	cfg       Config
	k         Kernel
	protocols [record.Kinds]Protocol
	tenant    Tenant
	records   *mem.Slab[conn]
	wheel     *wheel.Wheel
	posts     *mailbox.Box[func()]
	policies  []record.SlowPolicy

	start     int64 // k.Now at New
	now       int64 // k.Now of this tick
	wallBase  int64 // unix ns at start
	again     time.Duration
	listeners []listener
	events    []epoll.Event
	scratch   []byte
	compose   []byte
	gathered  []byte // small pieces of output on their way into one send
	parts     [][]byte

	inputs inputs
	queues queues
	ready  []uint32 // kept input to look at again
	dirty  []uint32 // output to send in this tick
	fates  []fate   // of messages, to be told
	reaped []uint32 // connections to end in this tick
	spare  []uint32

	deferred []func() // by sessions, for the flush
	resting  []func()

	swept   int64 // when stalled queues were last looked for
	stopped bool
	leaving bool // CloseListeners was called
	fatal   error
	Stats   Stats
}

// New makes a loop on a kernel of its own.
func New(k Kernel, cfg Config) *Loop {
	cfg.fill()
	l := &Loop{
		cfg:     cfg,
		k:       k,
		records: mem.NewSlab[conn](uint32(min(cfg.MaxSlots, registry.MaxSlot))),
		events:  make([]epoll.Event, eventsPerTick),
		scratch: make([]byte, scratchBytes),
		compose: make([]byte, 0, 8<<10),

		gathered: make([]byte, 0, gatherBytes),
	}
	l.start = k.Now()
	l.now = l.start
	l.wallBase = time.Now().UnixNano()
	l.wheel = wheel.New(nodes{l}, timerTick, l.now)
	l.posts = mailbox.New[func()](cfg.PostBound, cfg.PostBound/4, k.Wake)
	l.queues.init()
	l.inputs.init()
	l.policies = []record.SlowPolicy{{}}
	return l
}

// Speak makes p the protocol of connections of this kind. Before Run only.
func (l *Loop) Speak(k record.Kind, p Protocol) { l.protocols[k] = p }

// Host makes t the loop's tenant. Before Run only.
func (l *Loop) Host(t Tenant) { l.tenant = t }

// Run ticks until Stop; it returns nil, or the system error that made going on impossible.
func (l *Loop) Run() error {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	for !l.stopped {
		l.Tick()
	}
	l.release()
	return l.fatal
}

// Tick is one round of the loop: wait, read and accept, mail, timers, unfinished work, flush, reap.
// The clock is read once, after the wait; the reading before it only measures how busy the loop is.
func (l *Loop) Tick() {
	asleep := l.k.Now()
	l.Stats.BusyNanos += uint64(asleep - l.now)
	n, err := l.k.Wait(l.events, l.patience())
	if err != nil {
		l.fail("cannot wait for events", err)
		return
	}
	l.now = l.k.Now()
	l.Stats.Ticks++

	for i := range l.events[:n] {
		l.dispatch(&l.events[i])
	}
	l.revisit()
	for _, f := range l.posts.Take() {
		f()
	}
	l.wheel.Advance(l.now, timersPerTick, l.expire)
	if l.again == 0 { // what is answered already does not wait behind the next slice of unfinished work
		l.flush()
	}
	if l.tenant != nil {
		l.again = l.tenant.Work(l.now)
	}
	l.flush()
	l.sweep()
	l.reap()
	l.resumeAccept()
}

// patience is how long the next wait may last: the earliest of the loop's named reasons to wake.
func (l *Loop) patience() time.Duration {
	if len(l.ready)+len(l.dirty)+len(l.reaped)+len(l.deferred)+len(l.fates) > 0 || l.again == 0 || l.stopped {
		return 0
	}
	wait := l.wheel.Next(l.now)
	earlier := func(d time.Duration) {
		if d >= 0 && (wait < 0 || d < wait) {
			wait = d
		}
	}
	earlier(l.again)
	if l.queues.live > 0 {
		earlier(sweepEvery)
	}
	if l.acceptPaused() {
		earlier(acceptRetry)
	}
	return wait
}

// dispatch turns one epoll event into what its listener or connection should hear.
func (l *Loop) dispatch(e *epoll.Event) {
	tag, mask := e.Tag(), e.Mask()
	if tag&listenerTag != 0 {
		l.accept(int(tag&^listenerTag), l.cfg.AcceptsPerTick)
		return
	}
	slot := uint32(tag)
	if !l.records.Used(slot) {
		return
	}
	r := l.records.At(slot)
	if r.fd != int32(tag>>32) || r.Closing {
		return // the slot ended earlier in this tick
	}
	if mask&epoll.Out != 0 {
		r.bits &^= bitBlocked
		l.markDirty(slot, r)
	}
	if mask&epoll.RdHup != 0 && !r.is(bitHungUp) {
		r.bits |= bitHungUp
		l.protocols[r.Kind].Happened(slot, HungUp)
	}
	if !r.Closing {
		l.input(slot, r, mask)
	}
}

// input acts on what an event says of a connection's input. Level-triggered, it would spin on what it left as it is.
func (l *Loop) input(slot uint32, r *conn, mask uint32) {
	over := mask&(epoll.Hup|epoll.Err) != 0
	switch {
	case r.is(bitEnded):
		if mask&epoll.Err != 0 {
			l.Close(slot, record.ReasonReset)
		} else if over {
			l.Close(slot, record.ReasonDone) // both sides have ended and the session knows
		}
	case !r.Paused && r.is(bitReady): // what was kept goes first, later in this tick; the event will come again
	case !r.Paused:
		if over || mask&(epoll.In|epoll.RdHup) != 0 {
			l.readable(slot, r)
		}
	case over:
		l.Close(slot, record.ReasonReset)
	case mask&epoll.RdHup != 0:
		l.arm(slot, r, r.mask&^(epoll.In|epoll.RdHup))
	case mask&epoll.In != 0:
		l.arm(slot, r, r.mask&^epoll.In)
	}
}

// arm tells epoll what a connection waits for, when that changed.
func (l *Loop) arm(slot uint32, r *conn, mask uint32) {
	if r.mask == mask {
		return
	}
	r.mask = mask
	if err := l.k.Mod(int(r.fd), tagOf(slot, r.fd), mask); err != nil {
		l.failed(slot, err)
	}
}

func tagOf(slot uint32, fd int32) uint64 { return uint64(slot) | uint64(fd)<<32 }

func (l *Loop) expire(slot uint32) {
	if r := l.records.At(slot); !r.Closing {
		l.protocols[r.Kind].Happened(slot, Expired)
	}
}

// failed judges the error of a call for one connection, and reports whether that is over.
func (l *Loop) failed(slot uint32, err error) bool {
	switch epoll.Classify(err) {
	case epoll.Retry:
		return false
	case epoll.Exhausted:
		l.Close(slot, record.ReasonInternal)
	case epoll.StopLoop:
		l.Close(slot, record.ReasonInternal)
		l.fail("has lost track of its sockets", err)
	default:
		l.Close(slot, record.ReasonReset)
	}
	return true
}

// fail stops the loop for a reason that no connection is to blame for.
func (l *Loop) fail(what string, err error) {
	if l.fatal == nil {
		l.fatal = fmt.Errorf("event loop %d %s: %w", l.cfg.ID, what, err)
	}
	l.stopped = true
}

// Post runs f on the loop's goroutine in a coming tick. Any goroutine may call it; false means that the loop has too
// much posted already.
func (l *Loop) Post(f func()) bool { return l.posts.Post(f) }

// Wake makes the loop look at its mail. Any goroutine may call it.
func (l *Loop) Wake() { l.k.Wake() }

// Stop ends Run after this tick and closes what is still open. On the loop only; use Post from elsewhere.
func (l *Loop) Stop() { l.stopped = true }

// ID is the loop's number.
func (l *Loop) ID() int { return l.cfg.ID }

// Now is the monotonic time of this tick, ns.
func (l *Loop) Now() int64 { return l.now }

// Clock reads the clock now. It is for measuring: what is decided in a tick is decided by Now.
func (l *Loop) Clock() int64 { return l.k.Now() }

// Wall is the time of this tick, unix seconds.
func (l *Loop) Wall() int64 { return (l.wallBase + l.now - l.start) / int64(time.Second) }

// Seconds is the time of this tick since the loop's start.
func (l *Loop) Seconds() uint32 { return uint32((l.now - l.start) / int64(time.Second)) }

// SetDeadline makes the connection's Protocol hear Expired once at passed; a later call replaces it, 0 cancels it.
func (l *Loop) SetDeadline(slot uint32, at int64) {
	if at == 0 {
		l.wheel.Cancel(slot)
		return
	}
	l.wheel.Set(slot, at)
}

// nodes shows the wheel its part of each record.
type nodes struct{ l *Loop }

func (n nodes) Node(slot uint32) *wheel.Node { return &n.l.records.At(slot).timer }

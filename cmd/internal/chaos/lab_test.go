package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// setup says how a lab is made.
type setup struct {
	topology topology
	slow     bool // a relay stands before the store, which must be single
	ahead    int  // seconds by which the second node's clock runs ahead of the first's, and the third's twice
	lease    time.Duration
	keys     int   // besides those of two devices and the group: one client each
	rate     int   // pushes per second
	habit    habit // of the clients that move; zero: some roam, some overlap
	rivals   int   // further clients of each key, all with the habit
	flags    []string
}

// lab is a cluster with clients and publishers at work, and all that they saw.
type lab struct {
	t         *testing.T
	net       *network
	storeHost *host
	store     *store
	relay     *relay
	nodes     []*node
	keys      []string
	secret    []byte
	lease     time.Duration

	began      time.Time
	history    *history
	faults     []fault
	publisher  *http.Client
	background sync.WaitGroup
	frozen     atomic.Bool           // clients stay where they are
	stop       [2]context.CancelFunc // of publishers, of clients
}

// nodeNames are those of a lab's nodes, and of their hosts.
var nodeNames = []string{"a", "b", "c"}

// newLab starts a store and three nodes, and waits until each of them is sure of what it says.
func newLab(t *testing.T, s setup) *lab {
	t.Helper()
	l := &lab{t: t, net: newNetwork(t), lease: s.lease, history: &history{}, publisher: newPublisher(), began: time.Now()}
	t.Cleanup(l.publisher.CloseIdleConnections)
	l.storeHost = l.net.newHost("store", 0)
	l.store = newStore(t, l.storeHost, s.topology)
	url := l.store.url()
	if s.slow {
		l.relay = newRelay(t, l.net, l.store.servers[0].addr)
		url = "redis://" + l.relay.addr
	}
	file, secret := writeSecret(t)
	l.secret = secret
	for i, name := range nodeNames {
		l.nodes = append(l.nodes, newNode(t, l.net.newHost(name, i*s.ahead), url, file, s.lease, s.flags...))
	}
	for _, n := range l.nodes {
		n.begin()
	}
	l.sure(l.nodes...)
	return l
}

// now is the lab's clock.
func (l *lab) now() moment { return max(1, time.Since(l.began)) }

// sure waits until nodes answer that nobody is there, which they may only when every node's claims stand.
func (l *lab) sure(nodes ...*node) {
	l.t.Helper()
	for _, n := range nodes {
		var p *push
		tried := 0
		ok := within(30*time.Second+4*l.lease, func() bool {
			tried++
			p = l.attempt(fmt.Sprintf("nobody-%s-%d", n.name, tried), "nobody", n)
			return p.status == 404
		})
		if !ok {
			l.t.Fatalf("%s is never sure that nobody holds a key: %s\n%s", n.name, tell([]*push{p}), n.lastWords(10))
		}
	}
}

// load sets clients and publishers to work.
func (l *lab) load(s setup, seed uint64) {
	ctx, stop := context.WithCancel(context.Background())
	l.stop[1] = stop
	l.background.Go(func() { l.history.watch(ctx, l.now) })
	client := func(i int, key string, h habit) {
		l.background.Go(func() { l.client(ctx, key, rand.New(rand.NewPCG(seed, uint64(i))), h) })
	}
	for i := range s.keys {
		key := fmt.Sprintf("key-%d", i)
		l.keys = append(l.keys, key)
		client(i, key, s.habitOf(i))
		if i%7 == 0 { // a second device
			client(s.keys+i, key, settled)
		}
		for r := range s.rivals {
			client((3+r)*s.keys+i, key, s.habit)
		}
	}
	l.keys = append(l.keys, "group")
	for i := range 8 {
		client(2*s.keys+i, "group", settled)
	}
	l.keys = append(l.keys, "absent-1", "absent-2")
	settledIn := within(20*time.Second, func() bool { return l.connected() >= s.keys*9/10 })
	if !settledIn {
		l.t.Errorf("only %d of %d clients are connected", l.connected(), s.keys)
	}
	pub, end := context.WithCancel(context.Background())
	l.stop[0] = end
	l.background.Go(func() { l.publish(pub, rand.New(rand.NewPCG(seed, 1<<40)), s.rate) })
	l.mark(fault{name: "none"})
}

// habitOf is how the client of a key behaves: most stay where they are.
func (s setup) habitOf(i int) habit {
	h := settled
	switch {
	case i%10 < 2 && s.habit.stay != nil:
		h = s.habit
	case i%10 < 2:
		h = roaming
	case i%10 == 2:
		h = roaming
		h.overlap = true
	}
	return h
}

// connected counts connections that were made so far.
func (l *lab) connected() int {
	l.history.lock.Lock()
	defer l.history.lock.Unlock()
	return len(l.history.holds)
}

// mark writes down that a fault begins, or ends, now.
func (l *lab) mark(f fault) {
	f.at = l.now()
	l.faults = append(l.faults, f)
}

// span is how long a fault may be felt.
func (l *lab) span() time.Duration { return 2 * l.lease }

// slack is what a busy machine adds: an answer's own time and the rhythm of clients.
const slack = 1500 * time.Millisecond

// settle lets time pass in which the system gets over a fault, and some more in which it shows that it has.
func (l *lab) settle() { time.Sleep(l.span() + slack + time.Second) }

// kill ends a node as kill -9 does, and writes down since when its clients are nobody's.
func (l *lab) kill(n *node) {
	at := l.now()
	n.kill()
	l.history.lock.Lock()
	defer l.history.lock.Unlock()
	for _, x := range l.history.holds {
		if x.node == n.name && x.down == 0 {
			x.down = at
		}
	}
}

// stall makes a node stand still, until resume.
func (l *lab) stall(n *node) {
	l.history.addStall(n.name, l.now())
	n.signal(syscall.SIGSTOP)
}

func (l *lab) resume(n *node) {
	n.signal(syscall.SIGCONT)
	l.history.endStall(n.name, l.now())
}

// end stops the publishers, then the clients, and waits for all of them.
func (l *lab) end() {
	l.quiet()
	time.Sleep(readGrace / 2)
	if l.stop[1] != nil {
		l.stop[1]()
	}
	l.background.Wait()
}

// quiet stops the publishers, and clients move no more.
func (l *lab) quiet() {
	l.frozen.Store(true)
	if l.stop[0] != nil {
		l.stop[0]()
	}
}

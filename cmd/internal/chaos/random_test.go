package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// Variables of a long run: `make chaos` sets the duration, and a seed repeats what it printed.
const (
	durationVar = "CHAOS_DURATION"
	seedVar     = "SEED"
)

// event is a fault and its end. Several may be there at once.
type event struct {
	name  string
	begin func(l *lab, n *node)
	end   func(l *lab, n *node)
	on    []topology // nil: all
	store bool       // it is the store that breaks
}

var events = []event{
	{name: "kill -9 of %s", begin: (*lab).kill, end: func(_ *lab, n *node) { n.begin() }},
	{name: "%s is told to end", begin: func(_ *lab, n *node) { n.drain() }, end: func(_ *lab, n *node) { n.begin() }},
	{name: "%s stands still", begin: (*lab).stall, end: (*lab).resume},
	{name: "%s and the next are cut", begin: func(l *lab, n *node) { l.net.cut(n.host, l.after(n).host) }, end: mend},
	{name: "the next hears nothing of %s", begin: func(l *lab, n *node) { l.net.cutOneWay(n.host, l.after(n).host) }, end: mend},
	{name: "%s and the store are cut", begin: func(l *lab, n *node) { l.net.cut(n.host, l.storeHost) }, end: mend},
	{name: "the store hears nothing of %s", begin: func(l *lab, n *node) { l.net.cutOneWay(n.host, l.storeHost) }, end: mend},
	{name: "%s hears nothing of the store", begin: func(l *lab, n *node) { l.net.cutOneWay(l.storeHost, n.host) }, end: mend},
	{name: "%s looks on while the store restarts empty", begin: func(l *lab, _ *node) { l.store.servers[0].restartEmpty() }, end: nothing, store: true, on: []topology{single, sharded}},
	{name: "%s looks on while the store is emptied", begin: func(l *lab, _ *node) { l.store.servers[0].does("flushall") }, end: nothing, store: true, on: []topology{single, sharded}},
	{name: "%s looks on while the store stands still", begin: func(l *lab, _ *node) { l.store.servers[0].stop() }, end: func(l *lab, _ *node) { l.store.servers[0].cont() }, store: true, on: []topology{single, sharded}},
	{name: "%s looks on while the store fails over", begin: func(l *lab, _ *node) { l.store.sentinelSays("", "sentinel", "failover", "main") }, end: nothing, store: true, on: []topology{sentinel}},
	{name: "%s looks on while the store is full", begin: func(l *lab, _ *node) { l.store.servers[0].fill() }, end: func(l *lab, _ *node) { l.store.servers[0].unfill() }, store: true, on: []topology{single, sharded}},
	{name: "%s looks on while the store refuses", begin: func(l *lab, _ *node) { l.store.servers[0].lockOut() }, end: func(l *lab, _ *node) { l.store.servers[0].letIn() }, store: true, on: []topology{single}},
	{name: "%s looks on while the store's clock jumps", begin: func(l *lab, _ *node) { l.store.shiftClock(time.Hour) }, end: func(l *lab, _ *node) { l.store.shiftClock(0) }, store: true, on: []topology{single}},
}

func nothing(*lab, *node) {}

func mend(l *lab, _ *node) { l.net.heal() }

// after is the next node in the circle.
func (l *lab) after(n *node) *node {
	return l.nodes[(slices.Index(l.nodes, n)+1)%len(l.nodes)]
}

// TestRandomFaults does faults by seed, two of them at a time now and then, and judges what was seen. Once all are over,
// pushes must reach everybody within the time that one fault may take.
func TestRandomFaults(t *testing.T) {
	seed, atOnce, faults := rand.Uint64N(1e6), 2, 3
	if testing.Short() {
		atOnce = 1
	}
	var until time.Time
	if text := os.Getenv(durationVar); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		until, atOnce, faults = time.Now().Add(d), rowsAtOnce, 6
	}
	if text := os.Getenv(seedVar); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
		until, atOnce = time.Time{}, 1
	}
	for {
		t.Run("seed", func(t *testing.T) {
			for range atOnce {
				this := seed
				seed++
				t.Run(fmt.Sprint(this), func(t *testing.T) {
					t.Parallel()
					storm(t, this, faults)
				})
			}
		})
		if t.Failed() || !time.Now().Before(until) {
			return
		}
	}
}

// storm is one lab's life: so many faults, then peace, then judgement.
func storm(t *testing.T, seed uint64, faults int) {
	rng := rand.New(rand.NewPCG(seed, 11))
	s := usual.on([]topology{single, single, sentinel, sharded}[rng.IntN(4)])
	s.keys, s.rate = 40+rng.IntN(200), 100+rng.IntN(150)
	if rng.IntN(2) == 0 {
		s.habit = hopping
	}
	l := newLab(t, s)
	defer func() {
		if t.Failed() {
			how := "go test -run TestRandomFaults ./cmd/internal/chaos"
			if os.Getenv(durationVar) != "" {
				how = "make chaos"
			}
			t.Logf("again: SEED=%d %s", seed, how)
		}
	}()
	l.load(s, seed)
	l.faults = nil
	l.mark(fault{name: "several at a time", several: true})
	possible := slices.DeleteFunc(slices.Clone(events), func(e event) bool { return e.on != nil && !slices.Contains(e.on, s.topology) })
	open := map[string]func(){} // by what is broken: nothing breaks twice at a time
	for range faults {
		e, n := possible[rng.IntN(len(possible))], l.nodes[rng.IntN(len(l.nodes))]
		place := n.name
		if e.store {
			place = "store"
		}
		if end := open[place]; end != nil {
			end()
		}
		t.Logf("%v: %s (%s)", l.now().Round(time.Millisecond), fmt.Sprintf(e.name, n.name), s.topology)
		e.begin(l, n)
		open[place] = func() { e.end(l, n) }
		time.Sleep(time.Duration(rng.Int64N(int64(2 * l.span()))))
		if len(open) == 2 || rng.IntN(3) > 0 {
			for _, end := range open {
				end()
			}
			clear(open)
			time.Sleep(time.Duration(rng.Int64N(int64(l.span()))))
		}
	}
	for _, end := range open {
		end()
	}
	l.mark(fault{name: "all is over"})
	l.settle()
	l.judge(fmt.Sprint("seed ", seed))
}

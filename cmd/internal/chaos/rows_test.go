package chaos

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// rowsAtOnce is how many labs run at the same time: each waits most of the time.
const rowsAtOnce = 6

// row is one line of the fault table: what is done to a cluster at work, and when.
type row struct {
	name  string
	setup setup
	steps func(l *lab)
}

// usual is the load of a row that does not say otherwise.
var usual = setup{topology: single, lease: time.Second, keys: 240, rate: 120}

func (s setup) on(kind topology) setup { s.topology = kind; return s }

var rows = []row{
	{"kill -9 of a node, and its restart", usual, func(l *lab) {
		l.mark(fault{name: "b is killed", without: []string{"b"}})
		l.kill(l.nodes[1])
		l.settle()
		l.mark(fault{name: "b is back"})
		l.nodes[1].begin()
		l.settle()
	}},
	{"a node is told to end, and starts again", usual, func(l *lab) {
		l.mark(fault{name: "b drains", without: []string{"b"}})
		l.nodes[1].drain()
		l.settle()
		l.mark(fault{name: "b is back"})
		l.nodes[1].begin()
		l.settle()
	}},
	{"a node stands still for longer than its lease", usual, func(l *lab) {
		l.mark(fault{name: "b is stopped", without: []string{"b"}})
		l.stall(l.nodes[1])
		l.settle()
		l.mark(fault{name: "b goes on"})
		l.resume(l.nodes[1])
		l.settle()
	}},
	{"node cut from node", usual, func(l *lab) {
		l.mark(fault{name: "a and b are cut"})
		l.net.cut(l.nodes[0].host, l.nodes[1].host)
		l.settle()
		l.healed()
	}},
	{"node cut from node, one way", usual, func(l *lab) {
		l.mark(fault{name: "b hears nothing of a"})
		l.net.cutOneWay(l.nodes[0].host, l.nodes[1].host)
		l.settle()
		l.healed()
	}},
	{"node cut from the store", usual, func(l *lab) {
		l.mark(fault{name: "a is cut from the store"})
		l.net.cut(l.nodes[0].host, l.storeHost)
		l.settle()
		l.healed()
	}},
	{"node cut from the store, one way", usual, func(l *lab) {
		l.mark(fault{name: "the store hears nothing of a"})
		l.net.cutOneWay(l.nodes[0].host, l.storeHost)
		l.settle()
		l.healed()
	}},
	{"store cut from a node, one way", usual, func(l *lab) {
		l.mark(fault{name: "a hears nothing of the store"})
		l.net.cutOneWay(l.storeHost, l.nodes[0].host)
		l.settle()
		l.healed()
	}},
	{"the store is killed, and starts empty", usual, func(l *lab) {
		l.mark(fault{name: "no store"})
		l.store.servers[0].kill()
		l.settle()
		l.mark(fault{name: "an empty store"})
		l.store.servers[0].begin()
		l.settle()
	}},
	{"the store restarts empty", usual, func(l *lab) {
		l.mark(fault{name: "an empty store"})
		l.store.servers[0].restartEmpty()
		l.settle()
	}},
	{"the store is emptied", usual, func(l *lab) {
		l.mark(fault{name: "flushall"})
		l.store.servers[0].does("flushall")
		l.settle()
	}},
	{"the store stands still for longer than the leases", usual, func(l *lab) {
		l.mark(fault{name: "the store is stopped"})
		l.store.servers[0].stop()
		l.settle()
		l.mark(fault{name: "the store goes on"})
		l.store.servers[0].cont()
		l.settle()
	}},
	{"the master is killed, its replica takes over", usual.on(sentinel), func(l *lab) {
		l.mark(fault{name: "the master is killed"})
		l.store.servers[0].kill()
		l.settle()
	}},
	{"the operator fails over", usual.on(sentinel), func(l *lab) {
		l.mark(fault{name: "sentinel failover"})
		l.store.sentinelSays("OK", "sentinel", "failover", "main")
		l.settle()
	}},
	{"one of three masters restarts empty", usual.on(sharded), func(l *lab) {
		l.mark(fault{name: "a master is killed"})
		l.store.servers[2].kill()
		l.settle()
		l.mark(fault{name: "it is back, empty"})
		l.store.servers[2].begin()
		l.settle()
	}},
	{"the store is slow, 1 s", setup{topology: single, slow: true, lease: time.Second, keys: 240, rate: 120}, func(l *lab) {
		l.mark(fault{name: "1 s"})
		l.relay.slow(500 * time.Millisecond)
		l.settle()
		l.mark(fault{name: "fast again"})
		l.relay.slow(0)
		l.settle()
	}},
	{"the store is full", usual, func(l *lab) {
		l.mark(fault{name: "maxmemory is reached"})
		l.store.servers[0].fill()
		l.settle()
		l.mark(fault{name: "room again"})
		l.store.servers[0].unfill()
		l.settle()
	}},
	{"the store refuses who asks", usual, func(l *lab) {
		l.mark(fault{name: "no access"})
		l.store.servers[0].lockOut()
		l.settle()
		l.mark(fault{name: "access again"})
		l.store.servers[0].letIn()
		l.settle()
	}},
	{"clocks differ by days, and the store's jumps", setup{topology: single, ahead: 3 * 86400, lease: time.Second, keys: 240, rate: 120}, func(l *lab) {
		l.mark(fault{name: "an hour on"})
		l.store.shiftClock(time.Hour)
		l.settle()
		l.mark(fault{name: "and back"})
		l.store.shiftClock(0)
		l.settle()
	}},
	{"clients move faster than the store replicates", setup{topology: sentinel, lease: time.Second, keys: 200, rate: 120, habit: hopping}, func(l *lab) {
		l.settle()
	}},
	{"two nodes claim one key, again and again", setup{topology: single, lease: time.Second, keys: 40, rate: 120, habit: hopping, rivals: 3}, func(l *lab) {
		l.settle()
	}},
}

// healed ends every cut.
func (l *lab) healed() {
	l.mark(fault{name: "healed"})
	l.net.heal()
	l.settle()
}

// result is a row of the table, filled in.
type result struct {
	*findings
	name       string
	recoveries []recovery
}

// TestFaults does each fault to a cluster of its own, with clients and publishers at work, and judges what they saw.
func TestFaults(t *testing.T) {
	todo := rows
	if testing.Short() { // under the race detector everything is ten times slower
		todo = []row{rows[0], rows[3], rows[9]}
	}
	done := make([]*result, len(todo))
	t.Run("row", func(t *testing.T) {
		for i, r := range todo {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				l := newLab(t, r.setup)
				l.load(r.setup, uint64(i))
				time.Sleep(time.Second)
				r.steps(l)
				done[i] = l.judge(r.name)
			})
		}
	})
	writeTable(t, done)
}

// judge ends the work, compares the directory with the nodes' tables, and checks all that was seen.
func (l *lab) judge(name string) *result {
	l.t.Helper()
	l.quiet()
	end := l.now()
	l.compare()
	l.end()
	l.store.isWell()
	for _, n := range l.nodes {
		n.isWell()
	}
	r := &result{findings: check(l.history), name: name, recoveries: recoveries(l.history, l.faults, l.span(), end)}
	for _, v := range r.violations[:min(len(r.violations), 10)] {
		l.t.Errorf("%s: %s", name, v)
	}
	if more := len(r.violations) - 10; more > 0 {
		l.t.Errorf("%s: and %d more", name, more)
	}
	for _, v := range r.recoveries {
		if !v.several && v.took > l.span()+slack {
			l.t.Errorf("%s: from %q on, %d of %d pushes to connected keys failed, the last one after %v, and all should be well after %v: %s",
				name, v.name, v.failed, v.tried, v.took, l.span(), v.last)
		}
		if v.tried == 0 {
			l.t.Errorf("%s: from %q on, no push had anybody to reach: nothing is shown", name, v.name)
		}
	}
	l.t.Logf("%s", r)
	return r
}

// String is the row in the table's form.
func (r *result) String() string {
	took, slow, excused := make([]string, 0, len(r.recoveries)), time.Duration(0), 0
	for _, v := range r.recoveries {
		excused += v.excused
		if v.name != "none" && !v.several {
			took = append(took, fmt.Sprintf("%s: %.1f s", v.name, v.took.Seconds()))
			slow = max(slow, v.slow)
		}
	}
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %d | %d | %s | %d | %d ms |", r.name, r.tried, r.delivered, r.nobody, r.refused,
		r.unanswered, r.lost, r.duplicated, r.late, strings.Join(took, ", "), excused, slow.Milliseconds())
}

// tableVar names a file for the table, in Markdown.
const tableVar = "CHAOS_TABLE"

func writeTable(t *testing.T, all []*result) {
	t.Helper()
	text := `| fault | pushes tried | delivered | nobody (404) | refused (503, 504) | no answer (its node was down) | lost | doubled | holders missed by a push that others took | recovered within | failures excused: machine busy | slowest push after that |
|---|---|---|---|---|---|---|---|---|---|---|---|
`
	for _, r := range all {
		if r != nil {
			text += r.String() + "\n"
		}
	}
	t.Logf("\n%s", text)
	if name := os.Getenv(tableVar); name != "" {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Error(err)
		}
	}
}

package compare

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/perf/hist"
)

// way is one way for pushes to come to keys.
type way struct {
	name    string
	through []*server // in turn
	owner   *server   // of the keys; nil: any
	timed   bool      // arrivals are seen by this process
	key     func(i int) string
	read    func(n int) error
}

func (r *clusterRun) toAlone() way {
	return way{name: aloneWay, through: []*server{r.alone}, owner: r.alone, key: keysOf(r.alone), read: r.others[r.alone].readAll}
}

func (r *clusterRun) local() way {
	return way{name: localWay, through: []*server{r.first}, owner: r.first, timed: true, key: keysOf(r.first), read: r.mine.readAll}
}

func (r *clusterRun) remote() way {
	w := r.local()
	w.name, w.through = remoteWay, []*server{r.second}
	return w
}

// random goes through both nodes in turn; whose key it is has nothing to do with it. A key's number below that of a node's
// keys is one of the first node's.
func (r *clusterRun) random() way {
	first, second := keysOf(r.first), keysOf(r.second)
	mine := 0
	return way{
		name: randomWay, through: []*server{r.first, r.second},
		key: func(i int) string {
			if i < r.Conns {
				mine++
				return first(i)
			}
			return second(i - r.Conns)
		},
		read: func(n int) error {
			here := mine
			mine = 0
			if err := r.mine.readAll(here); err != nil {
				return err
			}
			return r.others[r.second].readAll(n - here)
		},
	}
}

// keys is how many keys a way leads to.
func (r *clusterRun) keys(w way) int {
	if w.owner == nil {
		return 2 * r.Conns
	}
	return r.Conns
}

// lines connects n callers for each way.
func (r *clusterRun) lines(ways []way, n int) (all []*callers, err error) {
	for _, w := range ways {
		c, err := call(w.through[0], 0, r.Size)
		if err != nil {
			hangUp(all)
			return nil, err
		}
		all = append(all, c)
		for i := range n {
			if err := c.dial(w.through[i%len(w.through)].publish); err != nil {
				hangUp(all)
				return nil, err
			}
		}
	}
	return all, nil
}

func hangUp(all []*callers) {
	for _, c := range all {
		c.hangUp()
	}
}

// closedLoop is the way's, through callers of it.
func (r *clusterRun) closedLoop(w way, c *callers) *closedLoop {
	keys := r.keys(w)
	return &closedLoop{
		callers: c, keys: keys, sleeps: !r.cpus.apart(), latency: hist.New(0), read: w.read,
		key: func(n int) string { return w.key(scattered(n, keys)) },
	}
}

// everyKey has each node ask the directory for every key, as it does once for those that are pushed to more than once.
func (r *clusterRun) everyKey() error {
	w := r.random()
	for _, through := range []*server{r.first, r.second} {
		c, err := call(through, r.Publishers, r.Size)
		if err != nil {
			return err
		}
		err = r.closedLoop(w, c).stretch(r.keys(w), pushWait)
		c.hangUp()
		if err != nil {
			return fmt.Errorf("%s: %w", through.name, err)
		}
	}
	return nil
}

// flatPushes pushes as fast as the nodes can, each push as soon as the one before is answered.
func (r *clusterRun) flatPushes(ctx context.Context) error {
	ways := []way{r.toAlone(), r.local(), r.remote(), r.random()}
	lines, err := r.lines(ways, r.Publishers)
	if err != nil {
		return err
	}
	defer hangUp(lines)
	for round := -1; round < r.Rounds; round++ { // the first warms up and counts for nothing
		for i, w := range ways {
			if err := r.flatTurn(ctx, w, lines[i], round >= 0); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
		if round >= 0 {
			fmt.Fprintf(r.Progress, "pushes flat out: round %d of %d\n", round+1, r.Rounds)
		}
	}
	return nil
}

func (r *clusterRun) flatTurn(ctx context.Context, w way, c *callers, counts bool) error {
	before, err := r.bill()
	if err != nil {
		return err
	}
	d := r.closedLoop(w, c)
	if err := d.drive(ctx, r.Turn); err != nil {
		return err
	}
	after, err := r.bill()
	if err != nil || !counts {
		return err
	}
	each := func(b, a time.Duration) float64 { return float64(a-b) / 1e3 / float64(d.answered) }
	cpu := each(before.first+before.second, after.first+after.second)
	switch w.name {
	case aloneWay:
		cpu = each(before.alone, after.alone)
	case remoteWay:
		r.put(w.name, flatEntry, each(before.second, after.second))
		r.put(w.name, flatOwner, each(before.first, after.first))
	}
	r.put(w.name, flatCPU, cpu)
	r.put(w.name, flatPerCPU, 1e6/cpu)
	r.put(w.name, flatRate, float64(d.answered)/d.took.Seconds())
	if w.name != aloneWay {
		r.put(w.name, flatStore, each(before.store, after.store))
	}
	sum := d.latency.Summary()
	r.putQuantile(w.name, flatP50, sum, 0.5)
	r.putQuantile(w.name, flatP99, sum, 0.99)
	return nil
}

// bill is the CPU time that each process has spent when none has anything left to do.
type bill struct{ first, second, alone, store time.Duration }

func (r *clusterRun) bill() (b bill, err error) {
	var all sync.WaitGroup
	var failed [4]error
	for i, of := range []struct {
		pid   int
		spent *time.Duration
	}{{r.first.pid(), &b.first}, {r.second.pid(), &b.second}, {r.alone.pid(), &b.alone}, {r.store.pid(), &b.store}} {
		all.Go(func() { *of.spent, failed[i] = settled(of.pid) })
	}
	all.Wait()
	return b, errors.Join(failed[:]...)
}

package compare

import (
	"context"
	"fmt"
	"time"

	"holdfast/perf/hist"
)

// unread is how many messages may wait for each subscriber before they are read: far fewer than a socket's buffer holds.
const unread = 16

// oneKey pushes to one key after the other from several connections, each push as soon as the one before is answered.
func (r *run) oneKey(ctx context.Context) error {
	servers := r.named(holdfastName, nchanName)
	sides, leave, err := r.sides(ctx, servers, r.Publishers, ownKey)
	if err != nil {
		return err
	}
	defer leave()
	return r.turns(ctx, "one-key pushes", servers, func(s *server, counts bool) error {
		before, err := settled(s.pid())
		if err != nil {
			return err
		}
		d := sides[s].closedLoop(r.Conns, !r.cpus.apart())
		if err := d.drive(ctx, r.Turn); err != nil {
			return err
		}
		after, err := settled(s.pid())
		if err != nil || !counts {
			return err
		}
		sum := d.latency.Summary()
		r.add(s, oneKeyCPU, float64(after-before)/1e3/float64(d.answered))
		r.add(s, oneKeyRate, float64(d.answered)/d.took.Seconds())
		r.addQuantile(s, oneKeyP50, sum, 0.5)
		r.addQuantile(s, oneKeyP99, sum, 0.99)
		return nil
	})
}

// closedLoop pushes to a crowd's keys in turn.
func (s side) closedLoop(keys int, sleeps bool) *closedLoop {
	return &closedLoop{
		callers: s.callers, keys: keys, sleeps: sleeps, latency: hist.New(0),
		key: func(n int) string { return ownKey(n % keys) }, read: s.crowd.readAll,
	}
}

// closedLoop keeps every caller busy for a while. Its latencies are those of a server that is full, and say how long its
// queue is rather than how fast it is.
type closedLoop struct {
	callers *callers
	keys    int
	key     func(n int) string // of the n-th push, from 1 on
	read    func(n int) error  // takes the n messages that are due
	sleeps  bool               // when there is nothing to do; else it looks again, and no server has to wake it
	latency *hist.Recorder

	sent, answered int
	started        []time.Duration // of each line's push, since begun
	begun          time.Time
	took           time.Duration // without the time for reading
}

// drive pushes for so long and then until all is answered and read. Subscribers read in pauses in which nothing is under way.
func (d *closedLoop) drive(ctx context.Context, turn time.Duration) error {
	for ctx.Err() == nil && d.took < turn {
		if err := d.stretch(unread*d.keys, turn-d.took); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// stretch is n pushes, or as many as there is time for, and the reading of them.
func (d *closedLoop) stretch(n int, left time.Duration) error {
	d.started = make([]time.Duration, len(d.callers.lines))
	sent := d.sent
	d.begun = time.Now()
	for i := range d.callers.lines {
		if err := d.next(i); err != nil {
			return err
		}
	}
	if err := d.burst(sent+n, left); err != nil {
		return err
	}
	d.took += time.Since(d.begun)
	return d.read(d.sent - sent)
}

// burst goes on until so many pushes are sent, or time is up, and everything is answered.
func (d *closedLoop) burst(until int, left time.Duration) error {
	timeout := time.Duration(0)
	if d.sleeps {
		timeout = time.Second
	}
	for d.answered < d.sent {
		now := time.Since(d.begun)
		if now > left+pushWait {
			return fmt.Errorf("%d pushes have no answer after %v", d.sent-d.answered, pushWait)
		}
		if err := d.callers.look(timeout, func(i int) error {
			now := time.Since(d.begun)
			d.latency.Record(int64(d.started[i]), int64(now))
			d.answered++
			if d.sent >= until || now >= left {
				return nil
			}
			return d.next(i)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (d *closedLoop) next(i int) error {
	d.started[i] = time.Since(d.begun)
	d.sent++
	return d.callers.push(i, d.key(d.sent))
}

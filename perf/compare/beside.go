package compare

import (
	"context"
	"fmt"
	"time"

	"holdfast/perf/hist"
)

// besideFanouts are the fan-outs of one round: what they leave unread must fit into each subscriber's socket buffer.
const besideFanouts = 16

// probers are connections that may wait for the answer to a one-key push beside a fan-out. Probes are sent on time, so
// there must be more of them than can ever be under way in a server that keeps its promises.
const probers = 32

// beside pushes to one key at a time, on schedule, first alone and then while a group on the same loop is pushed to without
// pause. Latencies count from when a push was due.
func (r *run) beside(ctx context.Context) error {
	servers := r.named(holdfastName)
	if len(servers) == 0 {
		return nil
	}
	s := servers[0]
	group, err := joined(ctx, s, r.Group, sameKey)
	if err != nil {
		return err
	}
	defer group.leave()
	holders, err := joined(ctx, s, r.holders(), ownKey)
	if err != nil {
		return err
	}
	defer holders.leave()
	c, err := call(s, 1+probers, r.Size)
	if err != nil {
		return err
	}
	defer c.hangUp()
	return r.turns(ctx, "one-key pushes beside a fan-out", servers, func(s *server, counts bool) error {
		before, err := waited(s.pid())
		if err != nil {
			return err
		}
		loud, err := r.probe(ctx, c, group, holders, besideFanouts, 0)
		if err != nil {
			return err
		}
		after, err := waited(s.pid())
		if err != nil {
			return err
		}
		quiet, err := r.probe(ctx, c, group, holders, 0, loud.elapsed)
		if err != nil || !counts {
			return err
		}
		sum, alone := loud.latency.Summary(), quiet.latency.Summary()
		r.addQuantile(s, aloneP50, alone, 0.5)
		r.addQuantile(s, aloneP99, alone, 0.99)
		r.addQuantile(s, besideP50, sum, 0.5)
		r.addQuantile(s, besideP99, sum, 0.99)
		r.addQuantile(s, besideP999, sum, 0.999)
		r.add(s, besideWall, loud.elapsed.Seconds()*1e3/besideFanouts)
		r.add(s, besideWaited, float64(after-before)/float64(loud.elapsed)*100)
		return nil
	})
}

// probe pushes to one key at a time until so many fan-outs are done and the time is up. All is read in the end only.
func (r *run) probe(ctx context.Context, c *callers, group, holders *crowd, fanouts int, lasts time.Duration) (*openLoop, error) {
	p := &openLoop{callers: c, holders: r.holders(), sleeps: !r.cpus.apart(), latency: hist.New(0)}
	if err := p.drive(ctx, fanouts, lasts, int64(r.Rate)); err != nil {
		return nil, err
	}
	if err := group.readAll(fanouts * r.Group); err != nil {
		return nil, err
	}
	return p, holders.readAll(p.sent)
}

// openLoop sends probes on schedule over all lines but the first, over which fan-outs follow one another.
type openLoop struct {
	*callers
	holders int
	sleeps  bool
	latency *hist.Recorder
	elapsed time.Duration // until the last fan-out was answered

	plan  hist.Schedule
	begun time.Time
	due   []int64 // when the push of each line was due
	free  []int   // lines
	sent  int     // probes
}

func (p *openLoop) now() int64 { return int64(time.Since(p.begun)) }

func (p *openLoop) drive(ctx context.Context, fanouts int, lasts time.Duration, rate int64) error {
	p.plan, p.begun = hist.Every(0, rate, time.Second), time.Now()
	p.due, p.free = make([]int64, len(p.lines)), p.free[:0]
	for i := 1; i < len(p.lines); i++ {
		p.free = append(p.free, i)
	}
	left := fanouts
	if left > 0 {
		if err := p.push(0, groupKey); err != nil {
			return err
		}
	}
	answered := func(i int) error {
		if i > 0 {
			p.latency.Record(p.due[i], p.now())
			p.free = append(p.free, i)
			return nil
		}
		p.elapsed = time.Duration(p.now())
		if left--; left == 0 {
			return nil
		}
		return p.push(0, groupKey)
	}
	for left > 0 || p.now() < int64(lasts) || len(p.free) < len(p.lines)-1 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.now() > int64(lasts+time.Duration(fanouts+1)*pushWait) {
			return fmt.Errorf("%d fan-outs have no answer", left)
		}
		if left > 0 || p.now() < int64(lasts) {
			if err := p.sendDue(); err != nil {
				return err
			}
		}
		if err := p.look(p.patience(), answered); err != nil {
			return err
		}
	}
	return nil
}

// patience is 0 where there is a CPU to spare for being exact.
func (p *openLoop) patience() time.Duration {
	if p.sleeps {
		return time.Millisecond
	}
	return 0
}

// sendDue sends the probes that are due, as far as lines are free. What has to wait for one counts from when it was due.
func (p *openLoop) sendDue() error {
	for int64(p.sent) < p.plan.Due(p.now()) && len(p.free) > 0 {
		i := p.free[0] // each in turn: servers close connections that are idle for long
		p.free = append(p.free[:0], p.free[1:]...)
		p.due[i] = p.plan.At(int64(p.sent))
		if err := p.push(i, ownKey(p.sent%p.holders)); err != nil {
			return err
		}
		p.sent++
	}
	return nil
}

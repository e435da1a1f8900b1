package compare

import (
	"context"
	"fmt"
	"time"

	"holdfast/perf/hist"
)

// scheduled are connections that push on schedule: more than can be under way in servers that keep up.
const scheduled = 64

// firstPushes pushes to each key for the first time: nodes have to ask the directory who else holds it.
func (r *clusterRun) firstPushes(ctx context.Context) error {
	turn := min(r.Turn, time.Duration(r.Conns/(r.Rounds+1))*time.Second/time.Duration(r.Rate)) // no key twice
	ways := []way{r.local(), r.remote()}
	return r.paced(ctx, "first pushes to a key", turn, ways, func(p map[string]*pacer) {
		for _, w := range ways {
			r.putQuantile(w.name, firstAnswer50, p[w.name].answer.Summary(), 0.5)
			r.putQuantile(w.name, firstAnswer99, p[w.name].answer.Summary(), 0.99)
		}
	})
}

// pacedPushes pushes to keys whose holders every node knows. What the way between nodes adds is told round by round.
func (r *clusterRun) pacedPushes(ctx context.Context) error {
	if err := r.everyKey(); err != nil {
		return err
	}
	ways := []way{r.toAlone(), r.local(), r.remote()}
	return r.paced(ctx, "pushes on schedule", r.Turn, ways, func(p map[string]*pacer) {
		for _, w := range ways {
			answer, arrival := p[w.name].answer.Summary(), p[w.name].arrival.Summary()
			r.putQuantile(w.name, pacedAnswer50, answer, 0.5)
			r.putQuantile(w.name, pacedAnswer99, answer, 0.99)
			r.putQuantile(w.name, pacedArrival50, arrival, 0.5)
			r.putQuantile(w.name, pacedArrival99, arrival, 0.99)
		}
		local, remote := p[localWay], p[remoteWay]
		r.putAdded(addedAnswer50, remote.answer, local.answer, 0.5)
		r.putAdded(addedAnswer99, remote.answer, local.answer, 0.99)
		r.putAdded(addedArrival50, remote.arrival, local.arrival, 0.5)
		r.putAdded(addedArrival99, remote.arrival, local.arrival, 0.99)
	})
}

// putAdded notes by how much a latency is longer than another, in ms.
func (r *clusterRun) putAdded(k kind, longer, than *hist.Recorder, q float64) {
	a, b := longer.Summary(), than.Summary()
	x, ok := a.Quantile(q)
	y, too := b.Quantile(q)
	if ok && too {
		r.put(remoteWay, k, (x-y).Seconds()*1e3)
	}
}

// paced gives each way its turn in each round, told of all of a round's together. Keys come in turn, scattered over the
// table, and go on from round to round.
func (r *clusterRun) paced(ctx context.Context, what string, turn time.Duration, ways []way, told func(map[string]*pacer)) error {
	lines, err := r.lines(ways, scheduled)
	if err != nil {
		return err
	}
	defer hangUp(lines)
	pushed := make(map[string]int)
	for round := -1; round < r.Rounds; round++ { // the first warms up and counts for nothing
		of := make(map[string]*pacer)
		for i, w := range ways {
			p := &pacer{
				callers: lines[i], key: w.key, keys: r.Conns, pushed: pushed[w.name], sleeps: !r.cpus.apart(),
				answer: hist.New(0), arrival: hist.New(0), due: make([]int64, r.Conns),
			}
			if w.timed {
				p.crowd = r.mine
			}
			if err := p.drive(ctx, turn, int64(r.Rate)); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			if !w.timed {
				if err := w.read(p.pushed - pushed[w.name]); err != nil {
					return fmt.Errorf("%s: %w", w.name, err)
				}
			}
			pushed[w.name], of[w.name] = p.pushed, p
		}
		if round >= 0 {
			told(of)
			fmt.Fprintf(r.Progress, "%s: round %d of %d\n", what, round+1, r.Rounds)
		}
	}
	return nil
}

// pacer sends pushes on schedule and times verdicts and arrivals from when they were due.
type pacer struct {
	callers *callers
	crowd   *crowd // whose arrivals are timed; nil: nobody's are
	key     func(i int) string
	keys    int
	pushed  int // since the first round
	sleeps  bool
	answer  *hist.Recorder
	arrival *hist.Recorder

	begun   time.Time
	plan    hist.Schedule
	due     []int64 // of each key's push that has not arrived, ns since begun + 1
	asked   []int64 // of each line's push, ns since begun
	free    []int   // lines
	missing int     // arrivals
	sent    int
}

func (p *pacer) now() int64 { return int64(time.Since(p.begun)) }

func (p *pacer) drive(ctx context.Context, lasts time.Duration, rate int64) (err error) {
	if p.crowd != nil {
		if err := p.crowd.watch(true); err != nil {
			return err
		}
		defer p.crowd.watch(false) // they were watched
	}
	p.asked = make([]int64, len(p.callers.lines))
	for i := range p.callers.lines {
		p.free = append(p.free, i)
	}
	patience := time.Duration(0) // there is a CPU to spare for being exact
	if p.sleeps {
		patience = time.Millisecond
	}
	p.plan, p.begun = hist.Every(0, rate, time.Second), time.Now()
	total := p.plan.Due(int64(lasts) - 1)
	for int64(p.sent) < total || len(p.free) < len(p.callers.lines) || p.missing > 0 { // what was due is sent, however late
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.now() > int64(lasts+pushWait) {
			return fmt.Errorf("%d pushes have no answer, %d have not arrived", len(p.callers.lines)-len(p.free), p.missing)
		}
		if err := p.sendDue(min(p.now(), int64(lasts)-1)); err != nil {
			return err
		}
		if err := p.callers.look(patience, p.answered); err != nil {
			return err
		}
		if p.crowd == nil {
			continue
		}
		if err := p.crowd.arrived(p.arrived); err != nil {
			return err
		}
	}
	return nil
}

// sendDue sends what is due, as far as lines are free. What has to wait for one counts from when it was due.
func (p *pacer) sendDue(now int64) error {
	for int64(p.sent) < p.plan.Due(now) && len(p.free) > 0 {
		key := scattered(p.pushed, p.keys)
		if p.due[key] != 0 {
			return nil // it waits for the one before
		}
		i := p.free[0]
		p.free = append(p.free[:0], p.free[1:]...)
		p.asked[i] = p.plan.At(int64(p.sent))
		if p.crowd != nil {
			p.due[key] = p.asked[i] + 1
			p.missing++
		}
		if err := p.callers.push(i, p.key(key)); err != nil {
			return err
		}
		p.sent++
		p.pushed++
	}
	return nil
}

func (p *pacer) answered(i int) error {
	p.answer.Record(p.asked[i], p.now())
	p.free = append(p.free, i)
	return nil
}

// arrived notes the arrival of messages at a key.
func (p *pacer) arrived(at, messages int) error {
	if messages != 1 || p.due[at] == 0 {
		return fmt.Errorf("%d messages came to a key that had no push under way", messages)
	}
	p.arrival.Record(p.due[at]-1, p.now())
	p.due[at] = 0
	p.missing--
	return nil
}

// stride is prime: steps of it visit each key once before any again, far from the one before.
const stride = 7919

// scattered is the i-th of n keys in a scattered order.
func scattered(i, n int) int {
	if n%stride == 0 {
		return i % n
	}
	return i % n * stride % n
}

package directory

import (
	"container/heap"
	"time"
)

// askers are those who wait, as a heap: the earliest deadline is first.
type askers []*asker

// Len is the number of those who wait.
func (a askers) Len() int { return len(a) }

// Less orders them by their deadlines.
func (a askers) Less(i, j int) bool { return a[i].deadline.Before(a[j].deadline) }

// Swap exchanges two places.
func (a askers) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}

// Push appends one, for container/heap.
func (a *askers) Push(x any) {
	k := x.(*asker)
	k.place = len(*a)
	*a = append(*a, k)
}

// Pop takes the last one away, for container/heap.
func (a *askers) Pop() any {
	last := len(*a) - 1
	k := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return k
}

// expire is the goroutine that answers those whose deadline passes.
func (a *asks) expire() {
	defer a.d.running.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for a.d.ctx.Err() == nil {
		late, wait := a.late(time.Now())
		for _, done := range late {
			a.d.tally.asksFailed.Add(1)
			done(Answer{Err: errLate})
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-a.sooner:
		case <-a.d.ctx.Done():
		}
	}
}

// late takes those out whose deadline has passed, and tells how long it is until the next one.
func (a *asks) late(now time.Time) (late []func(Answer), wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.due) > 0 {
		if wait := a.due[0].deadline.Sub(now); wait > 0 {
			return late, wait
		}
		late = append(late, a.drop(a.due[0]))
	}
	return late, never
}

// drop takes an asker out and returns whom to tell. A question that nobody waits for any more is not asked. The caller
// has locked mu.
func (a *asks) drop(k *asker) (done func(Answer)) {
	heap.Remove(&a.due, k.place)
	done, k.done = k.done, nil
	q := k.of
	q.live--
	if key := a.byHash[q.hash]; q.live == 0 && key.next == q {
		key.next = nil
		if key.underway == nil {
			delete(a.byHash, q.hash)
		}
	}
	return done
}

// answer tells all who wait for a question.
func (a *asks) answer(q *question, answer Answer) {
	a.mu.Lock()
	tell := make([]func(Answer), 0, q.live)
	for _, k := range q.askers {
		if k.done != nil {
			tell = append(tell, a.drop(k))
		}
	}
	a.mu.Unlock()
	if answer.Err != nil {
		a.d.tally.asksFailed.Add(uint64(len(tell)))
	}
	for _, done := range tell {
		done(answer)
	}
}

// latest is until when anybody waits for a batch.
func (a *asks) latest(b *batch) (at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range b.questions {
		for _, k := range q.askers {
			if k.deadline.After(at) {
				at = k.deadline
			}
		}
	}
	return at
}

// stop answers all who wait, and ends the workers.
func (a *asks) stop() {
	a.mu.Lock()
	a.ended = true
	tell := make([]func(Answer), 0, len(a.due))
	for len(a.due) > 0 {
		tell = append(tell, a.drop(a.due[0]))
	}
	a.more.Broadcast()
	a.mu.Unlock()
	for _, done := range tell {
		done(Answer{Err: errClosed})
	}
}

// waiting is the number of those who wait.
func (a *asks) waiting() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.due)
}

package model

import "time"

// event is something that one node does, or with node -1 the world.
type event struct {
	at   time.Duration // since the start
	seq  uint64        // equal times keep the order in which they were planned
	node int
	do   func(s *scene, node int)
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// calendar is what is still to happen: a binary heap, the next event first.
type calendar struct {
	heap []event
	seq  uint64
}

func (c *calendar) add(at time.Duration, node int, do func(*scene, int)) {
	c.seq++
	c.heap = append(c.heap, event{at, c.seq, node, do})
	for i := len(c.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !c.heap[i].before(&c.heap[up]) {
			break
		}
		c.heap[i], c.heap[up] = c.heap[up], c.heap[i]
		i = up
	}
}

// next takes the earliest event. The calendar is never empty: the world's own step is always in it.
func (c *calendar) next() event {
	first, last := c.heap[0], len(c.heap)-1
	c.heap[0] = c.heap[last]
	c.heap = c.heap[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if c.heap[child].before(&c.heap[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		c.heap[i], c.heap[least] = c.heap[least], c.heap[i]
		i = least
	}
}

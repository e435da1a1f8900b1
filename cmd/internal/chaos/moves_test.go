package chaos

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// movers are clients that go from a to b while pushes follow them through a.
type movers struct {
	*lab
	here   []*line
	pushes sync.WaitGroup
}

const moverCount = 30

func (m *movers) open(i int, n *node) *line {
	m.t.Helper()
	x, err := m.lab.open(fmt.Sprint("mover-", i), n)
	if err != nil {
		m.t.Fatal(err)
	}
	return x
}

// follow pushes to a client through a, in the background.
func (m *movers) follow(word string, i int) {
	id, key := fmt.Sprint(word, "-", i), m.here[i].key
	m.pushes.Go(func() { m.push(id, key, m.nodes[0], false) })
}

// leaveFirst moves everybody: they go, and come again.
func (m *movers) leaveFirst() {
	for i, x := range m.here {
		x.close(m.lab)
		m.here[i] = m.open(i, m.nodes[1])
		m.follow("after", i)
	}
}

// comeFirst moves everybody: they come, and go once the push is on its way.
func (m *movers) comeFirst() {
	left := m.here
	m.here = make([]*line, moverCount)
	for i := range left {
		m.here[i] = m.open(i, m.nodes[1])
		m.follow("after", i)
	}
	time.Sleep(100 * time.Millisecond)
	for _, x := range left {
		x.close(m.lab)
	}
}

// A node that has not heard of the store for a moment still has answers of it, and they are out of date as soon as
// somebody moves. Whoever follows the clients through that node must not be told that nobody is there.
func TestMoversAreFollowed(t *testing.T) {
	t.Parallel()
	f := func(name string, trouble func(l *lab), move func(*movers), over func(l *lab)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := usual
			s.lease = 2 * time.Second
			m := &movers{lab: newLab(t, s)}
			for i := range moverCount {
				m.here = append(m.here, m.open(i, m.nodes[0]))
				m.follow("before", i) // so that a keeps an answer
			}
			m.pushes.Wait()
			trouble(m.lab)
			move(m)
			over(m.lab)
			time.Sleep(3 * time.Second)
			for _, x := range m.here {
				x.close(m.lab)
			}
			m.pushes.Wait()
			m.background.Wait()
			got := check(m.history)
			for _, v := range got.violations {
				t.Error(v)
			}
			if got.delivered < moverCount {
				t.Errorf("%d of %d pushes were delivered: nothing is shown", got.delivered, got.tried)
			}
		})
	}
	none := func(*lab) {}
	f("with the store", none, (*movers).leaveFirst, none)
	f("without the store", func(l *lab) { l.net.cut(l.storeHost, l.nodes[0].host) }, (*movers).leaveFirst, none)
	f("without the store's words", func(l *lab) { l.net.cutOneWay(l.storeHost, l.nodes[0].host) }, (*movers).leaveFirst, none)
	// Pushes, hang-ups and what the store has to tell are all there at once when the node opens its eyes.
	blink := func(l *lab) { l.stall(l.nodes[0]) }
	wake := func(l *lab) { l.resume(l.nodes[0]) }
	f("in a blink", blink, (*movers).leaveFirst, wake)
	f("in a blink, with two connections for a moment", blink, (*movers).comeFirst, wake)
}

package chaos

import (
	"fmt"
	"testing"
	"time"
)

// A node that has just been cut off from the store still has answers of it, and they are out of date as soon as somebody
// moves. Whoever follows the clients through that node must not be told that nobody is there.
func TestMoversAreFollowed(t *testing.T) {
	t.Parallel()
	f := func(name string, cut func(l *lab)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := usual
			s.lease = 2 * time.Second
			l := newLab(t, s)
			a, b := l.nodes[0], l.nodes[1]
			const keys = 30
			there := make([]*line, keys)
			move := func(i int, n *node) {
				if there[i] != nil {
					there[i].close(l)
				}
				var err error
				if there[i], err = l.open(fmt.Sprint("mover-", i), n); err != nil {
					t.Fatal(err)
				}
			}
			for i := range keys {
				move(i, a)
				l.push(fmt.Sprint("before-", i), there[i].key, a, false) // so that a keeps an answer
			}
			cut(l)
			for i := range keys {
				move(i, b)
				l.background.Go(func() { l.push(fmt.Sprint("after-", i), there[i].key, a, false) })
			}
			time.Sleep(3 * time.Second)
			for _, x := range there {
				x.close(l)
			}
			l.background.Wait()
			got := check(l.history)
			for _, v := range got.violations {
				t.Error(v)
			}
			if got.delivered < keys {
				t.Errorf("%d of %d pushes were delivered: nothing is shown", got.delivered, got.tried)
			}
		})
	}
	f("with the store", func(*lab) {})
	f("without the store", func(l *lab) { l.net.cut(l.storeHost, l.nodes[0].host) })
	f("without the store's words", func(l *lab) { l.net.cutOneWay(l.storeHost, l.nodes[0].host) })
}

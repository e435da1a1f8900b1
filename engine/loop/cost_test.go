package loop

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

func TestARecordIsSmall(t *testing.T) {
	const ceiling = 96 // bytes of an idle connection, see the memory budget
	if size := reflect.TypeFor[conn]().Size(); size > ceiling {
		t.Errorf("a record has %d bytes, more than %d", size, ceiling)
	}
}

// nothing is a kernel in which one socket takes whatever it is sent, and gives what it is asked for.
type nothing struct {
	now     int64
	input   []byte // what the next Read returns
	event   epoll.Event
	ready   bool
	waiting int // connections to be accepted
	fds     int
}

func (k *nothing) Add(int, uint64, uint32) error { return nil }
func (k *nothing) Mod(int, uint64, uint32) error { return nil }
func (k *nothing) Del(int) error                 { return nil }
func (k *nothing) Wake()                         {}
func (k *nothing) Close(int, epoll.Closing)      {}
func (k *nothing) Now() int64                    { k.now += 1000; return k.now }

func (k *nothing) Wait(events []epoll.Event, _ time.Duration) (int, error) {
	if !k.ready {
		return 0, nil
	}
	k.ready = false
	events[0] = k.event
	return 1, nil
}

func (k *nothing) Accept(int) (int, error) {
	if k.waiting == 0 {
		return -1, unix.EAGAIN
	}
	k.waiting--
	k.fds++
	return k.fds, nil
}

func (k *nothing) Read(_ int, b []byte) (int, error) { return copy(b, k.input), nil }
func (k *nothing) Send(_ int, b []byte) (int, error) { return len(b), nil }
func (k *nothing) Sendv(_ int, p [][]byte) (n int, _ error) {
	for _, b := range p {
		n += len(b)
	}
	return n, nil
}

// quiet is a session and tenant that only counts.
type quiet struct {
	*Loop
	slot            uint32
	use             int // bytes of input that it uses, all below 0
	closed, settled int
	work            func()
}

func (q *quiet) Received(_ uint32, b []byte) int {
	if q.use >= 0 {
		return q.use
	}
	return len(b)
}

func (q *quiet) Happened(slot uint32, e Event) {
	if e == Opened {
		q.slot = slot
	}
}
func (q *quiet) Closed(uint32, record.Reason) { q.closed++ }
func (q *quiet) Settled(uint32, record.Fate)  { q.settled++ }
func (q *quiet) Work(int64) time.Duration {
	if q.work != nil {
		q.work()
	}
	return -1
}

func quietLoop(t testing.TB) (*quiet, *nothing) {
	k := &nothing{}
	q := &quiet{Loop: New(k, Config{}), use: -1}
	q.Speak(record.HTTP1, q)
	q.Host(q)
	if _, err := q.Listen(1000, record.HTTP1, 0); err != nil {
		t.Fatal(err)
	}
	q.connect(k)
	return q, k
}

func (q *quiet) connect(k *nothing) {
	k.waiting, k.ready, k.event = 1, true, epoll.NewEvent(listenerTag, epoll.In)
	q.Tick()
}

// deliver makes the next tick push one message to the connection.
func (q *quiet) deliver(p *mem.Payload) {
	q.work = func() {
		if q.Push(q.slot, p, p.Frame(0, frame), 1) != record.Staged {
			panic("not staged")
		}
	}
}

func BenchmarkTickWithOnePush(b *testing.B) {
	q, _ := quietLoop(b)
	p := payload(strings.Repeat("m", 100))
	q.deliver(p)
	b.ReportAllocs()
	for b.Loop() {
		q.Tick()
	}
	if q.settled < b.N {
		b.Fatalf("%d settled of %d", q.settled, b.N)
	}
}

func BenchmarkIdleTick(b *testing.B) {
	q, _ := quietLoop(b)
	for b.Loop() {
		q.Tick()
	}
}

func BenchmarkAcceptAndClose(b *testing.B) {
	q, k := quietLoop(b)
	b.ReportAllocs()
	for b.Loop() {
		q.Close(q.slot, record.ReasonDone)
		q.connect(k)
	}
}

//go:build !race

package scenario

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
	"holdfast/engine/record"
)

// quiet is a kernel that allocates nothing, so that what is counted is the engine's: each descriptor's input is what a
// test has set, and output is counted and forgotten.
type quiet struct {
	now     int64
	tags    [16]uint64
	backlog []int
	input   [16][]byte
	output  [16]int
}

const quietListener = 1

func (k *quiet) Add(fd int, tag uint64, _ uint32) error { k.tags[fd] = tag; return nil }
func (k *quiet) Mod(int, uint64, uint32) error          { return nil }
func (k *quiet) Del(int) error                          { return nil }
func (k *quiet) Wake()                                  {}
func (k *quiet) Now() int64                             { return k.now }
func (k *quiet) Close(int, epoll.Closing)               {}

func (k *quiet) Wait(events []epoll.Event, _ time.Duration) (n int, err error) {
	k.now += int64(time.Millisecond)
	if len(k.backlog) > 0 {
		events[n] = epoll.NewEvent(k.tags[quietListener], epoll.In)
		n++
	}
	for fd := range k.input {
		if len(k.input[fd]) > 0 && k.tags[fd] != 0 {
			events[n] = epoll.NewEvent(k.tags[fd], epoll.In)
			n++
		}
	}
	return n, nil
}

func (k *quiet) Accept(int) (int, error) {
	if len(k.backlog) == 0 {
		return -1, unix.EAGAIN
	}
	fd := k.backlog[0]
	k.backlog = k.backlog[1:]
	return fd, nil
}

func (k *quiet) Read(fd int, b []byte) (int, error) {
	if len(k.input[fd]) == 0 {
		return 0, unix.EAGAIN
	}
	n := copy(b, k.input[fd])
	k.input[fd] = k.input[fd][n:]
	return n, nil
}

func (k *quiet) Send(fd int, b []byte) (int, error) {
	k.output[fd] += len(b)
	return len(b), nil
}

func (k *quiet) Sendv(fd int, parts [][]byte) (n int, err error) {
	for _, p := range parts {
		n += len(p)
	}
	k.output[fd] += n
	return n, nil
}

// A push to a held connection allocates nothing: parse, lookup, mail, frame, send, verdict and answer, once all is warm.
func TestPushDoesNotAllocate(t *testing.T) {
	const publisher, subscriber = 10, 2
	f := func(name string, loops, holders int, request string) {
		t.Helper()
		c := config{loops: loops}
		c.gateway.IDWindow = -1 // each push here has the same id
		shared := newShared(c)
		for i := range shared.Snapshot.Load().Routes { // one listener serves both
			shared.Snapshot.Load().Routes[i].Listener = 0
		}
		kernels := make([]*quiet, loops)
		units := make([]*unit, loops)
		for i := range loops {
			kernels[i], units[i] = &quiet{now: 1}, new(unit)
			units[i].assemble(i, kernels[i], shared, c)
			if _, err := units[i].loop.Listen(quietListener, record.HTTP1, 0); err != nil {
				t.Fatal(err)
			}
		}
		for i := range holders {
			kernels[0].backlog = append(kernels[0].backlog, subscriber+i)
			kernels[0].input[subscriber+i] = []byte("GET /sub/alice HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n")
		}
		last := kernels[loops-1]
		last.backlog = append(last.backlog, publisher)
		b := []byte(request)
		push := func() {
			last.input[publisher] = b
			for range 3 {
				for _, u := range units {
					u.loop.Tick()
				}
			}
		}
		for range 200 {
			push()
		}
		answered, sent := last.output[publisher], kernels[0].output[subscriber]
		allocs := testing.AllocsPerRun(200, push)
		answered, sent = last.output[publisher]-answered, kernels[0].output[subscriber]-sent
		if answered < 201*180 || sent < 201*len("data: hello, this is a message\n\n") {
			t.Fatalf("%s: %d bytes of answers, %d of messages", name, answered, sent)
		}
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
	raw := post("/push/alice", "hello, this is a message")
	f("one loop", 1, 1, raw)
	f("two loops", 2, 1, raw)
	f("a group", 1, 3, raw)
	f("a group, another loop", 2, 3, raw)
	f("by field, with an id", 1, 1, post("/push", "hello, this is a message", "Push-Key: alice", "Push-Id: 1", "Push-Event: e"))
}

// One-key pushes are answered within two ticks while a fan-out to 17,000 connections is under way on the same loop.
func TestPushDuringLargeFanout(t *testing.T) {
	n := newNode(t, 1, config{loops: 1})
	u := n.units[0]
	const members = 17_000
	for range members {
		u.subscribe("large", sse)
	}
	u.subscribe("alice", sse)
	n.rest()
	publisher := u.push("/push/nobody", "")
	n.rest()
	publisher.Read()
	large := u.push("/push/large", "m")
	u.loop.Tick()
	u.loop.Tick()
	most, pushes, ticks := 0, 0, 2
	for ; len(large.read()) == 0; pushes++ {
		publisher.Write([]byte(post("/push/alice", "m")))
		waited := 0
		for len(publisher.Read()) == 0 {
			u.loop.Tick()
			waited++
		}
		most = max(most, waited)
		ticks += waited
	}
	v, _ := large.verdict()
	t.Logf("%d deliveries in %d ticks; %d pushes meanwhile, the slowest took %d ticks", members, ticks, pushes, most)
	if v.Delivered != members || most > 2 || ticks < members/128 {
		t.Errorf("%v; the slowest push took %d ticks of %d", v, most, ticks)
	}
	n.end()
}

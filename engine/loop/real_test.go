package loop

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/engine/epoll"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

// realLoop is a loop on the system's epoll, running on a goroutine of its own.
type realLoop struct {
	*Loop
	address string
	slots   []uint32
	opened  atomic.Int64
	settled int
	all     chan struct{} // a fan-out's last fate
	want    int
	err     chan error
}

func startReal(t testing.TB) *realLoop {
	k, err := epoll.New()
	if err != nil {
		t.Fatal(err)
	}
	fd, address, err := epoll.Listen(netip.MustParseAddrPort("127.0.0.1:0"), epoll.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := &realLoop{Loop: New(k, Config{}), address: address.String(), all: make(chan struct{}, 1), err: make(chan error, 1)}
	l.Speak(record.HTTP1, l)
	l.Host(l)
	if _, err := l.Listen(fd, record.HTTP1, 0); err != nil {
		t.Fatal(err)
	}
	go func() { l.err <- l.Run() }()
	t.Cleanup(func() {
		l.Post(l.Stop)
		if err := <-l.err; err != nil {
			t.Error(err)
		}
		k.Free()
		if n := l.records.Live(); n != 0 {
			t.Errorf("%d records left", n)
		}
	})
	return l
}

func (l *realLoop) Received(slot uint32, b []byte) int { l.Write(slot, b); return len(b) }

func (l *realLoop) Happened(slot uint32, e Event) {
	switch e {
	case Opened:
		l.slots = append(l.slots, slot)
		l.opened.Add(1)
	case Ended:
		l.CloseAfterWrite(slot)
	case Drained:
		l.Close(slot, record.ReasonDone)
	default:
	}
}

func (l *realLoop) Closed(uint32, record.Reason) {}
func (l *realLoop) Work(int64) time.Duration     { return -1 }

func (l *realLoop) Settled(_ uint32, f record.Fate) {
	if f != record.Delivered {
		panic(f.String())
	}
	if l.settled++; l.settled == l.want {
		l.all <- struct{}{}
	}
}

func (l *realLoop) fan(p *mem.Payload) {
	l.settled, l.want = 0, len(l.slots)
	for _, slot := range l.slots {
		l.Push(slot, p, p.Frame(0, frame), 1)
	}
}

func (l *realLoop) dial(t testing.TB) net.Conn {
	c, err := net.Dial("tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestEchoOverRealSockets(t *testing.T) {
	l := startReal(t)
	var group sync.WaitGroup
	for i := range 16 {
		c := l.dial(t)
		group.Go(func() {
			want := bytes.Repeat([]byte{byte(i), 1, 2, 3}, 50_000*(i%3)+1)
			go func() {
				c.Write(want)
				c.(*net.TCPConn).CloseWrite()
			}()
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("client %d: %d bytes of %d came back: %v", i, len(got), len(want), err)
			}
		})
	}
	group.Wait()
}

func TestPostReachesALoopThatSleeps(t *testing.T) {
	l := startReal(t)
	for range 200 {
		done := make(chan struct{})
		for !l.Post(func() { close(done) }) {
		}
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Fatal("a post was not run")
		}
	}
}

// Measures 128 deliveries of one message, the most that a tick does, with the readers' work outside the figure where
// they run on another core.
func BenchmarkFanOutOverRealSockets(b *testing.B) {
	const members = 128
	l := startReal(b)
	for range members {
		c := l.dial(b)
		go io.Copy(io.Discard, c)
	}
	for l.opened.Load() < members {
		time.Sleep(time.Millisecond)
	}
	p := payload(strings.Repeat("m", 100))
	fan := func() { l.fan(p) }
	b.ReportAllocs()
	for b.Loop() {
		l.Post(fan)
		<-l.all
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/members, "ns/delivery")
}

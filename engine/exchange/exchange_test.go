package exchange_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/engine/exchange"
	"holdfast/engine/loop"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/simkernel"
)

// journal is a session that writes down what it is asked.
type journal struct {
	name  string
	lines []string
}

func (j *journal) note(slot uint32, format string, args ...any) {
	j.lines = append(j.lines, fmt.Sprintf("%s %d ", j.name, slot)+fmt.Sprintf(format, args...))
}

func (j *journal) Respond(slot uint32, r *exchange.Response) { j.note(slot, "respond %d", r.Status) }
func (j *journal) Open(slot uint32, r *exchange.Response)    { j.note(slot, "open %d", r.Status) }
func (j *journal) Write(slot uint32, b []byte)               { j.note(slot, "write %s", b) }
func (j *journal) WantDrained(slot uint32)                   { j.note(slot, "want drained") }
func (j *journal) End(slot uint32)                           { j.note(slot, "end") }
func (j *journal) Beat(slot uint32, d time.Duration)         { j.note(slot, "beat %v", d) }
func (j *journal) Goaway(slot uint32)                        { j.note(slot, "goaway") }
func (j *journal) Pause(slot uint32)                         { j.note(slot, "pause") }
func (j *journal) Resume(slot uint32)                        { j.note(slot, "resume") }
func (j *journal) Patience(slot uint32, d time.Duration)     { j.note(slot, "patience %v", d) }

func (j *journal) Hold(slot uint32, f exchange.Form, r *exchange.Response, d time.Duration) {
	j.note(slot, "hold %v %d %v", f, r.Status, d)
}

func (j *journal) Deliver(slot uint32, p *mem.Payload, ticket uint32) record.Fate {
	j.note(slot, "deliver %s %d", p.Data, ticket)
	return record.Pending
}

// An Exchange passes everything on to its session, with its slot.
func TestExchangeAsksItsSession(t *testing.T) {
	j := &journal{name: "s"}
	x := exchange.Exchange{Slot: 7, Session: j}
	resp := &exchange.Response{Status: 200}
	p := mem.NewPayload(1)
	p.Append([]byte("m"))
	x.Respond(resp)
	x.Open(resp)
	x.Write([]byte("b"))
	x.WantDrained()
	x.End()
	x.Hold(exchange.SSE, resp, time.Second)
	if fate := x.Deliver(p, 3); fate != record.Pending {
		t.Errorf("Deliver says %v", fate)
	}
	p.Release()
	x.Beat(time.Minute)
	x.Goaway()
	x.Pause()
	x.Resume()
	x.Patience(time.Hour)
	want := []string{
		"s 7 respond 200", "s 7 open 200", "s 7 write b", "s 7 want drained", "s 7 end", "s 7 hold sse 200 1s",
		"s 7 deliver m 3", "s 7 beat 1m0s", "s 7 goaway", "s 7 pause", "s 7 resume", "s 7 patience 1h0m0s",
	}
	if !slices.Equal(j.lines, want) {
		t.Errorf("got  %q\nwant %q", j.lines, want)
	}
}

// A Space finds the session by the kind of the connection, and the exchange of a further key by the one that it is
// chained to.
func TestSpaceViews(t *testing.T) {
	k := simkernel.New(1, simkernel.Options{})
	l := loop.New(k, loop.Config{MaxSlots: 100})
	one, other := &journal{name: "http1"}, &journal{name: "client"}
	l.Speak(record.HTTP1, deaf{})
	l.Speak(record.Client, deaf{})
	space := exchange.NewSpace(l)
	space.Speak(record.HTTP1, one)
	space.Speak(record.Client, other)

	f := func(kind record.Kind, want *journal) {
		t.Helper()
		fd, _ := k.Connect()
		slot, ok := l.Adopt(fd, kind)
		if !ok {
			t.Fatal("no slot")
		}
		further, ok := space.Chain(slot)
		if !ok {
			t.Fatal("no slot for a further key")
		}
		for _, at := range []uint32{slot, further} {
			if x := space.View(at); x.Slot != slot || x.Session != exchange.Session(want) {
				t.Errorf("the view of %d is %v, want slot %d of %s", at, x, slot, want.name)
			}
		}
		if h := space.Handle(slot); !space.Live(h) {
			t.Errorf("%v is not alive", h)
		}
	}
	f(record.HTTP1, one)
	f(record.Client, other)
}

// counted is a session that knows how much waits.
type counted struct{ *journal }

func (counted) Queued(slot uint32) int { return int(slot) + 1000 }

// How much waits on a stream is its session's to say, as it has no socket; of a connection it is the loop's.
func TestSpaceQueued(t *testing.T) {
	k := simkernel.New(1, simkernel.Options{})
	l := loop.New(k, loop.Config{MaxSlots: 100})
	l.Speak(record.HTTP2, deaf{})
	l.Speak(record.Stream, deaf{})
	space := exchange.NewSpace(l)
	fd, _ := k.Connect()
	conn, _ := l.Adopt(fd, record.HTTP2)
	stream, ok := l.Spawn(conn, record.Stream)
	if !ok {
		t.Fatal("no slot")
	}
	l.Write(conn, []byte("abc"))
	space.Speak(record.Stream, &journal{})
	if n := space.Queued(stream); n != 0 {
		t.Errorf("%d bytes wait on a stream of whoever does not count", n)
	}
	space.Speak(record.Stream, counted{})
	if n := space.Queued(stream); n != int(stream)+1000 {
		t.Errorf("%d bytes wait on the stream", n)
	}
	if n := space.Queued(conn); n != 3 {
		t.Errorf("%d bytes wait for the connection", n)
	}
}

// deaf is a protocol that does nothing.
type deaf struct{}

func (deaf) Received(_ uint32, b []byte) int { return len(b) }
func (deaf) Happened(uint32, loop.Event)     {}
func (deaf) Closed(uint32, record.Reason)    {}

func TestFormNames(t *testing.T) {
	seen := map[string]bool{}
	for f := exchange.NoForm; f < exchange.Forms; f++ {
		if name := f.String(); name == "" || seen[name] {
			t.Errorf("form %d is called %q", f, name)
		} else {
			seen[name] = true
		}
	}
}

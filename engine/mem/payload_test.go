package mem

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

func newPayload(data string) *Payload {
	p := NewPayload(len(data))
	p.Append([]byte(data))
	return p
}

func TestPayloadBuild(t *testing.T) {
	f := func(t *testing.T, id, event, typ, data string, step int) {
		t.Helper()
		before := BufferBytes()
		p := NewPayload(0)
		scratch := []byte(id + event + typ)
		p.SetID(scratch[:len(id)])
		for rest := data; rest != ""; {
			n := min(step, len(rest))
			p.Append([]byte(rest[:n]))
			rest = rest[n:]
		}
		p.SetEvent(scratch[len(id) : len(id)+len(event)])
		p.SetType(scratch[len(id)+len(event):])
		clear(scratch)
		if string(p.ID) != id || string(p.Event) != event || string(p.Type) != typ || string(p.Data) != data {
			t.Errorf("got %q %q %q and %d bytes, want %q %q %q and %d", p.ID, p.Event, p.Type, len(p.Data), id, event, typ, len(data))
		}
		p.Release()
		if BufferBytes() != before {
			t.Errorf("%d bytes are not given back", BufferBytes()-before)
		}
	}
	long := strings.Repeat("n", 300)
	f(t, "", "", "", "", 1)
	f(t, "1", "news", "text/plain", "hello", 2)
	f(t, "", "news", "", "hello", 5)
	f(t, long, "", "text/plain", strings.Repeat("x", 5000), 7)
	f(t, "1", long, long+long, strings.Repeat("y", 2<<20), 100_000)
}

func TestPayloadNameViewsEndWithTheName(t *testing.T) {
	p := NewPayload(0)
	p.SetID([]byte("a"))
	p.SetEvent([]byte("b"))
	_ = append(p.ID, 'X')
	if string(p.Event) != "b" {
		t.Errorf("appending to one name changed another to %q", p.Event)
	}
	p.SetID([]byte{})
	if p.ID != nil {
		t.Errorf("an empty id is %q", p.ID)
	}
	p.Release()
}

// Data may be appended to in place after Grow, and even past the room.
func TestPayloadDataAppendedInPlace(t *testing.T) {
	p := NewPayload(10)
	p.Grow(20)
	p.Data = append(p.Data, "in place "...)
	p.Data = append(p.Data, strings.Repeat("z", 1000)...)
	p.Append([]byte("!"))
	if want := "in place " + strings.Repeat("z", 1000) + "!"; string(p.Data) != want {
		t.Errorf("got %q", p.Data)
	}
	p.Release()
}

// TestPayloadRefs gives references to goroutines that pass them on at random and read while they hold one.
func TestPayloadRefs(t *testing.T) {
	before := BufferBytes()
	for round := range 50 {
		p := newPayload(strings.Repeat("abc", 100+round))
		p.SetID([]byte("id"))
		var loops sync.WaitGroup
		for g := range 4 {
			p.Retain()
			loops.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(round), uint64(g)))
				held := 1
				for range 200 {
					if !bytes.HasPrefix(p.Data, []byte("abcabc")) || len(p.ID) != 2 {
						t.Error("a payload changed while it was held")
					}
					p.Frame(rng.IntN(MaxWires), prefixed)
					if held == 1 || rng.IntN(2) == 0 {
						p.Retain()
						held++
					} else {
						p.Release()
						held--
					}
				}
				for range held {
					p.Release()
				}
			})
		}
		p.Release()
		loops.Wait()
		if BufferBytes() != before {
			t.Fatalf("round %d: %d bytes are not given back", round, BufferBytes()-before)
		}
	}
}

func TestPayloadIsCleanWhenUsedAgain(t *testing.T) {
	for range 100 {
		p := newPayload("data")
		if p.ID != nil || p.Event != nil || p.Type != nil || len(p.Data) != 4 {
			t.Fatalf("a new payload has %q %q %q %q", p.ID, p.Event, p.Type, p.Data)
		}
		if f := p.Frame(3, prefixed); string(frameBytes(f, p)) != "<data>" {
			t.Fatalf("a new payload has frame %q", frameBytes(f, p))
		}
		p.SetID([]byte("1"))
		p.SetEvent([]byte("2"))
		p.SetType([]byte("3"))
		p.Data = append(p.Data, "more"...)
		p.Release()
	}
}

func TestPayloadDoesNotAllocate(t *testing.T) {
	if debug {
		t.Skip("released payloads are not used again")
	}
	data, id := bytes.Repeat([]byte("x"), 1000), []byte("0123456789")
	parts := make([][]byte, 0, 8)
	if n := testing.AllocsPerRun(1000, func() {
		p := NewPayload(len(data))
		p.SetID(id)
		p.Append(data)
		for wire := range 3 {
			p.Retain()
			f := p.Frame(wire, prefixed)
			parts = f.Parts(parts[:0], p)
			p.Release()
		}
		p.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

package websocket

import (
	"slices"
	"strings"
	"testing"

	"holdfast/codec/ws"
	"holdfast/engine/exchange"
	"holdfast/engine/loop"
	"holdfast/engine/mem"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/simkernel"
)

// tube carries WebSockets as a protocol with streams would: in slots without a socket, with its own state and queue, and
// without keeping input.
type tube struct {
	*rig
	m      *Machine
	state  map[uint32]State
	out    []byte // to the client, taken when flow is called
	full   bool   // the client takes nothing
	paused bool
	wants  bool // Drained
	ends   []record.Reason
}

const ownBit uint16 = 0x8000

func newTube(t *testing.T, p route.Socket, cfg Config) (*tube, uint32) {
	t.Helper()
	r := newRig(t, 1, simkernel.Options{}, p, cfg)
	r.carried = true
	u := &tube{rig: r, state: map[uint32]State{}}
	u.m = r.s.Over(u)
	r.l.Speak(record.Stream, streams{u})
	owner := r.dial()
	slot, ok := r.l.Spawn(r.slot(), record.Stream)
	if !ok {
		t.Fatal("no slot")
	}
	owner.p.Reset()
	r.settle()
	u.state[slot] = State{Bits: ownBit}
	r.script.begun++
	r.script.talks[slot] = &talk{handle: r.l.Handle(slot), path: "/echo", parked: true}
	u.m.Begin(slot, true, heartbeat)
	return u, slot
}

func (u *tube) State(slot uint32) State    { return u.state[slot] }
func (u *tube) Keep(slot uint32, st State) { u.state[slot] = st }
func (u *tube) View(slot uint32) exchange.Exchange {
	return exchange.Exchange{Slot: slot, Session: u.m}
}
func (u *tube) Write(_ uint32, b []byte)             { u.out = append(u.out, b...) }
func (u *tube) WantDrained(uint32)                   { u.wants = true }
func (u *tube) Pause(uint32)                         { u.paused = true }
func (u *tube) Resume(uint32)                        { u.paused = false }
func (u *tube) End(_ uint32, why record.Reason)      { u.ends = append(u.ends, why) }
func (u *tube) Abort(slot uint32, why record.Reason) { u.l.Close(slot, why) }

func (u *tube) Queued(uint32) int {
	if u.full {
		return len(u.out)
	}
	return 0
}

func (u *tube) Push(_ uint32, p *mem.Payload, f *mem.Frame, _ uint32) record.Fate {
	for _, part := range f.Parts(nil, p) {
		u.out = append(u.out, part...)
	}
	return record.Delivered
}

// says is input, which is not the machine's to keep.
func (u *tube) says(slot uint32, in string) {
	b := []byte(in)
	u.m.Take(slot, b)
	clear(b)
}

// flow lets the client take what was sent.
func (u *tube) flow(slot uint32) []string {
	u.full = false
	nobody := simkernel.New(1, simkernel.Options{})
	c := &client{rig: u.rig, seen: u.out, parser: ws.NewParser(ws.Client, true), p: nobody.Dial(nobody.Listen())}
	u.out = nil
	if u.wants {
		u.wants = false
		u.m.Drained(slot)
		c.seen = append(c.seen, u.out...)
		u.out = nil
	}
	return c.read()
}

// streams is the protocol of the slots.
type streams struct{ u *tube }

func (s streams) Received(uint32, []byte) int           { panic("input of a slot without a socket") }
func (s streams) Happened(slot uint32, _ loop.Event)    { s.u.m.Expired(slot) }
func (s streams) Closed(slot uint32, why record.Reason) { s.u.m.Closed(slot, why) }

// The same machine runs over any carrier, and frames may end anywhere in what that brings.
func TestOtherCarrier(t *testing.T) {
	in := text("hello") + ping("p") + frame(ws.Text, fin|ws.Compressed, packed(9, prose(500))) + frame(ws.Text, 0, "a") + frame(cont, fin, "b")
	for cut := range len(in) {
		u, slot := newTube(t, passing, Config{})
		u.says(slot, in[:cut])
		u.says(slot, in[cut:])
		u.heard("text hello", "text "+prose(500), "text ab")
		if got := u.flow(slot); !slices.Equal(got, list("text hello", "pong p", "text* "+prose(500), "text ab")) {
			t.Fatalf("cut at %d: got %.100q", cut, got)
		}
		if u.state[slot].Bits&ownBit == 0 || len(u.m.rests) != 0 {
			t.Errorf("cut at %d: the carrier's bit is lost, or input is kept", cut)
		}
		u.says(slot, closing(1000, "")[:3])
		u.says(slot, closing(1000, "")[3:]+"what comes behind")
		if got := u.flow(slot); !slices.Equal(got, list("close 1000")) || !slices.Equal(u.ends, []record.Reason{record.ReasonGone}) {
			t.Fatalf("cut at %d: closed by %q, %v", cut, got, u.ends)
		}
		u.do(func() { u.l.Close(slot, record.ReasonDone) })
		u.empty()
	}
}

// What a client that is not read has sent waits for it to read, and is given back if it never does.
func TestTakeWhilePaused(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		u, slot := newTube(t, passing, Config{PongBytes: 50})
		u.full = true
		long := strings.Repeat("p", 60)
		u.says(slot, ping(long)+text("behind"))
		u.says(slot, text("farther behind")[:9])
		u.heard()
		if !u.paused || len(u.m.rests) != 1 {
			t.Fatalf("paused %v, %d rests", u.paused, len(u.m.rests))
		}
		if !leaves {
			u.says(slot, text("farther behind")[9:])
			if got := u.flow(slot); !slices.Equal(got, list("pong "+long, "text behind", "text farther behind")) {
				t.Errorf("got %q", got)
			}
			u.heard("text behind", "text farther behind")
		}
		u.do(func() { u.l.Close(slot, record.ReasonReset) })
		if len(u.m.rests) != 0 {
			t.Error("input is kept for nobody")
		}
		u.script.messages = nil
		u.empty()
	}
}

// Its deadlines are the loop's, and a vanished client's slot is given up by the carrier.
func TestOtherCarriersClock(t *testing.T) {
	u, slot := newTube(t, passing, Config{})
	u.pass(heartbeat + moment)
	if got := u.flow(slot); !slices.Equal(got, list("ping")) {
		t.Errorf("got %q", got)
	}
	u.pass(pongs + moment)
	u.ended(record.ReasonTimeout)
	u.empty()
}

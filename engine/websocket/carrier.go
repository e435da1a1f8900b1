package websocket

import (
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/record"
)

// State is all that an idle WebSocket needs beyond its loop.Record. Its carrier keeps it and never looks inside. The
// zero value is none's: Machine.Begin makes the first.
type State struct {
	Extra uint32 // with bitPiece, the index of a message on its way in; else when the next may come, see meter
	Bits  uint16 // OwnBits are the carrier's
}

// OwnBits are the bits of State.Bits that the machine leaves to its carrier.
const OwnBits uint16 = 0xf000

// The machine's bits.
const (
	bitDeflate uint16 = 1 << iota // messages may be compressed, both ways
	bitPiece                      // a message is on its way in
	bitPinged                     // nothing has come since our ping
	bitPong                       // the deadline is that of a pong
	bitMid                        // the deadline is that of the rest of a message or frame
	bitHungUp                     // the peer has ended its side; what it sent before may still be unread
	bitPaused                     // no input is wanted until our pongs are taken
	bitDrained                    // the handler wants to hear Drained
	bitClosing                    // our close frame is sent, the peer's is awaited; the exchange has ended
	bitOver                       // nothing is read or sent any more
)

// Carrier brings the bytes of WebSockets: each on a connection of its own, or as streams of HTTP/2 ones. Slots are the
// loop's, of records that have no other exchange. It tells the machine what happens:
//
//	Begin      the exchange is held as a WebSocket; its head is written after that
//	Received   input, or Take where the carrier keeps none that was not used up
//	HungUp     the client will send no more, Gone when all of that was read
//	Drained    after WantDrained
//	Expired    the slot's deadline, which the machine sets on the loop
//	Closed     the slot ends; the handler is told of the end by the machine only
//
// After End it may still call any of these.
type Carrier interface {
	Keeper
	Output
	Input
}

// Keeper is where a carrier's WebSockets are found.
type Keeper interface {
	State(slot uint32) State
	Keep(slot uint32, st State)
	View(slot uint32) exchange.Exchange // as the handler is to see it
}

// Output is the way to the client. Each frame is a Write or a Push of its own.
type Output interface {
	Write(slot uint32, b []byte) // copied; never dropped
	// Push queues one message's frame, see loop.Loop.Push.
	Push(slot uint32, p *mem.Payload, f *mem.Frame, ticket uint32) record.Fate
	Queued(slot uint32) int  // bytes not taken yet
	WantDrained(slot uint32) // hear Machine.Drained when there are none
	End(slot uint32, why record.Reason)
}

// Input is the way from the client.
type Input interface {
	Pause(slot uint32)
	Resume(slot uint32)
	// Abort ends the exchange at once, whatever is queued.
	Abort(slot uint32, why record.Reason)
}

package loop

import (
	"holdfast/engine/record"
	"holdfast/engine/wheel"
)

// What the loop notes of a connection.
const (
	bitDirty   uint8 = 1 << iota // in the flush list
	bitReady                     // in the list of those with kept input to look at again
	bitBlocked                   // the kernel refused bytes: Out is armed
	bitLast                      // nothing more is queued: our side is closed once the queue is empty
	bitShut                      // our side is closed
	bitDrained                   // the session wants to hear when the queue is empty
	bitHungUp                    // HungUp was told
	bitEnded                     // Ended was told
)

// conn is a connection's record: the part that others see, and the loop's own.
type conn struct {
	record.Record
	fd    int32
	mask  uint32 // epoll interest as the kernel knows it
	timer wheel.Node
	in    uint32 // index of kept input, 0 none
	out   uint32 // index of the output queue, 0 none
	bits  uint8
	why   record.Reason // why it is closing
}

func (r *conn) is(bit uint8) bool { return r.bits&bit != 0 }

// Event is what happens to a connection besides input.
type Event uint8

// The events a Protocol hears of.
const (
	Opened  Event = iota // accepted or connected
	HungUp               // the peer will send no more; unread input may still wait
	Ended                // all input was read and the peer will send no more
	Drained              // the output queue is empty again, after WantDrained
	Expired              // the deadline of SetDeadline passed
)

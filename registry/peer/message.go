package peer

import (
	"time"

	"holdfast/engine/mem"
)

// Verb says what a request asks of a node.
type Verb uint8

// The verbs. Numbers are on the wire.
const (
	Push  Verb = 1 // deliver a message to who holds the key there
	Close Verb = 2 // tell who holds the key there to go away
	Count Verb = 3 // how many hold the key there
)

// Request is one question to one node, about that node's own connections: it is never passed on, save by a relay.
type Request struct {
	Verb    Verb
	All     bool          // everybody, whatever their key
	Dedup   bool          // the message's id is the publisher's: deliver it once within the window
	Within  time.Duration // after which nobody waits for the report any more
	Key     []byte        // decoded; empty with All
	Relay   uint64        // the instance that this is meant for, when the receiver is not it; 0: the receiver
	Payload *mem.Payload  // of a Push
}

// Report is what became of a request at the node that was asked. All are numbers of connections, save Unknown and
// Refused, which are of loops, and Unreached, of nodes.
type Report struct {
	Delivered, Pending, Stored uint32
	Slow, Gone, Form           uint32 // dropped, by reason
	Unknown                    uint32 // did not report in time
	Refused                    uint32 // had no room
	Closed                     uint32 // ended by Close
	Held                       uint32 // found by Count
	Unreached                  uint32 // a relay's: the node that was meant could not be reached
	Duplicate                  uint32 // keys to which a push with this id was delivered before
}

// Origin names a request that came in over a link, until it is answered.
type Origin struct {
	Link, Gen uint32
	ID        uint64
}

// Package record says what a slot of a loop's slab shows to sessions and to the gateway: a Record, and the words for what
// holds it, how it ended and what became of a message. It is values only: no socket, no behaviour. A slot is addressed
// by number and named, while it holds one thing, by a registry.Handle.
package record

import "holdfast/registry"

// Kind says what a slot holds and so which Protocol its events go to.
type Kind uint8

// The kinds of slot. A connection's kind is the protocol it speaks now.
const (
	Free      Kind = iota // nobody's
	Chain                 // a further key of a hold; no socket
	HTTP1                 // a client's HTTP/1.x connection
	Client                // a connection that we opened: the load tool's
	HTTP2                 // a client's HTTP/2 connection
	Stream                // one exchange of such a connection; no socket
	WebSocket             // a client's connection that was HTTP/1.1 and is a WebSocket now
	Kinds                 // how many there are
)

// Record is the part of a connection's record that is not the loop's own. It lives in memory that the garbage collector
// never walks, and with the loop's part it is all that an idle connection costs on this side of the kernel, its key's
// table entry and name apart. A pointer to one is good until the end of the callback in which it was taken.
type Record struct {
	// The loop's, for all to read.
	Born     uint32 // seconds since the loop's start, at accept
	Wrote    uint32 // seconds since the loop's start, when the kernel last took bytes; Kind Stream: its session's
	Kind     Kind
	Listener uint8 // index of the listener that accepted it
	Closing  bool  // on its way out: nothing can be sent any more
	Paused   bool  // its session wants no input

	// The session's.
	Extra uint32 // index of state that exists only while a request is on its way in, 0 none
	Flags uint16
	State uint8

	// The gateway's, see registry.Member.
	Form   uint8
	Member registry.Member
	Chain  uint32 // next further key of this exchange, 0 none
	Owner  uint32 // Kind Chain: the slot of the exchange that it belongs to; Kind Stream: that of its connection
	Task   uint32 // index of a publish in progress, 0 none
	Policy uint16 // index of the route's policy
}

// FlagBulk in Record.Flags asks for larger reads: a body is coming. The other flags are the session's own.
const FlagBulk uint16 = 1 << 15

// Reason says why a connection ended.
type Reason uint8

// The reasons, as metrics and the log name them.
const (
	ReasonDone     Reason = iota // we closed it in good order
	ReasonGone                   // the client closed it
	ReasonReset                  // the client or the network reset it
	ReasonTimeout                // the client was too slow to ask
	ReasonSlow                   // the client was too slow to read: evicted
	ReasonProtocol               // the client broke the protocol
	ReasonShutdown               // we are stopping
	ReasonInternal               // our side failed: a limit or a system error
	Reasons                      // how many there are
)

var reasonNames = [Reasons]string{"done", "gone", "reset", "timeout", "slow", "protocol", "shutdown", "internal"}

func (r Reason) String() string { return reasonNames[r] }

// Fate is what became of one queued message.
type Fate uint8

// The fates. Delivered, Pending and Dropped… are final for the verdict; Staged is followed by one of them.
const (
	Staged      Fate = iota // will leave in this tick's flush
	Delivered               // the kernel took the whole frame
	Pending                 // in the connection's bounded queue
	DroppedSlow             // the connection's queue was full, or it was evicted for it
	DroppedGone             // the connection ended before the kernel took the frame
	DroppedForm             // the connection's wire form cannot carry this payload
	Fates                   // how many there are
)

var fateNames = [Fates]string{"staged", "delivered", "pending", "slow", "gone", "unsupported"}

func (f Fate) String() string { return fateNames[f] }

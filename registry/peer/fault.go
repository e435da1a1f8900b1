package peer

import "errors"

// What Ask and its done function may be told instead of a report.
var (
	// ErrDown: there is no link to that node now. Nothing was sent.
	ErrDown = errors.New("no link to that node now")
	// ErrBusy: the link has as much in flight or waiting as it may. Nothing was sent.
	ErrBusy = errors.New("the link to that node has as much in flight as it may")
	// ErrLarge: the request does not fit a frame. Nothing was sent, and no link would take it.
	ErrLarge = errors.New("larger than a frame between nodes may be")
	// ErrUnsent: the link ended, or the time ran out, before a byte of the request was written.
	ErrUnsent = errors.New("not sent to that node")
	// ErrUnknown: the request was written, wholly or in part, and no report came.
	ErrUnknown = errors.New("sent to that node, which did not report")
)

// Fault says why a connection was refused or ended by this node.
type Fault uint8

// The faults, each with what the operator reads in fault texts.
const (
	BadMagic       Fault = iota // what came is not this protocol
	BadVersion                  // no version in common
	BadProof                    // the other end does not know the cluster secret
	BadCertificate              // mutual TLS failed
	BadHello                    // a hello that cannot be read, or that lacks what it must have
	BadFrame                    // a frame longer than MaxFrame or shorter than its type
	BadField                    // a body that cannot be read
	UnknownFrame                // a type of frame that this release neither knows nor may skip
	Itself                      // the address leads back to this very process
	OtherNode                   // another instance answers at that address: the one expected has ended
	Slow                        // the handshake took too long, or was pushed out by newer ones
	Silent                      // nothing was heard for Config.Dead
	Unread                      // the other end does not read what it asked for
	Superseded                  // the same instance has dialled anew
	Unreachable                 // a node cannot be dialled
	Cut                         // the network or the other end ended the connection
	Ended                       // this node ended the link, on purpose
	faults
)

var faultNames = [faults]string{
	BadMagic: "magic", BadVersion: "version", BadProof: "proof", BadCertificate: "certificate", BadHello: "hello",
	BadFrame: "frame", BadField: "field", UnknownFrame: "unknown_frame", Itself: "itself", OtherNode: "other_node",
	Slow: "slow", Silent: "silent", Unread: "unread", Superseded: "superseded", Unreachable: "unreachable", Cut: "cut", Ended: "ended",
}

// String is the fault's name in metrics.
func (f Fault) String() string {
	if f >= faults {
		return "unknown"
	}
	return faultNames[f]
}

// ProtocolError is why a connection was refused or ended.
type ProtocolError struct {
	Code   Fault
	Reason string
}

func (e *ProtocolError) Error() string { return e.Code.String() + ": " + e.Reason }

func faulty(code Fault, reason string) error { return &ProtocolError{Code: code, Reason: reason} }

// faultOf is the fault behind an error: what is not ours came from the network.
func faultOf(err error) Fault {
	if p, ok := errors.AsType[*ProtocolError](err); ok {
		return p.Code
	}
	return Cut
}

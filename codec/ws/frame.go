package ws

// Opcode is the kind of a frame, RFC 6455 §5.2.
type Opcode uint8

// The opcodes of RFC 6455 §11.8; all others are reserved.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	CloseFrame   Opcode = 0x8
	PingFrame    Opcode = 0x9
	PongFrame    Opcode = 0xa
)

// control says whether the opcode is a control frame's, defined or not.
func (o Opcode) control() bool { return o >= CloseFrame }

// Flags are the bits beside the opcode in a frame's first byte.
type Flags uint8

// The flags that have a meaning.
const (
	Fin        Flags = 0x80 // the last frame of its message
	Compressed Flags = 0x40 // RSV1 on a message's first frame, RFC 7692 §6
)

// The rest of a frame's head, RFC 6455 §5.2.
const (
	reservedBits = 0x70
	maskBit      = 0x80
	length16     = 126 // the length follows in two bytes
	length64     = 127 // the length follows in eight bytes
)

const (
	MaxControl = 125 // bytes of payload in a control frame, RFC 6455 §5.5
	MaxHead    = 14  // bytes of a frame's head, its mask included
)

// Role says whose frames are read: a client's are masked, a server's are not.
type Role uint8

// The two ends of a connection.
const (
	Server Role = iota // reads what a client sends
	Client             // reads what a server sends
)

// Limits bound what the peer may make us take.
type Limits struct {
	// Message is the longest message in bytes, as sent: compressed, if it is.
	// A frame that passes it is refused by its head with 1009, before any of
	// its bytes. It bounds what a session that collects a message must keep.
	// Zero or below means no limit.
	Message int64
	// Overhead is how many bytes of framing one message may spend beyond what
	// its data earns, see Parser. It stops messages of endless empty or tiny
	// fragments, where the server works and nothing is said: 1008. Zero or
	// below allows none.
	Overhead int
}

// DefaultLimits are generous to every known client and still small.
var DefaultLimits = Limits{
	Message:  1 << 20,
	Overhead: 32 << 10,
}

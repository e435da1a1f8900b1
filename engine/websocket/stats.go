package websocket

import "holdfast/codec/ws"

// Codes is how many groups of close codes are counted.
const Codes = 18

// CodeIndex is the group of a close code: 1000 to 1015 each by itself, then libraries' and applications'.
func CodeIndex(c ws.Code) int {
	switch {
	case c >= 4000:
		return Codes - 1
	case c >= 3000:
		return Codes - 2
	}
	return int(c-ws.Normal) & 15
}

// Stats are the counts of a loop's WebSockets. Read them on the loop.
type Stats struct {
	Opened    uint64
	Deflating uint64 // of those, with compression
	Open      int64  // now
	Closing   int64  // now: our close frame is sent and the client's awaited

	Messages uint64 // from clients, whole
	Passed   uint64 // of those, to the gateway
	Pings    uint64 // from clients
	Pongs    uint64 // from clients
	Beats    uint64 // pings of ours
	Deflated uint64 // messages to clients compressed: once, however many get them

	Refused  uint64 // ended for breaking the protocol or a limit
	Floods   uint64 // ended for sending too often
	Timeouts uint64 // ended for a pong or the rest of a message that did not come

	CloseSent     [Codes]uint64 // by CodeIndex
	CloseReceived [Codes]uint64
}

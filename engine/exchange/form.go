package exchange

// Wires are the numbers of messages' wire forms, of which mem.Payload keeps one frame each. Every session has a range of
// its own.
const (
	HTTP1Wires     = 0                             // a chunked and a bare one for each Form, then four kinds of poll's answer
	HTTP2Wires     = HTTP1Wires + 2*int(Forms) + 4 // one for each Form
	WebSocketWires = HTTP2Wires + int(Forms)       // text and binary, each plain and compressed
	Wires          = WebSocketWires + 4
)

// Form is how a held exchange is sent its messages.
type Form uint8

// The forms, as a client asks for them. NoForm is an exchange that is not held.
const (
	NoForm    Form = iota
	Poll           // the response is the next message
	SSE            // text/event-stream
	NDJSON         // one JSON line per message
	Mixed          // multipart/mixed
	Replace        // multipart/x-mixed-replace
	Raw            // the messages' bytes, each in a chunk of its own
	WebSocket      // each in a WebSocket message
	Forms          // how many there are
)

var formNames = [Forms]string{"none", "poll", "sse", "ndjson", "multipart", "replace", "raw", "websocket"}

func (f Form) String() string { return formNames[f] }

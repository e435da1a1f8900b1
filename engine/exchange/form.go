package exchange

// Form is how a held exchange is sent its messages.
type Form uint8

// The forms, as a client asks for them. NoForm is an exchange that is not held.
const (
	NoForm  Form = iota
	Poll         // the response is the next message
	SSE          // text/event-stream
	NDJSON       // one JSON line per message
	Mixed        // multipart/mixed
	Replace      // multipart/x-mixed-replace
	Raw          // the messages' bytes, each in a chunk of its own
	Forms        // how many there are
)

var formNames = [Forms]string{"none", "poll", "sse", "ndjson", "multipart", "replace", "raw"}

func (f Form) String() string { return formNames[f] }

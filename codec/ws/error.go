package ws

// Error says why a connection fails, RFC 6455 §7.1.7, and with which code to
// close it. Errors are package variables: nothing is allocated to refuse.
type Error struct {
	Code   Code
	Reason string
}

// Error returns the reason, marked as this protocol's.
func (e *Error) Error() string { return "websocket: " + e.Reason }

// What only a session can find out, in the same words as the rest.
var (
	ErrUTF8    = &Error{InvalidData, "text is not valid UTF-8"}
	ErrRefused = &Error{Unsupported, "messages are not accepted here"}
	ErrTooBig  = &Error{TooBig, "message too big"}
)

// Frames.
var (
	errReserved     = &Error{ProtocolError, "reserved bit set"}
	errOpcode       = &Error{ProtocolError, "reserved opcode"}
	errControlSplit = &Error{ProtocolError, "fragmented control frame"}
	errControlLong  = &Error{ProtocolError, "control frame longer than 125 bytes"}
	errUnopened     = &Error{ProtocolError, "continuation of no message"}
	errUnfinished   = &Error{ProtocolError, "message begins inside another"}
	errUnmasked     = &Error{ProtocolError, "client's frame is not masked"}
	errMasked       = &Error{ProtocolError, "server's frame is masked"}
	errLengthForm   = &Error{ProtocolError, "length not in its shortest form"}
	errLengthHuge   = &Error{ProtocolError, "length with its top bit set"}
	errOverhead     = &Error{PolicyViolation, "too much framing for its data"}
)

// Close frames.
var (
	errCloseShort  = &Error{ProtocolError, "close frame of one byte"}
	errCloseCode   = &Error{ProtocolError, "close code that may not be sent"}
	errCloseReason = &Error{InvalidData, "close reason is not valid UTF-8"}
)

// Compressed messages.
var (
	errDeflateData   = &Error{InvalidData, "malformed compressed data"}
	errDeflateBlocks = &Error{PolicyViolation, "too many compressed blocks for their data"}
)

// HandshakeError says why an opening handshake is refused, and with which
// status. With 426 go the fields Upgrade and Sec-WebSocket-Version, RFC 6455
// §4.4 and RFC 9110 §15.5.22. A client closes whatever Status says.
type HandshakeError struct {
	Status int
	Reason string
}

// Error returns the reason, marked as this protocol's.
func (e *HandshakeError) Error() string { return "websocket handshake: " + e.Reason }

// Requests.
var (
	errMethod       = &HandshakeError{400, "method is not GET"}
	errUpgrade      = &HandshakeError{426, "Upgrade does not list websocket"}
	errConnection   = &HandshakeError{400, "Connection does not list Upgrade"}
	errVersion      = &HandshakeError{426, "Sec-WebSocket-Version is not 13"}
	errVersionTwice = &HandshakeError{400, "Sec-WebSocket-Version sent twice"}
	errKey          = &HandshakeError{400, "Sec-WebSocket-Key is not 16 bytes in base64"}
	errKeyTwice     = &HandshakeError{400, "Sec-WebSocket-Key sent twice"}
	errExtensions   = &HandshakeError{400, "malformed Sec-WebSocket-Extensions"}
)

// Answers, which only a client reads.
var (
	errAnswerUpgrade   = &HandshakeError{502, "answer does not upgrade to websocket"}
	errAnswerAccept    = &HandshakeError{502, "Sec-WebSocket-Accept does not fit the key"}
	errAnswerExtension = &HandshakeError{502, "answer has an extension that was not offered"}
)

package h2

// Code is why a stream or a connection ended, RFC 9113 §7.
type Code uint32

// The codes of RFC 9113 §7.
const (
	NoError            Code = 0x0
	ProtocolError      Code = 0x1
	InternalError      Code = 0x2
	FlowControlError   Code = 0x3
	SettingsTimeout    Code = 0x4
	StreamClosed       Code = 0x5
	FrameSizeError     Code = 0x6
	RefusedStream      Code = 0x7
	Cancel             Code = 0x8
	CompressionError   Code = 0x9
	ConnectError       Code = 0xa
	EnhanceYourCalm    Code = 0xb
	InadequateSecurity Code = 0xc
	HTTP11Required     Code = 0xd
)

var codeNames = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

// String returns the name that the RFC gives the code. Unknown codes are legal and mean INTERNAL_ERROR at most.
func (c Code) String() string {
	if int64(c) < int64(len(codeNames)) {
		return codeNames[c]
	}
	return "unknown code"
}

// Scope says what an error ends, RFC 9113 §5.4.
type Scope uint8

// The scopes of an error.
const (
	Connection Scope = iota // GOAWAY with the code, then close
	Stream                  // RST_STREAM with the code; the connection goes on
)

// Error says why a frame or a message is refused. Errors are package variables: nothing is allocated to refuse. One of
// Stream scope concerns the stream that the frame at hand names.
type Error struct {
	Code  Code
	Scope Scope
	// Status is what a server may answer instead of the reset, RFC 9113 §8.1.1; 0 where there is nothing to answer.
	Status uint16
	Reason string
}

// Error returns the reason, marked as this protocol's.
func (e *Error) Error() string { return "http/2: " + e.Code.String() + ": " + e.Reason }

func connectionError(c Code, reason string) *Error { return &Error{Code: c, Reason: reason} }

func malformed(reason string) *Error {
	return &Error{Code: ProtocolError, Scope: Stream, Status: 400, Reason: reason}
}

// Frames.
var (
	errFirstFrame   = connectionError(ProtocolError, "the first frame is not SETTINGS")
	errFrameSize    = connectionError(FrameSizeError, "frame longer than SETTINGS_MAX_FRAME_SIZE")
	errStreamSize   = &Error{Code: FrameSizeError, Scope: Stream, Reason: "frame longer than SETTINGS_MAX_FRAME_SIZE"}
	errLength       = connectionError(FrameSizeError, "wrong length for the frame's type")
	errPriorityLong = &Error{Code: FrameSizeError, Scope: Stream, Reason: "PRIORITY is not 5 bytes long"}
	errStreamZero   = connectionError(ProtocolError, "frame of a stream on stream 0")
	errStreamSet    = connectionError(ProtocolError, "frame of the connection on a stream")
	errPush         = connectionError(ProtocolError, "PUSH_PROMISE was never allowed")
	errPadding      = connectionError(ProtocolError, "padding is as long as the frame")
	errInterleaved  = connectionError(ProtocolError, "frame inside another stream's header block")
	errContinuation = connectionError(ProtocolError, "CONTINUATION without an open header block")
	errContinued    = connectionError(EnhanceYourCalm, "too many CONTINUATION frames")
	errBlockBytes   = connectionError(EnhanceYourCalm, "header block too long")
	errSelf         = &Error{Code: ProtocolError, Scope: Stream, Reason: "stream depends on itself"}
	errIncrement    = &Error{Code: ProtocolError, Scope: Stream, Reason: "window increment of 0"}
	errIncrement0   = connectionError(ProtocolError, "window increment of 0 for the connection")
	errPrioritized  = connectionError(ProtocolError, "PRIORITY_UPDATE of stream 0")
)

// Settings.
var (
	errSettingPush    = connectionError(ProtocolError, "SETTINGS_ENABLE_PUSH is neither 0 nor 1")
	errSettingWindow  = connectionError(FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE over 2^31-1")
	errSettingFrame   = connectionError(ProtocolError, "SETTINGS_MAX_FRAME_SIZE out of range")
	errSettingConnect = connectionError(ProtocolError, "SETTINGS_ENABLE_CONNECT_PROTOCOL is neither 0 nor 1")
	errSettingOrder   = connectionError(ProtocolError, "SETTINGS_NO_RFC7540_PRIORITIES is neither 0 nor 1")
)

// Header blocks and what they say.
var (
	errCompression    = connectionError(CompressionError, "malformed header block")
	errTableUpdate    = connectionError(CompressionError, "table size update after a field")
	errTableUpdates   = connectionError(CompressionError, "more than two table size updates")
	errListBytes      = &Error{Code: EnhanceYourCalm, Scope: Stream, Status: 431, Reason: "header list too long"}
	errFieldCount     = &Error{Code: EnhanceYourCalm, Scope: Stream, Status: 431, Reason: "too many fields"}
	errName           = malformed("invalid byte in a field name")
	errNameEmpty      = malformed("empty field name")
	errValue          = malformed("invalid byte in a field value")
	errPseudoLate     = malformed("pseudo-header field after a field")
	errPseudoTwice    = malformed("pseudo-header field sent twice")
	errPseudoUnknown  = malformed("unknown pseudo-header field")
	errPseudoRequest  = malformed("pseudo-header field of a response in a request")
	errPseudoResponse = malformed("pseudo-header field of a request in a response")
	errPseudoTrailer  = malformed("pseudo-header field in a trailer section")
	errHop            = malformed("connection-specific field")
	errTE             = malformed("TE is not trailers")
	errHostTwice      = malformed("Host sent twice")
	errHost           = malformed("invalid Host")
	errHostDiffers    = malformed("Host differs from :authority")
	errLengthSyntax   = malformed("Content-Length is not a number")
	errLengthHuge     = malformed("Content-Length does not fit")
	errLengthTwice    = malformed("Content-Length sent twice")
	errTrailerField   = malformed("field not allowed in a trailer section")
	errMethodMissing  = malformed(":method missing")
	errMethod         = malformed("invalid byte in :method")
	errSchemeMissing  = malformed(":scheme missing")
	errScheme         = malformed(":scheme is not http or https")
	errPathMissing    = malformed(":path missing or empty")
	errPathForm       = malformed(":path has no valid form")
	errPathByte       = malformed("invalid byte in :path")
	errPathEscape     = malformed("malformed percent-encoding in :path")
	errAuthority      = malformed("invalid :authority")
	errNoAuthority    = malformed(":authority and Host missing or empty")
	errConnectForm    = malformed("CONNECT needs host:port and neither :scheme nor :path")
	errProtocolMethod = malformed(":protocol without CONNECT")
	errProtocol       = malformed("invalid byte in :protocol")
	errStatus         = malformed(":status is not three digits")
	errBodyLong       = malformed("more data than Content-Length says")
	errBodyShort      = malformed("less data than Content-Length says")
	errBodyMissing    = malformed("Content-Length without data")
)

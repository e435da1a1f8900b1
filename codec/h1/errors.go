package h1

// Error says why a message is refused. For a request, Status is what to answer
// before the connection is closed; whoever reads a refused response answers 502
// to its own client whatever Status says. Errors are package variables: nothing
// is allocated to refuse.
type Error struct {
	Status int
	Reason string
}

// Error returns the reason, marked as this protocol's.
func (e *Error) Error() string { return "http/1: " + e.Reason }

// Lines and fields.
var (
	errBareLF      = &Error{400, "bare LF"}
	errBareCR      = &Error{400, "bare CR"}
	errFold        = &Error{400, "line begins with whitespace (obs-fold)"}
	errNameSpace   = &Error{400, "whitespace before the colon"}
	errName        = &Error{400, "invalid byte in a field name"}
	errNameEmpty   = &Error{400, "empty field name"}
	errValue       = &Error{400, "invalid byte in a field value"}
	errHeadBytes   = &Error{431, "head too long"}
	errFieldCount  = &Error{431, "too many fields"}
	errEmptyLines  = &Error{400, "too many empty lines before the request"}
	errLineTooLong = &Error{414, "start line too long"}
)

// Request and status lines.
var (
	errMethod      = &Error{400, "invalid byte in the method"}
	errMethodLong  = &Error{501, "method too long"}
	errTargetByte  = &Error{400, "invalid byte in the request target"}
	errTargetForm  = &Error{400, "request target has no valid form"}
	errTargetPath  = &Error{400, "malformed percent-encoding in the path"}
	errTargetHost  = &Error{400, "invalid authority in the request target"}
	errScheme      = &Error{400, "scheme of the request target is not http or https"}
	errConnectForm = &Error{400, "CONNECT needs host:port"}
	errVersion     = &Error{400, "malformed HTTP version"}
	errVersion505  = &Error{505, "HTTP version not supported"}
	errLineEnd     = &Error{400, "request line does not end after the version"}
	errStatus      = &Error{400, "malformed status code"}
	errReasonByte  = &Error{400, "invalid byte in the reason phrase"}
)

// Meaning of the head.
var (
	errHostMissing   = &Error{400, "Host missing"}
	errHostTwice     = &Error{400, "Host sent twice"}
	errHost          = &Error{400, "invalid Host"}
	errLength        = &Error{400, "Content-Length is not a number"}
	errLengthHuge    = &Error{400, "Content-Length does not fit"}
	errLengthTwice   = &Error{400, "Content-Length sent twice"}
	errLengthCoding  = &Error{400, "Content-Length beside Transfer-Encoding"}
	errCodingVersion = &Error{400, "Transfer-Encoding in HTTP/1.0"}
	errCoding        = &Error{400, "malformed Transfer-Encoding"}
	errCodingTwice   = &Error{400, "chunked applied twice"}
	errCodingLast    = &Error{400, "chunked is not the last coding"}
	errCodingUnknown = &Error{501, "transfer coding not implemented"}
	errExpect        = &Error{417, "expectation cannot be met"}
)

// Bodies.
var (
	errBodyTooLong   = &Error{413, "body too long"}
	errChunkSize     = &Error{400, "malformed chunk size"}
	errChunkHuge     = &Error{400, "chunk size does not fit"}
	errChunkExt      = &Error{400, "malformed chunk extension"}
	errChunkLine     = &Error{400, "chunk-size line too long"}
	errChunkEnd      = &Error{400, "chunk data does not end in CRLF"}
	errChunkOverhead = &Error{400, "too much chunk framing for its data"}
	errTrailerBytes  = &Error{431, "trailer section too long"}
	errTrailerCount  = &Error{431, "too many trailer fields"}
	errTrailerField  = &Error{400, "field not allowed in a trailer section"}
	errCut           = &Error{400, "connection ended inside a body"}
)

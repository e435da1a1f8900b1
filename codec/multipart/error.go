package multipart

// Error is a refused body: the HTTP status to answer and the reason to give.
type Error struct {
	Status int
	Reason string
}

// Error returns the reason, marked as this format's.
func (e *Error) Error() string { return "multipart: " + e.Reason }

// The refusals. Each is a single value, so that refusing allocates nothing.
var (
	ErrNotMultipart = &Error{415, "content type is not multipart"}
	ErrBoundary     = &Error{400, "boundary parameter missing, repeated or not 1 to 70 legal bytes"}
	ErrPreamble     = &Error{400, "too much before the first boundary"}
	ErrEpilogue     = &Error{400, "too much behind the last boundary"}
	ErrDelimiter    = &Error{400, "malformed boundary line"}
	ErrPadding      = &Error{400, "too much padding on a boundary line"}
	ErrParts        = &Error{413, "too many parts"}
	ErrHeadBytes    = &Error{431, "header of a part too large"}
	ErrHeadFields   = &Error{431, "too many header fields in a part"}
	ErrLineEnd      = &Error{400, "header line of a part does not end with CRLF"}
	ErrFieldName    = &Error{400, "invalid header field name in a part"}
	ErrFieldValue   = &Error{400, "invalid header field value in a part"}
	ErrTruncated    = &Error{400, "body ends before its last boundary"}
)

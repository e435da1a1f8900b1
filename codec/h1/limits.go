package h1

// Limits bound what a message may cost before it is understood. A limit of
// zero or below allows none of its kind, except where a field says otherwise.
type Limits struct {
	// RequestLine is the longest request or status line in bytes, CRLF
	// included; a longer one answers 414. It stops a target without end.
	RequestLine int
	// Method is the longest method in bytes; a longer one answers 501. It
	// tells a stream of letters from HTTP before RequestLine would.
	Method int
	// HeadBytes is the longest head in bytes, from the first byte of the
	// message through its empty line; a longer one answers 431. It bounds what
	// one slow client can make the server keep.
	HeadBytes int
	// Fields is the most field lines in a head; more answer 431. It stops
	// thousands of two-byte fields, which cost far more than their bytes.
	Fields int
	// EmptyLines is how many CRLFs are skipped before a request line, RFC 9112
	// §2.2; one more answers 400. It stops CRLFs without end.
	EmptyLines int

	// ChunkLine is the longest chunk-size line in bytes, extensions and CRLF
	// included. It stops an extension without end.
	ChunkLine int
	// ChunkOverhead is how many bytes of chunk framing a body may spend beyond
	// what its data earns, see Body. It stops floods of tiny chunks and of
	// extensions, where the server works and nothing is said.
	ChunkOverhead int
	// TrailerBytes is the longest trailer section in bytes, its empty line
	// included; a longer one answers 431.
	TrailerBytes int
	// TrailerFields is the most field lines in a trailer section; more answer
	// 431.
	TrailerFields int
	// Body is the longest body in bytes, after decoding; a longer one answers
	// 413. Zero or below means no limit.
	Body int64
}

// DefaultLimits are generous to every known client and still small.
var DefaultLimits = Limits{
	RequestLine:   8 << 10,
	Method:        32, // the longest registered method has 17
	HeadBytes:     32 << 10,
	Fields:        100,
	EmptyLines:    2,
	ChunkLine:     256,
	ChunkOverhead: 64 << 10,
	TrailerBytes:  4 << 10,
	TrailerFields: 32,
	Body:          0,
}

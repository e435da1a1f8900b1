package h2

// Limits bound what a frame or a header block may cost before it is understood.
type Limits struct {
	// Frame is the longest payload in bytes, the SETTINGS_MAX_FRAME_SIZE that was announced, RFC 9113 §4.2; below
	// 16,384, the least that there can be, it means that.
	Frame uint32
	// Block is the longest header block in bytes as sent, padding and all its CONTINUATION frames included. Past it the
	// connection ends, for only a block that was decoded leaves HPACK's state whole. It bounds what one client can make
	// the server keep, and a Huffman code to 8/5 of it.
	Block uint32
	// Continuations is the most CONTINUATION frames in a block, empty ones included. It stops floods of them, which
	// never come to a request (CVE-2024-27316, CVE-2019-9518).
	Continuations uint16
	// List is the longest header list in bytes, counted as SETTINGS_MAX_HEADER_LIST_SIZE counts, RFC 9113 §6.5.2: 32
	// more for each field. A longer one is decoded, but not kept. It stops the HPACK bomb: one byte that names a table
	// entry of thousands.
	List uint32
	// Fields is the most fields in a list, a cookie's crumbs as one. It stops thousands of tiny fields.
	Fields int
}

// DefaultLimits are generous to every known client and still small.
var DefaultLimits = Limits{
	Frame:         MinFrame,
	Block:         64 << 10,
	Continuations: 16,
	List:          32 << 10,
	Fields:        100,
}

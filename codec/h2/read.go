package h2

// Event is what Reader.Next found.
type Event uint8

// The events.
const (
	More    Event = iota // nothing yet: keep what was not read and come again with more
	Whole                // a frame with all of its payload, of any known type but DATA
	Data                 // a DATA frame has begun; its Length counts against the windows, padding included
	Piece                // a piece of its data
	Ignored              // a frame of an unknown type has begun and will be skipped, RFC 9113 §5.5
)

// Frame is what Reader.Next found, and of which frame.
type Frame struct {
	Header
	Event Event
	// Last says of Data and Piece that no more of the frame's data will follow.
	Last bool
	// Payload is a view of what was read: of Whole the payload, of Piece the data.
	Payload []byte
}

// readStage is where in a frame the reader is.
type readStage uint8

const (
	stageFirst   readStage = iota // at the very first header
	stageHeader                   // at a header
	stagePayload                  // at a payload that is wanted whole
	stagePadding                  // at the pad length of a DATA frame
	stageData                     // in the data of a DATA frame
	stageSkip                     // in bytes that nobody wants
)

// Reader finds the frames of one direction of a connection, after the preface. The zero value is ready; it is small,
// holds no pointer, and keeps order within header blocks: nothing comes between a HEADERS frame and its CONTINUATIONs.
type Reader struct {
	head   Header
	left   uint32 // bytes of the stage to come
	block  uint32 // the stream whose header block is open, or 0
	bytes  uint32 // of that block so far
	frames uint16 // CONTINUATIONs of that block so far
	pad    uint8  // bytes of padding after the data
	stage  readStage
}

// Open returns the stream whose header block has begun and not ended, or 0.
func (r *Reader) Open() uint32 { return r.block }

// Next reads the next event from b, which begins where the last call's n ended. It reads n bytes of it even when there
// is More to come. An error is an *Error and f.Header names its frame; after one of Stream scope reading goes on behind
// that frame, whose Length still counts against the connection's window if it is DATA (RFC 9113 §6.9), after one of
// Connection scope it does not.
func (r *Reader) Next(b []byte, lim *Limits) (f Frame, n int, err error) {
	for {
		switch r.stage {
		case stageFirst, stageHeader:
			h, ok := ParseHeader(b[n:])
			if !ok {
				return f, n, nil
			}
			n += HeaderLen
			f.Header = h
			if err := r.begin(h, lim); err != nil {
				return f, n, err
			}
			if r.stage == stageData || r.stage == stageSkip {
				f.Event, f.Last = Data, h.Length == 0
				if r.stage == stageSkip {
					f.Event, f.Last = Ignored, true
				}
				r.settle()
				return f, n, nil
			}
		case stagePayload:
			f.Header = r.head
			if uint32(len(b)-n) < r.left {
				return f, n, nil
			}
			end := n + int(r.left)
			f.Event, f.Payload = Whole, b[n:end:end]
			r.stage = stageHeader
			return f, end, nil
		case stagePadding:
			f.Header = r.head
			if n == len(b) {
				return f, n, nil
			}
			r.pad = b[n]
			if uint32(r.pad) >= r.head.Length { // §6.1
				return f, n, errPadding
			}
			r.left, r.stage = r.head.Length-1-uint32(r.pad), stageData
			f.Event, f.Last = Data, r.left == 0
			r.settle()
			return f, n + 1, nil
		case stageData:
			f.Header = r.head
			end := n + int(min(r.left, uint32(len(b)-n)))
			if end == n {
				return f, n, nil
			}
			r.left -= uint32(end - n)
			f.Event, f.Payload, f.Last = Piece, b[n:end:end], r.left == 0
			r.settle()
			return f, end, nil
		case stageSkip:
			skip := min(r.left, uint32(len(b)-n))
			n += int(skip)
			r.left -= skip
			if r.left > 0 {
				return f, n, nil
			}
			r.stage = stageHeader
		}
	}
}

// settle leaves a stage whose bytes have all come: data for its padding, padding for the next frame.
func (r *Reader) settle() {
	if r.stage == stageData && r.left == 0 {
		r.left, r.pad, r.stage = uint32(r.pad), 0, stageSkip
	}
	if r.stage == stageSkip && r.left == 0 {
		r.stage = stageHeader
	}
}

// begin checks a frame's header and sets the stage that follows it.
func (r *Reader) begin(h Header, lim *Limits) error {
	// RFC 9113 §3.4: a SETTINGS frame is the first that either side sends.
	if r.stage == stageFirst && (h.Type != TypeSettings || h.Flags.Has(Ack)) {
		return errFirstFrame
	}
	if err := r.order(h, lim); err != nil {
		return err
	}
	r.head, r.left, r.pad = h, h.Length, 0
	if err := h.check(lim.Frame); err != nil {
		r.stage = stageSkip // which matters only where the connection goes on
		r.settle()
		return err
	}
	switch {
	case h.Type == TypeData && h.Flags.Has(Padded):
		r.stage = stagePadding
	case h.Type == TypeData:
		r.stage = stageData
	case h.Type.known():
		r.stage = stagePayload
	default:
		r.stage = stageSkip
	}
	return nil
}

// order keeps header blocks in one piece, RFC 9113 §4.3, and within their bounds before their bytes have come.
func (r *Reader) order(h Header, lim *Limits) error {
	if r.block != 0 {
		if h.Type != TypeContinuation || h.Stream != r.block {
			return errInterleaved
		}
		if r.frames++; r.frames > lim.Continuations {
			return errContinued
		}
	} else {
		if h.Type == TypeContinuation {
			return errContinuation
		}
		if h.Type != TypeHeaders {
			return nil
		}
		r.block, r.bytes, r.frames = h.Stream, 0, 0
	}
	// A frame that is too long by itself is check's to refuse.
	if r.bytes += h.Length; r.bytes > lim.Block && h.Length <= max(lim.Frame, MinFrame) {
		return errBlockBytes
	}
	if h.Flags.Has(EndHeaders) {
		r.block = 0
	}
	return nil
}

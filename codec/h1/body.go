package h1

import "math"

// Event is what Body.Next came to.
type Event uint8

const (
	NeedMore     Event = iota // nothing more can be told from these bytes
	Data                      // a piece of the body
	TrailerField              // a field line of the trailer section, see SplitField
	End                       // the body is complete
)

// bodyState is where in a body the decoder stands.
type bodyState uint8

const (
	bodyEnd       bodyState = iota // nothing follows
	bodyLength                     // in the data of a Content-Length
	bodyToClose                    // in data that ends with the connection
	bodyChunkLine                  // at a chunk-size line
	bodyChunkData                  // in the data of a chunk
	bodyChunkEnd                   // at the CRLF after a chunk's data
	bodyTrailer                    // at a line of the trailer section
)

// Body decodes a message body. It is a small value without pointers, so that a
// connection record can hold it. The zero value is a body that has ended.
//
//	chunk-line → data → CRLF → chunk-line … → last chunk-line → trailer → end
//
// Chunk framing is metered, because a body could else consist of little but
// framing: each chunk costs the bytes of its line and of its CRLF, each byte of
// data earns two, and the debt may not pass Limits.ChunkOverhead. A stream of
// one message per chunk never owes anything from three bytes a message on
// ("3\r\nabc\r\n" costs 5 and earns 6). One typed byte per chunk ("1\r\nx\r\n")
// owes 3, so the default of 64 KiB lasts for 21,845 of them. An extension of
// 200 bytes on chunks of 1 KiB owes nothing; on empty-handed ones it is cut off
// after 64 KiB in all.
type Body struct {
	left     int64 // data bytes to come, of this chunk or of the body
	total    int64 // data bytes announced so far
	debt     int32 // framing bytes beyond what the data earned
	trailer  int32 // bytes of the trailer section so far
	trailers uint16
	state    bodyState
}

// Start readies the decoder for a body with that framing; length counts for
// Length only.
func (d *Body) Start(framing Framing, length int64) {
	*d = Body{}
	switch framing {
	case Length:
		d.left, d.total = length, length
		if length > 0 {
			d.state = bodyLength
		}
	case Chunked:
		d.state = bodyChunkLine
	case UntilClose:
		d.state = bodyToClose
	case None:
	}
}

// Next reads the next piece of the body from b, which begins where the last
// call stopped. n bytes of b are consumed, with NeedMore too: drop them, and
// come back with the rest and more. What is left over is part of one line and
// no longer than Limits allow. data is a view of b: body bytes for Data, the
// field line without its CRLF for TrailerField. After End, b holds what follows
// the message. An error is an *Error; after it, only Start.
func (d *Body) Next(b []byte, lim *Limits) (ev Event, data []byte, n int, err error) {
	for {
		switch d.state {
		case bodyEnd:
			return End, nil, n, nil
		case bodyLength, bodyChunkData, bodyToClose:
			return d.data(b, n, lim)
		case bodyChunkLine:
			size, k, err := chunkLine(b[n:], lim)
			if err != nil || k == 0 {
				return NeedMore, nil, n, err
			}
			n += k
			if err := d.chunk(size, k, lim); err != nil {
				return NeedMore, nil, n, err
			}
		case bodyChunkEnd:
			rest := b[n:]
			if len(rest) > 0 && rest[0] != '\r' || len(rest) > 1 && rest[1] != '\n' {
				return NeedMore, nil, n, errChunkEnd
			}
			if len(rest) < 2 {
				return NeedMore, nil, n, nil
			}
			n += 2
			d.state = bodyChunkLine
		case bodyTrailer:
			ev, line, k, err := d.trailerLine(b[n:], lim)
			return ev, line, n + k, err
		}
	}
}

// Ended says whether the body is complete.
func (d *Body) Ended() bool { return d.state == bodyEnd }

// EOF tells the decoder that the peer has closed: that ends a body framed so,
// and cuts any other that is not complete.
func (d *Body) EOF() error {
	if d.state != bodyEnd && d.state != bodyToClose {
		return errCut
	}
	d.state = bodyEnd
	return nil
}

// data hands out what b holds of the current run of data, from n on.
func (d *Body) data(b []byte, n int, lim *Limits) (Event, []byte, int, error) {
	rest := b[n:]
	if len(rest) == 0 {
		return NeedMore, nil, n, nil
	}
	if d.state == bodyToClose {
		if lim.Body > 0 {
			room := lim.Body - d.total
			if room <= 0 {
				return NeedMore, nil, n, errBodyTooLong
			}
			rest = rest[:min(int64(len(rest)), room)]
		}
		d.total += int64(len(rest))
		return Data, rest, n + len(rest), nil
	}
	if int64(len(rest)) > d.left {
		rest = rest[:d.left]
	}
	if d.left -= int64(len(rest)); d.left == 0 {
		if d.state == bodyLength {
			d.state = bodyEnd
		} else {
			d.state = bodyChunkEnd
		}
	}
	return Data, rest, n + len(rest), nil
}

// chunk opens a chunk whose line was cost bytes long, and meters it.
func (d *Body) chunk(size int64, cost int, lim *Limits) error {
	if size == 0 {
		d.state = bodyTrailer
		return nil
	}
	// total never passes the largest int64: a body that long never comes, but
	// an announced one must not wrap around the limit.
	if size > math.MaxInt64-d.total || lim.Body > 0 && size > lim.Body-d.total {
		return errBodyTooLong
	}
	d.total += size
	earned := 2 * min(size, 1<<20)
	d.debt = int32(max(int64(d.debt)+int64(cost+len(CRLF))-earned, 0))
	if int(d.debt) > lim.ChunkOverhead {
		return errChunkOverhead
	}
	d.left, d.state = size, bodyChunkData
	return nil
}

// trailerLine reads one line of the trailer section, RFC 9112 §7.1.2.
func (d *Body) trailerLine(b []byte, lim *Limits) (Event, []byte, int, error) {
	room := max(lim.TrailerBytes-int(d.trailer), 0)
	window := b[:min(len(b), room)]
	var l line
	ev, err := l.scan(window)
	if err != nil {
		return NeedMore, nil, 0, err
	}
	switch ev {
	case lineMore:
		if len(window) >= room {
			err = errTrailerBytes
		}
		return NeedMore, nil, 0, err
	case lineEnd:
		d.state = bodyEnd
		return End, nil, l.pos, nil
	case lineField:
	}
	if int(d.trailers) >= lim.TrailerFields {
		return NeedMore, nil, 0, errTrailerCount
	}
	if !trailerAllowed(b[l.nameAt:l.nameEnd]) {
		return NeedMore, nil, 0, errTrailerField
	}
	d.trailers++
	d.trailer += int32(l.pos)
	return TrailerField, b[:l.pos-len(CRLF)], l.pos, nil
}

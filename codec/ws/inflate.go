package ws

import "encoding/binary"

// Inflater undoes permessage-deflate, RFC 7692 §7.2.2, for whole messages that
// refer to no earlier one. It is written out here, because what a message may
// cost must be bounded: the output by bytes, and the blocks by what they say.
// Its only state is two codes, a few KiB, so one serves a loop. The zero value
// is ready.
type Inflater struct {
	literals, distances huffman
	lengths             [maxLiterals + maxDistances]uint8
}

// Bounds of a block's codes, RFC 1951 §3.2.7.
const (
	maxLiterals  = 286
	maxDistances = 30
	endOfBlock   = 256
)

// A block with codes of its own costs some microseconds, in as few as twelve
// bytes that say nothing. Each costs blockCost bytes of debt, each byte of
// output earns one, and the debt may not pass maxBlockDebt: 512 of them are
// free, and one for every 256 bytes of output after that, so that the dearest
// message takes some five times as long as an honest one of its length.
// Compressors never come near, unless asked to flush every few words.
const (
	blockCost    = 256
	maxBlockDebt = 128 << 10
)

// Append appends what msg, all of a message's payload as sent, inflates to. An
// error is an *Error: ErrTooBig beyond limit bytes, which stops a bomb once that
// many came out of it. dst grows to less than twice the limit; with room in it,
// nothing is allocated. After an error what was appended is of no use.
func (f *Inflater) Append(dst, msg []byte, limit int) ([]byte, error) {
	// What a compressor makes of nothing is one byte, RFC 7692 §7.2.3.6, but
	// an implementation that inflates as it goes takes none at all too.
	if len(msg) == 0 {
		return dst, nil
	}
	r := bitSource{msg: msg}
	o := output{b: dst, start: len(dst), limit: limit}
	dynamic := 0
	for {
		final, kind, empty := r.take(1) == 1, r.take(2), false
		var err error
		switch {
		case r.short || kind == 3:
			err = errDeflateData
		case kind == 0:
			empty, err = o.stored(&r)
		case kind == 1:
			err = o.coded(&r, &fixedLiterals, &fixedDistances)
		default:
			if dynamic++; dynamic*blockCost-(len(o.b)-o.start) > maxBlockDebt {
				return o.b, errDeflateBlocks
			}
			if err = f.codes(&r); err == nil {
				err = o.coded(&r, &f.literals, &f.distances)
			}
		}
		if err != nil {
			return o.b, err
		}
		// A final block ends on a byte, and others may follow it, RFC 7692
		// §7.2.1. Without them nothing is left but the tail.
		if final && r.align() == len(msg) {
			return o.b, nil
		}
		if empty && r.pos == len(msg)+len(deflateTail) {
			return o.b, nil
		}
	}
}

// deflateTail is what a sender takes off each message and a receiver puts back,
// RFC 7692 §7.2.1: the rest of an empty block without compression.
const deflateTail = "\x00\x00\xff\xff"

// bitSource hands out a message and its tail bit by bit.
type bitSource struct {
	msg   []byte
	pos   int    // the next byte to load; from len(msg) on, in deflateTail
	acc   uint64 // bits loaded and not yet taken, the next one lowest
	n     uint   // how many of them count
	short bool   // more was taken than there is
}

// refill loads bits until 56 are there, or all that are left.
func (r *bitSource) refill() {
	if r.pos+8 <= len(r.msg) {
		// Bits above n are loaded again by the next call, as the same.
		r.acc |= binary.LittleEndian.Uint64(r.msg[r.pos:]) << r.n
		whole := (63 - r.n) / 8
		r.pos += int(whole)
		r.n += whole * 8
		return
	}
	for r.n <= 56 {
		var c byte
		switch at := r.pos - len(r.msg); {
		case at < 0:
			c = r.msg[r.pos]
		case at < len(deflateTail):
			c = deflateTail[at]
		default:
			return
		}
		r.acc |= uint64(c) << r.n
		r.pos++
		r.n += 8
	}
}

// take returns the next n bits, at most 16.
func (r *bitSource) take(n uint) int {
	if r.n < n {
		if r.refill(); r.n < n {
			r.short = true
			return 0
		}
	}
	v := int(r.acc & (1<<n - 1))
	r.acc >>= n
	r.n -= n
	return v
}

// align drops the bits up to the next byte, gives back what was loaded beyond
// it, and returns its position.
func (r *bitSource) align() int {
	r.pos -= int(r.n / 8)
	r.acc, r.n = 0, 0
	return r.pos
}

// codes reads the two codes of a block, RFC 1951 §3.2.7.
func (f *Inflater) codes(r *bitSource) error {
	literals, distances, counts := r.take(5)+257, r.take(5)+1, r.take(4)+4
	if literals > maxLiterals || distances > maxDistances {
		return errDeflateData
	}
	var order [len(codeOrder)]uint8
	for i := range counts {
		order[codeOrder[i]] = uint8(r.take(3))
	}
	lengthCode := &f.distances // until its own code is read
	if r.short || !lengthCode.build(order[:]) {
		return errDeflateData
	}
	lengths := f.lengths[:literals+distances]
	for i := 0; i < len(lengths); {
		r.refill()
		symbol := lengthCode.next(r)
		run, length := 1, uint8(0)
		switch symbol {
		case 16:
			if i == 0 {
				return errDeflateData
			}
			run, length = 3+r.take(2), lengths[i-1]
		case 17:
			run = 3 + r.take(3)
		case 18:
			run = 11 + r.take(7)
		default:
			length = uint8(symbol)
		}
		if symbol < 0 || r.short || run > len(lengths)-i {
			return errDeflateData
		}
		for range run {
			lengths[i] = length
			i++
		}
	}
	if !f.literals.build(lengths[:literals]) || !f.distances.build(lengths[literals:]) {
		return errDeflateData
	}
	return nil
}

// codeOrder is the order in which the lengths of the code for lengths stand.
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// output is what has been inflated so far, and its own window.
type output struct {
	b     []byte
	start int // where the message begins in b
	limit int // bytes that it may have
}

// room is how many bytes may still come.
func (o *output) room() int { return o.limit - (len(o.b) - o.start) }

// stored copies a block without compression, RFC 1951 §3.2.4.
func (o *output) stored(r *bitSource) (empty bool, err error) {
	r.align()
	length, check := r.take(16), r.take(16)
	if r.short || length != check^0xffff {
		return false, errDeflateData
	}
	at := r.align()
	if length == 0 {
		return true, nil
	}
	if length > len(r.msg)-at {
		return false, errDeflateData
	}
	if length > o.room() {
		return false, ErrTooBig
	}
	o.b = append(o.b, r.msg[at:at+length]...)
	r.pos += length
	return false, nil
}

// coded decodes the data of a block, RFC 1951 §3.2.3 and §3.2.5. One refill is
// enough for a length and a distance: 15+5 and 15+13 bits.
func (o *output) coded(r *bitSource, literals, distances *huffman) error {
	for {
		r.refill()
		symbol := literals.next(r)
		switch {
		case symbol < 0:
			return errDeflateData
		case symbol < endOfBlock:
			if o.room() <= 0 {
				return ErrTooBig
			}
			o.b = append(o.b, byte(symbol))
			continue
		case symbol == endOfBlock:
			return nil
		}
		if symbol -= endOfBlock + 1; symbol >= len(lengthBase) {
			return errDeflateData
		}
		length := int(lengthBase[symbol]) + r.take(uint(lengthExtra[symbol]))
		symbol = distances.next(r)
		if symbol < 0 || symbol >= len(distanceBase) {
			return errDeflateData
		}
		distance := int(distanceBase[symbol]) + r.take(uint(distanceExtra[symbol]))
		if r.short || distance > len(o.b)-o.start {
			return errDeflateData
		}
		if length > o.room() {
			return ErrTooBig
		}
		for length > distance { // it repeats itself, and what it repeats grows
			o.b = append(o.b, o.b[len(o.b)-distance:]...)
			length -= distance
			distance *= 2
		}
		at := len(o.b) - distance
		o.b = append(o.b, o.b[at:at+length]...)
	}
}

// Lengths and distances: what their symbols stand for, and how many more bits
// are added to it, RFC 1951 §3.2.5.
var (
	lengthBase = [29]uint16{
		3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
	}
	lengthExtra = [29]uint8{
		0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
	}
	distanceBase = [maxDistances]uint16{
		1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
		4097, 6145, 8193, 12289, 16385, 24577,
	}
	distanceExtra = [maxDistances]uint8{
		0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
	}

	fixedLiterals, fixedDistances = fixedCodes()
)

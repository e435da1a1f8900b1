package h2

import "golang.org/x/net/http2/hpack"

// Decoder decodes header blocks. With a table it belongs to one connection, from which every block must pass through
// it in order. With a table of 0 it keeps nothing from block to block, so all connections of a loop share one.
//
// A client may use 4,096 bytes of table until it has acknowledged our SETTINGS that say 0; so each connection begins
// with NewDecoder(4096), drops it at that acknowledgement, and goes on with the shared NewDecoder(0).
type Decoder struct {
	hpack *hpack.Decoder
	dst   *Fields // of the block being decoded
	lim   *Limits
}

// NewDecoder returns a decoder with a table of that many bytes, the SETTINGS_HEADER_TABLE_SIZE that its client goes by.
func NewDecoder(table uint32) *Decoder {
	d := &Decoder{}
	d.hpack = hpack.NewDecoder(table, d.emit)
	return d
}

// Decode decodes one whole block into dst, whose last list is gone. An error is an *Error: one of Connection scope
// says that the decoder's state is lost, one of Stream scope that the list is malformed or too long, and the decoder
// fit for the next block.
func (d *Decoder) Decode(block []byte, dst *Fields, lim *Limits) error {
	dst.reset()
	if err := checkUpdates(block); err != nil {
		return err
	}
	d.dst, d.lim = dst, lim
	d.hpack.SetEmitEnabled(true)
	_, err := d.hpack.Write(block)
	closed := d.hpack.Close() // always, or the next block begins in the middle of this one
	d.dst, d.lim = nil, nil
	if err != nil || closed != nil {
		return errCompression
	}
	return dst.finish()
}

// emit takes one field over. After the first error the rest only passes through the table, which costs no strings.
func (d *Decoder) emit(f hpack.HeaderField) {
	if d.dst.add(f.Name, f.Value, d.lim); d.dst.err != nil {
		d.hpack.SetEmitEnabled(false)
	}
}

// checkUpdates refuses table size updates that follow a field, and more than two of them: RFC 7541 §4.2 puts them at
// the beginning of a block, where two always suffice. The library sees it only while its table holds something. What is
// cut short here is the library's to refuse.
func checkUpdates(b []byte) error {
	fields, updates := false, 0
	for len(b) > 0 {
		var index uint64
		switch c := b[0]; {
		case c >= reprIndexed:
			_, b = readInt(b, 7)
			fields = true
			continue
		case c&0xe0 == reprTable:
			if fields {
				return errTableUpdate
			}
			if updates++; updates > 2 {
				return errTableUpdates
			}
			_, b = readInt(b, 5)
			continue
		case c&0xc0 == 0x40: // literal to be kept in the table, RFC 7541 §6.2.1
			index, b = readInt(b, 6)
		default:
			index, b = readInt(b, 4)
		}
		fields = true
		if index == 0 {
			b = skipString(b)
		}
		b = skipString(b)
	}
	return nil
}

func skipString(b []byte) []byte {
	n, b := readInt(b, 7)
	if n > uint64(len(b)) {
		return nil
	}
	return b[n:]
}

// readInt reads an integer that begins in the low bits of b[0], RFC 7541 §5.1. Of one that does not end, or is larger
// than any length can be, nothing is left to read.
func readInt(b []byte, bits uint) (n uint64, rest []byte) {
	if len(b) == 0 {
		return 0, nil
	}
	full := uint64(1)<<bits - 1
	if n = uint64(b[0]) & full; n < full {
		return n, b[1:]
	}
	for i, shift := 1, uint(0); i < len(b) && shift < 63; i, shift = i+1, shift+7 {
		n += uint64(b[i]&0x7f) << shift
		if b[i] < 0x80 {
			return n, b[i+1:]
		}
	}
	return 0, nil
}

package ws

import "compress/flate"

// Deflater compresses messages each by itself, RFC 7692 §7.2.1, so that one
// result is good for every client that negotiated the extension. It weighs
// 1.2 MB from its first message on: one serves a loop. It is used once for a
// push, never for a connection. The zero value is ready.
type Deflater struct {
	w   *flate.Writer
	out appendWriter
}

// MinDeflate is how long a message must be for compression to be tried, in
// bytes: below it there is next to nothing to win.
const MinDeflate = 64

// Append appends msg compressed, and says so, if that is shorter; if it is not,
// or msg is shorter than MinDeflate, dst is returned as it was, and msg is to be
// sent as it is, without Compressed.
func (d *Deflater) Append(dst, msg []byte) (out []byte, ok bool) {
	if len(msg) < MinDeflate {
		return dst, false
	}
	out = d.deflate(dst, msg)
	if len(out)-len(dst) >= len(msg) {
		return dst, false
	}
	return out, true
}

// deflate appends msg compressed, come what may. The level is the fastest: the
// work is done on a loop, and a better one costs the clearing of 640 KiB for
// each message besides.
func (d *Deflater) deflate(dst, msg []byte) []byte {
	d.out.b = dst
	if d.w == nil {
		d.w, _ = flate.NewWriter(&d.out, flate.BestSpeed) // only a bad level fails
	} else {
		d.w.Reset(&d.out)
	}
	// Neither can fail, for an appendWriter does not. Flush ends with an empty
	// block, whose end is the tail that is left out.
	_, _ = d.w.Write(msg)
	_ = d.w.Flush()
	out := d.out.b
	d.out.b = nil
	return out[:len(out)-len(deflateTail)]
}

// appendWriter is a slice to write to.
type appendWriter struct{ b []byte }

func (a *appendWriter) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

package mem

import (
	"slices"
	"sync"
)

const (
	// MaxWires bounds the wire forms of a payload: wire numbers are below it.
	MaxWires = 32
	// SmallFrame is the size of Data in bytes up to which a frame is one piece, copied once for all who get it: one
	// send is cheaper than writev. What is larger is never copied.
	SmallFrame = 4096

	frameRoom = 160 // bytes of a frame besides data and names: lengths, field names, a boundary
)

// Framer builds one wire form of a payload: it appends to dst, which is empty and has room for a small frame, and
// returns the result as out. With split < 0 out is the whole frame; else Data goes between out[:split] and
// out[split:]. An out of nil says that the form cannot carry this payload. It may run on two goroutines at once.
type Framer func(dst []byte, p *Payload) (out []byte, split int)

// Frame is a payload in one wire form, shared by all loops and owned by the payload: it is good as long as a reference
// to that.
type Frame struct {
	buf   *Buffer // nil if the form cannot carry the payload
	split int     // where Data goes into buf, below 0 when it is in there or not wanted
}

var (
	frames      = sync.Pool{New: func() any { return new(Frame) }}
	unsupported = &Frame{split: -1}
)

// Frame is the payload in the wire form of this number. The first call makes it; of two at once, one result is kept.
func (p *Payload) Frame(wire int, framer Framer) *Frame {
	if f := p.frames[wire].Load(); f != nil {
		return f
	}
	return p.frame(wire, framer)
}

func (p *Payload) frame(wire int, framer Framer) *Frame {
	room := frameRoom + len(p.ID) + len(p.Event) + len(p.Type)
	small := len(p.Data) <= SmallFrame
	if small {
		room += len(p.Data)
	}
	f, buf := unsupported, Get(room)
	if out, split := framer(buf.B, p); out == nil {
		buf.Release()
	} else {
		if split >= 0 && small {
			out, split = slices.Insert(out, split, p.Data...), -1
		}
		buf.B = out
		f = frames.Get().(*Frame)
		f.buf, f.split = buf, split
	}
	if !p.frames[wire].CompareAndSwap(nil, f) {
		f.free()
	}
	return p.frames[wire].Load()
}

func (f *Frame) free() {
	if f == unsupported {
		return
	}
	f.buf.Release()
	f.buf, f.split = nil, 0
	frames.Put(f)
}

// Unsupported reports that the wire form cannot carry the payload. Such a frame has no bytes.
func (f *Frame) Unsupported() bool { return f == unsupported }

// Size is the length of the frame in bytes. p is the payload that it belongs to.
func (f *Frame) Size(p *Payload) int {
	switch {
	case f.buf == nil:
		return 0
	case f.split < 0:
		return len(f.buf.B)
	}
	return len(f.buf.B) + len(p.Data)
}

// Parts appends the pieces of the frame, at most three and none empty, to dst. p is the payload that it belongs to.
func (f *Frame) Parts(dst [][]byte, p *Payload) [][]byte {
	if f.buf == nil {
		return dst
	}
	if f.split < 0 {
		return appendPart(dst, f.buf.B)
	}
	dst = appendPart(dst, f.buf.B[:f.split])
	dst = append(dst, p.Data)
	return appendPart(dst, f.buf.B[f.split:])
}

func appendPart(dst [][]byte, b []byte) [][]byte {
	if len(b) == 0 {
		return dst
	}
	return append(dst, b)
}

package peer

import (
	"io"
	"net"

	"github.com/cloudwego/netpoll"

	"holdfast/engine/mem"
)

// batch is what waits to be written: frames one behind the other, and marks for those that are more than bytes.
type batch struct {
	bytes []byte
	marks []mark
	size  int // all of it, payloads included
}

// mark is a request in a batch: it may have lost its asker before it is written, and may end in a payload that is
// written from where it lies.
type mark struct {
	id         uint64
	start, end int // of the frame, up to the payload
	payload    *mem.Payload
	drop       bool
}

const (
	keepBytes = 1 << 20 // a batch that outgrew this gives its memory back: a burst must not pin it
	keepMarks = 16 << 10
)

// clear empties a batch and keeps what memory is worth keeping.
func (b *batch) clear() {
	for i := range b.marks {
		if p := b.marks[i].payload; p != nil {
			p.Release()
		}
	}
	clear(b.marks)
	b.bytes, b.marks, b.size = b.bytes[:0], b.marks[:0], 0
	if cap(b.bytes) > keepBytes {
		b.bytes = nil
	}
	if cap(b.marks) > keepMarks {
		b.marks = nil
	}
}

// vectors is how many pieces one system call takes at most (UIO_MAXIOV).
const vectors = 1024

// writer sends batches. A LinkBuffer strings the pieces together without a copy. It is filled by WriteBinary, which
// copies nothing beyond 4 KiB either: WriteDirect walks all pieces written so far at each call.
type writer struct {
	conn   io.Writer
	chain  *netpoll.LinkBuffer
	pieces [][]byte
	parts  net.Buffers
}

func newWriter(conn io.Writer) *writer {
	return &writer{conn: conn, chain: netpoll.NewLinkBuffer(0), pieces: make([][]byte, vectors)}
}

// send writes a batch. After an error, n bytes of it are on their way; what is dropped counts as none.
func (w *writer) send(b *batch) (n int, err error) {
	from := 0
	for i := range b.marks {
		m := &b.marks[i]
		switch {
		case m.drop:
			w.add(b.bytes[from:m.start])
			from = m.end
		case m.payload != nil:
			w.add(b.bytes[from:m.end])
			w.add(m.payload.Data)
			from = m.end
		}
	}
	w.add(b.bytes[from:])
	if err := w.chain.Flush(); err != nil {
		return 0, err
	}
	for !w.chain.IsEmpty() {
		w.parts = w.chain.GetBytes(w.pieces)
		k, err := w.parts.WriteTo(w.conn)
		n += int(k)
		if err != nil {
			return n, err
		}
		if err := w.chain.Skip(int(k)); err != nil {
			return n, err
		}
		if err := w.chain.Release(); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (w *writer) add(b []byte) {
	if len(b) > 0 {
		_, _ = w.chain.WriteBinary(b) // it never fails
	}
}

// close gives the chain's memory back; nothing can be sent any more.
func (w *writer) close() { _ = w.chain.Close() }

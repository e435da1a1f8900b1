package peer

import (
	"io"
	"sync/atomic"

	"github.com/cloudwego/netpoll"

	"holdfast/engine/mem"
)

// Sizes of one read. It doubles when a read fills it and halves when most of it stays empty: an idle link of many must
// not hold a large buffer, and a busy one must not pay a system call for each few frames.
const (
	minRead = 4 << 10
	maxRead = 64 << 10
)

// reader cuts a connection's bytes into frames, which are views into what was read as far as they lie in one piece.
// It takes no more from the socket than it has asked for, so who sends faster than we read is held back by TCP.
type reader struct {
	conn  io.Reader
	chain *netpoll.LinkBuffer
	block *mem.Buffer
	size  int // of the block
	limit int // bytes of a frame

	heard    *atomic.Bool // set at each read
	received *atomic.Uint64
}

func newReader(conn io.Reader, limit int, heard *atomic.Bool, received *atomic.Uint64) *reader {
	return &reader{
		conn: conn, chain: netpoll.NewLinkBuffer(0), block: newBlock(minRead), size: minRead, limit: limit,
		heard: heard, received: received,
	}
}

// next is the next frame. Its body is good until the next call. No memory is taken for bytes that are not there yet,
// whatever length was claimed.
func (r *reader) next() (kind byte, body []byte, err error) {
	if err := r.chain.Release(); err != nil {
		return 0, nil, err
	}
	if err := r.fill(frameHead); err != nil {
		return 0, nil, err
	}
	head, err := r.chain.Peek(frameHead)
	if err != nil {
		return 0, nil, err
	}
	size, err := frameSize(head, r.limit)
	if err != nil {
		return 0, nil, err
	}
	if err := r.fill(frameHead + size); err != nil {
		return 0, nil, err
	}
	if err := r.chain.Skip(frameHead); err != nil {
		return 0, nil, err
	}
	b, err := r.chain.Next(size)
	if err != nil {
		return 0, nil, err
	}
	return b[0], b[1:], nil
}

// fill reads until n bytes are there. What was read is copied into a piece of the chain of just that size: a piece that
// the socket fills itself is lost for more when little comes, so who sends byte by byte would fill our memory.
func (r *reader) fill(n int) error {
	for r.chain.Len() < n {
		k, err := r.conn.Read(r.block.B[:r.size])
		if k == 0 && err != nil {
			return err
		}
		piece, err := r.chain.Malloc(k)
		if err != nil {
			return err
		}
		copy(piece, r.block.B[:k])
		if err := r.chain.Flush(); err != nil {
			return err
		}
		r.received.Add(uint64(k))
		if !r.heard.Load() {
			r.heard.Store(true)
		}
		r.adapt(k)
	}
	return nil
}

// adapt chooses the size of the next read after one of k bytes.
func (r *reader) adapt(k int) {
	size := r.size
	switch {
	case k == size:
		size = min(2*size, maxRead)
	case k < size/8:
		size = max(size/2, minRead)
	}
	if size != r.size {
		r.block.Release()
		r.block, r.size = newBlock(size), size
	}
}

func newBlock(size int) *mem.Buffer {
	b := mem.Get(size)
	b.B = b.B[:size]
	return b
}

// close gives the chain's memory back.
func (r *reader) close() {
	_ = r.chain.Close()
	r.block.Release()
}

package mem

import (
	"sync"
	"sync/atomic"
)

// Payload is the bytes of one push. One goroutine builds it; once it is shared, by Retain or by handing it to another
// goroutine, nothing of it changes any more, and it lives until each reference was released.
type Payload struct {
	// Set while building, then read by any goroutine. Views of pooled memory: keep them no longer than a reference.
	ID    []byte
	Event []byte
	Type  []byte // media type
	Data  []byte

	data  *Buffer // behind Data
	names *Buffer // behind ID, Event and Type; nil without any

	refs   atomic.Int32
	frames [MaxWires]atomic.Pointer[Frame]
}

var payloads = sync.Pool{New: func() any { return new(Payload) }}

// NewPayload is an empty payload with room for capacity bytes of Data, and one reference: the caller's.
func NewPayload(capacity int) *Payload {
	p := payloads.Get().(*Payload)
	p.data = Get(capacity)
	p.Data = p.data.B
	p.refs.Store(1)
	return p
}

// Append adds to Data. Only while building.
func (p *Payload) Append(b []byte) {
	p.Grow(len(b))
	p.Data = append(p.Data, b...)
}

// Grow makes room for n more bytes of Data, which may move. Only while building.
func (p *Payload) Grow(n int) {
	p.mustBuild()
	p.data.B = p.Data
	p.data.Grow(n)
	p.Data = p.data.B
}

// SetID copies the message's id. Only while building.
func (p *Payload) SetID(id []byte) { p.ID = p.name(id) }

// SetEvent copies the message's event name. Only while building.
func (p *Payload) SetEvent(event []byte) { p.Event = p.name(event) }

// SetType copies the message's media type. Only while building.
func (p *Payload) SetType(mediaType []byte) { p.Type = p.name(mediaType) }

// name copies b behind the other names. When they outgrow their buffer, older views stay good: the buffer keeps its
// first memory until it is released.
func (p *Payload) name(b []byte) []byte {
	p.mustBuild()
	if len(b) == 0 {
		return nil
	}
	if p.names == nil {
		p.names = Get(len(b))
	}
	start := len(p.names.B)
	p.names.B = append(p.names.B, b...)
	return p.names.B[start:len(p.names.B):len(p.names.B)]
}

func (p *Payload) mustBuild() {
	if debug && p.refs.Load() != 1 {
		panic("mem: payload changed after it was shared or released")
	}
}

// Retain takes one more reference. Only who holds one may take another.
func (p *Payload) Retain() {
	if n := p.refs.Add(1); debug && n <= 1 {
		panic("mem: payload retained after its last release")
	}
}

// Release gives a reference back; the last one frees the payload and its frames. Debug builds panic on one too many.
func (p *Payload) Release() {
	n := p.refs.Add(-1)
	if n > 0 {
		return
	}
	if n < 0 {
		if debug {
			panic("mem: payload released more often than retained")
		}
		return
	}
	for i := range p.frames {
		if f := p.frames[i].Load(); f != nil {
			p.frames[i].Store(nil)
			f.free()
		}
	}
	p.data.Release()
	if p.names != nil {
		p.names.Release()
	}
	p.data, p.names = nil, nil
	p.ID, p.Event, p.Type, p.Data = nil, nil, nil, nil
	if !debug { // there it is never used again, so that a stale reference shows
		payloads.Put(p)
	}
}

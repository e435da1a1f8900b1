package websocket

import (
	"holdfast/codec/ws"
	"holdfast/engine/mem"
)

// inbound is a message on its way in.
type inbound struct {
	parser ws.Parser
	buf    *mem.Buffer // what has come of it, nil if nobody wants it
	text   ws.UTF8     // of an uncompressed text
	paid   uint32      // see meter
}

func (i *inbound) release() {
	if i.buf != nil {
		i.buf.Release()
		i.buf = nil
	}
}

// append keeps a piece.
func (i *inbound) append(b []byte) {
	i.buf.Grow(len(b))
	i.buf.B = append(i.buf.B, b...)
}

// pieces are the messages of a loop that have come in part, reused. Index 0 is none.
type pieces struct {
	all  []inbound
	free []uint32
}

func (p *pieces) init() { p.all = make([]inbound, 1) }

func (p *pieces) at(i uint32) *inbound { return &p.all[i] }

func (p *pieces) take() uint32 {
	if n := len(p.free); n > 0 {
		i := p.free[n-1]
		p.free = p.free[:n-1]
		return i
	}
	p.all = append(p.all, inbound{})
	return uint32(len(p.all) - 1)
}

func (p *pieces) drop(i uint32) {
	p.all[i].release()
	p.all[i] = inbound{}
	p.free = append(p.free, i)
}

// load readies now to read on where a client's input stopped.
func (m *Machine) load(st *State) {
	if st.Bits&bitPiece == 0 {
		m.now = inbound{parser: ws.NewParser(ws.Server, st.Bits&bitDeflate != 0), paid: st.Extra}
		return
	}
	kept := m.pieces.at(st.Extra)
	m.now, kept.buf = *kept, nil // whoever ends it meanwhile gives back nothing of now's
}

// store is the opposite: between messages nothing but a number is left.
func (m *Machine) store(slot uint32, st *State) {
	if m.now.parser.Open() {
		if st.Bits&bitPiece == 0 {
			st.Bits |= bitPiece
			st.Extra = m.pieces.take()
		}
		*m.pieces.at(st.Extra) = m.now
	} else {
		m.dropPiece(st)
		st.Extra = m.now.paid
	}
	m.c.Keep(slot, *st)
}

func (m *Machine) dropPiece(st *State) {
	if st.Bits&bitPiece != 0 {
		m.pieces.drop(st.Extra)
		st.Bits &^= bitPiece
	}
	st.Extra = 0
}

// Take is Received for a carrier that keeps no input: it uses all of it up. What is not understood yet is kept here: a
// frame's head or a control frame, or what a client that is not read for now has sent.
func (m *Machine) Take(slot uint32, b []byte) {
	if rest := m.rests[slot]; rest != nil {
		delete(m.rests, slot)
		defer rest.Release()
		rest.Grow(len(b))
		rest.B = append(rest.B, b...)
		b = rest.B
	}
	used := m.Received(slot, b)
	if used == len(b) || m.c.State(slot).Bits&bitOver != 0 {
		return
	}
	rest := mem.Get(len(b) - used)
	rest.B = append(rest.B, b[used:]...)
	m.rests[slot] = rest
}

func (m *Machine) dropRest(slot uint32) {
	if rest := m.rests[slot]; rest != nil {
		delete(m.rests, slot)
		rest.Release()
	}
}

package simkernel

// How is how a connection ended in the eyes of its Peer.
type How uint8

const (
	// Open means that more may come.
	Open How = iota
	// Fin means that the loop ended its output, and all of it arrived.
	Fin
	// Rst means that the loop, or the system in its name, reset: output may be lost.
	Rst
)

func (h How) String() string { return [...]string{"open", "ended", "reset"}[h] }

// Listen opens a listening socket.
func (k *Kernel) Listen() (fd int) { return k.open(&file{}) }

// Dial connects a Peer, which may write before it is accepted.
func (k *Kernel) Dial(listener int) *Peer {
	f := k.file(listener, "Dial")
	c := &conn{k: k}
	f.backlog = append(f.backlog, c)
	k.idle = false
	return &Peer{c}
}

// Connect is the other way round: a connection that the loop's side has opened to a Peer.
func (k *Kernel) Connect() (fd int, p *Peer) {
	c := &conn{k: k}
	return k.open(&file{conn: c}), &Peer{c}
}

// Peer is who is at the other end of a conn. It takes what it is sent at once, unless stalled.
type Peer struct{ c *conn }

// Write sends to the loop. It takes everything; what the loop's side does not take stays Unsent.
func (p *Peer) Write(b []byte) {
	c := p.c
	switch {
	case c.rstSent:
	case c.finSent:
		panic("simkernel: a Peer writes after its end")
	case c.loopGone:
		c.cut()
	case c.end != Rst:
		c.flight = append(c.flight, b...)
		c.settle()
	}
}

// Unsent is how many bytes have not arrived at the loop's side.
func (p *Peer) Unsent() int { return len(p.c.flight) }

// Read takes everything that has come since the last Read.
func (p *Peer) Read() []byte {
	b := p.c.taken
	p.c.taken = nil
	return b
}

// Closed says whether and how the loop's output has ended, as far as the peer can know: a stalled one has not seen the
// end that comes behind what it does not take.
func (p *Peer) Closed() (closed bool, how How) { return p.c.end != Open, p.c.end }

// CloseWrite ends what the peer sends, with a FIN.
func (p *Peer) CloseWrite() {
	p.c.finSent = true
	p.c.settle()
}

// Close ends both directions: with a FIN, after which whatever is sent to it is answered by an RST, or with an RST at
// once if the peer did not Read all that it was sent.
func (p *Peer) Close() {
	c := p.c
	if len(c.taken) > 0 || len(c.output) > 0 {
		p.Reset()
		return
	}
	c.peerGone, c.finSent = true, true
	c.settle()
}

// Reset ends both directions with an RST.
func (p *Peer) Reset() {
	p.c.peerGone, p.c.rstSent = true, true
	p.c.settle()
}

// Stall makes the peer take nothing until Resume, so that the loop's sends fill the system's buffer.
func (p *Peer) Stall() { p.c.stalled = true }

// Drain makes a stalled peer take at most n bytes, and returns how many it took.
func (p *Peer) Drain(n int) int {
	before := len(p.c.output)
	p.c.carry(n)
	return before - len(p.c.output)
}

// Resume makes a stalled peer take everything again.
func (p *Peer) Resume() {
	p.c.stalled = false
	p.c.flow()
}

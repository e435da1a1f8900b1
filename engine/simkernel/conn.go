package simkernel

import (
	"golang.org/x/sys/unix"

	"holdfast/engine/epoll"
)

// conn is a TCP connection between the loop, which has a file for it, and a Peer.
type conn struct {
	k *Kernel

	// from the peer to the loop
	flight  []byte // written, not arrived
	input   []byte // arrived, not read; at most RecvBuffer
	finSent bool   // the peer sends no more: the end comes behind flight
	finCame bool
	rstSent bool // the peer reset: it comes before what is left of flight
	rstCame bool
	err     unix.Errno // SO_ERROR: told by one call, then forgotten

	// from the loop to the peer
	output  []byte // taken from the loop, not by the peer; at most SendBuffer
	shut    bool   // the loop sends no more: the end comes behind output
	choked  int    // Waits for which sends are still refused
	stalled bool   // the peer takes nothing
	taken   []byte // the peer has it, the test has not

	peerGone bool // the peer closed: it answers data with a reset
	loopGone bool // the loop closed: so does the system
	end      How  // what the peer has been told
}

// state is tcp_poll of Linux, net/ipv4/tcp.c.
func (c *conn) state() uint32 {
	var mask uint32
	ended := c.finCame || c.rstCame // RCV_SHUTDOWN
	shut := c.shut || c.rstCame     // SEND_SHUTDOWN
	if len(c.input) > 0 || ended {
		mask |= epoll.In
	}
	if ended {
		mask |= epoll.RdHup
	}
	if shut || c.writable() {
		mask |= epoll.Out
	}
	if ended && shut {
		mask |= epoll.Hup
	}
	if c.err != 0 {
		mask |= epoll.Err
	}
	return mask
}

// writable is when Out is reported: not as soon as there is room, but when a third is free (sk_stream_is_writeable).
func (c *conn) writable() bool {
	return c.choked == 0 && c.k.o.SendBuffer-len(c.output) >= len(c.output)/2
}

// arrive is what a Wait does to a conn: input comes in, refusals wear off.
func (c *conn) arrive() {
	if c.choked > 0 {
		c.choked--
	}
	c.deliver()
}

// underWay says whether another arrive would change anything.
func (c *conn) underWay() bool {
	return c.choked > 0 ||
		len(c.flight) > 0 && len(c.input) < c.k.o.RecvBuffer ||
		c.finSent && !c.finCame && len(c.flight) == 0 ||
		c.rstSent && !c.rstCame
}

// settle delivers at once what has just been sent, in a network that does not tear things apart.
func (c *conn) settle() {
	c.k.idle = false
	if c.k.o.InputPieces == 0 {
		c.deliver()
	}
}

// deliver moves what the peer sent towards the loop: all of it, or a piece. An end or a reset may come with the last
// piece, or later; a reset may overtake the pieces.
func (c *conn) deliver() {
	if c.rstCame {
		return
	}
	n := min(len(c.flight), c.k.o.RecvBuffer-len(c.input))
	pieces := c.k.o.InputPieces
	if pieces > 0 {
		n = min(n, 1+c.k.rng.IntN(pieces))
	}
	c.input = append(c.input, c.flight[:n]...)
	c.flight = c.flight[n:]
	now := pieces == 0 || c.k.chance(0.5)
	if c.finSent && len(c.flight) == 0 && now {
		c.finCame = true
	}
	if c.rstSent && now {
		c.reset()
	}
}

// reset is the arrival of an RST at the loop's end (tcp_reset). What was received before can still be read.
func (c *conn) reset() {
	if c.rstCame || c.finCame && c.shut {
		return // over already, by a reset or in TIME_WAIT
	}
	c.err = unix.ECONNRESET
	if c.finCame {
		c.err = unix.EPIPE // in CLOSE_WAIT
	}
	c.rstCame = true
	c.flight, c.output = nil, nil
}

// carry moves output to the peer, n bytes of it, and the end behind it.
func (c *conn) carry(n int) {
	c.k.idle = false
	n = min(n, len(c.output))
	c.taken = append(c.taken, c.output[:n]...)
	c.output = c.output[n:]
	if c.shut && !c.rstCame && len(c.output) == 0 && c.end == Open {
		c.end = Fin
	}
}

// flow carries everything, unless the peer takes nothing.
func (c *conn) flow() {
	if !c.stalled {
		c.carry(len(c.output))
	}
}

// cut is a reset by the loop's end: what it had sent and the peer did not have is lost.
func (c *conn) cut() {
	c.output, c.flight, c.input = nil, nil, nil
	if !c.rstCame && !c.peerGone {
		c.end = Rst
	}
}

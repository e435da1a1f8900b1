package simkernel

import (
	"time"

	"golang.org/x/sys/unix"
)

// Options say what the network does to the loop. With the zero value it is a loopback on its best behaviour: everything
// arrives at once and whole, and sends are refused only when a buffer is full.
type Options struct {
	SendBuffer int // bytes that the system takes from the loop for a peer that takes none; default 16 KiB
	RecvBuffer int // bytes that it takes from a peer for a loop that reads none; default 64 KiB

	// InputPieces makes input arrive in pieces of 1 to so many bytes, one each Wait; its end and a reset come some
	// Waits later. 0 is whole and at once.
	InputPieces int

	ShortSend float64 // probability that a send is cut, to 1 byte every other time
	Refuse    float64 // probability that a send is refused with EAGAIN though there is room
	Interrupt float64 // probability that a Wait returns early with nothing, as after a signal
	Delay     int     // Waits for which a socket that refused a send at most stays so, though there is room

	EAGAINAt int // the EAGAINAt-th send of all is refused, counted from 1: run a test for each until Sends is lower
	ResetAt  int // before the ResetAt-th Read, Send or Sendv of all, its peer resets: run likewise until Ops is lower

	MaxFiles int           // descriptors that may be open before Accept fails with EMFILE; 0 is no limit
	Nap      time.Duration // the longest that time advances in one Wait; default 1 s
}

func (o *Options) fill() {
	if o.SendBuffer <= 0 {
		o.SendBuffer = 16 << 10
	}
	if o.RecvBuffer <= 0 {
		o.RecvBuffer = 64 << 10
	}
	if o.Nap <= 0 {
		o.Nap = time.Second
	}
}

// Rough is weather in which nothing works at the first try, but everything in the end.
func Rough() Options {
	return Options{
		SendBuffer: 512, RecvBuffer: 256, InputPieces: 7,
		ShortSend: 0.3, Refuse: 0.2, Interrupt: 0.1, Delay: 3,
	}
}

// FailAccepts makes the next n accepts fail. ECONNABORTED takes a connection out of the backlog; with other errors it
// stays there.
func (k *Kernel) FailAccepts(n int, err unix.Errno) { k.acceptFails, k.acceptErr = n, err }

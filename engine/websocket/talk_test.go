package websocket

import (
	"slices"
	"testing"

	"holdfast/engine/route"
	"holdfast/engine/simkernel"
)

// outcome is what a client's input led to.
type outcome struct {
	heard []string // messages that the handler was told
	got   []string // frames that the client was sent
	how   simkernel.How
}

func (o *outcome) is(p *outcome) bool {
	return slices.Equal(o.heard, p.heard) && slices.Equal(o.got, p.got) && o.how == p.how
}

// converse lets a new client say these pieces, one after the other.
func (r *rig) converse(lines string, pieces ...string) outcome {
	r.Helper()
	c := r.open("/ws", lines)
	before := len(r.script.why)
	for _, piece := range pieces {
		c.send(piece)
	}
	_, how := c.p.Closed()
	o := outcome{heard: r.script.messages, got: c.read(), how: how}
	if ended := len(r.script.why) - before; how == simkernel.Open && ended != 0 || how != simkernel.Open && ended != 1 {
		r.Errorf("the connection is %v, exchanges ended: %v", how, r.script.why[before:])
	}
	r.script.messages = nil
	c.p.Reset()
	c.settle()
	r.empty()
	return o
}

// converse is that with a rig of its own.
func converse(t testing.TB, p route.Socket, lines string, pieces ...string) outcome {
	t.Helper()
	return newRig(t, 1, simkernel.Options{}, p, Config{}).converse(lines, pieces...)
}

// cuts is at how many places inputs are cut at most: each costs a connection.
func cuts() int {
	if testing.Short() {
		return 6
	}
	return 60
}

// says checks what a client's input leads to: whole, byte by byte, and cut in two anywhere.
func says(t testing.TB, p route.Socket, lines, in string, want outcome) {
	t.Helper()
	r := newRig(t, 1, simkernel.Options{}, p, Config{})
	check := func(how string, got outcome) {
		t.Helper()
		if !got.is(&want) {
			t.Fatalf("%.60q %s:\nheard %.200q, got %.200q, %v\n want %.200q,     %.200q, %v",
				in, how, got.heard, got.got, got.how, want.heard, want.got, want.how)
		}
	}
	check("whole", r.converse(lines, in))
	if len(in) <= 1024 {
		check("byte by byte", r.converse(lines, bytewise(in)...))
	}
	step := max(1, len(in)/cuts())
	for cut := 1; cut < len(in); cut += step {
		check("cut in two", r.converse(lines, in[:cut], in[cut:]))
	}
}

func bytewise(s string) []string {
	pieces := make([]string, len(s))
	for i := range pieces {
		pieces[i] = s[i : i+1]
	}
	return pieces
}

// list is shorthand for what was heard or got.
func list(s ...string) []string { return s }

// stays is the outcome of input after which the connection goes on.
func stays(heard, got []string) outcome { return outcome{heard, got, simkernel.Open} }

// ends is that of input which ends it, and got is the last thing that the client is sent.
func ends(heard []string, got ...string) outcome { return outcome{heard, got, simkernel.Fin} }

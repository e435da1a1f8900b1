package gateway

import (
	"bytes"

	"holdfast/codec/key"
	"holdfast/engine/exchange"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/registry"
)

// command changes the keys of a live hold: {"subscribe":["a"],"unsubscribe":["b"]}.
type command struct {
	Subscribe   []string `json:"subscribe"`
	Unsubscribe []string `json:"unsubscribe"`
}

// commandStart is how a message must begin to be taken for a command at all: what clients say to the application is not
// parsed twice.
var commandStart = []byte(`{"`)

// decodeCommand reads a command. A message that is none, or says more than a command does, is the application's.
func decodeCommand(data []byte) (*command, bool) {
	if !bytes.HasPrefix(data, commandStart) {
		return nil, false
	}
	c := new(command)
	if err := itemJSON.Unmarshal(data, c); err != nil || c.Subscribe == nil && c.Unsubscribe == nil {
		return nil, false
	}
	return c, true
}

var errLastKey = &refusal{400, "a hold keeps at least one key; close the connection instead"}

// obey changes the keys of a hold and tells its client what it holds now, or why nothing has changed.
func (g *Gateway) obey(x exchange.Exchange, c *command, policy *route.Policy) {
	if err := g.rekey(x.Slot, c, policy); err != nil {
		_, text := statusOf(err)
		g.tellSocket(x, g.errorBody(text))
		return
	}
	b := append(g.scratch.out[:0], `{"keys":`...)
	b = append(appendNames(b, g.keysOf(x.Slot)), '}')
	g.scratch.out = b
	g.tellSocket(x, b)
}

// rekey changes the keys of a hold: all of the command, or nothing.
func (g *Gateway) rekey(slot uint32, c *command, policy *route.Policy) error {
	now := g.keysOf(slot)
	want := make(map[string]bool, len(now))
	for _, name := range now {
		want[name] = true
	}
	for _, name := range c.Unsubscribe {
		delete(want, name)
	}
	for _, name := range c.Subscribe {
		if err := key.Check([]byte(name)); err != nil {
			return err
		}
		want[name] = true
	}
	switch {
	case len(want) == 0:
		return errLastKey
	case len(want) > policy.MaxKeys:
		return key.ErrTooMany
	}
	var joined []string
	for _, name := range c.Subscribe { // first: what fails changes nothing, and no message between two keys is missed
		if !want[name] || g.holds(slot, []byte(name)) {
			continue
		}
		if err := g.joinOne(slot, []byte(name)); err != nil {
			for _, undo := range joined {
				g.leaveOne(slot, undo)
			}
			return errKeysFull
		}
		joined = append(joined, name)
	}
	for _, name := range now {
		if !want[name] {
			g.leaveOne(slot, name)
		}
	}
	return nil
}

var errKeysFull = &refusal{503, "this node's key table is full"}

// keysOf lists the keys of a hold.
func (g *Gateway) keysOf(slot uint32) (names []string) {
	for at := slot; at != 0; at = g.space.At(at).Chain {
		if n := g.space.Member(at).Name; n != 0 {
			names = append(names, string(g.shared.Table.AppendName(nil, n)))
		}
	}
	return names
}

// joinOne puts a hold under one more key: in its own record if that has none, else in a chained one.
func (g *Gateway) joinOne(slot uint32, name []byte) error {
	if g.space.Member(slot).Name == 0 {
		return g.members.Join(g.shared.Table, name, slot)
	}
	next, ok := g.space.Chain(slot)
	if !ok {
		return registry.ErrFull
	}
	if err := g.members.Join(g.shared.Table, name, next); err != nil {
		g.space.Unchain(next)
		return err
	}
	r := g.space.At(slot)
	g.space.At(next).Chain = r.Chain
	r.Chain = next
	return nil
}

// leaveOne takes a hold from under one of its keys. The exchange's own record stays, if need be without a key.
func (g *Gateway) leaveOne(slot uint32, name string) {
	var before *record.Record
	for at := slot; at != 0; at = g.space.At(at).Chain {
		r := g.space.At(at)
		if n := r.Member.Name; n == 0 || string(g.shared.Table.AppendName(nil, n)) != name {
			before = r
			continue
		}
		g.members.Leave(g.shared.Table, at)
		if at != slot {
			before.Chain = r.Chain
			g.space.Unchain(at)
		}
		return
	}
}

package gateway

import (
	"bytes"
	"strconv"

	"holdfast/codec/key"
	"holdfast/engine/exchange"
	"holdfast/engine/mem"
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
	pending, err := g.rekey(x.Slot, c, policy)
	if err != nil {
		_, text := statusOf(err)
		g.tellSocket(x, g.errorBody(text), jsonType)
		return
	}
	b := append(g.scratch.out[:0], `{"keys":`...)
	b = appendNames(b, g.keysOf(x.Slot))
	if pending {
		b = append(b, `,"pending":true`...)
	}
	b = append(b, '}')
	g.scratch.out = b
	g.tellSocket(x, b, jsonType)
}

// rekey changes the keys of a hold: all of the command, or nothing. Pending says that other nodes may not find it by some
// of them yet; soon they will.
func (g *Gateway) rekey(slot uint32, c *command, policy *route.Policy) (pending bool, err error) {
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
			return false, err
		}
		want[name] = true
	}
	switch {
	case len(want) == 0:
		return false, errLastKey
	case len(want) > policy.MaxKeys:
		return false, key.ErrTooMany
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
			return false, errKeysFull
		}
		joined = append(joined, name)
		if g.shared.Abroad != nil && !g.shared.Abroad.Await([]byte(name), Ticket{Loop: uint32(g.id)}) {
			pending = true
		}
	}
	for _, name := range now {
		if !want[name] {
			g.leaveOne(slot, name)
		}
	}
	return pending, nil
}

var errKeysFull = &refusal{503, "this node's key table is full"}

const maxCommand = 64 << 10 // bytes of a command; 413 beyond

var (
	errConn        = &refusal{400, "name a connection: PATCH /push?conn=ID, with an id that the admin listener's /v1/conns shows"}
	errCommand     = &refusal{400, "the body is not like {\"subscribe\":[\"a\"],\"unsubscribe\":[\"b\"]}"}
	errCommandSize = &refusal{413, "the command is longer than 64 KiB"}
)

// beginRekey starts a PATCH: the keys of one of this node's connections change, whatever its form.
func (g *Gateway) beginRekey(x exchange.Exchange, h *exchange.Head, policy *route.Policy) {
	id, _ := queryValue(h.Query, "conn=")
	conn, err := strconv.ParseUint(string(id), 16, 64)
	if err != nil {
		g.refuse(x, errConn)
		return
	}
	t := g.newTask(x, taskRekey, policy)
	t.conn = registry.Handle(conn)
	t.body = mem.Get(headStart(h))
	g.weigh(x, t)
}

func (g *Gateway) takeRekey(x exchange.Exchange, t *task, b []byte) {
	if len(t.body.B)+len(b) > maxCommand {
		g.refuse(x, errCommandSize)
		return
	}
	t.body.Grow(len(b))
	t.body.B = append(t.body.B, b...)
}

// pushRekey sends a command to its connection's loop.
func (g *Gateway) pushRekey(x exchange.Exchange, t *task) {
	c, ok := decodeCommand(bytes.TrimSpace(t.body.B))
	if !ok {
		g.refuse(x, errCommand)
		return
	}
	ref, ok := g.newOp(0, g.asker(t), 0, g.now)
	if !ok {
		g.refuse(x, errBusy)
		return
	}
	g.ops.all[ref.index].homes = 1
	switch to := t.conn.Loop(); {
	case to == g.id:
		g.report(ref, g.rekeyConn(t.conn, c))
	case to >= len(g.shared.boxes):
		g.report(ref, &account{home: true})
	case !g.shared.boxes[to].Post(letter{kind: letterRekey, ref: ref, errand: &errand{conn: t.conn, command: c}}):
		g.report(ref, &account{home: true, counts: counts{busy: 1}})
	}
	g.watch(ref)
}

// rekeyConn changes the keys of a connection of this loop, if it is still there and held.
func (g *Gateway) rekeyConn(conn registry.Handle, c *command) *account {
	a := &account{home: true}
	slot := conn.Slot()
	if slot == 0 || !g.space.Live(conn) || g.space.At(slot).Form == uint8(exchange.NoForm) {
		return a
	}
	policy := &g.shared.Snapshot.Load().Policies[g.space.At(slot).Policy]
	if a.pending, a.err = g.rekey(slot, c, policy); a.err == nil {
		a.held = 1
	}
	return a
}

// answerRekey tells a publisher what became of its command.
func (g *Gateway) answerRekey(x exchange.Exchange, p *op) {
	switch {
	case p.err != nil:
		g.refuse(x, p.err)
	case p.held > 0:
		if p.pending {
			g.answer(x, 200, jsonType, []byte("{\"changed\":true,\"pending\":true}\n"))
			return
		}
		g.answer(x, 200, jsonType, []byte("{\"changed\":true}\n"))
	case p.status() == 404:
		g.fail(x, 404, "this node holds no connection of that id")
	default:
		g.unavailable(x, "the connection's loop did not answer; try again")
	}
}

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

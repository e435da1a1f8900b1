package gateway

import (
	"strconv"

	"holdfast/codec/key"
	"holdfast/codec/ndjson"
	"holdfast/engine/exchange"
	"holdfast/engine/route"
)

// presence answers whether anybody is there, from the shared table alone: no loop is asked.
func (g *Gateway) presence(x exchange.Exchange, h *exchange.Head, policy *route.Policy, rest []byte) {
	keys := &g.tasks.asked
	*keys = keys.emptied()
	if err := keys.read(h, policy, rest); err != nil {
		g.refuse(x, err)
		return
	}
	if len(keys.ends) == 0 {
		g.refuse(x, key.ErrEmpty)
		return
	}
	count := 0
	for i := range keys.ends {
		if target, ok := g.shared.Table.Lookup(keys.key(i)); ok {
			count += target.Count
		}
	}
	b := append(g.scratch.out[:0], `{"connections":`...)
	b = strconv.AppendInt(b, int64(count), 10)
	b = append(b, `,"nodes":[`...)
	if count > 0 {
		b, _ = ndjson.AppendString(b, []byte(g.cfg.Node))
	}
	b = append(b, "]}\n"...)
	g.scratch.out = b
	status := 200
	if count == 0 {
		status = 404
	}
	g.answer(x, status, jsonType, b)
}

// beginClose starts a DELETE: everybody who holds the keys is told to go away, and may come back.
func (g *Gateway) beginClose(x exchange.Exchange, h *exchange.Head, policy *route.Policy, rest []byte) {
	t := g.newTask(x, taskClose, policy)
	if err := t.read(h, policy, rest); err != nil {
		g.refuse(x, err)
		return
	}
	if len(t.ends) == 0 {
		g.refuse(x, key.ErrEmpty)
	}
}

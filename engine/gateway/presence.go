package gateway

import (
	"strconv"

	"holdfast/codec/key"
	"holdfast/codec/ndjson"
	"holdfast/engine/exchange"
	"holdfast/engine/route"
)

// beginAbout starts a GET, which asks whether anybody is there, or a DELETE, which tells everybody who holds the keys to
// go away; they may come back.
func (g *Gateway) beginAbout(x exchange.Exchange, h *exchange.Head, kind taskKind, policy *route.Policy, rest []byte) {
	t := g.newTask(x, kind, policy)
	if err := t.read(h, policy, rest); err != nil {
		g.refuse(x, err)
		return
	}
	if len(t.ends) == 0 {
		g.refuse(x, key.ErrEmpty)
	}
}

// appendPresence answers how many hold the keys, and on which nodes.
func (g *Gateway) appendPresence(b []byte, p *op) []byte {
	b = append(b, `{"connections":`...)
	b = strconv.AppendUint(b, uint64(p.held), 10)
	b = append(b, `,"nodes":`...)
	b = g.appendNodes(b, p)
	if p.unreached > 0 {
		b = append(b, `,"unreached":`...)
		b = strconv.AppendUint(b, uint64(p.unreached), 10)
	}
	if p.unknown > 0 {
		b = append(b, `,"unknown":`...)
		b = strconv.AppendUint(b, uint64(p.unknown), 10)
	}
	return append(b, "}\n"...)
}

// appendNodes lists the nodes that had holders, this one first.
func (g *Gateway) appendNodes(b []byte, p *op) []byte {
	b = append(b, '[')
	if p.here {
		b, _ = ndjson.AppendString(b, []byte(g.cfg.Node))
		b = append(b, ',')
	}
	for _, name := range p.nodes {
		b, _ = ndjson.AppendString(b, []byte(name))
		b = append(b, ',')
	}
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	return append(b, ']')
}

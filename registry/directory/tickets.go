package directory

// Ticket names who waits for a claim; it means nothing here.
type Ticket struct{ Loop, Task, Gen uint32 }

// maxTickets bounds those who wait for claims at one writer: while the store is away, every new hold is one. Those
// beyond are not told, as are those whose claim takes too long: their clients were told long ago that it is pending.
const maxTickets = 64 << 10

// ticketPool keeps tickets in chains, one for each pending key.
type ticketPool struct {
	nodes  []ticketNode // node 0 is none
	unused int32
	n      int
}

type ticketNode struct {
	ticket Ticket
	next   int32
}

// put adds a ticket to a chain and returns the chain's new start.
func (p *ticketPool) put(chain int32, t Ticket) int32 {
	if p.n >= maxTickets {
		return chain
	}
	p.n++
	i := p.unused
	if i != 0 {
		p.unused = p.nodes[i].next
	} else {
		i = int32(len(p.nodes))
		p.nodes = append(p.nodes, ticketNode{})
	}
	p.nodes[i] = ticketNode{ticket: t, next: chain}
	return i
}

// take appends a chain's tickets to dst and ends the chain.
func (p *ticketPool) take(dst []Ticket, chain int32) []Ticket {
	for i := chain; i != 0; i = p.nodes[i].next {
		dst = append(dst, p.nodes[i].ticket)
	}
	p.drop(chain)
	return dst
}

// drop ends a chain.
func (p *ticketPool) drop(chain int32) {
	for chain != 0 {
		next := p.nodes[chain].next
		p.nodes[chain] = ticketNode{next: p.unused}
		p.unused = chain
		p.n--
		chain = next
	}
}

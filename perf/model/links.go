package model

import "math"

// Mesh is what the links of a full mesh cost one node.
type Mesh struct {
	Connections int     // ends that a node has: it dials every other, and each dials it
	Memory      int     // bytes
	Pings       float64 // per second that it sends
	PingBytes   float64 // per second, both ways, for its own pings and the others'
	Forwards    float64 // per second that it sends to others
	PushBytes   float64 // per second, both ways, for what it sends and what it gets
}

// mesh counts every push once: its owner is another node than that which takes it, but for one in so many.
func (c *Config) mesh() Mesh {
	others := float64(c.Nodes - 1)
	forwards := float64(c.Pushes) / float64(c.Nodes) * others / float64(c.Nodes)
	m := Mesh{Connections: 2 * (c.Nodes - 1), Forwards: forwards, PushBytes: 2 * forwards * float64(c.PushBytes)}
	m.Memory = m.Connections * c.LinkMemory
	m.Pings = others * pings(forwards/others, c.Ping.Seconds())
	m.PingBytes = 2 * m.Pings * float64(c.PingBytes)
	return m
}

// pings is how many are sent per second on a link that carries so many requests per second at random: one at the end of
// each silence, whereafter the next begins. Between two requests, t apart, these are the whole silences in t.
func pings(rate, silence float64) float64 {
	if rate == 0 {
		return 1 / silence
	}
	return rate / math.Expm1(rate*silence)
}

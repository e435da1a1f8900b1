// Package model plays a cluster too large to start: a thousand nodes and a hundred million keys, as discrete events over
// counts. It must never hold an object per key or client, read a clock, or be taken for a measurement: what it assumes
// stands in [Config], and every figure follows from that and the seed.
//
// Read config.go (what is assumed), run.go (the scenes), node.go with shard.go (claims and the store that serves them),
// clients.go (who comes back when), beats.go (leases and the mark), verdicts.go (what becomes of pushes), cache.go and
// links.go (closed forms), then figures.go.
package model

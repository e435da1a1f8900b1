package cluster

import (
	"sync"
	"sync/atomic"
	"time"

	"holdfast/engine/gateway"
	"holdfast/registry/directory"
	"holdfast/registry/peer"
)

// counters are the package's numbers, added to from any goroutine.
type counters struct {
	pushes, local, forwards, relayed, notMine, fallback, unreached, unknown, refused, served, passedOn atomic.Uint64
}

// Send asks the other nodes that may hold a key. It reports true when there are none: that costs a hash and a look at
// what the directory keeps, as long as only this node holds the key.
func (c *Cluster) Send(ref gateway.Ref, r *peer.Request) bool {
	c.stats.pushes.Add(1)
	p := c.picture.Load()
	if r.All {
		return c.sendAll(p, ref, r)
	}
	_, held := c.shared.Table.Lookup(r.Key)
	by, generated := c.shared.Maker(r.Key)
	if held && generated && by == uint64(c.self.Instance) {
		return true
	}
	h := c.hash.Sum(r.Key)
	l := c.linesOf(h)
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.byKey[h]
	if line == nil {
		if generated && by != uint64(c.self.Instance) {
			c.newInquiry(ref, h, r).begin(p, directory.Owners{directory.Instance(by)})
			return false
		}
		if !p.nodes.Current { // the directory has been silent for a while: it is not waited for
			c.newInquiry(ref, h, r).beginBlind(p)
			return false
		}
		if owners, kept := c.dir.Peek(h); kept {
			// Without a holder here the kept answer is out of date, and no ground for saying that there is nobody.
			if held && onlySelf(owners, c.self.Instance) && len(p.behind) == 0 {
				c.stats.local.Add(1)
				return true
			}
			c.newInquiry(ref, h, r).begin(p, owners)
			return false
		}
	}
	c.wait(l, line, c.newInquiry(ref, h, r))
	return false
}

// sendAll asks every other node.
func (c *Cluster) sendAll(p *picture, ref gateway.Ref, r *peer.Request) bool {
	q := c.newInquiry(ref, directory.Hash{}, r)
	q.final = true
	all := make(directory.Owners, 0, len(p.nodes.All))
	for id := range p.nodes.All {
		all = append(all, id)
	}
	if len(all) <= 1 && p.nodes.Current {
		q.release()
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !p.nodes.Current {
		q.total.Unreached++ // there may be nodes that this one has not heard of
	}
	q.round(p, all, nil)
	return false
}

func onlySelf(owners directory.Owners, self directory.Instance) bool {
	for _, id := range owners {
		if id != self {
			return false
		}
	}
	return true
}

// inquiry is one push, question or end on its way through the cluster, from Send to its report.
type inquiry struct {
	c        *Cluster
	ref      gateway.Ref
	hash     directory.Hash
	request  peer.Request // with a key of its own and a reference to the payload
	deadline time.Time    // after which nobody waits for the report

	mu      sync.Mutex // of all below: reports come on the links' goroutines
	total   peer.Report
	nodes   []string             // that had holders
	asked   []directory.Instance // each once
	waiting int                  // reports on their way
	final   bool                 // no further round follows

	// Room for what most inquiries need, so that they are one object: a short key, a hint and the owner, one node with
	// holders.
	room struct {
		key   [48]byte
		asked [2]directory.Instance
		nodes [1]string
	}
}

func (c *Cluster) newInquiry(ref gateway.Ref, h directory.Hash, r *peer.Request) *inquiry {
	q := &inquiry{c: c, ref: ref, hash: h, request: *r, deadline: time.Now().Add(r.Within)}
	q.request.Key = append(q.room.key[:0], r.Key...)
	q.asked, q.nodes = q.room.asked[:0], q.room.nodes[:0]
	if r.Payload != nil {
		r.Payload.Retain()
	}
	return q
}

// lookupBy is when the directory must have answered, so that the push can still be sent.
func (q *inquiry) lookupBy() time.Time {
	by := time.Now().Add(q.c.cfg.LookupTimeout)
	if q.deadline.Before(by) {
		return q.deadline
	}
	return by
}

func (q *inquiry) release() {
	if q.request.Payload != nil {
		q.request.Payload.Release()
		q.request.Payload = nil
	}
}

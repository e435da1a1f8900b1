package cluster

import (
	"errors"
	"slices"
	"time"

	"holdfast/registry/directory"
	"holdfast/registry/peer"
)

// A push goes through at most two rounds: to whom a kept or first answer names, and, if nobody there has the key, to whom
// a fresh one names that was not asked yet. Whoever was asked and had nobody is believed: only a holder that was there
// all the time could make "nobody" false, and it would have been found.

// begin asks the owners that an answer names.
func (q *inquiry) begin(p *picture, owners directory.Owners) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.round(p, owners, p.behind)
}

// beginBlind asks without the directory: every node that can be reached may hold the key.
func (q *inquiry) beginBlind(p *picture) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.final = true
	q.total.Unreached++ // the directory
	q.round(p, nil, p.up)
}

// round asks owners and candidates, each once in the inquiry's life. Under mu.
func (q *inquiry) round(p *picture, owners, candidates []directory.Instance) {
	q.waiting++ // this call: reports may come while it asks
	for _, id := range owners {
		if id == q.c.self.Instance {
			q.c.repair(&q.request)
			continue
		}
		if slices.Contains(q.asked, id) {
			continue
		}
		q.asked = append(q.asked, id)
		switch q.c.standing(p, id) {
		case reachable:
			q.ask(p, id)
		case ended:
			if !q.request.All {
				q.c.dir.Disown(q.hash, id)
			}
		case unreachable:
			q.relay(p, id)
		}
	}
	q.askCandidates(p, candidates)
	q.waiting--
	q.goOn()
}

// askCandidates asks nodes that may hold any key, if they are few.
func (q *inquiry) askCandidates(p *picture, candidates []directory.Instance) {
	if len(candidates) > q.c.cfg.MaxCandidates {
		q.total.Unreached += uint32(len(candidates))
		return
	}
	for _, id := range candidates {
		if !slices.Contains(q.asked, id) {
			q.asked = append(q.asked, id)
			q.c.stats.fallback.Add(1)
			q.ask(p, id)
		}
	}
}

// ask sends the request to a node that has a link. Under mu.
func (q *inquiry) ask(p *picture, id directory.Instance) {
	name := ""
	if m := p.nodes.All[id]; m != nil {
		name = m.Name
	}
	if q.request.Within = time.Until(q.deadline); q.request.Within <= 0 {
		q.total.Unreached++ // nobody waits any more: it must not be delivered
		return
	}
	q.request.Relay = 0
	err := q.c.mesh.Ask(uint64(id), &q.request, func(r peer.Report, err error) { q.reported(id, name, r, err) })
	switch {
	case err == nil:
		q.c.stats.forwards.Add(1)
		q.waiting++
	case errors.Is(err, peer.ErrBusy), errors.Is(err, peer.ErrLarge):
		q.total.Refused++
	default:
		q.relay(p, id)
	}
}

// maxRelays bounds the nodes that are tried as relays, one after the other.
const maxRelays = 3

// relay sends the request to a node that lives and has no link to us, through one that may have one. Tried are the relays
// that had none. Under mu.
func (q *inquiry) relay(p *picture, id directory.Instance, tried ...directory.Instance) {
	m := p.nodes.All[id]
	if m == nil || m.Lapsed {
		q.total.Unreached++
		return
	}
	for i := range p.up {
		via := p.up[(int(q.hash[1])+i)%len(p.up)] // not the same one for all keys
		if via == id || slices.Contains(tried, via) {
			continue
		}
		if q.request.Within = time.Until(q.deadline); q.request.Within <= 0 || len(tried) == maxRelays {
			break
		}
		tried = append(slices.Clone(tried), via)
		q.request.Relay = uint64(id)
		err := q.c.mesh.Ask(uint64(via), &q.request, func(r peer.Report, err error) { q.relayed(id, m.Name, tried, r, err) })
		if err == nil {
			q.c.stats.relayed.Add(1)
			q.waiting++
			return
		}
	}
	q.total.Unreached++
}

// relayed takes a relay's report. One that could not pass the request on is followed by another.
func (q *inquiry) relayed(id directory.Instance, name string, tried []directory.Instance, r peer.Report, err error) {
	if errors.Is(err, peer.ErrUnsent) || err == nil && r == (peer.Report{Unreached: 1}) {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.waiting--
		q.relay(q.c.picture.Load(), id, tried...)
		q.goOn()
		return
	}
	q.reported(id, name, r, err)
}

// reported takes one node's report.
func (q *inquiry) reported(id directory.Instance, name string, r peer.Report, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting--
	switch {
	case err == nil:
		add(&q.total, &r)
		if anybody(&r) {
			q.nodes = append(q.nodes, name)
		} else if r == (peer.Report{}) {
			q.c.stats.notMine.Add(1)
		}
	case errors.Is(err, peer.ErrUnsent):
		q.relay(q.c.picture.Load(), id)
	default:
		q.total.Unknown++
	}
	q.goOn()
}

// goOn begins the next round, or ends, when every report is in. Under mu.
func (q *inquiry) goOn() {
	if q.waiting > 0 {
		return
	}
	if q.final || anybody(&q.total) || q.total.Unknown+q.total.Refused > 0 { // who could not be reached was sent nothing
		q.conclude()
		return
	}
	q.final = true
	q.waiting++
	if !q.c.dir.Ask(q.hash, true, q.lookupBy(), q.again) {
		q.waiting--
		q.total.Refused++
		q.conclude()
	}
}

// again begins the second round with a fresh answer.
func (q *inquiry) again(a directory.Answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting--
	p := q.c.picture.Load()
	if a.Err != nil {
		q.total.Unreached++
		q.round(p, nil, p.up)
		return
	}
	if !a.Certain || p.stray != "" {
		q.total.Unreached++ // the directory: others may hold the key without its knowing
	}
	q.round(p, a.Owners, p.behind)
}

// conclude reports to the gateway, once. Under mu, or before anybody else knows the inquiry.
func (q *inquiry) conclude() {
	if q.total.Unreached > 0 {
		q.c.stats.unreached.Add(1)
	}
	if q.total.Unknown > 0 {
		q.c.stats.unknown.Add(1)
	}
	if q.total.Refused > 0 {
		q.c.stats.refused.Add(1)
	}
	slices.Sort(q.nodes)
	q.c.shared.Report(q.ref, &q.total, q.nodes)
	q.release()
}

// refuse ends an inquiry that was sent to nobody, for want of room.
func (q *inquiry) refuse() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.total.Refused++
	q.conclude()
}

// anybody reports whether a node had holders.
func anybody(r *peer.Report) bool {
	return r.Delivered|r.Pending|r.Stored|r.Slow|r.Gone|r.Form|r.Closed|r.Held|r.Duplicate != 0
}

func add(t, r *peer.Report) {
	t.Delivered += r.Delivered
	t.Pending += r.Pending
	t.Stored += r.Stored
	t.Slow += r.Slow
	t.Gone += r.Gone
	t.Form += r.Form
	t.Unknown += r.Unknown
	t.Refused += r.Refused
	t.Closed += r.Closed
	t.Held += r.Held
	t.Unreached += r.Unreached
	t.Duplicate += r.Duplicate
}

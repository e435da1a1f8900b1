package directory

import "context"

// disowned is a claim of an instance that has ended.
type disowned struct {
	hash Hash
	dead Instance
}

// maxDisowned bounds the claims that wait to be removed. Those beyond it are left: whoever finds them next disowns them
// again, or their time to live runs out.
const maxDisowned = 4096

// Disown removes the claim of an instance that has ended, sooner or later. It never blocks.
func (d *Directory) Disown(h Hash, dead Instance) {
	if dead == d.cfg.Self.Instance {
		return
	}
	select {
	case d.disowned <- disowned{h, dead}:
	default:
	}
}

// keepDisowning is the goroutine that removes claims of ended instances, one batch at a time.
func (d *Directory) keepDisowning() {
	defer d.running.Done()
	var next disowned
	held := false // next is taken, and of another instance than the batch before
	for {
		if !held {
			select {
			case next = <-d.disowned:
			case <-d.ctx.Done():
				return
			}
		}
		dead, changes := next.dead, []Change{{Hash: next.hash}}
		for held = false; !held && len(changes) < d.cfg.Batch && len(d.disowned) > 0; {
			if next = <-d.disowned; next.dead == dead {
				changes = append(changes, Change{Hash: next.hash})
			} else {
				held = true
			}
		}
		d.disown(dead, changes)
		if d.ctx.Err() != nil {
			return
		}
	}
}

func (d *Directory) disown(dead Instance, changes []Change) {
	ctx, cancel := context.WithTimeout(d.ctx, d.cfg.Lease)
	defer cancel()
	d.cfg.Store.Claim(ctx, dead, changes)
	for i := range changes {
		if changes[i].Err == nil {
			d.tally.disowned.Add(1)
		}
	}
}

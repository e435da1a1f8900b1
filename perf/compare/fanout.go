package compare

import (
	"context"
	"slices"
	"time"
)

// pushWait is how long one push may take: the slowest server needs a fraction of it for the largest group.
const pushWait = 30 * time.Second

// side is one server's clients in an experiment.
type side struct {
	crowd   *crowd
	callers *callers
}

// sides connects the same clients to each server, all at once, and returns what disconnects them.
func (r *run) sides(ctx context.Context, servers []*server, callers int, key func(i int) string) (map[*server]side, func(), error) {
	all := make(map[*server]side)
	leave := func() {
		for _, s := range all {
			s.crowd.leave()
			s.callers.hangUp()
		}
	}
	for _, s := range servers {
		crowd, err := joined(ctx, s, r.Conns, key)
		if err != nil {
			leave()
			return nil, nil, err
		}
		calls, err := call(s, callers, r.Size)
		if err != nil {
			crowd.leave()
			leave()
			return nil, nil, err
		}
		all[s] = side{crowd, calls}
	}
	return all, leave, nil
}

// fanout pushes to a group, one push after the other, each read by all before the next.
func (r *run) fanout(ctx context.Context) error {
	servers := r.named(bareName, holdfastName, nchanName)
	sides, leave, err := r.sides(ctx, servers, 1, sameKey)
	if err != nil {
		return err
	}
	defer leave()
	return r.turns(ctx, "fan-out", servers, func(s *server, counts bool) error {
		before, err := settled(s.pid())
		if err != nil {
			return err
		}
		walls := make([]float64, 0, r.Pushes)
		for range r.Pushes {
			took, err := sides[s].callers.ask(groupKey, pushWait)
			if err != nil {
				return err
			}
			if err := sides[s].crowd.readAll(r.Conns); err != nil {
				return err
			}
			walls = append(walls, took.Seconds()*1e3)
		}
		after, err := settled(s.pid())
		if err != nil || !counts {
			return err
		}
		slices.Sort(walls)
		r.add(s, fanoutCPU, float64(after-before)/1e3/float64(r.Pushes*r.Conns))
		r.add(s, fanoutWall, walls[len(walls)/2])
		return nil
	})
}

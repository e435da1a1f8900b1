package compare

import (
	"context"
	"fmt"
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

// fanout pushes to a group, one push after the other, each read by all before the next. Servers take turns push by push,
// each going first as often as the others: what a cache still holds, and what else the machine does, is the same for all.
func (r *run) fanout(ctx context.Context) error {
	servers := r.named(bareName, holdfastName, nchanName)
	sides, leave, err := r.sides(ctx, servers, 1, sameKey)
	if err != nil {
		return err
	}
	defer leave()
	for round := -1; round < r.Rounds; round++ { // the first warms up and counts for nothing
		cpu, walls := make(map[*server]time.Duration), make(map[*server][]float64)
		for push := range r.Pushes {
			for i := range servers {
				s := servers[(push+i)%len(servers)]
				spent, took, err := r.fanoutOnce(ctx, s, sides[s])
				if err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
				cpu[s] += spent
				walls[s] = append(walls[s], took.Seconds()*1e3)
			}
		}
		if round < 0 {
			continue
		}
		for _, s := range servers {
			_, wall, _ := spread(walls[s])
			r.add(s, fanoutCPU, float64(cpu[s])/1e3/float64(r.Pushes*r.Conns))
			r.add(s, fanoutWall, wall)
		}
		fmt.Fprintf(r.Progress, "fan-out: round %d of %d\n", round+1, r.Rounds)
	}
	return nil
}

// fanoutOnce is one push to the group and what it cost the server, which was idle before.
func (r *run) fanoutOnce(ctx context.Context, s *server, clients side) (cpu, took time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	before, err := spent(s.pid())
	if err != nil {
		return 0, 0, err
	}
	if took, err = clients.callers.ask(groupKey, pushWait); err != nil {
		return 0, 0, err
	}
	if err := clients.crowd.readAll(r.Conns); err != nil {
		return 0, 0, err
	}
	after, err := settled(s.pid())
	return after - before, took, err
}

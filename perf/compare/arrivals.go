package compare

import (
	"context"
	"time"
)

// arrivals connects subscribers at full pace and disconnects them again.
func (r *run) arrivals(ctx context.Context) error {
	return r.turns(ctx, "arrivals", r.named(holdfastName, nchanName), func(s *server, counts bool) error {
		before, err := settled(s.pid())
		if err != nil {
			return err
		}
		begun := time.Now()
		c, err := joined(ctx, s, r.Conns, ownKey)
		if err != nil {
			return err
		}
		wall := time.Since(begun)
		after, err := settled(s.pid())
		c.leave()
		if err != nil {
			return err
		}
		if _, err := settled(s.pid()); err != nil || !counts { // who leaves is not charged to who comes
			return err
		}
		cpu := float64(after-before) / 1e3 / float64(r.Conns)
		r.add(s, arrivalCPU, cpu)
		r.add(s, arrivalsPerCPU, 1e6/cpu)
		r.add(s, arrivalRate, float64(r.Conns)/wall.Seconds())
		return nil
	})
}

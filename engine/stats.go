package engine

import (
	"errors"
	"time"

	"holdfast/engine/gateway"
	"holdfast/engine/http1"
	"holdfast/engine/loop"
	"holdfast/registry"
)

// askTimeout is how long a loop may take to answer a question about itself.
const askTimeout = 2 * time.Second

// ErrSilent says that a loop did not answer in time: it is overloaded, or stuck.
var ErrSilent = errors.New("a loop did not answer within 2s; it is overloaded or the engine has stopped")

// Stats are the numbers of all loops at about one moment.
type Stats struct {
	Loops    []LoopStats
	Registry registry.Stats
	Uptime   time.Duration
}

// LoopStats are one loop's numbers.
type LoopStats struct {
	Loop    loop.Stats
	Gauges  loop.Gauges
	HTTP1   http1.Stats
	Gateway gateway.Stats
	Depths  gateway.Depths
}

// Stats asks every loop for its numbers. It waits for them, at most 2 s.
func (e *Engine) Stats() (Stats, error) {
	s := Stats{Loops: make([]LoopStats, len(e.units)), Registry: e.cluster.Table.Stats(), Uptime: time.Since(e.started)}
	err := e.ask(func(i int, u *unit) {
		s.Loops[i] = LoopStats{
			Loop: u.loop.Stats, Gauges: u.loop.Gauge(), HTTP1: u.sessions.Stats,
			Gateway: u.gateway.Stats, Depths: u.gateway.Depths(),
		}
	})
	return s, err
}

// ask runs a question on every loop and waits for the answers.
func (e *Engine) ask(question func(i int, u *unit)) error {
	done := make(chan struct{}, len(e.units))
	for i, u := range e.units {
		if !u.loop.Post(func() { question(i, u); done <- struct{}{} }) {
			return ErrSilent
		}
	}
	late := time.NewTimer(askTimeout)
	defer late.Stop()
	for range e.units {
		select {
		case <-done:
		case <-late.C:
			return ErrSilent
		}
	}
	return nil
}

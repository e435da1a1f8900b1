package engine

import (
	"context"
	"time"
)

// leaveTimeout bounds how long a node that stops tries to give up its claims; what is left runs out with its lease.
const leaveTimeout = 2 * time.Second

func (e *Engine) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	e.cluster.Close(ctx)
}

// stopPoll is how often Stop looks whether everybody has left.
const stopPoll = 10 * time.Millisecond

// Stop ends the data plane in good order: no new connections, answers under way are finished, idle connections are
// closed, and holds are told to go away in their own words, spread over pace so that they do not all come back at once.
// What is still open when ctx ends is cut. It returns how many connections were.
func (e *Engine) Stop(ctx context.Context, pace time.Duration) (cut int) {
	for _, u := range e.units {
		_ = u.ask(func() { // a loop that does not answer will not end in good order either
			u.loop.CloseListeners()
			u.sessions.Drain()
			u.streams.Drain()
			u.gateway.Drain(pace)
		})
	}
	tick := time.NewTicker(stopPoll)
	defer tick.Stop()
	for e.conns.Load() > 0 && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	cut = int(e.conns.Load())
	for _, u := range e.units {
		for !u.loop.Post(u.loop.Stop) {
			time.Sleep(stopPoll)
		}
	}
	e.done.Wait()
	if e.cluster != nil {
		e.leave()
	}
	e.free()
	return cut
}

package engine

import (
	"errors"
	"sync"
	"time"

	"holdfast/engine/cluster"
	"holdfast/engine/gateway"
	"holdfast/engine/http1"
	"holdfast/engine/http2"
	"holdfast/engine/loop"
	"holdfast/engine/websocket"
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
	Cluster  *cluster.Stats // nil: this node is alone
	Uptime   time.Duration
}

// LoopStats are one loop's numbers.
type LoopStats struct {
	Loop    loop.Stats
	Gauges  loop.Gauges
	HTTP1   http1.Stats
	HTTP2   http2.Stats
	Sockets websocket.Stats
	Gateway gateway.Stats
	Depths  gateway.Depths
}

// Stats asks every loop for its numbers, one after the other. A loop that does not answer within 2 s is an error.
func (e *Engine) Stats() (Stats, error) {
	s := Stats{
		Loops: make([]LoopStats, len(e.units)), Registry: e.shared.Table.Stats(), Cluster: e.Cluster(), Uptime: time.Since(e.started),
	}
	for i, u := range e.units {
		err := u.ask(func() {
			s.Loops[i] = LoopStats{
				Loop: u.loop.Stats, Gauges: u.loop.Gauge(), HTTP1: u.sessions.Stats,
				HTTP2: u.streams.Stats, Sockets: u.sockets.Stats,
				Gateway: u.gateway.Stats, Depths: u.gateway.Depths(),
			}
		})
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// ask runs f on the loop and waits for it. When it gives up waiting, f will not run any more, or has not been begun:
// f may write to the caller's variables.
func (u *unit) ask(f func()) error {
	var mu sync.Mutex // orders f and giving up
	late := false
	done := make(chan struct{})
	posted := u.loop.Post(func() {
		mu.Lock()
		defer mu.Unlock()
		if !late {
			f()
			close(done)
		}
	})
	if !posted {
		return ErrSilent
	}
	timer := time.NewTimer(askTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
	}
	mu.Lock()
	defer mu.Unlock()
	select {
	case <-done: // in the last moment
		return nil
	default:
		late = true
		return ErrSilent
	}
}

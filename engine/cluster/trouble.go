package cluster

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"holdfast/registry/peer"
)

// trouble tells an operator of a link that was refused or ended. The other end learns nothing of the reason.
func (c *Cluster) trouble(of peer.Node, err error) {
	if c.cfg.Trouble == nil {
		return
	}
	who := of.Name
	if who == "" {
		who = of.Address
	}
	hint := ""
	if errors.Is(err, io.EOF) {
		hint = " (have both nodes the same secret and release?)"
	}
	if c.told.lately(who) {
		return
	}
	c.cfg.Trouble(fmt.Sprintf("link with %s: %v%s", who, err, hint))
}

// told keeps what an operator hears of one node from filling a log while a fault lasts.
type told struct {
	mu   sync.Mutex
	last map[string]time.Time
}

const (
	tellEvery = time.Minute // of one node
	mostTold  = 1024        // nodes that are told apart: strangers can choose names
)

func (t *told) lately(who string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.last[who]) < tellEvery {
		return true
	}
	if t.last == nil || len(t.last) >= mostTold {
		t.last = make(map[string]time.Time)
	}
	t.last[who] = time.Now()
	return false
}

// Package node shows a running engine to the admin API: its numbers as metrics, its connections and keys as lists. It
// must never keep what it was told: each answer is asked of the loops anew.
//
// Reading order: node.go (lists), nodes.go (the cluster), exposition.go and clustering.go (metrics).
package node

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"holdfast/cmd/internal/admin"
	"holdfast/codec/key"
	"holdfast/engine"
	"holdfast/engine/cluster"
)

// Engine is what is asked of the data plane.
type Engine interface {
	Stats() (engine.Stats, error)
	Conns(engine.ConnFilter) ([]engine.ConnInfo, error)
	Key(name string) (engine.KeyInfo, bool)
	Keys(cursor uint64, limit int) ([]engine.KeyInfo, uint64)
	Cluster() *cluster.Stats // nil: alone
	Owners(ctx context.Context, key string) ([]string, error)
	Ready() error
}

// maxVisited bounds the keys that one page looks at for its prefix, some 0.2 s: a page may stop short of its limit.
const maxVisited = 200_000

// Node is the Source of an admin server.
type Node struct {
	engine   Engine
	draining atomic.Bool
}

// New shows an engine.
func New(e Engine) *Node { return &Node{engine: e} }

// Drain makes the node say that it wants no new connections.
func (n *Node) Drain() { n.draining.Store(true) }

// Ready is nil until Drain is called, and while clients who come here can be reached from the rest of the cluster.
func (n *Node) Ready() error {
	if n.draining.Load() {
		return errors.New("draining: this node takes no new connections")
	}
	return n.engine.Ready()
}

// Conns lists connections, loop after loop, and says whether the limit left some out.
func (n *Node) Conns(_ context.Context, f admin.ConnFilter, limit int) ([]admin.Conn, bool, error) {
	found, err := n.engine.Conns(engine.ConnFilter{
		Key: string(f.Key), Form: f.Form, MinAge: f.MinAge, MinQueued: f.MinQueued,
		Limit: limit + 1, // one more tells whether there are others
	})
	if err != nil {
		return nil, false, err
	}
	more := len(found) > limit
	list := make([]admin.Conn, 0, limit)
	for i := range found[:min(len(found), limit)] {
		list = append(list, conn(&found[i]))
	}
	return list, more, nil
}

func conn(info *engine.ConnInfo) admin.Conn {
	c := admin.Conn{
		ID:          strconv.FormatUint(info.ID, 16),
		Loop:        info.Loop,
		Listener:    info.Listener,
		Peer:        info.Peer,
		Form:        info.Form,
		Keys:        make([]string, 0, len(info.Keys)),
		AgeSeconds:  int64(info.Age / time.Second),
		SentSeconds: int64(info.LastSent / time.Second),
		QueuedBytes: info.Queued,
	}
	if info.LastSent > info.Age { // nothing was sent since it was accepted
		c.SentSeconds = -1
	}
	for _, name := range info.Keys {
		c.Keys = append(c.Keys, encoded(name))
	}
	return c
}

// Keys lists a page of keys in the table's own order; the cursor is the table's.
func (n *Node) Keys(ctx context.Context, prefix []byte, after string, limit int) ([]admin.Key, string, error) {
	cursor, err := parseCursor(after)
	if err != nil {
		return nil, "", err
	}
	var list []admin.Key
	for visited := 0; visited < maxVisited; {
		// Asking for no more than still fit keeps the cursor right behind the last key that is shown.
		var found []engine.KeyInfo
		found, cursor = n.engine.Keys(cursor, limit-len(list))
		visited += len(found)
		for i := range found {
			if bytes.HasPrefix([]byte(found[i].Key), prefix) {
				list = append(list, admin.Key{Key: encoded(found[i].Key), Holders: found[i].Connections})
			}
		}
		if cursor == 0 || len(list) >= limit || ctx.Err() != nil {
			break
		}
	}
	return list, formatCursor(cursor), ctx.Err()
}

// Holders looks one key up, lists some of the connections that hold it here, and says which nodes claim it.
func (n *Node) Holders(ctx context.Context, name []byte, limit int) (admin.KeyHolders, error) {
	info, ok := n.engine.Key(string(name))
	h := admin.KeyHolders{Key: admin.Key{Key: encoded(string(name)), Holders: info.Connections}}
	owners, err := n.engine.Owners(ctx, string(name))
	if h.Nodes = owners; err != nil {
		h.Doubt = err.Error()
	}
	if !ok {
		return h, nil
	}
	list, _, err := n.Conns(ctx, admin.ConnFilter{Key: name}, min(limit, max(info.Connections, 1)))
	h.Conns = list
	return h, err
}

func encoded(name string) string { return string(key.AppendEncoded(nil, []byte(name))) }

func parseCursor(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	cursor, err := strconv.ParseUint(text, 16, 64)
	if err != nil || cursor == 0 {
		return 0, admin.ErrCursor
	}
	return cursor, nil
}

func formatCursor(cursor uint64) string {
	if cursor == 0 {
		return ""
	}
	return strconv.FormatUint(cursor, 16)
}

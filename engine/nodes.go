package engine

import (
	"context"

	"holdfast/engine/cluster"
)

// Nodes lists the nodes of the cluster as this one sees them, itself included; nil for a node that is alone.
func (e *Engine) Nodes() []cluster.NodeInfo {
	if e.cluster == nil {
		return nil
	}
	return e.cluster.Nodes()
}

// Cluster is this node's part in its cluster in numbers; nil for a node that is alone. It asks no loop.
func (e *Engine) Cluster() *cluster.Stats {
	if e.cluster == nil {
		return nil
	}
	return e.cluster.Stats()
}

// Owners names the nodes whose claims say that somebody holds a key there; with an error there may be others. A node
// that is alone knows of none.
func (e *Engine) Owners(ctx context.Context, key string) ([]string, error) {
	if e.cluster == nil {
		return nil, nil
	}
	return e.cluster.Owners(ctx, []byte(key))
}

// Ready is nil while new clients are well served here, and otherwise says why they would not be.
func (e *Engine) Ready() error {
	if e.cluster == nil {
		return nil
	}
	return e.cluster.Ready()
}

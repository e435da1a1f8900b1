// Package peer keeps links between nodes: few, long-lived, authenticated connections that carry requests one way and
// their reports back.
package peer

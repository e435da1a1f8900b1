package cluster

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"holdfast/registry/peer"
)

// An operator hears of a fault, with what may help, and not again and again while it lasts.
func TestTrouble(t *testing.T) {
	var heard []string
	c := &Cluster{cfg: Config{Trouble: func(text string) { heard = append(heard, text) }}}
	b, unnamed := peer.Node{Name: "b", Address: "10.0.0.2:7"}, peer.Node{Address: "10.0.0.3:7"}
	for range 3 {
		c.trouble(b, errors.New("no route"))
	}
	c.trouble(unnamed, fmt.Errorf("during the handshake: %w", io.EOF))
	want := []string{
		"link with b: no route",
		"link with 10.0.0.3:7: during the handshake: EOF (have both nodes the same secret and release?)",
	}
	if !slices.Equal(heard, want) {
		t.Errorf("heard %q; want %q", heard, want)
	}
	c.told.last["b"] = time.Now().Add(-tellEvery)
	c.trouble(b, errors.New("still none"))
	if len(heard) != 3 {
		t.Errorf("heard %d times; want once more after a minute", len(heard))
	}
	(&Cluster{}).trouble(b, io.EOF) // nobody listens
}

// Strangers choose their names: what is remembered of them is bounded.
func TestTroubleIsBounded(t *testing.T) {
	var seen told
	for i := range 10 * mostTold {
		if seen.lately(fmt.Sprint(i)) {
			t.Fatalf("%d was never told of", i)
		}
		if len(seen.last) > mostTold {
			t.Fatalf("%d are remembered", len(seen.last))
		}
	}
}

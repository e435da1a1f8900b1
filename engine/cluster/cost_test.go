package cluster

import (
	"bytes"
	"slices"
	"testing"

	"holdfast/engine/gateway"
	"holdfast/registry/directory"
	"holdfast/registry/peer"
)

// A push to a key of usual length that one other node holds costs one object here, besides what waits for the report.
func TestInquiryIsOneObject(t *testing.T) {
	f := func(key string, nodes int, want float64) {
		t.Helper()
		c, r := new(Cluster), &peer.Request{Key: []byte(key)}
		var kept *inquiry
		got := testing.AllocsPerRun(200, func() {
			kept = c.newInquiry(gateway.Ref{}, directory.Hash{}, r)
			for i := range nodes {
				kept.asked = append(kept.asked, directory.Instance(i))
				kept.nodes = append(kept.nodes, "b")
			}
		})
		if got != want || len(kept.asked) != nodes || len(kept.nodes) != nodes {
			t.Errorf("%d nodes and a key of %d bytes: %v objects, want %v", nodes, len(key), got, want)
		}
		r.Key[0] = '?' // the caller's again
		if string(kept.request.Key) != key {
			t.Errorf("the key became %q", kept.request.Key)
		}
	}
	long := string(bytes.Repeat([]byte("k"), 256))
	f("alice", 0, 1)
	f("user:0123456789abcdef", 1, 1)
	f("user:0123456789abcdef", 3, 4)
	f(long, 1, 2)
}

// Room is each inquiry's own: what one has asked is no other's.
func TestInquiriesShareNoRoom(t *testing.T) {
	c, r := new(Cluster), &peer.Request{Key: []byte("k")}
	a, b := c.newInquiry(gateway.Ref{}, directory.Hash{}, r), c.newInquiry(gateway.Ref{}, directory.Hash{}, r)
	a.asked, b.asked = append(a.asked, 1), append(b.asked, 2)
	a.nodes, b.nodes = append(a.nodes, "a"), append(b.nodes, "b")
	if !slices.Equal(a.asked, []directory.Instance{1}) || !slices.Equal(a.nodes, []string{"a"}) || !slices.Equal(b.nodes, []string{"b"}) {
		t.Errorf("%v %v, %v %v", a.asked, a.nodes, b.asked, b.nodes)
	}
}

// Package route is the compiled, immutable routing table: which action answers a request, and under which policy.
// A Snapshot is built once, published whole and never changed; matching it allocates nothing and takes no lock.
package route

import (
	"bytes"
	"time"

	"holdfast/engine/record"
)

// Action says what a route does with a request.
type Action uint8

// The actions.
const (
	Hold    Action = iota // park the request under its keys
	Push                  // publish, ask who is there, or close
	Respond               // answer with a fixed body
	Echo                  // answer with what was asked, for conformance tools
)

// Policy is how a route treats what it holds and takes. A hold keeps its index, never the snapshot.
type Policy struct {
	Slow           record.SlowPolicy
	PollTimeout    time.Duration // a long-poll without a message is answered 204 after this
	Heartbeat      time.Duration // silence on a stream is broken after about this; below 0 never
	RetryHint      time.Duration // SSE `retry:` sent at the start; 0 none
	MaxKeys        int           // keys of one request
	MaxPayload     int           // bytes of one message
	MaxItemsFlying int           // messages of one publish stream that wait for a verdict
	Socket         Socket
}

// Inbound says what becomes of the messages that a WebSocket's client sends.
type Inbound uint8

// What can become of them.
const (
	Ignored   Inbound = iota // read and forgotten
	Refused                  // the first one ends the connection: 1003
	Published                // pushed to Socket.Key, so that an application can hear them
	Echoed                   // sent back, for conformance tools
)

// Socket is how a route treats WebSockets, beyond what it does with every hold.
type Socket struct {
	Inbound      Inbound
	Key          string        // Published: where to
	MaxInbound   int           // bytes of one message from a client: a longer one ends the connection, 1009
	Rate         int           // messages and pings a second from one client, on average; more end the connection, 1008
	Burst        int           // of them that may come at once
	Pong         time.Duration // silence after a ping of ours that ends the connection
	Subprotocols []string      // that the route speaks, best first; a client that offers others gets none
	Origins      []string      // of pages that may open one, such as https://app.example; none: every page
	ClientKeys   bool          // clients may add and give up keys by a command
	Deflate      bool          // compress messages for clients that can take it
}

// Filled is the policy with the defaults in place of its zeros: polls of 30 s, a heartbeat after about 50 s (below the
// 60 s after which many proxies give up on a silent stream), 16 keys, messages of 1 MiB, 256 items under way; of a
// WebSocket's client messages of 64 KiB, 50 a second and 100 at once, and a pong within 10 s.
func (p Policy) Filled() Policy {
	span := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	span(&p.PollTimeout, 30*time.Second)
	span(&p.Heartbeat, 50*time.Second)
	size := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	size(&p.MaxKeys, 16)
	size(&p.MaxPayload, 1<<20)
	size(&p.MaxItemsFlying, 256)
	size(&p.Socket.MaxInbound, 64<<10)
	size(&p.Socket.Rate, 50)
	size(&p.Socket.Burst, 100)
	span(&p.Socket.Pong, 10*time.Second)
	return p
}

// Route is one row: requests on a listener whose path begins with Prefix. A Prefix that ends in '/' matches what is
// below it and gives the rest of the path as the key; one that does not, matches only itself.
type Route struct {
	Listener int // index in Snapshot.Listeners
	Prefix   string
	Exact    bool // nothing below it either: a page at "/" is not every other path's page
	Action   Action
	Policy   uint16 // index in Snapshot.Policies
	Status   int    // Respond
	Type     string // Respond: Content-Type
	Body     []byte // Respond
}

// Listener is a place where requests come in.
type Listener struct {
	Name    string
	Address string
	Publish bool // requests here must authenticate when tokens are set, and may not come from other sites' pages
}

// Snapshot is one immutable, versioned configuration.
type Snapshot struct {
	Version   uint64
	Listeners []Listener
	Policies  []Policy
	Routes    []Route
}

// Match finds the route of a path and the rest of the path behind its prefix: the longest prefix wins.
func (s *Snapshot) Match(listener int, path []byte) (r *Route, rest []byte) {
	for i := range s.Routes {
		c := &s.Routes[i]
		if c.Listener != listener || r != nil && len(c.Prefix) <= len(r.Prefix) {
			continue
		}
		n := len(c.Prefix)
		below := !c.Exact && n > 0 && c.Prefix[n-1] == '/' && len(path) > n && bytes.HasPrefix(path, []byte(c.Prefix))
		if below || string(path) == c.Prefix {
			r, rest = c, path[n:]
		}
	}
	return r, rest
}

// Policy is the policy of a route.
func (s *Snapshot) Policy(r *Route) *Policy { return &s.Policies[r.Policy] }
